package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// Kinds of Avro.
const (
	NameMismatch                   Kind = "NAME_MISMATCH"
	FixedSizeMismatch              Kind = "FIXED_SIZE_MISMATCH"
	MissingEnumSymbols             Kind = "MISSING_ENUM_SYMBOLS"
	ReaderFieldMissingDefaultValue Kind = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch                   Kind = "TYPE_MISMATCH"
	MissingUnionBranch             Kind = "MISSING_UNION_BRANCH"
)

// avroPair is a question of the walk: can reader read what writer writes.
type avroPair struct{ reader, writer *schema.AvroNode }

// avroWalk answers questions about pairs of types.
//
// A recursive type asks about a pair while that pair is being answered; it is then taken to fit. Where that turns out wrong, what was
// concluded from it is forgotten and the walk is done again, knowing the pair as bad. Verdicts of "does not fit" never depend on such
// a guess, so each round knows more of them and the last round guesses right: the largest set of pairs that fit each other.
type avroWalk struct {
	*budget
	bad     map[avroPair]bool
	fit     map[avroPair]bool
	open    map[avroPair]bool // being answered
	guessed map[avroPair]bool // taken to fit while open
	again   bool              // a guess was wrong
	told    []Finding
	seen    map[avroPair]bool // told already
	near    bool              // inside a reason in brackets, which holds no further one
}

func checkAvro(reader, writer *schema.AvroSchema, b *budget, o Options) Result {
	w := newAvroWalk(b)
	ok := w.settle(avroPair{reader.Root, writer.Root})
	if b.over || ok {
		return b.finish(nil)
	}
	w.tell(avroPair{reader.Root, writer.Root}, "")
	r := b.finish(w.told)
	if b.example(o) {
		r.Example = avroExample(reader, writer, w)
	}
	return r
}

func newAvroWalk(b *budget) *avroWalk {
	return &avroWalk{budget: b, bad: map[avroPair]bool{}, fit: map[avroPair]bool{}, open: map[avroPair]bool{},
		guessed: map[avroPair]bool{}, seen: map[avroPair]bool{}}
}

// settle repeats the walk until no guess was wrong. What fitted in a round without wrong guesses stays known.
func (w *avroWalk) settle(p avroPair) bool {
	for {
		ok := w.fits(p)
		if !w.again || w.over {
			return ok
		}
		clear(w.fit)
		clear(w.guessed)
		w.again = false
		if !ok {
			return false
		}
	}
}

// fits answers one pair without telling why.
func (w *avroWalk) fits(p avroPair) bool {
	switch {
	case w.bad[p]:
		return false
	case w.fit[p]:
		return true
	case w.open[p]:
		w.guessed[p] = true
		return true
	case p.reader.Kind == p.writer.Kind && p.reader.Kind < schema.AvroRecord:
		return w.spend()
	case !w.enter():
		return false
	}
	w.open[p] = true
	ok := w.answer(p)
	w.leave()
	delete(w.open, p)
	if ok {
		w.fit[p] = true
		return true
	}
	if !w.over {
		w.bad[p] = true
		w.again = w.again || w.guessed[p]
	}
	return false
}

// answer is the rule for one pair: which parts must fit, as parts gives them.
func (w *avroWalk) answer(p avroPair) bool {
	r, wr := p.reader, p.writer
	switch {
	case wr.Kind == schema.AvroUnion:
		return !slices.ContainsFunc(wr.Branches, func(b *schema.AvroNode) bool { return !w.fits(avroPair{r, b}) })
	case r.Kind == schema.AvroUnion:
		return slices.ContainsFunc(r.Branches, func(b *schema.AvroNode) bool { return w.fits(avroPair{b, wr}) })
	case r.Kind != wr.Kind:
		return avroPromotes(wr.Kind, r.Kind)
	case r.Kind.Named() && !avroNamesMatch(r, wr):
		return false
	}
	switch r.Kind {
	case schema.AvroFixed:
		return r.Size == wr.Size
	case schema.AvroEnum:
		return len(missingSymbols(r, wr)) == 0
	case schema.AvroArray, schema.AvroMap:
		return w.fits(avroPair{r.Items, wr.Items})
	case schema.AvroRecord:
		return w.recordFits(r, wr)
	}
	return true
}

func (w *avroWalk) recordFits(r, wr *schema.AvroNode) bool {
	fields := newWriterFields(wr)
	for i := range r.Fields {
		f := &r.Fields[i]
		from := fields.of(f)
		switch {
		case len(from) == 0 && f.Default == nil, len(from) > 1:
			return false
		case len(from) == 1 && !w.fits(avroPair{f.Type, from[0].Type}):
			return false
		}
	}
	return true
}

// writerFields finds a writer's fields by name.
type writerFields map[string]*schema.AvroField

func newWriterFields(n *schema.AvroNode) writerFields {
	byName := make(writerFields, len(n.Fields))
	for i := range n.Fields {
		byName[n.Fields[i].Name] = &n.Fields[i]
	}
	return byName
}

// of gives the writer's fields that a reader's field would take its value from: one by its name, others by its aliases. More than one
// is a contradiction that no decoder resolves.
func (byName writerFields) of(f *schema.AvroField) []*schema.AvroField {
	var found []*schema.AvroField
	if direct := byName[f.Name]; direct != nil {
		found = append(found, direct)
	}
	for _, alias := range f.Aliases {
		if other := byName[alias]; other != nil && !slices.Contains(found, other) {
			found = append(found, other)
		}
	}
	return found
}

// avroNamesMatch: equal without the namespace, or an alias of the reader is the writer's full name.
func avroNamesMatch(r, w *schema.AvroNode) bool {
	return r.Name.Base == w.Name.Base || slices.Contains(r.Aliases, w.Name)
}

// avroPromotes tells whether a reader takes a writer's value of another kind.
func avroPromotes(from, to schema.AvroKind) bool {
	switch to {
	case schema.AvroLong:
		return from == schema.AvroInt
	case schema.AvroFloat:
		return from == schema.AvroInt || from == schema.AvroLong
	case schema.AvroDouble:
		return from == schema.AvroInt || from == schema.AvroLong || from == schema.AvroFloat
	case schema.AvroBytes:
		return from == schema.AvroString
	case schema.AvroString:
		return from == schema.AvroBytes
	}
	return false
}

// missingSymbols are the writer's symbols that the reader neither knows nor has a default for.
func missingSymbols(r, w *schema.AvroNode) []string {
	known := make(map[string]bool, len(r.Symbols))
	for _, s := range r.Symbols {
		known[s] = true
	}
	if r.Default != nil && known[*r.Default] {
		return nil
	}
	var missing []string
	for _, s := range w.Symbols {
		if !known[s] {
			missing = append(missing, s)
		}
	}
	return missing
}

// tell walks down to every place that does not fit and says why. It is called for pairs that are known as bad.
func (w *avroWalk) tell(p avroPair, path string) {
	if w.seen[p] || len(w.told) >= findingLimit || !w.enter() {
		return
	}
	defer w.leave()
	w.seen[p] = true
	r, wr := p.reader, p.writer
	switch {
	case wr.Kind == schema.AvroUnion:
		w.tellUnionWriter(r, wr, path)
	case r.Kind == schema.AvroUnion && slices.ContainsFunc(r.Branches, func(b *schema.AvroNode) bool { return w.seen[avroPair{b, wr}] }):
		// A type inside itself: what is wrong with it is told where it first stands.
	case r.Kind == schema.AvroUnion:
		w.found(path, MissingUnionBranch, "the reader's union has no branch that can read %s%s; add such a branch",
			article(wr), w.nearBranch(r, wr))
	case r.Kind != wr.Kind:
		w.found(path, TypeMismatch, "the writer has %s here and the reader %s, which cannot be read as such; keep the type, or make the reader a union that holds both",
			article(wr), article(r))
	case r.Kind.Named() && !avroNamesMatch(r, wr):
		w.found(path+"/name", NameMismatch, "the writer's %s is called %s and the reader's %s; keep the name, or give the reader's type the alias %q",
			r.Kind, wr.Name, r.Name, wr.Name.String())
		w.tellParts(r, wr, path)
	default:
		w.tellParts(r, wr, path)
	}
}

func (w *avroWalk) tellParts(r, wr *schema.AvroNode, path string) {
	switch r.Kind {
	case schema.AvroFixed:
		if r.Size != wr.Size {
			w.found(path+"/size", FixedSizeMismatch, "%s has %d bytes in the writer and %d in the reader; keep the size, or use a type of another name in a union",
				r.Name, wr.Size, r.Size)
		}
	case schema.AvroEnum:
		if missing := missingSymbols(r, wr); len(missing) > 0 {
			w.found(path+"/symbols", MissingEnumSymbols, "the reader's enum %s lacks the symbols %s; keep them, or give the reader's enum a default symbol",
				r.Name, strings.Join(missing, ", "))
		}
	case schema.AvroArray:
		w.tellIfBad(avroPair{r.Items, wr.Items}, path+"/items")
	case schema.AvroMap:
		w.tellIfBad(avroPair{r.Items, wr.Items}, path+"/values")
	case schema.AvroRecord:
		w.tellRecord(r, wr, path)
	}
}

func (w *avroWalk) tellRecord(r, wr *schema.AvroNode, path string) {
	fields := newWriterFields(wr)
	for i := range r.Fields {
		f := &r.Fields[i]
		at := path + "/fields/" + strconv.Itoa(i)
		switch from := fields.of(f); {
		case len(from) > 1:
			w.found(at, NameMismatch, "the field %q matches several fields of the writer by its name and aliases (%s and %s); drop the alias that is not meant",
				f.Name, from[0].Name, from[1].Name)
		case len(from) == 1:
			w.tellIfBad(avroPair{f.Type, from[0].Type}, at+"/type")
		case f.Default == nil:
			w.found(at, ReaderFieldMissingDefaultValue, "the reader's field %q is not written by the writer and has no default; give it a default value",
				f.Name)
		}
	}
}

func (w *avroWalk) tellIfBad(p avroPair, path string) {
	if !w.settle(p) {
		w.tell(p, path)
	}
}

// tellUnionWriter names every branch that the reader cannot read. A reader that is a union itself lacks a branch; any other reader has
// a type that one of the branches does not fit.
func (w *avroWalk) tellUnionWriter(r, wr *schema.AvroNode, path string) {
	for i, b := range wr.Branches {
		w.tellIfBad(avroPair{r, b}, path+"/"+strconv.Itoa(i))
	}
}

// nearBranch says why the branch that looks right is not.
func (w *avroWalk) nearBranch(r, wr *schema.AvroNode) string {
	if w.near {
		return ""
	}
	for _, b := range r.Branches {
		if b.Kind != wr.Kind || b.Kind.Named() && !avroNamesMatch(b, wr) {
			continue
		}
		inner := newAvroWalk(w.budget)
		inner.bad, inner.near = w.bad, true
		inner.tell(avroPair{b, wr}, "")
		if len(inner.told) > 0 {
			return " (its branch " + b.FullName() + " does not fit: " + inner.told[0].Words + ")"
		}
	}
	return ""
}

func (w *avroWalk) found(path string, kind Kind, format string, args ...any) {
	if path == "" {
		path = "/"
	}
	w.told = append(w.told, Finding{path, kind, fmt.Sprintf(format, args...)})
}

// article is a type as a sentence names it.
func article(n *schema.AvroNode) string {
	switch n.Kind {
	case schema.AvroRecord, schema.AvroFixed:
		return "the " + n.Kind.String() + " " + n.Name.String()
	case schema.AvroEnum:
		return "the enum " + n.Name.String()
	case schema.AvroInt, schema.AvroArray:
		return "an " + n.Kind.String()
	case schema.AvroNull, schema.AvroBytes:
		return n.Kind.String()
	}
	return "a " + n.Kind.String()
}
