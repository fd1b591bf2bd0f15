package compat

import (
	"errors"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// The rules that promise more than a validator keeps, by name.
const (
	growsRule   = "oneOf may grow, though a value may then fit two alternatives"
	plainRule   = "a plain type may become a oneOf that takes it, though a value may fit two alternatives"
	defaultRule = "a required property may be added if it has a default"
	bytesRule   = "two schemas with connect.type bytes are equal"
)

// jsonRule names the rule that excuses a refusal. The reader is relaxed where a rule stands, and there only: the place of the refusal in
// the reader, if what the writer says of the same value is what the rule asks for. What is refused even so is not excused.
func jsonRule(reader, writer *schema.Parsed, v any, refusal error) (rule string) {
	var e *jsonschema.ValidationError
	doc, err := unmarshal(reader.Schema.Text)
	theirs, err2 := unmarshal(writer.Schema.Text)
	if err != nil || err2 != nil {
		return ""
	}
	for errors.As(refusal, &e) {
		x := excuse{reader: doc, writer: writersDoc{theirs, writer.JSON.Draft}}
		x.walk(e)
		if x.rule == "" {
			return ""
		}
		rule = x.rule
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft7)
		if c.AddResource("test.json", doc) != nil {
			return ""
		}
		relaxed, err := c.Compile("test.json")
		if err != nil {
			return ""
		}
		refusal = relaxed.Validate(v)
		e = nil
	}
	return rule
}

type excuse struct {
	reader any
	writer writersDoc
	rule   string // of what was relaxed in this round
}

func (x *excuse) walk(e *jsonschema.ValidationError) {
	if at := x.place(e); at != nil {
		switch k := e.ErrorKind.(type) {
		case *kind.OneOf:
			if rule := x.writer.mayGrow(e.InstanceLocation); rule != "" && len(k.Subschemas) > 1 && at["oneOf"] != nil {
				x.rule = rule
				at["allOf"] = append(slices.Clone(items(at["allOf"])), map[string]any{"anyOf": at["oneOf"]})
				delete(at, "oneOf")
			}
		case *kind.Required:
			for _, name := range k.Missing {
				property, _ := member(member(at, "properties"), name).(map[string]any)
				if _, ok := property["default"]; ok {
					x.rule = defaultRule
					at["required"] = slices.DeleteFunc(slices.Clone(items(at["required"])), func(v any) bool { return v == name })
					if len(items(at["required"])) == 0 {
						delete(at, "required") // draft-04 knows no empty list
					}
				}
			}
		}
		if at["connect.type"] == "bytes" && x.writer.isBytes(e.InstanceLocation) {
			x.rule = bytesRule
			clear(at)
		}
	}
	for _, c := range e.Causes {
		x.walk(c)
	}
}

// place is the schema of the reader that refuses.
func (x *excuse) place(e *jsonschema.ValidationError) map[string]any {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	fragment, _ = url.PathUnescape(fragment)
	at := x.reader
	for _, step := range strings.Split(fragment, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if list, ok := at.([]any); ok {
			i, _ := strconv.Atoi(step)
			at = list[i]
		} else {
			at = member(at, step)
		}
	}
	object, _ := at.(map[string]any)
	return object
}

func member(v any, name string) any {
	object, _ := v.(map[string]any)
	return object[name]
}

func items(v any) []any {
	list, _ := v.([]any)
	return list
}

// writersDoc finds what the writer's text says of a value at a place in a record.
type writersDoc struct {
	doc   any
	draft schema.Draft
}

// mayGrow names the rule by which the writer's schema at a place may become a oneOf: it is one, or it is a plain type.
func (w writersDoc) mayGrow(location []string) (rule string) {
	for _, root := range w.at(location) {
		own := w.around(root, "allOf")
		several := func(list []map[string]any, keyword string) bool {
			return slices.ContainsFunc(list, func(n map[string]any) bool { return len(items(n[keyword])) > 1 })
		}
		all := w.around(root, "allOf", "anyOf", "oneOf")
		// An alternative that is alone is as good as its content.
		single := w.around(root, "allOf", "single")
		switch {
		case several(own, "oneOf") || several(single, "oneOf") && !several(single, "anyOf"):
			return growsRule
		case !several(all, "oneOf") && !several(all, "anyOf") && !several(all, "allOf") && slices.ContainsFunc(all, typed):
			rule = plainRule
		}
	}
	return rule
}

func typed(n map[string]any) bool {
	_, constant := n["const"] // which may be null
	return n["type"] != nil || n["enum"] != nil || constant
}

func (w writersDoc) isBytes(location []string) bool {
	return slices.ContainsFunc(w.at(location), func(root map[string]any) bool {
		return slices.ContainsFunc(w.around(root, "allOf", "anyOf", "oneOf"), func(n map[string]any) bool { return n["connect.type"] == "bytes" })
	})
}

// at are the schemas that apply to a place.
func (w writersDoc) at(location []string) []map[string]any {
	roots := objects(w.doc)
	for _, step := range location {
		var next []map[string]any
		for _, root := range roots {
			for _, n := range w.around(root, "allOf", "anyOf", "oneOf") {
				next = append(next, below(n, step)...)
			}
		}
		roots = next
	}
	return roots
}

// around are a schema, what it refers to, and what stands in its combinations; "single" are those of one part.
func (w writersDoc) around(root map[string]any, keywords ...string) []map[string]any {
	all := []map[string]any{root}
	for i := 0; i < len(all); i++ {
		n := all[i]
		var next []map[string]any
		_, isRef := n["$ref"].(string)
		for _, keyword := range [...]string{"$ref", "$recursiveRef", "$dynamicRef"} {
			if ref, _ := n[keyword].(string); strings.HasPrefix(ref, "#") {
				next = append(next, objects((&excuse{reader: w.doc}).place(&jsonschema.ValidationError{SchemaURL: ref}))...)
			}
		}
		for _, keyword := range [...]string{"allOf", "anyOf", "oneOf"} {
			list := items(n[keyword])
			if (!isRef || w.draft > schema.Draft7) && (slices.Contains(keywords, keyword) || len(list) == 1 && slices.Contains(keywords, "single")) {
				next = append(next, objects(list...)...)
			}
		}
		for _, one := range next {
			if !slices.ContainsFunc(all, func(known map[string]any) bool { return sameMap(known, one) }) {
				all = append(all, one)
			}
		}
	}
	return all
}

func sameMap(a, b map[string]any) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

func below(n map[string]any, step string) []map[string]any {
	var found []map[string]any
	i, err := strconv.Atoi(step)
	prefix := append(slices.Clone(items(n["prefixItems"])), items(n["items"])...)
	switch {
	case err == nil && i < len(prefix):
		return objects(prefix[i])
	case err == nil:
		return objects(n["items"], n["additionalItems"], n["unevaluatedItems"])
	}
	found = objects(member(n["properties"], step))
	patterns, _ := n["patternProperties"].(map[string]any)
	for pattern, one := range patterns {
		if regexp.MustCompile(pattern).MatchString(step) {
			found = append(found, objects(one)...)
		}
	}
	if len(found) == 0 && member(n["properties"], step) == nil {
		found = objects(n["additionalProperties"], n["unevaluatedProperties"])
	}
	return found
}

func objects(list ...any) []map[string]any {
	var found []map[string]any
	for _, v := range list {
		if object, ok := v.(map[string]any); ok && object != nil {
			found = append(found, object)
		}
	}
	return found
}

// TestJSONExcuses says of single refusals whether a rule excuses them.
func TestJSONExcuses(t *testing.T) {
	for _, c := range []struct{ writer, reader, value, rule string }{
		{`{"anyOf":[{"minimum":1},{"maximum":5}]}`, `{"oneOf":[{"minimum":1},{"maximum":5}]}`, `3`, ""},
		{`{"properties":{"a":{"anyOf":[{"minimum":1},{"maximum":5}]}}}`, `{"properties":{"a":{"oneOf":[{"minimum":1},{"maximum":5}]}}}`, `{"a":3}`, ""},
		{`{"oneOf":[{"minimum":1},{"maximum":-5}]}`, `{"oneOf":[{"minimum":1},{"maximum":-5},{"const":3}]}`, `3`, growsRule},
		{`{"type":"integer"}`, `{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `3`, plainRule},
		{`{}`, `{"oneOf":[{},{"type":"number"}]}`, `3`, ""},
		{`{"allOf":[{"type":"integer"},{"maximum":5}]}`, `{"oneOf":[{"type":"integer"},{"maximum":5}]}`, `3`, ""},
		{`{"type":"integer"}`, `{"maximum":2,"oneOf":[{"type":"integer"},{"type":"number"}]}`, `3`, ""}, // maximum refuses it besides
		{`{"type":"integer"}`, `{"anyOf":[{"type":"string"},{"oneOf":[{"type":"integer"},{"type":"number"}]}]}`, `3`, plainRule},
		{`{"type":"object"}`, `{"required":["a","b"],"properties":{"a":{"default":1}}}`, `{}`, ""},
		{`{"type":"object"}`, `{"required":["a"],"properties":{"a":{"default":1}}}`, `{}`, defaultRule},
		{`{"type":"object"}`, `{"required":["a"],"properties":{"a":{"default":null}}}`, `{}`, defaultRule},
		{`{}`, `{"$schema":"http://json-schema.org/draft-04/schema#","required":["a"],"properties":{"a":{"default":1}}}`, `{}`, defaultRule},
		{`{"type":"string","connect.type":"bytes"}`, `{"type":"number","connect.type":"bytes"}`, `""`, bytesRule},
		{`{"type":"string"}`, `{"type":"number","connect.type":"bytes"}`, `""`, ""},
	} {
		rc, err := compiled(c.reader)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := unmarshal(c.value)
		refusal := rc.Validate(v)
		if refusal == nil {
			t.Fatalf("%s takes %s", c.reader, c.value)
		}
		if rule := jsonRule(read(t, schema.JSON, c.reader), read(t, schema.JSON, c.writer), v, refusal); rule != c.rule {
			t.Errorf("%s to %s with %s: %q, not %q", c.writer, c.reader, c.value, rule, c.rule)
		}
	}
}
