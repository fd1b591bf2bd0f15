package boot

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/metrics"
)

// TestMetricsAreTrue: after records were produced and consumed by a group, the admin port tells so.
func TestMetricsAreTrue(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		m.produce("t", "a", "b", "c")
		m.consume("g", "t", 2)
		resident := m.client(kgo.SoftwareNameAndVersion("a-client", "9.8"), kgo.ConsumeTopics("t"))
		resident.PollRecords(m.context(), 3)
		synctest.Wait()   // its next fetch is parked now
		m.get("/metrics") // from here on the client of the lag is connected
		want := map[string]string{
			`kafka_server_brokertopicmetrics_messagesin_total{topic="t"}`:                                                     "3",
			`kafka_server_brokertopicmetrics_failedproducerequests_total{topic="t"}`:                                          "0",
			`kafka_network_requestmetrics_requests_total{request="Produce"}`:                                                  "3",
			`kafka_log_log_logendoffset{partition="0",topic="t"}`:                                                             "3",
			`millrace_log_high_watermark{partition="0",topic="t"}`:                                                            "3",
			`kafka_server_replicamanager_partitioncount`:                                                                      "4",
			`kafka_server_replicamanager_leadercount`:                                                                         "4",
			`kafka_controller_kafkacontroller_activecontrollercount`:                                                          "1",
			`kafka_controller_kafkacontroller_globaltopiccount`:                                                               "2",
			`kafka_controller_kafkacontroller_globalpartitioncount`:                                                           "4",
			`kafka_controller_kafkacontroller_activebrokercount`:                                                              "1",
			`kafka_controller_kafkacontroller_offlinepartitionscount`:                                                         "0",
			`kafka_server_kafkaserver_brokerstate`:                                                                            "3",
			`kafka_log_logmanager_logdirectoryoffline{log_directory="/data"}`:                                                 "0",
			`kafka_server_delayedoperationpurgatory_purgatorysize{delayed_operation="Fetch"}`:                                 "1",
			`kafka_server_fetchsessioncache_numincrementalfetchsessions`:                                                      "1",
			`millrace_group_lag{group="g",partition="0",topic="t"}`:                                                           "1",
			`millrace_group_committed_offset{group="g",partition="0",topic="t"}`:                                              "2",
			`millrace_group_lag_known`:                                                                                        "1",
			`millrace_build_info{version="1.2.3"}`:                                                                            "1",
			`kafka_server_socket_server_metrics_connections{client_software_name="millrace",client_software_version="1.2.3"}`: "2",
		}
		for series, value := range want {
			if got := m.metric(series); got != value {
				t.Errorf("%s is %s, want %s", series, got, value)
			}
		}
		for _, series := range []string{
			`kafka_server_socket_server_metrics_connections{client_software_name="a-client",client_software_version="9.8"}`,
			`kafka_log_logflushstats_logflushrateandtimems_count{log_directory="/data"}`,
			`millrace_log_directory_size_bytes{log_directory="/data"}`, `kafka_server_socket_server_metrics_connection_count{listener="PLAINTEXT"}`,
		} {
			if got := m.metric(series); got == "0" || strings.HasPrefix(got, "(") {
				t.Errorf("%s is %s", series, got)
			}
		}
		resident.Close()
		m.admin(func(k *kadm.Client) error { _, err := k.DeleteTopics(m.context(), "t"); return err })
		if _, all := m.get("/metrics"); strings.Contains(all, `brokertopicmetrics_messagesin_total{topic="t"}`) {
			t.Error("a deleted topic is still told of")
		}
		m.stop(n)
	})
}

// TestEveryMetricIsFed: a metric of the page that the running node never tells would be a promise. Those that count what
// has not happened here may be missing.
func TestEveryMetricIsFed(t *testing.T) {
	happensLater := "kafka_network_requestmetrics_errors_total"
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		m.produce("t", "a")
		m.consume("g", "t", 1)
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 200, "1")
		m.get("/metrics")
		_, all := m.get("/metrics")
		for _, row := range metrics.Table() {
			if !strings.Contains(all, "# TYPE "+row.Name+" ") && row.Name != happensLater {
				t.Errorf("%s is never fed", row.Name)
			}
		}
		m.stop(n)
	})
}
