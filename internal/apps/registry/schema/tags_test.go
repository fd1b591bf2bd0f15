package schema_test

import (
	"reflect"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

func tagged(path, kind string, tags ...string) schema.Tagged {
	return schema.Tagged{Entity: schema.Entity{Path: path, Type: kind}, Tags: tags}
}

const (
	tagAvro = `{"type":"record","name":"R","namespace":"ns","fields":[{"name":"f","type":"int","confluent:tags":["OLD"]},` +
		`{"name":"list","type":{"type":"array","items":["null",{"type":"record","name":"In","namespace":"deep","fields":[{"name":"g","type":"int"}]}]}},` +
		`{"name":"again","type":"deep.In"}]}`
	tagJSON = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"object","properties":{"c":{"enum":["x"]}}}},` +
		`"d":{"anyOf":[{"type":"string"},{"type":"object","properties":{"e":{"type":"null"}}}]}}}`
	tagProto = "syntax = \"proto3\";\npackage p;\n\nmessage M {\n  string f = 1;\n  string old = 2 [(confluent.field_meta).tags = \"OLD\"];\n" +
		"\n  oneof choice {\n    int32 x = 3;\n  }\n\n  message In {\n    map<string, string> m = 1;\n  }\n}\n"
)

// Each row adds or takes away a tag of one entity and says what part of the text then holds; the tags are found again.
func TestTags(t *testing.T) {
	for _, c := range []struct {
		name, text    string
		kind          schema.Type
		add, remove   []schema.Tagged
		holds, hasNot string
		found         []schema.Tagged
	}{
		{"a field by its full name", tagAvro, schema.Avro, []schema.Tagged{tagged("ns.R.f", "sr_field", "PII", "OLD")}, nil,
			`{"name":"f","type":"int","confluent:tags":["OLD","PII"]}`, "", []schema.Tagged{tagged("ns.R.f", "sr_field", "OLD", "PII")}},
		{"a field without namespace, with a dot", tagAvro, schema.Avro, []schema.Tagged{tagged(".In.g", "sr_field", "PII")}, []schema.Tagged{tagged("R.f", "SR_FIELD", "OLD")},
			`{"name":"g","type":"int","confluent:tags":["PII"]}`, "OLD", []schema.Tagged{tagged("deep.In.g", "sr_field", "PII")}},
		{"a record", tagAvro, schema.Avro, []schema.Tagged{tagged("deep.In", "sr_record", "PII")}, []schema.Tagged{tagged("R.f", "sr_field", "OLD")},
			`"fields":[{"name":"g","type":"int"}],"confluent:tags":["PII"]}`, "OLD", []schema.Tagged{tagged("deep.In", "sr_record", "PII")}},
		{"properties, arrays, branches in order of kind", tagJSON, schema.JSON, []schema.Tagged{tagged("object", "sr_record", "TOP"), tagged("object.a", "sr_field", "A"),
			tagged("object.b.array.object.c", "sr_field", "C"), tagged("object.d.anyof.0.object.e", "sr_field", "E")}, nil,
			`"e":{"type":"null","confluent:tags":["E"]}`, "", []schema.Tagged{tagged("object", "sr_record", "TOP"), tagged("object.a", "sr_field", "A"),
				tagged("object.b.array.object.c", "sr_field", "C"), tagged("object.d.anyof.0.object.e", "sr_field", "E")}},
		{"fields of messages", tagProto, schema.Protobuf, []schema.Tagged{tagged("M.f", "sr_field", "A"), tagged(".M.f", "sr_field", "B"), tagged("M", "sr_record", "TOP"),
			tagged("M.choice.x", "sr_field", "X"), tagged("M.In.m", "sr_field", "MAP")}, nil,
			"import \"confluent/meta.proto\";", "", []schema.Tagged{tagged("M", "sr_record", "TOP"), tagged("M.f", "sr_field", "A", "B"), tagged("M.old", "sr_field", "OLD"),
				tagged("M.x", "sr_field", "X"), tagged("M.In.m", "sr_field", "MAP")}},
		{"a tag that was written by its path", tagProto, schema.Protobuf, []schema.Tagged{tagged("M.old", "sr_field", "NEW")}, []schema.Tagged{tagged("M.old", "sr_field", "OLD")},
			"(confluent.field_meta) = {\n    tags: [\n      \"NEW\"\n    ]\n  }", "OLD", []schema.Tagged{tagged("M.old", "sr_field", "NEW")}},
		{"the last tag leaves no option behind", tagProto, schema.Protobuf, nil, []schema.Tagged{tagged("M.old", "sr_field", "OLD")}, "string old = 2;", "confluent", []schema.Tagged{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := c.text
			if c.kind == schema.Protobuf {
				text = strings.Replace(text, "\nmessage M", "\nimport \"confluent/meta.proto\";\n\nmessage M", 1)
				if c.hasNot == "confluent" {
					c.hasNot = "confluent.field"
				}
			}
			p := parsed(t, c.kind, text)
			got, err := p.Retag(c.add, c.remove, false)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, c.holds) || c.hasNot != "" && strings.Contains(got, c.hasNot) {
				t.Errorf("%s", got)
			}
			again := parsed(t, c.kind, got)
			if found := again.TaggedEntities("*"); !reflect.DeepEqual(found, c.found) {
				t.Errorf("found %v\nin %s", found, got)
			}
			if once := again.Format(""); once != got {
				t.Errorf("not canonical: %s\n%s", got, once)
			}
			if found := again.TaggedEntities("NOBODY"); len(found) != 0 {
				t.Error(found)
			}
		})
	}
}

func parsed(t *testing.T, kind schema.Type, text string) *schema.Parsed {
	t.Helper()
	p, err := schema.Parse(schema.Schema{Type: kind, Text: text}, nil, schema.Options{New: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func TestTagsOfNothing(t *testing.T) {
	for kind, text := range map[schema.Type]string{schema.Avro: tagAvro, schema.JSON: tagJSON,
		schema.Protobuf: "syntax = \"proto3\"; message M { string f = 1; }"} {
		p := parsed(t, kind, text)
		for path, says := range map[string]string{"no.where": `no field "no.where"`, "": `no field ""`} {
			add := []schema.Tagged{tagged(path, "sr_field", "T")}
			if _, err := p.Retag(add, nil, false); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s %q: %v", kind, path, err)
			}
			if got, err := p.Retag(add, nil, true); err != nil || got != p.Format("") {
				t.Errorf("%s %q passed over: %v %s", kind, path, err, got)
			}
		}
		if _, err := p.Retag(nil, []schema.Tagged{tagged("M", "table", "T")}, false); err == nil || !strings.Contains(err.Error(), "sr_record") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	bare := parsed(t, schema.Protobuf, "syntax = \"proto3\"; message M { string f = 1; }")
	got, err := bare.Retag([]schema.Tagged{tagged("M.f", "sr_field", "T")}, nil, false)
	if err != nil || !strings.Contains(got, `import "confluent/meta.proto";`) {
		t.Errorf("%v %s", err, got)
	}
	parsed(t, schema.Protobuf, got)
}

// The tags of an Avro schema's references are found, and only its own text is changed.
func TestTagsAndReferences(t *testing.T) {
	ref := schema.Resolved{Subject: "in", Version: 1, Schema: schema.Schema{Text: `{"type":"record","name":"In","fields":[{"name":"g","type":"int","confluent:tags":["PII"]}]}`}}
	s := schema.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"f","type":"In"}]}`, References: []schema.Reference{{Name: "In", Subject: "in", Version: 1}}}
	p, err := schema.Parse(s, []schema.Resolved{ref}, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if found := p.TaggedEntities("PII"); len(found) != 1 || found[0].Entity.Path != "In.g" {
		t.Error(found)
	}
	if _, err := p.Retag([]schema.Tagged{tagged("In.g", "sr_field", "T")}, nil, false); err == nil {
		t.Error("a field of another schema was tagged")
	}
}
