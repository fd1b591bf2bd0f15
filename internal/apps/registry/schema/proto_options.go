package schema

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// protoOption is an option with its value as text or as a tree.
type protoOption struct {
	name  string
	value optionValue
}

func (o protoOption) text(indent int) string { return o.name + " = " + o.value.text(indent) }

// optionValue is a scalar in its letters, a message or a list.
type optionValue struct {
	scalar string
	fields []protoOption // of a message
	list   []optionValue
	kind   optionKind
}

type optionKind uint8

const (
	optionScalar optionKind = iota
	optionMessage
	optionList
)

func (v optionValue) text(indent int) string {
	margin := strings.Repeat("  ", indent)
	var lines []string
	switch v.kind {
	case optionScalar:
		return v.scalar
	case optionList:
		for _, item := range v.list {
			lines = append(lines, margin+"  "+item.text(indent+1))
		}
		return enclose("[", lines, "]", margin)
	}
	for _, f := range v.fields {
		lines = append(lines, margin+"  "+f.name+": "+f.value.text(indent+1))
	}
	return enclose("{", lines, "}", margin)
}

func enclose(open string, lines []string, close, margin string) string {
	if len(lines) == 0 {
		return open + close
	}
	return open + "\n" + strings.Join(lines, ",\n") + "\n" + margin + close
}

// writtenOptions are the options as they stand in the text.
type writtenOptions struct {
	parsed parser.Result
	plain  bool // without custom options, save those of the registry's own metadata
	tags   map[proto.Message]retag
}

func (w writtenOptions) of(options proto.Message) []protoOption {
	var written []*descriptorpb.UninterpretedOption
	if source, ok := options.(interface {
		GetUninterpretedOption() []*descriptorpb.UninterpretedOption
	}); ok {
		written = source.GetUninterpretedOption()
	}
	list := make([]protoOption, 0, len(written))
	for _, o := range written {
		name := optionName(o.GetName())
		if w.plain && strings.HasPrefix(name, "(") && !strings.HasPrefix(strings.TrimLeft(name, "(."), "confluent.") {
			continue
		}
		list = append(list, protoOption{name, astValue(w.parsed.OptionNode(o).GetValue())})
	}
	if t, ok := w.tags[options]; ok {
		return withTags(list, t.kind, t.tags)
	}
	return list
}

func optionName(parts []*descriptorpb.UninterpretedOption_NamePart) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.GetNamePart()
		if part.GetIsExtension() {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, ".")
}

func astValue(node ast.ValueNode) optionValue {
	switch node := node.(type) {
	case *ast.MessageLiteralNode:
		v := optionValue{kind: optionMessage}
		for _, f := range node.Elements {
			v.fields = append(v.fields, protoOption{fieldReference(f.Name), astValue(f.Val)})
		}
		return v
	case *ast.ArrayLiteralNode:
		v := optionValue{kind: optionList}
		for _, item := range node.Elements {
			v.list = append(v.list, astValue(item))
		}
		return v
	}
	switch value := node.Value().(type) {
	case string:
		return optionValue{scalar: protoQuote(value)}
	case float64:
		return optionValue{scalar: formatFloat(value, 64)}
	default:
		return optionValue{scalar: fmt.Sprint(value)}
	}
}

func fieldReference(n *ast.FieldReferenceNode) string {
	name := string(n.Name.AsIdentifier())
	if n.URLPrefix != nil {
		name = string(n.URLPrefix.AsIdentifier()) + "/" + name
	}
	if n.Open != nil {
		name = "[" + name + "]"
	}
	return name
}

// interpretedOptions are the options of a descriptor: sorted by name, custom ones by full name, so that the order in which they were
// written and the way in which they were spelled leave no trace.
type interpretedOptions struct {
	extensions interface { // what the file can see
		FindExtensionByName(protoreflect.FullName) (protoreflect.ExtensionType, error)
		FindExtensionByNumber(protoreflect.FullName, protoreflect.FieldNumber) (protoreflect.ExtensionType, error)
	}
	dotted bool // write custom names with the dot in front that marks a full name
}

func (s interpretedOptions) of(options proto.Message) []protoOption {
	m := options.ProtoReflect()
	if !m.IsValid() {
		return nil
	}
	if len(m.GetUnknown()) > 0 {
		m = s.reread(options)
	}
	var list []protoOption
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() == "uninterpreted_option" || fd.FullName() == "google.protobuf.MessageOptions.map_entry" {
			return true
		}
		name := s.name(fd)
		if fd.IsList() {
			for i := range v.List().Len() {
				list = append(list, protoOption{name, s.value(fd, v.List().Get(i))})
			}
			return true
		}
		list = append(list, protoOption{name, s.fieldValue(fd, v)})
		return true
	})
	slices.SortStableFunc(list, func(a, b protoOption) int { return cmp.Compare(a.name, b.name) })
	return list
}

// reread turns the bytes of custom options into their fields.
func (s interpretedOptions) reread(options proto.Message) protoreflect.Message {
	raw, err := proto.Marshal(options)
	fresh := options.ProtoReflect().New()
	if err == nil {
		err = proto.UnmarshalOptions{Resolver: s.extensions}.Unmarshal(raw, fresh.Interface())
	}
	if err != nil {
		return options.ProtoReflect()
	}
	return fresh
}

func (s interpretedOptions) name(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.IsExtension() && s.dotted:
		return "(." + string(fd.FullName()) + ")"
	case fd.IsExtension():
		return "(" + string(fd.FullName()) + ")"
	}
	return string(fd.Name())
}

func (s interpretedOptions) fieldValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) optionValue {
	switch {
	case fd.IsMap():
		return s.mapValue(fd, v.Map())
	case fd.IsList():
		list := optionValue{kind: optionList}
		for i := range v.List().Len() {
			list.list = append(list.list, s.value(fd, v.List().Get(i)))
		}
		return list
	}
	return s.value(fd, v)
}

func (s interpretedOptions) mapValue(fd protoreflect.FieldDescriptor, m protoreflect.Map) optionValue {
	list := optionValue{kind: optionList}
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		list.list = append(list.list, optionValue{kind: optionMessage, fields: []protoOption{
			{"key", s.value(fd.MapKey(), k.Value())}, {"value", s.value(fd.MapValue(), v)},
		}})
		return true
	})
	slices.SortFunc(list.list, func(a, b optionValue) int {
		return cmp.Compare(a.fields[0].value.scalar, b.fields[0].value.scalar)
	})
	return list
}

func (s interpretedOptions) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) optionValue {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return s.messageValue(v.Message())
	case protoreflect.EnumKind:
		if constant := fd.Enum().Values().ByNumber(v.Enum()); constant != nil {
			return optionValue{scalar: string(constant.Name())}
		}
		return optionValue{scalar: strconv.Itoa(int(v.Enum()))}
	case protoreflect.StringKind:
		return optionValue{scalar: protoQuote(v.String())}
	case protoreflect.BytesKind:
		return optionValue{scalar: protoQuote(string(v.Bytes()))}
	case protoreflect.FloatKind:
		return optionValue{scalar: formatFloat(v.Float(), 32)}
	case protoreflect.DoubleKind:
		return optionValue{scalar: formatFloat(v.Float(), 64)}
	}
	return optionValue{scalar: fmt.Sprint(v.Interface())}
}

func (s interpretedOptions) messageValue(m protoreflect.Message) optionValue {
	type numbered struct {
		number protoreflect.FieldNumber
		option protoOption
	}
	var fields []numbered
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := fd.TextName()
		fields = append(fields, numbered{fd.Number(), protoOption{name, s.fieldValue(fd, v)}})
		return true
	})
	slices.SortFunc(fields, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	value := optionValue{kind: optionMessage}
	for _, f := range fields {
		value.fields = append(value.fields, f.option)
	}
	return value
}

// formatFloat is the shortest text of a number that the language reads back.
func formatFloat(d float64, bits int) string {
	switch {
	case math.IsInf(d, 1):
		return "inf"
	case math.IsInf(d, -1):
		return "-inf"
	case math.IsNaN(d):
		return "nan"
	}
	return strconv.FormatFloat(d, 'g', -1, bits)
}

// protoQuote writes a text or bytes as a string of the language: letters as they are, everything else escaped.
func protoQuote(text string) string {
	b := []byte{'"'}
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch c := text[0]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || c == 0x7f || r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, "\\%03o", c)
		default:
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return string(append(b, '"'))
}
