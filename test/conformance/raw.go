package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/target"
)

// Raw is one connection on which requests of any version are sent as they are.
type Raw struct {
	t *T
	*target.Conn
}

// Raw opens a connection that is closed with the case.
func (t *T) Raw() *Raw {
	conn, err := target.Dial(t.addr)
	t.Must(err, "dial")
	t.defers(func() { conn.Close() })
	return &Raw{t: t, Conn: conn}
}

// Ask sends a request at a version and returns its answer.
func (r *Raw) Ask(req kmsg.Request, version int16) kmsg.Response {
	resp, err := r.Conn.Ask(req, version)
	r.t.Must(err, fmt.Sprintf("%s v%d", kmsg.NameForKey(req.Key()), version))
	return resp
}

// Try is Ask that returns what goes wrong.
func (r *Raw) Try(req kmsg.Request, version int16) (kmsg.Response, error) {
	return r.Conn.Ask(req, version)
}

// Code demands an error code, by Kafka's name.
func (t *T) Code(got int16, want *kerr.Error, what string) {
	code := int16(0)
	if want != nil {
		code = want.Code
	}
	if got != code {
		t.Errorf("%s: got %s, want %s", what, codeName(got), codeName(code))
	}
}

func codeName(code int16) string {
	if code == 0 {
		return "NONE (0)"
	}
	return fmt.Sprintf("%s (%d)", kerr.TypedErrorForCode(code).Message, code)
}

// batch is a record batch of version 2 to be spoilt field by field, encoded here and not by the package under test.
type batch struct {
	magic          int8
	attributes     int16
	first, last    int64 // base and maximum timestamp, ms
	producer       int64
	epoch          int16
	sequence       int32
	values         []string
	nullKey        bool
	count, delta   int32 // overrides, where not zero
	spoilCRC       bool
	baseOffset     int64
	leaderEpochVal int32
}

func newBatch(values ...string) *batch {
	now := time.Now().UnixMilli()
	return &batch{magic: 2, first: now, last: now, producer: -1, epoch: -1, sequence: -1, values: values, leaderEpochVal: -1}
}

func (b *batch) bytes() []byte {
	var records []byte
	for i, v := range b.values {
		rec := []byte{0}                              // attributes
		rec = binary.AppendVarint(rec, 0)             // timestamp delta
		rec = binary.AppendVarint(rec, int64(i))      // offset delta
		rec = binary.AppendVarint(rec, b.keyLength()) // key
		if !b.nullKey {
			rec = append(rec, 'k')
		}
		rec = binary.AppendVarint(rec, int64(len(v)))
		rec = append(rec, v...)
		rec = binary.AppendVarint(rec, 0) // headers
		records = append(binary.AppendVarint(records, int64(len(rec))), rec...)
	}
	count, delta := int32(len(b.values)), int32(len(b.values)-1)
	if b.count != 0 {
		count = b.count
	}
	if b.delta != 0 {
		delta = b.delta
	}
	be := binary.BigEndian
	body := be.AppendUint16(nil, uint16(b.attributes))
	body = be.AppendUint32(body, uint32(delta))
	body = be.AppendUint64(body, uint64(b.first))
	body = be.AppendUint64(body, uint64(b.last))
	body = be.AppendUint64(body, uint64(b.producer))
	body = be.AppendUint16(body, uint16(b.epoch))
	body = be.AppendUint32(body, uint32(b.sequence))
	body = be.AppendUint32(body, uint32(count))
	body = append(body, records...)
	crc := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	if b.spoilCRC {
		crc ^= 1
	}
	out := be.AppendUint64(nil, uint64(b.baseOffset))
	out = be.AppendUint32(out, uint32(len(body)+9))
	out = be.AppendUint32(out, uint32(b.leaderEpochVal))
	out = append(out, byte(b.magic))
	out = be.AppendUint32(out, crc)
	return append(out, body...)
}

func (b *batch) keyLength() int64 {
	if b.nullKey {
		return -1
	}
	return 1
}

// produced is the answer for the one partition of a Produce.
type produced = kmsg.ProduceResponseTopicPartition

// Produce sends bytes as the records of one partition.
func (r *Raw) Produce(version int16, topic string, partition int32, records []byte) produced {
	return r.ProduceAcks(version, topic, partition, records, -1)
}

// ProduceAcks is Produce with a choice of acks.
func (r *Raw) ProduceAcks(version int16, topic string, partition int32, records []byte, acks int16) produced {
	resp := r.Ask(r.produceRequest(version, topic, partition, records, acks), version).(*kmsg.ProduceResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		r.t.Fatalf("one partition was asked for: %+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

func (r *Raw) produceRequest(version int16, topic string, partition int32, records []byte, acks int16) *kmsg.ProduceRequest {
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	tp := kmsg.NewProduceRequestTopic()
	tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
	if version >= 13 {
		tp.TopicID = r.topicID(topic)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = acks, 10000, append(req.Topics, tp)
	return req
}

// topicID of a topic, or one that no topic has.
func (r *Raw) topicID(topic string) [16]byte {
	tp := kmsg.NewMetadataRequestTopic()
	tp.Topic = &topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, tp)
	resp := r.Ask(req, 12).(*kmsg.MetadataResponse)
	if len(resp.Topics) == 1 && resp.Topics[0].ErrorCode == 0 {
		return resp.Topics[0].TopicID
	}
	return [16]byte{1, 2, 3}
}

// Fetch asks one partition from an offset.
func (r *Raw) Fetch(version int16, topic string, partition int32, offset int64) kmsg.FetchResponseTopicPartition {
	resp := r.Ask(r.fetchRequest(version, topic, partition, offset), version).(*kmsg.FetchResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		r.t.Fatalf("one partition was asked for: %+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

func (r *Raw) fetchRequest(version int16, topic string, partition int32, offset int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	tp := kmsg.NewFetchRequestTopic()
	tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
	if version >= 13 {
		tp.TopicID = r.topicID(topic)
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 100, 1, 50<<20, -1
	req.Topics = append(req.Topics, tp)
	return req
}
