package schema

import (
	"encoding/base64"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/bufbuild/protocompile/linker"
)

// ProtobufSchema is a Protobuf schema that was read.
type ProtobufSchema struct {
	// File is the linked file: its messages, enums and services, and through its imports those of its references. Read compatibility,
	// records and names from it.
	File protoreflect.FileDescriptor

	linked     linker.Result
	text       string // canonical
	extensible string // canonical without custom options and extensions
}

// Proto is the file as a descriptor with all names resolved. Do not change it.
func (p *ProtobufSchema) Proto() *descriptorpb.FileDescriptorProto {
	return p.linked.FileDescriptorProto()
}

func (p *ProtobufSchema) format(name string) string {
	switch name {
	case "serialized":
		return p.serialized()
	case "ignore_extensions":
		return p.extensible
	}
	return p.text
}

func (p *ProtobufSchema) serialized() string {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.Proto())
	if err != nil {
		return p.text
	}
	return base64.StdEncoding.EncodeToString(bytes)
}

func (p *ProtobufSchema) normalized() string {
	printer := protoPrinter{normal: true, options: interpretedOptions{linker.ResolverFromFile(p.linked), true}}
	return printer.file(p.Proto(), false)
}

// name is the name of the first message, of the first enum in a file without messages.
func (p *ProtobufSchema) name() string {
	if m := p.File.Messages(); m.Len() > 0 {
		return string(m.Get(0).FullName())
	}
	if e := p.File.Enums(); e.Len() > 0 {
		return string(e.Get(0).FullName())
	}
	return ""
}

// Message is the message that the indexes in front of a record point to; no index at all means the first message. It answers nil when
// they point nowhere.
func (p *ProtobufSchema) Message(indexes []int) protoreflect.MessageDescriptor {
	if len(indexes) == 0 {
		indexes = []int{0}
	}
	var found protoreflect.MessageDescriptor
	messages := p.File.Messages()
	for _, i := range indexes {
		if i < 0 || i >= messages.Len() {
			return nil
		}
		found = messages.Get(i)
		messages = found.Messages()
	}
	return found
}

// MessageIndexes is the way to a message of this file, outermost first, as it stands in front of a record.
func MessageIndexes(m protoreflect.MessageDescriptor) []int {
	var indexes []int
	for d := protoreflect.Descriptor(m); ; d = d.Parent() {
		if _, ok := d.(protoreflect.MessageDescriptor); !ok {
			return indexes
		}
		indexes = append([]int{d.Index()}, indexes...)
	}
}
