package state

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"millrace/internal/apps/registry/schema"
)

// S1: replaying the log, or what compaction leaves of it at any point, gives the live state.
// A failure prints the command that repeats it (-rapid.seed).
func TestReplayEqualsLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLog()
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			l.step(t)
			checkIDs(t, l.state)
		}
		live := l.state.Dump()
		tail := rapid.IntRange(0, len(l.records)).Draw(t, "tail")
		for name, s := range map[string]*State{
			"replay":                            replay(l.records),
			"compacted":                         replay(l.compacted(tail, true)),
			"compacted, tombstones gone":        replay(l.compacted(tail, false)),
			"wholly compacted, tombstones gone": replay(l.compacted(0, false)),
		} {
			if got := s.Dump(); got != live {
				t.Fatalf("%s differs\nlive:\n%s\n%s:\n%s\nlog:\n%s", name, live, name, got, l.text())
			}
		}
	})
}

func (l *log) text() (all string) {
	for _, r := range l.records {
		all += fmt.Sprintf("%d %s %s\n", r.Offset, r.Key, r.Value)
	}
	return all
}

var (
	subjects = rapid.SampledFrom([]string{"a", "b", "c", ":.x:a", ":.x:b"})
	scopes4  = rapid.SampledFrom([]string{"", "a", "b", ":.x:", ":.x:a", ":.__GLOBAL:"})
	fields   = rapid.SampledFrom([]string{"f", "g", "h", "i"})
)

// step makes one random request; refusals are fine.
func (l *log) step(t *rapid.T) {
	subject := subjects.Draw(t, "subject")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1, 2, 3:
		l.try(randomRegistration(t, subject))
	case 4:
		writes, _, _ := l.state.DeleteVersion(subject, rapid.SampledFrom([]int{1, 2, 3, Latest}).Draw(t, "version"), rapid.Bool().Draw(t, "permanent"))
		l.append(writes)
	case 5:
		writes, _, _ := l.state.DeleteSubject(subject, rapid.Bool().Draw(t, "permanent"))
		l.append(writes)
	case 6:
		mode := rapid.SampledFrom([]string{Import, ReadWrite, ReadWrite, ReadOnly, ""}).Draw(t, "mode")
		writes, _ := l.state.SetMode(l.rules, scopes4.Draw(t, "scope"), mode, rapid.Bool().Draw(t, "force"))
		l.append(writes)
	case 7:
		level := rapid.SampledFrom(levels).Draw(t, "level")
		writes, _, _ := l.state.SetConfig(scopes4.Draw(t, "scope"), ConfigChange{"compatibility": marshal(level)})
		l.append(writes)
	case 8:
		writes, _, _ := l.state.DeleteConfig(scopes4.Draw(t, "scope"))
		l.append(writes)
		writes, _, _ = l.state.DeleteMode(l.rules, scopes4.Draw(t, "scope"), rapid.Bool().Draw(t, "recursive"))
		l.append(writes)
	case 9:
		writes, _ := l.state.DeleteContext(".x")
		l.append(writes)
	}
}

func randomRegistration(t *rapid.T, subject string) Registration {
	q := plain(subject, rapid.SliceOfNDistinct(fields, 1, 3, rapid.ID).Draw(t, "fields")...)
	q.ID = rapid.SampledFrom([]int{NoID, NoID, 1, 2, 40}).Draw(t, "id")
	q.Version = rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, Latest}).Draw(t, "version")
	q.Normalize = rapid.Bool().Draw(t, "normalize")
	if rapid.IntRange(0, 3).Draw(t, "referring") == 0 {
		q.Schema.References = []schema.Reference{{Name: "R" + subject, Subject: subjects.Draw(t, "to"), Version: rapid.SampledFrom([]int{1, 2, Latest}).Draw(t, "at")}}
	}
	if rapid.IntRange(0, 3).Draw(t, "described") == 0 {
		q.Schema.Metadata = &schema.Metadata{Properties: map[string]string{"owner": fields.Draw(t, "owner")}}
	}
	return q
}

// checkIDs is S2: within a context one content to an id.
func checkIDs(t *rapid.T, s *State) {
	for name, c := range s.contexts {
		for id, versions := range c.versions {
			for _, v := range versions {
				if v.Digest != versions[0].Digest {
					t.Fatalf("S2: id %d of context %s has two contents\n%s", id, name, s.Dump())
				}
			}
		}
	}
}
