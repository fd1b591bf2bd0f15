package state

import (
	"encoding/json"
	"slices"

	"millrace/internal/apps/registry/schema"
)

// Latest is the version that stands for the newest one.
const Latest = -1

// Version is a schema under a subject. It does not change after it is published by a State: a change makes a new one.
type Version struct {
	*packed
	Subject string
	Version int
	ID      int
	Digest  schema.Digest
	Deleted bool // softly
	Offset  int64
	Time    int64 // of the record that wrote it, in milliseconds since 1970
}

// Context is the context of the version's subject.
func (v *Version) Context() string { return ParseName(v.Subject).Context }

// State is what the log says up to an offset. Its methods that only look may run at the same time; Apply runs alone.
type State struct {
	next     int64 // the offset after the last record applied
	subjects map[string][]*Version
	contexts map[string]*ids
	named    map[string]bool // contexts that have a CONTEXT record
	configs  map[string]Config
	modes    map[string]string
	keys     map[logicalKey]*forms
	referrer map[schemaKey][]*Version // by what they refer to
	findings map[logicalKey]Finding   // of records that were not taken as they are
	schemas  int
	level    string // of compatibility, where nothing is set
}

type schemaKey struct {
	subject string
	version int
}

// ids are the contents of one context.
type ids struct {
	versions map[int][]*Version // by id, in the order of subject and version
	digests  map[schema.Digest][]int
	highest  highest
	kept     highest // what a record of its own says of it
}

// forms are the bytes under which a logical key was seen.
type forms struct {
	live  []string // forms whose last record has a value
	undue bool     // a tombstone in another form removed the key, so live forms will come back
}

// usual stands for one live form, that in which this registry writes a schema's key: most keys have no other, and its bytes follow
// from the logical key.
var usual = &forms{}

// New is the state of an empty log.
func New() *State {
	return &State{subjects: map[string][]*Version{}, contexts: map[string]*ids{}, named: map[string]bool{}, configs: map[string]Config{},
		modes: map[string]string{}, keys: map[logicalKey]*forms{}, referrer: map[schemaKey][]*Version{}, findings: map[logicalKey]Finding{}, level: DefaultLevel}
}

// SetDefaultLevel says which compatibility level holds where nothing is set. It comes before the first Apply.
func (s *State) SetDefaultLevel(level string) { s.level = level }

// Next is the offset after the last record applied.
func (s *State) Next() int64 { return s.next }

// Apply takes the next record of the log. It never fails: what it cannot read or will not take becomes a finding of Fsck.
func (s *State) Apply(r Record) {
	s.next = r.Offset + 1
	var k key
	if decodeKey(r.Key, &k) != nil || k.Type == "" {
		l := logicalKey{name: string(r.Key)}
		if delete(s.findings, l); r.Value != nil {
			s.unreadable(l, r, "its key is not a JSON object with a keytype")
		}
		return
	}
	l := k.logical()
	if k.Type == keyNoop && l.name == "" {
		return
	}
	s.remember(l, r)
	if r.Value == nil {
		s.tombstone(l)
		return
	}
	s.put(l, r)
}

// remember keeps the exact bytes of a key (S3).
func (s *State) remember(l logicalKey, r Record) {
	f := s.keys[l]
	if r.Value != nil && (f == nil || f == usual) && l.isUsual(r.Key) {
		s.keys[l] = usual
		return
	}
	switch f {
	case nil:
		f = &forms{}
		s.keys[l] = f
	case usual:
		f = &forms{live: []string{string(l.bytes())}}
		s.keys[l] = f
	}
	form := string(r.Key)
	at := slices.Index(f.live, form)
	switch {
	case r.Value == nil && at >= 0:
		f.live = slices.Delete(f.live, at, at+1)
	case r.Value != nil && at < 0:
		f.live = append(f.live, form)
	}
	f.undue = r.Value == nil && len(f.live) > 0
	if len(f.live) == 0 {
		delete(s.keys, l)
	}
}

// forms are the forms of a key whose last record has a value; nil when the key is not known.
func (s *State) forms(l logicalKey) []string {
	switch f := s.keys[l]; f {
	case nil:
		return nil
	case usual:
		return []string{string(l.bytes())}
	default:
		return f.live
	}
}

func (s *State) tombstone(l logicalKey) {
	delete(s.findings, l)
	switch l.kind {
	case keySchema:
		s.remove(l.name, l.version)
	case keyConfig:
		delete(s.configs, l.name)
	case keyMode:
		delete(s.modes, l.name)
	case keyContext:
		delete(s.named, l.name)
	case keyNoop:
		s.context(l.name).kept = highest{}
	}
}

func (s *State) put(l logicalKey, r Record) {
	delete(s.findings, l)
	var err error
	switch l.kind {
	case keySchema:
		err = s.putSchema(l, r)
	case keyConfig:
		var v configValue
		if err = json.Unmarshal(r.Value, &v); err == nil {
			s.configs[l.name] = v.Config
		}
	case keyMode:
		var v modeValue
		if err = json.Unmarshal(r.Value, &v); err == nil {
			s.modes[l.name] = v.Mode
		}
	case keyContext:
		s.named[l.name] = true
	case keyNoop:
		err = s.putHighest(l.name, r.Value)
	case keyDelete:
		var v subjectVersionValue
		if err = json.Unmarshal(r.Value, &v); err == nil {
			s.softDelete(l.name, v.Version)
		}
	case keyClear:
		s.clear(l.name)
	}
	if err != nil {
		s.unreadable(l, r, "its value cannot be read: "+Misfit(err))
	}
}

func (s *State) putSchema(l logicalKey, r Record) error {
	var v schemaValue
	if err := decodeSchema(r.Value, &v); err != nil {
		return err
	}
	if l.version < 1 || l.version > MaxVersion || v.ID < 1 || v.ID > MaxID {
		s.findings[l] = outOfRange(l, v.ID, r)
		return nil
	}
	text := v.schema()
	n := &Version{packed: pack(text), Subject: l.name, Version: l.version, ID: v.ID, Digest: text.Digest(), Deleted: v.Deleted,
		Offset: r.Offset, Time: r.Time}
	if other := s.clash(n); other != nil {
		s.findings[l] = doubledID(n, other)
		return nil
	}
	s.remove(l.name, l.version)
	s.add(n)
	if v.Subject != "" && v.Subject != l.name || v.Version != 0 && v.Version != l.version {
		s.differs(l, v, r)
	}
	return nil
}

// clash is a version that has the id of n with another text (S2). The version that n replaces does not count.
func (s *State) clash(n *Version) *Version {
	c := s.contexts[n.Context()]
	if c == nil {
		return nil
	}
	for _, other := range c.versions[n.ID] {
		if other.Digest != n.Digest && other.Text() != n.Text() && !(other.Subject == n.Subject && other.Version == n.Version) {
			return other
		}
	}
	return nil
}

// add puts a version into every index.
func (s *State) add(n *Version) {
	versions := s.subjects[n.Subject]
	at, _ := slices.BinarySearchFunc(versions, n.Version, func(v *Version, version int) int { return v.Version - version })
	s.subjects[n.Subject] = slices.Insert(versions[:len(versions):len(versions)], at, n)
	s.schemas++
	c := s.context(n.Context())
	c.highest = c.highest.with(n.ID)
	c.share(n)
	c.versions[n.ID] = insertSorted(c.versions[n.ID], n)
	if has := c.digests[n.Digest]; !slices.Contains(has, n.ID) {
		has = append(has, n.ID)
		slices.Sort(has)
		c.digests[n.Digest] = has
	}
	for _, ref := range n.References() {
		k := schemaKey{Qualify(n.Subject, ref.Subject), ref.Version}
		s.referrer[k] = insertSorted(s.referrer[k], n)
	}
}

// share lets versions of one content hold one copy of it.
func (c *ids) share(n *Version) {
	for _, other := range c.versions[n.ID] {
		if other.Digest == n.Digest {
			n.packed = other.packed
			return
		}
	}
}

func (s *State) context(name string) *ids {
	c := s.contexts[name]
	if c == nil {
		c = &ids{versions: map[int][]*Version{}, digests: map[schema.Digest][]int{}}
		s.contexts[name] = c
	}
	return c
}

// known is a context to look into; a decision must not make one.
func (s *State) known(name string) *ids {
	if c := s.contexts[name]; c != nil {
		return c
	}
	return &ids{}
}

// remove takes a version out of every index.
func (s *State) remove(subject string, version int) {
	old := s.version(subject, version)
	if old == nil {
		return
	}
	s.subjects[subject] = without(s.subjects[subject], old)
	if len(s.subjects[subject]) == 0 {
		delete(s.subjects, subject)
	}
	s.schemas--
	c := s.contexts[old.Context()]
	c.versions[old.ID] = without(c.versions[old.ID], old)
	if !slices.ContainsFunc(c.versions[old.ID], func(v *Version) bool { return v.Digest == old.Digest }) {
		left := slices.DeleteFunc(slices.Clone(c.digests[old.Digest]), func(id int) bool { return id == old.ID })
		if c.digests[old.Digest] = left; len(left) == 0 {
			delete(c.digests, old.Digest)
		}
	}
	if len(c.versions[old.ID]) == 0 {
		delete(c.versions, old.ID)
	}
	for _, ref := range old.References() {
		k := schemaKey{Qualify(subject, ref.Subject), ref.Version}
		if s.referrer[k] = without(s.referrer[k], old); len(s.referrer[k]) == 0 {
			delete(s.referrer, k)
		}
	}
}

// softDelete marks all versions of a subject up to one.
func (s *State) softDelete(subject string, upTo int) {
	for _, v := range s.subjects[subject] {
		if v.Version > upTo || v.Deleted {
			continue
		}
		gone := *v
		gone.Deleted = true
		s.remove(subject, v.Version)
		s.add(&gone)
	}
}

// clear forgets the softly deleted versions in the scope of a setting: an import begins.
func (s *State) clear(scope string) {
	for _, subject := range s.inScope(scope) {
		for _, v := range s.subjects[subject] {
			if v.Deleted {
				s.remove(subject, v.Version)
			}
		}
	}
}

func insertSorted(list []*Version, n *Version) []*Version {
	at, _ := slices.BinarySearchFunc(list, n, compareVersions)
	return slices.Insert(list[:len(list):len(list)], at, n)
}

func compareVersions(a, b *Version) int {
	if a.Subject != b.Subject {
		if a.Subject < b.Subject {
			return -1
		}
		return 1
	}
	return a.Version - b.Version
}

// without copies, since a reader may hold the old list.
func without(list []*Version, v *Version) []*Version {
	return slices.DeleteFunc(slices.Clone(list), func(o *Version) bool { return o == v })
}
