// Package serde writes and reads the values of Kafka records in the wire format of the schema registry: an id in front of the payload,
// or a GUID in a header, and behind it Avro, Protobuf or JSON. It is made for programs on franz-go.
//
//	client, err := sr.NewClient(sr.URLs("http://localhost:8081"))
//	registry := serde.New(client)
//	orders, err := serde.NewAvro[Order](registry, "") // a schema made of the struct, or its text
//
//	record := &kgo.Record{Topic: "orders"}
//	err = orders.SetValue(ctx, record, Order{ID: 7, Customer: "Ada"}) // registers the schema the first time
//	err = kafka.ProduceSync(ctx, record).FirstErr()
//
//	order, err := orders.Value(ctx, fetched) // asks for the schema the first time it sees its id
//
// [NewAvro] takes Go structs, [NewProtobuf] generated messages, [NewJSON] whatever encoding/json takes, [NewText] JSON text for a schema
// of any format. [Registry.Read] makes JSON of whatever a record holds.
//
// # Subjects and registration
//
// Schemas lie in subjects of the registry, by default one for the keys and one for the values of each topic ([TopicName]); [Subject]
// chooses otherwise. The first value that is written registers the codec's schema, unless [NoRegister], [UseLatest] or [UseID] say what
// to do instead. Every answer is remembered, so the registry is asked once for each schema and not for each record.
//
// # Values as JSON
//
// JSON Schema: the payload is the JSON itself.
//
// Protobuf: as the language's own mapping to JSON says. Names may be spelled as in the schema or in lowerCamelCase; they are written in
// lowerCamelCase, and fields that hold their default are written too.
//
// Avro, written: a record is an object with its fields in order, an enum its symbol, bytes and fixed a text in which each character is
// a byte. A union of null and one other type is null or the plain value; a value of any other union is {"branch": value}, null stays
// plain. Timestamps and dates are like "2026-01-31T12:00:00.000Z" and "2026-01-31", decimals their digits in quotes; other logical types
// are what they stand on.
//
// Avro, read: all of that, and also the JSON of the Avro specification: {"branch": value} in any union, numbers for timestamps and
// dates. A plain value in a union is the first branch that it fits. A field with a default may be left out, and so may one that takes
// null. A field that the schema does not have is refused.
package serde
