package registry

import "millrace/internal/apps/registry/state"

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

func findFaults(q *request) (reply any, err error) {
	if err := q.may(Describe, ""); err != nil {
		return nil, err
	}
	q.Look(func(s *state.State) { reply = listing(s.Fsck()) })
	return reply, nil
}

// mendFaults answers what it found, mended or not.
func mendFaults(q *request) (any, error) {
	if err := q.may(Alter, ""); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, faults, *state.Error) {
		findings := s.Fsck()
		var writes []state.Write
		for _, f := range findings {
			writes = append(writes, f.Mend...)
		}
		return writes, listing(findings), nil
	})
}
