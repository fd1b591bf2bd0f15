package compat

import (
	"testing"

	"millrace/internal/apps/registry/schema"
)

// withFiles reads a schema whose references stand beside it, each under the name by which it is called. Files may refer to each other.
func withFiles(t *testing.T, kind schema.Type, text string, files [][2]string) *schema.Parsed {
	t.Helper()
	var refs []schema.Reference
	for _, f := range files {
		refs = append(refs, schema.Reference{Name: f[0], Subject: f[0], Version: 1})
	}
	var closure []schema.Resolved
	for i, f := range files {
		closure = append(closure, schema.Resolved{Subject: f[0], Version: 1, Schema: schema.Schema{Type: kind, Text: f[1], References: refs[:i]}})
	}
	p, err := schema.Parse(schema.Schema{Type: kind, Text: text, References: refs}, closure, schema.Options{New: true})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

// TestReferences compares schemas that are spread over several subjects: what is referred to counts as if it were written out, and
// where it is written plays no part.
func TestReferences(t *testing.T) {
	type files = [][2]string
	for _, c := range []struct {
		name        string
		kind        schema.Type
		reader      string
		readerFiles files
		writer      string
		writerFiles files
		want        string
	}{
		{"Avro, the same", schema.Avro,
			`{"type":"record","name":"R","fields":[{"name":"a","type":"n.I"}]}`, files{{"n.I", `{"type":"record","name":"n.I","fields":[{"name":"x","type":"int"}]}`}},
			`{"type":"record","name":"R","fields":[{"name":"a","type":"n.I"}]}`, files{{"n.I", `{"type":"record","name":"n.I","fields":[{"name":"x","type":"int"}]}`}}, "ok"},
		{"Avro, written out", schema.Avro,
			`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"n.I","fields":[{"name":"x","type":"long"}]}}]}`, nil,
			`{"type":"record","name":"R","fields":[{"name":"a","type":"n.I"}]}`, files{{"n.I", `{"type":"record","name":"n.I","fields":[{"name":"x","type":"int"}]}`}}, "ok"},
		{"Avro, narrowed where it is referred to", schema.Avro,
			`{"type":"record","name":"R","fields":[{"name":"a","type":"n.I"}]}`, files{{"n.I", `{"type":"record","name":"n.I","fields":[{"name":"x","type":"int"}]}`}},
			`{"type":"record","name":"R","fields":[{"name":"a","type":"n.I"}]}`, files{{"n.I", `{"type":"record","name":"n.I","fields":[{"name":"x","type":"long"}]}`}},
			"TYPE_MISMATCH /fields/0/type/fields/0/type"},
		{"Avro, two steps away", schema.Avro,
			`{"type":"record","name":"R","fields":[{"name":"a","type":"I"}]}`,
			files{{"E", `{"type":"enum","name":"E","symbols":["A"]}`}, {"I", `{"type":"record","name":"I","fields":[{"name":"e","type":"E"}]}`}},
			`{"type":"record","name":"R","fields":[{"name":"a","type":"I"}]}`,
			files{{"E", `{"type":"enum","name":"E","symbols":["A","B"]}`}, {"I", `{"type":"record","name":"I","fields":[{"name":"e","type":"E"}]}`}},
			"MISSING_ENUM_SYMBOLS /fields/0/type/fields/0/type/symbols"},
		{"JSON, narrowed where it is referred to", schema.JSON,
			`{"properties":{"a":{"$ref":"i.json"}}}`, files{{"i.json", `{"type":"integer"}`}},
			`{"properties":{"a":{"$ref":"i.json"}}}`, files{{"i.json", `{"type":"number"}`}}, "TYPE_NARROWED #/type"},
		{"JSON, written out", schema.JSON,
			`{"properties":{"a":{"type":["integer","null"]}}}`, nil,
			`{"properties":{"a":{"$ref":"i.json#/definitions/x"}}}`, files{{"i.json", `{"definitions":{"x":{"type":"integer"}}}`}}, "ok"},
		{"JSON, two steps away", schema.JSON,
			`{"properties":{"a":{"$ref":"i.json"}}}`, files{{"e.json", `{"enum":[1]}`}, {"i.json", `{"items":{"$ref":"e.json"}}`}},
			`{"properties":{"a":{"$ref":"i.json"}}}`, files{{"e.json", `{"enum":[1,2]}`}, {"i.json", `{"items":{"$ref":"e.json"}}`}}, "ENUM_ARRAY_NARROWED #/enum"},
		{"JSON, a cycle within a reference", schema.JSON,
			`{"properties":{"a":{"$ref":"i.json"}}}`, files{{"i.json", `{"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"number"}},"additionalProperties":false}`}},
			`{"properties":{"a":{"$ref":"i.json"}}}`, files{{"i.json", `{"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"integer"}},"additionalProperties":false}`}}, "ok"},
		{"Protobuf, the same", schema.Protobuf,
			`syntax = "proto3"; import "i.proto"; message M { n.I a = 1; }`, files{{"i.proto", `syntax = "proto3"; package n; message I { int32 x = 1; }`}},
			`syntax = "proto3"; import "i.proto"; message M { n.I a = 1; }`, files{{"i.proto", `syntax = "proto3"; package n; message I { int32 x = 1; }`}}, "ok"},
		{"Protobuf, changed where it is imported", schema.Protobuf,
			`syntax = "proto3"; import "i.proto"; message M { n.I a = 1; }`, files{{"i.proto", `syntax = "proto3"; package n; message I { string x = 1; }`}},
			`syntax = "proto3"; import "i.proto"; message M { n.I a = 1; }`, files{{"i.proto", `syntax = "proto3"; package n; message I { int32 x = 1; }`}},
			"FIELD_SCALAR_KIND_CHANGED #/M/1/1"},
		{"Protobuf, another file, another package", schema.Protobuf,
			`syntax = "proto3"; import "j.proto"; message M { o.I a = 1; }`, files{{"j.proto", `syntax = "proto3"; package o; message I { int64 x = 1; }`}},
			`syntax = "proto3"; import "i.proto"; message M { n.I a = 1; }`, files{{"i.proto", `syntax = "proto3"; package n; message I { int32 x = 1; }`}}, "ok"},
		{"Protobuf, moved into the file", schema.Protobuf,
			`syntax = "proto3"; message M { I a = 1; } message I { int32 x = 1; }`, nil,
			`syntax = "proto3"; import "i.proto"; message M { I a = 1; }`, files{{"i.proto", `syntax = "proto3"; message I { int32 x = 1; }`}}, "ok"},
		{"Protobuf, moved out of the file, so no record's own message any more", schema.Protobuf,
			`syntax = "proto3"; import "i.proto"; message M { I a = 1; }`, files{{"i.proto", `syntax = "proto3"; message I { int32 x = 1; }`}},
			`syntax = "proto3"; message M { I a = 1; } message I { int32 x = 1; }`, nil, "MESSAGE_REMOVED #/I"},
		{"Protobuf, two steps away and public", schema.Protobuf,
			`syntax = "proto3"; import "i.proto"; message M { E e = 1; }`,
			files{{"e.proto", `syntax = "proto3"; message E { string x = 1; }`}, {"i.proto", `syntax = "proto3"; import public "e.proto";`}},
			`syntax = "proto3"; import "i.proto"; message M { E e = 1; }`,
			files{{"e.proto", `syntax = "proto3"; message E { bool x = 1; }`}, {"i.proto", `syntax = "proto3"; import public "e.proto";`}},
			"FIELD_SCALAR_KIND_CHANGED #/M/1/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Check(withFiles(t, c.kind, c.reader, c.readerFiles), withFiles(t, c.kind, c.writer, c.writerFiles), Options{})
			if got := told(r); got != c.want {
				t.Errorf("%s, not %s: %+v", got, c.want, r.Findings)
			}
			wantExample(t, r, withoutRecord)
		})
	}
}

// TestMessageIndexes: records name their message by its place in the writer's file. The rules let places change, since a reader finds
// the message by the name that it has there; so an example, too, names the message and no place.
func TestMessageIndexes(t *testing.T) {
	writer := read(t, schema.Protobuf, `message A { string x = 1; } message B { int32 x = 1; message C { int32 x = 1; } }`)
	turned := read(t, schema.Protobuf, `message B { message C { int32 x = 1; } int32 x = 1; } message A { string x = 1; }`)
	if r := Check(turned, writer, Options{}); !r.Compatible() {
		t.Errorf("messages in another order: %+v", r.Findings)
	}
	changed := read(t, schema.Protobuf, `message B { message C { string x = 1; } int32 x = 1; } message A { string x = 1; }`)
	r := Check(changed, writer, Options{})
	if r.Example == nil || r.Example.Message != "B.C" {
		t.Errorf("the message that differs is not named: %+v", r.Example)
	}
	swapped := read(t, schema.Protobuf, `message B { string x = 1; message C { int32 x = 1; } } message A { int32 x = 1; }`)
	if r := Check(swapped, writer, Options{}); r.Compatible() {
		t.Error("messages that swapped their names keep their places, and records of one are read as the other")
	}
}
