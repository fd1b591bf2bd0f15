package state

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// NoID asks for the next free id.
const NoID = -1

// Registration asks for a schema to be registered under a subject.
type Registration struct {
	Subject   string
	Schema    schema.Schema
	Version   int // 0 for any; Latest for the next, with the property confluent:version; else exactly this one
	ID        int // NoID, or the id to give in an import
	Normalize bool
	Force     bool // no check of compatibility
	Propagate bool // the tags of the newest version's text are taken over
}

// candidate is a registration on its way through the steps.
type candidate struct {
	Registration
	config   Config
	mode     string
	live     []*Version // of the subject, ascending
	deleted  []*Version
	next     int // version
	parsed   *schema.Parsed
	stored   schema.Schema
	digest   schema.Digest
	newRules bool // what is demanded of new schemas only
}

// Register decides a registration: the records to write, and the version that is then registered. A schema that the subject has
// already is the reply, and nothing is written, whatever the mode.
func (s *State) Register(ctx context.Context, r Rules, q Registration) ([]Write, *Version, *Error) {
	if !validSubject(q.Subject, false) {
		return nil, nil, errorf(InvalidSubject, "%q cannot be the name of a subject", q.Subject)
	}
	q.Subject = Normal(q.Subject)
	if v, err := s.registered(ctx, r, q); v != nil || err != nil {
		return nil, v, err
	}
	c, err := s.candidate(q)
	if err != nil {
		return nil, nil, err
	}
	if err := s.propagate(ctx, r, c); err != nil {
		return nil, nil, err
	}
	if err := s.read(ctx, r, c); err != nil {
		return nil, nil, err
	}
	if v := s.same(ctx, r, c); v != nil {
		return nil, v, nil
	}
	if !importing(c.mode) && !c.Force {
		if err := s.fits(ctx, r, c); err != nil {
			return nil, nil, err
		}
	}
	return s.place(c)
}

// registered is the live version that has the schema already: as it came or, where settings fill in, as it would be filled.
func (s *State) registered(ctx context.Context, r Rules, q Registration) (*Version, *Error) {
	if q.Version > 0 || q.Propagate || strings.TrimSpace(q.Schema.Text) == "" {
		return nil, nil
	}
	text, err := s.Read(ctx, r, q.Subject, q.Schema, q.Normalize)
	if err != nil {
		return nil, nil // the steps of the registration say what is wrong with it, after the mode
	}
	if config := s.ConfigInScope(q.Subject); config.fills() && !importing(s.ModeInScope(q.Subject)) {
		text = config.sought(text, s.Version(q.Subject, Latest, LiveOnly))
	}
	v := s.find(ctx, r, q.Subject, text, LiveOnly, q.Version == Latest)
	if v == nil || q.ID >= 0 && q.ID != v.ID {
		return nil, nil
	}
	return v, nil
}

func (s *State) candidate(q Registration) (*candidate, *Error) {
	c := &candidate{Registration: q, config: s.ConfigInScope(q.Subject), mode: s.ModeInScope(q.Subject), next: 1}
	if err := s.writable(q.Subject); err != nil {
		return nil, err
	}
	if q.ID >= 0 && !importing(c.mode) {
		return nil, errorf(NotPermitted, "an id can be given only in mode IMPORT, and subject %q is in %s", q.Subject, c.mode)
	}
	if q.ID < 0 && c.mode != ReadWrite {
		return nil, errorf(NotPermitted, "subject %q is in mode %s; set READWRITE, or give the id to import", q.Subject, c.mode)
	}
	if q.Version > MaxVersion {
		return nil, errorf(InvalidVersion, "%d is no version; the largest is %d", q.Version, MaxVersion)
	}
	if q.ID == 0 || q.ID > MaxID {
		return nil, errorf(IDDoesNotMatch, "%d is no id; give one from 1 to %d", q.ID, MaxID)
	}
	for _, v := range s.subjects[q.Subject] {
		c.next = max(c.next, v.Version+1)
		if v.Deleted {
			c.deleted = append(c.deleted, v)
		} else {
			c.live = append(c.live, v)
		}
	}
	return c, c.populate()
}

// populate takes over what the registration does not say from the newest live version and the settings.
func (c *candidate) populate() *Error {
	if importing(c.mode) {
		return nil
	}
	var previous *Version
	if len(c.live) > 0 {
		previous = c.live[len(c.live)-1]
	}
	if strings.TrimSpace(c.Schema.Text) == "" && previous != nil {
		c.Schema.Text, c.Schema.Type, c.Schema.References = previous.Text(), previous.Type(), previous.References()
	}
	c.Schema = c.config.fill(c.Schema, previous)
	if c.Version != 0 || hasVersion(c.Schema.Metadata) {
		c.Schema.Metadata = withVersion(c.Schema.Metadata, c.next)
	}
	return nil
}

// fill gives a schema its metadata and rules: defaults, over them its own or else the previous version's, over them the overrides.
func (c Config) fill(text schema.Schema, previous *Version) schema.Schema {
	if text.Metadata == nil && previous != nil {
		text.Metadata = previous.Metadata()
	}
	if text.RuleSet == nil && previous != nil {
		text.RuleSet = previous.RuleSet()
	}
	text.Metadata = c.DefaultMetadata.Merge(text.Metadata).Merge(c.OverrideMetadata)
	text.RuleSet = c.DefaultRuleSet.Merge(text.RuleSet).Merge(c.OverrideRuleSet)
	return text
}

// fills tells whether settings give metadata or rules to schemas.
func (c Config) fills() bool {
	return c.DefaultMetadata != nil || c.OverrideMetadata != nil || c.DefaultRuleSet != nil || c.OverrideRuleSet != nil
}

// sought is what a registration of a schema looks for: with what it would be given, but without a confluent:version that it did not
// bring itself. A registration numbers that anew, so two registrations of one schema never agree on it.
func (c Config) sought(text schema.Schema, previous *Version) schema.Schema {
	filled := c.fill(text, previous)
	if !hasVersion(text.Metadata) {
		filled.Metadata = withoutVersion(filled.Metadata)
	}
	return filled
}

func hasVersion(m *schema.Metadata) bool {
	return m != nil && m.Properties[schema.ConfluentVersion] != ""
}

func withVersion(m *schema.Metadata, version int) *schema.Metadata {
	return m.Merge(&schema.Metadata{Properties: map[string]string{schema.ConfluentVersion: strconv.Itoa(version)}})
}

// read parses the candidate into the form that is stored.
func (s *State) read(ctx context.Context, r Rules, c *candidate) *Error {
	if strings.TrimSpace(c.Schema.Text) == "" {
		return errorf(InvalidSchema, "invalid schema: the schema is empty and subject %q has no version to take it from", c.Subject)
	}
	if c.mode != Import {
		c.ID = NoID
	}
	o := r.options(ctx, false)
	o.New = c.ID < 0 && on(c.config.ValidateNewSchemas, true)
	p, stored, err := s.parse(r, c.Subject, c.Schema, c.Normalize, o)
	if err != nil {
		return err
	}
	c.parsed, c.stored, c.digest = p, stored, stored.Digest()
	return nil
}

// parse reads a schema in the eyes of a subject, and gives the form that would be stored.
func (s *State) parse(r Rules, subject string, text schema.Schema, normalize bool, o schema.Options) (*schema.Parsed, schema.Schema, *Error) {
	text.References = s.pin(subject, text.References)
	refs, err := s.Closure(subject, text, o)
	if err != nil {
		return nil, text, schemaError(err)
	}
	p, err := r.parse(text, refs, o)
	if err != nil {
		return nil, text, schemaError(err)
	}
	mode := s.ModeInScope(subject)
	if (normalize || on(s.ConfigInScope(subject).Normalize, false)) && !importing(mode) {
		return p, p.Normalized(), nil
	}
	return p, p.Canonical(), nil
}

// pin gives references to the latest version its number: what a schema means must not move under it.
func (s *State) pin(subject string, refs []schema.Reference) []schema.Reference {
	pinned := slices.Clone(refs)
	for i, ref := range pinned {
		if ref.Version != Latest {
			continue
		}
		if v := s.Version(Qualify(subject, ref.Subject), Latest, LiveOnly); v != nil {
			pinned[i].Version = v.Version
		}
	}
	return pinned
}

// Read is the form in which a schema would be stored under a subject.
func (s *State) Read(ctx context.Context, r Rules, subject string, text schema.Schema, normalize bool) (schema.Schema, *Error) {
	_, stored, err := s.parse(r, Normal(subject), text, normalize, r.options(ctx, false))
	return stored, err
}

// same is the live version of the subject with the candidate's content, or but for confluent:version: the candidate carries the number
// that it would get. The next version, if that was asked for, is there already when the newest one is the same; so is, in an import, the
// version with the number that was given. It also settles the candidate's id when the context knows the content from elsewhere.
func (s *State) same(ctx context.Context, r Rules, c *candidate) *Version {
	asked := func(id int) bool { return c.ID < 0 || c.ID == id }
	known := slices.DeleteFunc(slices.Clone(s.known(ParseName(c.Subject).Context).digests[c.digest]), func(id int) bool { return !asked(id) })
	for _, id := range known {
		same := func(v *Version) bool {
			return v.ID == id && v.Digest == c.digest && (c.Version == 0 || c.Version == v.Version && importing(c.mode))
		}
		if v := live(c.live, same); v != nil {
			return v
		}
	}
	if c.Version <= 0 {
		among := c.live
		if c.Version == Latest && len(among) > 0 {
			among = among[len(among)-1:]
		}
		bare := c.stored
		bare.Metadata = withoutVersion(bare.Metadata)
		if v := live(among, func(v *Version) bool { return asked(v.ID) && s.matches(ctx, r, c.parsed, bare, v) }); v != nil {
			return v
		}
	}
	if len(known) > 0 {
		c.ID = known[0]
	}
	return nil
}

// live is the newest version that fits.
func live(versions []*Version, fits func(*Version) bool) *Version {
	for _, v := range slices.Backward(versions) {
		if fits(v) {
			return v
		}
	}
	return nil
}

// matches tells whether text means a version although it is not equal: one of the two lacks confluent:version, or text was sent with
// its references written out. Equal contents are found by their digests before.
func (s *State) matches(ctx context.Context, r Rules, p *schema.Parsed, text schema.Schema, v *Version) bool {
	bare := hasVersion(text.Metadata) != hasVersion(v.Metadata())
	inline := len(text.References) == 0 && len(v.References()) > 0 && text.TypeOrDefault() == v.Type()
	// Most versions are neither, and their texts need not be unpacked: a subject may have thousands.
	if !inline && (!bare || v.size() != len(text.Text)) {
		return false
	}
	mine, theirs := text, v.Schema()
	if bare {
		mine.Metadata, theirs.Metadata = withoutVersion(mine.Metadata), withoutVersion(theirs.Metadata)
	}
	if mine.Text == theirs.Text && mine.Digest() == theirs.Digest() {
		return true
	}
	if !inline {
		return false
	}
	stored, err := s.Stored(ctx, r, v)
	if err != nil {
		return false
	}
	theirs.Text, theirs.References = stored.Format("resolved"), nil
	mine.Text = p.Format("resolved")
	return mine.Digest() == theirs.Digest()
}

func withoutVersion(m *schema.Metadata) *schema.Metadata {
	if !hasVersion(m) {
		return m
	}
	bare := *m
	bare.Properties = maps.Clone(m.Properties)
	delete(bare.Properties, schema.ConfluentVersion)
	if len(bare.Properties)+len(bare.Tags)+len(bare.Sensitive) == 0 {
		return nil
	}
	return &bare
}

// place gives the candidate its version and id and makes the records.
func (s *State) place(c *candidate) ([]Write, *Version, *Error) {
	if c.Version > 0 && c.Version != c.next && !importing(c.mode) {
		return nil, nil, errorf(InvalidSchema, "version %d was asked for, but the next version of subject %q is %d", c.Version, c.Subject, c.next)
	}
	n := &Version{Subject: c.Subject, Version: c.Version, ID: c.ID, packed: pack(c.stored), Digest: c.digest}
	if n.Version <= 0 {
		n.Version = c.next
	}
	if n.Version > MaxVersion {
		return nil, nil, errorf(NotPermitted, "subject %q has no version left to give: it has version %d, the largest", c.Subject, MaxVersion)
	}
	if old := s.version(n.Subject, n.Version); old != nil {
		if same := old.Digest == n.Digest && (old.ID == n.ID || n.ID < 0); !same {
			return nil, nil, errorf(NotPermitted, "version %d of subject %q is there already, with id %d; an import cannot put another schema or id in its place",
				old.Version, old.Subject, old.ID)
		}
		if !old.Deleted {
			return nil, old, nil
		}
	}
	context := ParseName(c.Subject).Context
	if n.ID < 0 {
		id, ok := s.known(context).free()
		if !ok {
			return nil, nil, errorf(NotPermitted, "context %q has no id left to give: all up to %d are used up", context, MaxID)
		}
		n.ID = id
	} else if other := s.otherContent(context, n); other != nil {
		return nil, nil, errorf(NotPermitted, "id %d belongs to another schema, version %d of subject %q", n.ID, other.Version, other.Subject)
	}
	var writes []Write
	if context != DefaultContext && !s.named[context] {
		writes = append(writes, Write{logicalKey{kind: keyContext, name: context}.bytes(), marshal(contextValue{"default", context})})
	}
	for _, v := range c.deleted {
		if v.ID == n.ID && v.Version < n.Version && len(s.ReferencedBy(v.Subject, v.Version, WithDeleted)) == 0 {
			writes = append(writes, s.tombstones(logicalKey{keySchema, v.Subject, v.Version})...)
		}
	}
	return append(writes, s.write(n)...), n, nil
}

func (s *State) otherContent(context string, n *Version) *Version {
	for _, other := range s.uses(context, n.ID) {
		if other.Digest != n.Digest {
			return other
		}
	}
	return nil
}

// write is the record of a version, under the key that was seen last for it.
func (s *State) write(v *Version) []Write {
	return s.puts(logicalKey{keySchema, v.Subject, v.Version}, v.value())
}

// puts writes a value: under our form of the key, or under the form that lies in the log; other forms of the same key are taken away
// first, so that one record is left.
func (s *State) puts(l logicalKey, value []byte) []Write {
	own := string(l.bytes())
	var writes []Write
	for _, form := range s.forms(l) {
		if form != own {
			writes = append(writes, Write{Key: []byte(form)})
		}
	}
	return append(writes, Write{[]byte(own), value})
}

// tombstones take a key away in every form that was seen (S3).
func (s *State) tombstones(l logicalKey) []Write {
	forms := s.forms(l)
	if forms == nil {
		return []Write{{Key: l.bytes()}}
	}
	var writes []Write
	for _, form := range forms {
		writes = append(writes, Write{Key: []byte(form)})
	}
	return writes
}

// find is the version of a subject that a schema means, in the form that Read gives.
func (s *State) find(ctx context.Context, r Rules, subject string, text schema.Schema, f Filter, latestOnly bool) *Version {
	shown := s.Versions(subject, f)
	if latestOnly && len(shown) > 0 {
		shown = shown[len(shown)-1:]
	}
	digest := text.Digest()
	if v := live(shown, func(v *Version) bool { return v.Digest == digest }); v != nil {
		return v
	}
	var p *schema.Parsed
	return live(shown, func(v *Version) bool {
		if p == nil && len(v.References()) > 0 && len(text.References) == 0 {
			p, _ = r.parse(text, nil, r.options(ctx, true))
		}
		if p == nil && len(v.References()) > 0 && len(text.References) == 0 {
			return false
		}
		return s.matches(ctx, r, p, text, v)
	})
}

// Lookup asks which version of a subject a schema is.
type Lookup struct {
	Subject   string
	Schema    schema.Schema
	Normalize bool
	Deleted   bool
}

// Find answers a Lookup, in the other contexts too when the subject names none.
func (s *State) Find(ctx context.Context, r Rules, q Lookup) (*Version, *Error) {
	f := LiveOnly
	if q.Deleted {
		f = WithDeleted
	}
	var refused *Error
	for i, subject := range s.spellings(q.Subject) {
		v, err := s.findUnder(ctx, r, subject, q, f)
		if v != nil {
			return v, nil
		}
		if i == 0 {
			refused = err
		}
	}
	if refused != nil {
		return nil, refused
	}
	if !s.HasSubject(q.Subject, f) {
		return nil, subjectNotFound(q.Subject)
	}
	return nil, schemaNotFound(q.Subject)
}

func (s *State) findUnder(ctx context.Context, r Rules, subject string, q Lookup, f Filter) (*Version, *Error) {
	if strings.TrimSpace(q.Schema.Text) == "" {
		return nil, nil
	}
	text, err := s.Read(ctx, r, subject, q.Schema, q.Normalize)
	if err != nil {
		return nil, err
	}
	if v := s.find(ctx, r, subject, text, f, false); v != nil {
		return v, nil
	}
	latest := s.Version(subject, Latest, LiveOnly)
	if latest == nil {
		return nil, nil
	}
	// As a registration would: with the metadata and rules that it would be given.
	return s.find(ctx, r, subject, s.ConfigInScope(subject).sought(text, latest), f, false), nil
}
