package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Dir counts the syncs of one log directory.
type Dir struct{ syncs prometheus.Observer }

// Dir returns a directory's counters.
func (m *Metrics) Dir(path string) *Dir { return &Dir{m.syncs.WithLabelValues(label(path))} }

// Synced counts one log that was made durable. On nil it counts nothing.
func (d *Dir) Synced(took time.Duration) {
	if d != nil {
		d.syncs.Observe(float64(took) / float64(time.Millisecond))
	}
}
