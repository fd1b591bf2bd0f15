package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestOracleJSON asks the validator, which is given the texts as they are. LENIENT is asked for what it promises: see lenientValues.
func TestOracleJSON(t *testing.T) {
	c := newTally()
	eachPair(t, schema.JSON, c, c.json)
}

func compiled(t string) (*jsonschema.Schema, error) {
	doc, err := unmarshal(t)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("test.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("test.json")
}

func (c *tally) json(seed uint64, reader, writer *schema.Parsed) error {
	rc, err := compiled(reader.Schema.Text)
	if err != nil {
		return err
	}
	wc, err := compiled(writer.Schema.Text)
	if err != nil {
		return err
	}
	r := Check(reader, writer, Options{})
	if err := c.verdict(r, reader, writer); err != nil {
		return err
	}
	values := jsonValues(seed, reader, writer, wc)
	lenient := Check(reader, writer, Options{Policy: Lenient})
	if err := c.lenient(lenient, values, rc, wc, reader, writer); err != nil {
		return err
	}
	if r.Compatible() && !lenient.Compatible() {
		return fmt.Errorf("strict takes it and lenient does not: %+v", lenient.Findings)
	}
	if r.Compatible() {
		return c.jsonReads(values, rc, reader, writer)
	}
	if r.Example != nil {
		return jsonExampleBreaks(r.Example, rc, wc)
	}
	if slices.ContainsFunc(values, func(v any) bool { return rc.Validate(v) != nil }) {
		c.missed++
		explainBare(seed, r, reader, writer)
	}
	return nil
}

// jsonReads asks the reader about values that the writer takes.
func (c *tally) jsonReads(values []any, rc *jsonschema.Schema, reader, writer *schema.Parsed) error {
	for _, v := range values {
		err := rc.Validate(v)
		if rule := jsonRule(reader, writer, v, err); rule != "" {
			c.known[rule]++
		} else if err != nil {
			text, _ := json.Marshal(v)
			return fmt.Errorf("called compatible, and the record %s is refused: %w", text, err)
		}
	}
	c.read(len(values))
	return nil
}

func jsonExampleBreaks(e *Example, rc, wc *jsonschema.Schema) error {
	v, err := unmarshal(e.Record)
	if err != nil || wc.Validate(v) != nil || rc.Validate(v) == nil {
		return fmt.Errorf("the example %s is none (%v)", e.Record, err)
	}
	return nil
}

// jsonValues makes values that the writer takes: values of both schemas, and of each some that differ from it in one place.
func jsonValues(seed uint64, reader, writer *schema.Parsed, wc *jsonschema.Schema) []any {
	var list []any
	add := func(v any) {
		if wc.Validate(v) == nil {
			list = append(list, v)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	for _, p := range []*schema.Parsed{writer, reader} {
		values := schemagen.JSONValue(p.JSON)
		for i := range valuesPerPair {
			v := values.Example(int(seed) + i)
			add(v)
			for range 4 {
				add(mutated(rng, v))
			}
		}
	}
	return list
}

// mutated changes one place of a value.
func mutated(rng *rand.Rand, v any) any {
	switch x := v.(type) {
	case map[string]any:
		object := maps.Clone(x)
		names := slices.Sorted(maps.Keys(x))
		switch n := rng.IntN(3); {
		case n == 0 || len(names) == 0:
			object[pickOne(rng, "a", "b", "c", "d", "e")] = somethingElse(rng)
		case n == 1:
			delete(object, names[rng.IntN(len(names))])
		default:
			name := names[rng.IntN(len(names))]
			object[name] = mutated(rng, x[name])
		}
		return object
	case []any:
		items := slices.Clone(x)
		switch n := rng.IntN(3); {
		case n == 0 || len(x) == 0:
			return append(items, somethingElse(rng))
		case n == 1:
			return items[:len(items)-1]
		}
		i := rng.IntN(len(items))
		items[i] = mutated(rng, items[i])
		return items
	case json.Number:
		f, _ := x.Float64()
		return json.Number(fmt.Sprint(f + pickOne(rng, 1, -1, 0.5, 2)))
	case string:
		return pickOne(rng, x+"a", x+"x", "", "abc")
	}
	return somethingElse(rng)
}

func somethingElse(rng *rand.Rand) any {
	return pickOne[any](rng, nil, true, false, json.Number("0"), json.Number("1"), json.Number("2.5"), json.Number("1.0"), "", "a", "x", []any{}, []any{"a", "a"},
		map[string]any{}, map[string]any{"a": json.Number("1")}, map[string]any{"b": "x", "c": nil})
}

func pickOne[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// lenient checks what LENIENT promises: a record that only has properties which both schemas list, at the top and below, is read. A
// property that one side does not list is what LENIENT leaves alone. It is asked where both describe plain objects.
func (c *tally) lenient(r Result, values []any, rc, wc *jsonschema.Schema, reader, writer *schema.Parsed) error {
	if err := consistent(r); err != nil {
		return fmt.Errorf("LENIENT: %w", err)
	}
	if !r.Compatible() {
		if r.Example == nil {
			return nil
		}
		return jsonExampleBreaks(r.Example, rc, wc)
	}
	if !plainObjects(reader.JSON.Value) || !plainObjects(writer.JSON.Value) {
		return nil
	}
	for _, v := range values {
		if !sharedOnly(v, reader.JSON.Value, writer.JSON.Value) {
			continue
		}
		c.known["(LENIENT: records of shared properties read)"]++
		err := rc.Validate(v)
		if rule := jsonRule(reader, writer, v, err); rule == "" && err != nil {
			text, _ := json.Marshal(v)
			return fmt.Errorf("called compatible by LENIENT, and the record %s is refused: %w", text, err)
		}
	}
	return nil
}

// plainObjects tells whether a schema describes its objects by properties, and its lists by items, and no other way.
func plainObjects(v *schema.Value) bool {
	for _, m := range v.Members {
		switch m.Name {
		case "properties":
			for _, p := range m.Value.Members {
				if !plainObjects(p.Value) {
					return false
				}
			}
		case "items":
			if !plainObjects(m.Value) {
				return false
			}
		case "allOf", "anyOf", "oneOf", "not", "if", "$ref", "patternProperties", "contains", "prefixItems", "dependencies", "dependentRequired",
			"dependentSchemas", "propertyNames", "enum", "const", "additionalItems", "unevaluatedItems", "$recursiveRef", "$dynamicRef":
			return false
		}
	}
	return v.Kind != schema.Array
}

// sharedOnly tells whether every object in a value has only properties that both schemas list.
func sharedOnly(v any, a, b *schema.Value) bool {
	switch x := v.(type) {
	case map[string]any:
		for name, inner := range x {
			pa, pb := a.Get("properties").Get(name), b.Get("properties").Get(name)
			if pa == nil || pb == nil || !sharedOnly(inner, pa, pb) {
				return false
			}
		}
	case []any:
		for _, inner := range x {
			if pa, pb := a.Get("items"), b.Get("items"); pa == nil || pb == nil || !sharedOnly(inner, pa, pb) {
				return false
			}
		}
	}
	return true
}
