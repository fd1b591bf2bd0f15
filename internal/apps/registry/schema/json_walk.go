package schema

import (
	"net/url"
	"strconv"
	"strings"
)

// JSONNode is a place in a JSON Schema or in one that it refers to: a schema and what is needed to resolve the addresses in it.
type JSONNode struct {
	Value   *Value // an object or a boolean
	Base    string // the address against which its $ref and $id are resolved
	Draft   Draft
	Pointer string // where it stands in its document
}

// Top is the whole schema.
func (j *JSONSchema) Top() JSONNode { return j.top }

// Child is the place below n under the given names and indexes, such as "properties", "a" or "allOf", "0".
func (j *JSONSchema) Child(n JSONNode, path ...string) (JSONNode, bool) {
	for _, token := range path {
		next := n.Value.child(token)
		if next == nil {
			return JSONNode{}, false
		}
		n = n.step(next, token)
	}
	return n, true
}

func (v *Value) child(token string) *Value {
	switch v.Kind {
	case Object:
		return v.Get(token)
	case Array:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(v.Items) {
			return v.Items[i]
		}
	}
	return nil
}

// pointerToken escapes a name for a JSON pointer. It is made once: a replacer builds tables on its first use.
var pointerToken = strings.NewReplacer("~", "~0", "/", "~1")

// step goes one token down and takes over the address that the value there gives itself.
func (n JSONNode) step(v *Value, token string) JSONNode {
	n.Value = v
	n.Pointer += "/" + pointerToken.Replace(token)
	if id, ok := n.ownID(); ok {
		n.Base = resolveAddress(n.Base, id)
	}
	if text, ok := v.Str("$schema"); ok {
		if d, ok := draftOf(text); ok {
			n.Draft = d
		}
	}
	return n
}

// ownID is the address that a schema gives itself, without a fragment.
func (n JSONNode) ownID() (string, bool) {
	id, ok := n.Value.Str(n.Draft.idKeyword())
	if !ok || n.Draft.refStandsAlone() && n.Value.Get("$ref") != nil {
		return "", false
	}
	id, _, _ = strings.Cut(id, "#")
	return id, id != ""
}

// anchors are the names that a schema gives its own place.
func (n JSONNode) anchors() []string {
	var names []string
	if n.Draft <= Draft7 {
		if id, ok := n.Value.Str(n.Draft.idKeyword()); ok && n.Value.Get("$ref") == nil {
			if _, fragment, _ := strings.Cut(id, "#"); fragment != "" && fragment[0] != '/' {
				names = append(names, fragment)
			}
		}
		return names
	}
	for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
		if name, ok := n.Value.Str(keyword); ok {
			names = append(names, name)
		}
	}
	return names
}

// Ref is the text of the reference at n, if it has one. $recursiveRef and $dynamicRef are read as the $ref that they are when nothing
// overrides them, which is all that can be said without a value.
func (n JSONNode) Ref() (string, bool) {
	for _, keyword := range n.Draft.refKeywords() {
		if ref, ok := n.Value.Str(keyword); ok {
			return ref, true
		}
	}
	return "", false
}

func (d Draft) refKeywords() []string {
	switch d {
	case Draft2019:
		return []string{"$ref", "$recursiveRef"}
	case Draft2020:
		return []string{"$ref", "$dynamicRef"}
	}
	return []string{"$ref"}
}

// references are n once for each reference that it holds, without the others.
func (n JSONNode) references() []JSONNode {
	var list []JSONNode
	for _, keyword := range n.Draft.refKeywords() {
		if _, ok := n.Value.Str(keyword); ok {
			one := n
			one.Value = &Value{Kind: Object, Members: []Member{{Name: keyword, Value: n.Value.Get(keyword)}}}
			list = append(list, one)
		}
	}
	return list
}

// Follow goes to what the reference at n points to.
func (j *JSONSchema) Follow(n JSONNode) (JSONNode, bool) {
	ref, ok := n.Ref()
	if !ok {
		return JSONNode{}, false
	}
	address, fragment, _ := strings.Cut(ref, "#")
	base := n.Base
	if address != "" {
		base = resolveAddress(base, address)
	}
	to, ok := j.resources[base]
	if !ok || fragment == "" {
		return to, ok
	}
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	if fragment[0] != '/' {
		to, ok = j.resources[base+"#"+fragment]
		return to, ok
	}
	tokens := strings.Split(fragment[1:], "/")
	for i := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(tokens[i])
	}
	return j.Child(to, tokens...)
}

func resolveAddress(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := url.Parse(ref)
	if err != nil {
		return ref
	}
	to := b.ResolveReference(r)
	to.Fragment, to.RawFragment = "", ""
	return to.String()
}

// keywordShape is how a keyword holds schemas.
type keywordShape uint8

const (
	oneSchema keywordShape = iota + 1
	listOfSchemas
	namedSchemas
	oneOrList
)

var schemaKeywords = map[string]keywordShape{
	"$defs": namedSchemas, "definitions": namedSchemas, "properties": namedSchemas, "patternProperties": namedSchemas,
	"dependentSchemas": namedSchemas, "dependencies": namedSchemas,
	"allOf": listOfSchemas, "anyOf": listOfSchemas, "oneOf": listOfSchemas, "prefixItems": listOfSchemas,
	"items": oneOrList, "additionalItems": oneSchema, "unevaluatedItems": oneSchema, "contains": oneSchema,
	"additionalProperties": oneSchema, "unevaluatedProperties": oneSchema, "propertyNames": oneSchema,
	"not": oneSchema, "if": oneSchema, "then": oneSchema, "else": oneSchema, "contentSchema": oneSchema,
}

// inPlace are the keywords whose schemas apply to the same value as the schema they stand in.
var inPlace = map[string]bool{"allOf": true, "anyOf": true, "oneOf": true, "not": true, "if": true, "then": true, "else": true,
	"dependentSchemas": true, "dependencies": true}

// Subschemas calls visit for every schema that stands directly in n, with the keyword it stands under. It looks into keywords that
// hold schemas only: an object inside enum or const is data.
func (j *JSONSchema) Subschemas(n JSONNode, visit func(keyword string, child JSONNode) error) error {
	if n.Value.Kind != Object || n.Draft.refStandsAlone() && n.Value.Get("$ref") != nil {
		return nil
	}
	for _, m := range n.Value.Members {
		var err error
		switch shape, v := schemaKeywords[m.Name], m.Value; {
		case (shape == oneSchema || shape == oneOrList) && isSchema(v):
			err = visit(m.Name, n.step(v, m.Name))
		case (shape == listOfSchemas || shape == oneOrList) && v.Kind == Array:
			err = visitItems(n, m, visit)
		case shape == namedSchemas && v.Kind == Object:
			err = visitMembers(n, m, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func visitItems(n JSONNode, m Member, visit func(string, JSONNode) error) error {
	list := n.step(m.Value, m.Name)
	for i, item := range m.Value.Items {
		if !isSchema(item) {
			continue
		}
		if err := visit(m.Name, list.step(item, itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

func visitMembers(n JSONNode, m Member, visit func(string, JSONNode) error) error {
	byName := n.inner(m.Value, m.Name)
	for _, inner := range m.Value.Members {
		if !isSchema(inner.Value) {
			continue
		}
		if err := visit(m.Name, byName.step(inner.Value, inner.Name)); err != nil {
			return err
		}
	}
	return nil
}

// inner goes one token down without reading $id: an object of named schemas may have a property called so.
func (n JSONNode) inner(v *Value, token string) JSONNode {
	n.Value = v
	n.Pointer += "/" + token
	return n
}

func isSchema(v *Value) bool { return v.Kind == Object || v.Kind == Bool }
