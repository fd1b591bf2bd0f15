package state

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// Comparison is a schema against versions of a subject. It holds all that is needed, so it runs without the State: a check of a
// hostile schema may take its whole time limit.
type Comparison struct {
	subject   string
	config    Config
	normalize bool
	text      schema.Schema
	refs      []schema.Resolved
	previous  []withReferences // ascending
	strict    bool
}

type withReferences struct {
	*Version
	refs []schema.Resolved
}

// Result of a comparison.
type Result struct {
	Findings       []string
	Details        []Incompatibility // the same, in parts, of the first version that does not fit
	Version        int               // that does not fit; 0 when none or when the reason is the schema alone
	CounterExample []byte
}

// Fits tells whether nothing was found.
func (r Result) Fits() bool { return len(r.Findings) == 0 }

// fits checks a candidate for registration.
func (s *State) fits(ctx context.Context, r Rules, c *candidate) *Error {
	cmp, err := s.comparison(ctx, r, c.Subject, c.config, c.live)
	if err != nil {
		return err
	}
	found, err := cmp.against(ctx, r, c.parsed)
	if err != nil {
		return err
	}
	if found.Fits() {
		return nil
	}
	e := errorf(Incompatible, "the schema is incompatible with an earlier schema of subject %q under %s: %s",
		c.Subject, c.config.Level, strings.Join(found.Findings, "; "))
	e.CounterExample = found.CounterExample
	return e
}

func (s *State) comparison(ctx context.Context, r Rules, subject string, config Config, previous []*Version) (*Comparison, *Error) {
	c := &Comparison{subject: subject, config: config}
	for _, v := range previous {
		refs, err := s.Closure(subject, v.Schema(), r.options(ctx, true))
		if err != nil {
			return nil, schemaError(err)
		}
		c.previous = append(c.previous, withReferences{v, refs})
	}
	return c, nil
}

// Compare prepares a check: against one version, or all live ones when version is 0. Latest of a subject without versions fits.
func (s *State) Compare(ctx context.Context, r Rules, subject string, version int, text schema.Schema, normalize bool) (*Comparison, *Error) {
	subject = Normal(subject)
	previous := s.Versions(subject, LiveOnly)
	if version != 0 {
		v := s.Version(subject, version, LiveOnly)
		switch {
		case v != nil:
			previous = []*Version{v}
		case version != Latest:
			return nil, versionNotFound(subject, version)
		}
	}
	config := s.ConfigInScope(subject)
	c, err := s.comparison(ctx, r, subject, config, previous)
	if err != nil {
		return nil, err
	}
	c.text, c.normalize, c.strict = text, normalize || on(config.Normalize, false), on(config.ValidateNewSchemas, true)
	c.text.References = s.pin(subject, text.References)
	refs, fault := s.Closure(subject, c.text, r.options(ctx, false))
	if fault != nil {
		return nil, schemaError(fault)
	}
	c.refs = refs
	return c, nil
}

// At compares at this level instead of the one that is set.
func (c *Comparison) At(level string) *Error {
	c.config.Level = level
	return c.config.validate()
}

// Run checks what Compare prepared.
func (c *Comparison) Run(ctx context.Context, r Rules) (Result, *Error) {
	if strings.TrimSpace(c.text.Text) == "" {
		return Result{}, errorf(InvalidSchema, "invalid schema: the schema is empty")
	}
	o := r.options(ctx, false)
	o.New = c.strict
	p, err := r.parse(c.text, c.refs, o)
	if err != nil {
		return Result{}, schemaError(err)
	}
	return c.against(ctx, r, p)
}

// against checks a parsed schema: reserved fields, then the versions that its level and group ask for, newest first.
func (c *Comparison) against(ctx context.Context, r Rules, p *schema.Parsed) (Result, *Error) {
	var found Result
	if on(c.config.ValidateFields, false) {
		found.Findings = c.reserved(p)
	}
	level, transitive := strings.CutSuffix(c.config.Level, "_TRANSITIVE")
	if level == "NONE" {
		return found, nil
	}
	group := c.group(p.Schema.Metadata)
	for _, old := range slices.Backward(c.previous) {
		if c.config.Group != "" && c.group(old.Metadata()) != group {
			continue
		}
		if err := c.one(ctx, r, p, old, level, &found); err != nil {
			return found, err
		}
		if !transitive || !found.Fits() {
			break
		}
	}
	return found, nil
}

// group is the value of the property that divides the versions. To have none and to have the empty one are two groups.
func (c *Comparison) group(m *schema.Metadata) string {
	if m == nil {
		return ""
	}
	value, ok := m.Properties[c.config.Group]
	if !ok {
		return ""
	}
	return "=" + value
}

func (c *Comparison) one(ctx context.Context, r Rules, p *schema.Parsed, old withReferences, level string, found *Result) *Error {
	if a, b := p.Schema.TypeOrDefault(), old.Type(); a != b {
		found.add(old.Version, Incompatibility{"", "TYPE_CHANGED", fmt.Sprintf("the schema is %s and version %d is %s", a, old.Version.Version, b)})
		return nil
	}
	if r.Check == nil {
		return nil
	}
	q, err := r.parse(old.Schema(), old.refs, r.options(ctx, true))
	if err != nil {
		return schemaError(err)
	}
	if level == "BACKWARD" || level == "FULL" {
		found.take(old.Version, r.Check.Check(ctx, p, q, c.config.Policy))
	}
	if level == "FORWARD" || level == "FULL" {
		found.take(old.Version, r.Check.Check(ctx, q, p, c.config.Policy))
	}
	if ctx.Err() != nil {
		return errorf(TimedOut, "the check of compatibility took longer than its time limit; make the schemas smaller")
	}
	return nil
}

func (found *Result) take(old *Version, v Verdict) {
	for _, f := range v.Findings {
		found.add(old, f)
	}
	if found.CounterExample == nil {
		found.CounterExample = v.CounterExample
	}
}

func (found *Result) add(old *Version, f Incompatibility) {
	found.Version = old.Version
	found.Details = append(found.Details, f)
	words := f.Words
	if f.Path != "" {
		words = "at " + f.Path + ": " + words
	}
	found.Findings = append(found.Findings, fmt.Sprintf("version %d: %s (%s)", old.Version, words, f.Kind))
}

const reservedProperty = "confluent:reserved"

// reserved: names that are reserved may not be used, and a reservation stays.
func (c *Comparison) reserved(p *schema.Parsed) []string {
	var words []string
	now := reservedNames(p.Schema.Metadata)
	if len(c.previous) > 0 {
		for _, name := range reservedNames(c.previous[len(c.previous)-1].Metadata()) {
			if !slices.Contains(now, name) {
				words = append(words, fmt.Sprintf("the field name %q is reserved by the previous version and must stay so", name))
			}
		}
	}
	fields := topFields(p)
	for _, name := range now {
		if slices.Contains(fields, name) {
			words = append(words, fmt.Sprintf("the field name %q is reserved and may not be used", name))
		}
	}
	return words
}

func reservedNames(m *schema.Metadata) []string {
	if m == nil {
		return nil
	}
	var names []string
	for _, name := range strings.Split(m.Properties[reservedProperty], ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// topFields are the names of the fields at the top of a schema.
func topFields(p *schema.Parsed) (names []string) {
	switch {
	case p.Avro != nil:
		for _, f := range p.Avro.Root.Fields {
			names = append(names, f.Name)
		}
	case p.JSON != nil:
		if properties := p.JSON.Value.Get("properties"); properties != nil {
			for _, m := range properties.Members {
				names = append(names, m.Name)
			}
		}
	case p.Protobuf != nil:
		if m := p.Protobuf.Message(nil); m != nil {
			for i := range m.Fields().Len() {
				names = append(names, string(m.Fields().Get(i).Name()))
			}
		}
	}
	return names
}
