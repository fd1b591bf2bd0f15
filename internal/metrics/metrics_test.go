package metrics

import (
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write generated files instead of comparing them")

func TestPageIsFresh(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(path, []byte(Page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != Page() {
		t.Errorf("docs/metrics.md is not what the table says: run go generate ./internal/metrics (%v)", err)
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wantLines(t *testing.T, got string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains("\n"+got, "\n"+l+"\n") {
			t.Errorf("missing: %s", l)
		}
	}
}

// busy is a node on which everything happened once.
func busy() *Metrics {
	m := New("1.2.3")
	a := m.API("Produce")
	a.Answered(1000, 50, 3*time.Millisecond)
	a.Failed(10, "RECORD_TOO_LARGE")
	a.Failed(10, "RECORD_TOO_LARGE")
	a.Failed(0, "NONE")
	a.Failed(-1, "UNKNOWN_SERVER_ERROR")
	tp := m.Topic("orders")
	tp.Produced(7, 900)
	tp.ProduceFailed()
	tp.Fetched(800)
	tp.FetchFailed()
	l := m.Listener("PLAINTEXT")
	l.Opened()
	l.Opened()
	l.Closed()
	l.Expired()
	l.Refused()
	l.BadFrame()
	m.ClientConnected("librdkafka", "2.5.0")
	m.ClientConnected("franz-go", "1\n2")()
	m.Dir("/data").Synced(time.Millisecond)
	m.LogDirs(func() []LogDir {
		return []LogDir{{Path: "/data", Offline: true, Remaining: 4, FreeBytes: 10, TotalBytes: 20}}
	})
	m.Broker(func() Broker { return Broker{ParkedFetches: 5, FetchSessions: 6, InFlightBytes: 7} })
	m.State.Set(3)
	m.Partitions(func(yield func(Partition) bool) {
		yield(Partition{Topic: "orders", ID: 1, Leader: true, SizeBytes: 900, LogStart: 1, LogEnd: 9, HighWatermark: 8, LastStable: 7})
	})
	m.Controller(func() Controller { return Controller{Active: true, ActiveBrokers: 1, Topics: 2, Partitions: 3} })
	m.Groups(func() ([]GroupOffset, error) {
		return []GroupOffset{{"g\x01", "orders", 1, 5, 4}, {"g\x02", "orders", 1, 5, 4}}, nil
	})
	s := m.Schemas()
	s.Answered("GET", "/subjects", 200, 2*time.Millisecond)
	s.Answered("BREW", "", 404, time.Millisecond)
	s.Parsed(true)
	s.Parsed(false)
	s.Ask(func() SchemasState {
		return SchemasState{Open: true, Writes: true, Versions: 3, Subjects: 2, NextOffset: 9}
	})
	return m
}

// TestSchemasAlone: a registry that is a program of its own tells of itself and of no broker.
func TestSchemasAlone(t *testing.T) {
	s, h := NewSchemas("1.2.3")
	s.Parsed(true)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	wantLines(t, w.Body.String(), `millrace_schemas_parsed_total{result="hit"} 1`, `millrace_build_info{version="1.2.3"} 1`)
	if strings.Contains(w.Body.String(), "kafka_") {
		t.Error("it tells of a broker")
	}
}

func TestExposition(t *testing.T) {
	wantLines(t, scrape(t, busy()),
		`kafka_network_requestmetrics_requests_total{request="Produce"} 1`,
		`kafka_network_requestmetrics_errors_total{error="RECORD_TOO_LARGE",request="Produce"} 2`,
		`kafka_network_requestmetrics_errors_total{error="UNKNOWN_SERVER_ERROR",request="Produce"} 1`,
		`kafka_network_requestmetrics_totaltimems_bucket{request="Produce",le="5"} 1`,
		`kafka_network_requestmetrics_totaltimems_bucket{request="Produce",le="2.5"} 0`,
		`kafka_server_brokertopicmetrics_messagesin_total{topic="orders"} 7`,
		`kafka_server_brokertopicmetrics_totalproducerequests_total{topic="orders"} 2`,
		`kafka_server_brokertopicmetrics_bytesout_total{topic="orders"} 800`,
		`kafka_server_socket_server_metrics_connection_count{listener="PLAINTEXT"} 1`,
		`kafka_server_socket_server_metrics_connections{client_software_name="librdkafka",client_software_version="2.5.0"} 1`,
		`kafka_log_logflushstats_logflushrateandtimems_count{log_directory="/data"} 1`,
		`kafka_log_logmanager_logdirectoryoffline{log_directory="/data"} 1`,
		`kafka_log_logmanager_remaininglogstorecover{log_directory="/data"} 4`,
		`millrace_log_directory_free_bytes{log_directory="/data"} 10`,
		`kafka_server_delayedoperationpurgatory_purgatorysize{delayed_operation="Fetch"} 5`,
		`kafka_server_delayedoperationpurgatory_purgatorysize{delayed_operation="Produce"} 0`,
		`kafka_server_fetchsessioncache_numincrementalfetchsessions 6`,
		`millrace_request_memory_bytes{use="in flight"} 7`,
		`kafka_log_log_logendoffset{partition="1",topic="orders"} 9`,
		`millrace_log_high_watermark{partition="1",topic="orders"} 8`,
		`kafka_server_replicamanager_leadercount 1`,
		`kafka_controller_kafkacontroller_globalpartitioncount 3`,
		`millrace_group_lag{group="g`+"\ufffd"+`",partition="1",topic="orders"} 4`,
		`millrace_group_lag_known 1`,
		`millrace_build_info{version="1.2.3"} 1`,
		`millrace_schemas_request_time_ms_count{method="GET",route="/subjects",status="200"} 1`,
		`millrace_schemas_request_time_ms_count{method="(other)",route="(other)",status="404"} 1`,
		`millrace_schemas_parsed_total{result="miss"} 1`,
		`millrace_schemas_open 1`, `millrace_schemas_writer 1`, `millrace_schemas_versions 3`, `millrace_schemas_subjects 2`, `millrace_schemas_next_offset 9`,
	)
	if got := scrape(t, busy()); strings.Contains(got, "franz-go") {
		t.Error("a client that left is still counted")
	}
}

// TestTableIsWhatIsServed: nothing is served that the table does not have, and a busy node serves all of it.
func TestTableIsWhatIsServed(t *testing.T) {
	m := busy()
	m.dropped.WithLabelValues("x").Inc()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, f := range families {
		served[f.GetName()] = true
	}
	for _, row := range table {
		if !served[row.Name] {
			t.Errorf("%s is in the table and is never served", row.Name)
		}
		delete(served, row.Name)
		if !strings.HasSuffix(row.Help, ".") {
			t.Errorf("%s: its help is no sentence", row.Name)
		}
	}
	for name := range served {
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is served and is not in the table", name)
		}
	}
}

// TestLabelsAreBounded: names that clients make up do not fill the memory (reliability T19).
func TestLabelsAreBounded(t *testing.T) {
	m := New("")
	var ends []func()
	for i := range maxSoftware + 50 {
		ends = append(ends, m.ClientConnected("made-up", fmt.Sprint(i)))
	}
	for i := range maxTopics + 50 {
		m.Topic(fmt.Sprint("t", i)).Produced(1, 1)
	}
	got := scrape(t, m)
	wantLines(t, got,
		`kafka_server_socket_server_metrics_connections{client_software_name="(other)",client_software_version="(other)"} 50`,
		`kafka_server_brokertopicmetrics_messagesin_total{topic="(other)"} 50`,
	)
	if n := strings.Count(got, "\nkafka_server_socket_server_metrics_connections{"); n != maxSoftware+1 {
		t.Errorf("%d programs", n)
	}
	for _, end := range ends {
		end()
	}
	if strings.Contains(scrape(t, m), "\nkafka_server_socket_server_metrics_connections{") {
		t.Error("programs that left are still there")
	}
	m.DropTopic("t1")
	if strings.Contains(scrape(t, m), `topic="t1"`) {
		t.Error("a deleted topic is still there")
	}
}

func TestPartitionsAreBounded(t *testing.T) {
	m := New("")
	m.Partitions(func(yield func(Partition) bool) {
		for i := range int32(maxPartitions + 5) {
			yield(Partition{Topic: "t", ID: i})
		}
	})
	got := scrape(t, m)
	if n := strings.Count(got, "\nkafka_log_log_size{"); n != maxPartitions {
		t.Errorf("%d partitions", n)
	}
	wantLines(t, got, fmt.Sprintf("kafka_server_replicamanager_partitioncount %d", maxPartitions+5))
}

// TestGroupFailure: the other metrics do not suffer when groups cannot be asked.
func TestGroupFailure(t *testing.T) {
	m := New("")
	m.Groups(func() ([]GroupOffset, error) { return nil, errors.New("no coordinator") })
	wantLines(t, scrape(t, m), "millrace_group_lag_known 0")
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{"a\x1b[31m\n": "a\ufffd[31m\ufffd", "\xff\xfe": "\ufffd", strings.Repeat("é", 200): strings.Repeat("é", 127)} {
		if got := label(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func BenchmarkAnswered(b *testing.B) {
	a := New("").API("Produce")
	for b.Loop() {
		a.Answered(1000, 100, time.Millisecond)
	}
}
