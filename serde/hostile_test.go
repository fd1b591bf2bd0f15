package serde_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"millrace/serde"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// allowed is what reading a value may allocate: k times its length, and some for small ones.
func allowed(length int) uint64 { return 8<<20 + 3000*uint64(length) }

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func wideAvro(fields int, kind, name string) string {
	var b strings.Builder
	b.WriteString(`{"type":"array","items":{"type":"record","name":"R","fields":[`)
	for i := range fields {
		fmt.Fprintf(&b, `{"name":"%s%d","type":%s},`, name, i, kind)
	}
	b.WriteString(`{"name":"last","type":"boolean"}]}}`)
	return b.String()
}

func wideProto(fields int, name string) string {
	var b strings.Builder
	b.WriteString(`syntax = "proto3"; message M { repeated W w = 1; } message W {`)
	for i := range fields {
		fmt.Fprintf(&b, "int32 %s%d = %d;", name, i, i+1)
	}
	return b.String() + "}"
}

// A schema and a few bytes of a stranger must not become gigabytes.
func TestFewBytesStayFew(t *testing.T) {
	long := strings.Repeat("x", 1000)
	list := func(n int, item string) string {
		return string(binary.AppendVarint(nil, int64(n))) + strings.Repeat(item, n) + "\x00"
	}
	for _, c := range []struct {
		name, text string
		kind       sr.SchemaType
		payload    string
	}{
		{"lists of nothing", `{"type":"array","items":{"type":"array","items":"null"}}`, sr.TypeAvro, list(10_000, "\x80\x20\x00")},
		{"records of nothing", wideAvro(5000, `"null"`, "f"), sr.TypeAvro, list(10_000, "\x00")},
		{"records of fixed of nothing", `{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":0}}]}}`, sr.TypeAvro, list(4000, "")},
		{"long names", wideAvro(20, `"boolean"`, long), sr.TypeAvro, list(10_000, strings.Repeat("\x00", 21))},
		{"a list that is claimed", `{"type":"array","items":"long"}`, sr.TypeAvro, "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{"many fields", wideProto(5000, "f"), sr.TypeProtobuf, strings.Repeat("\x0a\x00", 10_000)},
		{"long fields", wideProto(100, long), sr.TypeProtobuf, strings.Repeat("\x0a\x00", 10_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, sr.Schema{Type: c.kind, Schema: c.text})
			var err error
			got := allocated(func() { _, err = s.Decode([]byte(c.payload)) })
			if !errors.Is(err, serde.ErrMisfit) && len(c.payload) > 5000 || got > allowed(len(c.payload)) {
				t.Errorf("%d bytes took %d bytes: %v", len(c.payload), got, err)
			}
		})
	}
	// A program's own type is no way around it.
	s := newServer(t)
	id := s.add(t, "t-value", sr.Schema{Schema: `{"type":"array","items":{"type":"array","items":"null"}}`})
	codec := ok[*serde.Codec[[][]any]](t)(serde.NewAvro[[][]any](serde.New(s.Client), `{"type":"array","items":{"type":"array","items":"null"}}`))
	r := prefixed(id, list(10_000, "\x80\x20\x00"))
	var err error
	if got := allocated(func() { _, err = codec.Value(t.Context(), r) }); !errors.Is(err, serde.ErrMisfit) || got > allowed(len(r.Value)) {
		t.Errorf("typed: %d bytes, %v", got, err)
	}
	// What is honest passes: nulls outside of unions, in a list of a usual length.
	honest := parse(t, sr.Schema{Schema: wideAvro(3, `"null"`, "f")})
	if _, err := honest.Decode([]byte(list(100_000, "\x01"))); err != nil {
		t.Error(err)
	}
}

var fuzzedSchemas = []sr.Schema{
	{Schema: everyAvro},
	{Schema: `"bytes"`},
	{Schema: `{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]},{"name":"n","type":"null"},{"name":"m","type":{"type":"map","values":{"type":"array","items":"null"}}}]}`},
	{Type: sr.TypeJSON, Schema: orderJSON},
	{Type: sr.TypeJSON, Schema: `{"type":["object","array","number"],"items":{"$ref":"#"},"additionalProperties":{"$ref":"#"},"multipleOf":0.1}`},
	{Type: sr.TypeProtobuf, Schema: textProto},
}

// FuzzRead: whatever stands in a record, reading it neither panics nor takes memory out of proportion, and JSON that comes out is read
// again. Run it with `go test -fuzz FuzzRead ./serde`.
func FuzzRead(f *testing.F) {
	s := newServer(f)
	for i, schema := range fuzzedSchemas {
		s.add(f, fmt.Sprint("s", i), schema)
	}
	registry := serde.New(s.Client)
	for id, payload := range []string{"", "\x01\x02\x04", "abc", "\x02\x00\x00", `{"id":1,"customer":"x"}`, `[1.1,{"a":2}]`, "\x00\x0a\x04\x0a\x00\x10\x01"} {
		f.Add(append([]byte{0, 0, 0, 0, byte(id)}, payload...), []byte{})
	}
	f.Add([]byte("\x08\x05"), []byte{0, 0, 0, 0, 6, 2, 2})
	f.Add([]byte("\x08\x05"), append([]byte{1}, make([]byte, 16)...))
	f.Fuzz(func(t *testing.T, value, header []byte) {
		r := &kgo.Record{Topic: "t", Value: value}
		if len(header) > 0 {
			r.Headers = []kgo.RecordHeader{{Key: "__value_schema_id", Value: header}}
		}
		if id, ok := serde.FindID(r, serde.Value); !ok || id.GUID != "" || id.Number > len(fuzzedSchemas) {
			return // nothing that is asked for
		}
		var text serde.Text
		var err error
		if got := allocated(func() { text, err = registry.Read(t.Context(), r, serde.Value, nil) }); got > allowed(len(value)) {
			t.Errorf("%d bytes took %d", len(value), got)
		}
		if err != nil {
			return
		}
		schema := text.Schema
		if schema.Text.Type == sr.TypeProtobuf {
			schema = ok[*serde.Schema](t)(schema.Message(text.Record))
		}
		payload, err := schema.Encode(text.JSON)
		if err != nil {
			t.Fatalf("%s is not read again: %v", text.JSON, err)
		}
		if again, err := schema.Decode(payload); err != nil || !bytes.Equal(again, text.JSON) {
			t.Errorf("%s becomes %s, %v", text.JSON, again, err)
		}
	})
}
