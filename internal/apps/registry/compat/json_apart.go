package compat

import (
	"maps"
	"math/big"
	"slices"

	"millrace/internal/apps/registry/schema"
)

// A value that fits two alternatives of a oneOf is refused. So a oneOf of the reader is granted when one alternative takes what the
// writer writes and all the others are excluded. Two rules that users rely on promise more than that, and are let pass here: a oneOf may
// grow, and a plain type may become a oneOf that takes it.

// chosen are the facts of the values that fit alternative j of a keyword of part i. The caller adds that alternative.
func (f facts) chosen(i int, keyword string, alternatives []schema.JSONNode, j int) facts {
	more := facts{doc: f.doc, types: f.types, never: f.never, none: slices.Clip(f.none), ofAny: f.ofAny, ofOne: f.ofOne}
	more.parts = append(more.parts, f.parts[:i]...)
	more.parts = append(more.parts, f.parts[i+1:]...)
	if len(alternatives) > 1 {
		more.ofAny = f.ofAny || keyword == "anyOf"
		more.ofOne = f.ofOne || keyword == "oneOf"
	}
	if keyword == "oneOf" { // those that fit one fit no other
		more.none = append(append(more.none, alternatives[:j]...), alternatives[j+1:]...)
	}
	return more
}

// mayGrow tells whether the rules let the writer's schema become a oneOf without asking whether a value fits two alternatives: it is a
// oneOf, or a plain type. An anyOf on the way there makes overlaps likely, and so does an allOf.
func (w *jsonWalk) mayGrow(f facts) bool {
	several := func(keyword string) bool {
		return slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool { return len(listed(w.writer, p, keyword)) > 1 })
	}
	if f.ofAny || f.ofOne {
		return !f.ofAny
	}
	if several("anyOf") || several("oneOf") {
		return !several("anyOf")
	}
	typed := func(p schema.JSONNode) bool { return p.Value.Get("type") != nil || enumerated(p.Value) != nil }
	return slices.ContainsFunc(f.parts, typed) && !several("allOf")
}

// taken tells whether an alternative takes all that the facts allow and, if it has to be the only one, the others take none of it.
func (w *jsonWalk) taken(list []schema.JSONNode, f facts, once bool) bool {
	for i, c := range list {
		if len(w.granted(c, f)) > 0 {
			continue
		}
		// If this one and another both take all of it, no other choice does better.
		return !once || w.noOther(list, i, func(other schema.JSONNode) bool { return w.excluded(other, f) })
	}
	return false
}

func (w *jsonWalk) noOther(list []schema.JSONNode, i int, excluded func(schema.JSONNode) bool) bool {
	for j, other := range list {
		if j != i && !excluded(other) {
			return false
		}
	}
	return true
}

func (w *jsonWalk) fitsOne(list []schema.JSONNode, v *schema.Value, once bool) bool {
	i := slices.IndexFunc(list, func(c schema.JSONNode) bool { return w.fits(c, v) })
	return i >= 0 && (!once || w.noOther(list, i, func(other schema.JSONNode) bool {
		return refuses(factsOf(w.reader, other, w.budget), v)
	}))
}

// excluded tells whether nothing that the facts allow fits a schema of the reader.
func (w *jsonWalk) excluded(n schema.JSONNode, f facts) bool {
	if !w.enter() {
		return false
	}
	defer w.leave()
	inner := factsOf(w.reader, n, w.budget)
	if f.never || inner.never || w.apart(inner, f) {
		return true
	}
	// The writer's own not says so, if it refuses at least as much: then the roles are turned round. So do the alternatives of its
	// oneOf that the values do not fit.
	refused := slices.Clip(f.none)
	for _, p := range f.parts {
		if own, ok := w.writer.Child(p, "not"); ok {
			refused = append(refused, own)
		}
	}
	return slices.ContainsFunc(refused, func(own schema.JSONNode) bool { return len(w.turnRound().compare(own, n)) == 0 })
}

// apart tells whether no value can have both facts, the reader's and the writer's: for each type that both allow something is known
// that forbids it.
func (w *jsonWalk) apart(mine, theirs facts) bool {
	if values, ok := theirs.values(); ok && allRefused(mine, values) {
		return true
	}
	if values, ok := mine.values(); ok && allRefused(theirs, values) {
		return true
	}
	both := w.possible(mine) & w.possible(theirs)
	return both&(nullType|booleanType) == 0 &&
		(both&numberTypes == 0 || boundsApart(mine, theirs) || boundsApart(theirs, mine)) &&
		(both&stringType == 0 || countsApart(mine, theirs, "Length")) &&
		(both&arrayType == 0 || countsApart(mine, theirs, "Items")) &&
		(both&objectType == 0 || w.objectsApart(mine, theirs))
}

func allRefused(f facts, values []*schema.Value) bool {
	return !slices.ContainsFunc(values, func(v *schema.Value) bool { return !refuses(f, v) })
}

// refuses tells whether a value surely lacks a fact.
func refuses(f facts, v *schema.Value) bool {
	return f.never || typeOf(v)&f.types == 0 || slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool {
		if list := enumerated(p.Value); list != nil && !slices.ContainsFunc(list, func(one *schema.Value) bool { return sameData(one, v) }) {
			return true
		}
		switch v.Kind {
		case schema.Number:
			x := rational(v)
			return x != nil && !keepsBounds(p, x)
		case schema.String:
			size := big.NewRat(int64(len([]rune(v.Text))), 1)
			most, least := rational(p.Value.Get("maxLength")), rational(p.Value.Get("minLength"))
			return most != nil && size.Cmp(most) > 0 || least != nil && size.Cmp(least) < 0
		}
		return false
	})
}

// boundsApart tells whether all numbers of one side lie below all of the other.
func boundsApart(low, high facts) bool {
	for _, p := range low.parts {
		for _, top := range boundsOf(p, -1) {
			for _, q := range high.parts {
				for _, bottom := range boundsOf(q, 1) {
					if c := top.at.Cmp(bottom.at); c < 0 || c == 0 && (top.open || bottom.open) {
						return true
					}
				}
			}
		}
	}
	return false
}

// countsApart tells whether one side has fewer letters or elements at most than the other at least.
func countsApart(a, b facts, what string) bool {
	fewer := func(a, b facts) bool {
		most, least := a.count("max"+what, -1), b.count("min"+what, 1)
		return most != nil && least != nil && most.Cmp(least) < 0
	}
	return fewer(a, b) || fewer(b, a)
}

// objectsApart tells whether a property that one side demands is one that the other never has, or has with other values: what
// schemas with a property for their kind are told apart by.
func (w *jsonWalk) objectsApart(mine, theirs facts) bool {
	names := mine.required()
	for name := range theirs.required() {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !w.spend() {
			return false
		}
		if mine.required()[name] && w.impossible(theirs, name) || theirs.required()[name] && w.impossible(mine, name) {
			return true
		}
		for _, p := range mine.parts {
			m, ok := w.reader.Child(p, "properties", name)
			if ok && slices.ContainsFunc(theirs.parts, func(q schema.JSONNode) bool {
				t, ok := w.writer.Child(q, "properties", name)
				return ok && w.excluded(m, factsOf(w.writer, t, w.budget))
			}) {
				return true
			}
		}
	}
	return false
}
