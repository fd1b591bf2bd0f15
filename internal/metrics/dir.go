package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type dirFamilies struct {
	syncs                              *prometheus.HistogramVec
	synced                             *prometheus.CounterVec
	offline, remaining, free, capacity *prometheus.GaugeVec
}

func newDirFamilies(r *prometheus.Registry) dirFamilies {
	return dirFamilies{
		syncs:     histograms(r, "kafka_log_logflushstats_logflushrateandtimems"),
		synced:    counters(r, "millrace_log_synced_logs_total"),
		offline:   gauges(r, "kafka_log_logmanager_logdirectoryoffline"),
		remaining: gauges(r, "kafka_log_logmanager_remaininglogstorecover"),
		free:      gauges(r, "millrace_log_directory_free_bytes"),
		capacity:  gauges(r, "millrace_log_directory_size_bytes"),
	}
}

// Dir counts what happens to one data directory.
type Dir struct {
	syncs                              prometheus.Observer
	synced                             prometheus.Counter
	offline, remaining, free, capacity prometheus.Gauge
}

// Dir returns a directory's counters.
func (m *Metrics) Dir(path string) *Dir {
	d, path := m.dirs, label(path)
	return &Dir{d.syncs.WithLabelValues(path), d.synced.WithLabelValues(path), d.offline.WithLabelValues(path),
		d.remaining.WithLabelValues(path), d.free.WithLabelValues(path), d.capacity.WithLabelValues(path)}
}

// Synced counts one sync to disk that made this many logs durable.
func (d *Dir) Synced(logs int, took time.Duration) {
	d.syncs.Observe(float64(took) / float64(time.Millisecond))
	d.synced.Add(float64(logs))
}

// Offline says that the directory failed.
func (d *Dir) Offline() { d.offline.Set(1) }

// Remaining says how many logs still have to be recovered.
func (d *Dir) Remaining(logs int) { d.remaining.Set(float64(logs)) }

// Space says how much the file system holds.
func (d *Dir) Space(free, total int64) { d.free.Set(float64(free)); d.capacity.Set(float64(total)) }
