package serde_test

import (
	"errors"
	"strings"
	"testing"

	"millrace/serde"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// Bytes that any message takes, and what a reader does not see of them.
func TestReadWhole(t *testing.T) {
	const proto2, proto3 = `syntax = "proto2"; `, `syntax = "proto3"; `
	order := func(fields string) string { return proto3 + "message Order {" + fields + "}" }
	for _, c := range []struct{ name, writer, text, reader, why string }{
		{"the same", order(`int64 id = 1; string name = 2;`), `{"id":7,"name":"Ada"}`, order(`int64 id = 1; string name = 2;`), ""},
		{"a name changed", order(`int64 id = 1;`), `{"id":7}`, order(`int64 number = 1;`), ""},
		{"other wire types", order(`int64 id = 1; string name = 2;`), `{"id":7,"name":"Ada"}`, order(`string id = 1; int32 name = 2;`),
			"at id: the reader, which takes string, sees something else than the int64 that was written"},
		{"another wire type that can be absent", order(`int64 id = 1;`), `{"id":7}`, order(`optional string id = 1;`),
			"at id: the reader, which takes string, does not see the int64 that was written"},
		{"defaults are not written", order(`int64 id = 1; string name = 2;`), `{"id":0,"name":""}`, order(`string id = 1; int32 name = 2;`), ""},
		{"a field that went", order(`int64 id = 1; string name = 2;`), `{"id":7,"name":"Ada"}`, order(`int64 id = 1;`), ""},
		{"a narrower number that is wide enough", order(`int64 id = 1;`), `{"id":7}`, order(`int32 id = 1;`), ""},
		{"a narrower number", order(`int64 id = 1;`), `{"id":5000000000}`, order(`int32 id = 1;`), "at id: the reader, which takes int32, sees something else"},
		{"a sign that turns", order(`int64 id = 1;`), `{"id":-1}`, order(`uint64 id = 1;`), "at id: the reader, which takes uint64"},
		{"zigzag", order(`int64 id = 1;`), `{"id":7}`, order(`sint64 id = 1;`), "at id: the reader, which takes sint64"},
		{"a number that is no truth", order(`int64 id = 1;`), `{"id":7}`, order(`bool id = 1;`), "at id: the reader, which takes bool"},
		{"a number that is one", order(`int64 id = 1;`), `{"id":1}`, order(`bool id = 1;`), ""},
		{"text and bytes", order(`string id = 1;`), `{"id":"ä"}`, order(`bytes id = 1;`), ""},
		{"bits of another meaning", order(`fixed32 id = 1;`), `{"id":7}`, order(`float id = 1;`), "at id: the reader, which takes float"},
		{"inside", order(`Line line = 1; message Line { int64 id = 1; }`), `{"line":{"id":7}}`,
			order(`Line line = 1; message Line { string id = 1; }`), "at line.id: the reader, which takes string"},
		{"inside a list", order(`repeated Line lines = 1; message Line { int64 id = 1; }`), `{"lines":[{},{"id":7}]}`,
			order(`repeated Line lines = 1; message Line { string id = 1; }`), "at lines[1].id: the reader"},
		{"inside a map", order(`map<string, Line> lines = 1; message Line { int64 id = 1; }`), `{"lines":{"a":{},"b":{"id":7}}}`,
			order(`map<string, Line> lines = 1; message Line { string id = 1; }`), "at lines[].id: the reader"},
		{"keys that are cut", order(`map<int64, int64> lines = 1;`), `{"lines":{"5000000000":1}}`, order(`map<int32, int64> lines = 1;`),
			"at lines: the reader, which takes a map, sees not all"},
		{"keys that fit", order(`map<int64, int64> lines = 1;`), `{"lines":{"5":1}}`, order(`map<int32, int32> lines = 1;`), ""},
		{"a list that becomes one", order(`repeated string name = 1;`), `{"name":["a","b"]}`, order(`string name = 1;`), "sees not all that was written as a list of string"},
		{"a list of one", order(`repeated string name = 1;`), `{"name":["a"]}`, order(`string name = 1;`), ""},
		{"one that becomes a list", order(`string name = 1;`), `{"name":"a"}`, order(`repeated string name = 1;`), ""},
		{"an open enum", proto3 + `message Order { Kind kind = 1; } enum Kind { A = 0; B = 1; }`, `{"kind":"B"}`,
			proto3 + `message Order { Kind kind = 1; } enum Kind { A = 0; }`, ""},
		{"a closed enum", proto2 + `message Order { optional Kind kind = 1; } enum Kind { A = 0; B = 1; }`, `{"kind":"B"}`,
			proto2 + `message Order { optional Kind kind = 1; } enum Kind { A = 0; }`, "at kind: the reader's enum is closed"},
		{"a choice that nobody made", order(`oneof way { int64 a = 1; int64 b = 2; }`), `{"b":"7"}`, order(`oneof way { int64 a = 1; }`),
			"at way: b was chosen, which the reader does not have"},
		{"a oneof that went", order(`oneof way { int64 a = 1; int64 b = 2; }`), `{"b":"7"}`, order(`int64 a = 1;`), ""},
		{"two of which one can be", order(`optional int64 a = 1; optional int64 b = 2;`), `{"a":"1","b":"2"}`, order(`oneof way { int64 a = 1; int64 b = 2; }`),
			"at a: the reader, which takes int64, does not see"},
		{"an extension", proto2 + `message Order { extensions 100 to 200; } extend Order { optional int64 id = 100; }`, `{"[id]":"7"}`,
			proto2 + `message Order { extensions 100 to 200; } extend Order { optional string id = 100; }`, "at id: the reader, which takes string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			writer := sr.Schema{Type: sr.TypeProtobuf, Schema: c.writer}
			id := s.add(t, "t-value", writer)
			payload := ok[[]byte](t)(parse(t, writer).Encode([]byte(c.text)))
			registry := serde.New(s.Client)
			reader := ok[*serde.Schema](t)(registry.Parse(t.Context(), sr.Schema{Type: sr.TypeProtobuf, Schema: c.reader}))
			r := prefixed(id, "\x00"+string(payload))
			got, err := registry.ReadWhole(t.Context(), r, serde.Value, reader)
			if (err != nil) != (c.why != "") || err != nil && (!strings.Contains(err.Error(), c.why) || !errors.Is(err, serde.ErrMisfit)) {
				t.Errorf("%v, want %q", err, c.why)
			}
			if got.Record != "Order" || len(got.JSON) == 0 {
				t.Errorf("%+v", got)
			}
			if _, err := registry.ReadWhole(t.Context(), r, serde.Value, nil); err != nil {
				t.Errorf("with its own schema: %v", err)
			}
		})
	}
}

// Of other formats it is what Read is.
func TestReadWholeOfOthers(t *testing.T) {
	s := newServer(t)
	registry := serde.New(s.Client)
	id := s.add(t, "t-value", sr.Schema{Schema: `"int"`})
	long := ok[*serde.Schema](t)(registry.Parse(t.Context(), sr.Schema{Schema: `"long"`}))
	if got, err := registry.ReadWhole(t.Context(), &kgo.Record{Value: []byte{0, 0, 0, 0, byte(id), 2}}, serde.Value, long); err != nil || string(got.JSON) != "1" {
		t.Error(got, err)
	}
	protobuf := ok[*serde.Schema](t)(registry.Parse(t.Context(), sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; message M {}`}))
	if _, err := registry.ReadWhole(t.Context(), prefixed(id, "\x02"), serde.Value, protobuf); !errors.Is(err, serde.ErrMisfit) {
		t.Error(err)
	}
}
