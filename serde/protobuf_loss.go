package serde

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Nearly all bytes can be read as nearly any message: what does not fit turns into unknown fields, and no error says so. So the payload is
// read twice, and what the two messages hold under one number is compared. A field that the reader does not declare may go.

// loss is an error when a reader would not see a value that was written, or another one, in a field that both schemas declare.
func (p *protobuf) loss(w *protobuf, index []int, payload []byte) error {
	written := w.message
	if index != nil {
		var err error
		if written, err = w.at(index); err != nil {
			return err
		}
	}
	read := find(p.file.Messages(), written.FullName())
	if read == nil || read == written {
		return nil // the one was refused when it was read, and the other loses nothing
	}
	before, after := dynamicpb.NewMessage(written), dynamicpb.NewMessage(read)
	for m, types := range map[*dynamicpb.Message]protoTypes{before: w.types, after: p.types} {
		if err := (proto.UnmarshalOptions{Resolver: types, RecursionLimit: maxMessageNesting}).Unmarshal(payload, m); err != nil {
			return protoMisfit(err)
		}
	}
	c := protoComparison{types: p.types}
	if why := c.message(before, after); why != "" {
		return fmt.Errorf("%w: at %s: %s", ErrMisfit, strings.TrimPrefix(strings.Join(c.path, ""), "."), why)
	}
	return nil
}

// protoComparison goes through two messages of the same bytes. It stops at the first difference, and path is then the way to it.
type protoComparison struct {
	types protoTypes // the reader's
	path  []string
}

// at compares something below, and forgets the step to it if nothing is wrong there.
func (c *protoComparison) at(step string, compare func() string) string {
	c.path = append(c.path, step)
	why := compare()
	if why == "" {
		c.path = c.path[:len(c.path)-1]
	}
	return why
}

func (c *protoComparison) message(before, after protoreflect.Message) string {
	for _, f := range present(before) {
		g := c.declared(after.Descriptor(), f)
		if g == nil {
			if why := unchosen(f, after); why != "" {
				return c.at("."+string(f.ContainingOneof().Name()), func() string { return why })
			}
			continue
		}
		if why := c.at("."+string(f.Name()), func() string { return c.field(f, before, g, after) }); why != "" {
			return why
		}
	}
	return ""
}

// present are the fields that a message has, by number.
func present(m protoreflect.Message) (fields []protoreflect.FieldDescriptor) {
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, f)
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return cmp.Compare(a.Number(), b.Number()) })
	return fields
}

// declared is the reader's field of the same number, if there is one.
func (c *protoComparison) declared(m protoreflect.MessageDescriptor, f protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if g := m.Fields().ByNumber(f.Number()); g != nil || !f.IsExtension() {
		return g
	}
	x, err := c.types.FindExtensionByNumber(m.FullName(), f.Number())
	if err != nil {
		return nil
	}
	return x.TypeDescriptor()
}

// unchosen: a field may go, but a reader that has its oneof sees that nothing was chosen.
func unchosen(f protoreflect.FieldDescriptor, after protoreflect.Message) string {
	choice := f.ContainingOneof()
	if choice == nil || choice.IsSynthetic() {
		return ""
	}
	same := after.Descriptor().Oneofs().ByName(choice.Name())
	if same == nil || after.WhichOneof(same) != nil {
		return ""
	}
	return fmt.Sprintf("%s was chosen, which the reader does not have", f.Name())
}

// field compares lists, where a single value is a list of one: a reader may take the one for the other.
func (c *protoComparison) field(f protoreflect.FieldDescriptor, before protoreflect.Message, g protoreflect.FieldDescriptor, after protoreflect.Message) string {
	switch {
	case f.IsMap() && g.IsMap():
		return c.entries(f, before.Get(f).Map(), g, after.Get(g).Map())
	case f.IsMap() != g.IsMap():
		return fmt.Sprintf("it is %s, and %s for the reader", protoKind(f), protoKind(g))
	}
	was, is := protoValues(f, before), protoValues(g, after)
	if len(is) == 0 {
		return fmt.Sprintf("the reader, which takes %s, does not see the %s that was written", protoKind(g), f.Kind())
	}
	if len(is) != len(was) {
		return fmt.Sprintf("the reader, which takes %s, sees not all that was written as %s", protoKind(g), protoKind(f))
	}
	for i := range was {
		step := ""
		if f.IsList() {
			step = fmt.Sprintf("[%d]", i)
		}
		if why := c.at(step, func() string { return c.value(f, was[i], g, is[i]) }); why != "" {
			return why
		}
	}
	return ""
}

// protoValues are the values of a field. One that cannot be absent is there, with its default.
func protoValues(f protoreflect.FieldDescriptor, m protoreflect.Message) (all []protoreflect.Value) {
	if f.IsList() {
		for i := range m.Get(f).List().Len() {
			all = append(all, m.Get(f).List().Get(i))
		}
		return all
	}
	if f.HasPresence() && !m.Has(f) {
		return nil
	}
	return append(all, m.Get(f))
}

// entries compares maps by their keys, which may have changed their type.
func (c *protoComparison) entries(f protoreflect.FieldDescriptor, before protoreflect.Map, g protoreflect.FieldDescriptor, after protoreflect.Map) string {
	seen := map[string]protoreflect.Value{}
	after.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		seen[protoScalar(k.Value())] = v
		return true
	})
	var keys []protoreflect.MapKey
	before.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return cmp.Compare(a.String(), b.String()) })
	for _, k := range keys {
		v, ok := seen[protoScalar(k.Value())]
		if !ok {
			return fmt.Sprintf("the reader, which takes %s, sees not all that was written as %s", protoKind(g), protoKind(f))
		}
		if why := c.at("[]", func() string { return c.value(f.MapValue(), before.Get(k), g.MapValue(), v) }); why != "" {
			return why
		}
	}
	return ""
}

func (c *protoComparison) value(f protoreflect.FieldDescriptor, was protoreflect.Value, g protoreflect.FieldDescriptor, is protoreflect.Value) string {
	switch {
	case f.Message() != nil && g.Message() != nil:
		return c.message(was.Message(), is.Message())
	case stranger(g, is) && !stranger(f, was):
		return "the reader's enum is closed and does not know the value that was written"
	case f.Message() == nil && g.Message() == nil && protoScalar(was) == protoScalar(is):
		return ""
	}
	return fmt.Sprintf("the reader, which takes %s, sees something else than the %s that was written", g.Kind(), f.Kind())
}

// stranger is a number that a closed enum does not know. This library keeps it all the same; other languages take it for an unknown field.
func stranger(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	return f.Enum() != nil && f.Enum().IsClosed() && f.Enum().Values().ByNumber(v.Enum()) == nil
}

// protoScalar is a value in a form that is the same for all types that can hold it: numbers are numbers, and texts and bytes are bytes.
func protoScalar(v protoreflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return "bytes " + x
	case []byte:
		return "bytes " + string(x)
	case bool:
		if x {
			return "1"
		}
		return "0"
	case float32:
		return protoFloat(float64(x))
	case float64:
		return protoFloat(x)
	default: // integers and the numbers of enums
		return fmt.Sprint(x)
	}
}

func protoFloat(x float64) string {
	if x == math.Trunc(x) && !math.IsInf(x, 0) {
		whole, _ := big.NewFloat(x).Int(nil)
		return whole.String()
	}
	return fmt.Sprint(x)
}

// protoKind is a field's type, for people.
func protoKind(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "a map"
	case f.IsList():
		return "a list of " + f.Kind().String()
	}
	return f.Kind().String()
}
