package compat

import (
	"maps"
	"math/big"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// objects compares what is said of objects: counts, names, and the content models.
func (w *jsonWalk) objects(r schema.JSONNode, f facts) []jsonSpot {
	required := f.required()
	spots := w.limit(r, f, "minProperties", 1, big.NewRat(int64(len(required)), 1))
	spots = append(spots, w.limit(r, f, "maxProperties", -1, f.closedSize())...)
	spots = append(spots, w.required(r, f, required)...)
	for _, name := range memberNames(r.Value.Get("properties")) {
		if len(spots) >= findingLimit || w.over {
			return spots // nobody reads more
		}
		if child, ok := w.reader.Child(r, "properties", name); ok {
			spots = append(spots, w.inside(name, func() []jsonSpot { return w.listedProperty(r, child, f, name) })...)
		}
	}
	spots = append(spots, w.unlisted(r, f)...)
	spots = append(spots, w.dependencies(r, f, required)...)
	spots = append(spots, w.unevaluatedProperties(r, f)...)
	return append(spots, w.propertyNames(r, f)...)
}

// propertyNames is granted by a writer that lists all its names, or has the same keyword.
func (w *jsonWalk) propertyNames(r schema.JSONNode, f facts) []jsonSpot {
	spots := w.unchanged(r, f, "propertyNames")
	demand, ok := w.reader.Child(r, "propertyNames")
	if len(spots) == 0 || !ok {
		return nil
	}
	takes := func(name string) bool { return w.fits(demand, &schema.Value{Kind: schema.String, Text: name}) }
	for _, p := range f.parts {
		if names, ok := w.closedNames(p); ok && !slices.ContainsFunc(names, func(name string) bool { return !takes(name) && !w.impossible(f, name) }) {
			return nil
		}
	}
	return spots
}

func memberNames(v *schema.Value) []string {
	if v == nil || v.Kind != schema.Object {
		return nil
	}
	var names []string
	for _, m := range v.Members {
		names = append(names, m.Name)
	}
	return names
}

// closedNames are all the names that a part of the writer allows, when it lists them.
func (w *jsonWalk) closedNames(p schema.JSONNode) ([]string, bool) {
	rest, ok := w.writer.Child(p, "additionalProperties")
	if ok {
		return memberNames(p.Value.Get("properties")), isFalse(rest.Value) && len(memberNames(p.Value.Get("patternProperties"))) == 0
	}
	rest, ok = w.writer.Child(p, "unevaluatedProperties")
	if !ok || !isFalse(rest.Value) {
		return nil, false
	}
	e := w.evaluatedBy(w.writer, p, perhaps)
	return slices.Sorted(maps.Keys(e.names)), !e.all && len(e.patterns) == 0
}

func isFalse(v *schema.Value) bool { return v.Kind == schema.Bool && !v.Bool }

// closedSize is how many properties an object of a closed model has at most.
func (f facts) closedSize() *big.Rat {
	for _, p := range f.parts {
		a := p.Value.Get("additionalProperties")
		if a != nil && a.Kind == schema.Bool && !a.Bool && len(memberNames(p.Value.Get("patternProperties"))) == 0 {
			return big.NewRat(int64(len(memberNames(p.Value.Get("properties")))), 1)
		}
	}
	return nil
}

func (w *jsonWalk) required(r schema.JSONNode, f facts, theirs map[string]bool) []jsonSpot {
	list := r.Value.Get("required")
	if list == nil || list.Kind != schema.Array {
		return nil
	}
	var spots []jsonSpot
	for _, name := range list.Items {
		if theirs[name.Text] {
			continue
		}
		// A default excuses it by the rules, though a validator does not fill it in.
		if child, ok := w.reader.Child(r, "properties", name.Text); ok && !w.exact && child.Value.Get("default") != nil {
			continue
		}
		spots = append(spots, w.spot(r, f, "/required", RequiredAttributeAdded,
			"the reader demands the property %q, which the writer may leave out; make it optional, or give it a default", name.Text)...)
	}
	return spots
}

// listedProperty asks a property of the reader against each part of the writer. A part that closes the model, or whose schema fits,
// grants it; otherwise the part that says most of the property tells what is wrong.
func (w *jsonWalk) listedProperty(r, child schema.JSONNode, f facts, name string) []jsonSpot {
	if isTrue(child.Value) {
		return nil
	}
	best, bestKind := []jsonSpot(nil), isOpen
	for _, p := range f.parts {
		schemas, kind := w.property(w.writer, p, name)
		if kind == isClosed {
			return nil
		}
		for _, s := range schemas {
			spots := w.compare(child, s)
			if len(spots) == 0 {
				return nil
			}
			if kind < bestKind {
				best, bestKind = spots, kind
			}
		}
	}
	switch bestKind {
	case isOpen:
		return w.spot(child, f, "", PropertyAddedToOpenContentModel,
			"the writer leaves the property %q open and may write anything there; allow every value for it, or close the writer's model first", name)
	case isCovered:
		return w.spot(child, f, "", PropertyAddedNotCovered,
			"what the writer allows for further properties does not fit the new property %q; make it take all of that", name)
	}
	return best
}

// unlisted asks what the reader says of properties that it does not list: its patterns and the rest.
func (w *jsonWalk) unlisted(r schema.JSONNode, f facts) []jsonSpot {
	patterns := memberNames(r.Value.Get("patternProperties"))
	rest, hasRest := w.reader.Child(r, "additionalProperties")
	hasRest = hasRest && !isTrue(rest.Value)
	if len(patterns) == 0 && !hasRest {
		return nil
	}
	var spots []jsonSpot
	closed := false
	listed := r.Value.Get("properties")
	for _, p := range f.parts {
		names, all := w.closedNames(p)
		if !all {
			names = memberNames(p.Value.Get("properties"))
		}
		closed = closed || all
		for _, name := range names {
			if w.over {
				return spots
			}
			if len(patterns) == 0 && listed.Get(name) != nil {
				continue // compared as a listed one
			}
			spots = append(spots, w.inside(name, func() []jsonSpot { return w.writersProperty(r, f, name) })...)
		}
	}
	if closed {
		return spots // the listed ones are all
	}
	for _, pattern := range patterns {
		if child, ok := w.reader.Child(r, "patternProperties", pattern); ok && !isTrue(child.Value) {
			spots = append(spots, w.further(r, f, child, pattern)...)
		}
	}
	if hasRest {
		spots = append(spots, w.further(r, f, rest, "")...)
	}
	return spots
}

// writersProperty asks a property that the writer lists against the reader's patterns and, if the reader does not list it, the rest.
func (w *jsonWalk) writersProperty(r schema.JSONNode, f facts, name string) []jsonSpot {
	var spots []jsonSpot
	schemas, kind := w.property(w.reader, r, name)
	for _, pattern := range memberNames(r.Value.Get("patternProperties")) {
		if child, ok := w.reader.Child(r, "patternProperties", pattern); ok && !w.readable(pattern) {
			schemas = append(schemas, child) // it may apply, and if not, what is said of further properties does
			if rest, ok := w.reader.Child(r, "additionalProperties"); ok && r.Value.Get("properties").Get(name) == nil {
				schemas = append(schemas, rest)
			}
		}
	}
	if kind == isClosed {
		for _, p := range f.parts {
			theirs, kind := w.property(w.writer, p, name)
			if kind == isClosed || slices.ContainsFunc(theirs, func(n schema.JSONNode) bool { return factsOf(w.writer, n, w.budget).never }) {
				return nil
			}
		}
		return w.spot(r, f, "/properties/"+name, PropertyRemovedFromClosed,
			"the reader takes no property %q and the writer may write it; keep the property, or open the reader's model", name)
	}
	for _, s := range schemas {
		if s.Pointer == r.Pointer+"/properties/"+name || kind == isListed && s.Value == r.Value.Get("properties").Get(name) {
			continue // compared as a listed one
		}
		if bad := w.writersAgainst(s, f, name); bad {
			spots = append(spots, w.spot(r, f, "/properties/"+name, PropertyRemovedNotCovered,
				"the writer's property %q does not fit what the reader allows for further properties; keep the property, or allow more", name)...)
		}
	}
	return spots
}

func (w *jsonWalk) writersAgainst(s schema.JSONNode, f facts, name string) bool {
	for _, p := range f.parts {
		theirs, kind := w.property(w.writer, p, name)
		if kind == isClosed {
			return false
		}
		for _, n := range theirs {
			if len(w.compare(s, n)) == 0 {
				return false
			}
		}
	}
	return !isTrue(s.Value)
}

// further asks the properties that the writer does not list against a schema of the reader for such: for those of a pattern, or for
// all. Whether two patterns have a name in common is not asked: they are taken to.
func (w *jsonWalk) further(r schema.JSONNode, f facts, s schema.JSONNode, pattern string) []jsonSpot {
	ok := slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool { return w.grantsFurther(p, s, pattern) })
	switch {
	case ok:
		return nil
	case pattern != "":
		return w.spot(r, f, strings.TrimPrefix(s.Pointer, r.Pointer), PropertyAddedNotCovered, "the writer may write properties that match %q with values that the reader does not take; allow every value for them", pattern)
	case s.Value.Kind == schema.Bool:
		return w.spot(r, f, "/additionalProperties", AdditionalPropertiesRemoved, "the reader takes no further properties and the writer may write some; open the model")
	}
	return w.spot(r, f, "/additionalProperties", AdditionalPropertiesNarrowed, "the reader takes fewer values for further properties than the writer writes; allow all of them")
}

func (w *jsonWalk) grantsFurther(p, s schema.JSONNode, pattern string) bool {
	for _, other := range memberNames(p.Value.Get("patternProperties")) {
		child, ok := w.writer.Child(p, "patternProperties", other)
		if !ok {
			continue
		}
		fits := len(w.compare(s, child)) == 0
		if fits && other == pattern {
			return true // every name that matters matches it
		}
		if !fits {
			return false
		}
	}
	rest, ok := w.writer.Child(p, "additionalProperties")
	return ok && len(w.compare(s, rest)) == 0
}

// dependencies asks what the reader demands beside a property.
func (w *jsonWalk) dependencies(r schema.JSONNode, f facts, required map[string]bool) []jsonSpot {
	var spots []jsonSpot
	for _, keyword := range [...]string{"dependencies", "dependentRequired", "dependentSchemas"} {
		list := r.Value.Get(keyword)
		for _, name := range memberNames(list) {
			if w.impossible(f, name) || w.dependency(r, f, keyword, name, required) {
				continue
			}
			spots = append(spots, w.spot(r, f, "/"+keyword+"/"+name, DependencyAdded,
				"beside the property %q the reader demands more than the writer; remove the dependency, or keep the writer's", name)...)
		}
	}
	return spots
}

// impossible tells whether the writer can never write the property.
func (w *jsonWalk) impossible(f facts, name string) bool {
	return slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool {
		_, kind := w.property(f.doc, p, name)
		return kind == isClosed
	})
}

func (w *jsonWalk) dependency(r schema.JSONNode, f facts, keyword, name string, required map[string]bool) bool {
	demand := r.Value.Get(keyword).Get(name)
	if demand.Kind == schema.Array {
		known := map[string]bool{name: true}
		for other := range required {
			known[other] = true
		}
		for _, p := range f.parts {
			for _, k := range [...]string{"dependencies", "dependentRequired"} {
				if theirs := p.Value.Get(k).Get(name); theirs != nil && theirs.Kind == schema.Array {
					for _, item := range theirs.Items {
						known[item.Text] = true
					}
				}
			}
		}
		return !slices.ContainsFunc(demand.Items, func(v *schema.Value) bool { return !known[v.Text] })
	}
	child, ok := w.reader.Child(r, keyword, name)
	if !ok || len(w.granted(child, f)) == 0 {
		return true
	}
	return slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool {
		theirs, ok := w.writer.Child(p, keyword, name)
		return ok && len(w.compare(child, theirs)) == 0
	})
}
