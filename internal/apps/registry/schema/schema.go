package schema

import (
	"cmp"
	"context"
	"slices"
)

// Type is the format of a schema, with the registry's names.
type Type string

const (
	Avro     Type = "AVRO"
	JSON     Type = "JSON"
	Protobuf Type = "PROTOBUF"
)

// Schema is what a user registers: text, what it refers to, and the contract around it.
type Schema struct {
	Type       Type        `json:"schemaType,omitempty"` // empty means AVRO
	References []Reference `json:"references,omitempty"`
	Metadata   *Metadata   `json:"metadata,omitempty"`
	RuleSet    *RuleSet    `json:"ruleSet,omitempty"`
	Text       string      `json:"schema,omitempty"`
}

// TypeOrDefault is the schema's type, AVRO when none is given.
func (s Schema) TypeOrDefault() Type { return cmp.Or(s.Type, Avro) }

// Reference gives a name used inside the schema to a registered version of a subject.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// place is how an error names a reference.
func (r Reference) place() string { return "reference " + quoted(r.Name) }

// normalReferences is the references in one order and each once.
func normalReferences(refs []Reference) []Reference {
	sorted := slices.Clone(refs)
	slices.SortFunc(sorted, func(a, b Reference) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(sorted)
}

// Options say how strict a parse is and what it may cost. The zero value reads what is stored already, within the default limits.
type Options struct {
	// New demands what a registry demands of a schema that it has not seen: Avro namespaces must be of ASCII letters, digits and
	// underscores, and default values must fit their types. Stored schemas are read without, since older releases let both pass.
	New bool
	// Stored reads a schema that lies in the log already: what its draft of JSON Schema refuses is kept and shown by Compiled, so that a
	// schema which another registry let in can still be fetched.
	Stored bool
	// Limits are the bounds of the parse; a zero field takes its default.
	Limits Limits
	// Context carries the deadline; nil means none.
	Context context.Context
}

func (o Options) context() context.Context {
	if o.Context == nil {
		return context.Background()
	}
	return o.Context
}

// Limits bound what a schema of a stranger may cost.
type Limits struct {
	Text       int // bytes of one schema's text
	Depth      int // levels of types in types
	References int // schemas in the closure of references
	Closure    int // bytes of text of the whole closure
}

// DefaultLimits are the limits of reliability 5.3.
func DefaultLimits() Limits {
	return Limits{Text: 1 << 20, Depth: 64, References: 128, Closure: 4 << 20}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Text:       cmp.Or(l.Text, d.Text),
		Depth:      cmp.Or(l.Depth, d.Depth),
		References: cmp.Or(l.References, d.References),
		Closure:    cmp.Or(l.Closure, d.Closure),
	}
}

// jsonDepth is how deep JSON text may nest: a nested record takes three levels of JSON for one level of types.
func (l Limits) jsonDepth() int { return 4 * l.Depth }

func (l Limits) checkText(place, text string) error {
	if len(text) > l.Text {
		return tooLargef(place, "the schema has %d bytes and the limit is %d; split it into references", len(text), l.Text)
	}
	return nil
}

// Parsed is a schema that was read. Exactly one of Avro, JSON and Protobuf is set.
type Parsed struct {
	Schema   Schema // as given, with the type filled in
	Avro     *AvroSchema
	JSON     *JSONSchema
	Protobuf *ProtobufSchema
}

// Parse reads a schema. refs is the closure of its references as Closure makes it, in any order.
func Parse(s Schema, refs []Resolved, o Options) (*Parsed, error) {
	o.Limits = o.Limits.orDefaults()
	s.Type = s.TypeOrDefault()
	if err := o.Limits.checkText("", s.Text); err != nil {
		return nil, err
	}
	if s.RuleSet != nil {
		if err := s.RuleSet.Validate(); err != nil {
			return nil, err
		}
	}
	order, err := dependencyOrder(s, refs, o)
	if err != nil {
		return nil, err
	}
	if err := checkTime(o.context()); err != nil {
		return nil, err
	}
	p := &Parsed{Schema: s}
	switch s.Type {
	case Avro:
		p.Avro, err = parseAvro(s, order, o)
	case JSON:
		p.JSON, err = parseJSON(s, order, o)
	case Protobuf:
		p.Protobuf, err = parseProtobuf(s, order, o)
	default:
		err = invalidf("", "there is no schema type %q; use AVRO, JSON or PROTOBUF", s.Type)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Canonical is the schema as it is stored: without white space or comments, everything that was written kept in its order.
func (p *Parsed) Canonical() Schema {
	s := p.Schema
	s.Text = p.Format("")
	return s
}

// Normalized is the schema in the form that is equal for all spellings of one meaning.
func (p *Parsed) Normalized() Schema {
	s := p.Schema
	s.References = normalReferences(s.References)
	switch {
	case p.Avro != nil:
		s.Text = p.Avro.normalized()
	case p.JSON != nil:
		s.Text = p.JSON.normalized()
	default:
		s.Text = p.Protobuf.normalized()
	}
	return s
}

// Format is the text in one of the named forms: "resolved" for Avro (references written out), "serialized" (a FileDescriptorProto in
// base64) and "ignore_extensions" for Protobuf. Every other name, and the empty one, gives the canonical text, so that a client may
// ask for forms that are invented later.
func (p *Parsed) Format(name string) string {
	switch {
	case p.Avro != nil:
		return p.Avro.format(name)
	case p.JSON != nil:
		return p.JSON.canonical()
	default:
		return p.Protobuf.format(name)
	}
}

// Name is the name that record name strategies use: an Avro record's full name, the full name of a Protobuf file's first message, the
// title of a JSON Schema. Empty when the schema has none.
func (p *Parsed) Name() string {
	switch {
	case p.Avro != nil:
		return p.Avro.name()
	case p.JSON != nil:
		return p.JSON.title()
	default:
		return p.Protobuf.name()
	}
}
