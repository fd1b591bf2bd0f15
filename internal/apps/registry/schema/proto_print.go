package schema

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// protoPrinter writes a file in the layout that the registries share: syntax, package, imports, options, messages before enums,
// extensions, services; in a message what is reserved, options, fields, oneofs, groups, extension ranges, types. Comments are gone.
//
// The normalized form sorts what may stand in any order without another meaning: imports, options, fields and oneofs by number, the
// constants of an enum after its first (the first is the default, so it stays), ranges and reserved names, extensions by what they
// extend. Messages, enums, services and methods keep their order, since records name their message by its place.
type protoPrinter struct {
	b                strings.Builder
	indent           int
	normal           bool
	ignoreExtensions bool
	options          optionSource

	pkg    string // of the file
	proto2 bool
	proto3 bool
}

// optionSource gives the options of a descriptor in the order they are to be written.
type optionSource interface {
	of(options proto.Message) []protoOption
}

func (p *protoPrinter) line(format string, args ...any) {
	p.b.WriteString(strings.Repeat("  ", p.indent))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *protoPrinter) blank() { p.b.WriteByte('\n') }

// block writes a brace-delimited body.
func (p *protoPrinter) block(head string, body func()) {
	p.line("%s {", head)
	p.indent++
	body()
	p.indent--
	p.line("}")
}

func (p *protoPrinter) file(f *descriptorpb.FileDescriptorProto, syntaxLine bool) string {
	syntax := cmp.Or(f.GetSyntax(), "proto2")
	p.proto2, p.proto3 = syntax == "proto2", syntax == "proto3"
	p.pkg = f.GetPackage()
	switch {
	case syntax == "editions":
		p.line("edition = %q;", strings.TrimPrefix(f.GetEdition().String(), "EDITION_"))
	case p.proto3 || syntaxLine && !p.normal:
		p.line("syntax = %q;", syntax)
	}
	if p.pkg != "" {
		p.line("package %s;", p.pkg)
	}
	p.imports(f)
	if options := p.options.of(f.GetOptions()); len(options) > 0 {
		p.blank()
		p.optionLines(options)
	}
	scope := ""
	if p.pkg != "" {
		scope = "." + p.pkg
	}
	level := p.level(scope, f.GetMessageType(), f.GetExtension())
	for _, m := range f.GetMessageType() {
		if !level.groups[m.GetName()] {
			p.blank()
			p.message(m, scope)
		}
	}
	for _, e := range f.GetEnumType() {
		p.blank()
		p.enum(e)
	}
	p.extensions(f.GetExtension(), level)
	for _, s := range f.GetService() {
		p.blank()
		p.service(s)
	}
	return strings.TrimPrefix(p.b.String(), "\n")
}

func (p *protoPrinter) imports(f *descriptorpb.FileDescriptorProto) {
	if len(f.GetDependency()) == 0 {
		return
	}
	p.blank()
	groups := map[string][]string{}
	for i, path := range f.GetDependency() {
		kind := ""
		if slices.Contains(f.GetPublicDependency(), int32(i)) {
			kind = "public "
		} else if slices.Contains(f.GetWeakDependency(), int32(i)) {
			kind = "weak "
		}
		groups[kind] = append(groups[kind], path)
	}
	for _, kind := range []string{"", "public ", "weak "} {
		paths := groups[kind]
		if p.normal {
			slices.Sort(paths)
		}
		for _, path := range slices.Compact(paths) {
			p.line("import %s%s;", kind, protoQuote(path))
		}
	}
}

func (p *protoPrinter) optionLines(options []protoOption) {
	for _, o := range options {
		p.line("option %s;", o.text(p.indent))
	}
}

// bracketed is the options behind a field or constant, empty when there are none.
func (p *protoPrinter) bracketed(options []protoOption) string {
	switch len(options) {
	case 0:
		return ""
	case 1:
		return " [" + options[0].text(p.indent) + "]"
	}
	margin := strings.Repeat("  ", p.indent)
	texts := make([]string, len(options))
	for i, o := range options {
		texts[i] = margin + "  " + o.text(p.indent+1)
	}
	return " [\n" + strings.Join(texts, ",\n") + "\n" + margin + "]"
}

func (p *protoPrinter) message(m *descriptorpb.DescriptorProto, scope string) {
	p.block("message "+m.GetName(), func() { p.messageBody(m, scope+"."+m.GetName()) })
}

// messageBody writes what stands in a message whose full name, with its dot in front, is scope.
func (p *protoPrinter) messageBody(m *descriptorpb.DescriptorProto, scope string) {
	p.reserved(m)
	if options := p.options.of(m.GetOptions()); len(options) > 0 {
		p.optionLines(options)
		if len(m.GetField()) > 0 {
			p.blank()
		}
	}
	level := p.level(scope, m.GetNestedType(), m.GetField(), m.GetExtension())
	var plain, groups []*descriptorpb.FieldDescriptorProto
	oneofs := make([][]*descriptorpb.FieldDescriptorProto, len(m.GetOneofDecl()))
	for _, f := range p.fieldOrder(m.GetField()) {
		switch {
		case f.OneofIndex != nil && !f.GetProto3Optional():
			oneofs[f.GetOneofIndex()] = append(oneofs[f.GetOneofIndex()], f)
		case p.groupOf(f, level) != nil:
			groups = append(groups, f)
		default:
			plain = append(plain, f)
		}
	}
	for _, f := range plain {
		p.field(f, level)
	}
	p.oneofs(m, oneofs, level)
	for _, f := range groups {
		p.blank()
		p.field(f, level)
	}
	p.extensionRanges(m)
	for _, n := range m.GetNestedType() {
		if n.GetOptions().GetMapEntry() || level.groups[n.GetName()] {
			continue
		}
		p.blank()
		p.message(n, scope)
	}
	for _, e := range m.GetEnumType() {
		p.blank()
		p.enum(e)
	}
	p.extensions(m.GetExtension(), level)
}

func (p *protoPrinter) fieldOrder(fields []*descriptorpb.FieldDescriptorProto) []*descriptorpb.FieldDescriptorProto {
	if !p.normal {
		return fields
	}
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, func(a, b *descriptorpb.FieldDescriptorProto) int { return cmp.Compare(a.GetNumber(), b.GetNumber()) })
	return sorted
}

func (p *protoPrinter) oneofs(m *descriptorpb.DescriptorProto, fields [][]*descriptorpb.FieldDescriptorProto, level protoLevel) {
	order := make([]int, 0, len(fields))
	for i := range fields {
		if len(fields[i]) > 0 { // an empty one is the hidden oneof of an optional field
			order = append(order, i)
		}
	}
	if p.normal {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(fields[a][0].GetNumber(), fields[b][0].GetNumber()) })
	}
	for _, i := range order {
		p.blank()
		p.block("oneof "+m.GetOneofDecl()[i].GetName(), func() {
			p.optionLines(p.options.of(m.GetOneofDecl()[i].GetOptions()))
			for _, f := range fields[i] {
				p.field(f, level)
			}
		})
	}
}

// field writes a field, with the body that it declares beside itself when it is a map or a group.
func (p *protoPrinter) field(f *descriptorpb.FieldDescriptorProto, level protoLevel) {
	options := p.bracketed(p.fieldOptions(f))
	if entry := p.mapEntryOf(f, level); entry != nil {
		p.line("map<%s, %s> %s = %d%s;", p.typeOf(entry.GetField()[0]), p.typeOf(entry.GetField()[1]), f.GetName(), f.GetNumber(), options)
		return
	}
	if group := p.groupOf(f, level); group != nil {
		p.block(fmt.Sprintf("%sgroup %s = %d%s", p.label(f), group.GetName(), f.GetNumber(), options), func() {
			p.messageBody(group, level.scope+"."+group.GetName())
		})
		return
	}
	p.line("%s%s %s = %d%s;", p.label(f), p.typeOf(f), f.GetName(), f.GetNumber(), options)
}

// label is the word in front of a field's type. In proto2 optional must be written, in proto3 only where the field tracks presence.
func (p *protoPrinter) label(f *descriptorpb.FieldDescriptorProto) string {
	inOneof := f.OneofIndex != nil && !f.GetProto3Optional()
	switch {
	case f.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED:
		return "repeated "
	case f.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED:
		return "required "
	case inOneof:
		return ""
	case p.proto2 || f.GetProto3Optional():
		return "optional "
	}
	return ""
}

func (p *protoPrinter) typeOf(f *descriptorpb.FieldDescriptorProto) string {
	if name := f.GetTypeName(); name != "" {
		return name
	}
	return strings.ToLower(strings.TrimPrefix(f.GetType().String(), "TYPE_"))
}

// protoLevel is what is declared directly in a file or in a message whose full name, with its dot in front, is scope.
type protoLevel struct {
	scope    string
	messages map[string]*descriptorpb.DescriptorProto
	groups   map[string]bool // the messages that are bodies of groups
}

func (p *protoPrinter) level(scope string, messages []*descriptorpb.DescriptorProto, fields ...[]*descriptorpb.FieldDescriptorProto) protoLevel {
	l := protoLevel{scope, make(map[string]*descriptorpb.DescriptorProto, len(messages)), map[string]bool{}}
	for _, m := range messages {
		l.messages[m.GetName()] = m
	}
	for _, list := range fields {
		for _, f := range list {
			if group := p.groupOf(f, l); group != nil {
				l.groups[group.GetName()] = true
			}
		}
	}
	return l
}

// declared is the message of this level that a field names, bare or in full.
func (l protoLevel) declared(typeName string) *descriptorpb.DescriptorProto {
	return l.messages[strings.TrimPrefix(typeName, l.scope+".")]
}

func (p *protoPrinter) mapEntryOf(f *descriptorpb.FieldDescriptorProto, level protoLevel) *descriptorpb.DescriptorProto {
	if f.GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED || f.GetTypeName() == "" {
		return nil
	}
	entry := level.declared(f.GetTypeName())
	if !entry.GetOptions().GetMapEntry() || len(entry.GetField()) != 2 {
		return nil
	}
	return entry
}

// groupOf is the body of a group. Editions have none: what is delimited there is declared like every message.
func (p *protoPrinter) groupOf(f *descriptorpb.FieldDescriptorProto, level protoLevel) *descriptorpb.DescriptorProto {
	if f.GetType() != descriptorpb.FieldDescriptorProto_TYPE_GROUP || !p.proto2 {
		return nil
	}
	return level.declared(f.GetTypeName())
}

// fieldOptions adds to the options of a field the two that are none in the descriptor: its default and its name in JSON.
func (p *protoPrinter) fieldOptions(f *descriptorpb.FieldDescriptorProto) []protoOption {
	var options, last []protoOption
	for _, o := range p.options.of(f.GetOptions()) {
		if o.name == "default" || o.name == "json_name" {
			last = append(last, o)
		} else {
			options = append(options, o)
		}
	}
	slices.SortStableFunc(last, func(a, b protoOption) int { return cmp.Compare(a.name, b.name) })
	if f.DefaultValue != nil {
		last = append(last, protoOption{"default", optionValue{scalar: defaultText(f)}})
	}
	if _, written := p.options.(writtenOptions); !written && f.JsonName != nil && f.GetJsonName() != defaultJSONName(f.GetName()) && f.Extendee == nil {
		last = append(last, protoOption{"json_name", optionValue{scalar: protoQuote(f.GetJsonName())}})
	}
	return append(options, last...)
}

// defaultText is a default as it is written: descriptors keep bytes escaped already and texts plain.
func defaultText(f *descriptorpb.FieldDescriptorProto) string {
	switch f.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		return protoQuote(f.GetDefaultValue())
	case descriptorpb.FieldDescriptorProto_TYPE_BYTES:
		return `"` + f.GetDefaultValue() + `"`
	case descriptorpb.FieldDescriptorProto_TYPE_FLOAT:
		return floatText(f.GetDefaultValue(), 32)
	case descriptorpb.FieldDescriptorProto_TYPE_DOUBLE:
		return floatText(f.GetDefaultValue(), 64)
	}
	return f.GetDefaultValue()
}

func floatText(text string, bits int) string {
	d, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return text
	}
	return formatFloat(d, bits)
}

// defaultJSONName is lowerCamelCase.
func defaultJSONName(name string) string {
	var b strings.Builder
	upper := false
	for _, c := range name {
		switch {
		case c == '_':
			upper = true
		case upper && c >= 'a' && c <= 'z':
			b.WriteRune(c - 'a' + 'A')
			upper = false
		default:
			b.WriteRune(c)
			upper = false
		}
	}
	return b.String()
}

// tagRange is a range of numbers, both ends in it.
type tagRange struct{ from, to int32 }

func (r tagRange) text(last int32) string {
	switch {
	case r.from == r.to:
		return strconv.Itoa(int(r.from))
	case r.to >= last:
		return fmt.Sprintf("%d to max", r.from)
	}
	return fmt.Sprintf("%d to %d", r.from, r.to)
}

const (
	lastTag        = 1<<29 - 1
	lastEnumNumber = math.MaxInt32
)

func (p *protoPrinter) reserved(m *descriptorpb.DescriptorProto) {
	ranges := make([]tagRange, len(m.GetReservedRange()))
	for i, r := range m.GetReservedRange() {
		ranges[i] = tagRange{r.GetStart(), r.GetEnd() - 1}
	}
	p.reservedLines(ranges, m.GetReservedName(), lastTag)
}

func (p *protoPrinter) reservedLines(ranges []tagRange, names []string, last int32) {
	if p.normal {
		slices.SortFunc(ranges, func(a, b tagRange) int { return cmp.Compare(a.from, b.from) })
		names = slices.Sorted(slices.Values(names))
	}
	if len(ranges) > 0 {
		texts := make([]string, len(ranges))
		for i, r := range ranges {
			texts[i] = r.text(last)
		}
		p.line("reserved %s;", strings.Join(texts, ", "))
	}
	if len(names) > 0 {
		texts := make([]string, len(names))
		for i, name := range names {
			texts[i] = name
			if p.proto2 || p.proto3 { // editions write names bare
				texts[i] = protoQuote(name)
			}
		}
		p.line("reserved %s;", strings.Join(texts, ", "))
	}
}

func (p *protoPrinter) extensionRanges(m *descriptorpb.DescriptorProto) {
	if len(m.GetExtensionRange()) == 0 || p.ignoreExtensions {
		return
	}
	ranges := slices.Clone(m.GetExtensionRange())
	if p.normal {
		slices.SortFunc(ranges, func(a, b *descriptorpb.DescriptorProto_ExtensionRange) int {
			return cmp.Compare(a.GetStart(), b.GetStart())
		})
	}
	p.blank()
	for _, r := range ranges {
		p.line("extensions %s%s;", tagRange{r.GetStart(), r.GetEnd() - 1}.text(lastTag), p.bracketed(p.options.of(r.GetOptions())))
	}
}

func (p *protoPrinter) enum(e *descriptorpb.EnumDescriptorProto) {
	p.block("enum "+e.GetName(), func() {
		ranges := make([]tagRange, len(e.GetReservedRange()))
		for i, r := range e.GetReservedRange() {
			ranges[i] = tagRange{r.GetStart(), r.GetEnd()}
		}
		p.reservedLines(ranges, e.GetReservedName(), lastEnumNumber)
		p.optionLines(p.options.of(e.GetOptions()))
		for _, v := range p.constantOrder(e.GetValue()) {
			p.line("%s = %d%s;", v.GetName(), v.GetNumber(), p.bracketed(p.options.of(v.GetOptions())))
		}
	})
}

// constantOrder leaves the first constant where it is: it is the default, and in proto3 it must be the zero.
func (p *protoPrinter) constantOrder(values []*descriptorpb.EnumValueDescriptorProto) []*descriptorpb.EnumValueDescriptorProto {
	if !p.normal || len(values) == 0 {
		return values
	}
	sorted := slices.Clone(values)
	slices.SortFunc(sorted[1:], func(a, b *descriptorpb.EnumValueDescriptorProto) int {
		return cmp.Or(cmp.Compare(a.GetNumber(), b.GetNumber()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return sorted
}

// extensions writes extend blocks. Neighbours that extend the same message share one; the normalized form has one for each message.
func (p *protoPrinter) extensions(fields []*descriptorpb.FieldDescriptorProto, level protoLevel) {
	if p.ignoreExtensions {
		return
	}
	if p.normal {
		fields = p.fieldOrder(fields)
		slices.SortStableFunc(fields, func(a, b *descriptorpb.FieldDescriptorProto) int {
			return cmp.Compare(a.GetExtendee(), b.GetExtendee())
		})
	}
	for len(fields) > 0 {
		extendee := fields[0].GetExtendee()
		n := 1
		for n < len(fields) && fields[n].GetExtendee() == extendee {
			n++
		}
		p.blank()
		p.block("extend "+extendee, func() {
			for _, f := range fields[:n] {
				p.field(f, level)
			}
		})
		fields = fields[n:]
	}
}

func (p *protoPrinter) service(s *descriptorpb.ServiceDescriptorProto) {
	p.block("service "+s.GetName(), func() {
		options := p.options.of(s.GetOptions())
		p.optionLines(options)
		if len(options) > 0 && len(s.GetMethod()) > 0 {
			p.blank()
		}
		for _, m := range s.GetMethod() {
			p.method(m)
		}
	})
}

func (p *protoPrinter) method(m *descriptorpb.MethodDescriptorProto) {
	stream := map[bool]string{true: "stream "}
	head := fmt.Sprintf("rpc %s (%s%s) returns (%s%s)", m.GetName(),
		stream[m.GetClientStreaming()], m.GetInputType(), stream[m.GetServerStreaming()], m.GetOutputType())
	options := p.options.of(m.GetOptions())
	if len(options) == 0 {
		p.line("%s;", head)
		return
	}
	p.block(head, func() { p.optionLines(options) })
}
