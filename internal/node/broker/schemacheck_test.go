package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// A tinyRegistry knows ids and under which subjects they are registered. Subjects that only CatchUp reveals were registered
// elsewhere.
type tinyRegistry struct {
	mu        sync.Mutex
	version   int64
	closed    bool                 // not loaded
	silent    bool                 // CatchUp does not come back by itself
	broken    error                // what CatchUp answers
	subjects  map[string][]string  // by id as in a record; of a Protobuf file by id and indexes too
	protobuf  map[string]bool      // by id
	elsewhere map[string][]string  // becomes subjects with CatchUp
	names     map[string]string    // of the record, by id
	asked     int                  // calls of Judge
	waited    int                  // calls of CatchUp
	waiting   chan context.Context // told of each CatchUp that is silent, if not nil
}

func (s *tinyRegistry) Loaded() LoadedSchemas {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return s
}

func (s *tinyRegistry) Version() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

func (s *tinyRegistry) CatchUp(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited++
	if s.silent {
		s.mu.Unlock()
		if s.waiting != nil {
			s.waiting <- ctx
		}
		<-ctx.Done()
		s.mu.Lock()
		return ctx.Err()
	}
	if s.broken != nil {
		return s.broken
	}
	s.closed = false
	for id, subjects := range s.elsewhere {
		s.subjects[id] = append(s.subjects[id], subjects...)
		s.version++
	}
	s.elsewhere = nil
	return nil
}

func (s *tinyRegistry) Judge(u SchemaUse) SchemaVerdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	id := string(u.ID)
	if s.protobuf[id] {
		if u.Indexes == nil {
			return SchemaVerdict{Indexed: true}
		}
		id += fmt.Sprint(u.Indexes)
	}
	subject := u.Topic + "-value"
	if u.Key {
		subject = u.Topic + "-key"
	}
	switch {
	case strings.HasSuffix(u.Strategy, ".RecordNameStrategy"):
		subject = s.names[id]
	case strings.HasSuffix(u.Strategy, ".TopicRecordNameStrategy"):
		subject = u.Topic + "-" + s.names[id]
	}
	for _, has := range s.subjects[id] {
		if has == subject {
			return SchemaVerdict{}
		}
	}
	return SchemaVerdict{Refusal: fmt.Sprintf("schema %x is not registered under subject %s", u.ID, subject)}
}

func (s *tinyRegistry) counts() (asked, waited int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.waited
}

// awaited returns once somebody waits for a registry that is silent.
func (s *tinyRegistry) awaited(t *testing.T) context.Context {
	t.Helper()
	select {
	case ctx := <-s.waiting:
		return ctx
	case <-time.After(20 * time.Second): // a test that hangs fails
		t.Fatal("nobody waits for the registry")
		return nil
	}
}

func idBytes(id int) string { return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(id))) }

var someGUID = "\x01" + strings.Repeat("\xab", 16)

func newTinyRegistry() *tinyRegistry {
	return &tinyRegistry{
		subjects: map[string][]string{
			idBytes(1):         {"values-value", "both-value", "both-key", "com.acme.Order", "mixed-com.acme.Order"},
			idBytes(2):         {"other-value"},
			idBytes(3):         {"both-key"},
			someGUID:           {"values-value"},
			idBytes(5) + "[0]": {"values-value", "p.First"}, idBytes(5) + "[1 2]": {"values-value", "p.Second.Third"},
		},
		protobuf: map[string]bool{idBytes(5): true},
		names:    map[string]string{idBytes(1): "com.acme.Order", idBytes(5) + "[0]": "p.First", idBytes(5) + "[1 2]": "p.Second.Third", idBytes(2): "com.acme.Other"},
	}
}

const strategies = "io.confluent.kafka.serializers.subject."

func schemaNode(t *testing.T, s Schemas, o Options) *node {
	o.Schemas = s
	n := newNodeWith(t, o)
	n.create("plain", 1)
	n.create("values", 2, "confluent.value.schema.validation=true")
	n.create("both", 1, "confluent.value.schema.validation=true", "confluent.key.schema.validation=true")
	n.create("records", 1, "confluent.value.schema.validation=true", "confluent.value.subject.name.strategy="+strategies+"RecordNameStrategy")
	n.create("mixed", 1, "confluent.value.schema.validation=true", "confluent.value.subject.name.strategy="+strategies+"TopicRecordNameStrategy")
	n.create("compressed", 1, "confluent.value.schema.validation=true", "max.message.bytes=2500")
	return n
}

// rec is a record; a header stands as name=value.
func rec(key, value string, headers ...string) batch.Record {
	r := batch.Record{Key: []byte(key), Value: []byte(value)}
	if key == null {
		r.Key = nil
	}
	if value == null {
		r.Value = nil
	}
	for _, h := range headers {
		name, v, _ := strings.Cut(h, "=")
		header := batch.RecordHeader{Key: name, Value: []byte(v)}
		if v == null {
			header.Value = nil
		}
		r.Headers = append(r.Headers, header)
	}
	return r
}

const null = "(null)"

func batchOf(t testing.TB, codec batch.Codec, recs ...batch.Record) []byte {
	t.Helper()
	o := batch.Plain(0, -1, time.Now().UnixMilli())
	o.Codec = codec
	b, err := batch.Build(nil, o, batch.Number(recs))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (n *node) produceBatch(topic string, partition int32, b []byte, version int16) kmsg.ProduceResponseTopicPartition {
	n.t.Helper()
	return call[*kmsg.ProduceResponse](n, produceRequest(topic, partition, -1, b), version).Topics[0].Partitions[0]
}

// The refused records are named by their place; no place means that the batch is taken.
func TestSchemaCheck(t *testing.T) {
	n := schemaNode(t, newTinyRegistry(), Options{})
	good, other, unknown := idBytes(1)+"payload", idBytes(2)+"payload", idBytes(99)+"payload"
	const vh, kh = "__value_schema_id=", "__key_schema_id="
	cases := []struct {
		name, topic string
		recs        []batch.Record
		refused     []int32
		says        string
	}{
		{"a topic without the check", "plain", []batch.Record{rec("k", "anything")}, nil, ""},
		{"good", "values", []batch.Record{rec("k", good), rec("k", good), rec(null, good)}, nil, ""},
		{"nothing behind the id", "values", []batch.Record{rec("k", idBytes(1))}, nil, ""},
		{"bad first", "values", []batch.Record{rec("k", unknown), rec("k", good), rec("k", good)}, []int32{0}, "record 0, value: schema 0000000063 is not registered under subject values-value"},
		{"bad in the middle", "values", []batch.Record{rec("k", good), rec("k", other), rec("k", good)}, []int32{1}, "record 1, value: schema 0000000002 is not"},
		{"bad last", "values", []batch.Record{rec("k", good), rec("k", good), rec("k", unknown)}, []int32{2}, "record 2, value"},
		{"several", "values", []batch.Record{rec("k", idBytes(80)), rec("k", good), rec("k", "x"), rec("k", idBytes(81))}, []int32{2}, "record 2, value: it begins with 78, not with a schema id"},
		{"several that may become good", "values", []batch.Record{rec("k", unknown), rec("k", good), rec("k", other), rec("k", unknown)}, []int32{0, 2, 3}, "; 2 more are refused"},
		{"tombstone", "values", []batch.Record{rec("k", null), rec("k", good)}, nil, ""},
		{"tombstone with a header", "values", []batch.Record{rec("k", null, vh+"nonsense")}, nil, ""},
		{"empty value", "values", []batch.Record{rec("k", "")}, []int32{0}, "it begins with nothing, not with a schema id"},
		{"short value", "values", []batch.Record{rec("k", "\x00\x00\x00\x01")}, []int32{0}, "it begins with 00 00 00 01, not"},
		{"magic 1 in front", "values", []batch.Record{rec("k", someGUID)}, []int32{0}, "it begins with 01 ab ab ab ab, not with a schema id (0 and 4 bytes); produce it with a serializer of the schema registry, or set confluent.value.schema.validation=false on the topic"},
		{"JSON", "values", []batch.Record{rec("k", `{"a":1}`)}, []int32{0}, "it begins with 7b 22 61 22 3a, not"},
		{"GUID in a header", "values", []batch.Record{rec("k", "payload", vh+someGUID)}, nil, ""},
		{"GUID nobody knows", "values", []batch.Record{rec("k", good, vh+"\x01"+strings.Repeat("z", 16))}, []int32{0}, "schema 017a7a"},
		{"id in a header", "values", []batch.Record{rec("k", "payload", vh+idBytes(1))}, nil, ""},
		{"a header wins over the prefix", "values", []batch.Record{rec("k", good, vh+idBytes(2))}, []int32{0}, "schema 0000000002"},
		{"a good header over a bad prefix", "values", []batch.Record{rec("k", unknown, "x=y", vh+idBytes(1))}, nil, ""},
		{"the last header wins", "values", []batch.Record{rec("k", good, vh+idBytes(2), vh+idBytes(1)), rec("k", good, vh+idBytes(1), vh+idBytes(2))}, []int32{1}, ""},
		{"the key's header is not the value's", "values", []batch.Record{rec("k", good, kh+idBytes(2))}, nil, ""},
		{"empty header", "values", []batch.Record{rec("k", good, vh)}, []int32{0}, "the header __value_schema_id holds nothing, not a schema id"},
		{"null header", "values", []batch.Record{rec("k", good, vh+null)}, []int32{0}, "holds nothing"},
		{"short GUID", "values", []batch.Record{rec("k", good, vh+someGUID[:16])}, []int32{0}, "holds 01 ab ab ab ab, not"},
		{"header of magic 2", "values", []batch.Record{rec("k", good, vh+"\x02abcd")}, []int32{0}, "holds 02 61"},
		{"key and value", "both", []batch.Record{rec(idBytes(1)+"k", good)}, nil, ""},
		{"an id of keys", "both", []batch.Record{rec(idBytes(3)+"k", good), rec(idBytes(3)+"k", idBytes(3))}, []int32{1}, "record 1, value: schema 0000000003 is not registered under subject both-value"},
		{"bad key", "both", []batch.Record{rec("k", good)}, []int32{0}, "record 0, key: it begins with 6b, not with a schema id (0 and 4 bytes); produce it with a serializer of the schema registry, or set confluent.key.schema.validation=false"},
		{"bad key and value", "both", []batch.Record{rec("k", "v")}, []int32{0, 0}, "; 1 more"},
		{"null key", "both", []batch.Record{rec(null, good)}, nil, ""},
		{"all null", "both", []batch.Record{rec(null, null)}, nil, ""},
		{"header of the key", "both", []batch.Record{rec("k", good, kh+idBytes(1))}, nil, ""},
		{"RecordNameStrategy", "records", []batch.Record{rec("k", good)}, nil, ""},
		{"RecordNameStrategy, another record", "records", []batch.Record{rec("k", good), rec("k", other)}, []int32{1}, "subject com.acme.Other"},
		{"TopicRecordNameStrategy", "mixed", []batch.Record{rec("k", good)}, nil, ""},
		{"TopicRecordNameStrategy, another record", "mixed", []batch.Record{rec("k", other)}, []int32{0}, "subject mixed-com.acme.Other"},
		{"Protobuf, first message in short", "values", []batch.Record{rec("k", idBytes(5)+"\x00payload")}, nil, ""},
		{"Protobuf, first message in full", "values", []batch.Record{rec("k", idBytes(5)+"\x02\x00payload")}, nil, ""},
		{"Protobuf, nested message", "values", []batch.Record{rec("k", idBytes(5)+"\x04\x02\x04payload"), rec("k", idBytes(5)+"\x00payload")}, nil, ""},
		{"Protobuf, no such message", "values", []batch.Record{rec("k", idBytes(5)+"\x00payload"), rec("k", idBytes(5)+"\x02\x06payload")}, []int32{1}, ""},
		{"Protobuf, no indexes", "values", []batch.Record{rec("k", idBytes(5))}, []int32{0}, "the id is of a Protobuf schema, but no message indexes follow it"},
		{"Protobuf, indexes cut short", "values", []batch.Record{rec("k", idBytes(5)+"\x04\x02")}, []int32{0}, "no message indexes"},
		{"Protobuf, negative index", "values", []batch.Record{rec("k", idBytes(5)+"\x02\x01")}, []int32{0}, "no message indexes"},
		{"Protobuf, negative count", "values", []batch.Record{rec("k", idBytes(5)+"\x01")}, []int32{0}, "no message indexes"},
		{"Protobuf, a thousand indexes", "values", []batch.Record{rec("k", idBytes(5)+"\xd0\x0f"+strings.Repeat("\x00", 1000))}, []int32{0}, "no message indexes"},
		{"Protobuf, an index of ten bytes", "values", []batch.Record{rec("k", idBytes(5)+"\x02\x80\x80\x80\x80\x80\x00")}, []int32{0}, "no message indexes"},
		{"Protobuf in a header", "values", []batch.Record{rec("k", "payload", vh+idBytes(5)+"\x04\x02\x04")}, nil, ""},
		{"Protobuf by the name of a message", "records", []batch.Record{rec("k", idBytes(5)+"\x04\x02\x04"), rec("k", idBytes(5)+"\x00")}, nil, ""},
	}
	for _, c := range cases {
		for codec := batch.None; codec <= batch.Zstd; codec++ {
			t.Run(c.name+"/"+codec.String(), func(t *testing.T) {
				before := n.end(c.topic, 0)
				p := n.produceBatch(c.topic, 0, batchOf(t, codec, c.recs...), 9)
				want := wire.None
				if c.refused != nil {
					want = wire.InvalidRecord
				}
				if got := wire.ErrorCode(p.ErrorCode); got != want {
					t.Fatalf("got %v, want %v", got, want)
				}
				if grown := n.end(c.topic, 0) - before; c.refused != nil && grown != 0 || c.refused == nil && grown != int64(len(c.recs)) {
					t.Errorf("the log grew by %d records", grown)
				}
				checkRecordErrors(t, p, c.refused, c.says)
			})
		}
	}
}

func checkRecordErrors(t *testing.T, p kmsg.ProduceResponseTopicPartition, refused []int32, says string) {
	t.Helper()
	var got []int32
	for _, e := range p.ErrorRecords {
		got = append(got, e.RelativeOffset)
		if e.ErrorMessage == nil || !strings.HasPrefix(*e.ErrorMessage, fmt.Sprintf("record %d, ", e.RelativeOffset)) {
			t.Errorf("record error %v", e)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(refused) {
		t.Errorf("records %v are refused, want %v", got, refused)
	}
	switch {
	case refused == nil && p.ErrorMessage != nil:
		t.Errorf("the message of success: %s", *p.ErrorMessage)
	case refused != nil && (p.ErrorMessage == nil || !strings.Contains(*p.ErrorMessage, says)):
		t.Errorf("the message %v does not say %q", *p.ErrorMessage, says)
	}
}

// end is the log end offset of a partition.
func (n *node) end(topic string, partition int32) int64 {
	return n.host.Partition(topic, partition).State().LogEnd
}

func TestSchemaCheckTellsOfAFewRecordsOnly(t *testing.T) {
	n := schemaNode(t, newTinyRegistry(), Options{})
	var recs []batch.Record
	for range 1000 {
		recs = append(recs, rec("k", "bad"))
	}
	p := n.produceBatch("values", 0, batchOf(t, batch.None, recs...), 9)
	if len(p.ErrorRecords) != mostRecordErrors || !strings.Contains(*p.ErrorMessage, "; more records") {
		t.Errorf("%d record errors, %s", len(p.ErrorRecords), *p.ErrorMessage)
	}
}

// Versions before 8 have no place for words, and say the same.
func TestSchemaCheckForOldProducers(t *testing.T) {
	n := schemaNode(t, newTinyRegistry(), Options{})
	for version := int16(3); version < 8; version++ {
		p := n.produceBatch("values", 0, batchOf(t, batch.LZ4, rec("k", "bad")), version)
		if wire.ErrorCode(p.ErrorCode) != wire.InvalidRecord || p.ErrorMessage != nil {
			t.Errorf("v%d: %+v", version, p)
		}
		if p := n.produceBatch("values", 0, batchOf(t, batch.LZ4, rec("k", idBytes(1))), version); p.ErrorCode != 0 {
			t.Errorf("v%d: %+v", version, p)
		}
	}
}

// A refused batch takes no sequence numbers: the next one may have them (IDM-1).
func TestSchemaCheckComesBeforeSequenceNumbers(t *testing.T) {
	n := schemaNode(t, newTinyRegistry(), Options{})
	send := func(value string, sequence int32) wire.ErrorCode {
		o := batch.Plain(0, -1, time.Now().UnixMilli())
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = 7000, 0, sequence
		b, err := batch.Build(nil, o, []batch.Record{rec("k", value)})
		if err != nil {
			t.Fatal(err)
		}
		return wire.ErrorCode(n.produceBatch("values", 0, b, 9).ErrorCode)
	}
	for i, step := range []struct {
		value    string
		sequence int32
		want     wire.ErrorCode
	}{{idBytes(1), 0, wire.None}, {idBytes(99), 1, wire.InvalidRecord}, {idBytes(1), 1, wire.None}, {"", 2, wire.InvalidRecord}, {idBytes(1), 2, wire.None}} {
		if got := send(step.value, step.sequence); got != step.want {
			t.Fatalf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// Partitions of one request are judged for themselves.
func TestSchemaCheckOfOnePartition(t *testing.T) {
	n := schemaNode(t, newTinyRegistry(), Options{})
	req := produceRequest("values", 0, -1, batchOf(t, batch.None, rec("k", idBytes(99))))
	good := produceRequest("values", 1, -1, batchOf(t, batch.None, rec("k", idBytes(1)))).Topics[0].Partitions[0]
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, good)
	req.Topics = append(req.Topics, produceRequest("plain", 0, -1, records(t, batch.Options{}, "a")).Topics...)
	resp := call[*kmsg.ProduceResponse](n, req, 9)
	var codes []wire.ErrorCode
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			codes = append(codes, wire.ErrorCode(p.ErrorCode))
		}
	}
	if fmt.Sprint(codes) != fmt.Sprint([]wire.ErrorCode{wire.InvalidRecord, wire.None, wire.None}) {
		t.Errorf("codes %v", codes)
	}
}

// While a request waits for the registry its other partitions are written.
func TestSchemaCheckHoldsNobodyUp(t *testing.T) {
	s := newTinyRegistry()
	s.silent, s.waiting = true, make(chan context.Context)
	n := schemaNode(t, s, Options{})
	req := produceRequest("values", 0, -1, batchOf(t, batch.None, rec("k", idBytes(99))))
	req.Topics = append(req.Topics, produceRequest("plain", 0, -1, records(t, batch.Options{}, "a")).Topics...)
	c := n.dial()
	c.send(request(req, 9, 77))
	s.awaited(t)
	n.until(func() bool { return n.end("plain", 0) == 1 })
	resp := answer1[*kmsg.ProduceResponse](c, req, 9)
	if got := wire.ErrorCode(resp.Topics[0].Partitions[0].ErrorCode); got != wire.NotEnoughReplicas || resp.Topics[1].Partitions[0].ErrorCode != 0 {
		t.Errorf("%v and %v", got, resp.Topics[1].Partitions[0].ErrorCode)
	}
}

// An id that was registered a moment ago elsewhere is taken after one look; one that nobody knows is looked for once in a while.
func TestSchemaCheckCatchesUpOnce(t *testing.T) {
	s := newTinyRegistry()
	clock := &setClock{Clock: env.Real().Clock, now: time.Now()}
	n := schemaNode(t, s, Options{Env: env.Env{Clock: clock}})
	produce := func(id int, want wire.ErrorCode, waited int) {
		t.Helper()
		_, before := s.counts()
		p := n.produceBatch("values", 0, batchOf(t, batch.None, rec("k", idBytes(1)), rec("k", idBytes(id)), rec("k", idBytes(id))), 9)
		_, after := s.counts()
		if got := wire.ErrorCode(p.ErrorCode); got != want || after-before != waited {
			t.Errorf("id %d: %v and %d waits, want %v and %d", id, got, after-before, want, waited)
		}
	}
	produce(1, wire.None, 0)
	s.elsewhere = map[string][]string{idBytes(50): {"values-value"}}
	produce(50, wire.None, 1)
	produce(50, wire.None, 0)
	produce(51, wire.InvalidRecord, 1)
	for range 5 {
		produce(51, wire.InvalidRecord, 0)
	}
	produce(52, wire.InvalidRecord, 1)
	clock.add(schemaRefusalTime)
	produce(51, wire.InvalidRecord, 1)
	s.mu.Lock()
	s.subjects[idBytes(51)], s.version = []string{"values-value"}, s.version+1
	s.mu.Unlock()
	produce(51, wire.None, 0) // the registry moved, so nothing is remembered
	s.mu.Lock()
	s.subjects[idBytes(1)], s.version = nil, s.version+1
	s.mu.Unlock()
	produce(1, wire.InvalidRecord, 1) // deleted
}

// setClock is a clock whose time a test sets; its timers are the real ones.
type setClock struct {
	env.Clock
	mu  sync.Mutex
	now time.Time
}

func (c *setClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *setClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// What is known is asked once, for many batches of many ids; what is asked for one hostile batch is bounded.
func TestSchemaCheckRemembers(t *testing.T) {
	s := newTinyRegistry()
	n := schemaNode(t, s, Options{})
	var recs []batch.Record
	for id := 1000; id < 1100; id++ {
		s.subjects[idBytes(id)] = []string{"values-value"}
		recs = append(recs, rec("k", idBytes(id)), rec("k", idBytes(5)+"\x04\x02\x04"), rec("k", idBytes(1)))
	}
	for round, want := range []int{103, 0, 0} {
		before, _ := s.counts()
		if p := n.produceBatch("values", 0, batchOf(t, batch.None, recs...), 9); p.ErrorCode != 0 {
			t.Fatal(*p.ErrorMessage)
		}
		if after, _ := s.counts(); after-before != want {
			t.Errorf("round %d: %d questions, want %d", round, after-before, want)
		}
		if round == 1 {
			n.create("another", 1) // another image, another policy, the same knowledge
		}
	}
	recs = nil
	for id := 5000; id < 9000; id++ {
		recs = append(recs, rec("k", idBytes(id)))
	}
	before, _ := s.counts()
	n.produceBatch("values", 0, batchOf(t, batch.None, recs...), 9)
	if after, _ := s.counts(); after-before > 1+mostRecordErrors {
		t.Errorf("%d questions for a batch of unknown ids", after-before)
	}
}

// Refusals are logged, since librdkafka and franz-go show no more than the code, but not each of them.
func TestSchemaCheckLogsRefusals(t *testing.T) {
	clock := &setClock{Clock: env.Real().Clock, now: time.Now()}
	var said strings.Builder
	n := schemaNode(t, newTinyRegistry(), Options{Env: env.Env{Clock: clock}, Log: slog.New(slog.NewTextHandler(&said, nil))})
	for range 3 {
		for range 5 {
			n.produceBatch("values", 0, batchOf(t, batch.None, rec("k", "x")), 9)
			n.produceBatch("both", 0, batchOf(t, batch.None, rec("k", "x")), 9)
		}
		clock.add(schemaSayEvery)
	}
	for _, topic := range []string{"values", "both"} {
		if got := strings.Count(said.String(), "topic="+topic+" client=test "); got != 3 {
			t.Errorf("%d lines about %s, want 3:\n%s", got, topic, said.String())
		}
	}
	if !strings.Contains(said.String(), `reason="record 0, value: it begins with 78`) {
		t.Error(said.String())
	}
}

// No registry: a topic that asks for the check takes nothing, and says what to do.
func TestSchemaCheckWithoutARegistry(t *testing.T) {
	var said strings.Builder
	n := schemaNode(t, nil, Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
	p := n.produceBatch("both", 0, batchOf(t, batch.None, rec("k", idBytes(1))), 9)
	if wire.ErrorCode(p.ErrorCode) != wire.InvalidRecord || !strings.Contains(*p.ErrorMessage, "no schema registry runs in this node: set schema.registry.listeners") {
		t.Errorf("%+v", p)
	}
	n.produceBatch("both", 0, batchOf(t, batch.None, rec("k", idBytes(1))), 9)
	if got := strings.Count(said.String(), "no schema registry runs in this node"); got != 1 {
		t.Errorf("%d lines, want 1:\n%s", got, said.String())
	}
	if p := n.produceBatch("plain", 0, batchOf(t, batch.None, rec("k", "x")), 9); p.ErrorCode != 0 {
		t.Errorf("%+v", p)
	}
}

// A registry that is not loaded, or cannot be read, refuses nothing: the client comes again.
func TestSchemaCheckWithoutAnAnswer(t *testing.T) {
	s := newTinyRegistry()
	s.closed, s.broken = true, errors.New("its topic is not there")
	n := schemaNode(t, s, Options{})
	good := batchOf(t, batch.None, rec("k", idBytes(1)))
	p := n.produceBatch("values", 0, good, 9)
	if wire.ErrorCode(p.ErrorCode) != wire.NotEnoughReplicas || !strings.Contains(*p.ErrorMessage, "its topic is not there") || len(p.ErrorRecords) != 0 {
		t.Errorf("%+v", p)
	}
	s.mu.Lock()
	s.broken = nil
	s.mu.Unlock()
	if p := n.produceBatch("values", 0, good, 9); p.ErrorCode != 0 {
		t.Errorf("after the load: %+v", p)
	}
	s.mu.Lock()
	s.broken = errors.New("its topic is lost")
	s.mu.Unlock()
	if p := n.produceBatch("values", 0, good, 9); p.ErrorCode != 0 {
		t.Errorf("what is known passes: %+v", p)
	}
	for range 2 { // an unknown id is neither refused nor remembered
		p = n.produceBatch("values", 0, batchOf(t, batch.None, rec("k", idBytes(70))), 9)
		if wire.ErrorCode(p.ErrorCode) != wire.NotEnoughReplicas {
			t.Errorf("%+v", p)
		}
	}
}

// A stop does not wait for a registry that does not answer.
func TestStopWhileTheSchemaCheckWaits(t *testing.T) {
	s := newTinyRegistry()
	s.silent, s.waiting = true, make(chan context.Context)
	n := schemaNode(t, s, Options{Env: env.Env{Clock: frozenTimers{env.Real().Clock}}})
	n.dial().send(request(produceRequest("values", 0, -1, batchOf(t, batch.None, rec("k", idBytes(99)))), 9, 77))
	waits := s.awaited(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil || waits.Err() == nil {
		t.Error(err, waits.Err())
	}
}

// frozenTimers never fire.
type frozenTimers struct{ env.Clock }

func (f frozenTimers) AfterFunc(time.Duration, func()) env.Timer {
	return f.Clock.AfterFunc(math.MaxInt64, func() {})
}

// Claimed and real sizes beyond sixteen times max.message.bytes are refused, and what was charged is given back (newNode sees to it).
func TestSchemaCheckOfBombs(t *testing.T) {
	n := schemaNode(t, newTinyRegistry(), Options{})
	for codec := batch.Gzip; codec <= batch.Zstd; codec++ {
		b := batchOf(t, codec, rec("k", idBytes(1)+strings.Repeat("x", 41_000)))
		p := n.produceBatch("compressed", 0, b, 9)
		if got := wire.ErrorCode(p.ErrorCode); got != wire.CorruptMessage || !strings.Contains(*p.ErrorMessage, "decompress to more than the limit") {
			t.Errorf("%v, %d bytes: %v", codec, len(b), got)
		}
	}
	lie := bend(batchOf(t, batch.None, rec("k", idBytes(1))), func(b []byte) {
		binary.BigEndian.PutUint32(b[57:], 1_000_000)
		binary.BigEndian.PutUint32(b[23:], 999_999)
	})
	if got := wire.ErrorCode(n.produceBatch("values", 0, lie, 9).ErrorCode); got != wire.CorruptMessage {
		t.Errorf("a million records in %d bytes: %v", len(lie), got)
	}
}

// A batch whose checksum is wrong is refused for that, whatever its records hold and whenever they were written; of what the walk
// over them has found nothing is remembered, waited for or appended.
func TestSchemaCheckOfCorruptBatches(t *testing.T) {
	s := newTinyRegistry()
	n := schemaNode(t, s, Options{})
	long := rec("k", idBytes(1)+strings.Repeat("x", 100_000))
	for _, c := range []struct {
		name string
		recs []batch.Record
	}{
		{"all allowed", []batch.Record{long, long}},
		{"no id", []batch.Record{rec("k", "no id"), long}},
		{"an unknown id", []batch.Record{rec("k", idBytes(99)), long}},
	} {
		b := batchOf(t, batch.None, c.recs...)
		b[len(b)-10] ^= 1 // in the value of the last record
		p := n.produceBatch("values", 0, b, 9)
		if got := wire.ErrorCode(p.ErrorCode); got != wire.CorruptMessage || p.ErrorMessage == nil || *p.ErrorMessage != "the checksum of the batch is wrong" || len(p.ErrorRecords) > 0 {
			t.Errorf("%s: %v, %d record errors", c.name, got, len(p.ErrorRecords))
		}
		if known := n.policies.of(n.Broker, "values").schemas[0].known.Load(); known != nil {
			t.Errorf("%s: %d verdicts are remembered", c.name, len(known.of))
		}
	}
	if _, waited := s.counts(); waited != 0 {
		t.Errorf("waited %d times for the registry", waited)
	}
	if p := n.produceBatch("values", 0, batchOf(t, batch.None, long), 9); p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Errorf("the first good batch: %v at %d", wire.ErrorCode(p.ErrorCode), p.BaseOffset)
	}
}

// Nothing but a verdict comes of hostile bytes, and no more is asked than there are records.
func FuzzSchemaCheck(f *testing.F) {
	for _, v := range []string{idBytes(1), idBytes(5) + "\x04\x02\x04", idBytes(9), "", "\x00", someGUID} {
		f.Add(batchOf(f, batch.None, rec("k", v), rec("k", "x", "__value_schema_id="+v)))
		f.Add(batchOf(f, batch.LZ4, rec(v, v)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newTinyRegistry()
		sides := []*schemaSide{{topic: "both", key: true, strategy: strategies + "TopicNameStrategy"}, {topic: "both", strategy: strategies + "RecordNameStrategy"}}
		for _, final := range []bool{false, true, true} {
			j := schemaJudge{schemas: s, final: final, sides: sides}
			seen := 0
			err := batch.Scan(b, 1<<16, func(i int, r *batch.Raw) error { seen++; return j.record(i, r) })
			j.remember()
			if len(j.errs) > mostRecordErrors+1 || final && j.doubts || err == nil && len(j.errs) > 2*seen {
				t.Fatalf("%d errors of %d records, doubts %v: %v", len(j.errs), seen, j.doubts, err)
			}
			for _, e := range j.errs {
				if int(e.Index) >= seen || e.Message == "" || len(e.Message) > 1000 {
					t.Fatalf("%+v", e)
				}
			}
		}
		if asked, _ := s.counts(); asked > len(b) {
			t.Fatalf("%d questions", asked)
		}
	})
}
