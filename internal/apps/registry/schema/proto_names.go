package schema

import "google.golang.org/protobuf/reflect/protoreflect"

// MessageName is the full name of a Protobuf message, with those of the messages in it, each at its index.
type MessageName struct {
	Full   string
	Nested []MessageName
}

// MessageNames are the messages of the file, without those of its imports.
func (p *ProtobufSchema) MessageNames() []MessageName { return messageNames(p.File.Messages()) }

func messageNames(messages protoreflect.MessageDescriptors) []MessageName {
	names := make([]MessageName, messages.Len())
	for i := range names {
		m := messages.Get(i)
		names[i] = MessageName{string(m.FullName()), messageNames(m.Messages())}
	}
	return names
}
