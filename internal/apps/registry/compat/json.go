package compat

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// Kinds of JSON Schema. Keywords with limits add kinds of the form MAX_LENGTH_ADDED and MAX_LENGTH_DECREASED.
const (
	TypeNarrowed                    Kind = "TYPE_NARROWED"
	TypeChanged                     Kind = "TYPE_CHANGED"
	SchemaAdded                     Kind = "SCHEMA_ADDED"
	EnumArrayNarrowed               Kind = "ENUM_ARRAY_NARROWED"
	SumTypeNarrowed                 Kind = "SUM_TYPE_NARROWED"
	CombinedTypeChanged             Kind = "COMBINED_TYPE_CHANGED"
	ProductTypeExtended             Kind = "PRODUCT_TYPE_EXTENDED"
	NotTypeExtended                 Kind = "NOT_TYPE_EXTENDED"
	RequiredAttributeAdded          Kind = "REQUIRED_ATTRIBUTE_ADDED"
	PropertyAddedToOpenContentModel Kind = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
	PropertyAddedNotCovered         Kind = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	PropertyRemovedFromClosed       Kind = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	PropertyRemovedNotCovered       Kind = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	AdditionalPropertiesNarrowed    Kind = "ADDITIONAL_PROPERTIES_NARROWED"
	AdditionalPropertiesRemoved     Kind = "ADDITIONAL_PROPERTIES_REMOVED"
	ItemAddedToOpenContentModel     Kind = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL"
	ItemRemovedFromClosed           Kind = "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	AdditionalItemsRemoved          Kind = "ADDITIONAL_ITEMS_REMOVED"
	UniqueItemsAdded                Kind = "UNIQUE_ITEMS_ADDED"
	MultipleOfChanged               Kind = "MULTIPLE_OF_CHANGED"
	PatternAdded                    Kind = "PATTERN_ADDED"
	PatternChanged                  Kind = "PATTERN_CHANGED"
	DependencyAdded                 Kind = "DEPENDENCY_ADDED"
	UnevaluatedPropertiesNarrowed   Kind = "UNEVALUATED_PROPERTIES_NARROWED"
)

// lenientKinds are what the lenient policy lets pass.
var lenientKinds = map[Kind]bool{PropertyAddedToOpenContentModel: true, PropertyAddedNotCovered: true, PropertyRemovedFromClosed: true,
	PropertyRemovedNotCovered: true, AdditionalPropertiesNarrowed: true, AdditionalPropertiesRemoved: true, UnevaluatedPropertiesNarrowed: true}

// jsonPair is a question of the walk: does the reader take every value that the writer lets through.
type jsonPair struct{ reader, writer *schema.Value }

// jsonWalk answers by keywords: each keyword of the reader demands something, and the facts known of the writer must grant it. What
// cannot be shown to be granted is a finding, so that a verdict of "fits" can be relied on.
//
// Schemas that hold themselves are guessed to fit while they are being compared; that is right unless a finding says otherwise, and
// then that finding is what is told. A guess is about smaller values than the one at hand, so it may be made inside a "not" as well.
type jsonWalk struct {
	*budget
	policy         Policy
	reader, writer *schema.JSONSchema
	known          map[jsonPair][]jsonSpot
	open           map[jsonPair]bool
	guessed        map[jsonPair]bool
	bad            map[jsonPair][]jsonSpot
	again          bool
	turned         *jsonWalk // see turnRound
	exact          bool      // promise no more than a decoder keeps
	patterns       map[string]*regexp.Regexp
	keys           map[*schema.Value]map[string]bool // see keysOf
	alike, unlike  map[jsonPair]bool                 // what same has found out; alike are guesses of the question at hand
	steps          []string                          // from the record to the value at hand: property names, "0" for an element
}

// jsonSpot is a finding and where in a record it shows.
type jsonSpot struct {
	Finding
	steps          []string
	reader, writer schema.JSONNode
	facts          facts // of the writer's values at the place
}

func checkJSON(reader, writer *schema.JSONSchema, b *budget, o Options) Result {
	w := newJSONWalk(b, o.Policy, reader, writer)
	spots := w.compare(reader.Top(), writer.Top())
	for w.guessedWrong() && !w.over {
		spots = w.compare(reader.Top(), writer.Top())
	}
	var findings []Finding
	told := map[Finding]bool{}
	for _, s := range spots {
		if len(findings) < findingLimit && !told[s.Finding] {
			told[s.Finding] = true
			findings = append(findings, s.Finding)
		}
	}
	r := b.finish(findings)
	if len(findings) > 0 && b.example(o) {
		r.Example = jsonExample(w, spots)
	}
	return r
}

func newJSONWalk(b *budget, policy Policy, reader, writer *schema.JSONSchema) *jsonWalk {
	return &jsonWalk{budget: b, policy: policy, reader: reader, writer: writer, bad: map[jsonPair][]jsonSpot{},
		known: map[jsonPair][]jsonSpot{}, open: map[jsonPair]bool{}, guessed: map[jsonPair]bool{},
		keys: map[*schema.Value]map[string]bool{}, alike: map[jsonPair]bool{}, unlike: map[jsonPair]bool{}, patterns: map[string]*regexp.Regexp{}}
}

// guessedWrong tells whether a guess was wrong in the walk or in those that turn the roles round. Then all begin anew, knowing what is bad.
func (w *jsonWalk) guessedWrong() bool {
	wrong := false
	for _, one := range w.rounds() {
		wrong = wrong || one.again
	}
	for _, one := range w.rounds() {
		clear(one.known)
		clear(one.guessed)
		one.again = false
	}
	return wrong
}

// rounds are the walk, the one with the roles turned round, and the one that turns them back.
func (w *jsonWalk) rounds() []*jsonWalk {
	list := []*jsonWalk{w}
	for next := w.turned; next != nil && !slices.Contains(list, next); next = next.turned {
		list = append(list, next)
	}
	return list
}

// turnRound is the walk that asks whether the writer takes all that the reader lets through, for the inside of a "not". It is exact: what
// the rules let pass elsewhere against the decoder would turn into its opposite there. What it guesses about schemas that hold
// themselves stands or falls with what this one guesses.
func (w *jsonWalk) turnRound() *jsonWalk {
	if w.turned == nil {
		there, back := newJSONWalk(w.budget, Strict, w.writer, w.reader), newJSONWalk(w.budget, Strict, w.reader, w.writer)
		there.exact, there.patterns, there.turned = true, w.patterns, back
		back.exact, back.patterns, back.turned = true, w.patterns, there
		w.turned = there
	}
	return w.turned
}

// compare asks whether reader takes all that writer lets through, and answers with what stands against it.
func (w *jsonWalk) compare(r, wr schema.JSONNode) []jsonSpot {
	p := jsonPair{r.Value, wr.Value}
	if spots, ok := w.bad[p]; ok {
		return spots
	}
	if spots, ok := w.known[p]; ok {
		return spots
	}
	if w.open[p] {
		w.guessed[p] = true
		return nil
	}
	if !w.enter() {
		return nil
	}
	defer w.leave()
	w.open[p] = true
	spots := w.granted(r, factsOf(w.writer, wr, w.budget))
	// One pair is asked about at many places, and what is told of it multiplies from level to level: more than is shown is not kept.
	spots = spots[:min(len(spots), findingLimit)]
	delete(w.open, p)
	w.known[p] = spots
	if len(spots) > 0 {
		w.bad[p] = spots
		w.again = w.again || w.guessed[p]
	}
	return spots
}

func (w *jsonWalk) spot(r schema.JSONNode, f facts, pointer string, kind Kind, format string, args ...any) []jsonSpot {
	if w.policy == Lenient && lenientKinds[kind] {
		return nil
	}
	s := jsonSpot{Finding: Finding{"#" + r.Pointer + pointer, kind, fmt.Sprintf(format, args...)}, steps: slices.Clone(w.steps), reader: r, facts: f}
	if len(f.parts) > 0 {
		s.writer = f.parts[0]
	}
	return []jsonSpot{s}
}

func (w *jsonWalk) inside(step string, ask func() []jsonSpot) []jsonSpot {
	w.steps = append(w.steps, step)
	defer func() { w.steps = w.steps[:len(w.steps)-1] }()
	return ask()
}

// granted asks a schema of the reader against facts. When the facts alone do not do, the writer's alternatives are taken one by one:
// each knows more.
func (w *jsonWalk) granted(r schema.JSONNode, f facts) []jsonSpot {
	r = known(r)
	if f.never || isTrue(r.Value) || !w.enter() {
		return nil
	}
	defer w.leave()
	if slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool { return w.same(r, p) }) {
		return nil
	}
	if r.Value.Kind == schema.Bool {
		return w.spot(r, f, "", SchemaAdded, "the reader takes no value here; remove the schema false")
	}
	spots := w.demands(r, f)
	if len(spots) == 0 {
		return nil
	}
	for _, keyword := range [...]string{"oneOf", "anyOf"} { // oneOf first: see mayGrow
		for i, p := range f.parts {
			if alternatives := listed(w.writer, p, keyword); len(alternatives) > 0 {
				return w.grantedByEach(r, f, i, keyword, alternatives)
			}
		}
	}
	return spots
}

// grantedByEach asks a schema of the reader against each alternative of part i.
func (w *jsonWalk) grantedByEach(r schema.JSONNode, f facts, i int, keyword string, alternatives []schema.JSONNode) []jsonSpot {
	var bad []jsonSpot
	for j, a := range alternatives {
		more := f.chosen(i, keyword, alternatives, j)
		more.add(withoutKeyword(f.parts[i], keyword), w.budget)
		more.add(a, w.budget)
		bad = append(bad, w.granted(r, more)...)
	}
	return bad
}

// withoutKeyword is a part whose alternatives are being taken one by one. What it says of all that its other keywords leave is dropped:
// these are no longer all there.
func withoutKeyword(n schema.JSONNode, keyword string) schema.JSONNode {
	rest := &schema.Value{Kind: schema.Object}
	for _, m := range n.Value.Members {
		if m.Name != keyword && m.Name != "allOf" && m.Name != "$ref" && !strings.HasPrefix(m.Name, "unevaluated") {
			rest.Members = append(rest.Members, m)
		}
	}
	n.Value = rest
	return n
}

func isTrue(v *schema.Value) bool {
	return v.Kind == schema.Bool && v.Bool || v.Kind == schema.Object && len(v.Members) == 0
}

// demands goes through the keywords of a schema of the reader.
func (w *jsonWalk) demands(r schema.JSONNode, f facts) []jsonSpot {
	var spots []jsonSpot
	if ref, ok := r.Ref(); ok {
		to, found := w.reader.Follow(r)
		switch {
		case !found:
			return w.spot(r, f, "/$ref", ProductTypeExtended, "what %q refers to cannot be compared; write it out", ref)
		case r.Draft <= schema.Draft7:
			return w.granted(to, f)
		}
		spots = w.granted(to, f)
		for _, second := range [...]string{"$recursiveRef", "$dynamicRef"} {
			if v := r.Value.Get(second); v != nil && v.Text != ref {
				return w.spot(r, f, "/"+second, ProductTypeExtended, "two references beside each other are not compared; put each into an allOf of its own")
			}
		}
	}
	if !w.exact && bytesType(r.Value) && len(f.parts) > 0 && bytesType(f.parts[0].Value) {
		return spots
	}
	spots = append(spots, w.types(r, f)...)
	if len(spots) > 0 && f.types&declaredTypes(r.Value) == 0 {
		return spots
	}
	spots = append(spots, w.enum(r, f)...)
	if values, ok := f.values(); ok && w.allFit(r, values) {
		return spots
	}
	if f.types&numberTypes != 0 {
		spots = append(spots, w.numbers(r, f)...)
	}
	if f.types&stringType != 0 {
		spots = append(spots, w.strings(r, f)...)
	}
	if f.types&objectType != 0 {
		spots = append(spots, w.objects(r, f)...)
	}
	if f.types&arrayType != 0 {
		spots = append(spots, w.arrays(r, f)...)
	}
	return append(spots, w.combinations(r, f)...)
}

func bytesType(v *schema.Value) bool {
	text, ok := v.Str("connect.type")
	return ok && text == "bytes"
}

// possible are the types a value can have, alternatives counted in.
func (w *jsonWalk) possible(f facts) typeSet {
	set := f.types
	for _, p := range f.parts {
		for _, keyword := range [...]string{"anyOf", "oneOf"} {
			if list := listed(f.doc, p, keyword); len(list) > 0 {
				var some typeSet
				for _, n := range list {
					some |= factsOf(f.doc, n, w.budget).types
				}
				set &= some
			}
		}
	}
	return set
}

func (w *jsonWalk) types(r schema.JSONNode, f facts) []jsonSpot {
	mine, theirs := declaredTypes(r.Value), w.possible(f)
	// A draft-04 reader takes 1.0 for no integer, and every other for one.
	if theirs&^mine == 0 && !(r.Draft == schema.Draft4 && theirs&integerType != 0 && mine&numberTypes == integerType && !f.allDraft4()) {
		return nil
	}
	if mine&theirs == 0 {
		return w.spot(r, f, "/type", TypeChanged, "the writer writes %s and the reader takes %s; keep the type, or allow both", theirs, mine)
	}
	return w.spot(r, f, "/type", TypeNarrowed, "the writer may write %s and the reader takes %s only; allow all of the writer's types", theirs, mine)
}

func (f facts) allDraft4() bool {
	return !slices.ContainsFunc(f.parts, func(n schema.JSONNode) bool { return n.Draft != schema.Draft4 })
}

func (t typeSet) String() string {
	if t&numberTypes == numberTypes {
		t &^= integerType
	}
	var names []string
	for _, one := range []struct {
		set  typeSet
		name string
	}{{nullType, "null"}, {booleanType, "boolean"}, {integerType, "integer"}, {fractionType, "number"}, {stringType, "string"}, {arrayType, "array"}, {objectType, "object"}} {
		if t&one.set != 0 {
			names = append(names, one.name)
		}
	}
	if len(names) == 7-1 {
		return "any type"
	}
	return strings.Join(names, " or ")
}

func (w *jsonWalk) enum(r schema.JSONNode, f facts) []jsonSpot {
	mine := enumerated(r.Value)
	if mine == nil {
		return nil
	}
	values, ok := f.values()
	if !ok && f.types&^(nullType|booleanType) == 0 {
		if ok = true; f.types&nullType != 0 {
			values = append(values, &schema.Value{Kind: schema.Null})
		}
		if f.types&booleanType != 0 {
			values = append(values, &schema.Value{Kind: schema.Bool}, &schema.Value{Kind: schema.Bool, Bool: true})
		}
	}
	if !ok {
		return w.spot(r, f, "/enum", EnumArrayNarrowed, "the reader takes listed values only and the writer may write others; remove the list, or list the values in the writer first")
	}
	known := w.keysOf(r.Value)
	for _, v := range values {
		if !w.spend() || !known[dataKey(v)] {
			return w.spot(r, f, "/enum", EnumArrayNarrowed, "the reader's list lacks the value %s; keep it in the list", v.Append(nil))
		}
	}
	return nil
}

// keysOf are the values that a schema lists, by their keys and made once; nil when it lists none.
func (w *jsonWalk) keysOf(v *schema.Value) map[string]bool {
	keys, ok := w.keys[v]
	if ok {
		return keys
	}
	if values := enumerated(v); values != nil {
		keys = make(map[string]bool, len(values))
		for _, value := range values {
			keys[dataKey(value)] = true
		}
	}
	w.keys[v] = keys
	return keys
}

// allFit tells whether every listed value surely fits the plain keywords of a schema. Whatever it does not understand it denies.
func (w *jsonWalk) allFit(r schema.JSONNode, values []*schema.Value) bool {
	return !slices.ContainsFunc(values, func(v *schema.Value) bool { return !w.fits(r, v) })
}

func (w *jsonWalk) fits(r schema.JSONNode, v *schema.Value) bool {
	r = known(r)
	if !w.enter() {
		return false
	}
	defer w.leave()
	if isTrue(r.Value) || r.Value.Kind == schema.Bool {
		return isTrue(r.Value)
	}
	keys := w.keysOf(r.Value)
	if typeOf(v)&(arrayType|objectType) != 0 || r.Value.Get("$ref") != nil || typeOf(v)&^declaredTypes(r.Value) != 0 ||
		r.Draft == schema.Draft4 && typeOf(v) == integerType && strings.ContainsAny(v.Text, ".eE") || keys != nil && !keys[dataKey(v)] {
		return false
	}
	for _, m := range r.Value.Members {
		n := rational(m.Value)
		x := rational(v)
		switch m.Name {
		case "maxLength":
			if v.Kind == schema.String && (n == nil || big.NewRat(int64(len([]rune(v.Text))), 1).Cmp(n) > 0) {
				return false
			}
		case "minLength":
			if v.Kind == schema.String && (n == nil || big.NewRat(int64(len([]rune(v.Text))), 1).Cmp(n) < 0) {
				return false
			}
		case "pattern":
			if v.Kind == schema.String && !w.matches(m.Value.Text, v.Text) {
				return false
			}
		case "multipleOf":
			if x != nil && (n == nil || n.Sign() == 0 || !new(big.Rat).Quo(x, n).IsInt()) {
				return false
			}
		case "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum":
			if x != nil && !keepsBounds(r, x) {
				return false
			}
		case "allOf":
			for _, c := range listed(w.reader, r, m.Name) {
				if !w.fits(c, v) {
					return false
				}
			}
		case "anyOf":
			if !slices.ContainsFunc(listed(w.reader, r, m.Name), func(c schema.JSONNode) bool { return w.fits(c, v) }) {
				return false
			}
		case "oneOf", "not", "if", "format", "$recursiveRef", "$dynamicRef":
			return false
		}
	}
	return true
}

func keepsBounds(r schema.JSONNode, x *big.Rat) bool {
	for _, sign := range [...]int{-1, 1} {
		for _, b := range boundsOf(r, sign) {
			if c := x.Cmp(b.at) * sign; c < 0 || c == 0 && b.open {
				return false
			}
		}
	}
	return true
}

// readable tells whether a pattern is one that Go can read: clients know some more.
func (w *jsonWalk) readable(pattern string) bool {
	w.matches(pattern, "")
	return w.patterns[pattern] != nil
}

func (w *jsonWalk) matches(pattern, text string) bool {
	if !w.spend() {
		return false // nobody asks any more
	}
	re, ok := w.patterns[pattern]
	if !ok {
		re, _ = regexp.Compile(pattern)
		w.patterns[pattern] = re
	}
	return re != nil && re.MatchString(text)
}

func (w *jsonWalk) numbers(r schema.JSONNode, f facts) []jsonSpot {
	var spots []jsonSpot
	for _, sign := range [...]int{-1, 1} {
		for _, b := range boundsOf(r, sign) {
			if !f.within(b, sign) {
				name := boundKeywords[sign][0]
				kind, words := limitKind(name, f.count(name, sign) != nil || f.count(boundKeywords[sign][1], sign) != nil, sign)
				spots = append(spots, w.spot(r, f, "/"+name, kind, "the reader's %s of %s %s; relax or remove it", name, b.at.RatString(), words)...)
			}
		}
	}
	if m := rational(r.Value.Get("multipleOf")); m != nil && m.Sign() > 0 && !f.multiple(m) {
		spots = append(spots, w.spot(r, f, "/multipleOf", MultipleOfChanged, "the reader takes multiples of %s only and the writer may write others; remove multipleOf", m.RatString())...)
	}
	return spots
}

// multiple tells whether all the writer's numbers are multiples of m.
func (f facts) multiple(m *big.Rat) bool {
	if f.types&fractionType == 0 && new(big.Rat).Inv(m).IsInt() {
		return true
	}
	return slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool {
		own := rational(p.Value.Get("multipleOf"))
		return own != nil && new(big.Rat).Quo(own, m).IsInt()
	})
}

// limitKind names a limit that was added or made tighter: MAX_LENGTH_ADDED, MIN_ITEMS_INCREASED.
func limitKind(keyword string, had bool, sign int) (Kind, string) {
	var name strings.Builder
	for _, c := range keyword {
		if c >= 'A' && c <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(c)
	}
	upper := strings.ToUpper(name.String())
	switch {
	case !had:
		return Kind(upper + "_ADDED"), "is new, and the writer knows none"
	case sign < 0:
		return Kind(upper + "_DECREASED"), "is smaller than the writer's"
	}
	return Kind(upper + "_INCREASED"), "is greater than the writer's"
}

// limit checks a keyword that counts: sign -1 for a greatest, 1 for a least number; least is known besides.
func (w *jsonWalk) limit(r schema.JSONNode, f facts, keyword string, sign int, alsoKnown *big.Rat) []jsonSpot {
	n := rational(r.Value.Get(keyword))
	if n == nil || sign > 0 && n.Sign() <= 0 {
		return nil
	}
	own := f.count(keyword, sign)
	for _, k := range []*big.Rat{own, alsoKnown} {
		if k != nil && k.Cmp(n)*sign >= 0 {
			return nil
		}
	}
	kind, words := limitKind(keyword, own != nil, sign)
	return w.spot(r, f, "/"+keyword, kind, "the reader's %s of %s %s; relax or remove it", keyword, n.RatString(), words)
}

func (w *jsonWalk) strings(r schema.JSONNode, f facts) []jsonSpot {
	spots := append(w.limit(r, f, "maxLength", -1, nil), w.limit(r, f, "minLength", 1, nil)...)
	if pattern, ok := r.Value.Str("pattern"); ok {
		kind := PatternAdded
		for _, p := range f.parts {
			own, has := p.Value.Str("pattern")
			if own == pattern && has {
				return spots
			}
			if has {
				kind = PatternChanged
			}
		}
		spots = append(spots, w.spot(r, f, "/pattern", kind, "the reader takes texts that match %q only; remove the pattern, or keep the writer's", pattern)...)
	}
	return spots
}

func (w *jsonWalk) arrays(r schema.JSONNode, f facts) []jsonSpot {
	spots := append(w.limit(r, f, "maxItems", -1, nil), w.limit(r, f, "minItems", 1, nil)...)
	if u := r.Value.Get("uniqueItems"); u != nil && u.Bool && !f.has("uniqueItems", u) {
		if most := f.count("maxItems", -1); most == nil || most.Cmp(big.NewRat(1, 1)) > 0 {
			spots = append(spots, w.spot(r, f, "/uniqueItems", UniqueItemsAdded, "the reader takes no element twice and the writer may write one twice; remove uniqueItems")...)
		}
	}
	spots = append(spots, w.elements(r, f)...)
	spots = append(spots, w.unchanged(r, f, "contains", "minContains", "maxContains")...)
	return append(spots, w.unevaluatedItems(r, f)...)
}

// elements compares lists place by place: every part of the writer may be the one that grants.
func (w *jsonWalk) elements(r schema.JSONNode, f facts) []jsonSpot {
	prefix, rest := elements(w.reader, r)
	if prefix == nil && rest == nil {
		return nil
	}
	var best []jsonSpot
	for i, p := range append(slices.Clone(f.parts), schema.JSONNode{Value: &schema.Value{Kind: schema.Object}}) {
		if i == len(f.parts) && i > 0 {
			break
		}
		theirPrefix, theirRest := elements(w.writer, p)
		spots := w.elementsOf(r, f, prefix, rest, theirPrefix, theirRest)
		if len(spots) == 0 {
			return nil
		}
		if best == nil || len(theirPrefix) > 0 || theirRest != nil {
			best = spots
		}
	}
	return best
}

func (w *jsonWalk) elementsOf(r schema.JSONNode, f facts, prefix []schema.JSONNode, rest *schema.JSONNode, theirPrefix []schema.JSONNode, theirRest *schema.JSONNode) []jsonSpot {
	var spots []jsonSpot
	most := f.count("maxItems", -1)
	count := max(len(prefix), len(theirPrefix)) + 1 // the last stands for all further ones
	for i := range count {
		if most != nil && most.Cmp(big.NewRat(int64(i), 1)) <= 0 {
			break
		}
		mine, theirs := rest, theirRest
		if i < len(prefix) {
			mine = &prefix[i]
		}
		if i < len(theirPrefix) {
			theirs = &theirPrefix[i]
		}
		if mine == nil || isTrue(mine.Value) {
			continue
		}
		if theirs != nil && theirs.Value.Kind == schema.Bool && !theirs.Value.Bool {
			if i >= len(theirPrefix) {
				break
			}
			return spots // a place that nothing may stand at ends the list
		}
		closed := mine.Value.Kind == schema.Bool
		spots = append(spots, w.inside(strconv.Itoa(i), func() []jsonSpot {
			switch {
			case theirs == nil && closed:
				return w.spot(r, f, "/items", AdditionalItemsRemoved, "the reader takes no further elements and the writer may write some; allow them")
			case theirs == nil:
				return w.spot(*mine, f, "", ItemAddedToOpenContentModel, "the reader describes an element that the writer left open; allow every value for it")
			case closed:
				return w.spot(r, f, "/items", ItemRemovedFromClosed, "the reader takes no element %d and the writer writes one; keep its schema", i)
			}
			return w.compare(*mine, *theirs)
		})...)
	}
	return spots
}

// has tells whether a part of the writer has the keyword with the very same value.
func (f facts) has(keyword string, v *schema.Value) bool {
	return slices.ContainsFunc(f.parts, func(p schema.JSONNode) bool {
		own := p.Value.Get(keyword)
		return own != nil && sameData(own, v)
	})
}

func (w *jsonWalk) combinations(r schema.JSONNode, f facts) []jsonSpot {
	var spots []jsonSpot
	for _, c := range listed(w.reader, r, "allOf") {
		if bad := w.granted(c, f); len(bad) > 0 {
			spots = append(spots, bad...)
		}
	}
	for _, keyword := range [...]string{"anyOf", "oneOf"} {
		spots = append(spots, w.oneOfMany(r, f, keyword)...)
	}
	if n, ok := w.reader.Child(r, "not"); ok && !w.excluded(n, f) {
		spots = append(spots, w.spot(r, f, "/not", NotTypeExtended, "the reader refuses what fits its not, and the writer may write such a value; keep or narrow the not")...)
	}
	return append(spots, w.unchanged(r, f, "if", "then", "else")...)
}

// oneOfMany demands that one of the reader's alternatives takes all the facts allow; types and listed values are taken one by one.
func (w *jsonWalk) oneOfMany(r schema.JSONNode, f facts, keyword string) []jsonSpot {
	list := listed(w.reader, r, keyword)
	if len(list) == 0 || len(list) > 1 && w.sameGroup(r, f, keyword) {
		return nil
	}
	if w.exact && keyword == "oneOf" && len(list) > 1 {
		return w.spot(r, f, "/"+keyword, SumTypeNarrowed, "the alternatives are not the writer's; keep them as they are")
	}
	once := keyword == "oneOf" && len(list) > 1 && !w.mayGrow(f)
	takes := func(f facts) bool { return w.taken(list, f, once) }
	if takes(f) {
		return nil
	}
	if len(list) == 1 {
		return w.granted(list[0], f)
	}
	all := true
	for set := nullType; set <= objectType && all; set <<= 1 {
		if f.types&set != 0 && f.types != set {
			one := f
			one.types = set
			if set == fractionType { // integers are tried apart, but a schema of numbers takes both
				one.types = f.types & numberTypes
			}
			all = takes(one)
		} else if f.types == set {
			all = false
		}
	}
	if values, ok := f.values(); ok && !all {
		all = !slices.ContainsFunc(values, func(v *schema.Value) bool { return !w.fitsOne(list, v, once) })
	}
	switch {
	case all:
		return nil
	case once && w.taken(list, f, false):
		return w.spot(r, f, "/"+keyword, CombinedTypeChanged,
			"what the writer may write here can fit two of the reader's alternatives, which oneOf refuses; keep anyOf, or make the alternatives exclude each other")
	}
	return w.spot(r, f, "/"+keyword, SumTypeNarrowed, "none of the reader's alternatives takes all that the writer may write here; keep the alternatives, or add one that does")
}
