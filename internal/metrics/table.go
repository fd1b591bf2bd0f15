package metrics

import (
	"fmt"
	"slices"
	"strings"
)

type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// Metric is one row of the table.
type Metric struct {
	Name   string
	Kind   kind
	Labels []string
	// Kafka is the JMX name it stands for; empty when Kafka has none.
	Kafka string
	Help  string
}

var table = []Metric{
	{"kafka_server_brokertopicmetrics_messagesin_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec", "Records appended."},
	{"kafka_server_brokertopicmetrics_bytesin_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec", "Bytes of record batches received from producers."},
	{"kafka_server_brokertopicmetrics_bytesout_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec", "Bytes of record batches sent to consumers."},
	{"kafka_server_brokertopicmetrics_totalproducerequests_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=TotalProduceRequestsPerSec", "Partitions of Produce requests."},
	{"kafka_server_brokertopicmetrics_totalfetchrequests_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=TotalFetchRequestsPerSec", "Partitions of Fetch requests that were read."},
	{"kafka_server_brokertopicmetrics_failedproducerequests_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=FailedProduceRequestsPerSec", "Partitions of Produce requests that were answered with an error."},
	{"kafka_server_brokertopicmetrics_failedfetchrequests_total", counter, []string{"topic"}, "kafka.server:type=BrokerTopicMetrics,name=FailedFetchRequestsPerSec", "Partitions of Fetch requests that were answered with an error."},

	{"kafka_network_requestmetrics_requests_total", counter, []string{"request"}, "kafka.network:type=RequestMetrics,name=RequestsPerSec", "Requests answered, by API."},
	{"kafka_network_requestmetrics_errors_total", counter, []string{"request", "error"}, "kafka.network:type=RequestMetrics,name=ErrorsPerSec", "Error codes in answers, by API; NONE is not counted."},
	{"kafka_network_requestmetrics_totaltimems", histogram, []string{"request"}, "kafka.network:type=RequestMetrics,name=TotalTimeMs", "Milliseconds from the last byte of a request to its answer, by API."},
	{"kafka_network_requestmetrics_requestbytes_total", counter, []string{"request"}, "kafka.network:type=RequestMetrics,name=RequestBytes", "Bytes of requests, by API."},
	{"kafka_network_requestmetrics_responsebytes_total", counter, []string{"request"}, "", "Bytes of answers, by API."},

	{"kafka_server_socket_server_metrics_connection_count", gauge, []string{"listener"}, "kafka.server:type=socket-server-metrics,name=connection-count", "Open connections."},
	{"kafka_server_socket_server_metrics_connection_creation_total", counter, []string{"listener"}, "kafka.server:type=socket-server-metrics,name=connection-creation-total", "Connections accepted."},
	{"kafka_server_socket_server_metrics_connection_close_total", counter, []string{"listener"}, "kafka.server:type=socket-server-metrics,name=connection-close-total", "Connections closed."},
	{"kafka_server_socket_server_metrics_connections", gauge, []string{"client_software_name", "client_software_version"}, "kafka.server:type=socket-server-metrics,clientSoftwareName=*,clientSoftwareVersion=*,name=connections", "Open connections by the client's own name and version."},
	{"kafka_server_socketserver_expiredconnectionskilledcount_total", counter, []string{"listener"}, "kafka.network:type=SocketServer,name=ExpiredConnectionsKilledCount", "Connections closed because they were silent."},
	{"millrace_network_refused_connections_total", counter, []string{"listener"}, "", "Connections closed at once, because there were too many."},
	{"millrace_network_bad_frames_total", counter, []string{"listener"}, "", "Connections closed because what they sent was no Kafka request."},
	{"millrace_request_memory_bytes", gauge, []string{"use"}, "", "Memory reserved for requests: read and not yet answered, or being decoded."},

	{"kafka_server_delayedoperationpurgatory_purgatorysize", gauge, []string{"delayed_operation"}, "kafka.server:type=DelayedOperationPurgatory,name=PurgatorySize", "Requests that wait for records or for their acknowledgement."},
	{"kafka_server_fetchsessioncache_numincrementalfetchsessions", gauge, nil, "kafka.server:type=FetchSessionCache,name=NumIncrementalFetchSessions", "Fetch sessions remembered."},
	{"kafka_server_kafkaserver_brokerstate", gauge, nil, "kafka.server:type=KafkaServer,name=BrokerState", "1 starting, 2 recovering, 3 running, 6 stopping."},

	{"kafka_server_replicamanager_partitioncount", gauge, nil, "kafka.server:type=ReplicaManager,name=PartitionCount", "Partitions on this node."},
	{"kafka_server_replicamanager_leadercount", gauge, nil, "kafka.server:type=ReplicaManager,name=LeaderCount", "Partitions this node leads."},
	{"kafka_server_replicamanager_offlinereplicacount", gauge, nil, "kafka.server:type=ReplicaManager,name=OfflineReplicaCount", "Partitions of this node whose directory is offline."},
	{"kafka_log_log_size", gauge, []string{"topic", "partition"}, "kafka.log:type=Log,name=Size", "Bytes of a partition's log."},
	{"kafka_log_log_logstartoffset", gauge, []string{"topic", "partition"}, "kafka.log:type=Log,name=LogStartOffset", "First offset of a partition."},
	{"kafka_log_log_logendoffset", gauge, []string{"topic", "partition"}, "kafka.log:type=Log,name=LogEndOffset", "Offset the next record of a partition will get."},
	{"millrace_log_high_watermark", gauge, []string{"topic", "partition"}, "", "Offset up to which a partition is committed."},
	{"millrace_log_last_stable_offset", gauge, []string{"topic", "partition"}, "", "Offset up to which no transaction is open."},

	{"kafka_log_logflushstats_logflushrateandtimems", histogram, []string{"log_directory"}, "kafka.log:type=LogFlushStats,name=LogFlushRateAndTimeMs", "Milliseconds it takes to make a log durable."},
	{"kafka_log_logmanager_logdirectoryoffline", gauge, []string{"log_directory"}, "kafka.log:type=LogManager,name=LogDirectoryOffline", "1 when a directory failed and is no longer written."},
	{"kafka_log_logmanager_remaininglogstorecover", gauge, []string{"log_directory"}, "kafka.log:type=LogManager,name=remainingLogsToRecover", "Logs still to be recovered."},
	{"millrace_log_directory_free_bytes", gauge, []string{"log_directory"}, "", "Free space of the directory's file system."},
	{"millrace_log_directory_size_bytes", gauge, []string{"log_directory"}, "", "Size of the directory's file system."},

	{"kafka_controller_kafkacontroller_activecontrollercount", gauge, nil, "kafka.controller:type=KafkaController,name=ActiveControllerCount", "1 on the node whose controller decides."},
	{"kafka_controller_kafkacontroller_activebrokercount", gauge, nil, "kafka.controller:type=KafkaController,name=ActiveBrokerCount", "Brokers that are registered and not fenced."},
	{"kafka_controller_kafkacontroller_fencedbrokercount", gauge, nil, "kafka.controller:type=KafkaController,name=FencedBrokerCount", "Brokers that are registered and fenced."},
	{"kafka_controller_kafkacontroller_globaltopiccount", gauge, nil, "kafka.controller:type=KafkaController,name=GlobalTopicCount", "Topics of the cluster."},
	{"kafka_controller_kafkacontroller_globalpartitioncount", gauge, nil, "kafka.controller:type=KafkaController,name=GlobalPartitionCount", "Partitions of the cluster."},
	{"kafka_controller_kafkacontroller_offlinepartitionscount", gauge, nil, "kafka.controller:type=KafkaController,name=OfflinePartitionsCount", "Partitions without a leader."},

	{"millrace_group_lag", gauge, []string{"group", "topic", "partition"}, "", "Records between a group's committed offset and the end of the partition."},
	{"millrace_group_committed_offset", gauge, []string{"group", "topic", "partition"}, "", "A group's committed offset."},
	{"millrace_group_lag_known", gauge, nil, "", "1 when group lag could be asked for at this scrape."},

	{"millrace_schemas_request_time_ms", histogram, []string{"method", "route", "status"}, "", "Milliseconds that requests to the schema registry took, by pattern of the path; (not open) are those it could not answer."},
	{"millrace_schemas_parsed_total", counter, []string{"result"}, "", "Schemas asked of the schema registry's cache of parsed ones, by result: hit or miss."},
	{"millrace_schemas_open", gauge, nil, "", "1 while the schema registry of this node follows its topic."},
	{"millrace_schemas_writer", gauge, nil, "", "1 while the schema registry may write; 0 means that it only reads, because it was just started or another one writes the topic."},
	{"millrace_schemas_versions", gauge, nil, "", "Versions of all subjects, deleted ones that can still be fetched included."},
	{"millrace_schemas_subjects", gauge, nil, "", "Subjects with any version."},
	{"millrace_schemas_next_offset", gauge, nil, "", "The offset of its topic up to which the schema registry has read."},

	{"millrace_metrics_dropped_series_total", counter, []string{"metric"}, "", "Label values that went into (other), or rows that were left out, because there were too many."},
	{"millrace_build_info", gauge, []string{"version"}, "", "Always 1; the label is the program's version."},
}

// find returns a row that must exist: a metric outside the table would be in no document.
func find(name string, k kind) Metric {
	i := slices.IndexFunc(table, func(m Metric) bool { return m.Name == name })
	if i < 0 || table[i].Kind != k {
		panic(fmt.Sprintf("metrics: the table has no %s %s", k, name))
	}
	return table[i]
}

// Page is docs/metrics.md.
//
//go:generate go test -run TestPageIsFresh -update .
func Page() string {
	var b strings.Builder
	b.WriteString(`# Metrics

This page is generated from the table in internal/metrics; change it there and run ` + "`go generate ./internal/metrics`" + `.

They are served for Prometheus at http://127.0.0.1:9644/metrics (` + "`admin.listeners`" + `), with those of the Go runtime (go_...) and the
process (process_...). Rates and means are Prometheus' business: use rate() where Kafka's JMX has PerSec. Times are
histograms in milliseconds, as Kafka's names say.

The labels that clients make are bounded: topics beyond ` + fmt.Sprint(maxTopics) + ` and client programs beyond ` + fmt.Sprint(maxSoftware) + ` share the label "(other)"; partitions beyond
` + fmt.Sprint(maxPartitions) + ` and group rows beyond ` + fmt.Sprint(maxGroupRows) + ` are left out. millrace_metrics_dropped_series_total tells when that happens.

| metric | kind | labels | meaning | Kafka's JMX name |
|---|---|---|---|---|
`)
	for _, m := range table {
		kafka := ""
		if m.Kafka != "" {
			kafka = "`" + m.Kafka + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, strings.Join(m.Labels, ", "), m.Help, kafka)
	}
	return b.String()
}

// Table is every metric.
func Table() []Metric { return slices.Clone(table) }
