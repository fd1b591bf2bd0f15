package compat

import (
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// since and until tell which drafts know a keyword; those that are not listed are known to all. A validator passes over what its draft
// does not know, so such a keyword neither grants nor demands anything.
var (
	since = map[string]schema.Draft{"const": schema.Draft6, "contains": schema.Draft6, "propertyNames": schema.Draft6,
		"if": schema.Draft7, "then": schema.Draft7, "else": schema.Draft7,
		"minContains": schema.Draft2019, "maxContains": schema.Draft2019, "dependentRequired": schema.Draft2019, "dependentSchemas": schema.Draft2019,
		"unevaluatedProperties": schema.Draft2019, "unevaluatedItems": schema.Draft2019, "$recursiveRef": schema.Draft2019,
		"prefixItems": schema.Draft2020, "$dynamicRef": schema.Draft2020}
	until = map[string]schema.Draft{"additionalItems": schema.Draft2019}
)

func unknownKeyword(name string, d schema.Draft) bool {
	last, limited := until[name]
	return since[name] > d || limited && last < d
}

// known is a schema without the keywords that its draft does not know.
func known(n schema.JSONNode) schema.JSONNode {
	unknown := func(m schema.Member) bool { return unknownKeyword(m.Name, n.Draft) }
	if n.Value.Kind == schema.Object && slices.ContainsFunc(n.Value.Members, unknown) {
		n.Value = &schema.Value{Kind: schema.Object, Members: slices.DeleteFunc(slices.Clone(n.Value.Members), unknown)}
	}
	return n
}

// silent are keywords that say nothing of values, or nothing here: definitions speak where they are referred to.
var silent = map[string]bool{"title": true, "description": true, "default": true, "examples": true, "$comment": true, "$schema": true, "$id": true,
	"id": true, "$anchor": true, "$defs": true, "definitions": true, "readOnly": true, "writeOnly": true, "deprecated": true}

// same tells whether two schemas say the same in the same words, however little else is understood of them. What refers to a schema
// around is the same if all else is; such a guess is kept for as long as it stands.
func (w *jsonWalk) same(r, wr schema.JSONNode) bool {
	p := jsonPair{r.Value, wr.Value}
	switch {
	case r.Draft != wr.Draft || w.unlike[p]:
		return false
	case w.alike[p]:
		return true
	case !w.enter():
		return false
	}
	defer w.leave()
	outermost := len(w.alike) == 0
	w.alike[p] = true
	ok := w.sameParts(known(r), known(wr))
	if !ok {
		w.unlike[p] = true
	}
	if outermost {
		clear(w.alike)
	}
	return ok && !w.over
}

func (w *jsonWalk) sameParts(r, wr schema.JSONNode) bool {
	if r.Value.Kind != schema.Object || wr.Value.Kind != schema.Object {
		return sameData(r.Value, wr.Value)
	}
	count := 0
	for _, m := range r.Value.Members {
		if silent[m.Name] {
			continue
		}
		count++
		other := wr.Value.Get(m.Name)
		if other == nil || !w.sameKeyword(r, wr, m.Name) {
			return false
		}
	}
	for _, m := range wr.Value.Members {
		if !silent[m.Name] {
			count--
		}
	}
	return count == 0
}

// sameKeyword compares one keyword that both schemas have.
func (w *jsonWalk) sameKeyword(r, wr schema.JSONNode, keyword string) bool {
	mine, theirs := r.Value.Get(keyword), wr.Value.Get(keyword)
	switch keyword {
	case "$ref", "$recursiveRef", "$dynamicRef":
		to, ok := w.reader.Follow(only(r, keyword))
		from, found := w.writer.Follow(only(wr, keyword))
		return ok && found && w.same(to, from)
	}
	if mine.Kind == schema.String || mine.Kind == schema.Number {
		return sameData(mine, theirs)
	}
	if keyword == "properties" && len(mine.Members) != len(theirs.Members) {
		return false // before anything is gathered
	}
	inner, ok := innerSchemas(w.reader, r, keyword)
	others, found := innerSchemas(w.writer, wr, keyword)
	if !ok || !found {
		return sameData(mine, theirs) && !holdsReference(mine)
	}
	if mine.Kind != theirs.Kind || len(inner) != len(others) {
		return false
	}
	byPlace := make(map[string]schema.JSONNode, len(others))
	for _, child := range others {
		byPlace[strings.TrimPrefix(child.Pointer, wr.Pointer)] = child
	}
	return !slices.ContainsFunc(inner, func(child schema.JSONNode) bool {
		match, ok := byPlace[strings.TrimPrefix(child.Pointer, r.Pointer)]
		return !ok || !w.same(child, match)
	})
}

// only is a schema of one keyword.
func only(n schema.JSONNode, keyword string) schema.JSONNode {
	n.Value = &schema.Value{Kind: schema.Object, Members: []schema.Member{{Name: keyword, Value: n.Value.Get(keyword)}}}
	return n
}

// innerSchemas are the schemas that a keyword holds. It answers false for a keyword that holds anything else, also beside them.
func innerSchemas(doc *schema.JSONSchema, n schema.JSONNode, keyword string) ([]schema.JSONNode, bool) {
	var all []schema.JSONNode
	doc.Subschemas(only(n, keyword), func(_ string, child schema.JSONNode) error {
		all = append(all, child)
		return nil
	})
	v := n.Value.Get(keyword)
	return all, len(all) == 1 && all[0].Value == v || len(all) > 0 && len(all) == len(v.Items)+len(v.Members)
}

// holdsReference tells whether there is a $ref, $dynamicRef or $recursiveRef anywhere inside.
func holdsReference(v *schema.Value) bool {
	text := string(v.Append(nil))
	return strings.Contains(text, `Ref":`) || strings.Contains(text, `$ref":`)
}

// sameGroup tells that keywords that are not compared otherwise are the same in one part of the writer, or that the reader has
// none of them.
func (w *jsonWalk) sameGroup(r schema.JSONNode, f facts, keywords ...string) bool {
	has := func(n schema.JSONNode) bool {
		return slices.ContainsFunc(keywords, func(k string) bool { return n.Value.Get(k) != nil })
	}
	return !has(r) || slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool {
		return r.Draft == p.Draft && !slices.ContainsFunc(keywords, func(k string) bool {
			mine, theirs := r.Value.Get(k), p.Value.Get(k)
			return (mine == nil) != (theirs == nil) || mine != nil && !w.sameKeyword(r, p, k)
		})
	})
}

// unchanged demands that keywords which are not compared otherwise are the same on both sides, all of them in one part of the writer:
// each means little without the others.
func (w *jsonWalk) unchanged(r schema.JSONNode, f facts, keywords ...string) []jsonSpot {
	if w.sameGroup(r, f, keywords...) {
		return nil
	}
	var spots []jsonSpot
	for _, keyword := range keywords {
		if v := r.Value.Get(keyword); v != nil && (!isTrue(v) || keyword == "contains") { // what contains anything is not empty
			kind, _ := limitKind(keyword, false, 0)
			spots = append(spots, w.spot(r, f, "/"+keyword, Kind(strings.TrimSuffix(string(kind), "_ADDED")+"_CHANGED"),
				"%s was added or changed, which is not compared further; keep it as the writer has it", keyword)...)
			break
		}
	}
	return spots
}
