package schema_test

import (
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"

	"pgregory.net/rapid"
)

// avroForms are schemas with their canonical and normalized text; an empty normalized text means that it is the canonical one.
var avroForms = []struct{ name, text, canonical, normalized string }{
	{"a primitive by name", ` "string" `, `"string"`, ``},
	{"a primitive as an object", `{"type": "int"}`, `"int"`, ``},
	{"documentation of a primitive is no property", `{"type":"int","doc":"x","aliases":["y"]}`, `"int"`, ``},
	{"properties keep their order, sorted when normalized",
		`{"type":"string","z":1,"avro.java.string":"String","a":{"y":1,"b":[2]}}`,
		`{"type":"string","z":1,"avro.java.string":"String","a":{"y":1,"b":[2]}}`,
		`{"type":"string","a":{"b":[2],"y":1},"avro.java.string":"String","z":1}`},
	{"attributes of a record in one order",
		`{"fields":[],"aliases":["b","a"],"x":true,"name":"R","doc":"d","namespace":"n.s","type":"record"}`,
		`{"type":"record","name":"R","namespace":"n.s","doc":"d","fields":[],"x":true,"aliases":["b","a"]}`,
		`{"type":"record","name":"R","namespace":"n.s","doc":"d","fields":[],"x":true,"aliases":["a","b"]}`},
	{"a namespace inside the name", `{"type":"record","name":"n.s.R","namespace":"ignored","fields":[]}`,
		`{"type":"record","name":"R","namespace":"n.s","fields":[]}`, ``},
	{"an inherited namespace is not repeated",
		`{"type":"record","name":"n.R","fields":[{"name":"a","type":{"type":"enum","name":"n.E","symbols":["A"]}},{"name":"b","type":"n.E"}]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"b","type":"E"}]}`, ``},
	{"a type without namespace inside one",
		`{"type":"record","name":"n.R","fields":[{"name":"a","type":{"type":"fixed","name":"F","namespace":"","size":2}}]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"fixed","name":"F","namespace":"","size":2}}]}`, ``},
	{"a name that is also a kind is written in full",
		`{"type":"record","name":"n.R","fields":[{"name":"a","type":{"type":"fixed","name":"map","size":2}},{"name":"b","type":"n.map"}]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"fixed","name":"map","size":2}},{"name":"b","type":"n.map"}]}`, ``},
	{"a recursive record", `{"type":"record","name":"n.L","fields":[{"name":"next","type":["null","n.L"],"default":null}]}`,
		`{"type":"record","name":"L","namespace":"n","fields":[{"name":"next","type":["null","L"],"default":null}]}`, ``},
	{"attributes of a field in one order",
		`{"type":"record","name":"R","fields":[{"x":1,"aliases":["q","p"],"order":"IGNORE","default":5,"doc":"d","type":"int","name":"f","b":2}]}`,
		`{"type":"record","name":"R","fields":[{"name":"f","type":"int","doc":"d","default":5,"order":"ignore","aliases":["q","p"],"x":1,"b":2}]}`,
		`{"type":"record","name":"R","fields":[{"name":"f","type":"int","doc":"d","default":5,"order":"ignore","aliases":["p","q"],"b":2,"x":1}]}`},
	{"the usual order is not written", `{"type":"record","name":"R","fields":[{"name":"f","type":"int","order":"ascending"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"f","type":"int"}]}`, ``},
	{"a logical type on a field rather than its type stays a property of the field",
		`{"type":"record","name":"R","fields":[{"name":"f","type":"long","logicalType":"timestamp-millis"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"f","type":"long","logicalType":"timestamp-millis"}]}`, ``},
	{"a decimal: its attributes first when normalized",
		`{"type":"bytes","scale":2,"a":1,"precision":9,"logicalType":"decimal"}`,
		`{"type":"bytes","scale":2,"a":1,"precision":9,"logicalType":"decimal"}`,
		`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2,"a":1}`},
	{"a logical type that does not fit is a property like others",
		`{"type":"string","logicalType":"date","a":1}`, `{"type":"string","logicalType":"date","a":1}`, `{"type":"string","a":1,"logicalType":"date"}`},
	{"an enum with default, properties before aliases",
		`{"type":"enum","name":"E","aliases":["n.F"],"p":0,"default":"B","symbols":["A","B"]}`,
		`{"type":"enum","name":"E","symbols":["A","B"],"default":"B","p":0,"aliases":["n.F"]}`, ``},
	{"an error record", `{"type":"error","name":"E","fields":[]}`, `{"type":"error","name":"E","fields":[]}`, ``},
	{"a name used before its definition moves the definition",
		`["null",{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]},{"type":"enum","name":"C","symbols":[]},{"type":"record","name":"B","fields":[]}]`,
		`["null",{"type":"record","name":"A","fields":[{"name":"b","type":{"type":"record","name":"B","fields":[]}}]},{"type":"enum","name":"C","symbols":[]},"B"]`, ``},
	{"the same type defined twice is one",
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":2}},{"name":"b","type":{"size":2,"type":"fixed","name":"F"}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":2}},{"name":"b","type":"F"}]}`, ``},
	{"numbers as Java writes them",
		`{"type":"int","a":1.0,"b":1e3,"c":12345678.5,"d":0.00012,"e":-0,"f":123456789012345678901234567890,"g":1.10,"h":1E400}`,
		`{"type":"int","a":1.0,"b":1000.0,"c":1.23456785E7,"d":1.2E-4,"e":0,"f":123456789012345678901234567890,"g":1.1,"h":1E400}`, ``},
	{"a default of a floating type in its own letters when normalized",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1},{"name":"b","type":["float","null"],"default":0.1},{"name":"c","type":{"type":"map","values":"double"},"default":{"b":2,"a":1}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1},{"name":"b","type":["float","null"],"default":0.1},{"name":"c","type":{"type":"map","values":"double"},"default":{"b":2,"a":1}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1.0},{"name":"b","type":["float","null"],"default":0.1},{"name":"c","type":{"type":"map","values":"double"},"default":{"a":1.0,"b":2.0}}]}`},
	{"a default that JSON has no number for",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":"NaN"},{"name":"b","type":"float","default":"1.5"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":"NaN"},{"name":"b","type":"float","default":1.5}]}`, ``},
	{"the order of fields in a default record stays until normalized",
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"double"}]},"default":{"y":2,"x":1}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"double"}]},"default":{"y":2,"x":1}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"double"}]},"default":{"x":1,"y":2.0}}]}`},
	{"empty documentation is kept, and dropped from a type when normalized",
		`{"type":"record","name":"R","doc":"","fields":[{"name":"a","type":"int","doc":""}]}`,
		`{"type":"record","name":"R","doc":"","fields":[{"name":"a","type":"int","doc":""}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","doc":""}]}`},
	{"letters of other languages and escapes",
		`{"type":"record","name":"R","doc":"gr\u00fc\u00df \u4e16 \ud83d\ude00 \/ \" \\ \u0001\n","fields":[]}`,
		`{"type":"record","name":"R","doc":"grüß 世 😀 / \" \\ \u0001\n","fields":[]}`, ``},
	{"comments are read over", "// first\n{\"type\": /* inner */ \"long\"} // last", `"long"`, ``},
	{"the later of two members with one name", `{"type":"string","a":1,"b":2,"a":3}`, `{"type":"string","a":3,"b":2}`, ``},
	{"an alias outside the namespace", `{"type":"record","name":"n.R","aliases":["m.Q","n.P","O",".N"],"fields":[]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[],"aliases":["m.Q","P","O",".N"]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[],"aliases":[".N","m.Q","O","P"]}`},
	{"an array and a map with properties", `{"items":{"values":"int","type":"map","q":null},"java-class":"X","type":"array"}`,
		`{"type":"array","items":{"type":"map","values":"int","q":null},"java-class":"X"}`, ``},
}

func TestAvroForms(t *testing.T) {
	for _, c := range avroForms {
		t.Run(c.name, func(t *testing.T) {
			normalized := c.normalized
			if normalized == "" {
				normalized = c.canonical
			}
			checkForms(t, schema.Schema{Text: c.text}, nil, c.canonical, normalized)
		})
	}
}

// checkForms parses a schema and compares its two forms, and that each form is the form of itself.
func checkForms(t *testing.T, s schema.Schema, refs []schema.Resolved, canonical, normalized string) {
	t.Helper()
	p := mustParse(t, s, refs)
	if got := p.Canonical().Text; got != canonical {
		t.Errorf("canonical\n got  %s\n want %s", got, canonical)
	}
	if got := p.Normalized().Text; got != normalized {
		t.Errorf("normalized\n got  %s\n want %s", got, normalized)
	}
	checkStable(t, p, refs)
}

// checkStable holds the laws of the two forms: each is a fixed point, and the canonical form keeps the meaning, so both have one
// normalized form.
func checkStable(t rapid.TB, p *schema.Parsed, refs []schema.Resolved) {
	t.Helper()
	c, n := p.Canonical(), p.Normalized()
	pc, pn := mustParse(t, c, refs), mustParse(t, n, refs)
	if again := pc.Canonical().Text; again != c.Text {
		t.Errorf("the canonical form is not its own\n once  %s\n twice %s", c.Text, again)
	}
	if again := pn.Normalized().Text; again != n.Text {
		t.Errorf("the normalized form is not its own\n once  %s\n twice %s", n.Text, again)
	}
	if through := pc.Normalized().Text; through != n.Text {
		t.Errorf("the canonical form lost meaning\n of the text      %s\n of the canonical %s", n.Text, through)
	}
	if p.Name() != pc.Name() || p.Name() != pn.Name() {
		t.Errorf("the name changes with the form: %q, canonical %q, normalized %q", p.Name(), pc.Name(), pn.Name())
	}
}

func mustParse(t rapid.TB, s schema.Schema, refs []schema.Resolved) *schema.Parsed {
	t.Helper()
	p, err := schema.Parse(s, refs, schema.Options{})
	if err != nil {
		t.Fatalf("%v\nof %s", err, s.Text)
	}
	return p
}

func TestAvroReferences(t *testing.T) {
	inner := schema.Schema{Text: `{"type":"record","name":"n.Inner","fields":[{"name":"e","type":{"type":"enum","name":"n.E","symbols":["A"]}}]}`}
	refs := []schema.Resolved{{Subject: "inner", Version: 1, Schema: inner}}
	s := schema.Schema{
		Text:       `{"type":"record","name":"n.Outer","fields":[{"name":"a","type":"Inner"},{"name":"b","type":"n.E"},{"name":"c","type":"n.E"}]}`,
		References: []schema.Reference{{Name: "n.Inner", Subject: "inner", Version: 1}},
	}
	// The type of the reference stays a name; a type inside it has no name in the registry and is written out.
	canonical := `{"type":"record","name":"Outer","namespace":"n","fields":[{"name":"a","type":"Inner"},{"name":"b","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"c","type":"E"}]}`
	checkForms(t, s, refs, canonical, canonical)

	resolved := `{"type":"record","name":"Outer","namespace":"n","fields":[{"name":"a","type":{"type":"record","name":"Inner","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}}]}},{"name":"b","type":"E"},{"name":"c","type":"E"}]}`
	p := mustParse(t, s, refs)
	if got := p.Format("resolved"); got != resolved {
		t.Errorf("resolved\n got  %s\n want %s", got, resolved)
	}
	if got := p.Format("a form of tomorrow"); got != canonical {
		t.Errorf("an unknown form should be the canonical one, got %s", got)
	}
	// A schema sent with the reference written out is the same schema.
	inlined := schema.Schema{Text: resolved, References: s.References}
	if got := mustParse(t, inlined, refs).Canonical().Text; got != canonical {
		t.Errorf("the inlined schema\n got  %s\n want %s", got, canonical)
	}
	if p.Name() != "n.Outer" {
		t.Errorf("name %q", p.Name())
	}
}

func TestAvroRefused(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 70) + `"int"` + strings.Repeat(`}`, 70)
	chain := `[`
	for i := range 100 {
		chain += `{"type":"record","name":"A` + itoa(i) + `","fields":[{"name":"f","type":"A` + itoa(i+1) + `"}]},`
	}
	chain += `{"type":"record","name":"A100","fields":[]}]`
	cases := []struct {
		name, text, says string
		kind             schema.Kind
	}{
		{"no JSON", `record`, "double quotes", schema.Invalid},
		{"text after the end", `"int" "int"`, "after the end", schema.Invalid},
		{"an unknown name", `{"type":"record","name":"R","fields":[{"name":"a","type":"Foo"}]}`, `at /fields/0/type: the type "Foo" is not known`, schema.Invalid},
		{"a kind as an object", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":{"type":"int"}}}]}`, "write the inner type itself", schema.Invalid},
		{"no name", `{"type":"record","fields":[]}`, `no "name"`, schema.Invalid},
		{"no fields", `{"type":"record","name":"R"}`, `needs "fields"`, schema.Invalid},
		{"two fields of one name", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, "two fields", schema.Invalid},
		{"a doubled symbol", `{"type":"enum","name":"E","symbols":["A","A"]}`, "stands twice", schema.Invalid},
		{"an enum's default that is no symbol", `{"type":"enum","name":"E","symbols":["A"],"default":"B"}`, "no symbol", schema.Invalid},
		{"a fixed without size", `{"type":"fixed","name":"F","size":"3"}`, "number of its bytes", schema.Invalid},
		{"a union in a union", `["int",["string"]]`, "directly in a union", schema.Invalid},
		{"a branch twice", `["int",{"type":"int"}]`, "twice", schema.Invalid},
		{"a name defined as two types", `[{"type":"fixed","name":"F","size":1},{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":2}}]}]`, "defined already", schema.Invalid},
		{"a type defined inside itself", `{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"fixed","name":"A","size":0}},{"name":"b","type":"int"}]}`, "inside itself", schema.Invalid},
		{"a name like a primitive", `{"type":"record","name":"int","fields":[]}`, "primitive", schema.Invalid},
		{"a bad letter", `{"type":"record","name":"R","fields":[{"name":"a-b","type":"int"}]}`, `the character '-'`, schema.Invalid},
		{"a bad order", `{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"up"}]}`, "ascending", schema.Invalid},
		{"too deep", deep, "64 levels", schema.TooLarge},
		{"too deep once names are written out", chain, "64 levels", schema.TooLarge},
		{"brackets without end", strings.Repeat("[", 1<<20), "nested too deep", schema.TooLarge},
		{"too long", `"` + strings.Repeat("x", 1<<20) + `"`, "the limit is 1048576", schema.TooLarge},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkRefused(t, schema.Schema{Text: c.text}, schema.Options{}, c.says, c.kind) })
	}
}

func checkRefused(t *testing.T, s schema.Schema, o schema.Options, says string, kind schema.Kind) {
	t.Helper()
	_, err := schema.Parse(s, nil, o)
	if err == nil {
		t.Fatal("was taken")
	}
	if !strings.Contains(err.Error(), says) || schema.KindOf(err) != kind {
		t.Errorf("refused with kind %d, %q; want kind %d and the words %q", schema.KindOf(err), err, kind, says)
	}
	if strings.Count(err.Error(), "\n") > 0 || len(err.Error()) > 600 {
		t.Errorf("the sentence is too long: %s", err)
	}
}

// What older releases let in is read when it is stored and refused when it is new.
func TestAvroNewIsStricter(t *testing.T) {
	field := func(kind, value string) string {
		return `{"type":"record","name":"R","fields":[{"name":"f","type":` + kind + `,"default":` + value + `}]}`
	}
	for _, c := range []struct{ name, text, says string }{
		{"a text for a number", field(`"int"`, `"5"`), `the default "5" does not fit the type int`},
		{"a number too large", field(`"int"`, `3000000000`), "does not fit"},
		{"null for a union without null", field(`["int","string"]`, `null`), "union of int, string"},
		{"an element of the wrong type", field(`{"type":"array","items":"int"}`, `[1,"x"]`), "does not fit"},
		{"a record without its field", field(`{"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}`, `{}`), "type S"},
		{"a record whose default needs itself", `{"type":"record","name":"R","fields":[{"name":"f","type":"R","default":{}}]}`, "does not fit"},
		{"a namespace with a dash", `{"type":"record","name":"R","namespace":"a-b","fields":[]}`, "'-'"},
		{"a letter beyond ASCII", `{"type":"record","name":"Größe","fields":[]}`, "'ö'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkStable(t, mustParse(t, schema.Schema{Text: c.text}, nil), nil)
			checkRefused(t, schema.Schema{Text: c.text}, schema.Options{New: true}, c.says, schema.Invalid)
		})
	}
	for _, text := range []string{
		field(`["null","int"]`, `5`), field(`"bytes"`, `"\u00ff"`), field(`"double"`, `"NaN"`), field(`"float"`, `1`),
		field(`{"type":"record","name":"S","fields":[{"name":"x","type":"int","default":1}]}`, `{}`),
	} {
		if _, err := schema.Parse(schema.Schema{Text: text}, nil, schema.Options{New: true}); err != nil {
			t.Errorf("%v\nof %s", err, text)
		}
	}
}

// A union of records in unions of records with a default that fits none must not be tried once per path.
func TestAvroDefaultIsNotExponential(t *testing.T) {
	text := `{"type":"record","name":"A","fields":[{"name":"x","type":["A",{"type":"record","name":"B","fields":[{"name":"x","type":["A","B"]}]}],"default":` +
		strings.Repeat(`{"x":`, 200) + `1` + strings.Repeat(`}`, 200) + `}]}`
	checkRefused(t, schema.Schema{Text: text}, schema.Options{New: true}, "does not fit", schema.Invalid)
}

// Every form's codec must be the same codec: a record written by one is read by the other.
func TestAvroCodec(t *testing.T) {
	for _, c := range avroForms {
		p := mustParse(t, schema.Schema{Text: c.text}, nil)
		codec, err := p.Avro.Codec()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		again, err := mustParse(t, p.Normalized(), nil).Avro.Codec()
		if err != nil || string(codec.Canonical()) != string(again.Canonical()) {
			t.Errorf("%s: the codec of the normalized form differs: %v\n%s\n%s", c.name, err, codec.Canonical(), again.Canonical())
		}
	}
}
