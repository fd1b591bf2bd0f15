package schema_test

import (
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

// Faults that users of other registries reported, told again as spellings that must be one schema. The numbers are those of the
// reports: SR is Confluent's registry.
func TestSpellingsOfOneSchema(t *testing.T) {
	for _, c := range []struct {
		name      string
		kind      schema.Type
		spellings []string
	}{
		{"redpanda 26858: fields of a message", schema.Protobuf, []string{
			`syntax = "proto3"; package e; message User { string name = 1; int32 age = 2; }`,
			`syntax = "proto3"; package e; message User { int32 age = 2; string name = 1; }`}},
		{"redpanda 26858: fields of oneofs", schema.Protobuf, []string{
			`syntax = "proto3"; message A { int32 x = 9; oneof p { int32 a = 3; string b = 2; } oneof q { int32 c = 1; } }`,
			`syntax = "proto3"; message A { oneof q { int32 c = 1; } oneof p { string b = 2; int32 a = 3; } int32 x = 9; }`}},
		{"karapace 795, 912: names in part and in full", schema.Protobuf, []string{
			`syntax = "proto3"; package a.b; message M { N f = 1; N.O g = 2; message N { message O {} } }`,
			`syntax = "proto3"; package a.b; message M { a.b.M.N f = 1; .a.b.M.N.O g = 2; message N { message O {} } }`,
			`syntax = "proto3"; package a.b; message M { M.N f = 1; b.M.N.O g = 2; message N { message O {} } }`}},
		{"karapace 848: options of a file", schema.Protobuf, []string{
			`syntax = "proto3"; option java_package = "x"; option cc_enable_arenas = true; option optimize_for = SPEED; message M {}`,
			`syntax = "proto3"; option optimize_for = SPEED; option cc_enable_arenas = true; option java_package = 'x'; message M {}`}},
		{"karapace 848: custom options everywhere", schema.Protobuf, []string{
			withOptions(`(a) = "1", (b) = "2"`, `option (a) = "1"; option (b) = "2";`),
			withOptions(`(.p.b) = '2', (p.a) = "1"`, `option (p.b) = "2"; option (.p.a) = '1';`)}},
		{"SR 1857, 3279: a map and its entry in the descriptor of a client", schema.Protobuf, []string{
			`syntax = "proto3"; package p; message M { map<string, int64> pages = 5; map<string, M> more = 6; int64 a = 1; }`,
			descriptorOf(t, `syntax = "proto3"; package p; message M { map<string, int64> pages = 5; map<string, M> more = 6; int64 a = 1; }`)}},
		{"SR 3477: google.protobuf.Struct", schema.Protobuf, []string{
			`syntax = "proto3"; import "google/protobuf/struct.proto"; message M { google.protobuf.Struct s = 1; }`,
			descriptorOf(t, `syntax = "proto3"; import "google/protobuf/struct.proto"; message M { .google.protobuf.Struct s = 1; }`)}},
		{"SR 2956: an enum with comments behind constants", schema.Protobuf, []string{
			"syntax = \"proto3\";\n// about\nenum E {\n  // zero\n  A = 0;\n  C = 2; B = 1;\n}",
			`syntax = "proto3"; enum E { A = 0; B = 1; C = 2; }`}},
		{"imports doubled by way of order", schema.Protobuf, []string{
			`syntax = "proto3"; import "google/type/date.proto"; import "google/protobuf/any.proto"; message M { google.type.Date d = 1; google.protobuf.Any a = 2; }`,
			`syntax = "proto3"; import "google/protobuf/any.proto"; import "google/type/date.proto"; message M { google.protobuf.Any a = 2; google.type.Date d = 1; }`}},
		{"redpanda 12335: a namespace in the name, beside it, and around it", schema.Avro, []string{
			`{"type":"record","name":"a.b.R","fields":[{"name":"f","type":{"type":"enum","name":"E","symbols":["X"]}},{"name":"g","type":"E"}]}`,
			`{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"f","type":{"type":"enum","name":"a.b.E","symbols":["X"]}},{"name":"g","type":"a.b.E"}]}`,
			`{"type":"record","namespace":"ignored","name":"a.b.R","fields":[{"name":"f","type":{"type":"enum","namespace":"a.b","name":"E","symbols":["X"]}},{"name":"g","type":"a.b.E"}]}`}},
		{"redpanda 4970: a primitive as an object", schema.Avro, []string{`"string"`, `{"type":"string"}`}},
		{"redpanda 7609: members in another order", schema.Avro, []string{
			`{"type":"record","name":"u","fields":[{"name":"a","type":{"type":"string","connect.parameters":{"x":"1","t":"TEXT"}},"default":""}]}`,
			`{"fields":[{"default":"","name":"a","type":{"connect.parameters":{"t":"TEXT","x":"1"},"type":"string"}}],"name":"u","type":"record"}`}},
		{"redpanda 24958: a draft with an empty fragment", schema.JSON, []string{
			`{"$schema":"https://json-schema.org/draft/2020-12/schema#","$defs":{"a":{"$id":"x","type":"string"}},"$ref":"x"}`,
			`{"$ref":"x","$defs":{"a":{"type":"string","$id":"x"}},"$schema":"https://json-schema.org/draft/2020-12/schema#"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := ""
			for i, text := range c.spellings {
				p := mustParse(t, schema.Schema{Type: c.kind, Text: text}, nil)
				checkStable(t, p, nil)
				if n := p.Normalized().Text; i == 0 {
					first = n
				} else if n != first {
					t.Errorf("spelling %d is another schema\n%s\nthan the first\n%s", i, n, first)
				}
			}
		})
	}
}

// withOptions is a schema with custom options in every place that may carry them.
func withOptions(brackets, lines string) string {
	text := `syntax = "proto3"; package p; import "google/protobuf/descriptor.proto";`
	for i, kind := range []string{"File", "Message", "Field", "Oneof", "Enum", "EnumValue", "Service", "Method"} {
		scope := strings.Repeat("x", i)
		text += `extend google.protobuf.` + kind + `Options { string ` + scope + `a = 50002; string ` + scope + `b = 50003; }`
		named := strings.NewReplacer("(a)", "("+scope+"a)", "(b)", "("+scope+"b)", "p.a)", "p."+scope+"a)", "p.b)", "p."+scope+"b)")
		l, b := named.Replace(lines), named.Replace(brackets)
		text += map[string]string{
			"File": l, "Message": `message A {` + l + `}`, "Field": `message B { int32 f = 1 [` + b + `]; }`,
			"Oneof": `message C { oneof o {` + l + `int32 f = 1; } }`, "Enum": `enum D {` + l + `D0 = 0; }`, "EnumValue": `enum E { E0 = 0 [` + b + `]; }`,
			"Service": `service F {` + l + `}`, "Method": `service G { rpc H (A) returns (A) {` + l + `} }`,
		}[kind]
	}
	return text
}

func descriptorOf(t *testing.T, text string) string {
	return mustParse(t, schema.Schema{Type: schema.Protobuf, Text: text}, nil).Format("serialized")
}

// SR 2473: properties of a primitive type, and of the type of a field, are kept by both forms.
func TestNothingIsLost(t *testing.T) {
	text := `{"type":"record","name":"R","fields":[{"name":"at","type":{"type":"long","connect.name":"io.debezium.time.Timestamp","connect.version":1},"default":0,"note":[1]},` +
		`{"name":"later","type":["null","string"],"default":"of the second branch"}]}`
	p := mustParse(t, schema.Schema{Text: text}, nil)
	for _, form := range []schema.Schema{p.Canonical(), p.Normalized()} {
		if form.Text != text {
			t.Errorf("%s\nbecame %s", text, form.Text)
		}
	}
}

// SR 1798: the files that need no reference may be registered and referred to like others.
func TestWellKnownFileAsSchema(t *testing.T) {
	timestamp := schema.Schema{Type: schema.Protobuf, Text: `syntax = "proto3"; package google.protobuf; message Timestamp { int64 seconds = 1; int32 nanos = 2; }`}
	checkStable(t, mustParse(t, timestamp, nil), nil)
	refs := []schema.Resolved{{Subject: "t", Version: 1, Schema: timestamp}}
	s := schema.Schema{Type: schema.Protobuf, Text: `syntax = "proto3"; import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp t = 1; }`,
		References: []schema.Reference{{Name: "google/protobuf/timestamp.proto", Subject: "t", Version: 1}}}
	checkStable(t, mustParse(t, s, refs), refs)
}
