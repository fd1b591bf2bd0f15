package state

import (
	"maps"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// Filter says which versions a listing shows.
type Filter uint8

const (
	LiveOnly    Filter = iota
	WithDeleted        // softly deleted ones too
	DeletedOnly
)

func (f Filter) shows(deleted bool) bool {
	return f == WithDeleted || deleted == (f == DeletedOnly)
}

// version is a version under its exact number, whatever its state.
func (s *State) version(subject string, version int) *Version {
	versions := s.subjects[subject]
	at, ok := slices.BinarySearchFunc(versions, version, func(v *Version, n int) int { return v.Version - n })
	if !ok {
		return nil
	}
	return versions[at]
}

// Version is a version of a subject; Latest is the highest that the filter shows. Nil when there is none.
func (s *State) Version(subject string, version int, f Filter) *Version {
	if version == Latest {
		shown := s.Versions(subject, f)
		if len(shown) == 0 {
			return nil
		}
		return shown[len(shown)-1]
	}
	v := s.version(subject, version)
	if v == nil || !f.shows(v.Deleted) {
		return nil
	}
	return v
}

// VersionUsingContexts is Version; a subject without a context that is not in the default one is looked for in the others.
func (s *State) VersionUsingContexts(subject string, version int, f Filter) (*Version, *Error) {
	for _, name := range s.spellings(subject) {
		if v := s.Version(name, version, f); v != nil {
			return v, nil
		}
	}
	if !s.HasSubject(subject, f) {
		return nil, subjectNotFound(subject)
	}
	return nil, versionNotFound(subject, version)
}

// spellings are a subject and, when it names no context, the same subject in each other context.
func (s *State) spellings(subject string) []string {
	names := []string{Normal(subject)}
	if ParseName(subject).Context == DefaultContext {
		for _, c := range s.Contexts()[1:] {
			names = append(names, Name{c, subject}.String())
		}
	}
	return names
}

// Versions are the versions of a subject in ascending order.
func (s *State) Versions(subject string, f Filter) []*Version {
	var shown []*Version
	for _, v := range s.subjects[subject] {
		if f.shows(v.Deleted) {
			shown = append(shown, v)
		}
	}
	return shown
}

// inScope are the subjects that a setting of this name governs: one, those of a context, or all.
func (s *State) inScope(scope string) []string {
	n := ParseName(scope)
	var names []string
	for subject := range s.subjects {
		own := ParseName(subject)
		switch {
		case n.Subject != "" && own != n, n.Subject == "" && n.Context != GlobalContext && own.Context != n.Context:
			continue
		}
		names = append(names, subject)
	}
	slices.Sort(names)
	return names
}

// HasSubject tells whether the subject, or any in the context it names, has a version that the filter shows.
func (s *State) HasSubject(subject string, f Filter) bool {
	if ParseName(subject).Subject != "" {
		return len(s.Versions(Normal(subject), f)) > 0
	}
	for _, name := range s.inScope(Normal(subject)) {
		if len(s.Versions(name, f)) > 0 {
			return true
		}
	}
	return false
}

// Subjects are the names with a prefix, sorted. ":*:" in front of the prefix means every context, else the prefix is of the whole
// name. Of a subject with live and deleted versions DeletedOnly shows nothing.
func (s *State) Subjects(prefix string, f Filter) []string {
	var names []string
	for subject, versions := range s.subjects {
		if !matches(subject, prefix) {
			continue
		}
		deleted := !slices.ContainsFunc(versions, func(v *Version) bool { return !v.Deleted })
		if f.shows(deleted) {
			names = append(names, subject)
		}
	}
	slices.Sort(names)
	return names
}

// matches: an empty prefix is the default context only, for a name of another context begins with a colon and the listing of a
// plain registry shall not change when somebody opens a context.
func matches(subject, prefix string) bool {
	if rest, any := strings.CutPrefix(prefix, AnyContext); any {
		return strings.HasPrefix(ParseName(subject).Subject, rest)
	}
	if strings.HasPrefix(prefix, ":.:") {
		prefix = prefix[len(":.:"):]
		return ParseName(subject).Context == DefaultContext && strings.HasPrefix(subject, prefix)
	}
	if prefix == "" {
		return ParseName(subject).Context == DefaultContext
	}
	return strings.HasPrefix(subject, prefix)
}

// Contexts are the names of all contexts, the default one first.
func (s *State) Contexts() []string {
	set := map[string]bool{}
	for name := range s.named {
		set[name] = true
	}
	for name, c := range s.contexts {
		if len(c.versions) > 0 {
			set[name] = true
		}
	}
	delete(set, DefaultContext)
	return append([]string{DefaultContext}, slices.Sorted(maps.Keys(set))...)
}

// ByID is the content of an id. subject picks the context and prefers the id's use under that subject; an id that is not in the default
// context is looked for in the others when a subject without context is given. Without a subject only the default context is looked at,
// as the registries before us do: ids are given per context, so in another context the same id is another schema, and a reader of a
// record that was written in a context has to name it (by the subject, or by the path).
func (s *State) ByID(id int, subject string) *Version {
	n := ParseName(subject)
	if uses := s.uses(n.Context, id); n.Subject == "" || n.Context != DefaultContext || has(uses, subject) {
		return pick(uses, Normal(subject))
	}
	for _, c := range s.Contexts()[1:] {
		name := Name{c, n.Subject}.String()
		if uses := s.uses(c, id); has(uses, name) {
			return pick(uses, name)
		}
	}
	return pick(s.uses(DefaultContext, id), subject)
}

func has(uses []*Version, subject string) bool {
	return slices.ContainsFunc(uses, func(v *Version) bool { return v.Subject == subject })
}

// pick prefers a use under the subject, then a live one, then the first.
func pick(uses []*Version, subject string) *Version {
	var best *Version
	rank := -1
	for _, v := range uses {
		r := 0
		if !v.Deleted {
			r++
		}
		if v.Subject == subject {
			r += 2
		}
		if r > rank {
			best, rank = v, r
		}
	}
	return best
}

func (s *State) uses(context string, id int) []*Version {
	c := s.contexts[context]
	if c == nil {
		return nil
	}
	return c.versions[id]
}

// Uses are the versions that have the content of an id, sorted by subject and version.
func (s *State) Uses(id int, subject string, f Filter) []*Version {
	v := s.ByID(id, subject)
	if v == nil {
		return nil
	}
	shown := []*Version{}
	for _, u := range s.uses(v.Context(), id) {
		if f.shows(u.Deleted) {
			shown = append(shown, u)
		}
	}
	return shown
}

// MaxID is the highest id that the context of a version ever had.
func (s *State) MaxID(v *Version) int {
	h := s.contexts[v.Context()].highest
	return max(h.Counted, h.Beyond)
}

// ContextID is an id in its context.
type ContextID struct {
	Context string `json:"context"`
	ID      int    `json:"id"`
}

// ByGUID are the ids of a content in all contexts.
func (s *State) ByGUID(d schema.Digest) []ContextID {
	var found []ContextID
	for _, name := range s.Contexts() {
		if c := s.contexts[name]; c != nil {
			for _, id := range c.digests[d] {
				found = append(found, ContextID{name, id})
			}
		}
	}
	return found
}

// ReferencedBy are the versions that refer to one.
func (s *State) ReferencedBy(subject string, version int, f Filter) []*Version {
	var shown []*Version
	for _, v := range s.referrer[schemaKey{subject, version}] {
		if f.shows(v.Deleted) {
			shown = append(shown, v)
		}
	}
	return shown
}

// WithMetadata is the newest version that has all these properties.
func (s *State) WithMetadata(subject string, properties map[string]string, f Filter) *Version {
	for _, v := range slices.Backward(s.Versions(subject, f)) {
		if v.Metadata() == nil {
			continue
		}
		fits := true
		for name, value := range properties {
			if got, ok := v.Metadata().Properties[name]; !ok || got != value {
				fits = false
			}
		}
		if fits {
			return v
		}
	}
	return nil
}

// Counts are for metrics: versions, live and deleted ones together, and subjects.
func (s *State) Counts() (versions, subjects int) { return s.schemas, len(s.subjects) }

// Alias is the subject that another one stands for, by its configuration.
func (s *State) Alias(subject string) string {
	if c, ok := s.configs[Normal(subject)]; ok && c.Alias != "" {
		return Qualify(subject, c.Alias)
	}
	return subject
}

// Aliases are the subjects that stand for each subject.
func (s *State) Aliases() map[string][]string {
	found := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(s.configs)) {
		if alias := s.configs[name].Alias; alias != "" {
			target := Qualify(name, alias)
			found[target] = append(found[target], name)
		}
	}
	return found
}

// Load is the loader for a closure of references in the eyes of a subject.
func (s *State) Load(subject string) func(schema.Reference) (*schema.Schema, error) {
	return func(r schema.Reference) (*schema.Schema, error) {
		v := s.Version(Qualify(subject, r.Subject), r.Version, WithDeleted)
		if v == nil {
			return nil, nil
		}
		text := v.Schema()
		return &text, nil
	}
}

// Closure is everything a schema of a subject refers to.
func (s *State) Closure(subject string, text schema.Schema, o schema.Options) ([]schema.Resolved, error) {
	if len(text.References) == 0 {
		return nil, nil
	}
	return schema.Closure(text, s.Load(subject), o)
}
