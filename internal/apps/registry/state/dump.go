package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Dump is the whole state as text, for tests and for comparing two registries.
func (s *State) Dump() string {
	var b strings.Builder
	for _, subject := range slices.Sorted(maps.Keys(s.subjects)) {
		for _, v := range s.subjects[subject] {
			fmt.Fprintf(&b, "%s/%d offset=%d time=%d %s %s\n", subject, v.Version, v.Offset, v.Time, v.Digest.GUID(), v.value())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.contexts)) {
		c := s.contexts[name]
		fmt.Fprintf(&b, "highest of %s: %+v, kept %+v\n", name, c.highest, c.kept)
		if len(c.versions) == 0 {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(c.versions)) {
			fmt.Fprintf(&b, "id %s %d:", name, id)
			for _, v := range c.versions[id] {
				fmt.Fprintf(&b, " %s/%d %v", v.Subject, v.Version, c.digests[v.Digest])
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "contents of %s: %d\n", name, len(c.digests))
	}
	for _, name := range slices.Sorted(maps.Keys(s.configs)) {
		fmt.Fprintf(&b, "config %q %s\n", name, marshal(s.configs[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.modes)) {
		fmt.Fprintf(&b, "mode %q %s\n", name, s.modes[name])
	}
	fmt.Fprintf(&b, "contexts %v\nreferrers %d\n", slices.Sorted(maps.Keys(s.named)), len(s.referrer))
	for l, f := range sortedForms(s.keys) {
		fmt.Fprintf(&b, "key %v %v %t\n", l, s.forms(l), f.undue)
	}
	for _, f := range s.Fsck() {
		fmt.Fprintf(&b, "finding %s %s\n", f.Kind, f.Words)
	}
	return b.String()
}

func sortedForms(keys map[logicalKey]*forms) func(yield func(logicalKey, *forms) bool) {
	order := slices.SortedFunc(maps.Keys(keys), func(a, b logicalKey) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return func(yield func(logicalKey, *forms) bool) {
		for _, l := range order {
			if !yield(l, keys[l]) {
				return
			}
		}
	}
}
