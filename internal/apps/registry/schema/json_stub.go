package schema

type ProtobufSchema struct{}

func parseProtobuf(s Schema, refs []named, o Options) (*ProtobufSchema, error) { return nil, nil }
func (*ProtobufSchema) format(string) string                                   { return "" }
func (*ProtobufSchema) normalized() string                                     { return "" }
func (*ProtobufSchema) name() string                                           { return "" }
