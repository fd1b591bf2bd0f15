package schema_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/internal/apps/registry/schema"
)

// filled repeats unit between head and tail until the text has size bytes; each № is the number of the turn.
func filled(head, unit, tail string, size, from int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := from; b.Len() < size-len(unit)-len(tail)-50; i++ {
		b.WriteString(strings.ReplaceAll(unit, "№", fmt.Sprint(i)))
	}
	b.WriteString(tail)
	return b.String()
}

// A schema of a stranger costs what its text may cost and no more. Each of these took a library between ten seconds and minutes before
// the limits stood in front of it, or is as large as the limits let it be. The deadline is far above what they take (below two seconds
// on a busy machine), far below what they took.
func TestHostileSchemas(t *testing.T) {
	const mebibyte = 1 << 20
	for _, c := range []struct {
		name string
		kind schema.Type
		text string
	}{
		{"a union of many", schema.Avro, filled(`["null"`, `,{"type":"fixed","name":"F№","size":1}`, `]`, mebibyte, 0)},
		{"names before their definitions", schema.Avro, filled(`["null"`, `,{"type":"record","name":"A№","fields":[{"name":"x","type":"Z№"}]},{"type":"fixed","name":"Z№","size":1}`, `]`, mebibyte, 0)},
		{"one type defined often", schema.Avro, filled(`{"type":"record","name":"R","fields":[{"name":"a","type":"int"}`, `,{"name":"f№","type":{"type":"fixed","name":"F","size":4}}`, `]}`, mebibyte, 0)},
		{"properties", schema.JSON, filled(`{"properties":{"a":{}`, `,"p№":{"type":"string"}`, `}}`, mebibyte, 0)},
		{"properties up to the limit", schema.JSON, filled(`{"properties":{"a":{}`, `,"p№":{"type":"string"}`, `}}`, 260_000, 0)},
		{"addresses", schema.JSON, filled(`{"definitions":{"a":{}`, `,"d№":{"$id":"x№.json"}`, `}}`, mebibyte, 0)},
		{"references to addresses", schema.JSON, filled(`{"allOf":[{}`, `,{"$ref":"x№.json"}`, `],`, 18_000, 0) + filled(`"definitions":{"a":{}`, `,"d№":{"$id":"x№.json"}`, `}}`, 24_000, 0)},
		{"reserved names in one line", schema.Protobuf, filled(`syntax="proto3"; message M { reserved "a"`, `,"x№"`, `;}`, 160_000, 1)},
		{"oneofs", schema.Protobuf, filled(`syntax="proto3"; message M {`, `oneof o№{ int32 f№=№; }`, `}`, mebibyte, 20_000)},
		{"oneofs up to the limit", schema.Protobuf, filled(`syntax="proto3"; message M {`, `oneof o№{ int32 f№=№; }`, `}`, 180_000, 20_000)},
		{"maps", schema.Protobuf, filled(`syntax="proto3"; message M {`, `map<int32,M> f№=№;`, `}`, 230_000, 20_000)},
		{"nested messages", schema.Protobuf, filled(`syntax="proto3"; package aaaa.bbbb.cccc;`, strings.Repeat(`message A№{`, 28)+`X x=1;`+strings.Repeat(`}`, 28), `message X{}`, 130_000, 1)},
		{"one option with many values", schema.Protobuf, filled(`syntax="proto3"; import "confluent/meta.proto"; option (confluent.file_meta) = {`, `tags:"№" `, `}; message M{}`, mebibyte, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			p, err := schema.Parse(schema.Schema{Type: c.kind, Text: c.text}, nil, schema.Options{New: true, Context: ctx})
			if err != nil && schema.KindOf(err) != schema.TooLarge {
				t.Fatal(err)
			}
			if err == nil {
				p.Normalized()
			}
		})
	}
}
