package compat

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"github.com/twmb/avro"
)

// The oracle: random pairs of schemas. A pair that is called compatible must read whatever records are made under the writer, by a
// decoder that knows nothing of the rules. What the rules promise against the decoder is known by name and counted.

var (
	pairs    = flag.Int("compat.pairs", 400, "pairs of schemas a format")
	seedFlag = flag.Uint64("compat.seed", 0, "seed of the first pair; 0 takes a new one")
)

// eachPair runs the oracle on pairs made from seeds that follow each other, and prints the one command that repeats a pair.
func eachPair(t *testing.T, format schema.Type, try func(seed uint64, p schemagen.Pair) error) {
	first := *seedFlag
	if first == 0 {
		first = rand.Uint64() >> 16
	}
	t.Logf("seed %d", first)
	for i := range *pairs {
		seed := first + uint64(i)
		pair := schemagen.Pairs(format).Example(int(seed))
		if !isSchema(pair.Old) || !isSchema(pair.New) {
			continue // the generator makes a few that refer to nothing
		}
		if err := try(seed, pair); err != nil {
			t.Errorf("%v\nold: %s\nnew: %s\nchanges: %v\nrepeat: go test ./internal/apps/registry/compat -run '^%s$' -compat.seed=%d -compat.pairs=1",
				err, pair.Old.Text, pair.New.Text, pair.Changes, t.Name(), seed)
			if i > 200 || t.Failed() && i > 0 {
				return
			}
		}
	}
}

func isSchema(s schema.Schema) bool {
	_, err := schema.Parse(s, nil, schema.Options{New: true})
	return err == nil
}

func parsed(s schema.Schema) *schema.Parsed {
	p, err := schema.Parse(s, nil, schema.Options{New: true})
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, s.Text))
	}
	return p
}

// both compares a pair in both directions: the two schemas as reader and writer.
func both(pair schemagen.Pair, try func(reader, writer *schema.Parsed) error) error {
	old, now := parsed(pair.Old), parsed(pair.New)
	if err := try(now, old); err != nil {
		return fmt.Errorf("new reads old: %w", err)
	}
	if err := try(old, now); err != nil {
		return fmt.Errorf("old reads new: %w", err)
	}
	return nil
}

// tally counts what the oracle saw, so that a run which proves nothing is seen to prove nothing.
type tally struct {
	compatible, incompatible, examples, records int
	known                                       map[string]int
	bare                                        map[Kind]int // findings of pairs without an example
}

func newTally() *tally { return &tally{known: map[string]int{}, bare: map[Kind]int{}} }

func (c *tally) verdict(r Result) {
	switch {
	case r.Compatible():
		c.compatible++
	case r.Example != nil:
		c.incompatible++
		c.examples++
	default:
		c.incompatible++
		c.bare[r.Findings[0].Kind]++
	}
}

func (c *tally) report(t *testing.T) {
	t.Logf("%d compatible (%d records read), %d incompatible (%d with an example), known by name %v, without an example %v",
		c.compatible, c.records, c.incompatible, c.examples, c.known, c.bare)
	if c.compatible == 0 || c.records == 0 || c.examples == 0 {
		t.Error("the oracle has seen too little to say anything")
	}
}

const valuesPerPair = 6

func TestOracleAvro(t *testing.T) {
	c := newTally()
	defer c.report(t)
	eachPair(t, schema.Avro, func(seed uint64, pair schemagen.Pair) error {
		return both(pair, func(reader, writer *schema.Parsed) error { return c.avro(seed, reader, writer) })
	})
}

func (c *tally) avro(seed uint64, reader, writer *schema.Parsed) error {
	r := Check(reader, writer, Options{})
	c.verdict(r)
	rc, wc := bareCodec(reader), bareCodec(writer)
	resolved, refused := avro.Resolve(wc, rc)
	if !r.Compatible() {
		return c.avroIncompatible(r, rc, wc, refused)
	}
	if refused != nil {
		return fmt.Errorf("called compatible, and the library refuses: %w", refused)
	}
	values := schemagen.AvroValue(writer.Avro.Root)
	for i := range valuesPerPair {
		encoded, err := wc.Encode(values.Example(int(seed) + i))
		if err != nil {
			continue // a type that holds itself has no value
		}
		var v any
		if rest, err := resolved.Decode(encoded, &v); err != nil || len(rest) > 0 {
			return fmt.Errorf("called compatible, and a record is not read (%d bytes left): %w", len(rest), err)
		}
		c.records++
	}
	return nil
}

// avroIncompatible: the library agrees, and the example, taken from its text again, is refused.
func (c *tally) avroIncompatible(r Result, rc, wc *avro.Schema, refused error) error {
	if refused == nil {
		// The library takes null for a field without a default whose type is a union with null; Java's does not.
		// It also takes an alias without a namespace for a name in any namespace.
		switch r.Findings[0].Kind {
		case ReaderFieldMissingDefaultValue:
			c.known["a union with null needs a default, though the library fills in null"]++
		case NameMismatch, MissingUnionBranch:
			c.known["an alias is a full name, though the library takes it for one in any namespace"]++
		default:
			return fmt.Errorf("called incompatible, and the library resolves it: %+v", r.Findings)
		}
	}
	if r.Example == nil {
		return nil
	}
	var v any
	if err := wc.DecodeJSON([]byte(r.Example.Record), &v); err != nil {
		return fmt.Errorf("the example %s is no record of the writer: %w", r.Example.Record, err)
	}
	return nil
}

// bareCodec is the codec without logical types: by the rules they play no part, and the library has rules of its own for them.
func bareCodec(p *schema.Parsed) *avro.Schema {
	var text any
	if err := json.Unmarshal([]byte(p.Format("resolved")), &text); err != nil {
		panic(err)
	}
	text = withoutLogical(text)
	bare, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	codec, err := avro.Parse(string(bare))
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, bare))
	}
	return codec
}

func withoutLogical(v any) any {
	switch x := v.(type) {
	case map[string]any:
		delete(x, "logicalType")
		for k := range x {
			if k != "default" {
				x[k] = withoutLogical(x[k])
			}
		}
	case []any:
		for i := range x {
			x[i] = withoutLogical(x[i])
		}
	}
	return v
}

func TestOracleProtobuf(t *testing.T) {
	c := newTally()
	defer c.report(t)
	eachPair(t, schema.Protobuf, func(seed uint64, pair schemagen.Pair) error {
		return both(pair, func(reader, writer *schema.Parsed) error { return c.protobuf(seed, reader, writer) })
	})
}

func (c *tally) protobuf(seed uint64, reader, writer *schema.Parsed) error {
	r := Check(reader, writer, Options{})
	c.verdict(r)
	if !r.Compatible() {
		return nil
	}
	for _, md := range protoRoots(writer.Protobuf.File.Messages(), nil) {
		values := schemagen.ProtobufValue(md)
		for i := range valuesPerPair {
			msg := values.Example(int(seed) + i)
			why, rule := protoRefusal(reader.Protobuf.File, msg)
			if why != "" && rule == "" {
				return fmt.Errorf("called compatible, and of the record %v of %s: %s", msg, md.FullName(), why)
			}
			if rule != "" {
				c.known[string(rule)]++
			}
			c.records++
		}
	}
	return nil
}

func TestOracleJSON(t *testing.T) {
	c := newTally()
	defer c.report(t)
	eachPair(t, schema.JSON, func(seed uint64, pair schemagen.Pair) error {
		return both(pair, func(reader, writer *schema.Parsed) error { return c.json(seed, reader, writer) })
	})
}

func (c *tally) json(seed uint64, reader, writer *schema.Parsed) error {
	r := Check(reader, writer, Options{})
	c.verdict(r)
	if lenient := Check(reader, writer, Options{Policy: Lenient, NoExample: true}); r.Compatible() && !lenient.Compatible() {
		return fmt.Errorf("strict takes it and lenient does not: %+v", lenient.Findings)
	}
	rc, _ := reader.JSON.Compiled()
	wc, _ := writer.JSON.Compiled()
	if r.Example != nil {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(r.Example.Record))
		if err != nil || wc.Validate(v) != nil || rc.Validate(v) == nil {
			return fmt.Errorf("the example %s is none (%v)", r.Example.Record, err)
		}
	}
	if !r.Compatible() {
		return nil
	}
	values := schemagen.JSONValue(writer.JSON)
	for i := range valuesPerPair {
		v := values.Example(int(seed) + i)
		if wc.Validate(v) != nil {
			continue
		}
		c.records++
		err := rc.Validate(v)
		if err == nil {
			continue
		}
		if rule := jsonRule(err); rule != "" {
			c.known[rule]++
			continue
		}
		text, _ := json.Marshal(v)
		return fmt.Errorf("called compatible, and the record %s is refused: %w", text, err)
	}
	return nil
}

// jsonRule names what the rules excuse: it looks for it anywhere in the error, whose other causes follow from it.
func jsonRule(err error) string {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return ""
	}
	var rule string
	var walk func(v *jsonschema.ValidationError)
	walk = func(v *jsonschema.ValidationError) {
		if one, ok := v.ErrorKind.(*kind.OneOf); ok && len(one.Subschemas) > 1 {
			rule = "oneOf may grow, though a value may then fit two alternatives"
		}
		for _, c := range v.Causes {
			walk(c)
		}
	}
	walk(v)
	return rule
}
