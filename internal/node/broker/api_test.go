package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// A node is a broker on a host in a fresh directory.
type node struct {
	*Broker
	t    *testing.T
	addr string
	next int32
}

func newNode(t *testing.T, lines ...string) *node {
	t.Helper()
	return newNodeWith(t, Options{}, lines...)
}

func newNodeWith(t *testing.T, o Options, lines ...string) *node {
	t.Helper()
	if onTheRealHost(t) {
		return newNodeOn(t, openRealHost, o, lines...)
	}
	return newNodeOn(t, func(t *testing.T, e env.Env, s Settings, at []Endpoint) Host { return openHost(t, e, s, at) }, o, lines...)
}

func newNodeOn(t *testing.T, open func(*testing.T, env.Env, Settings, []Endpoint) Host, o Options, lines ...string) *node {
	t.Helper()
	lines = append([]string{"node.id=1", "auto.create.topics.enable=true", "group.initial.rebalance.delay.ms=0",
		"offsets.topic.num.partitions=4", "log.dirs=" + t.TempDir()}, lines...)
	e, s := env.Real(), settings(t, lines...)
	if o.Env.Clock != nil {
		e.Clock = o.Env.Clock
	}
	o.Env, o.Settings, o.Listeners = e, s, []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}}
	o.Limits.PoisonPooledBuffers, o.Limits.Memory = true, 1<<30
	b := New(o)
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	b.Serve(open(t, e, s, b.Endpoints()))
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
		if used := b.inFlight.inUse() + b.decoding.inUse(); used != 0 {
			t.Errorf("%d bytes of the budgets are not given back", used)
		}
	})
	return &node{Broker: b, t: t, addr: b.Endpoints()[0].Bound}
}

func (n *node) dial() *client {
	n.t.Helper()
	nc, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(30 * time.Second)) // a test that hangs fails
	n.t.Cleanup(func() { nc.Close() })
	return &client{nc, n.t}
}

// call asks on a connection of its own.
func call[R kmsg.Response](n *node, req kmsg.Request, version int16) R {
	n.t.Helper()
	c := n.dial()
	defer c.Close()
	return ask1[R](c, req, version)
}

func ask1[R kmsg.Response](c *client, req kmsg.Request, version int16) R {
	c.t.Helper()
	c.send(request(req, version, 77))
	return answer1[R](c, req, version)
}

func answer1[R kmsg.Response](c *client, req kmsg.Request, version int16) R {
	c.t.Helper()
	b := c.frame()
	if got := binary.BigEndian.Uint32(b); got != 77 {
		c.t.Fatalf("correlation id %d", got)
	}
	b = b[4:]
	if req.Key() != 18 && wire.Flexible(wire.Key(req.Key()), version) {
		b = b[1:]
	}
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if err := resp.ReadFrom(b); err != nil {
		c.t.Fatalf("%T: %v", resp, err)
	}
	return resp.(R)
}

func (n *node) create(topic string, partitions int32, configs ...string) {
	n.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	for _, c := range configs {
		name, value, _ := strings.Cut(c, "=")
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: &value})
	}
	req.Topics = append(req.Topics, t)
	if resp := call[*kmsg.CreateTopicsResponse](n, req, 7); resp.Topics[0].ErrorCode != 0 {
		n.t.Fatalf("%s: %v", topic, wire.ErrorCode(resp.Topics[0].ErrorCode))
	}
}

// records builds one batch.
func records(t testing.TB, o batch.Options, values ...string) []byte {
	t.Helper()
	if o.ProducerID == 0 {
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = -1, -1, -1
	}
	if o.BaseTimestamp == 0 {
		o.BaseTimestamp = time.Now().UnixMilli()
	}
	var recs []batch.Record
	for i, v := range values {
		recs = append(recs, batch.Record{OffsetDelta: int32(i), Key: []byte("k"), Value: []byte(v)})
	}
	b, err := batch.Build(nil, o, recs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func produceRequest(topic string, partition int32, acks int16, b []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 10_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, b
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (n *node) produce(topic string, partition int32, values ...string) int64 {
	n.t.Helper()
	p := call[*kmsg.ProduceResponse](n, produceRequest(topic, partition, -1, records(n.t, batch.Options{}, values...)), 9).Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		n.t.Fatal(wire.ErrorCode(p.ErrorCode))
	}
	return p.BaseOffset
}

// recrc repairs the checksum of a batch that a test has bent.
func recrc(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], batch.Checksum(b[21:]))
	return b
}

func bend(b []byte, f func(b []byte)) []byte {
	f(b)
	return recrc(b)
}

func TestProduceRules(t *testing.T) {
	n := newNode(t)
	n.create("plain", 1)
	n.create("small", 1, "max.message.bytes=200")
	n.create("compacted", 1, "cleanup.policy=compact")
	n.create("narrow", 1, "message.timestamp.before.max.ms=1000", "message.timestamp.after.max.ms=1000")
	good := func() []byte { return records(t, batch.Options{}, "a", "b") }
	now := time.Now().UnixMilli()
	nullKey, err := batch.Build(nil, batch.Options{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, BaseTimestamp: now}, []batch.Record{{Key: []byte("k")}, {OffsetDelta: 1}})
	if err != nil {
		t.Fatal(err)
	}
	put16 := binary.BigEndian.PutUint16
	put32 := binary.BigEndian.PutUint32
	put64 := binary.BigEndian.PutUint64
	cases := []struct {
		name, topic string
		version     int16
		acks        int16
		batch       []byte
		want        wire.ErrorCode
	}{
		{"good", "plain", 9, -1, good(), wire.None},
		{"good, acks 1", "plain", 3, 1, good(), wire.None},
		{"acks 2", "plain", 9, 2, good(), wire.InvalidRequiredAcks},
		{"acks -2", "plain", 9, -2, good(), wire.InvalidRequiredAcks},
		{"no records", "plain", 9, -1, nil, wire.InvalidRecord},
		{"empty", "plain", 9, -1, []byte{}, wire.InvalidRecord},
		{"cut", "plain", 9, -1, good()[:70], wire.InvalidRecord},
		{"two batches", "plain", 9, -1, append(good(), good()...), wire.InvalidRecord},
		{"magic 1", "plain", 9, -1, bend(good(), func(b []byte) { b[16] = 1 }), wire.InvalidRecord},
		{"magic 3", "plain", 9, -1, bend(good(), func(b []byte) { b[16] = 3 }), wire.InvalidRecord},
		{"bit flipped", "plain", 9, -1, func() []byte { b := good(); b[len(b)-1] ^= 1; return b }(), wire.CorruptMessage},
		{"length below a header", "plain", 9, -1, bend(good(), func(b []byte) { put32(b[8:], 10) }), wire.CorruptMessage},
		{"negative length", "plain", 9, -1, bend(good(), func(b []byte) { put32(b[8:], 1<<31) }), wire.CorruptMessage},
		{"count 0", "plain", 9, -1, bend(good(), func(b []byte) { put32(b[57:], 0) }), wire.InvalidRecord},
		{"count against last offset delta", "plain", 9, -1, bend(good(), func(b []byte) { put32(b[57:], 3) }), wire.InvalidRecord},
		{"control batch", "plain", 9, -1, bend(good(), func(b []byte) { put16(b[21:], 0x20) }), wire.InvalidRecord},
		{"transactional batch without an id (T4)", "plain", 9, -1, bend(good(), func(b []byte) { put16(b[21:], 0x10) }), wire.TransactionalIDAuthorizationFailed},
		{"unknown codec", "plain", 9, -1, bend(good(), func(b []byte) { put16(b[21:], 5) }), wire.UnsupportedCompressionType},
		{"zstd in version 6", "plain", 6, -1, records(t, batch.Options{Codec: batch.Zstd}, "a"), wire.UnsupportedCompressionType},
		{"zstd in version 7", "plain", 7, -1, records(t, batch.Options{Codec: batch.Zstd}, "a"), wire.None},
		{"negative sequence", "plain", 9, -1, bend(good(), func(b []byte) { put64(b[43:], 7); put16(b[51:], 0) }), wire.InvalidRecord},
		{"too large", "small", 9, -1, records(t, batch.Options{}, strings.Repeat("x", 200)), wire.MessageTooLarge},
		{"null key", "compacted", 9, -1, nullKey, wire.InvalidRecord},
		{"keys", "compacted", 9, -1, good(), wire.None},
		{"too old", "narrow", 9, -1, records(t, batch.Options{BaseTimestamp: now - 100_000}, "a"), wire.InvalidTimestamp},
		{"from the future", "narrow", 9, -1, records(t, batch.Options{BaseTimestamp: now + 100_000}, "a"), wire.InvalidTimestamp},
		{"the day after tomorrow", "plain", 9, -1, records(t, batch.Options{BaseTimestamp: now + 2*86_400_000}, "a"), wire.InvalidTimestamp},
		{"unknown topic", "nobody", 9, -1, good(), wire.UnknownTopicOrPartition},
		{"internal topic (T5)", "__consumer_offsets", 9, -1, good(), wire.InvalidTopicException},
		{"the metadata log (T5)", "__cluster_metadata", 9, -1, good(), wire.InvalidTopicException},
		{"version 0", "plain", 0, -1, good(), wire.UnsupportedVersion},
		{"version 2", "plain", 2, 1, good(), wire.UnsupportedVersion},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := call[*kmsg.ProduceResponse](n, produceRequest(c.topic, 0, c.acks, c.batch), c.version).Topics[0].Partitions[0]
			if got := wire.ErrorCode(p.ErrorCode); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if c.name == "null key" && (len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 1) {
				t.Errorf("record errors %+v", p.ErrorRecords)
			}
		})
	}
}

func TestProduceWithTransactionalIDIsFatal(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	id := "tx"
	req := produceRequest("t", 0, -1, records(t, batch.Options{}, "a"))
	req.TransactionID = &id
	code := wire.ErrorCode(call[*kmsg.ProduceResponse](n, req, 9).Topics[0].Partitions[0].ErrorCode)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID = &id
	second := wire.ErrorCode(call[*kmsg.InitProducerIDResponse](n, init, 4).ErrorCode)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorType, find.CoordinatorKeys = 1, []string{id}
	third := wire.ErrorCode(call[*kmsg.FindCoordinatorResponse](n, find, 4).Coordinators[0].ErrorCode)
	for _, c := range []wire.ErrorCode{code, second, third} {
		if c == wire.None || c.Retriable() {
			t.Errorf("%v would be repeated for ever", c)
		}
	}
}

func TestAcksZero(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	c := n.dial()
	c.send(request(produceRequest("t", 0, 0, records(t, batch.Options{}, "a")), 9, 1))
	if got := ask1[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest(), 9); len(got.Brokers) != 1 {
		t.Error("the next answer is not the next request's")
	}
	c.send(request(produceRequest("t", 5, 0, records(t, batch.Options{}, "a")), 9, 1))
	c.ended() // nothing else can tell the producer
}

func fetchRequest(topic string, offset int64, wait int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = wait, 1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func TestFetchWaitsForARecord(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	c := n.dial()
	req := fetchRequest("t", 0, 25_000)
	c.send(request(req, 11, 77))
	n.until(func() bool { return n.parkedRequests() == 1 })
	n.produce("t", 0, "hello")
	resp := answer1[*kmsg.FetchResponse](c, req, 11)
	if got := resp.Topics[0].Partitions[0]; !bytes.Contains(got.RecordBatches, []byte("hello")) || got.HighWatermark != 1 {
		t.Errorf("%+v", got)
	}
}

func (n *node) until(cond func() bool) {
	(&stage{t: n.t}).until(cond)
}

func (n *node) parkedRequests() (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.mu.Lock()
		count += len(c.parked())
		c.mu.Unlock()
	}
	return count
}

func TestFetchEndsByItself(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	if got := call[*kmsg.FetchResponse](n, fetchRequest("t", 0, 10), 11).Topics[0].Partitions[0]; got.ErrorCode != 0 || len(got.RecordBatches) != 0 {
		t.Errorf("%+v", got)
	}
	for offset, want := range map[int64]wire.ErrorCode{1: wire.OffsetOutOfRange, -5: wire.OffsetOutOfRange} {
		if got := call[*kmsg.FetchResponse](n, fetchRequest("t", offset, 25_000), 11).Topics[0].Partitions[0]; wire.ErrorCode(got.ErrorCode) != want {
			t.Errorf("offset %d: %v", offset, wire.ErrorCode(got.ErrorCode))
		}
	}
	if got := call[*kmsg.FetchResponse](n, fetchRequest("nobody", 0, 25_000), 11).Topics[0].Partitions[0]; wire.ErrorCode(got.ErrorCode) != wire.UnknownTopicOrPartition {
		t.Error(wire.ErrorCode(got.ErrorCode))
	}
}

// Everything is read back whole, whatever of it goes by sendfile and whatever through memory.
func TestFetchOfManySizes(t *testing.T) {
	n := newNode(t)
	n.create("t", 3)
	sizes := []int{1, 100, 60 << 10, 70 << 10, 500 << 10, 3}
	for i, size := range sizes {
		n.produce("t", int32(i%3), strings.Repeat(string(rune('a'+i)), size))
	}
	req := fetchRequest("t", 0, 100)
	req.MaxBytes = 10 << 20
	for p := int32(1); p < 3; p++ {
		more := kmsg.NewFetchRequestTopicPartition()
		more.Partition, more.PartitionMaxBytes = p, 1<<20
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
	}
	for range 3 {
		for i, p := range call[*kmsg.FetchResponse](n, req, 11).Topics[0].Partitions {
			want := sizes[i] + sizes[i+3]
			got := 0
			for b := p.RecordBatches; len(b) > 0; {
				h, err := batch.ParseHeader(b)
				if err != nil || !batch.CheckCRC(b[:h.Size()]) {
					t.Fatalf("partition %d: broken batch: %v", i, err)
				}
				recs, err := batch.Records(b[:h.Size()], 10<<20)
				if err != nil {
					t.Fatal(err)
				}
				got += len(recs[0].Value)
				b = b[h.Size():]
			}
			if got != want {
				t.Errorf("partition %d: %d bytes, want %d", i, got, want)
			}
		}
	}
}

func TestFetchSession(t *testing.T) {
	n := newNode(t)
	n.create("t", 2)
	n.produce("t", 0, "a")
	c := n.dial()
	req := fetchRequest("t", 0, 0)
	req.SessionEpoch = 0
	more := kmsg.NewFetchRequestTopicPartition()
	more.Partition, more.PartitionMaxBytes = 1, 1<<20
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
	first := ask1[*kmsg.FetchResponse](c, req, 11)
	if first.SessionID == 0 || len(first.Topics[0].Partitions) != 2 {
		t.Fatalf("%+v", first)
	}
	next := kmsg.NewPtrFetchRequest()
	next.MaxWaitMillis, next.MinBytes, next.MaxBytes = 0, 1, 1<<20
	next.SessionID, next.SessionEpoch = first.SessionID, 1
	t0 := kmsg.NewFetchRequestTopic()
	t0.Topic = "t"
	p0 := kmsg.NewFetchRequestTopicPartition()
	p0.FetchOffset, p0.PartitionMaxBytes = 1, 1<<20
	t0.Partitions = append(t0.Partitions, p0)
	next.Topics = append(next.Topics, t0)
	if resp := ask1[*kmsg.FetchResponse](c, next, 11); len(resp.Topics) != 0 || resp.ErrorCode != 0 {
		t.Fatalf("nothing is new, but: %+v", resp)
	}
	n.produce("t", 1, "b")
	next.Topics, next.SessionEpoch = nil, 2
	if resp := ask1[*kmsg.FetchResponse](c, next, 11); len(resp.Topics) != 1 || resp.Topics[0].Partitions[0].Partition != 1 {
		t.Fatalf("%+v", resp)
	}
	if resp := ask1[*kmsg.FetchResponse](c, next, 11); wire.ErrorCode(resp.ErrorCode) != wire.InvalidFetchSessionEpoch {
		t.Errorf("an old epoch: %v", wire.ErrorCode(resp.ErrorCode))
	}
	next.SessionID, next.SessionEpoch = 12345, 1
	if resp := ask1[*kmsg.FetchResponse](c, next, 11); wire.ErrorCode(resp.ErrorCode) != wire.FetchSessionIDNotFound {
		t.Errorf("an unknown session: %v", wire.ErrorCode(resp.ErrorCode))
	}
}

func TestParkedFetchesEndWithTheirConnection(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	for range 20 {
		c := n.dial()
		c.send(request(fetchRequest("t", 0, 600_000), 11, 1))
	}
	stay := n.dial()
	stay.send(request(fetchRequest("t", 0, 600_000), 11, 77))
	n.until(func() bool { return n.parkedRequests() == 21 })
	n.mu.Lock()
	var all []*conn
	for c := range n.conns {
		all = append(all, c)
	}
	n.mu.Unlock()
	for _, c := range all {
		if c.nc.RemoteAddr().String() != stay.LocalAddr().String() {
			c.close()
		}
	}
	n.until(func() bool { return n.Connections() == 1 })
	n.produce("t", 0, "a")
	if got := answer1[*kmsg.FetchResponse](stay, fetchRequest("t", 0, 1), 11); len(got.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Error("nothing came")
	}
}

func TestApiVersions(t *testing.T) {
	n := newNode(t)
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test-client", "1.2.3"
	for v := int16(0); v <= 4; v++ {
		resp := call[*kmsg.ApiVersionsResponse](n, req, v)
		for _, k := range resp.ApiKeys {
			a := registered.find(wire.Key(k.ApiKey))
			if a == nil || k.MaxVersion != a.Max || k.MinVersion != a.Min && !a.FromZero {
				t.Errorf("v%d: %+v", v, k)
			}
			if k.ApiKey == 0 && k.MinVersion != 0 {
				t.Error("Produce is not advertised from 0: old librdkafka needs it")
			}
			if slices.Contains([]int16{17, 24, 25, 26, 28, 68, 71, 76}, k.ApiKey) {
				t.Errorf("key %d is advertised", k.ApiKey)
			}
		}
		if v >= 3 && (resp.FinalizedFeaturesEpoch < 0 || len(resp.FinalizedFeatures) == 0) {
			t.Errorf("v%d: features %+v at %d", v, resp.FinalizedFeatures, resp.FinalizedFeaturesEpoch)
		}
		for _, f := range resp.SupportedFeatures {
			if v < 4 && f.MinVersion == 0 {
				t.Errorf("v%d lists %s from 0", v, f.Name)
			}
		}
	}
	c := n.dial()
	c.send(request(req, 9, 77))
	resp := answer1[*kmsg.ApiVersionsResponse](c, req, 0)
	if wire.ErrorCode(resp.ErrorCode) != wire.UnsupportedVersion || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 4 {
		t.Errorf("version 9: %+v", resp)
	}
	if resp := ask1[*kmsg.ApiVersionsResponse](c, req, 4); resp.ErrorCode != 0 {
		t.Error("the connection does not go on after a version that is unknown")
	}
	for _, name := range []string{"", "-x", "x-", "a b", "a\nb", "ü"} {
		req.ClientSoftwareName = name
		if resp := call[*kmsg.ApiVersionsResponse](n, req, 3); wire.ErrorCode(resp.ErrorCode) != wire.InvalidRequest {
			t.Errorf("software name %q: %v", name, wire.ErrorCode(resp.ErrorCode))
		}
	}
}

func metadataOf(names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = true
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	return req
}

func TestMetadataCreatesOnDemand(t *testing.T) {
	n := newNode(t, "num.partitions=3")
	resp := call[*kmsg.MetadataResponse](n, metadataOf("new"), 12)
	p := resp.Topics[0]
	if p.ErrorCode != 0 || len(p.Partitions) != 3 || p.Partitions[0].Leader != 1 || p.TopicID == [16]byte{} {
		t.Fatalf("%+v", p)
	}
	n.produce("new", 2, "its leader is ready at once")
	byID := kmsg.NewPtrMetadataRequest()
	byID.Topics = []kmsg.MetadataRequestTopic{{TopicID: p.TopicID}, {TopicID: [16]byte{9}}}
	again := call[*kmsg.MetadataResponse](n, byID, 12)
	if *again.Topics[0].Topic != "new" || wire.ErrorCode(again.Topics[1].ErrorCode) != wire.UnknownTopicID {
		t.Errorf("%+v", again.Topics)
	}
	req := metadataOf("other")
	req.AllowAutoTopicCreation = false
	if got := call[*kmsg.MetadataResponse](n, req, 9).Topics[0]; wire.ErrorCode(got.ErrorCode) != wire.UnknownTopicOrPartition {
		t.Error(wire.ErrorCode(got.ErrorCode))
	}
	all := kmsg.NewPtrMetadataRequest()
	if got := call[*kmsg.MetadataResponse](n, all, 1); len(got.Topics) != 1 {
		t.Errorf("all topics: %+v", got.Topics)
	}
	if got := call[*kmsg.MetadataResponse](n, metadataOf(), 1); len(got.Topics) != 0 {
		t.Errorf("no topics: %+v", got.Topics)
	}
	if got := call[*kmsg.MetadataResponse](n, metadataOf(), 0); len(got.Topics) != 1 {
		t.Errorf("all topics in version 0: %+v", got.Topics)
	}
}

func TestIllegalTopicNames(t *testing.T) {
	n := newNode(t)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "a b", "a\x00b", "ä", "%2f", "a\\b", "a:b", strings.Repeat("x", 250)} {
		if got := call[*kmsg.MetadataResponse](n, metadataOf(name), 9).Topics[0]; wire.ErrorCode(got.ErrorCode) != wire.InvalidTopicException {
			t.Errorf("Metadata %q: %v", name, wire.ErrorCode(got.ErrorCode))
		}
		req := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
		req.Topics = append(req.Topics, topic)
		if got := call[*kmsg.CreateTopicsResponse](n, req, 5).Topics[0]; wire.ErrorCode(got.ErrorCode) != wire.InvalidTopicException {
			t.Errorf("CreateTopics %q: %v", name, wire.ErrorCode(got.ErrorCode))
		}
	}
	if got := call[*kmsg.MetadataResponse](n, metadataOf(strings.Repeat("x", 249)), 9).Topics[0]; got.ErrorCode != 0 {
		t.Error(wire.ErrorCode(got.ErrorCode))
	}
}

func TestInternalTopicsAreProtected(t *testing.T) {
	n := newNode(t)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"g"}
	if got := call[*kmsg.FindCoordinatorResponse](n, find, 4).Coordinators[0]; got.ErrorCode != 0 || got.NodeID != 1 || got.Port != n.Endpoints()[0].Port {
		t.Fatalf("%+v", got)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{offsetsTopic}
	if got := call[*kmsg.DeleteTopicsResponse](n, del, 5).Topics[0]; wire.ErrorCode(got.ErrorCode) != wire.TopicAuthorizationFailed {
		t.Error(wire.ErrorCode(got.ErrorCode))
	}
	got := call[*kmsg.MetadataResponse](n, metadataOf(offsetsTopic, "__transaction_state", "__cluster_metadata"), 9)
	if !got.Topics[0].IsInternal || len(got.Topics[0].Partitions) != 4 {
		t.Errorf("%+v", got.Topics[0])
	}
	for _, topic := range got.Topics[1:] {
		if wire.ErrorCode(topic.ErrorCode) != wire.UnknownTopicOrPartition {
			t.Errorf("%s came to be: %v", *topic.Topic, wire.ErrorCode(topic.ErrorCode))
		}
	}
}

func TestDescribeTopicPartitionsPages(t *testing.T) {
	n := newNode(t)
	n.create("a", 3)
	n.create("b", 1)
	n.create("c", 2)
	var got []string
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = 2
	for {
		resp := call[*kmsg.DescribeTopicPartitionsResponse](n, req, 0)
		count := 0
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				got = append(got, *topic.Topic+string(rune('0'+p.Partition)))
				count++
				if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil { // the others cannot be null
					t.Errorf("a list is null: %+v", p)
				}
			}
		}
		if count > 2 {
			t.Errorf("%d partitions on a page", count)
		}
		if resp.NextCursor == nil {
			break
		}
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		req.Cursor = &cursor
	}
	if want := "a0 a1 a2 b0 c0 c1"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestCreateTopicsAnswersWhatJavaInsistsOn(t *testing.T) {
	n := newNode(t)
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	value := "1234567"
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", -1, -1
	topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: "retention.ms", Value: &value})
	req.Topics = append(req.Topics, topic)
	got := call[*kmsg.CreateTopicsResponse](n, req, 7).Topics[0]
	if got.ErrorCode != 0 || got.NumPartitions != 1 || got.ReplicationFactor != 1 || got.TopicID == [16]byte{} || len(got.Configs) < 20 {
		t.Fatalf("%+v", got)
	}
	for _, c := range got.Configs {
		if c.Source < 1 || c.Source > 8 {
			t.Errorf("%s: source %d", c.Name, c.Source)
		}
		if c.Name == "retention.ms" && (*c.Value != value || c.Source != 1) {
			t.Errorf("%+v", c)
		}
	}
	req.Topics = append(req.Topics, req.Topics[0])
	for _, topic := range call[*kmsg.CreateTopicsResponse](n, req, 7).Topics {
		if wire.ErrorCode(topic.ErrorCode) != wire.InvalidRequest {
			t.Errorf("a name twice: %v", wire.ErrorCode(topic.ErrorCode))
		}
	}
}

func TestJavaHash(t *testing.T) {
	for s, want := range map[string]int32{"": 0, "a": 97, "my-group": -1906497762, "console-consumer-12345": 158455506, "ü😀": 2015071} {
		if got := javaHash(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}
