package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Schemas counts what a schema registry does.
type Schemas struct {
	times        *prometheus.HistogramVec
	hits, misses prometheus.Counter
	collector    *schemasCollector
}

type schemasFamilies struct {
	times     *prometheus.HistogramVec
	parsed    *prometheus.CounterVec
	collector *schemasCollector
}

func newSchemasFamilies(r *prometheus.Registry) schemasFamilies {
	f := schemasFamilies{times: histograms(r, "millrace_schemas_request_time_ms"), parsed: counters(r, "millrace_schemas_parsed_total"),
		collector: &schemasCollector{}}
	r.MustRegister(f.collector)
	return f
}

func (f schemasFamilies) open() *Schemas {
	return &Schemas{f.times, f.parsed.WithLabelValues("hit"), f.parsed.WithLabelValues("miss"), f.collector}
}

// Schemas returns the counters of the schema registry in the node.
func (m *Metrics) Schemas() *Schemas { return m.schemas.open() }

// NewSchemas are the metrics of a schema registry that is a program of its own; version is the program's.
func NewSchemas(version string) (*Schemas, http.Handler) {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauges(r, "millrace_build_info").WithLabelValues(version).Set(1)
	return newSchemasFamilies(r).open(), promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// httpMethods are the ones that become labels; a client may send any word.
var httpMethods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true, "OPTIONS": true, "PATCH": true}

// Answered counts a request; route is the pattern of its path, empty where there is none.
func (s *Schemas) Answered(method, route string, status int, took time.Duration) {
	if !httpMethods[method] {
		method = Other
	}
	if route == "" {
		route = Other
	}
	s.times.WithLabelValues(method, route, strconv.Itoa(status)).Observe(float64(took) / float64(time.Millisecond))
}

// Parsed counts a schema that was asked of the cache of parsed ones.
func (s *Schemas) Parsed(hit bool) {
	if hit {
		s.hits.Inc()
	} else {
		s.misses.Inc()
	}
}

// SchemasState is what is told of a schema registry when somebody scrapes.
type SchemasState struct {
	// Open: it follows its topic. Writes: it may also write.
	Open, Writes       bool
	Versions, Subjects int
	NextOffset         int64
}

// Ask says where to ask for the state.
func (s *Schemas) Ask(ask func() SchemasState) { s.collector.ask.Store(&ask) }

var (
	schemasOpen     = desc("millrace_schemas_open")
	schemasWriter   = desc("millrace_schemas_writer")
	schemasVersions = desc("millrace_schemas_versions")
	schemasSubjects = desc("millrace_schemas_subjects")
	schemasNext     = desc("millrace_schemas_next_offset")
)

type schemasCollector struct {
	ask atomic.Pointer[func() SchemasState]
}

func (c *schemasCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{schemasOpen, schemasWriter, schemasVersions, schemasSubjects, schemasNext} {
		ch <- d
	}
}

func (c *schemasCollector) Collect(ch chan<- prometheus.Metric) {
	ask := c.ask.Load()
	if ask == nil {
		return
	}
	s := (*ask)()
	emit(ch, schemasOpen, oneIf(s.Open))
	emit(ch, schemasWriter, oneIf(s.Writes))
	emit(ch, schemasVersions, int64(s.Versions))
	emit(ch, schemasSubjects, int64(s.Subjects))
	emit(ch, schemasNext, s.NextOffset)
}
