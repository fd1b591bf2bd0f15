package registry

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// registered registers a schema and returns its id and GUID as records carry them.
func registered(t *testing.T, r *Registry, subject, kind, text string) (id, guid []byte) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"schema": text, "schemaType": kind})
	code, answer := ask(r, "POST", "/subjects/"+subject+"/versions", string(body))
	var got struct {
		ID   int    `json:"id"`
		GUID string `json:"guid"`
	}
	if code != 200 || json.Unmarshal([]byte(answer), &got) != nil {
		t.Fatalf("%s: %d %s", subject, code, answer)
	}
	d, err := schema.ParseGUID(got.GUID)
	if err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.AppendUint32([]byte{0}, uint32(got.ID)), append([]byte{1}, d[:]...)
}

const (
	anOrder  = `{"type":"record","name":"Order","namespace":"com.acme","fields":[]}`
	aTitle   = `{"title":"com.acme.Titled","type":"object"}`
	aFile    = `syntax = "proto3"; package p; message A { message In { message Deep {} } } message B {}`
	strategy = "io.confluent.kafka.serializers.subject."
)

func TestJudge(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	order, orderGUID := registered(t, r, "orders-value", "AVRO", anOrder)
	registered(t, r, "com.acme.Order", "AVRO", anOrder)
	registered(t, r, "orders-com.acme.Order", "AVRO", anOrder)
	key, _ := registered(t, r, "orders-key", "AVRO", `"string"`)
	titled, _ := registered(t, r, "com.acme.Titled", "JSON", aTitle)
	nameless, _ := registered(t, r, "orders-value-json", "JSON", `{"type":"object"}`)
	file, fileGUID := registered(t, r, "orders-proto-value", "PROTOBUF", aFile)
	registered(t, r, "p.A.In.Deep", "PROTOBUF", aFile)
	gone, goneGUID := registered(t, r, "orders-value-gone", "AVRO", strings.Replace(anOrder, "Order", "Gone", 1))
	ask(r, "DELETE", "/subjects/orders-value-gone", "")
	elsewhere, elsewhereGUID := registered(t, r, ":.c:orders-value", "AVRO", `{"type":"enum","name":"E","symbols":["a"]}`)
	for range 20 { // ids of another context that the default one does not have
		elsewhere, elsewhereGUID = registered(t, r, ":.c:orders-value", "AVRO", `{"type":"enum","name":"E","symbols":["a"],"doc":"`+strings.Repeat("x", int(elsewhere[4]))+`"}`)
	}
	if code, body := ask(r, "PUT", "/config/short-value", `{"alias":"orders-value"}`); code != 200 {
		t.Fatal(body)
	}
	if code, body := ask(r, "PUT", "/config/far-value", `{"alias":":.c:orders-value"}`); code != 200 {
		t.Fatal(body)
	}
	nobody := []byte{0, 0, 0, 1, 0}
	for _, c := range []struct {
		name string
		use  Use
		says string // a part of the refusal
	}{
		{"registered", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: order}, ""},
		{"by GUID", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: orderGUID}, ""},
		{"as a key", Use{Topic: "orders", Key: true, Strategy: "TopicNameStrategy", ID: key}, ""},
		{"a value's id as a key", Use{Topic: "orders", Key: true, Strategy: "TopicNameStrategy", ID: order}, "schema id 1 is not registered under subject orders-key; register"},
		{"another topic", Use{Topic: "bills", Strategy: "TopicNameStrategy", ID: orderGUID}, "schema GUID " + schema.Digest(orderGUID[1:]).GUID() + " is not registered under subject bills-value"},
		{"nobody's", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: nobody}, "schema id 256 does not exist; register the schema under subject orders-value"},
		{"nobody's GUID", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: append([]byte{1}, make([]byte, 16)...)}, "schema GUID 00000000-0000-0000-0000-000000000000 does not exist"},
		{"a negative id", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: []byte{0, 255, 255, 255, 255}}, "schema id -1 does not exist"},
		{"deleted", Use{Topic: "orders-value-gone", Strategy: "TopicNameStrategy", ID: gone}, "is not registered under subject orders-value-gone-value"},
		{"of another context", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: elsewhere}, "does not exist"},
		{"of another context, by GUID", Use{Topic: "orders", Strategy: "TopicNameStrategy", ID: elsewhereGUID}, "does not exist"},
		{"through an alias", Use{Topic: "short", Strategy: "TopicNameStrategy", ID: order}, ""},
		{"through an alias to a context", Use{Topic: "far", Strategy: "TopicNameStrategy", ID: elsewhere}, ""},
		{"not behind the alias", Use{Topic: "short", Strategy: "TopicNameStrategy", ID: key}, "not registered under subject short-value"},
		{"by record name", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: order}, ""},
		{"by record name, GUID", Use{Topic: "any", Key: true, Strategy: "RecordNameStrategy", ID: orderGUID}, ""},
		{"by topic and record name", Use{Topic: "orders", Strategy: "TopicRecordNameStrategy", ID: order}, ""},
		{"by another topic and record name", Use{Topic: "bills", Strategy: "TopicRecordNameStrategy", ID: order}, "not registered under subject bills-com.acme.Order"},
		{"a plain type has no name", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: key}, "gives its record no name"},
		{"by title", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: titled}, ""},
		{"no title", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: nameless}, "no name, which the topic's subject name strategy needs: an Avro schema must be a record, a JSON Schema have a title"},
		{"nobody's by record name", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: nobody}, "schema id 256 does not exist; register the schema under the name of its record"},
		{"deleted, by record name", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: goneGUID}, "is not registered under subject com.acme.Gone"},
		{"a Protobuf message", Use{Topic: "orders-proto", Strategy: "TopicNameStrategy", ID: file, Indexes: []int{0, 0, 0}}, ""},
		{"the second Protobuf message", Use{Topic: "orders-proto", Strategy: "TopicNameStrategy", ID: fileGUID, Indexes: []int{1}}, ""},
		{"no such Protobuf message", Use{Topic: "orders-proto", Strategy: "TopicNameStrategy", ID: file, Indexes: []int{1, 0}}, "has no message with the indexes [1 0]; produce with the Protobuf file"},
		{"a Protobuf message by name", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: file, Indexes: []int{0, 0, 0}}, ""},
		{"another Protobuf message by name", Use{Topic: "any", Strategy: "RecordNameStrategy", ID: file, Indexes: []int{0, 0}}, "not registered under subject p.A.In;"},
		{"a strategy of somebody's own", Use{Topic: "any", Strategy: "com.acme.Own", ID: order}, `there is no subject name strategy "Own"`},
	} {
		c.use.Strategy = strings.Replace(strategy+c.use.Strategy, strategy+"com.", "com.", 1)
		j := r.Judge(c.use)
		if (j.Refusal == "") != (c.says == "") || !strings.Contains(j.Refusal, c.says) || j.Indexed {
			t.Errorf("%s: %+v, want %q", c.name, j, c.says)
		}
	}
	for _, s := range []string{"TopicNameStrategy", "RecordNameStrategy"} {
		if j := r.Judge(Use{Topic: "orders-proto", Strategy: strategy + s, ID: file}); !j.Indexed || j.Refusal != "" {
			t.Errorf("Protobuf without indexes: %+v", j)
		}
	}
}

// What was deleted softly is refused by that word, and taken again once it is registered again. The version moves each time.
func TestJudgeMovesWithTheLog(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	id, _ := registered(t, r, "orders-value", "AVRO", anOrder)
	u := Use{Topic: "orders", Strategy: strategy + "TopicNameStrategy", ID: id}
	last := r.Version()
	step := func(method, path, says string) {
		t.Helper()
		body := ""
		if method == "POST" {
			b, _ := json.Marshal(map[string]string{"schema": anOrder})
			body = string(b)
		}
		if code, answer := ask(r, method, path, body); code != 200 {
			t.Fatal(answer)
		}
		if j := r.Judge(u); (j.Refusal == "") != (says == "") || !strings.Contains(j.Refusal, says) {
			t.Errorf("%s %s: %+v", method, path, j)
		}
		if r.Version() <= last {
			t.Errorf("%s %s: version %d after %d", method, path, r.Version(), last)
		}
		last = r.Version()
	}
	step("DELETE", "/subjects/orders-value/versions/1", "schema id 1 was deleted from subject orders-value; register the schema there again")
	step("POST", "/subjects/orders-value/versions", "")
	step("DELETE", "/subjects/orders-value", "was deleted")
	step("DELETE", "/subjects/orders-value?permanent=true", "schema id 1 does not exist")
	step("POST", "/subjects/orders-value/versions", "does not exist") // under a new id
}

// CatchUp waits for what is in the log, and for no longer than it may.
func TestCatchUp(t *testing.T) {
	log := NewMemory()
	r := open(t, log, Options{})
	at, _ := log.Append(t.Context(), "other", []state.Write{{Key: []byte(`{"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}`),
		Value: []byte(`{"subject":"orders-value","version":1,"id":9,"schema":"\"string\""}`)}})
	if err := r.CatchUp(t.Context()); err != nil || r.Version() != at+1 {
		t.Errorf("version %d after %d: %v", r.Version(), at, err)
	}
	if j := r.Judge(Use{Topic: "orders", Strategy: strategy + "TopicNameStrategy", ID: []byte{0, 0, 0, 0, 9}}); j.Refusal != "" {
		t.Error(j.Refusal)
	}
	log.Fail(errors.New("no leader"))
	if err := r.CatchUp(t.Context()); err == nil || err.Error() != "no leader" {
		t.Error(err)
	}
	log.Fail(nil)
	late := &lateLog{log}
	r.log = late
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.CatchUp(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// lateLog has a record that nobody reads.
type lateLog struct{ *Memory }

func (l *lateLog) End(ctx context.Context) (int64, error) {
	end, err := l.Memory.End(ctx)
	return end + 1, err
}

// The names of many schemas do not stay for ever.
func TestNameCacheIsBounded(t *testing.T) {
	var c nameCache
	for i := range 1000 {
		c.put(schema.Digest{byte(i), byte(i >> 8)}, &recordNames{count: mostNames / 100})
		if c.total > mostNames || len(c.of) > 100 {
			t.Fatalf("%d names of %d schemas", c.total, len(c.of))
		}
	}
	if c.get(schema.Digest{byte(999 & 0xff), byte(999 >> 8)}) == nil {
		t.Error("the last one is gone")
	}
}
