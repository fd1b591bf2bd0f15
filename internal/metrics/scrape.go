package metrics

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Partition is what is told of one partition when somebody scrapes.
type Partition struct {
	Topic                                                  string
	ID                                                     int32
	Leader, Offline                                        bool
	SizeBytes, LogStart, LogEnd, HighWatermark, LastStable int64
}

// Partitions says where to ask for partitions. each is called at every scrape, from any goroutine.
func (m *Metrics) Partitions(each func(yield func(Partition) bool)) { m.partitions.each.Store(&each) }

// LogDir is what is told of one log directory.
type LogDir struct {
	Path string
	// Offline: it failed and is no longer written.
	Offline bool
	// Remaining are the logs that are still to be recovered.
	Remaining             int
	FreeBytes, TotalBytes int64
}

// LogDirs says where to ask for log directories.
func (m *Metrics) LogDirs(ask func() []LogDir) { m.logDirs.ask.Store(&ask) }

// Broker is what is told of the requests that a broker holds.
type Broker struct {
	// ParkedFetches wait for records, ParkedProduces for their acknowledgement.
	ParkedFetches, ParkedProduces int
	FetchSessions                 int
	// InFlightBytes are requests read and not answered; DecodingBytes is what they may become when decoded.
	InFlightBytes, DecodingBytes int64
}

// Broker says where to ask for the requests that are held.
func (m *Metrics) Broker(ask func() Broker) { m.broker.ask.Store(&ask) }

// Controller is what is told of the cluster.
type Controller struct {
	Active                                                                    bool
	ActiveBrokers, FencedBrokers, Topics, Partitions, PartitionsWithoutLeader int
}

// Controller says where to ask for the cluster.
func (m *Metrics) Controller(ask func() Controller) { m.controller.ask.Store(&ask) }

// GroupOffset is what is told of one partition that a group has committed.
type GroupOffset struct {
	Group, Topic   string
	Partition      int32
	Committed, Lag int64
}

// Groups says where to ask for group lag. An error leaves the groups out of this scrape and says so.
func (m *Metrics) Groups(ask func() ([]GroupOffset, error)) { m.groups.ask.Store(&ask) }

func desc(name string) *prometheus.Desc {
	row := find(name, gauge)
	return prometheus.NewDesc(name, row.Help, row.Labels, nil)
}

func emit(ch chan<- prometheus.Metric, d *prometheus.Desc, v int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
}

var (
	partitionCount = desc("kafka_server_replicamanager_partitioncount")
	leaderCount    = desc("kafka_server_replicamanager_leadercount")
	offlineCount   = desc("kafka_server_replicamanager_offlinereplicacount")
	logSize        = desc("kafka_log_log_size")
	logStart       = desc("kafka_log_log_logstartoffset")
	logEnd         = desc("kafka_log_log_logendoffset")
	highWatermark  = desc("millrace_log_high_watermark")
	lastStable     = desc("millrace_log_last_stable_offset")
)

type partitionCollector struct {
	each    atomic.Pointer[func(yield func(Partition) bool)]
	dropped *prometheus.CounterVec
}

func (c *partitionCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{partitionCount, leaderCount, offlineCount, logSize, logStart, logEnd, highWatermark, lastStable} {
		ch <- d
	}
}

func (c *partitionCollector) Collect(ch chan<- prometheus.Metric) {
	each := c.each.Load()
	if each == nil {
		return
	}
	var count, leaders, offline int64
	(*each)(func(p Partition) bool {
		count++
		if p.Leader {
			leaders++
		}
		if p.Offline {
			offline++
		}
		if count > maxPartitions {
			c.dropped.WithLabelValues("kafka_log_log_*").Inc()
			return true
		}
		c.one(ch, p)
		return true
	})
	emit(ch, partitionCount, count)
	emit(ch, leaderCount, leaders)
	emit(ch, offlineCount, offline)
}

func (c *partitionCollector) one(ch chan<- prometheus.Metric, p Partition) {
	topic, id := label(p.Topic), strconv.Itoa(int(p.ID))
	emit(ch, logSize, p.SizeBytes, topic, id)
	emit(ch, logStart, p.LogStart, topic, id)
	emit(ch, logEnd, p.LogEnd, topic, id)
	emit(ch, highWatermark, p.HighWatermark, topic, id)
	emit(ch, lastStable, p.LastStable, topic, id)
}

var (
	dirOffline   = desc("kafka_log_logmanager_logdirectoryoffline")
	dirRemaining = desc("kafka_log_logmanager_remaininglogstorecover")
	dirFree      = desc("millrace_log_directory_free_bytes")
	dirTotal     = desc("millrace_log_directory_size_bytes")
)

type logDirCollector struct {
	ask atomic.Pointer[func() []LogDir]
}

func (c *logDirCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{dirOffline, dirRemaining, dirFree, dirTotal} {
		ch <- d
	}
}

func (c *logDirCollector) Collect(ch chan<- prometheus.Metric) {
	ask := c.ask.Load()
	if ask == nil {
		return
	}
	for _, d := range (*ask)() {
		path := label(d.Path)
		emit(ch, dirOffline, oneIf(d.Offline), path)
		emit(ch, dirRemaining, int64(d.Remaining), path)
		emit(ch, dirFree, d.FreeBytes, path)
		emit(ch, dirTotal, d.TotalBytes, path)
	}
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var (
	purgatorySize = desc("kafka_server_delayedoperationpurgatory_purgatorysize")
	fetchSessions = desc("kafka_server_fetchsessioncache_numincrementalfetchsessions")
	requestMemory = desc("millrace_request_memory_bytes")
)

type brokerCollector struct {
	ask atomic.Pointer[func() Broker]
}

func (c *brokerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{purgatorySize, fetchSessions, requestMemory} {
		ch <- d
	}
}

func (c *brokerCollector) Collect(ch chan<- prometheus.Metric) {
	ask := c.ask.Load()
	if ask == nil {
		return
	}
	b := (*ask)()
	emit(ch, purgatorySize, int64(b.ParkedFetches), "Fetch")
	emit(ch, purgatorySize, int64(b.ParkedProduces), "Produce")
	emit(ch, fetchSessions, int64(b.FetchSessions))
	emit(ch, requestMemory, b.InFlightBytes, "in flight")
	emit(ch, requestMemory, b.DecodingBytes, "decoding")
}

var (
	activeController = desc("kafka_controller_kafkacontroller_activecontrollercount")
	activeBrokers    = desc("kafka_controller_kafkacontroller_activebrokercount")
	fencedBrokers    = desc("kafka_controller_kafkacontroller_fencedbrokercount")
	globalTopics     = desc("kafka_controller_kafkacontroller_globaltopiccount")
	globalPartitions = desc("kafka_controller_kafkacontroller_globalpartitioncount")
	offlineGlobal    = desc("kafka_controller_kafkacontroller_offlinepartitionscount")
)

type controllerCollector struct {
	ask atomic.Pointer[func() Controller]
}

func (c *controllerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{activeController, activeBrokers, fencedBrokers, globalTopics, globalPartitions, offlineGlobal} {
		ch <- d
	}
}

func (c *controllerCollector) Collect(ch chan<- prometheus.Metric) {
	ask := c.ask.Load()
	if ask == nil {
		return
	}
	s := (*ask)()
	emit(ch, activeController, oneIf(s.Active))
	emit(ch, activeBrokers, int64(s.ActiveBrokers))
	emit(ch, fencedBrokers, int64(s.FencedBrokers))
	emit(ch, globalTopics, int64(s.Topics))
	emit(ch, globalPartitions, int64(s.Partitions))
	emit(ch, offlineGlobal, int64(s.PartitionsWithoutLeader))
}

var (
	groupLag       = desc("millrace_group_lag")
	groupCommitted = desc("millrace_group_committed_offset")
	groupsKnown    = desc("millrace_group_lag_known")
)

type groupCollector struct {
	ask     atomic.Pointer[func() ([]GroupOffset, error)]
	dropped *prometheus.CounterVec
}

func (c *groupCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- groupLag
	ch <- groupCommitted
	ch <- groupsKnown
}

func (c *groupCollector) Collect(ch chan<- prometheus.Metric) {
	ask := c.ask.Load()
	if ask == nil {
		return
	}
	rows, err := (*ask)()
	if err != nil {
		emit(ch, groupsKnown, 0)
		return
	}
	if over := len(rows) - maxGroupRows; over > 0 {
		c.dropped.WithLabelValues("millrace_group_*").Add(float64(over))
		rows = rows[:maxGroupRows]
	}
	seen := make(map[GroupOffset]bool, len(rows)) // two names may become one label: a series twice would spoil the scrape
	for _, r := range rows {
		key := GroupOffset{Group: label(r.Group), Topic: label(r.Topic), Partition: r.Partition}
		if seen[key] {
			continue
		}
		seen[key] = true
		id := strconv.Itoa(int(r.Partition))
		emit(ch, groupLag, r.Lag, key.Group, key.Topic, id)
		emit(ch, groupCommitted, r.Committed, key.Group, key.Topic, id)
	}
	emit(ch, groupsKnown, 1)
}
