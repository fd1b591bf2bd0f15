package schema_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"millrace/internal/apps/registry/schema"
)

func TestJSONForms(t *testing.T) {
	for _, c := range []struct{ name, text, canonical, normalized string }{
		{"white space goes, order stays", "{ \"type\" : \"object\",\n \"title\":\"T\", \"properties\" : { \"b\": {}, \"a\": {\"minimum\": 1.50} } }",
			`{"type":"object","title":"T","properties":{"b":{},"a":{"minimum":1.50}}}`,
			`{"properties":{"a":{"minimum":1.50},"b":{}},"title":"T","type":"object"}`},
		{"lists keep their order", `{"enum":["b","a"],"required":[]}`, `{"enum":["b","a"],"required":[]}`, ""},
		{"a number that no double holds", `{"multipleOf":0.1000000000000000055511151231257827,"maximum":1e2}`,
			`{"multipleOf":0.1000000000000000055511151231257827,"maximum":1e2}`,
			`{"maximum":1e2,"multipleOf":0.1000000000000000055511151231257827}`},
		{"a boolean", ` true `, `true`, ""},
		{"nothing demanded", `{}`, `{}`, ""},
		{"a $schema that nobody can open", `{"$schema":"http://example.com/mine","type":"string"}`, `{"$schema":"http://example.com/mine","type":"string"}`, ""},
		{"sorting goes into data too", `{"const":{"b":1,"a":[{"d":1,"c":2}]}}`, `{"const":{"b":1,"a":[{"d":1,"c":2}]}}`, `{"const":{"a":[{"c":2,"d":1}],"b":1}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			normalized := c.normalized
			if normalized == "" {
				normalized = c.canonical
			}
			checkForms(t, schema.Schema{Type: schema.JSON, Text: c.text}, nil, c.canonical, normalized)
		})
	}
}

// The same keywords mean different things in different drafts; each text below is taken or refused by its own draft's rules.
func TestJSONDrafts(t *testing.T) {
	for _, c := range []struct {
		name, text string
		draft      schema.Draft
		good, bad  string // values
	}{
		{"04: exclusiveMaximum is a boolean", `{"$schema":"http://json-schema.org/draft-04/schema#","maximum":5,"exclusiveMaximum":true}`, schema.Draft4, `4`, `5`},
		{"06: exclusiveMaximum is a number", `{"$schema":"http://json-schema.org/draft-06/schema#","exclusiveMaximum":5}`, schema.Draft6, `4`, `5`},
		{"07 is the draft of a text that names none", `{"if":{"type":"string"},"then":{"maxLength":1}}`, schema.Draft7, `"a"`, `"ab"`},
		{"07 reads nothing beside $ref", `{"properties":{"a":{"$ref":"#/definitions/n","maximum":1}},"definitions":{"n":{"type":"number"}}}`, schema.Draft7, `{"a":9}`, `{"a":""}`},
		{"2019-09 reads what stands beside $ref", `{"$schema":"https://json-schema.org/draft/2019-09/schema","properties":{"a":{"$ref":"#/$defs/n","maximum":1}},"$defs":{"n":{"type":"number"}}}`, schema.Draft2019, `{"a":1}`, `{"a":9}`},
		{"2019-09 recursion", `{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"type":"object","additionalProperties":{"$recursiveRef":"#"}}`, schema.Draft2019, `{"a":{}}`, `{"a":1}`},
		{"2020-12: prefixItems", `{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{"type":"string"}],"items":false}`, schema.Draft2020, `["a"]`, `["a",1]`},
		{"2020-12: anchors", `{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#here","$defs":{"x":{"$anchor":"here","type":"string"}}}`, schema.Draft2020, `"a"`, `1`},
		{"an $id inside", `{"$id":"http://example.com/top.json","allOf":[{"$ref":"inner.json"}],"definitions":{"i":{"$id":"inner.json","type":"null"}}}`, schema.Draft7, `null`, `1`},
		{"the schema of its draft", `{"$ref":"http://json-schema.org/draft-07/schema#"}`, schema.Draft7, `{"type":"string"}`, `{"type":"strong"}`},
		{"a letter by its number", `{"pattern":"^\\u0041\\\\u0041$"}`, schema.Draft7, `"A\\u0041"`, `"A"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustParse(t, schema.Schema{Type: schema.JSON, Text: c.text}, nil)
			if p.JSON.Draft != c.draft {
				t.Errorf("draft %s, want %s", p.JSON.Draft, c.draft)
			}
			checkValue(t, p, c.good, true)
			checkValue(t, p, c.bad, false)
			checkStable(t, p, nil)
		})
	}
}

func checkValue(t *testing.T, p *schema.Parsed, text string, good bool) {
	t.Helper()
	compiled, err := p.JSON.Compiled()
	if err != nil {
		t.Fatal(err)
	}
	v, err := schema.ParseValue(text, 100)
	if err != nil {
		t.Fatal(err)
	}
	err = compiled.Validate(v.Plain(func(n string) any { return json.Number(n) }))
	if (err == nil) != good {
		t.Errorf("%s: %v", text, err)
	}
}

func TestJSONReferences(t *testing.T) {
	address := schema.Schema{Type: schema.JSON, Text: `{"$ref":"street.json#/definitions/s"}`,
		References: []schema.Reference{{Name: "street.json", Subject: "street", Version: 1}}}
	street := schema.Schema{Type: schema.JSON, Text: `{"$id":"http://example.com/s.json","definitions":{"s":{"type":"string"}}}`}
	refs := []schema.Resolved{{Subject: "address", Version: 2, Schema: address}, {Subject: "street", Version: 1, Schema: street}}
	for _, c := range []struct{ name, text, ref string }{
		{"by name", `{"properties":{"a":{"$ref":"address.json"}}}`, "address.json"},
		{"by name beside an $id", `{"$id":"http://example.com/x/top.json","properties":{"a":{"$ref":"address.json"}}}`, "address.json"},
		{"by address", `{"properties":{"a":{"$ref":"http://example.com/address.json"}}}`, "http://example.com/address.json"},
		{"by a name with letters that addresses escape", `{"properties":{"a":{"$ref":"my%20address.json"}}}`, "my address.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := schema.Schema{Type: schema.JSON, Text: c.text, References: []schema.Reference{{Name: c.ref, Subject: "address", Version: 2}}}
			p := mustParse(t, s, refs)
			checkValue(t, p, `{"a":"x"}`, true)
			checkValue(t, p, `{"a":1}`, false)
			n, ok := p.JSON.Child(p.JSON.Top(), "properties", "a")
			for ok {
				to, more := p.JSON.Follow(n)
				if !more {
					break
				}
				n = to
			}
			if kind, _ := n.Value.Str("type"); kind != "string" {
				t.Errorf("the walk ends at %s", n.Value.Append(nil))
			}
		})
	}
	// A URN names a schema, though nothing can be relative to it.
	urn := schema.Schema{Type: schema.JSON, Text: `{"properties":{"a":{"$ref":"urn:example:street#/definitions/s"}}}`,
		References: []schema.Reference{{Name: "urn:example:street", Subject: "street", Version: 1}}}
	checkValue(t, mustParse(t, urn, refs), `{"a":1}`, false)
	// The own $id of a referenced schema is an address too.
	s := schema.Schema{Type: schema.JSON, Text: `{"$ref":"http://example.com/s.json#/definitions/s"}`,
		References: []schema.Reference{{Name: "street.json", Subject: "street", Version: 1}}}
	p := mustParse(t, s, refs)
	checkValue(t, p, `"x"`, true)
	checkValue(t, p, `1`, false)
}

func TestJSONRefused(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 70) + `{}` + strings.Repeat(`}`, 70)
	doubling := `{"$ref":"#/definitions/a0","definitions":{`
	for i := range 60 {
		next := `{"$ref":"#/definitions/a` + itoa(i+1) + `"}`
		doubling += `"a` + itoa(i) + `":{"allOf":[` + next + `,` + next + `]},`
	}
	doubling += `"a60":{}}}`
	for _, c := range []struct {
		name, text, says string
		kind             schema.Kind
	}{
		{"no object", `[]`, "an object or a boolean", schema.Invalid},
		{"a type that is none", `{"properties":{"a":{"type":"strong"}}}`, "at /properties/a/type: the schema breaks a rule of draft-07", schema.Invalid},
		{"a $ref without target", `{"properties":{"a":{"$ref":"#/definitions/x"}}}`, "at /properties/a: the $ref", schema.BadReference},
		{"a $ref to a file", `{"$ref":"file:///etc/passwd"}`, "leads nowhere", schema.BadReference},
		{"a $ref to an address", `{"$ref":"http://127.0.0.1/x.json"}`, "leads nowhere", schema.BadReference},
		{"a $ref to data", `{"$ref":"#/enum/0","enum":[5]}`, "no schema", schema.Invalid},
		{"itself", `{"anyOf":[{"$ref":"#"}]}`, "would never end", schema.Invalid},
		{"itself by $recursiveRef", `{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveRef":"#"}`, "would never end", schema.Invalid},
		{"itself by $recursiveRef, with an anchor", `{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"allOf":[{"$recursiveRef":"#"}]}`, "would never end", schema.Invalid},
		{"itself by the second of two references", `{"$schema":"https://json-schema.org/draft/2019-09/schema","$ref":"#/$defs/a","$recursiveRef":"#","$defs":{"a":{}}}`, "would never end", schema.Invalid},
		{"itself by $dynamicRef", `{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"t","anyOf":[{"$dynamicRef":"#t"}]}`, "would never end", schema.Invalid},
		{"references that double", doubling, "more than 1048576", schema.TooLarge},
		{"a number of a gigabyte", `{"maximum":1e1000000000}`, "digits", schema.TooLarge},
		{"too deep", deep, "64 levels", schema.TooLarge},
		{"an open pattern", `{"pattern":5}`, "draft-07", schema.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkRefused(t, schema.Schema{Type: schema.JSON, Text: c.text}, schema.Options{}, c.says, c.kind)
		})
	}
}

// A stored schema that another registry let in can still be read, and shows what is wrong with it.
func TestJSONStored(t *testing.T) {
	for _, text := range []string{`{"type":"strong"}`, `{"$ref":"http://example.com/gone.json"}`} {
		p, err := schema.Parse(schema.Schema{Type: schema.JSON, Text: text}, nil, schema.Options{Stored: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.JSON.Compiled(); err == nil || p.Canonical().Text != text {
			t.Errorf("%s: compiled without error, canonical %s", text, p.Canonical().Text)
		}
	}
}

// Java's expressions can look around, Go's cannot: the schema is taken and says that the pattern is not checked.
func TestJSONPatternBeyondGo(t *testing.T) {
	p := mustParse(t, schema.Schema{Type: schema.JSON, Text: `{"pattern":"^(?!x)[a-z]+$"}`}, nil)
	if len(p.JSON.Unchecked) == 0 || p.JSON.Unchecked[0] != "^(?!x)[a-z]+$" {
		t.Errorf("unchecked %q", p.JSON.Unchecked)
	}
	checkValue(t, p, `"anything"`, true)
}

func TestReferencesRefused(t *testing.T) {
	to := func(names ...string) (refs []schema.Reference) {
		for _, n := range names {
			refs = append(refs, schema.Reference{Name: n, Subject: n, Version: 1})
		}
		return refs
	}
	stored := func(name string, refs ...string) schema.Resolved {
		return schema.Resolved{Subject: name, Version: 1, Schema: schema.Schema{Type: schema.JSON, Text: `{}`, References: to(refs...)}}
	}
	for _, c := range []struct {
		name string
		top  []schema.Reference
		refs []schema.Resolved
		says string
		kind schema.Kind
	}{
		{"missing", to("a"), nil, `at reference "a": subject "a" version 1 does not exist`, schema.BadReference},
		{"missing further on", to("a"), []schema.Resolved{stored("a", "b")}, `reference "b"`, schema.BadReference},
		{"a circle of one", to("a"), []schema.Resolved{stored("a", "a")}, `circle (subject "a" version 1 -> subject "a" version 1)`, schema.BadReference},
		{"a circle of three", to("a"), []schema.Resolved{stored("a", "b"), stored("b", "c"), stored("c", "a")}, `-> subject "c" version 1 -> subject "a" version 1)`, schema.BadReference},
		{"one name for two", []schema.Reference{{Name: "n", Subject: "a", Version: 1}, {Name: "n", Subject: "b", Version: 1}},
			[]schema.Resolved{stored("a"), stored("b")}, `stands for subject "a" version 1 and for subject "b" version 1`, schema.BadReference},
		{"no name", []schema.Reference{{Subject: "a", Version: 1}}, []schema.Resolved{stored("a")}, "has no name", schema.BadReference},
		{"another type", to("a"), []schema.Resolved{{Subject: "a", Version: 1, Schema: schema.Schema{Text: `"int"`}}}, "JSON schemas cannot refer to AVRO", schema.BadReference},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := schema.Parse(schema.Schema{Type: schema.JSON, Text: `{}`, References: c.top}, c.refs, schema.Options{})
			if err == nil || !strings.Contains(err.Error(), c.says) || schema.KindOf(err) != c.kind {
				t.Errorf("%v; want the words %s", err, c.says)
			}
		})
	}
	// The same schema twice by one name, as in a diamond, is no doubling.
	diamond := []schema.Resolved{stored("a", "c"), stored("b", "c"), stored("c")}
	if _, err := schema.Parse(schema.Schema{Type: schema.JSON, Text: `{}`, References: to("a", "b")}, diamond, schema.Options{New: true}); err != nil {
		t.Error(err)
	}
}

func TestClosure(t *testing.T) {
	store := map[string][]string{"a": {"b", "c"}, "b": {"c"}, "c": nil, "loop": {"loop"}}
	load := func(r schema.Reference) (*schema.Schema, error) {
		names, ok := store[r.Subject]
		if !ok {
			return nil, nil
		}
		s := &schema.Schema{Text: strings.Repeat(" ", 100)}
		for _, n := range names {
			s.References = append(s.References, schema.Reference{Name: n, Subject: n, Version: 1})
		}
		return s, nil
	}
	closure := func(name string, l schema.Limits) ([]schema.Resolved, error) {
		top := schema.Schema{References: []schema.Reference{{Name: name, Subject: name, Version: 1}}}
		return schema.Closure(top, load, schema.Options{Limits: l})
	}
	got, err := closure("a", schema.Limits{})
	if err != nil || len(got) != 3 {
		t.Errorf("%v, %d schemas; want a, b and c", err, len(got))
	}
	if _, err := closure("a", schema.Limits{References: 2}); schema.KindOf(err) != schema.TooLarge {
		t.Errorf("three references under a limit of two: %v", err)
	}
	if _, err := closure("a", schema.Limits{Closure: 250}); schema.KindOf(err) != schema.TooLarge {
		t.Errorf("300 bytes under a limit of 250: %v", err)
	}
	if _, err := closure("x", schema.Limits{}); schema.KindOf(err) != schema.BadReference {
		t.Errorf("a missing reference: %v", err)
	}
	if got, err := closure("loop", schema.Limits{}); err != nil || len(got) != 1 {
		t.Errorf("a circle should load once and be refused by Parse: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	for _, s := range []schema.Schema{{Text: `"int"`}, {Type: schema.JSON, Text: `{}`}, {Type: schema.Protobuf, Text: `message M{}`}} {
		_, err := schema.Parse(s, nil, schema.Options{Context: ctx})
		if schema.KindOf(err) != schema.TooSlow {
			t.Errorf("%s after the deadline: %v", s.Type, err)
		}
	}
}
