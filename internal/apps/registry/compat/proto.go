package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Kinds of Protobuf.
const (
	PackageChanged             Kind = "PACKAGE_CHANGED"
	MessageRemoved             Kind = "MESSAGE_REMOVED"
	FieldKindChanged           Kind = "FIELD_KIND_CHANGED"
	FieldScalarKindChanged     Kind = "FIELD_SCALAR_KIND_CHANGED"
	FieldNamedTypeChanged      Kind = "FIELD_NAMED_TYPE_CHANGED"
	FieldNumericLabelChanged   Kind = "FIELD_NUMERIC_LABEL_CHANGED"
	RequiredFieldAdded         Kind = "REQUIRED_FIELD_ADDED"
	RequiredFieldRemoved       Kind = "REQUIRED_FIELD_REMOVED"
	OneofFieldRemoved          Kind = "ONEOF_FIELD_REMOVED"
	MultipleFieldsMovedToOneof Kind = "MULTIPLE_FIELDS_MOVED_TO_ONEOF"
	FieldMovedToExistingOneof  Kind = "FIELD_MOVED_TO_EXISTING_ONEOF"
)

type protoPair struct {
	reader, writer protoreflect.MessageDescriptor
}

// protoSpot is a finding with what an example needs to show it.
type protoSpot struct {
	Finding
	pair   protoPair                      // the messages that differ; nil when the file does
	fields []protoreflect.FieldDescriptor // of the writer: those whose values matter
}

// protoWalk compares the messages of two files by name, and from there what their fields hold. Whether a message fits never depends
// on whether another does: each is compared once and speaks for itself.
type protoWalk struct {
	*budget
	reader, writer protoreflect.FileDescriptor
	seen           map[protoPair]bool
	spots          []protoSpot
}

func checkProtobuf(reader, writer *schema.ProtobufSchema, b *budget, o Options) Result {
	w := &protoWalk{budget: b, reader: reader.File, writer: writer.File, seen: map[protoPair]bool{}}
	if r, wr := reader.File.Package(), writer.File.Package(); r != wr {
		w.found(protoPair{}, "#", PackageChanged, nil,
			"the package changed from %q to %q; records are read as before, but clients know the messages by other names, so keep the package", wr, r)
	}
	w.messages(reader.File.Messages(), writer.File.Messages(), "#")
	var findings []Finding
	for _, s := range w.spots {
		findings = append(findings, s.Finding)
	}
	r := b.finish(findings)
	if len(findings) > 0 && b.example(o) {
		r.Example = protoExample(w)
	}
	return r
}

func (w *protoWalk) found(p protoPair, path string, kind Kind, fields []protoreflect.FieldDescriptor, format string, args ...any) {
	if len(w.spots) < findingLimit {
		w.spots = append(w.spots, protoSpot{Finding{path, kind, fmt.Sprintf(format, args...)}, p, fields})
	}
}

// messages compares the messages of one scope, by name: their order and new ones play no part.
func (w *protoWalk) messages(readers, writers protoreflect.MessageDescriptors, path string) {
	for i := range writers.Len() {
		wr := writers.Get(i)
		if wr.IsMapEntry() || !w.enter() {
			continue
		}
		at := path + "/" + string(wr.Name())
		r := readers.ByName(wr.Name())
		if r == nil {
			w.found(protoPair{nil, wr}, at, MessageRemoved, nil,
				"the message %s is gone, so records of it can no longer be read; keep it", wr.FullName())
		} else {
			w.message(protoPair{r, wr}, at)
			w.messages(r.Messages(), wr.Messages(), at)
		}
		w.leave()
	}
}

// message compares two messages field by field, matched by number.
func (w *protoWalk) message(p protoPair, path string) {
	if w.seen[p] || !w.enter() {
		return
	}
	defer w.leave()
	w.seen[p] = true
	writers := p.writer.Fields()
	for i := range writers.Len() {
		wf := writers.Get(i)
		at := path + "/" + strconv.Itoa(int(wf.Number()))
		if rf := p.reader.Fields().ByNumber(wf.Number()); rf != nil {
			w.field(p, rf, wf, at)
			continue
		}
		w.removed(p, wf, at)
	}
	readers := p.reader.Fields()
	for i := range readers.Len() {
		rf := readers.Get(i)
		if rf.Cardinality() == protoreflect.Required && writers.ByNumber(rf.Number()) == nil {
			w.found(p, path+"/"+strconv.Itoa(int(rf.Number())), RequiredFieldAdded, nil,
				"the reader demands the field %s, which the writer does not have; make it optional", rf.Name())
		}
	}
	w.oneofs(p, path)
}

func (w *protoWalk) removed(p protoPair, wf protoreflect.FieldDescriptor, path string) {
	if wf.Cardinality() == protoreflect.Required {
		w.found(p, path, RequiredFieldRemoved, nil,
			"the required field %s is gone; records are read without it, but readers of the old schema would refuse records that lack it, so keep it", wf.Name())
		return
	}
	o := realOneof(wf)
	if o == nil {
		return
	}
	// The whole oneof may go. It goes when none of its fields is in a oneof of the reader any more.
	for i := range o.Fields().Len() {
		other := p.reader.Fields().ByNumber(o.Fields().Get(i).Number())
		if other != nil && realOneof(other) != nil {
			w.found(p, path, OneofFieldRemoved, []protoreflect.FieldDescriptor{wf},
				"the field %s is gone from the oneof %s, so a record that holds it looks as if nothing had been chosen; keep the field, or remove the whole oneof",
				wf.Name(), o.Name())
			return
		}
	}
	if ro := p.reader.Oneofs().ByName(o.Name()); ro != nil && !ro.IsSynthetic() {
		w.found(p, path, OneofFieldRemoved, []protoreflect.FieldDescriptor{wf},
			"the field %s is gone from the oneof %s; keep the field, or remove the whole oneof", wf.Name(), o.Name())
	}
}

// realOneof is the oneof that was written around a field, not the one that stands for "optional".
func realOneof(f protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o
	}
	return nil
}

// field compares two fields of one number.
func (w *protoWalk) field(p protoPair, rf, wf protoreflect.FieldDescriptor, path string) {
	fields := []protoreflect.FieldDescriptor{wf}
	if rf.Cardinality() == protoreflect.Required && wf.Cardinality() != protoreflect.Required {
		w.found(p, path, RequiredFieldAdded, nil, "the reader demands the field %s, which the writer may leave out; make it optional", rf.Name())
	}
	if protoShape(rf) != protoShape(wf) {
		w.found(p, path, FieldKindChanged, fields,
			"the field %s changed from %s to %s; give the new field another number and reserve this one", rf.Name(), protoTypeName(wf), protoTypeName(rf))
		return
	}
	if rf.IsMap() {
		w.value(p, rf.MapKey(), wf.MapKey(), fields, path+"/key")
		w.value(p, rf.MapValue(), wf.MapValue(), fields, path+"/value")
		return
	}
	group := protoScalarGroup(rf)
	if rf.IsList() != wf.IsList() && group == protoScalarGroup(wf) && group != textGroup && group != noGroup {
		w.found(p, path, FieldNumericLabelChanged, fields,
			"the field %s changed between one number and a list of numbers, which are written differently; keep the label, or use another number", rf.Name())
		return
	}
	w.value(p, rf, wf, fields, path)
}

// value compares what two fields, or two keys or values of maps, hold.
func (w *protoWalk) value(p protoPair, rf, wf protoreflect.FieldDescriptor, fields []protoreflect.FieldDescriptor, path string) {
	if protoShape(rf) != protoShape(wf) {
		w.found(p, path, FieldKindChanged, fields,
			"the values changed from %s to %s; give the new field another number and reserve this one", protoTypeName(wf), protoTypeName(rf))
		return
	}
	if rf.Message() == nil {
		if protoScalarGroup(rf) != protoScalarGroup(wf) {
			w.found(p, path, FieldScalarKindChanged, fields,
				"%s changed from %s to %s, which are written differently; keep the type, or give the new field another number and reserve this one",
				fields[0].Name(), protoTypeName(wf), protoTypeName(rf))
		}
		return
	}
	if localName(rf.Message()) != localName(wf.Message()) {
		w.found(p, path, FieldNamedTypeChanged, fields,
			"the type of %s changed from the message %s to %s; keep the type, or give the new field another number and reserve this one",
			fields[0].Name(), localName(wf.Message()), localName(rf.Message()))
		return
	}
	w.message(protoPair{rf.Message(), wf.Message()}, path)
}

// localName is a type's name without its package.
func localName(d protoreflect.Descriptor) string {
	if pkg := d.ParentFile().Package(); pkg != "" {
		return strings.TrimPrefix(string(d.FullName()), string(pkg)+".")
	}
	return string(d.FullName())
}

// protoShape tells scalars, messages, groups and maps apart.
func protoShape(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "map"
	case f.Kind() == protoreflect.GroupKind:
		return "group"
	case f.Kind() == protoreflect.MessageKind:
		return "message"
	}
	return "scalar"
}

func protoTypeName(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "a map"
	case f.Message() != nil:
		return "the message " + localName(f.Message())
	case f.Enum() != nil:
		return "the enum " + localName(f.Enum())
	}
	return f.Kind().String()
}

// scalarGroup are the types that a field may change between.
type scalarGroup uint8

const (
	noGroup scalarGroup = iota
	varintGroup
	zigzagGroup
	textGroup
	fixed32Group
	fixed64Group
	floatGroup
	doubleGroup
)

func protoScalarGroup(f protoreflect.FieldDescriptor) scalarGroup {
	switch f.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.BoolKind, protoreflect.EnumKind:
		return varintGroup
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return zigzagGroup
	case protoreflect.StringKind, protoreflect.BytesKind:
		return textGroup
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return fixed32Group
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return fixed64Group
	case protoreflect.FloatKind:
		return floatGroup
	case protoreflect.DoubleKind:
		return doubleGroup
	}
	return noGroup
}

// oneofs demands that fields which the writer may set at once are not in one oneof of the reader, which keeps the last only.
func (w *protoWalk) oneofs(p protoPair, path string) {
	readers := p.reader.Oneofs()
	for i := range readers.Len() {
		o := readers.Get(i)
		if o.IsSynthetic() {
			continue
		}
		alone, within := oneofOrigins(o, p.writer)
		at := path + "/" + string(o.Name())
		switch {
		case len(within) > 0 && len(alone)+len(within) > 1:
			moved := append(slices.Clone(within), alone...)
			w.found(p, at, FieldMovedToExistingOneof, moved[:2],
				"the field %s moved into the oneof %s beside %s, so of two values that were written one is lost; keep it outside, or add a new field to the oneof",
				moved[1].Name(), o.Name(), moved[0].Name())
		case len(alone) > 1:
			w.found(p, at, MultipleFieldsMovedToOneof, alone[:2],
				"the fields %s and %s moved into the oneof %s, so of two values that were written one is lost; move one field only",
				alone[0].Name(), alone[1].Name(), o.Name())
		}
	}
}

// oneofOrigins gives the writer's fields that a oneof of the reader is made of: those that stood alone, and one for each oneof of the
// writer.
func oneofOrigins(o protoreflect.OneofDescriptor, writer protoreflect.MessageDescriptor) (alone, within []protoreflect.FieldDescriptor) {
	seen := map[protoreflect.Name]bool{}
	for i := range o.Fields().Len() {
		wf := writer.Fields().ByNumber(o.Fields().Get(i).Number())
		switch {
		case wf == nil:
		case realOneof(wf) == nil:
			alone = append(alone, wf)
		case !seen[realOneof(wf).Name()]:
			seen[realOneof(wf).Name()] = true
			within = append(within, wf)
		}
	}
	return alone, within
}
