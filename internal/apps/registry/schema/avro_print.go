package schema

import (
	"math"
	"slices"
	"sort"
	"strconv"
)

// printAvro writes the type as Java's Schema.toString does: attributes in one order, every named type written out where it is first
// met and named after that, types in known named from the start.
//
// The normalized form is the same text with what carries no meaning put in one order: aliases and properties sorted, the attributes of
// a logical type first, defaults of floating types written as such, the members of defaults and properties sorted, empty
// documentation of a named type left out.
func printAvro(n *AvroNode, known map[string]bool, normal bool) []byte {
	p := avroPrinter{known: map[string]bool{}, normal: normal}
	for name := range known {
		p.known[name] = true
	}
	p.node(n, "")
	return p.out
}

// printAvroForCodec writes the type for a codec: names and defaults and logical types that fit, and nothing that one could stumble over.
func printAvroForCodec(n *AvroNode) []byte {
	p := avroPrinter{known: map[string]bool{}, codec: true}
	p.node(n, "")
	return p.out
}

type avroPrinter struct {
	out    []byte
	known  map[string]bool
	normal bool
	codec  bool
	fits   defaultCheck
}

func (p *avroPrinter) text(parts ...string) {
	for _, part := range parts {
		p.out = append(p.out, part...)
	}
}

func (p *avroPrinter) string(text string) { p.out = appendString(p.out, text) }

// attribute writes ,"name":"text".
func (p *avroPrinter) attribute(name, text string) {
	p.text(`,"`, name, `":`)
	p.string(text)
}

func (p *avroPrinter) node(n *AvroNode, space string) {
	switch {
	case n.Kind.Named():
		p.definition(n, space)
	case n.Kind == AvroUnion:
		p.text("[")
		for i, b := range n.Branches {
			if i > 0 {
				p.text(",")
			}
			p.node(b, space)
		}
		p.text("]")
	case n.Kind == AvroArray:
		p.container(n, `{"type":"array","items":`, space)
	case n.Kind == AvroMap:
		p.container(n, `{"type":"map","values":`, space)
	case p.hasProps(n):
		p.text(`{"type":"`, n.Kind.String(), `"`)
		p.props(n)
		p.text("}")
	default:
		p.string(n.Kind.String())
	}
}

func (p *avroPrinter) container(n *AvroNode, head, space string) {
	p.text(head)
	p.node(n.Items, space)
	p.props(n)
	p.text("}")
}

func (p *avroPrinter) definition(n *AvroNode, space string) {
	full := n.Name.String()
	if p.known[full] {
		p.string(nameWithin(n.Name, space))
		return
	}
	p.known[full] = true
	kind := n.Kind.String()
	if n.IsError {
		kind = "error"
	}
	p.text(`{"type":"`, kind, `"`)
	p.attribute("name", n.Name.Base)
	if n.Name.Space != space {
		p.attribute("namespace", n.Name.Space)
	}
	if n.Doc != nil && !p.codec && !(p.normal && *n.Doc == "") {
		p.attribute("doc", *n.Doc)
	}
	switch n.Kind {
	case AvroFixed:
		p.text(`,"size":`, strconv.Itoa(n.Size))
	case AvroEnum:
		p.text(`,"symbols":`)
		p.strings(n.Symbols)
		if n.Default != nil {
			p.attribute("default", *n.Default)
		}
	default:
		p.fields(n)
	}
	p.props(n)
	p.aliases(n)
	p.text("}")
}

// nameWithin is a name as it is written inside a namespace: bare when it lies in it, unless a bare name would mean a kind of type.
func nameWithin(name AvroName, space string) string {
	if name.Space == "" || name.Space == space && !slices.Contains(avroKindNames[:], name.Base) {
		return name.Base
	}
	return name.String()
}

func (p *avroPrinter) strings(list []string) {
	p.text("[")
	for i, text := range list {
		if i > 0 {
			p.text(",")
		}
		p.string(text)
	}
	p.text("]")
}

func (p *avroPrinter) aliases(n *AvroNode) {
	if len(n.Aliases) == 0 {
		return
	}
	aliases := n.Aliases
	if p.normal {
		aliases = slices.Clone(aliases)
		sort.Slice(aliases, func(i, j int) bool { return aliases[i].String() < aliases[j].String() })
	}
	texts := make([]string, len(aliases))
	for i, a := range aliases {
		texts[i] = nameWithin(a, n.Name.Space)
		if a.Space == "" && n.Name.Space != "" {
			texts[i] = "." + a.Base // a bare name would be read into the namespace of the type
		}
	}
	p.text(`,"aliases":`)
	p.strings(texts)
}

func (p *avroPrinter) fields(n *AvroNode) {
	p.text(`,"fields":[`)
	for i := range n.Fields {
		f := &n.Fields[i]
		if i > 0 {
			p.text(",")
		}
		p.text(`{"name":`)
		p.string(f.Name)
		p.text(`,"type":`)
		p.node(f.Type, n.Name.Space)
		p.fieldAttributes(f)
		p.text("}")
	}
	p.text("]")
}

func (p *avroPrinter) fieldAttributes(f *AvroField) {
	if f.Doc != nil && !p.codec {
		p.attribute("doc", *f.Doc)
	}
	if f.Default != nil && (!p.codec || p.fits.value(f.Type, f.Default)) {
		p.text(`,"default":`)
		p.defaultValue(f)
	}
	if f.Order != "ascending" && !p.codec {
		p.attribute("order", f.Order)
	}
	if len(f.Aliases) > 0 {
		aliases := f.Aliases
		if p.normal {
			aliases = slices.Sorted(slices.Values(aliases))
		}
		p.text(`,"aliases":`)
		p.strings(aliases)
	}
	if !p.codec {
		p.members(p.fieldProps(f))
	}
}

func (p *avroPrinter) fieldProps(f *AvroField) []Member {
	if !p.normal {
		return f.Props
	}
	return orderedMembers(&Value{Members: f.Props}, true)
}

func (p *avroPrinter) defaultValue(f *AvroField) {
	if p.normal {
		p.out = p.normalDefault(f.Type, f.Default).append(p.out, valueStyle{sorted: true})
		return
	}
	p.out = f.Default.append(p.out, valueStyle{number: javaNumber})
}

// normalDefault is a default in the letters of its type: 1 for a double is 1.0.
func (p *avroPrinter) normalDefault(t *AvroNode, v *Value) *Value {
	if t.Kind == AvroUnion {
		for _, b := range t.Branches {
			if p.fits.value(b, v) {
				return p.normalDefault(b, v)
			}
		}
	}
	switch {
	case v.Kind == Number && (t.Kind == AvroDouble || t.Kind == AvroFloat):
		return normalNumber(v, t.Kind)
	case v.Kind == Number:
		return &Value{Kind: Number, Text: javaNumber(v.Text)}
	case v.Kind == Array:
		items := make([]*Value, len(v.Items))
		for i, item := range v.Items {
			items[i] = p.normalDefault(innerType(t, AvroArray), item)
		}
		return &Value{Kind: Array, Items: items}
	case v.Kind == Object:
		members := make([]Member, len(v.Members))
		for i, m := range v.Members {
			inner := innerType(t, AvroMap)
			if f := t.Field(m.Name); f != nil {
				inner = f.Type
			}
			members[i] = Member{m.Name, p.normalDefault(inner, m.Value)}
		}
		return &Value{Kind: Object, Members: members}
	}
	return v
}

// untyped stands for the type of a default that does not fit its own.
var untyped = &AvroNode{Kind: AvroNull}

func innerType(t *AvroNode, kind AvroKind) *AvroNode {
	if t.Kind == kind {
		return t.Items
	}
	return untyped
}

func normalNumber(v *Value, kind AvroKind) *Value {
	bits := 64
	if kind == AvroFloat {
		bits = 32
	}
	d, err := strconv.ParseFloat(v.Text, bits)
	if err != nil || math.IsInf(d, 0) {
		return v
	}
	return &Value{Kind: Number, Text: javaDouble(d, bits)}
}

func (p *avroPrinter) hasProps(n *AvroNode) bool {
	if p.codec {
		return n.Logical.Name != ""
	}
	return len(n.Props) > 0
}

func (p *avroPrinter) props(n *AvroNode) {
	switch {
	case p.codec:
		p.logical(n)
	case p.normal:
		p.members(normalProps(n))
	default:
		p.members(n.Props)
	}
}

func (p *avroPrinter) logical(n *AvroNode) {
	if n.Logical.Name == "" {
		return
	}
	p.attribute("logicalType", n.Logical.Name)
	if n.Logical.Name == "decimal" {
		p.text(`,"precision":`, strconv.Itoa(n.Logical.Precision), `,"scale":`, strconv.Itoa(n.Logical.Scale))
	}
}

// logicalProps come first in the normalized form when the logical type fits, a scale of zero excepted, which says nothing.
var logicalProps = []string{"logicalType", "precision", "scale"}

func normalProps(n *AvroNode) []Member {
	sorted := slices.Clone(n.Props)
	rank := func(m Member) string {
		i := slices.Index(logicalProps, m.Name)
		switch {
		case n.Logical.Name == "" || i < 0 || i > 0 && n.Logical.Name != "decimal":
			return "z" + m.Name
		case m.Name == "scale" && n.Logical.Scale == 0:
			return "z" + m.Name
		}
		return itoa(i)
	}
	sort.SliceStable(sorted, func(i, j int) bool { return rank(sorted[i]) < rank(sorted[j]) })
	return sorted
}

func (p *avroPrinter) members(props []Member) {
	for _, m := range props {
		p.text(",")
		p.string(m.Name)
		p.text(":")
		p.out = m.Value.append(p.out, valueStyle{sorted: p.normal, number: javaNumber})
	}
}
