package compat

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/timestamppb" // imported by some schemas
)

// TestOracleProtobuf asks the Protobuf library, which is given the descriptors as bytes and links them itself.
func TestOracleProtobuf(t *testing.T) {
	c := newTally()
	eachPair(t, schema.Protobuf, c, c.protobuf)
}

func (c *tally) protobuf(seed uint64, reader, writer *schema.Parsed) error {
	r := Check(reader, writer, Options{})
	if err := c.verdict(r, reader, writer); err != nil {
		return err
	}
	readers, err := linked(reader)
	if err != nil {
		return err
	}
	writers, err := linked(writer)
	if err != nil {
		return err
	}
	if r.Compatible() {
		return c.protoReads(seed, readers, writers)
	}
	if r.Example != nil {
		return protoExampleBreaks(r.Example, readers, writers)
	}
	explainBare(seed, r, reader, writer)
	return nil
}

// protoReads makes records of every message of the writer, all of which the reader has to read.
func (c *tally) protoReads(seed uint64, readers, writers protoreflect.FileDescriptor) error {
	read := 0
	for _, md := range protoRoots(writers.Messages(), nil) {
		values := schemagen.ProtobufValue(md)
		for i := range valuesPerPair {
			msg := values.Example(int(seed) + i)
			why, rule := protoRefusal(readers, msg)
			if why != "" && rule == "" {
				return fmt.Errorf("called compatible, and of the record %v of %s: %s", msg, md.FullName(), why)
			}
			broken := protoBreaks(readers, msg)
			if (broken == "") != (why == "") {
				return fmt.Errorf("the two decoders' judges differ on %v of %s: %q and %q", msg, md.FullName(), why, broken)
			}
			if strings.Contains(broken, noRule) {
				return fmt.Errorf("called compatible, and of the record %v of %s: %s", msg, md.FullName(), broken)
			}
			if rule != "" {
				c.known[string(rule)]++
			}
			read++
		}
	}
	c.read(read)
	return nil
}

func linked(p *schema.Parsed) (protoreflect.FileDescriptor, error) {
	bytes, err := base64.StdEncoding.DecodeString(p.Format("serialized"))
	if err != nil {
		return nil, err
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(bytes, &file); err != nil {
		return nil, err
	}
	own, err := protodesc.NewFile(&file, protoregistry.GlobalFiles)
	if err != nil && strings.Contains(err.Error(), "map enum value must have zero") {
		return p.Protobuf.File, nil // which the compiler lets pass, as other registries do
	}
	return own, err
}

// protoExampleBreaks reads an example's text under the writer again and tries it by other code than made it.
func protoExampleBreaks(e *Example, reader, writer protoreflect.FileDescriptor) error {
	for _, md := range protoRoots(writer.Messages(), nil) {
		if string(md.FullName()) != e.Message {
			continue
		}
		msg := dynamicpb.NewMessage(md)
		if err := protojson.Unmarshal([]byte(e.Record), msg); err != nil {
			return fmt.Errorf("the example %s is no record of the writer: %w", e.Record, err)
		}
		if protoBreaks(reader, msg) == "" {
			return fmt.Errorf("the example %s of %s is read as it was written", e.Record, e.Message)
		}
		return nil
	}
	return fmt.Errorf("the example is of %s, which the writer does not have", e.Message)
}

// protoBreaks says how a record breaks, by looking at trees of plain texts. A record breaks if the reader has no such message or
// refuses the bytes (a required field, a text that is no UTF-8), or if a field that both declare has another value than was written:
// a wire type that the reader does not expect makes its bytes an unknown field, and the value is lost; or if the reader, which has the
// writer's oneof, sees no choice where one was made. Fields that the reader does not declare may go.
func protoBreaks(reader protoreflect.FileDescriptor, msg *dynamicpb.Message) string {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		return ""
	}
	md := sameMessage(reader, msg.Descriptor())
	if md == nil {
		return "no such message"
	}
	got := dynamicpb.NewMessage(md)
	if err := proto.Unmarshal(bytes, got); err != nil {
		return err.Error()
	}
	return treesDiffer(msg, got)
}

func treesDiffer(written, read protoreflect.Message) (why string) {
	for i := range written.Descriptor().Fields().Len() {
		wf := written.Descriptor().Fields().Get(i)
		rf := read.Descriptor().Fields().ByNumber(wf.Number())
		if rf == nil && written.Has(wf) && choiceLost(wf, read) {
			return fmt.Sprintf("field %d: the choice is lost", wf.Number())
		}
		if rf == nil || !written.Has(wf) {
			continue
		}
		if one := fieldsDiffer(wf, rf, written, read); one != "" && (why == "" || strings.Contains(one, noRule)) {
			why = fmt.Sprintf("field %d: %s", wf.Number(), one)
		}
	}
	return why
}

// noRule marks a difference that no rule promises to overlook.
const noRule = " between kinds that do not change into each other"

// kindGroups are the kinds that change into each other by the rules, written down here once more: what the rules excuse is not asked
// of the rules.
var kindGroups = [][]protoreflect.Kind{
	{protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.BoolKind, protoreflect.EnumKind},
	{protoreflect.Sint32Kind, protoreflect.Sint64Kind}, {protoreflect.StringKind, protoreflect.BytesKind},
	{protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind}, {protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind},
}

func kindsDiffer(wf, rf protoreflect.FieldDescriptor) string {
	if wf.Kind() == rf.Kind() || slices.ContainsFunc(kindGroups, func(g []protoreflect.Kind) bool {
		return slices.Contains(g, wf.Kind()) && slices.Contains(g, rf.Kind())
	}) {
		return ""
	}
	return noRule
}

func choiceLost(wf protoreflect.FieldDescriptor, read protoreflect.Message) bool {
	o := wf.ContainingOneof()
	if o == nil || o.IsSynthetic() {
		return false
	}
	ro := read.Descriptor().Oneofs().ByName(o.Name())
	return ro != nil && !ro.IsSynthetic() && read.WhichOneof(ro) == nil
}

func fieldsDiffer(wf, rf protoreflect.FieldDescriptor, written, read protoreflect.Message) string {
	v, got := written.Get(wf), read.Get(rf)
	if wf.IsMap() && rf.IsMap() {
		return mapsDiffer(wf, rf, v.Map(), got.Map())
	}
	if (wf.IsMap() || rf.IsMap()) && (wf.Message() == nil || rf.Message() == nil) {
		return "a map and a scalar"
	}
	if wf.IsMap() || rf.IsMap() {
		return "" // a map is written as messages of key and value, and read as such
	}
	if rf.Message() != nil && !rf.IsList() && !read.Has(rf) {
		return "lost"
	}
	a, b := listOf(wf, v), listOf(rf, got)
	if len(a) != len(b) {
		return fmt.Sprintf("%d values became %d", len(a), len(b)) + kindsDiffer(wf, rf)
	}
	for i := range a {
		if why := valuesDiffer(wf, rf, a[i], b[i]); why != "" {
			return why
		}
	}
	return ""
}

func listOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) (all []protoreflect.Value) {
	if !fd.IsList() {
		return []protoreflect.Value{v}
	}
	for i := range v.List().Len() {
		all = append(all, v.List().Get(i))
	}
	return all
}

func mapsDiffer(wf, rf protoreflect.FieldDescriptor, written, read protoreflect.Map) (why string) {
	byText := map[string]protoreflect.Value{}
	read.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		byText[plainText(rf.MapKey(), k.Value())] = v
		return true
	})
	if written.Len() != read.Len() {
		return "another number of entries"
	}
	written.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if got, ok := byText[plainText(wf.MapKey(), k.Value())]; !ok {
			why = "a key is lost"
		} else {
			why = valuesDiffer(wf.MapValue(), rf.MapValue(), v, got)
		}
		return why == ""
	})
	return why
}

func valuesDiffer(wf, rf protoreflect.FieldDescriptor, v, got protoreflect.Value) string {
	switch {
	case wf.Message() != nil && rf.Message() != nil:
		return treesDiffer(v.Message(), got.Message())
	case wf.Message() != nil || rf.Message() != nil:
		return "a message and a scalar"
	}
	if a, b := plainText(wf, v), plainText(rf, got); a != b {
		return a + " became " + b + kindsDiffer(wf, rf)
	}
	return ""
}

// plainText writes a scalar as what it means: numbers by value, true as 1, texts by their bytes.
func plainText(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch x := v.Interface().(type) {
	case bool:
		return map[bool]string{true: "1", false: "0"}[x]
	case string:
		return "x" + hex.EncodeToString([]byte(x))
	case []byte:
		return "x" + hex.EncodeToString(x)
	case float32:
		return floatText(float64(x))
	case float64:
		return floatText(x)
	}
	return v.String()
}

func floatText(f float64) string {
	switch {
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.FormatInt(int64(f), 10)
	case math.IsNaN(f):
		return "NaN"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// TestCutToZero: a large integer whose lower 32 bits are 0 looks to a reader of 32 bits as if it had not been written (seed 419803). The
// rule about integers excuses it, and no other loss.
func TestCutToZero(t *testing.T) {
	for _, c := range []struct {
		writer, reader string
		value          int64
		rule           protoRule
	}{
		{"int64", "int32", math.MinInt64, ruleNarrowed}, {"int64", "uint32", 1 << 40, ruleNarrowed}, {"int64", "E", 1 << 32, ruleNarrowed},
		{"sint64", "sint32", 1 << 31, ruleNarrowed}, {"sint64", "int32", math.MinInt64, ""}, {"int64", "string", 1 << 32, ""},
		{"int64", "sfixed32", 1 << 32, ""},
	} {
		file := func(kind string) protoreflect.FileDescriptor {
			return read(t, schema.Protobuf, "enum E { Z = 0; } message M { "+kind+" f = 1; }").Protobuf.File
		}
		writer, reader := file(c.writer), file(c.reader)
		msg := dynamicpb.NewMessage(writer.Messages().Get(0))
		msg.Set(msg.Descriptor().Fields().Get(0), protoreflect.ValueOfInt64(c.value))
		why, rule := protoRefusal(reader, msg)
		if why == "" || rule != c.rule || protoBreaks(reader, msg) == "" {
			t.Errorf("%d from %s to %s: %q, by the rule %q", c.value, c.writer, c.reader, why, rule)
		}
	}
}
