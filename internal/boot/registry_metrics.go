package boot

import (
	"millrace/internal/apps/registry"
	"millrace/internal/apps/registry/state"
	"millrace/internal/metrics"
)

// counted are the registry's hooks that count.
func counted(m *metrics.Schemas) registry.Metrics {
	return registry.Metrics{Request: m.Answered, Parsed: m.Parsed}
}

// stateOf is what a scrape is told of a registry; nil is one that is not open.
func stateOf(r *registry.Registry) (s metrics.SchemasState) {
	if r == nil {
		return s
	}
	s.Open, s.Writes = true, r.Writes()
	r.Look(func(now *state.State) {
		s.Versions, s.Subjects = now.Counts()
		s.NextOffset = now.Next()
	})
	return s
}
