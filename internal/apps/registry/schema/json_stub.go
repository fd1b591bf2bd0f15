package schema

type JSONSchema struct{}

func parseJSON(s Schema, refs []named, o Options) (*JSONSchema, error) { return nil, nil }
func (*JSONSchema) canonical() string                                  { return "" }
func (*JSONSchema) normalized() string                                 { return "" }
func (*JSONSchema) title() string                                      { return "" }

type ProtobufSchema struct{}

func parseProtobuf(s Schema, refs []named, o Options) (*ProtobufSchema, error) { return nil, nil }
func (*ProtobufSchema) format(string) string                                   { return "" }
func (*ProtobufSchema) normalized() string                                     { return "" }
func (*ProtobufSchema) name() string                                           { return "" }
