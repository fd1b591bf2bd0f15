package wire

import (
	"bytes"
	"reflect"
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func randomProduce(r *rng, version int16) (*kmsg.ProduceRequest, *ProduceRequest) {
	k := kmsg.NewPtrProduceRequest()
	k.Version = version
	want := &ProduceRequest{Acks: r.i16(), TimeoutMs: r.Int32() - 1<<30}
	if version >= 3 {
		want.TransactionalID = r.textOrNull()
	}
	k.TransactionID, k.Acks, k.TimeoutMillis = want.TransactionalID, want.Acks, want.TimeoutMs
	for range r.IntN(4) {
		topic := kmsg.NewProduceRequestTopic()
		if version >= 13 {
			topic.TopicID = r.uuid()
		} else {
			topic.Topic = r.text()
		}
		for range r.IntN(4) {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition = r.Int32() - 1<<30
			if r.IntN(4) > 0 {
				p.Records = r.bytes()
			}
			p.UnknownTags = r.tags()
			topic.Partitions = append(topic.Partitions, p)
			want.Partitions = append(want.Partitions, ProducePartition{topic.Topic, topic.TopicID, p.Partition, p.Records, p.Records == nil})
		}
		topic.UnknownTags = r.tags()
		k.Topics = append(k.Topics, topic)
	}
	k.UnknownTags = r.tags()
	return k, want
}

func TestProduceRequestAgainstKmsg(t *testing.T) {
	r := seeded(t)
	var got ProduceRequest
	for version := int16(0); version <= produceMax; version++ {
		for range 300 {
			k, want := randomProduce(r, version)
			body := k.AppendTo(nil)
			if err := got.Parse(version, body); err != nil {
				t.Fatalf("v%d: %v", version, err)
			}
			if err := sameProduce(&got, want); err != "" {
				t.Fatalf("v%d: %s", version, err)
			}
			for range 5 {
				n := r.IntN(len(body))
				if err := got.Parse(version, body[:n:n]); err == nil {
					t.Fatalf("v%d: %d of %d bytes are enough", version, n, len(body))
				}
			}
		}
	}
	for _, version := range []int16{-1, produceMax + 1} {
		if err := got.Parse(version, make([]byte, 100)); err != ErrVersion {
			t.Fatal(version, err)
		}
	}
}

func sameProduce(got, want *ProduceRequest) string {
	if got.Acks != want.Acks || got.TimeoutMs != want.TimeoutMs || !reflect.DeepEqual(got.TransactionalID, want.TransactionalID) {
		return "head"
	}
	if len(got.Partitions) != len(want.Partitions) {
		return "number of partitions"
	}
	for i, p := range got.Partitions {
		if !reflect.DeepEqual(p, want.Partitions[i]) {
			return "partition"
		}
	}
	return ""
}

func randomNodes(r *rng) (ours []NodeEndpoint) {
	for range r.IntN(3) {
		ours = append(ours, NodeEndpoint{r.Int32(), r.text(), r.Int32(), r.textOrNull()})
	}
	return ours
}

// What we write is byte for byte what kmsg writes.
func TestProduceResponseAgainstKmsg(t *testing.T) {
	r := seeded(t)
	for version := int16(0); version <= produceMax; version++ {
		for range 300 {
			nodes, throttle := randomNodes(r), r.Int32()
			k := kmsg.NewPtrProduceResponse()
			k.Version, k.ThrottleMillis = version, throttle
			if version >= 10 {
				for _, n := range nodes {
					k.Brokers = append(k.Brokers, kmsg.ProduceResponseBroker{NodeID: n.ID, Host: n.Host, Port: n.Port, Rack: n.Rack})
				}
			}
			var parts []ProduceResponsePartition
			for i := range r.IntN(4) {
				topic := kmsg.NewProduceResponseTopic()
				topic.Topic = r.text() + string(rune('a'+i))
				topic.TopicID = r.uuid()
				for range 1 + r.IntN(3) {
					p := randomProduceResponse(r, topic.Topic, topic.TopicID)
					parts = append(parts, p)
					topic.Partitions = append(topic.Partitions, kmsgProducePartition(p, version))
				}
				k.Topics = append(k.Topics, topic)
			}
			got, want := AppendProduceResponse([]byte("head"), version, parts, throttle, nodes), append([]byte("head"), k.AppendTo(nil)...)
			if !bytes.Equal(got, want) {
				t.Fatalf("v%d: %+v\nours %x\nkmsg %x", version, parts, got, want)
			}
			if err := kmsg.NewPtrProduceResponse().ReadFrom(got[4:]); version == 0 && err != nil {
				t.Fatal(err)
			}
		}
	}
}

func randomProduceResponse(r *rng, topic string, id UUID) ProduceResponsePartition {
	p := ProduceResponsePartition{Topic: topic, TopicID: id, Partition: r.Int32(), Err: ErrorCode(r.i16()), BaseOffset: r.Int64(), LogAppendTime: r.Int64(),
		LogStart: r.Int64(), ErrorMessage: r.text(), LeaderID: -1, LeaderEpoch: -1}
	for range r.IntN(3) {
		p.RecordErrors = append(p.RecordErrors, RecordError{r.Int32(), r.text()})
	}
	if r.IntN(2) == 0 {
		p.LeaderID, p.LeaderEpoch = r.Int32(), r.Int32()
	}
	return p
}

func kmsgProducePartition(p ProduceResponsePartition, version int16) kmsg.ProduceResponseTopicPartition {
	k := kmsg.NewProduceResponseTopicPartition()
	k.Partition, k.ErrorCode, k.BaseOffset, k.LogAppendTime, k.LogStartOffset = p.Partition, int16(p.Err), p.BaseOffset, p.LogAppendTime, p.LogStart
	k.ErrorMessage = nullIfEmpty(p.ErrorMessage)
	for _, e := range p.RecordErrors {
		k.ErrorRecords = append(k.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: e.Index, ErrorMessage: nullIfEmpty(e.Message)})
	}
	if version >= 10 {
		k.CurrentLeader.LeaderID, k.CurrentLeader.LeaderEpoch = p.LeaderID, p.LeaderEpoch
	}
	return k
}

func nullIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func TestProduceBounds(t *testing.T) {
	const topics, partitions = "\x7f\xff\xff\xff", "\x00\x00\x00\x01\x00\x01t\x7f\xff\xff\xff"
	head := "\x00\x01\x00\x00\x00\x00"
	var r ProduceRequest
	for _, body := range []string{head + topics, head + partitions, head + "\xff\xff\xff\xff", head + "\xff\xff\xff\xfe", head + "\x00\x00\x00\x01\xff\xff"} {
		allocs := testing.AllocsPerRun(5, func() {
			if err := r.Parse(2, []byte(body)); err == nil {
				t.Fatalf("%x", body)
			}
		})
		if allocs > 1 { // the copy of body
			t.Errorf("%x: %v allocations", body, allocs)
		}
	}

	// The densest request: entries of six bytes.
	dense := []byte{0, 0, 1, 0, 0, 0, 0}
	dense = AppendArrayLen(dense, 1, true)
	dense = append(dense, 2, 't')
	n := MaxProducePartitions
	dense = AppendArrayLen(dense, n, true)
	dense = append(dense, make([]byte, 6*n)...)
	dense = append(dense, 0, 0)
	r = ProduceRequest{}
	if err := r.Parse(9, dense); err != nil || len(r.Partitions) != n {
		t.Fatal(len(r.Partitions), err)
	}
	if used := cap(r.Partitions) * int(unsafe.Sizeof(ProducePartition{})); used > 25*len(dense) {
		t.Errorf("%d bytes of request take %d of memory", len(dense), used)
	}
	dense = append(dense[:len(dense)-2], make([]byte, 8)...)
	dense[10], dense[11], dense[12] = 0x82, 0x80, 0x08 // one more
	if err := r.Parse(9, dense); err != ErrTooMany {
		t.Fatal(err)
	}
}

// benchProduce is a request of the Java producer: one partition with a batch of 16 KiB, or many with 1 KiB.
func benchProduce(partitions, size int) []byte {
	k := kmsg.NewPtrProduceRequest()
	k.Version, k.Acks = 13, -1
	topic := kmsg.NewProduceRequestTopic()
	topic.TopicID = UUID{1, 2, 3}
	for i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), make([]byte, size)
		topic.Partitions = append(topic.Partitions, p)
	}
	k.Topics = append(k.Topics, topic)
	return k.AppendTo(nil)
}

func TestProduceParsesWithoutAllocating(t *testing.T) {
	r := seeded(t)
	for version := int16(0); version <= produceMax; version++ {
		k, _ := randomProduce(r, version)
		body := k.AppendTo(nil)
		var request ProduceRequest
		if allocs := testing.AllocsPerRun(10, func() { _ = request.Parse(version, body) }); allocs != 0 {
			t.Errorf("v%d: %v allocations", version, allocs)
		}
	}
}

func BenchmarkProduceRequest(b *testing.B) {
	for _, c := range []struct {
		name             string
		partitions, size int
	}{{"1", 1, 16 << 10}, {"100", 100, 1 << 10}, {"1000", 1000, 1 << 10}} {
		body := benchProduce(c.partitions, c.size)
		b.Run("parse/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r ProduceRequest
			for b.Loop() {
				if err := r.Parse(13, body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("kmsg/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r kmsg.ProduceRequest
			for b.Loop() {
				r.Version = 13
				if err := r.ReadFrom(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkProduceResponse(b *testing.B) {
	for _, n := range []int{1, 100} {
		parts := make([]ProduceResponsePartition, n)
		for i := range parts {
			parts[i] = ProduceResponsePartition{TopicID: UUID{1}, Partition: int32(i), BaseOffset: 100, LogAppendTime: -1, LeaderID: -1, LeaderEpoch: -1}
		}
		b.Run(map[int]string{1: "1", 100: "100"}[n], func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendProduceResponse(dst[:0], 13, parts, 0, nil)
			}
		})
	}
}

func BenchmarkHeader(b *testing.B) {
	frame := append(AppendRequestHeader(nil, Header{Key: Produce, Version: 13, CorrelationID: 7, ClientID: "producer-1"}), make([]byte, 100)...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseHeader(frame); err != nil {
			b.Fatal(err)
		}
	}
}
