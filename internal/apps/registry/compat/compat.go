// Package compat tells whether records written under one schema can be read under another.
//
// Check compares a reader with a writer and answers with findings: where, what (the kind, by the name that clients know) and one
// sentence for a person that says what would make it fit. No finding means compatible. A pair that does not fit comes with a
// counter-example where one exists: a record that the writer can write and the reader cannot read, tried out with the formats' own
// decoders before it is shown. Which versions a compatibility level asks for is decided by package state.
//
// The rules are those that users of a registry rely on, also where they promise too much or too little; docs/compatibility.md lists
// every such place, and the oracle of the tests knows each by name. The package is pure: no file, no network, no clock of its own.
//
//	Check -> checkAvro | checkJSON | checkProtobuf    walk over both schemas, pairs of types remembered, bounded by a budget
//	      -> avroExample | jsonExample | protoExample  build records, try them, show the first that breaks
package compat

import (
	"context"
	"fmt"

	"millrace/internal/apps/registry/schema"
)

// Policy says how JSON Schemas are compared. Avro and Protobuf know one policy.
type Policy uint8

const (
	Strict  Policy = iota // what a writer may add to an open model counts
	Lenient               // properties that only one side names are taken to be left alone by the other
)

// Options are how to compare and what it may cost.
type Options struct {
	Policy Policy
	// Context carries the deadline; nil means none. A comparison that does not end in time is told as a finding of kind Undecided.
	Context context.Context
	// NoExample leaves out the search for a counter-example.
	NoExample bool
}

// Kind names what does not fit, by the names that clients of a registry know.
type Kind string

const (
	// Undecided: the comparison was cut off by its limits. The pair counts as incompatible, since nobody knows.
	Undecided Kind = "UNDECIDED"
	// SchemaTypeChanged: the two schemas are of different formats.
	SchemaTypeChanged Kind = "SCHEMA_TYPE_CHANGED"
)

// Finding is one reason why the reader cannot read what the writer writes.
type Finding struct {
	Path  string // a place in the reader's schema, in the writer's when the reader has lost it
	Kind  Kind
	Words string // one sentence and what would make it fit
}

// Example is a record that the writer can write and the reader cannot read.
type Example struct {
	Record  string // the record as JSON
	Message string // the full name of the Protobuf message that it is; empty for the other formats
	Why     string // what the reader's decoder says of it
}

// Result is the verdict of one comparison.
type Result struct {
	Findings []Finding
	Example  *Example // nil when compatible, and where no single record shows what is wrong
	// Unshown says why there is no example for a pair that does not fit. The first finding's words end with it.
	Unshown string
}

// Compatible tells whether the reader can read whatever the writer writes.
func (r Result) Compatible() bool { return len(r.Findings) == 0 }

// Check compares a reader with a writer.
func Check(reader, writer *schema.Parsed, o Options) Result {
	if reader.Schema.TypeOrDefault() != writer.Schema.TypeOrDefault() {
		return Result{Findings: []Finding{{"", SchemaTypeChanged, fmt.Sprintf(
			"the reader is of type %s and the writer of type %s; a subject keeps its type, so register the schema under another subject",
			reader.Schema.TypeOrDefault(), writer.Schema.TypeOrDefault())}}}
	}
	b := newBudget(o.Context)
	var r Result
	switch {
	case reader.Avro != nil:
		r = checkAvro(reader.Avro, writer.Avro, b, o)
	case reader.JSON != nil:
		r = checkJSON(reader.JSON, writer.JSON, b, o)
	default:
		r = checkProtobuf(reader.Protobuf, writer.Protobuf, b, o)
	}
	if !r.Compatible() && r.Example == nil && !o.NoExample {
		r.Unshown = unshown(r.Findings[0].Kind, b)
		r.Findings[0].Words += ". No record is shown: " + r.Unshown
	}
	return r
}

// unshown says why a pair that does not fit comes without an example.
func unshown(kind Kind, b *budget) string {
	switch {
	case kind == Undecided:
		return "the comparison did not get that far"
	case kind == PackageChanged || kind == RequiredFieldRemoved || kind == FieldNamedTypeChanged:
		return "the rule guards names and other readers, and records may well be read"
	case !b.example(Options{}):
		return "the pair was too costly to look for one"
	}
	return "none was found that breaks; the rule is stricter than a decoder, or the writer's schema allows hardly any record"
}

// findingLimit bounds what is told of one pair: nobody reads more, and a hostile pair has millions.
const findingLimit = 100

// undecided is the finding of a comparison that was cut off.
func undecided() Finding {
	return Finding{"", Undecided, "the two schemas take longer to compare than the limits allow; make them simpler or split them into references"}
}

// budget bounds a comparison: steps and depth so that the answer does not depend on the machine, the context for the deadline.
type budget struct {
	ctx   context.Context
	steps int
	depth int
	over  bool
}

const (
	stepLimit   = 2_000_000
	depthLimit  = 5_000
	exampleSize = 5_000 // parts of a record built as an example
	exampleWalk = 50_000
)

func newBudget(ctx context.Context) *budget {
	if ctx == nil {
		ctx = context.Background()
	}
	b := &budget{ctx: ctx}
	b.over = ctx.Err() != nil
	return b
}

// spend takes one step and tells whether there are more.
func (b *budget) spend() bool {
	b.steps++
	if b.steps > stepLimit || b.steps%256 == 0 && b.ctx.Err() != nil {
		b.over = true
	}
	return !b.over
}

// enter goes one level down; every enter that answers true needs a leave.
func (b *budget) enter() bool {
	if !b.spend() {
		return false
	}
	if b.depth >= depthLimit {
		b.over = true
		return false
	}
	b.depth++
	return true
}

func (b *budget) leave() { b.depth-- }

// example tells whether there is room to look for an example: the libraries that try it out cannot be stopped, so a pair that was
// costly to compare gets none.
func (b *budget) example(o Options) bool {
	return !o.NoExample && !b.over && b.steps < exampleWalk && b.ctx.Err() == nil
}

// finish is the result of the walk: what was found, or that it was cut off.
func (b *budget) finish(findings []Finding) Result {
	if b.over {
		return Result{Findings: []Finding{undecided()}}
	}
	return Result{Findings: findings}
}
