package serde

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// protobuf is a message of a Protobuf schema.
type protobuf struct {
	file    protoreflect.FileDescriptor
	message protoreflect.MessageDescriptor // nil in a file without messages
	types   protoTypes
	imports []imported // of a schema made of a generated type
}

// imported is a file that a generated type's file imports: a schema to be registered under its path.
type imported struct {
	path   string
	schema *Schema
}

// maxMessageNesting bounds how deep a message may nest, in bytes and in JSON.
const maxMessageNesting = 500

func newProtobuf(file protoreflect.FileDescriptor, types protoTypes) *protobuf {
	p := &protobuf{file: file, types: types}
	if file.Messages().Len() > 0 {
		p.message = file.Messages().Get(0)
	}
	return p
}

func (p *protobuf) record() string {
	if p.message == nil {
		return ""
	}
	return string(p.message.FullName())
}

// named is the same file with another message.
func (p *protobuf) named(name string) (*protobuf, error) {
	full := protoreflect.FullName(name)
	if p.file.Package() != "" && !strings.HasPrefix(name, string(p.file.Package())+".") {
		full = p.file.Package() + "." + full
	}
	m := find(p.file.Messages(), full)
	if m == nil {
		return nil, fmt.Errorf("the Protobuf schema has no message %s: it has %s", name, names(p.file))
	}
	with := *p
	with.message = m
	return &with, nil
}

func find(list protoreflect.MessageDescriptors, full protoreflect.FullName) protoreflect.MessageDescriptor {
	for i := range list.Len() {
		m := list.Get(i)
		if m.FullName() == full {
			return m
		}
		if strings.HasPrefix(string(full), string(m.FullName())+".") {
			return find(m.Messages(), full)
		}
	}
	return nil
}

func names(file protoreflect.FileDescriptor) string {
	list := file.Messages()
	if list.Len() == 0 {
		return "none"
	}
	all := make([]string, min(list.Len(), 20))
	for i := range all {
		all[i] = string(list.Get(i).Name())
	}
	return strings.Join(all, ", ")
}

// indexOf is the path to a message: where it stands among the messages of its file or of the message around it. Entries of maps and
// groups are messages too and are counted, as every client counts that has the file's descriptor.
func indexOf(m protoreflect.MessageDescriptor) []int {
	var index []int
	for d := protoreflect.Descriptor(m); ; d = d.Parent() {
		if _, ok := d.(protoreflect.MessageDescriptor); !ok {
			break
		}
		index = append([]int{d.Index()}, index...)
	}
	return index
}

// at finds the message at a path. Clients that read the text of a schema rather than its descriptor do not count the entries of maps,
// so where the path leads to such an entry, or to nothing, it is taken without them.
func (p *protobuf) at(index []int) (protoreflect.MessageDescriptor, error) {
	if m := follow(p.file.Messages(), index, true); m != nil && !m.IsMapEntry() {
		return m, nil
	}
	if m := follow(p.file.Messages(), index, false); m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: the Protobuf schema has no message at %v: it was written with another schema", ErrMisfit, index)
}

func follow(list protoreflect.MessageDescriptors, index []int, entries bool) (m protoreflect.MessageDescriptor) {
	for _, i := range index {
		if m = nth(list, i, entries); m == nil {
			return nil
		}
		list = m.Messages()
	}
	return m
}

func nth(list protoreflect.MessageDescriptors, i int, entries bool) protoreflect.MessageDescriptor {
	for n := range list.Len() {
		if list.Get(n).IsMapEntry() && !entries {
			continue
		}
		if i == 0 {
			return list.Get(n)
		}
		i--
	}
	return nil
}

// isAt tells that a message of that name stands at the path, counted in either way.
func (p *protobuf) isAt(index []int, name protoreflect.FullName) bool {
	for _, entries := range []bool{true, false} {
		if m := follow(p.file.Messages(), index, entries); m != nil && m.FullName() == name {
			return true
		}
	}
	return false
}

var errNoMessage = errors.New("the Protobuf schema has no message: register one that has")

func (p *protobuf) fromText(text []byte) ([]byte, []int, error) {
	if p.message == nil {
		return nil, nil, errNoMessage
	}
	m := dynamicpb.NewMessage(p.message)
	if err := (protojson.UnmarshalOptions{Resolver: p.types, RecursionLimit: maxMessageNesting}).Unmarshal(text, m); err != nil {
		return nil, nil, protoMisfit(err)
	}
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, nil, protoMisfit(err)
	}
	return payload, indexOf(p.message), nil
}

func (p *protobuf) text(writer format, index []int, payload []byte) ([]byte, error) {
	w, ok := writer.(*protobuf)
	if !ok {
		return nil, errors.New("the writer's schema is no Protobuf schema")
	}
	written := w.message
	if index != nil {
		var err error
		if written, err = w.at(index); err != nil {
			return nil, err
		}
	}
	if written == nil {
		return nil, errNoMessage
	}
	read := written
	if w != p {
		if read = find(p.file.Messages(), written.FullName()); read == nil {
			return nil, fmt.Errorf("%w: it is a %s, which the reader's schema does not have", ErrMisfit, written.FullName())
		}
	}
	m := dynamicpb.NewMessage(read)
	if err := (proto.UnmarshalOptions{Resolver: p.types, RecursionLimit: maxMessageNesting}).Unmarshal(payload, m); err != nil {
		return nil, protoMisfit(err)
	}
	c := protoCost{names: map[protoreflect.MessageDescriptor]int{}, left: maxTextOf(payload)}
	if c.message(m); c.left < 0 {
		return nil, tooLong(maxTextOf(payload))
	}
	out, err := protojson.MarshalOptions{Resolver: p.types, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, protoMisfit(err)
	}
	return compact(out) // protojson puts white space in at random
}

// protoMisfit says what the library found, without its prefix, in which there are spaces of different kinds.
func protoMisfit(err error) error {
	text := sentence(strings.ReplaceAll(err.Error(), "\u00a0", " "))
	return fmt.Errorf("%w: %s", ErrMisfit, strings.TrimPrefix(text, "proto: "))
}

// protoTypes finds the messages and extensions of a schema and what it imports, for Any and for extensions in JSON.
type protoTypes interface {
	FindMessageByName(protoreflect.FullName) (protoreflect.MessageType, error)
	FindMessageByURL(url string) (protoreflect.MessageType, error)
	FindExtensionByName(protoreflect.FullName) (protoreflect.ExtensionType, error)
	FindExtensionByNumber(protoreflect.FullName, protoreflect.FieldNumber) (protoreflect.ExtensionType, error)
}

// typesOf are the types of a file and of all that it imports.
func typesOf(file protoreflect.FileDescriptor) (protoTypes, error) {
	files := &protoregistry.Files{}
	var add func(f protoreflect.FileDescriptor) error
	add = func(f protoreflect.FileDescriptor) error {
		if _, err := files.FindFileByPath(f.Path()); err == nil {
			return nil
		}
		list := f.Imports()
		for i := range list.Len() {
			if err := add(list.Get(i).FileDescriptor); err != nil {
				return err
			}
		}
		return files.RegisterFile(f)
	}
	if err := add(file); err != nil {
		return nil, err
	}
	return dynamicpb.NewTypes(files), nil
}

// protoCost estimates, from below, how long a message is as JSON, since its writer knows no limit: a message of two bytes may have
// thousands of fields, which are all written.
type protoCost struct {
	names map[protoreflect.MessageDescriptor]int // what its fields cost by their names
	left  int
}

func (c *protoCost) message(m protoreflect.Message) {
	names, ok := c.names[m.Descriptor()]
	if !ok {
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			if f := fields.Get(i); !f.HasPresence() {
				names += len(f.JSONName()) + 3
			}
		}
		c.names[m.Descriptor()] = names
	}
	if c.left -= names; c.left < 0 {
		return
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		c.field(f, v)
		return c.left >= 0
	})
}

func (c *protoCost) field(f protoreflect.FieldDescriptor, v protoreflect.Value) {
	c.left -= len(f.JSONName())
	switch {
	case f.IsList():
		list := v.List()
		for i := 0; i < list.Len() && c.left >= 0; i++ {
			c.element(f, list.Get(i))
		}
	case f.IsMap():
		v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
			c.element(f.MapValue(), v)
			return c.left >= 0
		})
	default:
		c.element(f, v)
	}
}

func (c *protoCost) element(f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case f.Message() != nil:
		c.message(v.Message())
	case f.Enum() != nil:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			c.left -= len(e.Name())
		}
	default:
		c.left--
	}
}
