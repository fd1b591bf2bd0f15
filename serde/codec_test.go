package serde_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"millrace/serde"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type order struct {
	ID       int64   `avro:"id" json:"id"`
	Customer string  `avro:"customer" json:"customer"`
	Note     *string `avro:"note" json:"note,omitempty"`
}

const orderAvro = `{"type":"record","name":"Order","namespace":"shop","fields":[
	{"name":"id","type":"long"},{"name":"customer","type":"string"},{"name":"note","type":["null","string"],"default":null}]}`

const orderJSON = `{"title":"Order","type":"object","properties":{"id":{"type":"integer","minimum":1},"customer":{"type":"string"},"note":{"type":"string"}},
	"required":["id","customer"],"additionalProperties":false}`

// The bytes are those of the Avro specification, written by hand: a long and the length of a text as zig-zag varints, a branch as its index.
func TestAvroOnTheWire(t *testing.T) {
	s := newServer(t)
	codec := ok[*serde.Codec[order]](t)(serde.NewAvro[order](serde.New(s.Client), orderAvro))
	r := &kgo.Record{Topic: "orders"}
	if err := codec.SetValue(t.Context(), r, order{ID: 7, Customer: "Ada"}); err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(r.Value), "00"+"00000001"+"0e"+"06416461"+"00"; got != want {
		t.Errorf("value %s, want %s", got, want)
	}
	if len(r.Headers) != 0 {
		t.Errorf("headers %v", r.Headers)
	}
	got := ok[order](t)(codec.Value(t.Context(), r))
	if diff := cmp.Diff(order{ID: 7, Customer: "Ada"}, got); diff != "" {
		t.Error(diff)
	}
	known := ok[sr.SubjectSchema](t)(s.SchemaByVersion(t.Context(), "orders-value", 1))
	if known.ID != 1 {
		t.Errorf("registered %+v", known)
	}
}

func TestGUIDInHeader(t *testing.T) {
	s := newServer(t)
	registry := serde.New(s.Client)
	codec := ok[*serde.Codec[order]](t)(serde.NewAvro[order](registry, orderAvro, serde.InHeader()))
	r := &kgo.Record{Topic: "orders"}
	for range 2 { // the second writes its header in place of the first's
		if err := codec.SetKey(t.Context(), r, order{ID: 7, Customer: "Ada"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := codec.SetValue(t.Context(), r, order{ID: 8, Customer: "Bob"}); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(r.Key); got != "0e0641646100" {
		t.Errorf("key %s", got)
	}
	known := ok[sr.SubjectSchema](t)(s.SchemaByVersion(t.Context(), "orders-key", 1))
	want := "01" + strings.ReplaceAll(known.GUID, "-", "")
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+"="+hex.EncodeToString(h.Value))
	}
	if diff := cmp.Diff([]string{"__key_schema_id=" + want, "__value_schema_id=" + want}, headers); diff != "" {
		t.Error(diff)
	}
	if got := ok[order](t)(codec.Key(t.Context(), r)); got.ID != 7 {
		t.Errorf("key %+v", got)
	}
	if got := ok[order](t)(codec.Value(t.Context(), r)); got.ID != 8 {
		t.Errorf("value %+v", got)
	}
	// The last header counts, and one with a number is read too.
	number := binary.BigEndian.AppendUint32([]byte{0}, uint32(known.ID))
	r.Headers = []kgo.RecordHeader{{Key: "__value_schema_id", Value: make([]byte, 17)}, {Key: "__value_schema_id", Value: number}}
	if got := ok[order](t)(codec.Value(t.Context(), r)); got.ID != 8 {
		t.Errorf("value %+v", got)
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "__value_schema_id", Value: []byte{1, 2}})
	if _, err := codec.Value(t.Context(), r); !errors.Is(err, serde.ErrNoID) {
		t.Errorf("a header that is cut off: %v", err)
	}
}

// A reader with an older or newer schema sees what that schema says.
func TestAvroEvolution(t *testing.T) {
	type old struct {
		ID       int32  `avro:"id"`
		Customer string `avro:"customer"`
	}
	type newer struct {
		ID    float64 `avro:"id"`
		Name  string  `avro:"name"`
		Paid  bool    `avro:"paid"`
		Notes *string `avro:"note"`
	}
	s := newServer(t)
	registry := serde.New(s.Client)
	writer := ok[*serde.Codec[old]](t)(serde.NewAvro[old](registry,
		`{"type":"record","name":"Order","fields":[{"name":"id","type":"int"},{"name":"customer","type":"string"}]}`))
	reader := ok[*serde.Codec[newer]](t)(serde.NewAvro[newer](registry, `{"type":"record","name":"Order","fields":[{"name":"id","type":"double"},
		{"name":"name","aliases":["customer"],"type":"string"},{"name":"paid","type":"boolean","default":true},{"name":"note","type":["null","string"],"default":null}]}`))
	r := &kgo.Record{Topic: "orders"}
	if err := writer.SetValue(t.Context(), r, old{7, "Ada"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newer{7, "Ada", true, nil}, ok[newer](t)(reader.Value(t.Context(), r))); diff != "" {
		t.Error(diff)
	}
	strange := ok[*serde.Codec[order]](t)(serde.NewAvro[order](registry, orderAvro))
	if _, err := strange.Value(t.Context(), r); err != nil {
		t.Errorf("int as long is a promotion: %v", err)
	}
	text := ok[*serde.Codec[string]](t)(serde.NewAvro[string](registry, `"string"`))
	if _, err := text.Value(t.Context(), r); !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), "schema id 1") {
		t.Errorf("a record as a string: %v", err)
	}
}

// A schema of nothing but bytes has no length in front, whoever reads.
func TestAvroBytesAreRaw(t *testing.T) {
	s := newServer(t)
	registry := serde.New(s.Client)
	codec := ok[*serde.Codec[[]byte]](t)(serde.NewAvro[[]byte](registry, `"bytes"`))
	for _, v := range []string{"", "\x00", "hello"} {
		r := &kgo.Record{Topic: "raw"}
		if err := codec.SetValue(t.Context(), r, []byte(v)); err != nil {
			t.Fatal(err)
		}
		if got := string(r.Value[5:]); got != v {
			t.Errorf("%q was written as %q", v, got)
		}
		if got := string(ok[[]byte](t)(codec.Value(t.Context(), r))); got != v {
			t.Errorf("%q was read as %q", v, got)
		}
	}
	r := &kgo.Record{Topic: "raw"}
	if err := codec.SetValue(t.Context(), r, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	text := ok[*serde.Codec[string]](t)(serde.NewAvro[string](registry, `"string"`))
	if got := ok[string](t)(text.Value(t.Context(), r)); got != "hello" {
		t.Errorf("bytes as a string: %q", got)
	}
}

func TestJSON(t *testing.T) {
	s := newServer(t)
	codec := ok[*serde.Codec[order]](t)(serde.NewJSON[order](serde.New(s.Client), orderJSON))
	r := &kgo.Record{Topic: "orders"}
	if err := codec.SetValue(t.Context(), r, order{ID: 7, Customer: "Ada"}); err != nil {
		t.Fatal(err)
	}
	if got := string(r.Value); got != "\x00\x00\x00\x00\x01"+`{"id":7,"customer":"Ada"}` {
		t.Errorf("value %q", got)
	}
	if got := ok[order](t)(codec.Value(t.Context(), r)); got != (order{ID: 7, Customer: "Ada"}) {
		t.Errorf("%+v", got)
	}
	err := codec.SetValue(t.Context(), r, order{Customer: "Ada"})
	if !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), "/id") {
		t.Errorf("an id below the minimum: %v", err)
	}
	r.Value = []byte("\x00\x00\x00\x00\x01" + `{"id":0,"customer":"Ada"}`)
	if _, err := codec.Value(t.Context(), r); !errors.Is(err, serde.ErrMisfit) {
		t.Errorf("a value that does not fit: %v", err)
	}
}

func TestSubjects(t *testing.T) {
	cases := []struct {
		name string
		is   serde.SubjectName
		want string
	}{
		{"by topic", serde.TopicName, "orders-value"},
		{"by record", serde.RecordName, "shop.Order"},
		{"by both", serde.TopicRecordName, "orders-shop.Order"},
		{"in a context", func(topic string, part serde.Part, record string) (string, error) {
			return ":.test:" + topic + "/" + part.String() + "/" + record, nil
		}, ":.test:orders/value/shop.Order"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.add(t, "another", sr.Schema{Schema: `"int"`}) // id 1 of the default context
			registry := serde.New(s.Client)
			codec := ok[*serde.Codec[order]](t)(serde.NewAvro[order](registry, orderAvro, serde.Subject(c.is)))
			r := &kgo.Record{Topic: "orders"}
			if err := codec.SetValue(t.Context(), r, order{ID: 7}); err != nil {
				t.Fatal(err)
			}
			subjects := ok[[]string](t)(s.Subjects(t.Context()))
			if got := strings.Join(subjects, " "); !strings.Contains(got, c.want) || len(subjects) != 2 {
				t.Errorf("subjects %s, want %s", got, c.want)
			}
			other := ok[*serde.Codec[order]](t)(serde.NewAvro[order](serde.New(s.Client), orderAvro, serde.Subject(c.is)))
			if got := ok[order](t)(other.Value(t.Context(), r)); got.ID != 7 {
				t.Errorf("%+v", got)
			}
		})
	}
	for name, is := range map[string]serde.SubjectName{"no topic": serde.TopicName, "no record": serde.TopicRecordName} {
		codec := ok[*serde.Codec[int]](t)(serde.NewAvro[int](serde.New(newServer(t).Client), `"int"`, serde.Subject(is)))
		r := &kgo.Record{}
		if name == "no record" {
			r.Topic = "orders"
		}
		if err := codec.SetValue(t.Context(), r, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWhichSchemaIsWritten(t *testing.T) {
	s := newServer(t)
	registry := serde.New(s.Client, serde.RememberFailures(0))
	r := &kgo.Record{Topic: "orders"}
	never := ok[*serde.Codec[order]](t)(serde.NewAvro[order](registry, orderAvro, serde.NoRegister(), serde.Normalize()))
	err := never.SetValue(t.Context(), r, order{ID: 1})
	if !errors.Is(err, serde.ErrNotFound) || !strings.Contains(err.Error(), "orders-value") || !strings.Contains(err.Error(), "register it first") {
		t.Errorf("a schema that is not registered: %v", err)
	}
	first := s.add(t, "orders-value", sr.Schema{Schema: orderAvro})
	if err := never.SetValue(t.Context(), r, order{ID: 1}); err != nil {
		t.Errorf("a schema that is registered, normalized: %v", err)
	}
	second := s.add(t, "orders-value", sr.Schema{Schema: strings.Replace(orderAvro, `"type":"long"`, `"type":"long","doc":"new"`, 1)})
	latest := ok[*serde.Codec[order]](t)(serde.NewAvro[order](registry, orderAvro, serde.UseLatest()))
	given := ok[*serde.Codec[order]](t)(serde.NewAvro[order](registry, orderAvro, serde.UseID(serde.ID{Number: first})))
	for codec, want := range map[*serde.Codec[order]]int{never: first, latest: second, given: first} {
		if err := codec.SetValue(t.Context(), r, order{ID: 7, Customer: "Ada"}); err != nil {
			t.Fatal(err)
		}
		if id, _ := serde.FindID(r, serde.Value); id.Number != want {
			t.Errorf("%s, want %d", id, want)
		}
		if got := ok[order](t)(codec.Value(t.Context(), r)); got.ID != 7 {
			t.Errorf("%+v", got)
		}
	}
	incompatible := ok[*serde.Codec[string]](t)(serde.NewAvro[string](registry, `"string"`))
	if err := incompatible.SetValue(t.Context(), r, "x"); err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "orders-value") {
		t.Errorf("an incompatible schema: %v", err)
	}
}

func TestRecordsWithoutID(t *testing.T) {
	codec := ok[*serde.Codec[order]](t)(serde.NewAvro[order](serde.New(newServer(t).Client), orderAvro))
	for _, c := range []struct {
		value string
		want  error
	}{{"", serde.ErrNoID}, {"plain", serde.ErrNoID}, {"\x00\x00\x00\x01", serde.ErrNoID}, {"\x00\x00\x00\x00\x00\x00\x00\x01", serde.ErrNoID}, {"\x00\x00\x00\x00\x09abc", serde.ErrNotFound}} {
		if _, err := codec.Value(t.Context(), &kgo.Record{Value: []byte(c.value)}); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.value, err, c.want)
		}
	}
	if _, err := codec.Value(t.Context(), &kgo.Record{}); !errors.Is(err, serde.ErrNull) {
		t.Errorf("null: %v", err)
	}
}

// Another spelling of a registered schema is found only when both are brought into their normal form.
func TestNormalize(t *testing.T) {
	s := newServer(t)
	s.add(t, "orders-value", sr.Schema{Schema: `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long","a":1,"b":2}]}`})
	other := `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long","b":2,"a":1}]}`
	for _, normalize := range []bool{false, true} {
		o := []serde.Option{serde.NoRegister()}
		if normalize {
			o = append(o, serde.Normalize())
		}
		codec := ok[*serde.Codec[order]](t)(serde.NewAvro[order](serde.New(s.Client), other, o...))
		if err := codec.SetValue(t.Context(), &kgo.Record{Topic: "orders"}, order{ID: 1}); (err == nil) != normalize {
			t.Errorf("normalize %v: %v", normalize, err)
		}
	}
}
