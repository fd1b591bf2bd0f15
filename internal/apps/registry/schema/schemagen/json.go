package schemagen

import (
	"encoding/json"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"

	"pgregory.net/rapid"
)

// jsonNames are the few names that properties have, so that schemas and values meet on them.
var jsonNames = []string{"a", "b", "c", "d"}

var jsonTypes = []string{"null", "boolean", "integer", "number", "string", "array", "object"}

var jsonDrafts = []string{"", "", "http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#",
	"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema"}

type jsonMaker struct {
	t     *rapid.T
	d4    bool   // draft-04 has no boolean schemas
	d2020 bool   // items holds no list
	again string // the keyword that refers to the top besides $ref
	defs  string
	refs  bool
	below int // how many properties and elements stand around: a schema refers to the top from below only
}

func jsonSchema(t *rapid.T) schema.Schema { return textOf(schema.JSON, jsonTop(t)) }

func jsonTop(t *rapid.T) *schema.Value {
	draft := rapid.SampledFrom(jsonDrafts).Draw(t, "draft")
	m := jsonMaker{t: t, d4: draft == jsonDrafts[2], d2020: draft == jsonDrafts[6], defs: "definitions"}
	if draft == jsonDrafts[5] || draft == jsonDrafts[6] {
		m.defs = "$defs"
		m.again = map[bool]string{false: "$recursiveRef", true: "$dynamicRef"}[m.d2020]
	}
	m.refs = chance(t, 30, "definitions")
	v := object()
	if draft != "" {
		put(v, "$schema", str(draft))
	}
	var body *schema.Value
	if chance(t, 75, "object at top") {
		body = m.object(3)
	} else {
		body = m.schema(3)
	}
	for _, member := range body.Members {
		put(v, member.Name, member.Value)
	}
	if m.refs {
		put(v, m.defs, object("x", pick(m.t, "shape of x", m.object, m.array)(1), "y", m.object(1)))
	}
	if chance(t, 20, "title") {
		put(v, "title", str("Title"))
	}
	return v
}

// schema makes a schema that is an object.
func (m *jsonMaker) schema(depth int) *schema.Value {
	kind := rapid.IntRange(0, 13).Draw(m.t, "kind of schema")
	switch {
	case m.below > 0 && kind == 0 && m.again != "" && chance(m.t, 15, "the top again, dynamically"):
		return object(m.again, str("#"))
	case m.below > 0 && kind == 0 && chance(m.t, 15, "the top again"):
		return object("$ref", str("#"))
	case m.refs && m.below > 0 && kind == 0:
		return object("$ref", str("#/"+m.defs+"/"+pick(m.t, "definition", "x", "y")))
	case depth > 0 && kind <= 2:
		return m.object(depth - 1)
	case depth > 0 && kind == 3:
		return m.array(depth - 1)
	case depth > 0 && kind == 4:
		return m.combined(depth - 1)
	case kind == 5:
		return object("enum", list(m.distinct()...))
	case kind == 6:
		return object("const", m.scalar()) // which draft-04 does not know
	case kind == 7:
		return object("type", list(str("null"), str(rapid.SampledFrom(jsonTypes[1:]).Draw(m.t, "type"))))
	case kind == 8:
		return object()
	case kind <= 10:
		return m.number()
	}
	return m.text()
}

func (m *jsonMaker) number() *schema.Value {
	v := object("type", str(pick(m.t, "kind of number", "integer", "number")))
	if chance(m.t, 40, "minimum") {
		put(v, "minimum", num(rapid.IntRange(-2, 3).Draw(m.t, "minimum")))
	}
	if chance(m.t, 40, "maximum") {
		put(v, "maximum", num(rapid.IntRange(3, 9).Draw(m.t, "maximum")))
	}
	if chance(m.t, 20, "multipleOf") {
		put(v, "multipleOf", literal(pick(m.t, "factor", "2", "3", "0.5", "1.0")))
	}
	if !m.d4 && chance(m.t, 20, "exclusive") {
		put(v, "exclusiveMaximum", literal(pick(m.t, "bound", "5", "1e1")))
	}
	m.bytes(v)
	return v
}

// bytes marks a schema as the bytes of Connect, which are equal whatever else they say.
func (m *jsonMaker) bytes(v *schema.Value) {
	if chance(m.t, 4, "bytes of Connect") {
		put(v, "connect.type", str("bytes"))
	}
}

func (m *jsonMaker) text() *schema.Value {
	v := object("type", str("string"))
	if chance(m.t, 30, "minLength") {
		put(v, "minLength", num(rapid.IntRange(0, 2).Draw(m.t, "minLength")))
	}
	if chance(m.t, 30, "maxLength") {
		put(v, "maxLength", num(rapid.IntRange(2, 4).Draw(m.t, "maxLength")))
	}
	if chance(m.t, 20, "pattern") {
		put(v, "pattern", str(pick(m.t, "pattern", "^[a-c]*$", "x", "^a")))
	}
	m.bytes(v)
	return v
}

func (m *jsonMaker) scalar() *schema.Value {
	switch rapid.IntRange(0, 4).Draw(m.t, "scalar") {
	case 0:
		return null()
	case 1:
		return boolean(rapid.Bool().Draw(m.t, "boolean"))
	case 2:
		return str(pick(m.t, "text", "x", "ab", ""))
	case 3:
		return literal(pick(m.t, "fraction", "1.5", "2.0"))
	}
	return num(rapid.IntRange(0, 5).Draw(m.t, "integer"))
}

// distinct makes one to three values that differ in more than their letters.
func (m *jsonMaker) distinct() []*schema.Value {
	var values []*schema.Value
	seen := map[string]bool{}
	for range rapid.IntRange(1, 3).Draw(m.t, "values") {
		v := m.scalar()
		key := string(v.Append(nil))
		if v.Kind == schema.Number {
			f, _ := strconv.ParseFloat(v.Text, 64)
			key = strconv.FormatFloat(f, 'g', -1, 64)
		}
		if !seen[key] {
			seen[key] = true
			values = append(values, v)
		}
	}
	return values
}

// sub makes the schema of a property or an element, which may be a boolean.
func (m *jsonMaker) sub(depth int) *schema.Value {
	m.below++
	defer func() { m.below-- }()
	if !m.d4 && chance(m.t, 10, "boolean schema") {
		return boolean(rapid.Bool().Draw(m.t, "boolean"))
	}
	v := m.schema(depth)
	if chance(m.t, 10, "default") {
		put(v, "default", m.scalar())
	}
	return v
}

func (m *jsonMaker) object(depth int) *schema.Value {
	v := object("type", str("object"))
	if chance(m.t, 90, "properties") {
		properties := object()
		for range rapid.IntRange(0, 4).Draw(m.t, "count of properties") {
			put(properties, rapid.SampledFrom(jsonNames).Draw(m.t, "property"), m.sub(depth))
		}
		put(v, "properties", properties)
	}
	if chance(m.t, 40, "required") {
		names := []string{rapid.SampledFrom(jsonNames).Draw(m.t, "required name")}
		if properties := v.Get("properties"); properties != nil && len(properties.Members) > 0 && chance(m.t, 90, "of the properties") {
			names[0] = properties.Members[0].Name
		}
		put(v, "required", list(str(names[0])))
	}
	switch rapid.IntRange(0, 5).Draw(m.t, "additional properties") {
	case 0, 1:
		put(v, "additionalProperties", boolean(false))
	case 2:
		put(v, "additionalProperties", m.sub(0))
	case 3:
		put(v, "patternProperties", object(pick(m.t, "name pattern", "^a", "b|c"), m.sub(0)))
	}
	if chance(m.t, 10, "maxProperties") {
		put(v, "maxProperties", num(rapid.IntRange(1, 3).Draw(m.t, "maxProperties")))
	}
	if chance(m.t, 7, "minProperties") {
		put(v, "minProperties", num(rapid.IntRange(1, 2).Draw(m.t, "minProperties")))
	}
	m.beside(v)
	return v
}

// beside adds the rarer keywords of objects. Some drafts do not know some of them, and then they say nothing.
func (m *jsonMaker) beside(v *schema.Value) {
	if chance(m.t, 10, "dependencies") {
		put(v, pick(m.t, "keyword", "dependencies", "dependentRequired"), object("a", list(str("b"))))
	}
	if chance(m.t, 6, "dependency of a schema") {
		put(v, pick(m.t, "keyword", "dependencies", "dependentSchemas"), object("b", object("required", list(str("c")))))
	}
	if chance(m.t, 6, "propertyNames") {
		put(v, "propertyNames", pick(m.t, "names", object("enum", list(str("a"), str("b"))), object("pattern", str("^[a-d]$"))))
	}
	if chance(m.t, 8, "a combination beside") {
		parts := list()
		for range rapid.IntRange(1, 2).Draw(m.t, "parts") {
			parts.Items = append(parts.Items, object("properties", object(rapid.SampledFrom(jsonNames).Draw(m.t, "property"), m.sub(0))))
		}
		put(v, pick(m.t, "combination", "anyOf", "oneOf", "allOf"), parts)
	}
	if chance(m.t, 8, "unevaluatedProperties") {
		put(v, "unevaluatedProperties", m.sub(0))
	}
}

func (m *jsonMaker) array(depth int) *schema.Value {
	v := object("type", str("array"))
	switch {
	case chance(m.t, 25, "tuple"):
		m.tuple(v, depth)
	case chance(m.t, 80, "items"):
		put(v, "items", m.sub(depth))
	}
	if chance(m.t, 20, "minItems") {
		put(v, "minItems", num(1))
	}
	if chance(m.t, 20, "maxItems") {
		put(v, "maxItems", num(rapid.IntRange(1, 3).Draw(m.t, "maxItems")))
	}
	if chance(m.t, 10, "uniqueItems") {
		put(v, "uniqueItems", boolean(true))
	}
	if chance(m.t, 10, "contains") {
		put(v, "contains", m.sub(0))
		if chance(m.t, 40, "minContains") {
			put(v, pick(m.t, "keyword", "minContains", "maxContains"), num(rapid.IntRange(0, 2).Draw(m.t, "count")))
		}
	}
	if chance(m.t, 8, "unevaluatedItems") {
		put(v, "unevaluatedItems", m.sub(0))
	}
	return v
}

// tuple describes elements by their place, as this draft does or, now and then, as another.
func (m *jsonMaker) tuple(v *schema.Value, depth int) {
	places := list()
	for range rapid.IntRange(1, 3).Draw(m.t, "places") {
		places.Items = append(places.Items, m.sub(depth))
	}
	first, further := "items", "additionalItems"
	if m.d2020 || chance(m.t, 15, "by another draft") {
		first, further = "prefixItems", "items"
	}
	put(v, first, places)
	if chance(m.t, 60, "further elements") {
		put(v, further, pick(m.t, "further", object("not", object()), m.sub(0)))
	}
}

func (m *jsonMaker) combined(depth int) *schema.Value {
	keyword := pick(m.t, "combination", "anyOf", "oneOf", "allOf", "not", "if")
	switch keyword {
	case "not":
		return object("not", m.schema(depth))
	case "if":
		v := object("if", m.schema(0), "then", m.schema(depth))
		if rapid.Bool().Draw(m.t, "else") {
			put(v, "else", m.schema(0))
		}
		return v
	}
	parts := list()
	for range rapid.IntRange(1, 3).Draw(m.t, "parts") {
		parts.Items = append(parts.Items, m.schema(depth))
	}
	return object(keyword, parts)
}

func jsonPair(t *rapid.T) Pair {
	now := jsonTop(t)
	p := Pair{Old: textOf(schema.JSON, now)}
	if chance(t, 10, "another schema") {
		p.New, p.Changes = textOf(schema.JSON, jsonTop(t)), []string{"another schema"}
		return p
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		next := now.Clone()
		what := changeJSON(t, next)
		if what != "" && valid(textOf(schema.JSON, next)) {
			now = next
			p.Changes = append(p.Changes, what)
		}
	}
	p.New = textOf(schema.JSON, now)
	return p
}

// jsonSlots are all places of schemas, outermost first.
func jsonSlots(v *schema.Value) []*schema.Value {
	if v.Kind != schema.Object {
		return nil
	}
	slots := []*schema.Value{v}
	for _, m := range v.Members {
		switch m.Name {
		case "properties", "patternProperties", "definitions", "$defs", "dependentSchemas":
			for _, inner := range m.Value.Members {
				slots = append(slots, jsonSlots(inner.Value)...)
			}
		case "anyOf", "oneOf", "allOf", "prefixItems":
			for _, inner := range m.Value.Items {
				slots = append(slots, jsonSlots(inner)...)
			}
		case "items", "additionalItems", "unevaluatedItems", "additionalProperties", "unevaluatedProperties", "contains", "not", "if", "then", "else":
			for _, inner := range m.Value.Items {
				slots = append(slots, jsonSlots(inner)...)
			}
			slots = append(slots, jsonSlots(m.Value)...)
		}
	}
	return slots
}

func changeJSON(t *rapid.T, top *schema.Value) string {
	slots := jsonSlots(top)
	at := slots[rapid.IntRange(0, len(slots)-1).Draw(t, "place")]
	m := jsonMaker{t: t, d4: true, d2020: true}
	if top.Get("$schema") != nil && chance(t, 5, "another draft") {
		draft := rapid.SampledFrom(jsonDrafts[2:]).Draw(t, "draft")
		put(top, "$schema", str(draft))
		return "draft changed to " + draft
	}
	if properties := at.Get("properties"); properties != nil && chance(t, 70, "change properties") {
		return changeProperties(t, m, at, properties)
	}
	if len(at.Members) > 0 && chance(t, 50, "change a keyword") {
		return changeKeyword(t, m, at)
	}
	switch rapid.IntRange(0, 3).Draw(t, "change of schema") {
	case 3:
		return changeCombination(t, at)
	case 0:
		was := at.Clone()
		if at == top {
			return ""
		}
		*at = *object(pick(t, "wrap", "anyOf", "oneOf", "allOf"), list(was, m.schema(0)))
		return "wrapped in a combination"
	case 1:
		if draft, _ := top.Str("$schema"); at.Get("$ref") != nil && !strings.Contains(draft, "/draft/20") {
			return "" // what stands beside a reference says nothing, but the library that the oracle asks reads some of it
		}
		added := m.schema(0)
		for _, member := range added.Members {
			put(at, member.Name, member.Value)
		}
		return "keywords added"
	}
	put(at, "description", str("new"))
	return "described"
}

// changeCombination turns one combination into another.
func changeCombination(t *rapid.T, at *schema.Value) string {
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		if parts := at.Get(keyword); parts != nil {
			other := pick(t, "another combination", "anyOf", "oneOf", "allOf")
			drop(at, keyword)
			put(at, other, parts)
			return keyword + " became " + other
		}
	}
	return ""
}

func changeProperties(t *rapid.T, m jsonMaker, at, properties *schema.Value) string {
	name := rapid.SampledFrom(jsonNames).Draw(t, "property")
	switch rapid.IntRange(0, 5).Draw(t, "change of object") {
	case 0, 1:
		put(properties, name, m.schema(1))
		return "property " + name + " put"
	case 2:
		drop(properties, name)
		return "property " + name + " dropped"
	case 3:
		put(at, "required", list(str(name)))
		return "required " + name
	case 4:
		drop(at, "required")
		return "nothing required"
	}
	if at.Get("additionalProperties") != nil {
		drop(at, "additionalProperties")
		return "opened"
	}
	put(at, "additionalProperties", boolean(false))
	return "closed"
}

func changeKeyword(t *rapid.T, m jsonMaker, at *schema.Value) string {
	i := rapid.IntRange(0, len(at.Members)-1).Draw(t, "keyword")
	name, v := at.Members[i].Name, at.Members[i].Value
	if name == "$schema" {
		return ""
	}
	if v.Kind == schema.Number && v.IsInteger() && chance(t, 70, "another number") {
		n, _ := v.Int64()
		at.Members[i].Value = num(max(0, int(n)+pick(t, "by", -1, 1, 2)))
		return name + " moved"
	}
	if name == "enum" && chance(t, 70, "another value") {
		put(at, "enum", list(m.distinct()...))
		return "another enum"
	}
	if name == "type" && chance(t, 70, "another type") {
		put(at, "type", str(rapid.SampledFrom(jsonTypes).Draw(t, "type")))
		return "another type"
	}
	drop(at, name)
	return name + " removed"
}

// JSONValue makes a value of the schema: most fit it, some do not. It is made of the types that encoding/json gives, with json.Number
// for numbers.
func JSONValue(j *schema.JSONSchema) *rapid.Generator[any] {
	compiled, _ := j.Compiled()
	return rapid.Custom(func(t *rapid.T) any {
		tries := pick(t, "tries", 12, 12, 12, 1)
		for {
			v := jsonValue(t, j, j.Top(), 4)
			if tries--; tries <= 0 || compiled.Validate(v) == nil {
				return v
			}
		}
	})
}

func jsonValue(t *rapid.T, j *schema.JSONSchema, n schema.JSONNode, depth int) any {
	for range 4 {
		to, ok := j.Follow(n)
		if !ok {
			break
		}
		n = to
	}
	if depth <= 0 || n.Value.Kind == schema.Bool || chance(t, 2, "anything") {
		return anyJSON(t, depth)
	}
	if v, ok := chosenValue(t, j, n, depth); ok {
		return v
	}
	kind, _ := n.Value.Str("type")
	if types := n.Value.Get("type"); types != nil && types.Kind == schema.Array && len(types.Items) > 0 {
		kind = types.Items[rapid.IntRange(0, len(types.Items)-1).Draw(t, "type")].Text
	}
	switch kind {
	case "object":
		return objectValue(t, j, n, depth)
	case "array":
		return arrayValue(t, j, n, depth)
	case "string":
		return pick(t, "string", "ax", "ab", "aax", "abc", "a", "x", "", "abcd", "hello")
	case "integer", "number":
		return numberValue(t, n.Value, kind)
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	case "null":
		return nil
	}
	if n.Value.Get("properties") != nil {
		return objectValue(t, j, n, depth)
	}
	return anyJSON(t, depth)
}

// numberValue stays between the bounds most of the time.
func numberValue(t *rapid.T, v *schema.Value, kind string) any {
	low, high := -3, 12
	if n, ok := v.Get("minimum").Int64(); ok && chance(t, 80, "above the minimum") {
		low = int(n)
	}
	if n, ok := v.Get("maximum").Int64(); ok && chance(t, 80, "below the maximum") {
		high = int(n)
	}
	if kind == "number" && chance(t, 20, "a fraction") {
		return json.Number(pick(t, "number", "1.5", "4.0", "9.5", "1e1"))
	}
	return json.Number(itoa(rapid.IntRange(min(low, high), high).Draw(t, "integer")))
}

// chosenValue takes a value out of enum or const, or one for a part of a combination.
func chosenValue(t *rapid.T, j *schema.JSONSchema, n schema.JSONNode, depth int) (any, bool) {
	plain := func(v *schema.Value) any { return v.Plain(func(s string) any { return json.Number(s) }) }
	if v := n.Value.Get("const"); v != nil {
		return plain(v), true
	}
	if v := n.Value.Get("enum"); v != nil && v.Kind == schema.Array && len(v.Items) > 0 {
		return plain(v.Items[rapid.IntRange(0, len(v.Items)-1).Draw(t, "of enum")]), true
	}
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		parts := n.Value.Get(keyword)
		if parts == nil || len(parts.Items) == 0 {
			continue
		}
		i := rapid.IntRange(0, len(parts.Items)-1).Draw(t, "part")
		if part, ok := j.Child(n, keyword, itoa(i)); ok {
			return jsonValue(t, j, part, depth-1), true
		}
	}
	return nil, false
}

func objectValue(t *rapid.T, j *schema.JSONSchema, n schema.JSONNode, depth int) any {
	required := map[string]bool{}
	if list := n.Value.Get("required"); list != nil {
		for _, item := range list.Items {
			required[item.Text] = true
		}
	}
	v := map[string]any{}
	for _, name := range append([]string{"e"}, jsonNames...) {
		child, known := j.Child(n, "properties", name)
		switch {
		case required[name] || known && chance(t, 60, "property "+name):
			if known {
				v[name] = jsonValue(t, j, child, depth-1)
			} else {
				v[name] = anyJSON(t, depth-1)
			}
		case !known && chance(t, 3, "unknown property "+name):
			v[name] = anyJSON(t, depth-1)
		}
	}
	return v
}

func arrayValue(t *rapid.T, j *schema.JSONSchema, n schema.JSONNode, depth int) any {
	v := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
	for i := range v {
		if child, ok := elementSchema(j, n, i); ok {
			v[i] = jsonValue(t, j, child, depth-1)
		} else {
			v[i] = anyJSON(t, depth-1)
		}
	}
	return v
}

// elementSchema is what most likely describes an element.
func elementSchema(j *schema.JSONSchema, n schema.JSONNode, i int) (schema.JSONNode, bool) {
	for _, path := range [][]string{{"prefixItems", itoa(i)}, {"items", itoa(i)}, {"items"}, {"additionalItems"}} {
		if child, ok := j.Child(n, path...); ok && child.Value.Kind != schema.Array {
			return child, true
		}
	}
	return schema.JSONNode{}, false
}

func anyJSON(t *rapid.T, depth int) any {
	switch rapid.IntRange(0, 7).Draw(t, "any value") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "boolean")
	case 2, 3:
		return json.Number(pick(t, "number", "0", "1", "2.5", "7", "-1"))
	case 4:
		if depth > 0 {
			return map[string]any{rapid.SampledFrom(jsonNames).Draw(t, "name"): anyJSON(t, depth-1)}
		}
	case 5:
		if depth > 0 {
			return []any{anyJSON(t, depth-1)}
		}
	}
	return pick(t, "string", "", "x", "abc")
}
