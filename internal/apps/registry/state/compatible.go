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
	parsed    *schema.Parsed // of text
	mine      schema.Digest  // of text and all that it refers to
	newest    *Version       // that is compared with; nil when there is none
	previous  []earlier      // those that the level and the group ask for, newest first
	strict    bool
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
	cmp, err := s.comparison(ctx, r, c.Subject, c.config, c.parsed.Schema, c.live)
	if err != nil {
		return err
	}
	cmp.parsed = c.parsed
	found, err := r.compare(ctx, cmp)
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

// comparison collects what comparing a text, whose references have their versions, with those of previous that count needs.
func (s *State) comparison(ctx context.Context, r Rules, subject string, config Config, text schema.Schema, previous []*Version) (*Comparison, *Error) {
	c := &Comparison{subject: subject, config: config, text: text}
	if len(previous) > 0 {
		c.newest = previous[len(previous)-1]
	}
	refs, err := s.Closure(subject, text, r.options(ctx, false))
	if err != nil {
		return nil, schemaError(err)
	}
	c.refs, c.mine = refs, digestOf(text, refs)
	level, transitive := strings.CutSuffix(config.Level, "_TRANSITIVE")
	if level == "NONE" {
		return c, nil
	}
	group := c.group(text.Metadata)
	for _, v := range slices.Backward(previous) {
		if config.Group != "" && c.group(v.Metadata()) != group {
			continue
		}
		c.previous = append(c.previous, s.earlier(ctx, r, v))
		if !transitive {
			break
		}
	}
	return c, nil
}

// Compare prepares a check: against one version, or all live ones when version is 0. Latest of a subject without versions fits. A level
// that is not empty holds instead of the one that is set.
func (s *State) Compare(ctx context.Context, r Rules, subject string, version int, text schema.Schema, normalize bool, level string) (*Comparison, *Error) {
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
	if level != "" {
		config.Level = level
		if err := config.validate(); err != nil {
			return nil, err
		}
	}
	text.References = s.pin(subject, text.References)
	c, err := s.comparison(ctx, r, subject, config, text, previous)
	if err != nil {
		return nil, err
	}
	c.normalize, c.strict = normalize || on(config.Normalize, false), on(config.ValidateNewSchemas, true)
	return c, nil
}

// Large tells whether one of the texts has more than so many bytes.
func (c *Comparison) Large(bytes int) bool {
	return len(c.text.Text) > bytes || slices.ContainsFunc(c.previous, func(e earlier) bool { return e.size() > bytes })
}

// Parse reads the schema that is to be compared, when nobody has yet.
func (c *Comparison) Parse(ctx context.Context, r Rules) *Error {
	if strings.TrimSpace(c.text.Text) == "" {
		return errorf(InvalidSchema, "invalid schema: the schema is empty")
	}
	if c.parsed != nil {
		return nil
	}
	o := r.options(ctx, false)
	o.New = c.strict
	p, err := r.parse(c.text, c.refs, o)
	if err != nil {
		return schemaError(err)
	}
	c.parsed = p
	return nil
}

// Run checks reserved fields, then the versions, newest first. It remembers each verdict in known, and takes from there what another
// run found.
func (c *Comparison) Run(ctx context.Context, r Rules, known *Verdicts) (Result, *Error) {
	if err := c.Parse(ctx, r); err != nil {
		return Result{}, err
	}
	found, _, err := c.against(known, func(old *earlier) (Verdict, *Error) { return c.one(ctx, r, old) })
	return found, err
}

// Known is what Run would find, when all of it is known.
func (c *Comparison) Known(known *Verdicts) (found Result, all bool, err *Error) {
	return c.against(known, nil)
}

func (c *Comparison) against(known *Verdicts, judge func(*earlier) (Verdict, *Error)) (found Result, all bool, err *Error) {
	if on(c.config.ValidateFields, false) {
		found.Findings = c.reserved(c.parsed)
	}
	for i := range c.previous {
		old := &c.previous[i]
		v, have := known.of(c, old)
		if !have && judge == nil {
			return found, false, nil
		}
		if !have {
			v.Verdict, v.err = judge(old)
			if v.err == nil || v.err.Code != TimedOut { // it may be faster when asked again
				known.add(c, old, v)
			}
		}
		if v.err != nil {
			return found, true, v.err
		}
		if found.take(old.Version, v.Verdict); !found.Fits() {
			break
		}
	}
	return found, true, nil
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

// one compares with one version, in the directions that the level asks for.
func (c *Comparison) one(ctx context.Context, r Rules, old *earlier) (v Verdict, err *Error) {
	if a, b := c.text.TypeOrDefault(), old.Type(); a != b {
		v.Findings = []Incompatibility{{"", "TYPE_CHANGED", fmt.Sprintf("the schema is %s and version %d is %s", a, old.Version.Version, b)}}
		return v, nil
	}
	if r.Check == nil {
		return v, nil
	}
	q, err := old.parse(ctx, r)
	if err != nil {
		return v, err
	}
	level, _ := strings.CutSuffix(c.config.Level, "_TRANSITIVE")
	if level == "BACKWARD" || level == "FULL" {
		v.join(r.Check.Check(ctx, c.parsed, q, c.config.Policy))
	}
	if level == "FORWARD" || level == "FULL" {
		v.join(r.Check.Check(ctx, q, c.parsed, c.config.Policy))
	}
	if ctx.Err() != nil {
		return Verdict{}, errorf(TimedOut, "the check of compatibility took longer than its time limit; make the schemas smaller")
	}
	return v, nil
}

func (v *Verdict) join(other Verdict) {
	v.Findings = append(v.Findings, other.Findings...)
	if v.CounterExample == nil {
		v.CounterExample = other.CounterExample
	}
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
	if c.newest != nil {
		for _, name := range reservedNames(c.newest.Metadata()) {
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
