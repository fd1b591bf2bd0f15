package compat

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"
)

// The oracle: random pairs of schemas. A pair that is called compatible must read whatever records are made under the writer, by a
// decoder that knows nothing of the rules. A pair that is called incompatible shows a record, and that record must break when it is
// written and read by code that had no part in making it. What the rules promise against the decoder is known by name and counted.

var (
	pairs    = flag.Int("compat.pairs", 400, "pairs of schemas a format")
	seedFlag = flag.Uint64("compat.seed", 0, "seed of the first pair; 0 takes a new one")
	explain  = flag.Bool("compat.explain", false, "print the pairs without an example that might have one")
)

// eachPair runs the oracle on pairs made from seeds that follow each other, and prints the one command that repeats a pair.
func eachPair(t *testing.T, format schema.Type, c *tally, try func(seed uint64, reader, writer *schema.Parsed) error) {
	first := *seedFlag
	if first == 0 {
		first = rand.Uint64() >> 16
	}
	t.Logf("seed %d, %d pairs", first, *pairs)
	for i := range *pairs {
		seed := first + uint64(i)
		pair := schemagen.Pairs(format).Example(int(seed))
		c.saw(format, pair)
		if err := both(pair, func(reader, writer *schema.Parsed) error { return try(seed, reader, writer) }); err != nil {
			t.Errorf("%v\nold: %s\nnew: %s\nchanges: %v\nrepeat: go test ./internal/apps/registry/compat -run '^%s$' -compat.seed=%d -compat.pairs=1",
				err, pair.Old.Text, pair.New.Text, pair.Changes, t.Name(), seed)
			if c.failures++; c.failures >= 5 {
				return
			}
		}
	}
	c.report(t, format)
}

func explainBare(seed uint64, r Result, reader, writer *schema.Parsed) {
	if *explain {
		fmt.Printf("bare: seed %d, %v\nreader: %s\nwriter: %s\n", seed, r.Findings[0], reader.Schema.Text, writer.Schema.Text)
	}
}

// both compares a pair in both directions: the two schemas as reader and writer.
func both(pair schemagen.Pair, try func(reader, writer *schema.Parsed) error) error {
	old, err := schema.Parse(pair.Old, nil, schema.Options{New: true})
	if err != nil {
		return fmt.Errorf("the generator made an invalid schema: %w", err)
	}
	now, err := schema.Parse(pair.New, nil, schema.Options{New: true})
	if err != nil {
		return fmt.Errorf("the generator made an invalid schema: %w", err)
	}
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
	pairs, failures          int
	compatible, incompatible int
	blind                    int // compatible, and no record was read
	records                  int // read under a verdict of compatible
	examples                 int // verified
	missed                   int // of those without an example: a record that was made at random breaks
	bare                     map[Kind]int
	known                    map[string]int
	features                 map[string]int
}

func newTally() *tally {
	return &tally{bare: map[Kind]int{}, known: map[string]int{}, features: map[string]int{}}
}

// verdict counts a verdict. Two schemas of the same text always fit, and what fits has nothing to show against it: whatever comes with
// the verdict, it is the verdict alone that says which question is asked of the records.
func (c *tally) verdict(r Result, reader, writer *schema.Parsed) error {
	if err := consistent(r); err != nil {
		return err
	}
	switch {
	case r.Compatible():
		c.compatible++
	case reader.Schema.Text == writer.Schema.Text:
		return fmt.Errorf("a schema does not fit itself: %+v", r.Findings)
	case r.Example != nil:
		c.incompatible++
		c.examples++
	default:
		c.incompatible++
		c.bare[r.Findings[0].Kind]++
	}
	return nil
}

// consistent tells what no verdict may be, whatever the schemas: compatible with something against it, or incompatible without a word.
func consistent(r Result) error {
	switch {
	case r.Compatible() && r.Example != nil:
		return fmt.Errorf("called compatible, with the counter-example %s (%s)", r.Example.Record, r.Example.Why)
	case r.Compatible() && r.Unshown != "":
		return fmt.Errorf("called compatible, with a word about an example: %s", r.Unshown)
	case !r.Compatible() && r.Example == nil && r.Unshown == "":
		return fmt.Errorf("neither an example nor a word about why there is none: %+v", r.Findings)
	}
	return nil
}

// read counts the records that were read under one verdict of compatible.
func (c *tally) read(records int) {
	c.records += records
	if records == 0 {
		c.blind++
	}
}

// constructs are what the pairs must be seen to hold, by a text that stands in a schema only there.
var constructs = map[schema.Type]map[string]string{
	schema.Avro: {"union": `"type":[`, "enum": `"type":"enum"`, "fixed": `"type":"fixed"`, "logical type": `"logicalType"`, "alias": `"aliases"`,
		"namespace": `"namespace"`, "field default": `"default":`, "map": `"type":"map"`, "array": `"type":"array"`, "recursive list": `"items":"R`,
		"recursive union": `["null","R`, "recursive map": `"values":"R`},
	schema.JSON: {"draft-04": "draft-04", "draft-06": "draft-06", "draft-07": "draft-07", "2019-09": "2019-09", "2020-12": "2020-12",
		"closed model": `"additionalProperties":false`, "partially open model": `"additionalProperties":{`, "pattern properties": `"patternProperties"`,
		"oneOf": `"oneOf"`, "anyOf": `"anyOf"`, "allOf": `"allOf"`, "not": `"not"`, "if": `"if"`, "$ref": `"$ref"`, "recursive": `"$ref":"#"`,
		"dependencies": `"dependencies"`, "dependentRequired": `"dependentRequired"`, "dependentSchemas": `"dependentSchemas"`,
		"tuple": `"items":[`, "prefixItems": `"prefixItems"`, "contains": `"contains"`, "enum": `"enum"`, "const": `"const"`,
		"unevaluated": `"unevaluated`, "propertyNames": `"propertyNames"`, "boolean schema": `":true`,
		"recursive or dynamic": `Ref":"#"`, "default": `"default":`, "bytes of Connect": `"connect.type":"bytes"`},
	schema.Protobuf: {"proto2": `"proto2"`, "proto3": `"proto3"`, "edition 2023": `"2023"`, "required": "  required ", "legacy required": "LEGACY_REQUIRED",
		"implicit presence": "IMPLICIT", "map": "map<", "group": "group G", "delimited": "DELIMITED", "oneof": "oneof o", "nested message": "message N",
		"enum": "enum E", "closed enum": "CLOSED", "packed": "packed = true", "not packed": "packed = false", "expanded": "EXPANDED",
		"import": "import ", "extensions": "extensions ", "repeated": "repeated ", "default": "default = -7"},
}

func (c *tally) saw(format schema.Type, p schemagen.Pair) {
	c.pairs++
	for name, text := range constructs[format] {
		if strings.Contains(p.Old.Text, text) || strings.Contains(p.New.Text, text) {
			c.features[name]++
		}
	}
	switch {
	case p.Old.Text == p.New.Text:
		c.features["the same text twice"]++
	case len(p.Changes) == 1 && p.Changes[0] == "another schema":
		c.features["two unrelated schemas"]++
	}
}

// report prints the summary. A run of any length that saw nothing of a construct, or no records, fails.
func (c *tally) report(t *testing.T, format schema.Type) {
	share := func(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(of, 1))) }
	verdicts := c.compatible + c.incompatible
	t.Logf("%d pairs, %d verdicts, %d unsound or wrong", c.pairs, verdicts, c.failures)
	t.Logf("%s compatible: %d records read, %.1f each; %s of them saw no record", share(c.compatible, verdicts), c.records,
		float64(c.records)/float64(max(c.compatible, 1)), share(c.blind, c.compatible))
	t.Logf("%s incompatible: %s with a counter-example, each verified; without, by the first finding:%s; chance found a record for %d of these",
		share(c.incompatible, verdicts), share(c.examples, c.incompatible), counts(c.bare), c.missed)
	t.Logf("promised against the decoder, known by name:%s", counts(c.known))
	var seen []string
	for _, name := range slices.Sorted(maps.Keys(c.features)) {
		seen = append(seen, name+" "+share(c.features[name], c.pairs))
	}
	t.Logf("share of pairs with: %s", strings.Join(seen, ", "))
	if c.pairs < 400 {
		return
	}
	if c.compatible == 0 || c.records == 0 || c.examples == 0 {
		t.Error("the oracle has seen too little to say anything")
	}
	for name := range constructs[format] {
		if c.features[name] == 0 {
			t.Errorf("no pair holds %s", name)
		}
	}
}

func counts[K ~string](m map[K]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf(" %s %d", name, m[name]))
	}
	return strings.Join(list, ",")
}

const valuesPerPair = 6

// unmarshal reads JSON with numbers as they are written.
func unmarshal(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v)
}
