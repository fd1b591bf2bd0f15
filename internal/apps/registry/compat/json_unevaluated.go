package compat

import (
	"slices"

	"millrace/internal/apps/registry/schema"
)

// evaluated are the properties that a schema describes, itself or by what it applies to the same value. unevaluatedProperties is about
// all others.
type evaluated struct {
	names, patterns map[string]bool
	all             bool
}

// always are the keywords whose schemas apply to every value, perhaps to some.
var (
	always  = map[string]bool{"allOf": true}
	perhaps = map[string]bool{"allOf": true, "anyOf": true, "oneOf": true, "not": true, "if": true, "then": true, "else": true,
		"dependentSchemas": true, "dependencies": true}
)

// add gathers what a schema describes, and what its schemas under the given keywords do.
func (e *evaluated) add(w *jsonWalk, doc *schema.JSONSchema, n schema.JSONNode, through map[string]bool) {
	if n.Value.Kind != schema.Object || !w.enter() {
		return
	}
	defer w.leave()
	n = known(n)
	if _, ok := n.Ref(); ok {
		if to, found := doc.Follow(n); found {
			e.add(w, doc, to, through)
		}
		if n.Draft <= schema.Draft7 {
			return
		}
	}
	for _, m := range n.Value.Members {
		switch {
		case m.Name == "properties":
			for _, name := range memberNames(m.Value) {
				e.names[name] = true
			}
		case m.Name == "patternProperties":
			for _, name := range memberNames(m.Value) {
				e.patterns[name] = true
			}
		case m.Name == "additionalProperties" || m.Name == "unevaluatedProperties" && len(through) > 1:
			e.all = true
		case through[m.Name]:
			inner, _ := innerSchemas(doc, n, m.Name)
			for _, child := range inner {
				e.add(w, doc, child, through)
			}
		}
	}
}

// evaluatedBy gathers for a schema with unevaluatedProperties, without that keyword itself.
func (w *jsonWalk) evaluatedBy(doc *schema.JSONSchema, n schema.JSONNode, through map[string]bool) evaluated {
	e := evaluated{names: map[string]bool{}, patterns: map[string]bool{}}
	rest := &schema.Value{Kind: schema.Object}
	for _, m := range n.Value.Members {
		if m.Name != "unevaluatedProperties" {
			rest.Members = append(rest.Members, m)
		}
	}
	n.Value = rest
	e.add(w, doc, n, through)
	return e
}

func (e evaluated) has(w *jsonWalk, name string) bool {
	if e.all || e.names[name] {
		return true
	}
	for pattern := range e.patterns {
		if !w.readable(pattern) || w.matches(pattern, name) {
			return true
		}
	}
	return false
}

// covers tells whether whatever o describes e describes too.
func (e evaluated) covers(w *jsonWalk, o evaluated) bool {
	if e.all || o.all {
		return e.all
	}
	for name := range o.names {
		if !e.has(w, name) {
			return false
		}
	}
	for pattern := range o.patterns {
		if !e.patterns[pattern] {
			return false
		}
	}
	return true
}

// unevaluatedApplies tells whether a property that a part does not describe surely falls under its unevaluatedProperties.
func unevaluatedApplies(w *jsonWalk, doc *schema.JSONSchema, part schema.JSONNode, name string) bool {
	return part.Value.Get("unevaluatedProperties") != nil && !w.evaluatedBy(doc, part, perhaps).has(w, name)
}

// unevaluatedProperties is granted by a part of the writer that describes no property which the reader does not describe for every
// value, and says as much of all others.
func (w *jsonWalk) unevaluatedProperties(r schema.JSONNode, f facts) []jsonSpot {
	mine, ok := w.reader.Child(r, "unevaluatedProperties")
	if !ok || isTrue(mine.Value) {
		return nil
	}
	surely := w.evaluatedBy(w.reader, r, always)
	if slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool { return w.grantsUnevaluated(p, mine, surely) }) {
		return nil
	}
	return w.spot(r, f, "/unevaluatedProperties", UnevaluatedPropertiesNarrowed,
		"the reader limits properties that are not described elsewhere; describe all that the writer describes, or open unevaluatedProperties")
}

func (w *jsonWalk) grantsUnevaluated(p, mine schema.JSONNode, surely evaluated) bool {
	for _, keyword := range [...]string{"unevaluatedProperties", "additionalProperties"} {
		theirs, ok := w.writer.Child(p, keyword)
		if !ok || len(w.compare(mine, theirs)) > 0 {
			continue
		}
		described := w.evaluatedBy(w.writer, p, perhaps)
		if keyword == "additionalProperties" { // it describes all, and is about all but its neighbours
			described = evaluated{names: map[string]bool{}, patterns: map[string]bool{}}
			for _, name := range memberNames(p.Value.Get("properties")) {
				described.names[name] = true
			}
			for _, name := range memberNames(p.Value.Get("patternProperties")) {
				described.patterns[name] = true
			}
		}
		if surely.covers(w, described) {
			return true
		}
	}
	return false
}

// unevaluatedItems is granted where the reader's whole schema is the writer's; here it stands in one that is not.
func (w *jsonWalk) unevaluatedItems(r schema.JSONNode, f facts) []jsonSpot {
	if u := r.Value.Get("unevaluatedItems"); u == nil || isTrue(u) {
		return nil
	}
	return w.spot(r, f, "/unevaluatedItems", "UNEVALUATED_ITEMS_CHANGED",
		"the reader limits elements that are not described elsewhere, which is not compared further; keep the schema around it as the writer has it")
}
