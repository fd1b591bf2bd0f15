package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/jsonschema"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/protobuf"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

var messages = map[string]string{"protobuf": "shop.Order", "nested": "shop.Envelope.Sealed"}

// serializer is a function from a value to a record. The serializers for Avro and JSON Schema would derive a schema from the Go type,
// so the file is registered first and they take the latest version; the one for Protobuf registers the message's file.
func serializer(format, file, position, full string) func(v any) record {
	c := client()
	id := serde.PrefixSchemaIDSerializer
	if position == "header" {
		id = serde.HeaderSchemaIDSerializer
	}
	if types[format] == "PROTOBUF" {
		s, err := protobuf.NewSerializer(c, serde.ValueSerde, protobuf.NewSerializerConfig())
		must(err, "new serializer")
		s.SchemaIDSerializer = id
		m := message(file, messages[format])
		return func(v any) record { return serialized(s, full, filled(m, v)) }
	}
	_, err := c.Register(full+"-value", info(format, file), false)
	must(err, "register")
	if format == "avro" {
		conf := avrov2.NewSerializerConfig()
		conf.AutoRegisterSchemas, conf.UseLatestVersion = false, true
		s, err := avrov2.NewSerializer(c, serde.ValueSerde, conf)
		must(err, "new serializer")
		s.SchemaIDSerializer = id
		return func(v any) record { return serialized(s, full, pointer(v)) }
	}
	conf := jsonschema.NewSerializerConfig()
	conf.AutoRegisterSchemas, conf.UseLatestVersion, conf.EnableValidation = false, true, true
	s, err := jsonschema.NewSerializer(c, serde.ValueSerde, conf)
	must(err, "new serializer")
	s.SchemaIDSerializer = id
	return func(v any) record { return serialized(s, full, pointer(v)) }
}

func serialized(s serde.Serializer, full string, v any) record {
	headers, value, err := s.SerializeWithHeaders(full, v)
	must(err, "serialize")
	return record{headers, value}
}

func pointer(v any) any {
	switch v := v.(type) {
	case order:
		return &v
	case noted:
		return &v
	}
	return v
}

// values are decoded records, as the first version or, evolved, as the second.
func values(records []*kafka.Message, format, full string, evolved bool) (out []any) {
	decode := deserializer(format, full, evolved)
	for _, m := range records {
		if evolved {
			var v noted
			decode(m, &v)
			out = append(out, v)
		} else {
			var v order
			decode(m, &v)
			out = append(out, v)
		}
	}
	return out
}

func deserializer(format, full string, evolved bool) func(m *kafka.Message, v any) {
	c := client()
	switch format {
	case "avro":
		conf := avrov2.NewDeserializerConfig()
		conf.UseLatestVersion = evolved // the reader's schema
		d, err := avrov2.NewDeserializer(c, serde.ValueSerde, conf)
		must(err, "new deserializer")
		return func(m *kafka.Message, v any) {
			must(d.DeserializeWithHeadersInto(full, m.Headers, m.Value, v), "deserialize")
		}
	case "json":
		// Its validation takes the Go value, of which its validator knows nothing, when the value is given by the caller.
		d, err := jsonschema.NewDeserializer(c, serde.ValueSerde, jsonschema.NewDeserializerConfig())
		must(err, "new deserializer")
		return func(m *kafka.Message, v any) {
			must(d.DeserializeWithHeadersInto(full, m.Headers, m.Value, v), "deserialize")
		}
	}
	file := map[bool]string{false: "order-1", true: "order-2"}[evolved]
	return func(m *kafka.Message, v any) {
		into(dynamicpb.NewMessage(message(file, messages[format])), m, full, v)
	}
}

// into decodes a record as a message, and that as a Go value.
func into(p *dynamicpb.Message, m *kafka.Message, full string, v any) {
	d, err := protobuf.NewDeserializer(client(), serde.ValueSerde, protobuf.NewDeserializerConfig())
	must(err, "new deserializer")
	d.MessageFactory = func(string, string) (any, error) { return p, nil }
	_, err = d.DeserializeWithHeaders(full, m.Headers, m.Value)
	must(err, "deserialize")
	b, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(p)
	must(err, "marshal")
	must(json.Unmarshal(b, v), "unmarshal")
}

// message finds a message in the descriptor set of a file.
func message(file, full string) protoreflect.MessageDescriptor {
	b, err := os.ReadFile(filepath.Join(schemas, file+".desc"))
	must(err, "read")
	var set descriptorpb.FileDescriptorSet
	must(proto.Unmarshal(b, &set), "unmarshal")
	files, err := protodesc.NewFiles(&set)
	must(err, "link")
	d, err := files.FindDescriptorByName(protoreflect.FullName(full))
	must(err, full)
	return d.(protoreflect.MessageDescriptor)
}

func filled(m protoreflect.MessageDescriptor, v any) proto.Message {
	b, err := json.Marshal(v)
	must(err, "marshal")
	p := dynamicpb.NewMessage(m)
	must(protojson.Unmarshal(b, p), "unmarshal")
	return p
}

type saleValue struct {
	Number int `json:"number"`
	Buyer  struct {
		Name string `json:"name"`
		Town string `json:"town"`
	} `json:"buyer"`
}

// saleRecord is a message that imports another file, which the serializer registers under the import's path.
func saleRecord(full string) record {
	s, err := protobuf.NewSerializer(client(), serde.ValueSerde, protobuf.NewSerializerConfig())
	must(err, "new serializer")
	v := saleValue{Number: 7}
	v.Buyer.Name, v.Buyer.Town = "Ann", "Ulm"
	return serialized(s, full, filled(message("sale", "shop.Sale"), v))
}

func sale(m *kafka.Message, full string) string {
	var v saleValue
	into(dynamicpb.NewMessage(message("sale", "shop.Sale")), m, full, &v)
	b, _ := json.Marshal(v)
	return string(b)
}
