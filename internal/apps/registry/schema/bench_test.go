package schema_test

import (
	"testing"

	"millrace/internal/apps/registry/schema"
)

// BenchmarkParse is a schema of two hundred fields in each format, read and written in both forms.
func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name string
		s    schema.Schema
	}{
		{"avro", schema.Schema{Text: filled(`{"type":"record","name":"n.R","fields":[{"name":"a","type":"int"}`, `,{"name":"field_№","type":["null","string"],"default":null}`, `]}`, 12_000, 0)}},
		{"json", schema.Schema{Type: schema.JSON, Text: filled(`{"type":"object","properties":{"a":{"type":"integer"}`, `,"field_№":{"type":"string","maxLength":50}`, `}}`, 9_000, 0)}},
		{"protobuf", schema.Schema{Type: schema.Protobuf, Text: filled(`syntax = "proto3"; message M { int32 a = 1;`, ` string field_№ = №;`, `}`, 6_000, 2)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				p, err := schema.Parse(c.s, nil, schema.Options{New: true})
				if err != nil {
					b.Fatal(err)
				}
				_, _ = p.Canonical(), p.Normalized()
			}
		})
	}
}
