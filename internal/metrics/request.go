package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type requestFamilies struct {
	requests, errors, bytesIn, bytesOut *prometheus.CounterVec
	times                               *prometheus.HistogramVec
}

func newRequestFamilies(r *prometheus.Registry) requestFamilies {
	return requestFamilies{
		requests: counters(r, "kafka_network_requestmetrics_requests_total"),
		errors:   counters(r, "kafka_network_requestmetrics_errors_total"),
		bytesIn:  counters(r, "kafka_network_requestmetrics_requestbytes_total"),
		bytesOut: counters(r, "kafka_network_requestmetrics_responsebytes_total"),
		times:    histograms(r, "kafka_network_requestmetrics_totaltimems"),
	}
}

// API counts the requests of one API. Make it once and keep it.
type API struct {
	requests, bytesIn, bytesOut prometheus.Counter
	times                       prometheus.Observer
	failures                    *prometheus.CounterVec
	codes                       [maxCode + 2]atomic.Pointer[prometheus.Counter] // by error code + 1
}

const maxCode = 200

// API returns the counters of an API by its name, such as "Produce".
func (m *Metrics) API(name string) *API {
	f := m.requests
	return &API{
		requests: f.requests.WithLabelValues(name),
		bytesIn:  f.bytesIn.WithLabelValues(name),
		bytesOut: f.bytesOut.WithLabelValues(name),
		times:    f.times.WithLabelValues(name),
		failures: f.errors.MustCurryWith(prometheus.Labels{"request": name}),
	}
}

// Answered counts one request: what it weighed, what its answer weighs and how long it took.
func (a *API) Answered(requestBytes, responseBytes int, took time.Duration) {
	a.requests.Inc()
	a.bytesIn.Add(float64(requestBytes))
	a.bytesOut.Add(float64(responseBytes))
	a.times.Observe(float64(took) / float64(time.Millisecond))
}

// Failed counts one error code in an answer. name is Kafka's name of the code; code 0 is not counted.
func (a *API) Failed(code int16, name string) {
	i := int(code) + 1
	if code == 0 || i < 0 || i >= len(a.codes) {
		return
	}
	c := a.codes[i].Load()
	if c == nil {
		made := a.failures.WithLabelValues(name)
		c = &made
		a.codes[i].Store(c)
	}
	(*c).Inc()
}

type topicFamilies struct {
	mu      sync.Mutex
	handles map[string]*Topic
	dropped prometheus.Counter

	messages, bytesIn, bytesOut, produces, fetches, failedProduces, failedFetches *prometheus.CounterVec
}

func newTopicFamilies(r *prometheus.Registry, dropped *prometheus.CounterVec) topicFamilies {
	const prefix = "kafka_server_brokertopicmetrics_"
	return topicFamilies{
		handles:        map[string]*Topic{},
		dropped:        dropped.WithLabelValues(prefix + "*"),
		messages:       counters(r, prefix+"messagesin_total"),
		bytesIn:        counters(r, prefix+"bytesin_total"),
		bytesOut:       counters(r, prefix+"bytesout_total"),
		produces:       counters(r, prefix+"totalproducerequests_total"),
		fetches:        counters(r, prefix+"totalfetchrequests_total"),
		failedProduces: counters(r, prefix+"failedproducerequests_total"),
		failedFetches:  counters(r, prefix+"failedfetchrequests_total"),
	}
}

// Topic counts what goes in and out of one topic. Ask for it when a partition is opened and keep it.
type Topic struct {
	messages, bytesIn, bytesOut, produces, fetches, failedProduces, failedFetches prometheus.Counter
}

// Topic returns a topic's counters; beyond the bound on topics, those of all others together.
func (m *Metrics) Topic(name string) *Topic {
	f := &m.topics
	f.mu.Lock()
	defer f.mu.Unlock()
	name = label(name)
	if t := f.handles[name]; t != nil {
		return t
	}
	if len(f.handles) >= maxTopics {
		f.dropped.Inc()
		if t := f.handles[Other]; t != nil {
			return t
		}
		name = Other
	}
	t := &Topic{
		messages: f.messages.WithLabelValues(name), bytesIn: f.bytesIn.WithLabelValues(name), bytesOut: f.bytesOut.WithLabelValues(name),
		produces: f.produces.WithLabelValues(name), fetches: f.fetches.WithLabelValues(name),
		failedProduces: f.failedProduces.WithLabelValues(name), failedFetches: f.failedFetches.WithLabelValues(name),
	}
	f.handles[name] = t
	return t
}

// DropTopic forgets the counters of a deleted topic.
func (m *Metrics) DropTopic(name string) {
	f := &m.topics
	f.mu.Lock()
	defer f.mu.Unlock()
	name = label(name)
	if f.handles[name] == nil {
		return
	}
	delete(f.handles, name)
	for _, v := range []*prometheus.CounterVec{f.messages, f.bytesIn, f.bytesOut, f.produces, f.fetches, f.failedProduces, f.failedFetches} {
		v.DeleteLabelValues(name)
	}
}

// Produced counts one batch that was appended.
func (t *Topic) Produced(records, bytes int) {
	t.produces.Inc()
	t.messages.Add(float64(records))
	t.bytesIn.Add(float64(bytes))
}

// ProduceFailed counts one batch that was refused.
func (t *Topic) ProduceFailed() { t.produces.Inc(); t.failedProduces.Inc() }

// Fetched counts one read of a partition for a consumer.
func (t *Topic) Fetched(bytes int) { t.fetches.Inc(); t.bytesOut.Add(float64(bytes)) }

// FetchFailed counts one read that was refused.
func (t *Topic) FetchFailed() { t.fetches.Inc(); t.failedFetches.Inc() }
