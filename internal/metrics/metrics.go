// Package metrics is what a node counts, and its exposition to Prometheus. Names are Kafka's in Prometheus form where
// Kafka has one (kafka_server_brokertopicmetrics_messagesin_total) and begin with millrace_ where it has none. Every
// metric stands in one table, from which docs/metrics.md is generated.
//
// Code on the hot path asks once for what it counts with (API, Topic, Listener, Dir) and keeps it: counting is then an
// atomic addition. What exists per partition, directory or group is not counted at all but asked for when somebody scrapes.
//
// Labels come from clients, so their number is bounded: beyond the bound everything further shares the label
// "(other)", and millrace_metrics_dropped_series_total says that it happened.
package metrics

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Other is the label of everything beyond a bound. No topic can have this name.
const Other = "(other)"

// Bounds on labels that clients make.
const (
	maxTopics     = 1_000
	maxSoftware   = 200
	maxPartitions = 10_000
	maxGroupRows  = 10_000
	maxLabel      = 255
)

// Metrics is one node's registry with everything that is in the table.
type Metrics struct {
	registry *prometheus.Registry

	requests   requestFamilies
	topics     topicFamilies
	network    networkFamilies
	syncs      *prometheus.HistogramVec
	dropped    *prometheus.CounterVec
	partitions *partitionCollector
	logDirs    *logDirCollector
	broker     *brokerCollector
	controller *controllerCollector
	groups     *groupCollector
	schemas    schemasFamilies

	// State is Kafka's broker state: 1 starting, 2 recovering, 3 running, 6 stopping.
	State prometheus.Gauge
}

// New makes a node's metrics; version is the program's.
func New(version string) *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{registry: r, dropped: counters(r, "millrace_metrics_dropped_series_total")}
	m.requests = newRequestFamilies(r)
	m.topics = newTopicFamilies(r, m.dropped)
	m.network = newNetworkFamilies(r, m.dropped)
	m.syncs = histograms(r, "kafka_log_logflushstats_logflushrateandtimems")
	m.partitions = &partitionCollector{dropped: m.dropped}
	m.logDirs, m.broker = &logDirCollector{}, &brokerCollector{}
	m.controller = &controllerCollector{}
	m.groups = &groupCollector{dropped: m.dropped}
	r.MustRegister(m.partitions, m.logDirs, m.broker, m.controller, m.groups, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.schemas = newSchemasFamilies(r)
	m.State = gauges(r, "kafka_server_kafkaserver_brokerstate").WithLabelValues()
	gauges(r, "millrace_build_info").WithLabelValues(version).Set(1)
	return m
}

// Handler serves the metrics. A collector that fails leaves its own metrics out, not the others.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Registry takes further collectors.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

func counters(r *prometheus.Registry, name string) *prometheus.CounterVec {
	row := find(name, counter)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: row.Help}, row.Labels)
	r.MustRegister(v)
	return v
}

func gauges(r *prometheus.Registry, name string) *prometheus.GaugeVec {
	row := find(name, gauge)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: row.Help}, row.Labels)
	r.MustRegister(v)
	return v
}

// milliseconds are the bounds of every histogram of times.
var milliseconds = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000}

func histograms(r *prometheus.Registry, name string) *prometheus.HistogramVec {
	row := find(name, histogram)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: row.Help, Buckets: milliseconds}, row.Labels)
	r.MustRegister(v)
	return v
}

// label makes a label value of what a client sent: UTF-8, without control characters, not too long.
func label(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return '\ufffd'
			}
			return r
		}, s)
	}
	for len(s) > maxLabel {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
