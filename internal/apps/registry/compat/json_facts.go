package compat

import (
	"math/big"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// typeSet is a set of the seven types that a value of JSON may have. A number that is no integer is apart from one that is.
type typeSet uint8

const (
	nullType typeSet = 1 << iota
	booleanType
	integerType
	fractionType
	stringType
	arrayType
	objectType

	numberTypes = integerType | fractionType
	anyType     = objectType<<1 - 1
)

var typesByName = map[string]typeSet{"null": nullType, "boolean": booleanType, "integer": integerType, "number": numberTypes,
	"string": stringType, "array": arrayType, "object": objectType, "any": anyType}

// declaredTypes are the types that the keyword "type" allows.
func declaredTypes(v *schema.Value) typeSet {
	t := v.Get("type")
	switch {
	case t == nil:
		return anyType
	case t.Kind == schema.String:
		return typesByName[t.Text]
	}
	var set typeSet
	for _, item := range t.Items {
		set |= typesByName[item.Text]
	}
	return set
}

func typeOf(v *schema.Value) typeSet {
	switch v.Kind {
	case schema.Null:
		return nullType
	case schema.Bool:
		return booleanType
	case schema.String:
		return stringType
	case schema.Array:
		return arrayType
	case schema.Object:
		return objectType
	}
	if n := rational(v); n != nil && n.IsInt() {
		return integerType
	}
	return fractionType
}

func rational(v *schema.Value) *big.Rat {
	if v == nil || v.Kind != schema.Number {
		return nil
	}
	n, ok := new(big.Rat).SetString(v.Text)
	if !ok {
		return nil
	}
	return n
}

// sameData tells whether two values are one value of JSON.
func sameData(a, b *schema.Value) bool {
	if a.Kind != b.Kind || len(a.Items) != len(b.Items) || len(a.Members) != len(b.Members) {
		return false
	}
	switch a.Kind {
	case schema.Bool:
		return a.Bool == b.Bool
	case schema.String:
		return a.Text == b.Text
	case schema.Number:
		if a.Text == b.Text {
			return true
		}
		x, y := rational(a), rational(b)
		return x != nil && y != nil && x.Cmp(y) == 0
	}
	for i := range a.Items {
		if !sameData(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for _, m := range a.Members {
		if other := b.Get(m.Name); other == nil || !sameData(m.Value, other) {
			return false
		}
	}
	return true
}

// dataKey is a text that two values have in common if they are one value of JSON.
func dataKey(v *schema.Value) string {
	switch v.Kind {
	case schema.Number:
		if n := rational(v); n != nil {
			return n.RatString()
		}
		return v.Text
	case schema.String:
		return strconv.Quote(v.Text)
	case schema.Bool:
		return strconv.FormatBool(v.Bool)
	}
	var parts []string
	for _, item := range v.Items {
		parts = append(parts, dataKey(item))
	}
	for _, m := range v.Members {
		parts = append(parts, strconv.Quote(m.Name)+":"+dataKey(m.Value))
	}
	switch v.Kind {
	case schema.Array:
		return "[" + strings.Join(parts, ",") + "]"
	case schema.Object:
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "null"
}

// facts is what is known of every value that a schema lets through: each of its parts says so on its own. Parts are the schema, what
// it refers to, and the members of its allOf.
type facts struct {
	doc   *schema.JSONSchema
	parts []schema.JSONNode
	types typeSet
	never bool              // no value at all
	none  []schema.JSONNode // schemas of the writer that the values surely do not fit
	// How the facts came to be: an alternative was chosen out of several of an anyOf, or of a oneOf. See mayGrow.
	ofAny, ofOne bool
}

// factsOf gathers the parts of a schema.
func factsOf(doc *schema.JSONSchema, n schema.JSONNode, b *budget) facts {
	f := facts{doc: doc, types: anyType}
	f.add(n, b)
	return f
}

func (f *facts) add(n schema.JSONNode, b *budget) {
	if !b.enter() {
		return
	}
	defer b.leave()
	if n.Value.Kind == schema.Bool {
		f.never = f.never || !n.Value.Bool
		return
	}
	if n.Value.Kind != schema.Object {
		return
	}
	if _, ok := n.Ref(); ok {
		if to, found := f.doc.Follow(n); found {
			f.add(to, b)
		}
		if n.Draft <= schema.Draft7 {
			return
		}
	}
	n = known(n)
	f.parts = append(f.parts, n)
	f.types &= declaredTypes(n.Value)
	if list := enumerated(n.Value); list != nil {
		var set typeSet
		for _, v := range list {
			set |= typeOf(v)
		}
		f.types &= set
	}
	for _, child := range listed(f.doc, n, "allOf") {
		f.add(child, b)
	}
	f.never = f.never || f.types == 0
}

// enumerated are the values that enum and const leave; nil when there is neither.
func enumerated(v *schema.Value) []*schema.Value {
	constant, list := v.Get("const"), v.Get("enum")
	if list == nil || list.Kind != schema.Array {
		if constant != nil {
			return []*schema.Value{constant}
		}
		return nil
	}
	values := []*schema.Value{}
	for _, item := range list.Items {
		if constant == nil || sameData(item, constant) {
			values = append(values, item)
		}
	}
	return values
}

// listed are the schemas of a keyword that holds a list.
func listed(doc *schema.JSONSchema, n schema.JSONNode, keyword string) []schema.JSONNode {
	list := n.Value.Get(keyword)
	if list == nil || list.Kind != schema.Array {
		return nil
	}
	var nodes []schema.JSONNode
	for i := range list.Items {
		if child, ok := doc.Child(n, keyword, strconv.Itoa(i)); ok {
			nodes = append(nodes, child)
		}
	}
	return nodes
}

// values are all values that can be written, when a part lists them.
func (f facts) values() ([]*schema.Value, bool) {
	for _, p := range f.parts {
		if list := enumerated(p.Value); list != nil {
			var fitting []*schema.Value
			for _, v := range list {
				if typeOf(v)&f.types != 0 {
					fitting = append(fitting, v)
				}
			}
			return fitting, true
		}
	}
	return nil, false
}

// bound is the tightest of a limit on numbers: above when sign is -1 (maximum), below when it is 1.
type bound struct {
	at   *big.Rat
	open bool // the limit itself is not allowed
}

var boundKeywords = map[int][2]string{-1: {"maximum", "exclusiveMaximum"}, 1: {"minimum", "exclusiveMinimum"}}

func boundsOf(n schema.JSONNode, sign int) []bound {
	names := boundKeywords[sign]
	var list []bound
	exclusive := n.Value.Get(names[1])
	if at := rational(n.Value.Get(names[0])); at != nil {
		list = append(list, bound{at, n.Draft == schema.Draft4 && exclusive != nil && exclusive.Bool})
	}
	if at := rational(exclusive); at != nil && n.Draft != schema.Draft4 {
		list = append(list, bound{at, true})
	}
	return list
}

// within tells whether the writer's values keep a bound of the reader.
func (f facts) within(limit bound, sign int) bool {
	for _, p := range f.parts {
		for _, own := range boundsOf(p, sign) {
			c := own.at.Cmp(limit.at) * sign
			if c > 0 || c == 0 && (own.open || !limit.open) {
				return true
			}
		}
	}
	return false
}

// count is the tightest number that a keyword like maxLength gives, with the given sign; known is false when none does.
func (f facts) count(keyword string, sign int) (tightest *big.Rat) {
	for _, p := range f.parts {
		if n := rational(p.Value.Get(keyword)); n != nil && (tightest == nil || n.Cmp(tightest)*sign > 0) {
			tightest = n
		}
	}
	return tightest
}

func (f facts) required() map[string]bool {
	names := map[string]bool{}
	for _, p := range f.parts {
		if list := p.Value.Get("required"); list != nil && list.Kind == schema.Array {
			for _, name := range list.Items {
				names[name.Text] = true
			}
		}
	}
	return names
}

// content is what the schema of one part says of a property that it may not list.
type content uint8

const (
	isListed content = iota
	isCovered
	isOpen
	isClosed
)

// property finds the schemas of one part that apply to a property of that name.
func (w *jsonWalk) property(doc *schema.JSONSchema, part schema.JSONNode, name string) ([]schema.JSONNode, content) {
	var found []schema.JSONNode
	kind := isCovered
	if child, ok := doc.Child(part, "properties", name); ok {
		found, kind = append(found, child), isListed
	}
	if patterns := part.Value.Get("patternProperties"); patterns != nil {
		for _, m := range patterns.Members {
			if !w.readable(m.Name) {
				kind = isOpen // nobody knows whether its schema applies
			} else if w.matches(m.Name, name) {
				if child, ok := doc.Child(part, "patternProperties", m.Name); ok {
					found = append(found, child)
				}
			}
		}
	}
	if len(found) > 0 || kind == isOpen {
		return found, kind
	}
	rest, ok := doc.Child(part, "additionalProperties")
	if !ok && unevaluatedApplies(w, doc, part, name) {
		rest, ok = doc.Child(part, "unevaluatedProperties")
	}
	switch {
	case !ok || rest.Value.Kind == schema.Bool && rest.Value.Bool:
		return nil, isOpen
	case rest.Value.Kind == schema.Bool:
		return nil, isClosed
	}
	return []schema.JSONNode{rest}, isCovered
}

// elements are the schemas for the places of a list: first those with a schema of their own, then one for all others, nil when these
// are free.
func elements(doc *schema.JSONSchema, part schema.JSONNode) (prefix []schema.JSONNode, rest *schema.JSONNode) {
	at := func(keyword string) *schema.JSONNode {
		if n, ok := doc.Child(part, keyword); ok && n.Value.Kind != schema.Array {
			return &n
		}
		return nil
	}
	if part.Draft == schema.Draft2020 {
		return listed(doc, part, "prefixItems"), at("items")
	}
	if items := part.Value.Get("items"); items != nil && items.Kind == schema.Array {
		return listed(doc, part, "items"), at("additionalItems")
	}
	return nil, at("items")
}
