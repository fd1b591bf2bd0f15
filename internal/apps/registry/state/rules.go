package state

import (
	"context"

	"millrace/internal/apps/registry/schema"
)

// Rules are what a decision needs beside the State.
type Rules struct {
	// Check judges compatibility; nil lets everything pass.
	Check Checker
	// Parse reads a schema (schema.Parse); a caller may put a cache in front.
	Parse func(schema.Schema, []schema.Resolved, schema.Options) (*schema.Parsed, error)
	// Compare runs a comparison of a registration, or takes what is known of it; nil runs it at once.
	Compare func(context.Context, *Comparison) (Result, *Error)
	// Limits bound every parse.
	Limits schema.Limits
	// FixedModes refuses every change of a mode.
	FixedModes bool
}

// Checker judges whether a reader can read what a writer of another schema of the same type writes.
type Checker interface {
	Check(ctx context.Context, reader, writer *schema.Parsed, policy string) Verdict
}

// Verdict is empty when the reader can read everything.
type Verdict struct {
	Findings []Incompatibility
	// CounterExample is a value that the writer can write and the reader cannot read, as JSON; nil when none was built.
	CounterExample []byte
}

// Incompatibility is one reason.
type Incompatibility struct{ Path, Kind, Words string }

func (r Rules) options(ctx context.Context, stored bool) schema.Options {
	return schema.Options{Stored: stored, Limits: r.Limits, Context: ctx}
}

func (r Rules) parse(text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if r.Parse == nil {
		return schema.Parse(text, refs, o)
	}
	return r.Parse(text, refs, o)
}

func (r Rules) compare(ctx context.Context, c *Comparison) (Result, *Error) {
	if r.Compare == nil {
		return c.Run(ctx, r, nil)
	}
	return r.Compare(ctx, c)
}

// Stored parses a version that lies in the log.
func (s *State) Stored(ctx context.Context, r Rules, v *Version) (*schema.Parsed, *Error) {
	o := r.options(ctx, true)
	text := v.Schema()
	refs, err := s.Closure(v.Subject, text, o)
	if err != nil {
		return nil, schemaError(err)
	}
	p, err := r.parse(text, refs, o)
	if err != nil {
		return nil, schemaError(err)
	}
	return p, nil
}

// Prepared is a schema of a stranger with all it refers to. Parsing it needs no State, so a caller does that first, where nobody waits
// for it, and puts the outcome where Rules.Parse finds it.
type Prepared struct {
	text schema.Schema
	refs []schema.Resolved
}

// Prepare collects what parsing a schema in the eyes of a subject needs.
func (s *State) Prepare(ctx context.Context, r Rules, subject string, text schema.Schema) (Prepared, *Error) {
	text.References = s.pin(Normal(subject), text.References)
	refs, err := s.Closure(Normal(subject), text, r.options(ctx, false))
	if err != nil {
		return Prepared{}, schemaError(err)
	}
	return Prepared{text, refs}, nil
}

// Parse parses as the decisions will. Only a schema that takes too long is refused here; the decisions say what else is wrong, in
// their order.
func (p Prepared) Parse(ctx context.Context, r Rules) *Error {
	for _, isNew := range []bool{false, true} {
		o := r.options(ctx, false)
		o.New = isNew
		if _, err := r.parse(p.text, p.refs, o); err != nil && schema.KindOf(err) == schema.TooSlow {
			return schemaError(err)
		}
	}
	return nil
}

// Retag is the text with tags added and others taken away. With known, entities that the schema does not have are passed over.
func (p Prepared) Retag(ctx context.Context, r Rules, add, remove []schema.Tagged, known bool) (string, *Error) {
	parsed, err := r.parse(p.text, p.refs, r.options(ctx, false))
	if err != nil {
		return "", schemaError(err)
	}
	text, err := parsed.Retag(add, remove, known)
	if err != nil {
		return "", schemaError(err)
	}
	return text, nil
}

// propagate puts the tags of the newest version into a candidate that asks for them. What the candidate does not have any more has no
// tags to carry on.
func (s *State) propagate(ctx context.Context, r Rules, c *candidate) *Error {
	if !c.Propagate || importing(c.mode) || len(c.live) == 0 {
		return nil
	}
	previous, err := s.Stored(ctx, r, c.live[len(c.live)-1])
	if err != nil {
		return err
	}
	p, err := s.Prepare(ctx, r, c.Subject, c.Schema)
	if err != nil {
		return err
	}
	c.Schema.Text, err = p.Retag(ctx, r, previous.TaggedEntities("*"), nil, true)
	return err
}
