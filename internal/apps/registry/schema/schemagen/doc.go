// Package schemagen makes random schemas for tests: a schema of each format, a pair of a schema and a changed successor, and random
// values of a schema. The compatibility rules are judged by it: what they call compatible must be readable.
//
// Schemas are small and dense rather than large: few names, so that two schemas meet on them, and every construct of the format.
package schemagen

import (
	"strconv"

	"millrace/internal/apps/registry/schema"

	"pgregory.net/rapid"
)

// Pair is a schema and what somebody made of it.
type Pair struct {
	Old, New schema.Schema
	Changes  []string // what was done, in words
}

// Schemas makes schemas of a type.
func Schemas(t schema.Type) *rapid.Generator[schema.Schema] {
	switch t {
	case schema.JSON:
		return rapid.Custom(func(t *rapid.T) schema.Schema { return jsonSchema(t) })
	case schema.Protobuf:
		return rapid.Custom(func(t *rapid.T) schema.Schema { return drawProto(t).schema() })
	}
	return rapid.Custom(func(t *rapid.T) schema.Schema { return textOf(schema.Avro, avroSchema(t)) })
}

// Pairs makes pairs of a type. Both schemas of a pair are valid.
func Pairs(t schema.Type) *rapid.Generator[Pair] {
	switch t {
	case schema.JSON:
		return rapid.Custom(jsonPair)
	case schema.Protobuf:
		return rapid.Custom(protoPair)
	}
	return rapid.Custom(avroPair)
}

func textOf(kind schema.Type, v *schema.Value) schema.Schema {
	return schema.Schema{Type: kind, Text: string(v.Append(nil))}
}

func valid(s schema.Schema) bool {
	_, err := schema.Parse(s, nil, schema.Options{New: true})
	return err == nil
}

// chance is true in so many of a hundred cases. It draws a number below 128 bit by bit until it is known to be below the limit or
// not, since rapid's own numbers are small more often than not.
func chance(t *rapid.T, percent int, what string) bool {
	limit := percent * 128 / 100
	for bit := 64; bit > 0; bit /= 2 {
		if one := rapid.Bool().Draw(t, what); one != (limit&bit > 0) {
			return !one
		}
	}
	return false
}

func pick[T any](t *rapid.T, what string, from ...T) T { return rapid.SampledFrom(from).Draw(t, what) }

// Constructors of JSON.

func str(text string) *schema.Value { return &schema.Value{Kind: schema.String, Text: text} }
func num(n int) *schema.Value {
	return &schema.Value{Kind: schema.Number, Text: strconv.Itoa(n)}
}
func literal(text string) *schema.Value { return &schema.Value{Kind: schema.Number, Text: text} }
func boolean(b bool) *schema.Value      { return &schema.Value{Kind: schema.Bool, Bool: b} }
func null() *schema.Value               { return &schema.Value{Kind: schema.Null} }
func list(items ...*schema.Value) *schema.Value {
	return &schema.Value{Kind: schema.Array, Items: items}
}

// object takes names and values by turns.
func object(parts ...any) *schema.Value {
	v := &schema.Value{Kind: schema.Object}
	for i := 0; i < len(parts); i += 2 {
		put(v, parts[i].(string), parts[i+1].(*schema.Value))
	}
	return v
}

func put(v *schema.Value, name string, member *schema.Value) {
	for i := range v.Members {
		if v.Members[i].Name == name {
			v.Members[i].Value = member
			return
		}
	}
	v.Members = append(v.Members, schema.Member{Name: name, Value: member})
}

func drop(v *schema.Value, name string) {
	for i := range v.Members {
		if v.Members[i].Name == name {
			v.Members = append(v.Members[:i:i], v.Members[i+1:]...)
			return
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
