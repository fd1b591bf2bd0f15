package registry

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// /v1/fsck: what is wrong with the log (GET), and mending what can be mended without a person's decision (POST). No other registry
// has it; it is what millrace schema fsck calls, since only the registry writes its topic.
func fsckRoutes() []route {
	return []route{on("/v1/fsck", map[string]func(*request) (any, error){"GET": findFaults, "POST": mendFaults})}
}

type faults struct {
	Findings []found `json:"findings"`
}

type found struct {
	state.Finding
	CanMend bool `json:"canMend"`
}

func listing(findings []state.Finding) faults {
	all := faults{Findings: []found{}}
	for _, f := range findings {
		all.Findings = append(all.Findings, found{f, len(f.Mend) > 0})
	}
	return all
}

func findFaults(q *request) (any, error) {
	if err := q.may(Describe, ""); err != nil {
		return nil, err
	}
	unparsed, err := q.unparsed()
	if err != nil {
		return nil, err
	}
	var findings []state.Finding
	q.Look(func(s *state.State) { findings = s.Fsck() })
	return listing(with(findings, unparsed)), nil
}

// unparsed are the versions that their formats refuse. They are parsed one by one, past the cache, which is for schemas in use, and in
// the lane of large texts (P1). One that takes too long may be a good one on a busy day: it is not told.
func (q *request) unparsed() (findings []state.Finding, err error) {
	var all []*state.Version
	q.Look(func(s *state.State) { all = s.All() })
	for _, v := range all {
		if q.lanes.large.enter(q.ctx) != nil {
			return nil, timedOut()
		}
		_, why := q.readStored(v, schema.Parse)
		q.lanes.large.leave()
		if why != nil && schema.KindOf(why) != schema.TooSlow {
			findings = append(findings, state.Unparsed(v, why))
		}
	}
	return findings, nil
}

// with adds the versions that cannot be parsed, unless there is a finding already that says why.
func with(findings, unparsed []state.Finding) []state.Finding {
	told := map[string]bool{}
	name := func(f state.Finding) string { return fmt.Sprintf("%d of %s", f.Version, f.Subject) }
	for _, f := range findings {
		told[name(f)] = true
	}
	unparsed = slices.DeleteFunc(unparsed, func(f state.Finding) bool { return told[name(f)] })
	slices.SortFunc(unparsed, func(a, b state.Finding) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	return append(findings, unparsed...)
}

// mendFaults answers what it found, mended or not.
func mendFaults(q *request) (any, error) {
	if err := q.may(Alter, ""); err != nil {
		return nil, err
	}
	unparsed, err := q.unparsed()
	if err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, faults, *state.Error) {
		findings := s.Fsck()
		var writes []state.Write
		for _, f := range findings {
			writes = append(writes, f.Mend...)
		}
		return writes, listing(with(findings, unparsed)), nil
	})
}
