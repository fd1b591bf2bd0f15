package schema

import (
	"context"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// parseAvro reads an Avro schema with a parser of our own, because the canonical form keeps things that codecs drop: properties,
// documentation, aliases, and where a type was named rather than written out. The rules are those of Java's Avro 1.12, which every
// registry before us took for its canonical form.
func parseAvro(s Schema, refs []named, o Options) (*AvroSchema, error) {
	p := avroParser{o: o, ctx: o.context(), names: map[string]*AvroNode{}, known: map[string]bool{}, open: map[*AvroNode]bool{}}
	for _, ref := range refs {
		if t := ref.Schema.TypeOrDefault(); t != Avro {
			return nil, badReferencef("reference "+quoted(ref.Name), "%s schemas cannot refer to %s schemas; refer to an AVRO schema", Avro, t)
		}
		top, err := p.schema(ref.Schema.Text)
		if err != nil {
			return nil, inReference(ref, err)
		}
		p.known[top.FullName()] = true
	}
	p.main = true
	root, err := p.schema(s.Text)
	if err != nil {
		return nil, err
	}
	a := &AvroSchema{Root: root, known: p.known}
	if o.New {
		if err := a.checkCodec(p.ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// checkCodec asks the codec's own parser too, so that nothing is registered that our tools cannot read afterwards.
func (a *AvroSchema) checkCodec(ctx context.Context) error {
	if err := checkTime(ctx); err != nil {
		return err
	}
	if _, err := a.Codec(); err != nil {
		return invalidf("", "records of this schema cannot be read or written (%v); change that part", err)
	}
	return nil
}

// inReference says in which reference an error stands.
func inReference(ref named, err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	inner := *e
	inner.Place = "reference " + quoted(ref.Name)
	if e.Place != "" {
		inner.Place += ", " + e.Place
	}
	return &inner
}

type avroParser struct {
	o     Options
	ctx   context.Context
	main  bool // the schema itself is read, not a reference
	names map[string]*AvroNode
	known map[string]bool    // the top types of the references
	open  map[*AvroNode]bool // definitions that are being read
	fits  defaultCheck
	later []laterName
	depth int
	steps int
}

// laterName is a name that stood before its definition; at points to where the type goes.
type laterName struct {
	at    **AvroNode
	full  string
	text  string
	place string
}

// schema reads one text and resolves every name in it.
func (p *avroParser) schema(text string) (*AvroNode, error) {
	v, err := parseValue(text, p.o.Limits.jsonDepth(), true)
	if err != nil {
		return nil, err
	}
	var root *AvroNode
	if err := p.node(v, "", "", &root); err != nil {
		return nil, err
	}
	for _, l := range p.later {
		n := p.names[l.full]
		if n == nil {
			return nil, invalidf(l.place, "the type %q is not known here; define it, or add a reference to the schema that does", l.text)
		}
		*l.at = n
	}
	p.later = nil
	return root, p.settled(root, map[*AvroNode]bool{}, 1)
}

// settled checks what can only be said once every name has its type: unions, default values, and how deep the canonical text nests,
// which a name used before its definition can make deeper than the text that was given.
func (p *avroParser) settled(n *AvroNode, seen map[*AvroNode]bool, depth int) error {
	if seen[n] {
		return nil
	}
	seen[n] = true
	if p.known[n.FullName()] {
		depth = 0
	}
	if depth > p.o.Limits.Depth {
		return tooLargef("", "types are nested more than %d levels deep; register inner types and refer to them", p.o.Limits.Depth)
	}
	if n.Kind == AvroUnion {
		if err := checkUnion(n); err != nil {
			return err
		}
	}
	for i := range n.Fields {
		if err := p.settledField(n, &n.Fields[i], seen, depth); err != nil {
			return err
		}
	}
	for _, child := range append([]*AvroNode{n.Items}, n.Branches...) {
		if child == nil {
			continue
		}
		if err := p.settled(child, seen, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (p *avroParser) settledField(record *AvroNode, f *AvroField, seen map[*AvroNode]bool, depth int) error {
	if err := p.settled(f.Type, seen, depth+1); err != nil {
		return err
	}
	if p.o.New && p.main && f.Default != nil && !p.fits.value(f.Type, f.Default) {
		return invalidf("field "+quoted(f.Name)+" of "+record.Name.String(),
			"the default %s does not fit the type %s; give a default of that type", shortValue(f.Default), typeInWords(f.Type))
	}
	return nil
}

func checkUnion(n *AvroNode) error {
	seen := map[string]bool{}
	for _, b := range n.Branches {
		if b.Kind == AvroUnion {
			return invalidf("", "a union stands directly in a union; put its branches into the outer one")
		}
		name := b.FullName()
		if seen[name] {
			return invalidf("", "a union has the branch %q twice; leave one out", name)
		}
		seen[name] = true
	}
	return nil
}

func typeInWords(n *AvroNode) string {
	if n.Kind != AvroUnion {
		return n.FullName()
	}
	names := make([]string, len(n.Branches))
	for i, b := range n.Branches {
		names[i] = b.FullName()
	}
	return "union of " + strings.Join(names, ", ")
}

func shortValue(v *Value) string {
	text := string(v.Append(nil))
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}

// node reads a type into *at. space is the namespace around it, place where it stands.
func (p *avroParser) node(v *Value, space, place string, at **AvroNode) error {
	if p.depth++; p.depth > p.o.Limits.Depth {
		return tooLargef(place, "types are nested more than %d levels deep; name inner types and refer to them", p.o.Limits.Depth)
	}
	defer func() { p.depth-- }()
	if p.steps++; p.steps%1024 == 0 {
		if err := checkTime(p.ctx); err != nil {
			return err
		}
	}
	switch v.Kind {
	case String:
		p.named(v.Text, space, place, at)
		return nil
	case Array:
		return p.union(v, space, place, at)
	case Object:
		return p.complex(v, space, place, at)
	}
	return invalidf(place, "a type cannot be the %s %s; write a name, an object or a list", v.Kind, shortValue(v))
}

// named finds a type by name, now or after the whole text is read.
func (p *avroParser) named(text, space, place string, at **AvroNode) {
	if kind, ok := avroPrimitive(text); ok {
		*at = &AvroNode{Kind: kind}
		return
	}
	full := text
	if !strings.Contains(text, ".") {
		full = AvroName{space, text}.String()
	}
	if n := p.names[full]; n != nil {
		*at = n
	} else if n := p.names[text]; n != nil {
		*at = n
	} else {
		p.later = append(p.later, laterName{at, full, text, place})
	}
}

func (p *avroParser) union(v *Value, space, place string, at **AvroNode) error {
	n := &AvroNode{Kind: AvroUnion, Branches: make([]*AvroNode, len(v.Items))}
	*at = n
	for i, item := range v.Items {
		if err := p.node(item, space, place+"/"+itoa(i), &n.Branches[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *avroParser) complex(v *Value, space, place string, at **AvroNode) error {
	kind, ok := v.Str("type")
	if !ok {
		return invalidf(place, `an object that describes a type needs "type" with the name of a kind; write the inner type itself where the object stands`)
	}
	if primitive, ok := avroPrimitive(kind); ok {
		*at = p.finish(v, &AvroNode{Kind: primitive})
		return nil
	}
	switch kind {
	case "record", "error", "enum", "fixed":
		return p.define(v, kind, space, place, at)
	case "array":
		return p.container(v, AvroArray, "items", space, place, at)
	case "map":
		return p.container(v, AvroMap, "values", space, place, at)
	}
	p.named(kind, space, place, at)
	return nil
}

func (p *avroParser) container(v *Value, kind AvroKind, of, space, place string, at **AvroNode) error {
	inner := v.Get(of)
	if inner == nil {
		return invalidf(place, "%s needs %q with the type of what it holds; add it", kind, of)
	}
	n := &AvroNode{Kind: kind}
	*at = n
	if err := p.node(inner, space, place+"/"+of, &n.Items); err != nil {
		return err
	}
	p.finish(v, n)
	return nil
}

// define reads a record, enum or fixed. A name may be defined again only as the same type.
func (p *avroParser) define(v *Value, kind, space, place string, at **AvroNode) error {
	name, err := p.typeName(v, kind, space, place)
	if err != nil {
		return err
	}
	n := &AvroNode{Name: name}
	before := p.names[name.String()]
	switch {
	case before == nil:
		p.names[name.String()] = n
	case p.open[before]:
		return invalidf(place, "the type %q is defined inside itself; refer to it by its name or give the inner type another", name)
	}
	p.open[n] = true
	defer delete(p.open, n)
	if err := p.aliases(v, n, place); err != nil {
		return err
	}
	n.Doc = docOf(v)
	switch kind {
	case "enum":
		err = p.enum(v, n, place)
	case "fixed":
		err = p.fixed(v, n, place)
	default:
		n.IsError = kind == "error"
		err = p.record(v, n, place)
	}
	if err != nil {
		return err
	}
	p.finish(v, n)
	*at = n
	if before == nil {
		return nil
	}
	if !p.same(before, n) {
		return invalidf(place, "the name %q is defined already as another type; give one of them another name", name)
	}
	*at = before
	return nil
}

// same compares two definitions of one name. Names inside that are not resolved yet are compared after the text is read, so here they
// print as the names they have.
func (p *avroParser) same(a, b *AvroNode) bool {
	if len(p.later) > 0 {
		return samePending(a, b, p.later)
	}
	return string(printAvro(a, nil, false)) == string(printAvro(b, nil, false))
}

// samePending puts stand-ins where names are pending, compares, and takes them out again.
func samePending(a, b *AvroNode, later []laterName) bool {
	for _, l := range later {
		*l.at = &AvroNode{Kind: AvroFixed, Name: AvroName{Base: l.full}}
	}
	defer func() {
		for _, l := range later {
			*l.at = nil
		}
	}()
	return string(printAvro(a, nil, false)) == string(printAvro(b, nil, false))
}

func (p *avroParser) typeName(v *Value, kind, space, place string) (AvroName, error) {
	base, ok := v.Str("name")
	if !ok {
		return AvroName{}, invalidf(place, `%s has no "name"; give it one`, kind)
	}
	if given, ok := v.Str("namespace"); ok {
		space = given
	}
	name := splitAvroName(base, space)
	if _, primitive := avroPrimitive(name.String()); primitive {
		return name, invalidf(place, "a type cannot be named %q like a primitive type; choose another name", name)
	}
	return name, p.checkName(name, place)
}

// splitAvroName reads a name that may carry its namespace.
func splitAvroName(text, space string) AvroName {
	if dot := strings.LastIndexByte(text, '.'); dot >= 0 {
		return AvroName{text[:dot], text[dot+1:]}
	}
	return AvroName{space, text}
}

// checkName holds names to Avro's letters. Namespaces are held to them in new schemas only, and new schemas to ASCII, since stored
// ones were let in with more.
func (p *avroParser) checkName(name AvroName, place string) error {
	if err := p.checkWord(name.Base, place); err != nil {
		return err
	}
	if !p.o.New || !p.main || name.Space == "" {
		return nil
	}
	for _, part := range strings.Split(name.Space, ".") {
		if err := p.checkWord(part, place); err != nil {
			return err
		}
	}
	return nil
}

func (p *avroParser) checkWord(word, place string) error {
	if word == "" {
		return invalidf(place, "a name is empty; give one of letters, digits and underscores")
	}
	ascii := p.o.New && p.main
	for i, c := range word {
		letter := c == '_' || unicode.IsLetter(c)
		digit := i > 0 && unicode.IsDigit(c)
		if !letter && !digit || ascii && c > unicode.MaxASCII {
			return invalidf(place, "the name %q has the character %q; begin with a letter or underscore and use letters, digits and underscores", word, c)
		}
	}
	return nil
}

func (p *avroParser) aliases(v *Value, n *AvroNode, place string) error {
	texts, err := aliasTexts(v, place)
	if err != nil {
		return err
	}
	seen := map[AvroName]bool{}
	for _, text := range texts {
		alias := splitAvroName(text, n.Name.Space)
		if err := p.checkName(alias, place+"/aliases"); err != nil {
			return err
		}
		if !seen[alias] {
			seen[alias] = true
			n.Aliases = append(n.Aliases, alias)
		}
	}
	return nil
}

// aliasTexts is the aliases as written, each once.
func aliasTexts(v *Value, place string) ([]string, error) {
	list := v.Get("aliases")
	if list == nil {
		return nil, nil
	}
	if list.Kind != Array {
		return nil, invalidf(place+"/aliases", "aliases are the %s %s; write a list of names", list.Kind, shortValue(list))
	}
	var texts []string
	seen := map[string]bool{}
	for _, item := range list.Items {
		if item.Kind != String {
			return nil, invalidf(place+"/aliases", "an alias is the %s %s; write names", item.Kind, shortValue(item))
		}
		if !seen[item.Text] {
			seen[item.Text] = true
			texts = append(texts, item.Text)
		}
	}
	return texts, nil
}

func docOf(v *Value) *string {
	if doc, ok := v.Str("doc"); ok {
		return &doc
	}
	return nil
}

func (p *avroParser) enum(v *Value, n *AvroNode, place string) error {
	n.Kind = AvroEnum
	list := v.Get("symbols")
	if list == nil || list.Kind != Array {
		return invalidf(place, `enum %q needs "symbols" with a list of names; add it`, n.Name)
	}
	seen := make(map[string]bool, len(list.Items))
	for i, item := range list.Items {
		at := place + "/symbols/" + itoa(i)
		if item.Kind != String {
			return invalidf(at, "a symbol is the %s %s; write a name", item.Kind, shortValue(item))
		}
		if err := p.checkWord(item.Text, at); err != nil {
			return err
		}
		if seen[item.Text] {
			return invalidf(at, "the symbol %q stands twice in enum %q; leave one out", item.Text, n.Name)
		}
		seen[item.Text] = true
		n.Symbols = append(n.Symbols, item.Text)
	}
	if text, ok := v.Str("default"); ok {
		if !seen[text] {
			return invalidf(place+"/default", "the default %q is no symbol of enum %q; name one of its symbols", text, n.Name)
		}
		n.Default = &text
	}
	return nil
}

func (p *avroParser) fixed(v *Value, n *AvroNode, place string) error {
	n.Kind = AvroFixed
	size, ok := v.Get("size").Int64()
	if !ok || size < 0 || size > math.MaxInt32 {
		return invalidf(place, `fixed %q needs "size" with the number of its bytes; add a whole number`, n.Name)
	}
	n.Size = int(size)
	return nil
}

func (p *avroParser) record(v *Value, n *AvroNode, place string) error {
	n.Kind = AvroRecord
	list := v.Get("fields")
	if list == nil || list.Kind != Array {
		return invalidf(place, `record %q needs "fields" with a list; add it, if need be an empty one`, n.Name)
	}
	n.Fields = make([]AvroField, len(list.Items)) // of its full length at once: pending names point into it
	seen := make(map[string]bool, len(list.Items))
	for i, item := range list.Items {
		at := place + "/fields/" + itoa(i)
		if err := p.field(item, n, &n.Fields[i], at); err != nil {
			return err
		}
		if name := n.Fields[i].Name; seen[name] {
			return invalidf(at, "record %q has two fields named %q; rename one", n.Name, name)
		}
		seen[n.Fields[i].Name] = true
	}
	return nil
}

func (p *avroParser) field(v *Value, record *AvroNode, f *AvroField, place string) error {
	name, ok := v.Str("name")
	if !ok {
		return invalidf(place, `a field of record %q has no "name"; give it one`, record.Name)
	}
	if err := p.checkWord(name, place); err != nil {
		return err
	}
	f.Name = name
	f.Doc = docOf(v)
	kind := v.Get("type")
	if kind == nil {
		return invalidf(place, `field %q has no "type"; give it one`, name)
	}
	if err := p.node(kind, record.Name.Space, place+"/type", &f.Type); err != nil {
		return err
	}
	var err error
	if f.Order, err = orderOf(v, place); err != nil {
		return err
	}
	if f.Aliases, err = aliasTexts(v, place); err != nil {
		return err
	}
	if f.Default, err = fieldDefault(v.Get("default"), f.Type, place); err != nil {
		return err
	}
	f.Props = propsOf(v, "default", "doc", "name", "order", "type", "aliases")
	return nil
}

func orderOf(v *Value, place string) (string, error) {
	given := v.Get("order")
	if given == nil {
		return "ascending", nil
	}
	if given.Kind == String {
		switch order := strings.ToLower(given.Text); order {
		case "ascending", "descending", "ignore":
			return order, nil
		}
	}
	return "", invalidf(place+"/order", "the order %s is not known; use ascending, descending or ignore", shortValue(given))
}

// fieldDefault reads a default. A float may be given as text, which is how JSON can say NaN and infinity.
func fieldDefault(v *Value, t *AvroNode, place string) (*Value, error) {
	if v == nil || t == nil || v.Kind != String || t.Kind != AvroFloat && t.Kind != AvroDouble {
		return v, nil
	}
	switch v.Text {
	case "NaN", "Infinity", "-Infinity":
		return v, nil
	}
	d, err := strconv.ParseFloat(strings.TrimSpace(v.Text), 64)
	if err != nil {
		return nil, invalidf(place+"/default", "the default %q is no number; give a number, NaN, Infinity or -Infinity", v.Text)
	}
	return &Value{Kind: Number, Text: javaDouble(d, 64)}, nil
}

// avroReserved are the attributes that are never properties, on any type; an enum has "default" beside them.
var avroReserved = []string{"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}

// finish keeps the properties and reads the logical type out of them.
func (p *avroParser) finish(v *Value, n *AvroNode) *AvroNode {
	if n.Kind == AvroEnum {
		n.Props = propsOf(v, append([]string{"default"}, avroReserved...)...)
	} else {
		n.Props = propsOf(v, avroReserved...)
	}
	n.Logical = logicalOf(n)
	return n
}

func propsOf(v *Value, reserved ...string) []Member {
	var props []Member
next:
	for _, m := range v.Members {
		for _, r := range reserved {
			if m.Name == r {
				continue next
			}
		}
		props = append(props, m)
	}
	return props
}

func prop(props []Member, name string) *Value {
	for _, m := range props {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// logicalOn lists where a logical type may stand.
var logicalOn = map[string][]AvroKind{
	"decimal": {AvroBytes, AvroFixed}, "big-decimal": {AvroBytes}, "uuid": {AvroString, AvroFixed}, "duration": {AvroFixed},
	"date": {AvroInt}, "time-millis": {AvroInt}, "time-micros": {AvroLong},
	"timestamp-millis": {AvroLong}, "timestamp-micros": {AvroLong}, "timestamp-nanos": {AvroLong},
	"local-timestamp-millis": {AvroLong}, "local-timestamp-micros": {AvroLong}, "local-timestamp-nanos": {AvroLong},
}

// logicalOf is the logical type of a node when it fits.
func logicalOf(n *AvroNode) AvroLogical {
	name := prop(n.Props, "logicalType")
	if name == nil || name.Kind != String {
		return AvroLogical{}
	}
	l := AvroLogical{Name: name.Text}
	fits := false
	for _, kind := range logicalOn[name.Text] {
		fits = fits || kind == n.Kind
	}
	switch {
	case !fits:
		return AvroLogical{}
	case l.Name == "uuid" && n.Kind == AvroFixed && n.Size != 16, l.Name == "duration" && n.Size != 12:
		return AvroLogical{}
	case l.Name == "decimal":
		return decimalOf(n)
	}
	return l
}

func decimalOf(n *AvroNode) AvroLogical {
	precision, ok := prop(n.Props, "precision").Int64()
	if !ok || precision <= 0 || precision > math.MaxInt32 {
		return AvroLogical{}
	}
	var scale int64
	if given := prop(n.Props, "scale"); given != nil {
		if scale, ok = given.Int64(); !ok || scale < 0 || scale > precision {
			return AvroLogical{}
		}
	}
	if n.Kind == AvroFixed && float64(precision) > math.Floor(math.Log10(2)*float64(8*n.Size-1)) {
		return AvroLogical{}
	}
	return AvroLogical{"decimal", int(precision), int(scale)}
}
