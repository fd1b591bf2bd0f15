package schemagen

import (
	"fmt"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

var protoScalars = []string{"int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64",
	"float", "double", "bool", "string", "bytes"}

// protoFile is a file to be written, and to be changed before it is written again.
type protoFile struct {
	syntax   string // proto2, proto3 or an edition
	pkg      string
	messages []*protoMessage
	enums    []*protoEnum
	options  []string
}

type protoMessage struct {
	name     string
	fields   []*protoField
	oneofs   []string
	reserved []string
	messages []*protoMessage
	enums    []*protoEnum
}

type protoField struct {
	label  string // optional, required, repeated or none
	kind   string // a type, or a group with its fields
	name   string
	number int
	oneof  string // the oneof it stands in
	tail   string // options
}

type protoEnum struct {
	name   string
	closed bool // said by an option; a file of proto2 has no other
	values []protoConstant
}

type protoConstant struct {
	name   string
	number int
}

func drawProto(t *rapid.T) *protoFile {
	f := &protoFile{syntax: pick(t, "syntax", "proto3", "proto3", "proto2", "2023"), pkg: pick(t, "package", "", "p", "p.q")}
	m := protoMaker{t: t, f: f}
	for i := range rapid.IntRange(0, 2).Draw(t, "enums") {
		f.enums = append(f.enums, m.enum("E"+itoa(i)))
	}
	count := rapid.IntRange(1, 3).Draw(t, "messages")
	for i := range count {
		m.types = append(m.types, "M"+itoa(i))
	}
	for _, e := range f.enums {
		m.types = append(m.types, e.name)
		m.enums = append(m.enums, e.name)
	}
	for i := range count {
		f.messages = append(f.messages, m.message("M"+itoa(i), 2))
	}
	if chance(t, 30, "file options") {
		f.options = []string{`java_package = "x.y"`, `go_package = "z"`, "deprecated = true"}[:rapid.IntRange(1, 3).Draw(t, "options")]
	}
	return f
}

type protoMaker struct {
	t     *rapid.T
	f     *protoFile
	types []string // that fields may have
	enums []string
	next  int
}

func (m *protoMaker) enum(name string) *protoEnum {
	e := &protoEnum{name: name, values: []protoConstant{{name + "_ZERO", 0}}}
	e.closed = m.f.syntax == "2023" && chance(m.t, 30, "closed enum")
	if m.f.syntax == "proto2" && chance(m.t, 20, "no zero") {
		e.values[0].number = 3
	}
	for i := range rapid.IntRange(0, 3).Draw(m.t, "constants") {
		e.values = append(e.values, protoConstant{fmt.Sprintf("%s_%d", name, i), pick(m.t, "number", -1, 1, 5) * (i + 1)})
	}
	return e.distinct()
}

// distinct drops constants whose number is taken.
func (e *protoEnum) distinct() *protoEnum {
	seen := map[int]bool{}
	e.values = slices.DeleteFunc(e.values, func(c protoConstant) bool {
		again := seen[c.number]
		seen[c.number] = true
		return again
	})
	return e
}

func (m *protoMaker) message(name string, depth int) *protoMessage {
	msg := &protoMessage{name: name}
	outer := m.types
	if depth > 0 && chance(m.t, 25, "nested message") {
		m.next++
		inner := m.message("N"+itoa(m.next), depth-1)
		msg.messages = append(msg.messages, inner)
		m.types = append(slices.Clone(m.types), inner.name)
	}
	if chance(m.t, 15, "nested enum") {
		m.next++
		e := m.enum("F" + itoa(m.next))
		msg.enums = append(msg.enums, e)
		m.types = append(slices.Clone(m.types), e.name)
	}
	numbers := rapid.Permutation([]int{1, 2, 3, 4, 5, 16, 100}).Draw(m.t, "numbers")
	for i, number := range numbers[:rapid.IntRange(0, 5).Draw(m.t, "fields")] {
		msg.fields = append(msg.fields, m.field("f"+itoa(i), number))
	}
	if n := len(msg.fields); n > 1 && chance(m.t, 30, "oneof") {
		msg.oneofs = []string{"o"}
		for _, f := range msg.fields[n-rapid.IntRange(1, 2).Draw(m.t, "in the oneof"):] {
			if f.single() {
				f.label, f.oneof, f.tail = "", "o", ""
			}
		}
	}
	if chance(m.t, 20, "reserved") {
		msg.reserved = []string{"1000, 900 to 910", `"gone", "away"`}
		if m.f.syntax == "2023" {
			msg.reserved[1] = "gone, away"
		}
	}
	if m.f.syntax == "proto2" && chance(m.t, 15, "extensions") {
		msg.reserved = append(msg.reserved, "")
	}
	m.types = outer
	return msg.settle()
}

// single tells whether a field may stand in a oneof. Groups may, but are left out of them.
func (f *protoField) single() bool {
	return !strings.HasPrefix(f.kind, "map") && !strings.HasPrefix(f.kind, "group") && f.label != "repeated"
}

// settle drops a oneof that has no fields.
func (msg *protoMessage) settle() *protoMessage {
	msg.oneofs = slices.DeleteFunc(msg.oneofs, func(o string) bool {
		return !slices.ContainsFunc(msg.fields, func(f *protoField) bool { return f.oneof == o })
	})
	return msg
}

func (m *protoMaker) field(name string, number int) *protoField {
	f := &protoField{name: name, number: number, kind: m.kind()}
	if chance(m.t, 10, "map") {
		f.kind = "map<" + pick(m.t, "key", "string", "int32", "bool") + ", " + f.kind + ">"
		return f
	}
	labels := []string{"", "optional", "repeated"}
	switch m.f.syntax {
	case "proto2":
		labels = []string{"optional", "optional", "repeated", "required"}
	case "2023":
		labels = []string{"", "", "repeated"}
	}
	f.label = rapid.SampledFrom(labels).Draw(m.t, "label")
	if m.f.syntax == "proto2" && chance(m.t, 8, "group") {
		m.next++
		f.name = "g" + itoa(m.next)
		f.kind = fmt.Sprintf("group G%d { optional %s x = 1; repeated int32 y = 2; }", m.next, m.scalar())
		return f
	}
	if f.tail = m.features(f); f.tail != "" {
		return f
	}
	switch {
	case chance(m.t, 10, "deprecated"):
		f.tail = " [deprecated = true]"
	case chance(m.t, 10, "JSON name"):
		f.tail = fmt.Sprintf(" [json_name = %q]", "J"+name)
	case f.kind == "int32" && m.f.syntax != "proto3" && f.label != "repeated" && chance(m.t, 30, "default"):
		f.tail = " [default = -7]"
	}
	return f
}

// features are the options that change how a field is written, or when.
func (m *protoMaker) features(f *protoField) string {
	message := strings.HasPrefix(f.kind, "M") || strings.HasPrefix(f.kind, "N")
	scalar := slices.Contains(protoScalars, f.kind)
	text := f.kind == "string" || f.kind == "bytes"
	list := f.label == "repeated"
	switch {
	case m.f.syntax != "2023" && list && scalar && !text && chance(m.t, 40, "packed"):
		return pick(m.t, "packing", " [packed = true]", " [packed = false]")
	case m.f.syntax != "2023":
		return ""
	case list && scalar && !text && chance(m.t, 40, "expanded"):
		return " [features.repeated_field_encoding = EXPANDED]"
	case !list && scalar && chance(m.t, 30, "presence"):
		return pick(m.t, "presence", " [features.field_presence = IMPLICIT]", " [features.field_presence = LEGACY_REQUIRED]")
	case message && chance(m.t, 30, "delimited"):
		return " [features.message_encoding = DELIMITED]"
	case f.kind == "string" && chance(m.t, 30, "utf8"):
		return " [features.utf8_validation = NONE]"
	}
	return ""
}

func (m *protoMaker) kind() string {
	if len(m.types) > 0 && chance(m.t, 35, "declared type") {
		return rapid.SampledFrom(m.types).Draw(m.t, "type")
	}
	if chance(m.t, 4, "imported type") {
		return "google.protobuf.Timestamp"
	}
	return m.scalar()
}

func (m *protoMaker) scalar() string { return rapid.SampledFrom(protoScalars).Draw(m.t, "scalar") }

func (f *protoFile) schema() schema.Schema {
	return schema.Schema{Type: schema.Protobuf, Text: f.text()}
}

func (f *protoFile) text() string {
	var b strings.Builder
	if f.syntax == "2023" {
		fmt.Fprintf(&b, "edition = %q;\n", f.syntax)
	} else {
		fmt.Fprintf(&b, "syntax = %q;\n", f.syntax)
	}
	if f.pkg != "" {
		fmt.Fprintf(&b, "package %s;\n", f.pkg)
	}
	var body strings.Builder
	for _, o := range f.options {
		fmt.Fprintf(&body, "option %s;\n", o)
	}
	for _, e := range f.enums {
		e.write(&body)
	}
	for _, m := range f.messages {
		m.write(&body)
	}
	if strings.Contains(body.String(), "google.protobuf.Timestamp") {
		b.WriteString("import \"google/protobuf/timestamp.proto\";\n")
	}
	b.WriteString(body.String())
	return b.String()
}

func (e *protoEnum) write(b *strings.Builder) {
	fmt.Fprintf(b, "enum %s {\n", e.name)
	if e.closed {
		b.WriteString("  option features.enum_type = CLOSED;\n")
	}
	for _, v := range e.values {
		fmt.Fprintf(b, "  %s = %d; // a constant\n", v.name, v.number)
	}
	b.WriteString("}\n")
}

func (msg *protoMessage) write(b *strings.Builder) {
	fmt.Fprintf(b, "message %s {\n", msg.name)
	for _, f := range msg.fields {
		if f.oneof == "" {
			f.write(b)
		}
	}
	for _, o := range msg.oneofs {
		fmt.Fprintf(b, "oneof %s {\n", o)
		for _, f := range msg.fields {
			if f.oneof == o {
				f.write(b)
			}
		}
		b.WriteString("}\n")
	}
	for _, r := range msg.reserved {
		if r == "" {
			b.WriteString("  extensions 2000 to 2010;\n")
			continue
		}
		fmt.Fprintf(b, "  reserved %s;\n", r)
	}
	for _, m := range msg.messages {
		m.write(b)
	}
	for _, e := range msg.enums {
		e.write(b)
	}
	b.WriteString("}\n")
}

func (f *protoField) write(b *strings.Builder) {
	label := f.label
	if label != "" {
		label += " "
	}
	if head, body, ok := strings.Cut(f.kind, " {"); ok {
		fmt.Fprintf(b, "  %s%s = %d {%s\n", label, head, f.number, body)
		return
	}
	fmt.Fprintf(b, "  %s%s %s = %d%s;\n", label, f.kind, f.name, f.number, f.tail)
}

func (f *protoFile) clone() *protoFile {
	c := *f
	c.messages, c.enums = cloneMessages(f.messages), cloneEnums(f.enums)
	return &c
}

func cloneMessages(list []*protoMessage) []*protoMessage {
	var copies []*protoMessage
	for _, m := range list {
		c := *m
		c.fields = nil
		for _, f := range m.fields {
			field := *f
			c.fields = append(c.fields, &field)
		}
		c.oneofs = slices.Clone(m.oneofs)
		c.messages, c.enums = cloneMessages(m.messages), cloneEnums(m.enums)
		copies = append(copies, &c)
	}
	return copies
}

func cloneEnums(list []*protoEnum) []*protoEnum {
	var copies []*protoEnum
	for _, e := range list {
		copies = append(copies, &protoEnum{e.name, e.closed, slices.Clone(e.values)})
	}
	return copies
}

func protoPair(t *rapid.T) Pair {
	now := drawProto(t)
	p := Pair{Old: now.schema()}
	if chance(t, 10, "another schema") {
		other := drawProto(t) // its messages have the same few names
		other.pkg = now.pkg
		p.New, p.Changes = other.schema(), []string{"another schema"}
		return p
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		next := now.clone()
		what := changeProto(t, next)
		if what != "" && valid(next.schema()) {
			now = next
			p.Changes = append(p.Changes, what)
		}
	}
	p.New = now.schema()
	return p
}

func changeProto(t *rapid.T, f *protoFile) string {
	if len(f.enums) > 0 && chance(t, 15, "change an enum") {
		return changeProtoEnum(t, f, f.enums[0])
	}
	if chance(t, 3, "another syntax") {
		f.syntax = pick(t, "syntax", "proto3", "proto2", "2023")
		return "syntax changed to " + f.syntax
	}
	switch rapid.IntRange(0, 19).Draw(t, "change of file") {
	case 0:
		if chance(t, 30, "change the package") {
			f.pkg += "x"
			return "package changed"
		}
	case 1:
		if len(f.messages) > 1 {
			f.messages = f.messages[:len(f.messages)-1]
			return "message removed"
		}
	case 2:
		f.messages = append(f.messages, &protoMessage{name: "Added"})
		return "message added"
	case 3:
		slices.Reverse(f.messages)
		return "messages turned round"
	}
	msg := f.messages[rapid.IntRange(0, len(f.messages)-1).Draw(t, "message")]
	m := protoMaker{t: t, f: f}
	for _, other := range f.messages {
		m.types = append(m.types, other.name)
	}
	for _, e := range f.enums {
		m.types = append(m.types, e.name)
	}
	return m.changeMessage(msg)
}

func changeProtoEnum(t *rapid.T, f *protoFile, e *protoEnum) string {
	last := len(e.values) - 1
	if f.syntax == "2023" && chance(t, 25, "open or close") {
		e.closed = !e.closed
		return "enum opened or closed"
	}
	switch rapid.IntRange(0, 2).Draw(t, "change of enum") {
	case 0:
		e.values = append(e.values, protoConstant{e.name + "_NEW", 77})
		return "constant added"
	case 1:
		if last > 0 {
			e.values = e.values[:last]
			return "constant removed"
		}
	}
	e.values[last].name += "_RENAMED"
	return "constant renamed"
}

func (m *protoMaker) changeMessage(msg *protoMessage) string {
	what := rapid.IntRange(0, 9).Draw(m.t, "change of message")
	if what == 0 || len(msg.fields) == 0 {
		msg.fields = append(msg.fields, m.field("added"+itoa(len(msg.fields)), 50+len(msg.fields)))
		return "field added"
	}
	i := rapid.IntRange(0, len(msg.fields)-1).Draw(m.t, "field")
	f := msg.fields[i]
	switch what {
	case 1, 2:
		msg.fields = slices.Delete(msg.fields, i, i+1)
		msg.settle()
		return "field removed"
	case 3:
		if !strings.HasPrefix(f.kind, "group") { // its name is that of its type
			f.name += "_renamed"
			return "field renamed"
		}
	case 4:
		f.kind, f.tail = m.kind(), ""
		return "field changed to " + f.kind
	case 5:
		f.number += 20
		return "field renumbered"
	case 6:
		if f.oneof == "" && !strings.HasPrefix(f.kind, "map") {
			f.label = map[bool]string{true: "repeated", false: pick(m.t, "label", "", "optional", "required")}[f.label != "repeated"]
			f.tail = ""
			return "label changed to " + f.label
		}
	case 7:
		if f.oneof == "" && f.single() {
			f.label, f.oneof, f.tail = "", "o", ""
			if !slices.Contains(msg.oneofs, "o") {
				msg.oneofs = append(msg.oneofs, "o")
			}
			return "field moved into a oneof"
		}
	case 8:
		if f.tail = m.features(f); f.tail != "" {
			return "field with" + f.tail
		}
		return "field without options"
	}
	slices.Reverse(msg.fields)
	return "fields turned round"
}

// ProtobufValue makes a message.
func ProtobufValue(md protoreflect.MessageDescriptor) *rapid.Generator[*dynamicpb.Message] {
	return rapid.Custom(func(t *rapid.T) *dynamicpb.Message {
		rapid.Bool().Draw(t, "some randomness") // a message without fields would draw none, which rapid does not allow
		return protoValue(t, md, 4)
	})
}

func protoValue(t *rapid.T, md protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	msg := dynamicpb.NewMessage(md)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		required := fd.Cardinality() == protoreflect.Required
		if depth <= 0 && (fd.Message() != nil || !required) || !required && chance(t, 30, "without "+string(fd.Name())) {
			continue
		}
		switch {
		case fd.IsMap():
			entries := msg.Mutable(fd).Map()
			for range rapid.IntRange(0, 2).Draw(t, "entries") {
				entries.Set(protoScalar(t, fd.MapKey()).MapKey(), protoElement(t, fd.MapValue(), depth))
			}
		case fd.IsList():
			items := msg.Mutable(fd).List()
			for range rapid.IntRange(0, 2).Draw(t, "items") {
				items.Append(protoElement(t, fd, depth))
			}
		default:
			msg.Set(fd, protoElement(t, fd, depth))
		}
	}
	return msg
}

func protoElement(t *rapid.T, fd protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	if fd.Message() != nil {
		return protoreflect.ValueOfMessage(protoValue(t, fd.Message(), depth-1))
	}
	return protoScalar(t, fd)
}

func protoScalar(t *rapid.T, fd protoreflect.FieldDescriptor) protoreflect.Value {
	what := string(fd.Name())
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, what))
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		if !fd.Enum().IsClosed() && chance(t, 10, "an unknown number") {
			return protoreflect.ValueOfEnum(42)
		}
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, what)).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, what))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, what))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, what))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, what))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(rapid.Float32().Draw(t, what))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, what))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, what))
	}
	return protoreflect.ValueOfString(rapid.StringN(0, 4, 16).Draw(t, what))
}
