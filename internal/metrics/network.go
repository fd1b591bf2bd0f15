package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

type networkFamilies struct {
	open                                       *prometheus.GaugeVec
	created, closed, expired, refused, invalid *prometheus.CounterVec

	software *softwareCounts
}

func newNetworkFamilies(r *prometheus.Registry, dropped *prometheus.CounterVec) networkFamilies {
	const prefix = "kafka_server_socket_server_metrics_"
	return networkFamilies{
		open:    gauges(r, prefix+"connection_count"),
		created: counters(r, prefix+"connection_creation_total"),
		closed:  counters(r, prefix+"connection_close_total"),
		expired: counters(r, "kafka_server_socketserver_expiredconnectionskilledcount_total"),
		refused: counters(r, "millrace_network_refused_connections_total"),
		invalid: counters(r, "millrace_network_bad_frames_total"),
		software: &softwareCounts{
			gauge: gauges(r, prefix+"connections"), dropped: dropped.WithLabelValues(prefix + "connections"), open: map[software]int{},
		},
	}
}

// Listener counts the connections of one listener.
type Listener struct {
	open                                       prometheus.Gauge
	created, closed, expired, refused, invalid prometheus.Counter
}

// Listener returns a listener's counters.
func (m *Metrics) Listener(name string) *Listener {
	n := m.network
	return &Listener{n.open.WithLabelValues(name), n.created.WithLabelValues(name), n.closed.WithLabelValues(name),
		n.expired.WithLabelValues(name), n.refused.WithLabelValues(name), n.invalid.WithLabelValues(name)}
}

// Opened counts a connection that was accepted; Closed must follow.
func (l *Listener) Opened() { l.created.Inc(); l.open.Inc() }

// Closed counts the end of an accepted connection.
func (l *Listener) Closed() { l.closed.Inc(); l.open.Dec() }

// Expired counts a connection that was silent for too long.
func (l *Listener) Expired() { l.expired.Inc() }

// Refused counts a connection that was one too many.
func (l *Listener) Refused() { l.refused.Inc() }

// BadFrame counts a connection that did not speak Kafka's protocol.
func (l *Listener) BadFrame() { l.invalid.Inc() }

type software struct{ name, version string }

// softwareCounts keeps the label values of programs that are connected, and of no others.
type softwareCounts struct {
	gauge   *prometheus.GaugeVec
	dropped prometheus.Counter

	mu   sync.Mutex
	open map[software]int // guarded by mu
}

// ClientConnected counts a connection by what its client calls itself; the returned function counts its end.
func (m *Metrics) ClientConnected(name, version string) (disconnected func()) {
	s := m.network.software
	key := s.add(software{label(name), label(version)})
	return func() { s.remove(key) }
}

func (s *softwareCounts) add(key software) software {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.open[key]; !known && len(s.open) >= maxSoftware {
		s.dropped.Inc()
		key = software{Other, Other}
	}
	s.open[key]++
	s.gauge.WithLabelValues(key.name, key.version).Set(float64(s.open[key]))
	return key
}

func (s *softwareCounts) remove(key software) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key]--; s.open[key] > 0 {
		s.gauge.WithLabelValues(key.name, key.version).Set(float64(s.open[key]))
		return
	}
	delete(s.open, key)
	s.gauge.DeleteLabelValues(key.name, key.version)
}
