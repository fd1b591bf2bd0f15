package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// protoVariants is how many values of a field are tried: each scalar has that many at most that differ in their bytes.
const protoVariants = 4

// protoExample builds a record for the first finding that one can show, and tries it out: written by the writer's message, read by the
// reader's, a value that both declare must be refused, lost or changed.
func protoExample(w *protoWalk) *Example {
	roots := protoRoots(w.writer.Messages(), nil)
	for _, spot := range w.spots {
		if spot.pair.writer == nil {
			continue
		}
		m := protoMaker{walk: w}
		for variant := range protoVariants {
			msg := m.message(spot.pair.writer, spot.fields, variant)
			if msg == nil {
				break
			}
			msg = m.wrap(roots, msg)
			if msg == nil {
				break
			}
			if e := protoTried(w.reader, msg); e != nil {
				return e
			}
		}
	}
	return nil
}

// protoTried shows a record when the reader cannot read it.
func protoTried(reader protoreflect.FileDescriptor, msg *dynamicpb.Message) *Example {
	why, rule := protoRefusal(reader, msg)
	if why == "" || rule != "" {
		return nil
	}
	text, err := protojson.Marshal(msg)
	if err != nil {
		return nil
	}
	var compact bytes.Buffer // protojson puts in white space at random, so that nobody relies on its bytes
	if json.Compact(&compact, text) != nil {
		return nil
	}
	return &Example{Record: compact.String(), Message: string(msg.Descriptor().FullName()), Why: why}
}

// protoRoots are the messages that records are made of.
func protoRoots(messages protoreflect.MessageDescriptors, roots []protoreflect.MessageDescriptor) []protoreflect.MessageDescriptor {
	for i := range messages.Len() {
		if md := messages.Get(i); !md.IsMapEntry() {
			roots = protoRoots(md.Messages(), append(roots, md))
		}
	}
	return roots
}

// sameMessage finds the message of a file that stands for another by its name without the package.
func sameMessage(file protoreflect.FileDescriptor, md protoreflect.MessageDescriptor) protoreflect.MessageDescriptor {
	var found protoreflect.MessageDescriptor
	messages := file.Messages()
	for name := range strings.SplitSeq(localName(md), ".") {
		if found = messages.ByName(protoreflect.Name(name)); found == nil {
			return nil
		}
		messages = found.Messages()
	}
	return found
}

type protoMaker struct {
	walk *protoWalk
	size int
	open []protoreflect.MessageDescriptor
}

// message makes a message with the given fields set, and those that are required.
func (m *protoMaker) message(md protoreflect.MessageDescriptor, set []protoreflect.FieldDescriptor, variant int) *dynamicpb.Message {
	if m.size++; m.size > exampleSize || len(m.open) > 16 {
		return nil
	}
	m.open = append(m.open, md)
	defer func() { m.open = m.open[:len(m.open)-1] }()
	msg := dynamicpb.NewMessage(md)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if fd.Cardinality() != protoreflect.Required && !slices.Contains(set, fd) {
			continue
		}
		if !m.fill(msg, fd, variant) {
			return nil
		}
	}
	return msg
}

func (m *protoMaker) fill(msg *dynamicpb.Message, fd protoreflect.FieldDescriptor, variant int) bool {
	switch {
	case fd.IsMap():
		key, _ := m.value(fd.MapKey(), variant)
		value, ok := m.value(fd.MapValue(), variant)
		if !ok {
			return false
		}
		msg.Mutable(fd).Map().Set(key.MapKey(), value)
	case fd.IsList():
		for i := range 2 {
			value, ok := m.value(fd, variant+i)
			if !ok {
				return false
			}
			msg.Mutable(fd).List().Append(value)
		}
	default:
		value, ok := m.value(fd, variant)
		if !ok {
			return false
		}
		msg.Set(fd, value)
	}
	return true
}

// value makes one value of a field, other than the one that is not written.
func (m *protoMaker) value(fd protoreflect.FieldDescriptor, variant int) (protoreflect.Value, bool) {
	if md := fd.Message(); md != nil {
		var set []protoreflect.FieldDescriptor
		for i := range md.Fields().Len() {
			if inner := md.Fields().Get(i); inner.Message() == nil && realOneof(inner) == nil {
				set = append(set, inner)
			}
		}
		msg := m.message(md, set, variant)
		return protoreflect.ValueOfMessage(msg), msg != nil
	}
	at := variant % protoVariants
	integers := [protoVariants]int64{1, -1, 5, math.MaxInt32}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true), true
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get((at + 1) % values.Len()).Number()), true
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(integers[at])), true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(integers[at])), true
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(integers[at]), true
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(integers[at])), true
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([protoVariants]float32{1.5, -1, 5, 1e9}[at]), true
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([protoVariants]float64{1.5, -1, 5, 1e9}[at]), true
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte([protoVariants]string{"a", "\x0f\x0f", "abc", "\x08"}[at])), true
	}
	return protoreflect.ValueOfString([protoVariants]string{"a", "\x0f\x0f", "abc", "\x08"}[at]), true
}

// wrap puts a message of an imported file into a message of the writer's own file, since records are made of these only.
func (m *protoMaker) wrap(roots []protoreflect.MessageDescriptor, msg *dynamicpb.Message) *dynamicpb.Message {
	if slices.Contains(roots, msg.Descriptor()) {
		return msg
	}
	waiting := slices.Clone(roots)
	holders := map[protoreflect.MessageDescriptor]protoreflect.FieldDescriptor{}
	for len(waiting) > 0 && holders[msg.Descriptor()] == nil && m.walk.spend() {
		md := waiting[0]
		waiting = waiting[1:]
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			held := fd.Message()
			if fd.IsMap() {
				held = fd.MapValue().Message()
			}
			if held != nil && holders[held] == nil && !slices.Contains(roots, held) {
				holders[held] = fd
				waiting = append(waiting, held)
			}
		}
	}
	for !slices.Contains(roots, msg.Descriptor()) {
		fd := holders[msg.Descriptor()]
		if fd == nil {
			return nil
		}
		outer := m.message(fd.ContainingMessage(), nil, 0)
		if outer == nil {
			return nil
		}
		switch {
		case fd.IsMap():
			key, _ := m.value(fd.MapKey(), 0)
			outer.Mutable(fd).Map().Set(key.MapKey(), protoreflect.ValueOfMessage(msg))
		case fd.IsList():
			outer.Mutable(fd).List().Append(protoreflect.ValueOfMessage(msg))
		default:
			outer.Set(fd, protoreflect.ValueOfMessage(msg))
		}
		msg = outer
	}
	return msg
}

// protoRule names a promise of the rules that does not hold for every record. It is empty when no rule excuses what happened.
type protoRule string

const (
	ruleNarrowed   protoRule = "integers, booleans and enums may change into each other, and signs of fixed numbers, though a value may not fit"
	ruleText       protoRule = "bytes may become a string, though bytes may be no UTF-8"
	ruleLabel      protoRule = "a list of texts or messages may become one, though only the last is kept, or all are merged"
	ruleClosedEnum protoRule = "an enum's constants may go, though a closed enum does not show a number that it does not know"
)

// protoRefusal writes a record, reads it with the reader's message of that name, and says what was refused, lost or changed. Fields
// that the reader does not declare are not looked for.
func protoRefusal(reader protoreflect.FileDescriptor, msg *dynamicpb.Message) (why string, rule protoRule) {
	// Fields may be written in any order; this one is always the same.
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		return "", ""
	}
	md := sameMessage(reader, msg.Descriptor())
	if md == nil {
		return "the reader has no message " + localName(msg.Descriptor()), ""
	}
	read := dynamicpb.NewMessage(md)
	if err := proto.Unmarshal(encoded, read); err != nil {
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		if strings.Contains(text, "UTF-8") && !strings.Contains(text, "wire") {
			rule = ruleText
		}
		return "the reader refuses the record: " + text, rule
	}
	if missing := missingRequired(read); missing != nil {
		return "the reader refuses the record: the required field " + string(missing.FullName()) + " is not set", ""
	}
	d := protoDifference{}
	d.message(msg, read, "")
	return d.why, d.rule
}

// missingRequired finds a required field that is not set. The decoder does so itself for proto2, but not for the editions' required
// fields in descriptors that were compiled here.
func missingRequired(msg protoreflect.Message) (missing protoreflect.FieldDescriptor) {
	fields := msg.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Cardinality() == protoreflect.Required && !msg.Has(fd) {
			return fd
		}
	}
	msg.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				missing = missingRequired(v.Message())
				return missing == nil
			})
		case fd.IsList() && fd.Message() != nil:
			for i := 0; i < v.List().Len() && missing == nil; i++ {
				missing = missingRequired(v.List().Get(i).Message())
			}
		case fd.Message() != nil && !fd.IsMap():
			missing = missingRequired(v.Message())
		}
		return missing == nil
	})
	return missing
}

// protoDifference finds the first value that is not what was written; one that no rule excuses goes before others.
type protoDifference struct {
	why  string
	rule protoRule
}

func (d *protoDifference) note(rule protoRule, format string, args ...any) {
	if d.why == "" || d.rule != "" && rule == "" {
		d.why, d.rule = fmt.Sprintf(format, args...), rule
	}
}

func (d *protoDifference) message(written, read protoreflect.Message, path string) {
	written.Range(func(wf protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if rf := read.Descriptor().Fields().ByNumber(wf.Number()); rf != nil {
			d.field(wf, rf, v, read, path+"."+string(wf.Name()))
		}
		return true
	})
	writers, readers := written.Descriptor().Oneofs(), read.Descriptor().Oneofs()
	for i := range writers.Len() {
		o := writers.Get(i)
		ro := readers.ByName(o.Name())
		if o.IsSynthetic() || ro == nil || ro.IsSynthetic() {
			continue
		}
		if chosen := written.WhichOneof(o); chosen != nil && read.WhichOneof(ro) == nil && read.Descriptor().Fields().ByNumber(chosen.Number()) == nil {
			d.note("", "at %s.%s: the writer chose %s and the reader sees no choice", path, o.Name(), chosen.Name())
		}
	}
}

func (d *protoDifference) field(wf, rf protoreflect.FieldDescriptor, v protoreflect.Value, read protoreflect.Message, path string) {
	got := read.Get(rf)
	switch {
	case wf.IsMap() != rf.IsMap():
		if protoShape(wf) == "scalar" || protoShape(rf) == "scalar" {
			d.note("", "at %s: the writer wrote %s and the reader expects %s", path, protoTypeName(wf), protoTypeName(rf))
		}
	case wf.IsMap():
		d.mapping(wf, rf, v.Map(), got.Map(), path)
	default:
		written, found := protoItems(wf, v), protoItems(rf, got)
		if !rf.IsList() && !read.Has(rf) {
			if wf.Message() != nil || rf.Message() != nil || len(written) != 1 || !protoSame(wf, rf, written[0], got) {
				d.note(lossRule(wf, rf, written), "at %s: the value is lost", path)
			}
			return
		}
		d.items(wf, rf, written, found, path)
	}
}

func protoItems(fd protoreflect.FieldDescriptor, v protoreflect.Value) []protoreflect.Value {
	if !fd.IsList() {
		return []protoreflect.Value{v}
	}
	var items []protoreflect.Value
	for i := range v.List().Len() {
		items = append(items, v.List().Get(i))
	}
	return items
}

func (d *protoDifference) items(wf, rf protoreflect.FieldDescriptor, written, found []protoreflect.Value, path string) {
	if len(written) != len(found) {
		d.note(lossRule(wf, rf, written), "at %s: %d values were written and the reader sees %d", path, len(written), len(found))
		return
	}
	for i := range written {
		d.value(wf, rf, written[i], found[i], path)
	}
}

func (d *protoDifference) mapping(wf, rf protoreflect.FieldDescriptor, written, found protoreflect.Map, path string) {
	rule := closedEnumRule(wf.MapValue(), rf.MapValue(), mapValues(written))
	if protoScalarGroup(wf.MapKey()) == protoScalarGroup(rf.MapKey()) && wf.MapKey().Kind() != rf.MapKey().Kind() {
		rule = ruleNarrowed
	}
	if written.Len() != found.Len() {
		d.note(rule, "at %s: %d entries were written and the reader sees %d", path, written.Len(), found.Len())
		return
	}
	written.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		matched := false
		found.Range(func(fk protoreflect.MapKey, fv protoreflect.Value) bool {
			if matched = protoSame(wf.MapKey(), rf.MapKey(), k.Value(), fk.Value()); matched {
				d.value(wf.MapValue(), rf.MapValue(), v, fv, path)
			}
			return !matched
		})
		if !matched {
			d.note(rule, "at %s: the key %v is lost", path, k)
		}
		return true
	})
}

func mapValues(m protoreflect.Map) []protoreflect.Value {
	var values []protoreflect.Value
	m.Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
		values = append(values, v)
		return true
	})
	return values
}

func (d *protoDifference) value(wf, rf protoreflect.FieldDescriptor, written, found protoreflect.Value, path string) {
	switch {
	case wf.Message() != nil && rf.Message() != nil:
		d.message(written.Message(), found.Message(), path)
	case wf.Message() != nil || rf.Message() != nil:
		d.note("", "at %s: the writer wrote %s and the reader expects %s", path, protoTypeName(wf), protoTypeName(rf))
	case !protoSame(wf, rf, written, found):
		rule := protoRule("")
		if protoScalarGroup(wf) == protoScalarGroup(rf) && wf.Kind() != rf.Kind() {
			rule = ruleNarrowed
		}
		d.note(rule, "at %s: the writer wrote %v and the reader sees %v", path, written, found)
	}
}

// lossRule excuses values of a field that the reader does not see.
func lossRule(wf, rf protoreflect.FieldDescriptor, written []protoreflect.Value) protoRule {
	sameShape := wf.Message() != nil && rf.Message() != nil || protoScalarGroup(wf) == textGroup && protoScalarGroup(rf) == textGroup
	if wf.IsList() && !rf.IsList() && sameShape {
		return ruleLabel
	}
	if !wf.IsList() && !rf.HasPresence() && cutToZero(wf, rf, written[0]) {
		return ruleNarrowed // a field without presence looks as if it had not been written
	}
	return closedEnumRule(wf, rf, written)
}

// cutToZero tells whether a reader of 32 bits sees 0 in an integer of 64.
func cutToZero(wf, rf protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	n, ok := protoInteger(wf, v)
	if !ok || wf.Kind() == rf.Kind() || protoScalarGroup(wf) != protoScalarGroup(rf) {
		return false
	}
	switch rf.Kind() {
	case protoreflect.Int32Kind, protoreflect.Uint32Kind, protoreflect.EnumKind:
		return uint32(n) == 0
	case protoreflect.Sint32Kind:
		return uint32(protowire.EncodeZigZag(n)) == 0
	}
	return false
}

// closedEnumRule excuses values that an enum of the reader does not know and sets aside. An integer of the writer is narrowed first.
func closedEnumRule(wf, rf protoreflect.FieldDescriptor, written []protoreflect.Value) protoRule {
	if rf.Kind() != protoreflect.EnumKind || !rf.Enum().IsClosed() || protoScalarGroup(wf) != varintGroup {
		return ""
	}
	for _, v := range written {
		n, _ := protoInteger(wf, v)
		if rf.Enum().Values().ByNumber(protoreflect.EnumNumber(int32(n))) == nil {
			return ruleClosedEnum
		}
	}
	return ""
}

// protoSame tells whether two scalars are one value.
func protoSame(wf, rf protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	ai, aInt := protoInteger(wf, a)
	bi, bInt := protoInteger(rf, b)
	at, aText := protoText(a)
	bt, bText := protoText(b)
	switch {
	case aText || bText:
		return aText && bText && at == bt
	case aInt && bInt:
		return ai == bi && (ai >= 0 || unsigned(wf) == unsigned(rf))
	}
	af, bf := protoFloat(wf, a), protoFloat(rf, b)
	return af == bf || math.IsNaN(af) && math.IsNaN(bf)
}

func unsigned(fd protoreflect.FieldDescriptor) bool {
	return fd.Kind() == protoreflect.Uint64Kind || fd.Kind() == protoreflect.Fixed64Kind
}

// protoInteger is the 64 bits of an integer, a boolean or an enum.
func protoInteger(fd protoreflect.FieldDescriptor, v protoreflect.Value) (int64, bool) {
	switch x := v.Interface().(type) {
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case protoreflect.EnumNumber:
		return int64(x), true
	case int32:
		return int64(x), true
	case int64:
		return x, true
	case uint32:
		return int64(x), true
	case uint64:
		return int64(x), true
	}
	return 0, false
}

func protoFloat(fd protoreflect.FieldDescriptor, v protoreflect.Value) float64 {
	switch x := v.Interface().(type) {
	case float32:
		return float64(x)
	case float64:
		return x
	}
	n, _ := protoInteger(fd, v)
	return float64(n)
}

func protoText(v protoreflect.Value) (string, bool) {
	switch x := v.Interface().(type) {
	case string:
		return x, true
	case []byte:
		return string(x), true
	}
	return "", false
}
