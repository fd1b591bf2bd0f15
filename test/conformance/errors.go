package main

import (
	"fmt"

	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/target"
)

// What errors look like: requests that no careful client sends, and the exact code of the answer.
func init() {
	register(
		Case{"raw/produce-every-version", true, rawProduceVersions},
		Case{"raw/fetch-every-version", true, rawFetchVersions},
		Case{"raw/bad-crc", true, rawCRC},
		Case{"raw/too-large", false, rawTooLarge},
		Case{"raw/unknown-topic", false, rawUnknownTopic},
		Case{"raw/bad-timestamp", false, rawTimestamp},
		Case{"raw/bad-batches", false, rawBatches},
		Case{"raw/null-key-in-compacted-topic", false, rawNullKey},
		Case{"raw/invalid-acks", false, rawAcks},
		Case{"raw/idempotence", false, rawIdempotence},
		Case{"raw/fetch-out-of-range", false, rawOutOfRange},
		Case{"raw/fetch-session", false, rawSession},
		Case{"raw/leader-epoch", false, rawEpoch},
		Case{"raw/list-offsets-every-version", false, rawListOffsets},
		Case{"raw/topic-errors", false, rawTopicErrors},
		Case{"raw/config-errors", false, rawConfigErrors},
		Case{"raw/group-errors", false, rawGroupErrors},
		Case{"raw/unsupported-version", false, rawUnsupported},
		Case{"raw/every-advertised-version-answers", false, rawWalk},
	)
}

// versions that the broker advertises for a key.
func (t *T) versions(key kmsg.Key) (low, high int16) {
	low, high = -1, -2
	for _, k := range t.Raw().Ask(kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse).ApiKeys {
		if k.ApiKey == int16(key) {
			low, high = k.MinVersion, k.MaxVersion
		}
	}
	return low, high
}

func rawProduceVersions(t *T) {
	topic, r := t.Topic(1), t.Raw()
	low, high := t.versions(kmsg.Produce)
	t.Equal(fmt.Sprint(low, high), "0 13", "advertised versions of Produce: 0, because librdkafka before 2.0 asks for it, to 13")
	for v := int16(3); v <= high; v++ {
		p := r.Produce(v, topic, 0, newBatch(fmt.Sprint("v", v)).bytes())
		t.Code(p.ErrorCode, nil, fmt.Sprintf("Produce v%d", v))
		t.Equal(p.BaseOffset, v-3, "base offset")
		t.Equal(p.LogAppendTime, -1, "log append time of a CreateTime topic")
		if v >= 5 {
			t.Equal(p.LogStartOffset, 0, "log start offset")
		}
	}
}

func rawFetchVersions(t *T) {
	topic, r := t.Topic(1), t.Raw()
	sent := newBatch("hello").bytes()
	t.Code(r.Produce(9, topic, 0, sent).ErrorCode, nil, "Produce")
	low, high := t.versions(kmsg.Fetch)
	t.Equal(fmt.Sprint(low, high), "4 18", "advertised versions of Fetch")
	for v := low; v <= high; v++ {
		p := r.Fetch(v, topic, 0, 0)
		t.Code(p.ErrorCode, nil, fmt.Sprintf("Fetch v%d", v))
		t.Equal(p.HighWatermark, 1, "high watermark")
		t.Equal(p.LastStableOffset, 1, "last stable offset")
		// The bytes are those sent, except the base offset and the leader epoch.
		if len(p.RecordBatches) != len(sent) || string(p.RecordBatches[16:]) != string(sent[16:]) {
			t.Errorf("v%d: the batch is not the one sent: % x", v, p.RecordBatches)
		}
	}
}

func rawCRC(t *T) {
	topic, r := t.Topic(1), t.Raw()
	b := newBatch("spoilt")
	b.spoilCRC = true
	t.Code(r.Produce(9, topic, 0, b.bytes()).ErrorCode, kerr.CorruptMessage, "wrong CRC")
	t.Equal(r.Produce(9, topic, 0, newBatch("good").bytes()).BaseOffset, 0, "offset of the next good one")
}

func rawTooLarge(t *T) {
	topic, r := t.Topic(1, "max.message.bytes=1000"), t.Raw()
	t.Code(r.Produce(9, topic, 0, newBatch(strings.Repeat("x", 2000)).bytes()).ErrorCode, kerr.MessageTooLarge, "2,000 bytes where 1,000 are allowed")
	t.Code(r.Produce(9, topic, 0, newBatch(strings.Repeat("x", 800)).bytes()).ErrorCode, nil, "800 bytes")
	other := t.Topic(1)
	t.Code(r.Produce(9, other, 0, newBatch(strings.Repeat("x", 1<<20)).bytes()).ErrorCode, kerr.MessageTooLarge, "more than the broker's default of 1,048,588 bytes")
}

func rawUnknownTopic(t *T) {
	topic, r := t.Topic(1), t.Raw()
	b := newBatch("x").bytes()
	t.Code(r.Produce(9, t.Name("none"), 0, b).ErrorCode, kerr.UnknownTopicOrPartition, "Produce v9 to a topic that is not there")
	t.Code(r.Produce(9, topic, 7, b).ErrorCode, kerr.UnknownTopicOrPartition, "Produce to a partition that is not there")
	t.Code(r.Produce(13, t.Name("none"), 0, b).ErrorCode, kerr.UnknownTopicID, "Produce v13 to an id that is not there")
	t.Code(r.Fetch(12, t.Name("none"), 0, 0).ErrorCode, kerr.UnknownTopicOrPartition, "Fetch v12 of a topic that is not there")
	t.Code(r.Fetch(12, topic, 7, 0).ErrorCode, kerr.UnknownTopicOrPartition, "Fetch of a partition that is not there")
	t.Code(r.Fetch(13, t.Name("none"), 0, 0).ErrorCode, kerr.UnknownTopicID, "Fetch v13 of an id that is not there")

	req := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = kmsg.StringPtr(t.Name("none"))
	req.Topics, req.AllowAutoTopicCreation = append(req.Topics, mt), false
	t.Code(r.Ask(req, 12).(*kmsg.MetadataResponse).Topics[0].ErrorCode, kerr.UnknownTopicOrPartition, "Metadata without auto-creation")
	req.Topics[0].Topic = kmsg.StringPtr("not/legal")
	t.Code(r.Ask(req, 12).(*kmsg.MetadataResponse).Topics[0].ErrorCode, kerr.InvalidTopicException, "Metadata of an illegal name")
	req.Topics[0].Topic, req.Topics[0].TopicID = nil, [16]byte{9, 9, 9}
	t.Code(r.Ask(req, 12).(*kmsg.MetadataResponse).Topics[0].ErrorCode, kerr.UnknownTopicID, "Metadata of an unknown id")
}

func rawTimestamp(t *T) {
	topic, r := t.Topic(1, "message.timestamp.before.max.ms=60000", "message.timestamp.after.max.ms=60000"), t.Raw()
	try := func(shift time.Duration) int16 {
		b := newBatch("x")
		b.first = time.Now().Add(shift).UnixMilli()
		b.last = b.first
		return r.Produce(9, topic, 0, b.bytes()).ErrorCode
	}
	t.Code(try(0), nil, "a record of now")
	t.Code(try(-time.Hour), kerr.InvalidTimestamp, "a record one hour old")
	t.Code(try(time.Hour), kerr.InvalidTimestamp, "a record one hour ahead")
	append := t.Topic(1, "message.timestamp.type=LogAppendTime")
	b := newBatch("x")
	b.first, b.last = 1000, 1000
	p := r.Produce(9, append, 0, b.bytes())
	t.Code(p.ErrorCode, nil, "any time where the broker sets it")
	if d := time.Since(time.UnixMilli(p.LogAppendTime)).Abs(); d > time.Minute {
		t.Errorf("log append time is %v away from now", d)
	}
}

func rawBatches(t *T) {
	topic, r := t.Topic(1), t.Raw()
	for what, c := range map[string]struct {
		change func(b *batch)
		want   *kerr.Error
	}{
		"magic 1":                            {func(b *batch) { b.magic = 1 }, kerr.InvalidRecord},
		"last offset delta against count":    {func(b *batch) { b.delta = 5 }, kerr.InvalidRecord},
		"count against the records":          {func(b *batch) { b.count = 2; b.delta = 1 }, kerr.InvalidRecord},
		"a control batch":                    {func(b *batch) { b.attributes = 1 << 5 }, kerr.InvalidRecord},
		"an idempotent one without sequence": {func(b *batch) { b.producer, b.epoch, b.sequence = 5, 0, -1 }, kerr.InvalidRecord},
		"no records at all":                  {func(b *batch) { b.values = nil }, kerr.InvalidRecord},
	} {
		if what == "count against the records" && t.kind != "kafka" {
			continue // Kafka finds it by decoding each record, which decision 3 of the blueprint leaves out
		}
		b := newBatch("x")
		c.change(b)
		p, err := r.Try(r.produceRequest(9, topic, 0, b.bytes(), -1), 9)
		if err != nil {
			t.Errorf("%s: the connection fails: %v", what, err)
			r = t.Raw()
			continue
		}
		t.Code(p.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, c.want, what)
	}
	two := append(newBatch("a").bytes(), newBatch("b").bytes()...)
	t.Code(r.Produce(9, topic, 0, two).ErrorCode, kerr.InvalidRecord, "two batches in one partition")
	cut := newBatch("abc").bytes()
	t.Code(r.Produce(9, topic, 0, cut[:len(cut)-2]).ErrorCode, kerr.InvalidRecord, "a cut batch")
	t.Equal(r.Produce(9, topic, 0, newBatch("good").bytes()).BaseOffset, 0, "offset of the first good one")
}

func rawNullKey(t *T) {
	topic, r := t.Topic(1, "cleanup.policy=compact"), t.Raw()
	b := newBatch("a", "b")
	b.nullKey = true
	p := r.Produce(9, topic, 0, b.bytes())
	t.Code(p.ErrorCode, kerr.InvalidRecord, "records without key in a compacted topic")
	t.Equal(len(p.ErrorRecords), 2, "each is named")
	t.Code(r.Produce(9, topic, 0, newBatch("a").bytes()).ErrorCode, nil, "with key")
}

func rawAcks(t *T) {
	topic, r := t.Topic(1), t.Raw()
	b := newBatch("x").bytes()
	t.Code(r.ProduceAcks(9, topic, 0, b, 2).ErrorCode, kerr.InvalidRequiredAcks, "acks=2")
	t.Code(r.ProduceAcks(9, topic, 0, b, 1).ErrorCode, nil, "acks=1")
	// acks=0 has no answer: the next one on the connection belongs to the next request.
	zero := r.produceRequest(9, topic, 0, b, 0)
	_, err := r.Write(r.Frame(zero, 9))
	t.Must(err, "acks=0")
	t.Equal(r.Produce(9, topic, 0, b).BaseOffset, 2, "offset after one of acks=1 and one of acks=0")
}

func (r *Raw) producerID() (int64, int16) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.ProducerID, req.ProducerEpoch = -1, -1
	var resp *kmsg.InitProducerIDResponse
	r.t.Eventually(func() error { // right after its start a broker may have to ask for its first block of ids
		resp = r.Ask(req, 4).(*kmsg.InitProducerIDResponse)
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	return resp.ProducerID, resp.ProducerEpoch
}

func rawIdempotence(t *T) {
	topic, r := t.Topic(1), t.Raw()
	id, epoch := r.producerID()
	other, _ := r.producerID()
	if id < 0 || other == id || epoch != 0 {
		t.Errorf("producer ids %d and %d, epoch %d", id, other, epoch)
	}
	send := func(sequence int32, epoch int16, values ...string) produced {
		b := newBatch(values...)
		b.producer, b.epoch, b.sequence = id, epoch, sequence
		return r.Produce(9, topic, 0, b.bytes())
	}
	for i := range int32(6) {
		t.Equal(send(i, 0, fmt.Sprint(i)).BaseOffset, i, "offset")
	}
	for i := int32(1); i < 6; i++ {
		p := send(i, 0, fmt.Sprint(i))
		t.Code(p.ErrorCode, nil, "a repeat within the last five (IDM-4)")
		t.Equal(p.BaseOffset, i, "its offset is the first one's")
	}
	t.Code(send(0, 0, "0").ErrorCode, kerr.OutOfOrderSequenceNumber, "a repeat older than the last five")
	t.Code(send(9, 0, "gap").ErrorCode, kerr.OutOfOrderSequenceNumber, "a gap (IDM-2)")
	t.Code(send(0, 1, "new epoch").ErrorCode, nil, "a new epoch begins at 0")
	t.Code(send(6, 0, "old epoch").ErrorCode, kerr.InvalidProducerEpoch, "an old epoch (IDM-5)")
	t.Code(send(7, 2, "a new epoch in the middle").ErrorCode, kerr.OutOfOrderSequenceNumber, "a new epoch that does not begin at 0")
	t.Equal(r.Fetch(12, topic, 0, 0).HighWatermark, 7, "nothing refused was appended")
}

func rawOutOfRange(t *T) {
	topic, r := t.Topic(1), t.Raw()
	r.Produce(9, topic, 0, newBatch("x").bytes())
	for _, v := range []int16{4, 11, 13} {
		t.Code(r.Fetch(v, topic, 0, 5).ErrorCode, kerr.OffsetOutOfRange, "beyond the end")
		p := r.Fetch(v, topic, 0, 1)
		t.Code(p.ErrorCode, nil, "at the end")
		t.Equal(len(p.RecordBatches), 0, "bytes at the end")
	}
}

func rawSession(t *T) {
	topic, r := t.Topic(1), t.Raw()
	r.Produce(9, topic, 0, newBatch("x").bytes())
	req := r.fetchRequest(12, topic, 0, 0)
	req.SessionEpoch = 0
	full := r.Ask(req, 12).(*kmsg.FetchResponse)
	t.Code(full.ErrorCode, nil, "a full fetch that opens a session")
	if full.SessionID == 0 || len(full.Topics) != 1 {
		t.Fatalf("no session: %+v", full)
	}
	// An incremental fetch names only what changed, and answers only what is new.
	req.SessionID, req.SessionEpoch = full.SessionID, 1
	req.Topics[0].Partitions[0].FetchOffset = 1
	empty := r.Ask(req, 12).(*kmsg.FetchResponse)
	t.Equal(fmt.Sprint(empty.ErrorCode, empty.SessionID, len(empty.Topics)), fmt.Sprint(0, full.SessionID, 0), "an incremental fetch with nothing new")
	r.Produce(9, topic, 0, newBatch("y").bytes())
	req.SessionEpoch, req.Topics = 2, nil
	news := r.Ask(req, 12).(*kmsg.FetchResponse)
	if len(news.Topics) != 1 || len(news.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Errorf("the session forgot its partition: %+v", news)
	}
	req.SessionEpoch = 9
	t.Code(r.Ask(req, 12).(*kmsg.FetchResponse).ErrorCode, kerr.InvalidFetchSessionEpoch, "a wrong epoch")
	req.SessionID = 77
	t.Code(r.Ask(req, 12).(*kmsg.FetchResponse).ErrorCode, kerr.FetchSessionIDNotFound, "an unknown session")
}

func rawEpoch(t *T) {
	topic, r := t.Topic(1), t.Raw()
	r.Produce(9, topic, 0, newBatch("x").bytes())
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	m := kmsg.NewPtrMetadataRequest()
	m.Topics = append(m.Topics, mt)
	epoch := r.Ask(m, 12).(*kmsg.MetadataResponse).Topics[0].Partitions[0].LeaderEpoch
	req := r.fetchRequest(12, topic, 0, 0)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch + 5
	t.Code(r.Ask(req, 12).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode, kerr.UnknownLeaderEpoch, "an epoch from the future")
	if epoch > 0 {
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch - 1
		t.Code(r.Ask(req, 12).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode, kerr.FencedLeaderEpoch, "an old epoch")
	}
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.CurrentLeaderEpoch, p.LeaderEpoch = epoch, epoch
	tp := kmsg.NewOffsetForLeaderEpochRequestTopic()
	tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
	e := kmsg.NewPtrOffsetForLeaderEpochRequest()
	e.ReplicaID, e.Topics = -1, append(e.Topics, tp)
	got := r.Ask(e, 4).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
	t.Equal(fmt.Sprint(got.ErrorCode, got.LeaderEpoch, got.EndOffset), fmt.Sprint(0, epoch, 1), "the end of the leader's epoch")
}

func rawListOffsets(t *T) {
	topic, r := t.Topic(1), t.Raw()
	base := time.Now().UnixMilli() - 10000
	for i, at := range []int64{1000, 5000, 3000} {
		b := newBatch(fmt.Sprint(i))
		b.first, b.last = base+at, base+at
		r.Produce(9, topic, 0, b.bytes())
	}
	low, high := t.versions(kmsg.ListOffsets)
	t.Equal(fmt.Sprint(low, high), "1 11", "advertised versions of ListOffsets")
	for v := low; v <= high; v++ {
		ask := func(ts int64) kmsg.ListOffsetsResponseTopicPartition {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp, p.CurrentLeaderEpoch = ts, -1
			tp := kmsg.NewListOffsetsRequestTopic()
			tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
			req := kmsg.NewPtrListOffsetsRequest()
			req.ReplicaID, req.Topics = -1, append(req.Topics, tp)
			return r.Ask(req, v).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
		}
		wants := map[int64][2]int64{-1: {3, -1}, -2: {0, -1}, base + 1: {0, base + 1000}, base + 1001: {1, base + 5000}, base + 6000: {-1, -1}}
		if v >= 7 {
			wants[-3] = [2]int64{1, base + 5000}
		}
		if v >= 8 { // the earliest offset that lies on this broker's own disk
			wants[-4] = [2]int64{0, -1}
		}
		if v >= 9 { // the last offset that a remote store has: there is none
			wants[-5] = [2]int64{-1, -1}
		}
		if v >= 11 { // the first that a remote store lacks, where there is one
			wants[-6] = [2]int64{-1, -1}
		}
		for ts, want := range wants {
			got := ask(ts)
			t.Equal(fmt.Sprint(got.ErrorCode, got.Offset, got.Timestamp), fmt.Sprint(0, want[0], want[1]), fmt.Sprintf("v%d of timestamp %d", v, ts))
		}
	}
}

func rawTopicErrors(t *T) {
	topic, r := t.Topic(3), t.Raw()
	create := func(name string, partitions int32, replication int16, config ...string) int16 {
		tp := kmsg.NewCreateTopicsRequestTopic()
		tp.Topic, tp.NumPartitions, tp.ReplicationFactor = name, partitions, replication
		for i := 0; i+1 < len(config); i += 2 {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = config[i], &config[i+1]
			tp.Configs = append(tp.Configs, c)
		}
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis, req.Topics = 10000, append(req.Topics, tp)
		return r.Ask(req, 7).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
	}
	t.Code(create(topic, 1, 1), kerr.TopicAlreadyExists, "an existing topic")
	t.Code(create(strings.NewReplacer("-", "_").Replace(topic)+".x", 1, 1), nil, "a dotted name")
	t.Code(create(strings.NewReplacer("-", "_").Replace(topic)+"_x", 1, 1), kerr.InvalidTopicException, "a name that collides with it in metrics")
	for _, name := range []string{"", ".", "..", "a/b", "a b", "ä", strings.Repeat("x", 250)} {
		t.Code(create(name, 1, 1), kerr.InvalidTopicException, fmt.Sprintf("the name %.20q", name))
	}
	t.Code(create("__cluster_metadata", 1, 1), kerr.InvalidRequest, "the name of the metadata log")
	t.Code(create(t.Name("t"), 0, 1), kerr.InvalidPartitions, "no partitions")
	t.Code(create(t.Name("t"), 1, 3), kerr.InvalidReplicationFactor, "three replicas of one broker")
	t.Code(create(t.Name("t"), 1, 0), kerr.InvalidReplicationFactor, "no replicas")
	t.Code(create(t.Name("t"), 1, 1, "no.such.setting", "1"), kerr.InvalidConfig, "an unknown setting")
	t.Code(create(t.Name("t"), 1, 1, "retention.ms", "soon"), kerr.InvalidConfig, "a value of the wrong type")

	partitions := func(name string, count int32) int16 {
		tp := kmsg.NewCreatePartitionsRequestTopic()
		tp.Topic, tp.Count = name, count
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.TimeoutMillis, req.Topics = 10000, append(req.Topics, tp)
		return r.Ask(req, 3).(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode
	}
	t.Code(partitions(topic, 2), kerr.InvalidPartitions, "fewer partitions")
	t.Code(partitions(topic, 3), kerr.InvalidPartitions, "as many partitions")
	t.Code(partitions(t.Name("none"), 3), kerr.UnknownTopicOrPartition, "partitions of an unknown topic")

	remove := func(name *string, id [16]byte) int16 {
		tp := kmsg.NewDeleteTopicsRequestTopic()
		tp.Topic, tp.TopicID = name, id
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TimeoutMillis, req.Topics = 10000, append(req.Topics, tp)
		return r.Ask(req, 6).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode
	}
	none := t.Name("none")
	t.Code(remove(&none, [16]byte{}), kerr.UnknownTopicOrPartition, "deletion of an unknown topic")
	t.Code(remove(nil, [16]byte{7, 7}), kerr.UnknownTopicID, "deletion of an unknown id")
	id := r.topicID(topic)
	t.Code(remove(nil, id), nil, "deletion by id")

	dp := kmsg.NewDeleteRecordsRequestTopicPartition()
	dp.Offset = 10
	dt := kmsg.NewDeleteRecordsRequestTopic()
	dt.Topic, dt.Partitions = t.Topic(1), append(dt.Partitions, dp)
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.TimeoutMillis, del.Topics = 10000, append(del.Topics, dt)
	t.Code(r.Ask(del, 2).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode, kerr.OffsetOutOfRange, "DeleteRecords beyond the high watermark")
}

func rawConfigErrors(t *T) {
	topic, r := t.Topic(1), t.Raw()
	alter := func(kind kmsg.ConfigResourceType, name, key, value string, op kmsg.IncrementalAlterConfigOp) int16 {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value, c.Op = key, &value, op
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName, res.Configs = kind, name, append(res.Configs, c)
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Resources = append(req.Resources, res)
		return r.Ask(req, 1).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode
	}
	const set, add = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpAppend
	t.Code(alter(kmsg.ConfigResourceTypeTopic, topic, "retention.ms", "1000", set), nil, "a good value")
	t.Code(alter(kmsg.ConfigResourceTypeTopic, topic, "retention.ms", "x", set), kerr.InvalidConfig, "a bad value")
	t.Code(alter(kmsg.ConfigResourceTypeTopic, topic, "no.such.setting", "1", set), kerr.InvalidConfig, "an unknown setting")
	t.Code(alter(kmsg.ConfigResourceTypeTopic, topic, "retention.ms", "1", add), kerr.InvalidConfig, "append to what is no list")
	t.Code(alter(kmsg.ConfigResourceTypeTopic, topic, "cleanup.policy", "compact", add), nil, "append to a list")
	t.Code(alter(kmsg.ConfigResourceTypeTopic, t.Name("none"), "retention.ms", "1", set), kerr.UnknownTopicOrPartition, "an unknown topic")
}

func rawGroupErrors(t *T) {
	topic, r := t.Topic(1), t.Raw()
	group := t.Name("g")
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = group, 1, 1000, "consumer"
	proto := kmsg.NewJoinGroupRequestProtocol()
	proto.Name = "range"
	join.Protocols = append(join.Protocols, proto)
	t.Equal(r.findCoordinator(group), 0, "FindCoordinator")
	ask := func() *kmsg.JoinGroupResponse {
		var resp *kmsg.JoinGroupResponse
		t.Eventually(func() error { // the coordinator's partition may still be loading
			resp = r.Ask(join, 9).(*kmsg.JoinGroupResponse)
			if resp.ErrorCode == kerr.NotCoordinator.Code || resp.ErrorCode == kerr.CoordinatorLoadInProgress.Code {
				return fmt.Errorf("join: %s", codeName(resp.ErrorCode))
			}
			return nil
		})
		return resp
	}
	t.Code(ask().ErrorCode, kerr.InvalidSessionTimeout, "a session of 1 ms")
	join.SessionTimeoutMillis = 10000
	first := ask()
	t.Code(first.ErrorCode, kerr.MemberIDRequired, "a first join without member id")
	join.MemberID = "nobody"
	t.Code(ask().ErrorCode, kerr.UnknownMemberID, "a join with an unknown member id")
	join.MemberID = first.MemberID
	joined := ask()
	t.Code(joined.ErrorCode, nil, "a join with the id that was given")
	t.Equal(joined.LeaderID, first.MemberID, "the only member leads")
	join.Group = ""
	t.Code(ask().ErrorCode, kerr.InvalidGroupID, "a group without name")

	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.MemberID, beat.Generation = group, first.MemberID, joined.Generation+1
	t.Code(r.Ask(beat, 4).(*kmsg.HeartbeatResponse).ErrorCode, kerr.IllegalGeneration, "a heartbeat of a generation to come")
	beat.MemberID = "nobody"
	t.Code(r.Ask(beat, 4).(*kmsg.HeartbeatResponse).ErrorCode, kerr.UnknownMemberID, "a heartbeat of nobody")

	commit := func(generation int32, member string) int16 {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset, p.LeaderEpoch = 5, -1
		tp := kmsg.NewOffsetCommitRequestTopic()
		tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation, req.MemberID, req.Topics = group, generation, member, append(req.Topics, tp)
		return r.Ask(req, 8).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
	}
	t.Code(commit(-1, ""), kerr.UnknownMemberID, "a commit from outside into a group with members")
	t.Code(commit(joined.Generation, "nobody"), kerr.UnknownMemberID, "a commit of nobody")
	t.Code(commit(joined.Generation+7, first.MemberID), kerr.IllegalGeneration, "a commit of another generation (GRP-1)")

	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Groups = []string{group}
	t.Code(r.Ask(del, 2).(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode, kerr.NonEmptyGroup, "deletion of a group with a member")
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = first.MemberID
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.Members = group, append(leave.Members, m)
	t.Code(r.Ask(leave, 5).(*kmsg.LeaveGroupResponse).ErrorCode, nil, "leave")
	t.Code(r.Ask(del, 2).(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode, nil, "deletion of an empty group")
	t.Code(r.Ask(del, 2).(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode, kerr.GroupIDNotFound, "deletion of no group")
}

// findCoordinator asks until the offsets topic exists and is served.
func (r *Raw) findCoordinator(group string) (code int16) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{group}
	r.t.Eventually(func() error {
		code = r.Ask(req, 4).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode
		if code == kerr.CoordinatorNotAvailable.Code {
			return fmt.Errorf("find coordinator: %s", codeName(code))
		}
		return nil
	})
	return code
}

func rawUnsupported(t *T) {
	// ApiVersions of a version to come is answered in version 0 with UNSUPPORTED_VERSION and the list.
	r := t.Raw()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "conformance", "1"
	frame := r.Frame(req, 4)
	frame[6], frame[7] = 0, 99
	_, err := r.Write(frame)
	t.Must(err, "write")
	body, err := r.ReadFrame()
	t.Must(err, "an answer")
	resp := kmsg.NewPtrApiVersionsResponse()
	t.Must(resp.ReadFrom(body[4:]), "an answer of version 0")
	t.Code(resp.ErrorCode, kerr.UnsupportedVersion, "ApiVersions v99")
	if len(resp.ApiKeys) == 0 {
		t.Errorf("the list that tells the client what to do is empty")
	}
	// Any other API in a version that is not there closes the connection.
	r = t.Raw()
	frame = r.Frame(kmsg.NewPtrMetadataRequest(), 12)
	frame[6], frame[7] = 0, 99
	r.SetDeadline(time.Now().Add(10 * time.Second))
	r.Write(frame)
	if b, err := r.ReadFrame(); err == nil {
		t.Errorf("Metadata v99 is answered: % x", b)
	}
	t.Must(target.Answers(t.addr), "the broker after it")
}

// rawWalk asks every API that only reads, in each version, and demands an answer that decodes to its last byte.
func rawWalk(t *T) {
	topic := t.Topic(1)
	r := t.Raw()
	r.Produce(9, topic, 0, newBatch("x").bytes())
	r.findCoordinator("walk")
	var asked int
	for _, k := range r.Ask(kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse).ApiKeys {
		req := walkRequest(k.ApiKey, topic)
		if req == nil {
			continue
		}
		for v := k.MinVersion; v <= min(k.MaxVersion, req.MaxVersion()); v++ {
			asked++
			if _, err := r.Try(req, v); err != nil {
				t.Errorf("%s v%d: %v", kmsg.NameForKey(k.ApiKey), v, err)
				r = t.Raw()
			}
		}
	}
	t.note = fmt.Sprintf("%d versions of APIs that read", asked)
	if asked < 60 {
		t.Errorf("only %d were asked", asked)
	}
}

func walkRequest(key int16, topic string) kmsg.Request {
	switch kmsg.Key(key) {
	case kmsg.ApiVersions:
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "conformance", "1"
		return req
	case kmsg.Metadata:
		tp := kmsg.NewMetadataRequestTopic()
		tp.Topic = &topic
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = append(req.Topics, tp)
		return req
	case kmsg.FindCoordinator:
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = "walk", []string{"walk"}
		return req
	case kmsg.OffsetFetch:
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = "walk"
		tp := kmsg.NewOffsetFetchRequestTopic()
		tp.Topic, tp.Partitions = topic, []int32{0}
		req.Topics = append(req.Topics, tp)
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberEpoch = "walk", -1
		req.Groups = append(req.Groups, g)
		return req
	case kmsg.DescribeGroups:
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{"walk"}
		return req
	case kmsg.DescribeConfigs:
		res := kmsg.NewDescribeConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Resources, req.IncludeSynonyms = append(req.Resources, res), true
		return req
	case kmsg.DescribeTopicPartitions:
		tp := kmsg.NewDescribeTopicPartitionsRequestTopic()
		tp.Topic = topic
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.Topics, req.ResponsePartitionLimit = append(req.Topics, tp), 100
		return req
	case kmsg.ListGroups, kmsg.DescribeCluster, kmsg.DescribeLogDirs, kmsg.ListConfigResources, kmsg.InitProducerID, kmsg.OffsetForLeaderEpoch,
		kmsg.DescribeProducers, kmsg.ListOffsets, kmsg.DeleteTopics, kmsg.CreateTopics, kmsg.CreatePartitions, kmsg.DeleteRecords, kmsg.OffsetDelete:
		return kmsg.Key(key).Request() // an empty question
	}
	return nil
}
