package compat

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// jsonTries bounds how many values are validated in search of an example.
const jsonTries = 2000

// jsonExample makes values at the places of the findings and shows the first that the writer's validator takes and the reader's refuses.
func jsonExample(w *jsonWalk, spots []jsonSpot) *Example {
	reader, err := w.reader.Compiled()
	if err != nil {
		return nil
	}
	writer, err := w.writer.Compiled()
	if err != nil {
		return nil
	}
	m := jsonMaker{w: w}
	for _, s := range spots[:min(len(spots), 20)] {
		for _, leaf := range m.leaves(s) {
			if m.tries++; m.tries > jsonTries || !w.spend() {
				return nil
			}
			if e := jsonTried(reader, writer, m.wrap(w.writer.Top(), s.steps, leaf)); e != nil {
				return e
			}
		}
	}
	return nil
}

func jsonTried(reader, writer *jsonschema.Schema, v any) *Example {
	if writer.Validate(v) != nil {
		return nil
	}
	err := reader.Validate(v)
	if err == nil {
		return nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	why := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")
	return &Example{Record: strings.TrimSpace(text.String()), Why: "the reader refuses the record: " + why}
}

type jsonMaker struct {
	w     *jsonWalk
	size  int
	tries int
}

func (m *jsonMaker) room() bool {
	m.size++
	return m.size < 20*exampleSize && m.w.spend()
}

func jsonNumber(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	return json.Number(strings.TrimRight(r.FloatString(6), "0"))
}

// pool are values of every type.
func pool() []any {
	return []any{nil, true, false, json.Number("0"), json.Number("1"), json.Number("-1"), json.Number("1.5"), json.Number("1000003"), "", "a", "abc",
		"zzzzzzzzzz", []any{}, []any{json.Number("1"), json.Number("1")}, []any{"a", nil}, map[string]any{}, map[string]any{"zz": "a"}}
}

// ownLeaf stands for one of the samples of whatever the writer has at the place.
type ownLeaf int

// leaves are values for the place of a finding: what the writer writes there, what lies just beyond the reader's limits, and some of
// every type.
func (m *jsonMaker) leaves(s jsonSpot) []any {
	var list []any
	own := []any{}
	if s.writer.Value != nil {
		own = m.samplesOf(s.facts, 4)
	}
	list = append(list, own...)
	if len(s.steps) > 0 {
		list = append(list, ownLeaf(0), ownLeaf(1), ownLeaf(3), ownLeaf(8))
	}
	for _, name := range [...]string{"maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf"} {
		if at := rational(s.reader.Value.Get(name)); at != nil {
			for _, by := range [...]int64{0, 1, -1} {
				list = append(list, jsonNumber(new(big.Rat).Add(at, big.NewRat(by, 1))))
			}
			list = append(list, jsonNumber(new(big.Rat).Mul(at, big.NewRat(1, 2))))
		}
	}
	for _, name := range [...]string{"maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"} {
		if n, ok := s.reader.Value.Get(name).Int64(); ok && n < 1000 {
			list = append(list, m.ofLength(s, max(0, int(n)-1))...)
			list = append(list, m.ofLength(s, int(n)+1)...)
		}
	}
	list = append(list, m.ofTwo(s)...)
	list = append(list, m.spoken(s)...)
	list = append(list, m.names(s)...)
	list = append(list, pool()...)
	return append(list, m.objects(s, own)...)
}

// ofTwo are values that may fit two alternatives of a oneOf of the reader.
func (m *jsonMaker) ofTwo(s jsonSpot) (values []any) {
	alternatives := listed(m.w.reader, s.reader, "oneOf")
	for i, a := range alternatives {
		for _, b := range alternatives[:i] {
			if !m.room() || len(values) > 200 {
				return values
			}
			both := factsOf(m.w.reader, a, m.w.budget)
			both.add(b, m.w.budget)
			values = append(values, m.samplesOf(both, 3)...)
		}
	}
	return values
}

// names are objects with one property whose name may be refused by the reader's propertyNames.
func (m *jsonMaker) names(s jsonSpot) (values []any) {
	demand, ok := m.w.reader.Child(s.reader, "propertyNames")
	if !ok {
		return nil
	}
	names := []any{"", "a", "x", "zz", "abc", "A", "0", "a b"}
	for _, keyword := range [...]string{"maxLength", "minLength"} {
		if n, ok := demand.Value.Get(keyword).Int64(); ok && n < 1000 {
			names = append(names, strings.Repeat("a", int(n)+1), strings.Repeat("x", int(n)+1), strings.Repeat("a", max(0, int(n)-1)))
		}
	}
	if s.writer.Value == nil {
		return nil
	}
	f := factsOf(m.w.writer, s.writer, m.w.budget)
	if theirs, ok := m.w.writer.Child(s.writer, "propertyNames"); ok {
		names = append(m.samples(theirs, 3), names...)
	}
	for _, name := range names {
		if text, ok := name.(string); ok {
			object := m.object(f, 3)
			object[text] = m.propertyOf(f, text, 3)
			values = append(values, m.complete(f, object, 3))
		}
	}
	return values
}

func (m *jsonMaker) ofLength(s jsonSpot, n int) []any {
	element := any("a")
	if s.writer.Value != nil {
		if prefix, rest := elements(m.w.writer, s.writer); len(prefix) == 0 && rest != nil {
			if some := m.samples(*rest, 3); len(some) > 0 {
				element = some[0]
			}
		}
	}
	object := map[string]any{}
	for i := range n {
		object["p"+strconv.Itoa(i)] = "a"
	}
	return []any{strings.Repeat("a", n), strings.Repeat("x", n), slices.Repeat([]any{element}, n), object}
}

// objects change one property of an object that the writer may write.
func (m *jsonMaker) objects(s jsonSpot, own []any) []any {
	names := append(memberNames(s.reader.Value.Get("properties")), "further", "a", "b", "c")
	if s.writer.Value != nil {
		names = append(names, memberNames(s.writer.Value.Get("properties"))...)
	}
	var list []any
	for _, v := range own {
		base, ok := v.(map[string]any)
		if !ok {
			continue
		}
		for _, name := range names[:min(len(names), 300)] {
			values := pool()
			if s.writer.Value != nil {
				if child, ok := m.w.writer.Child(s.writer, "properties", name); ok {
					values = append(m.samples(child, 3), values...)
				}
			}
			for _, value := range values {
				object := withProperty(base, name, value)
				if s.writer.Value != nil {
					object = m.complete(factsOf(m.w.writer, s.writer, m.w.budget), object, 3)
				}
				list = append(list, object)
			}
		}
		break
	}
	return list
}

func withProperty(base map[string]any, name string, value any) map[string]any {
	object := make(map[string]any, len(base)+1)
	for k, v := range base {
		object[k] = v
	}
	object[name] = value
	return object
}

// samples are a few values that fit a schema of the writer, or nearly so: the validator has the last word.
func (m *jsonMaker) samples(n schema.JSONNode, depth int) []any {
	if depth == 0 {
		return nil
	}
	return m.samplesOf(factsOf(m.w.writer, n, m.w.budget), depth)
}

// samplesOf are a few values that have the facts, or nearly so.
func (m *jsonMaker) samplesOf(f facts, depth int) []any {
	if f.never || depth <= 0 || !m.room() {
		return nil
	}
	if values, ok := f.values(); ok {
		var list []any
		for _, v := range values[:min(len(values), 20)] {
			list = append(list, v.Plain(func(s string) any { return json.Number(s) }))
		}
		return list
	}
	var list []any
	if f.types&objectType != 0 {
		list = append(list, m.object(f, depth))
	}
	if f.types&arrayType != 0 {
		list = append(list, m.array(f, depth)...)
	}
	if f.types&stringType != 0 {
		for _, p := range f.parts {
			if pattern, ok := p.Value.Str("pattern"); ok {
				for _, text := range textsOf(pattern) {
					list = append(list, text)
				}
			}
		}
		least := 0
		if n := f.count("minLength", 1); n != nil && n.IsInt() && n.Num().IsInt64() && n.Num().Int64() < 1000 {
			least = int(n.Num().Int64())
		}
		for _, letter := range [...]string{"a", "x", "ab"} {
			list = append(list, strings.Repeat(letter, max(1, least)))
		}
	}
	if f.types&numberTypes != 0 {
		list = append(list, f.someNumbers()...)
	}
	if f.types&booleanType != 0 {
		list = append(list, true, false)
	}
	if f.types&nullType != 0 {
		list = append(list, nil)
	}
	for _, p := range f.parts {
		for _, keyword := range [...]string{"anyOf", "oneOf"} {
			var some []any
			for _, a := range listed(f.doc, p, keyword) {
				for _, v := range m.samplesOf(factsOf(f.doc, a, m.w.budget), depth-1) {
					some = append(some, mergedWith(list, v))
				}
			}
			list = append(some, list...)
		}
	}
	return list[:min(len(list), 40)]
}

// mergedWith adds the members of an object to those of the object among the samples.
func mergedWith(list []any, v any) any {
	object, ok := v.(map[string]any)
	if !ok || len(list) == 0 {
		return v
	}
	base, _ := list[0].(map[string]any)
	for name, value := range base {
		if _, has := object[name]; !has {
			object = withProperty(object, name, value)
		}
	}
	return object
}

func (f facts) someNumbers() []any {
	list := []any{}
	for _, keyword := range [...]string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} {
		if n := f.count(keyword, 1); n != nil {
			list = append(list, jsonNumber(n), jsonNumber(new(big.Rat).Add(n, n)), jsonNumber(new(big.Rat).Add(n, big.NewRat(1, 1))),
				jsonNumber(new(big.Rat).Sub(n, big.NewRat(1, 1))))
		}
	}
	return append(list, json.Number("1"), json.Number("0"), json.Number("2"), json.Number("1.5"), json.Number("-1"))
}

func (m *jsonMaker) object(f facts, depth int) map[string]any {
	object := map[string]any{}
	for name := range f.required() {
		object[name] = m.propertyOf(f, name, depth-1)
	}
	return m.complete(f, object, depth)
}

// complete adds the properties that are too few, and those that others of the object depend on.
func (m *jsonMaker) complete(f facts, object map[string]any, depth int) map[string]any {
	if least := f.count("minProperties", 1); least != nil && least.IsInt() && least.Num().IsInt64() && least.Num().Int64() < 20 {
		for _, name := range append(f.listedNames(), "further", "more", "a", "b", "c") {
			if _, has := object[name]; !has && len(object) < int(least.Num().Int64()) {
				object[name] = m.propertyOf(f, name, depth-1)
			}
		}
	}
	for _, p := range f.parts {
		for _, keyword := range [...]string{"dependencies", "dependentRequired"} {
			list := p.Value.Get(keyword)
			for _, name := range memberNames(list) {
				if _, has := object[name]; !has || list.Get(name).Kind != schema.Array {
					continue
				}
				for _, item := range list.Get(name).Items {
					if _, has := object[item.Text]; !has {
						object[item.Text] = m.propertyOf(f, item.Text, depth-1)
					}
				}
			}
		}
	}
	return object
}

func (f facts) listedNames() (names []string) {
	for _, p := range f.parts {
		names = append(names, memberNames(p.Value.Get("properties"))...)
	}
	return names
}

// propertyOf is a value for a property of the writer.
func (m *jsonMaker) propertyOf(f facts, name string, depth int) any {
	if child := m.childOf(f, name); child != nil {
		if some := m.samplesOf(factsOf(f.doc, *child, m.w.budget), depth); len(some) > 0 {
			return some[0]
		}
	}
	return json.Number("1")
}

func (m *jsonMaker) childOf(f facts, name string) *schema.JSONNode {
	for _, p := range f.parts {
		if schemas, _ := m.w.property(f.doc, p, name); len(schemas) > 0 {
			return &schemas[0]
		}
	}
	return nil
}

func (m *jsonMaker) array(f facts, depth int) []any {
	least := 0
	if n := f.count("minItems", 1); n != nil && n.IsInt() && n.Num().IsInt64() && n.Num().Int64() < 100 {
		least = int(n.Num().Int64())
	}
	var list []any
	for _, size := range [...]int{least, least + 1, least + 2} {
		items := make([]any, size)
		for i := range items {
			items[i] = m.elementOf(f, i, depth-1)
		}
		list = append(list, items)
	}
	return list
}

func (m *jsonMaker) elementOf(f facts, i, depth int) any {
	if child := m.elementSchema(f, i); child != nil {
		if some := m.samplesOf(factsOf(f.doc, *child, m.w.budget), depth); len(some) > 0 {
			return some[i%len(some)]
		}
	}
	return json.Number(strconv.Itoa(i))
}

func (m *jsonMaker) elementSchema(f facts, i int) *schema.JSONNode {
	for _, p := range f.parts {
		prefix, rest := elements(f.doc, p)
		if i < len(prefix) {
			return &prefix[i]
		}
		if rest != nil {
			return rest
		}
	}
	return nil
}

// wrap puts a value at its place in a record.
func (m *jsonMaker) wrap(n schema.JSONNode, steps []string, leaf any) any {
	if k, ok := leaf.(ownLeaf); ok && len(steps) == 0 {
		some := m.samples(n, 4)
		if len(some) == 0 {
			return nil
		}
		return some[int(k)%len(some)]
	}
	if len(steps) == 0 || !m.room() {
		return leaf
	}
	f := m.shaped(factsOf(m.w.writer, n, m.w.budget), steps[0])
	i, err := strconv.Atoi(steps[0])
	if err == nil && f.types&arrayType != 0 && (m.elementSchema(f, i) != nil || f.types&objectType == 0) {
		list := m.array(f, 3)[0].([]any)
		for len(list) <= i {
			list = append(list, m.elementOf(f, len(list), 3))
		}
		list[i] = plainLeaf(leaf)
		if child := m.elementSchema(f, i); child != nil {
			list[i] = m.wrap(*child, steps[1:], leaf)
		}
		return list
	}
	object := m.object(f, 4)
	if child := m.childOf(f, steps[0]); child != nil {
		leaf = m.wrap(*child, steps[1:], leaf)
	}
	object[steps[0]] = plainLeaf(leaf)
	return m.complete(f, object, 4)
}

// plainLeaf is a leaf at a place that the writer says nothing of.
func plainLeaf(leaf any) any {
	if _, ok := leaf.(ownLeaf); ok {
		return nil
	}
	return leaf
}

// shaped adds the alternative that knows the next step, if the facts do not.
func (m *jsonMaker) shaped(f facts, step string) facts {
	if i, err := strconv.Atoi(step); m.childOf(f, step) != nil || err == nil && m.elementSchema(f, i) != nil {
		return f
	}
	for _, p := range f.parts {
		for _, keyword := range [...]string{"anyOf", "oneOf"} {
			for _, a := range listed(m.w.writer, p, keyword) {
				more := facts{doc: f.doc, parts: slices.Clone(f.parts), types: f.types}
				more.add(a, m.w.budget)
				if i, err := strconv.Atoi(step); m.childOf(more, step) != nil || err == nil && m.elementSchema(more, i) != nil {
					return more
				}
			}
		}
	}
	return f
}
