package cli

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/checker"
	"millrace/internal/checker/load"
)

var update = flag.Bool("update", false, "write testdata/*.golden instead of comparing them")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test ./internal/apps/cli -update rewrites it):\n%s", path, diff)
	}
}

// both prints a result for people and for programs into one golden file.
func both(t *testing.T, name string, v any, people func(w io.Writer)) {
	t.Helper()
	var b bytes.Buffer
	for _, output := range []string{"table", "json"} {
		a := &app{out: &b, output: output}
		if err := a.print(v, people); err != nil {
			t.Fatal(err)
		}
		b.WriteString("--\n")
	}
	golden(t, name, b.Bytes())
}

func ptr[T any](v T) *T { return &v }

var topics = kadm.TopicDetails{
	"orders": {Topic: "orders", ID: kadm.TopicID{1, 2, 3}, Partitions: kadm.PartitionDetails{
		0: {Topic: "orders", Partition: 0, Leader: 1, LeaderEpoch: 4, Replicas: []int32{1, 2}, ISR: []int32{1}},
		1: {Topic: "orders", Partition: 1, Leader: -1, LeaderEpoch: 5, Replicas: []int32{1, 2}, Err: kerr.LeaderNotAvailable},
	}},
	"a-topic-with-a-long-name": {Topic: "a-topic-with-a-long-name", Partitions: kadm.PartitionDetails{0: {Replicas: []int32{1}}}},
	"__consumer_offsets":       {Topic: "__consumer_offsets", IsInternal: true, Partitions: kadm.PartitionDetails{0: {Replicas: []int32{1}}}},
}

func TestTopicList(t *testing.T) {
	rows := topicRows(topics, false)
	both(t, "topic_list", rows, func(w io.Writer) { formatTopics(w, rows) })
	rows = topicRows(topics, true)
	both(t, "topic_list_internal", rows, func(w io.Writer) { formatTopics(w, rows) })
	rows = topicRows(nil, true)
	both(t, "topic_list_empty", rows, func(w io.Writer) { formatTopics(w, rows) })
}

func TestTopicDescribe(t *testing.T) {
	starts := kadm.ListedOffsets{"orders": {0: {Topic: "orders", Offset: 100}}}
	ends := kadm.ListedOffsets{"orders": {0: {Topic: "orders", Offset: 123456}}}
	dirs := kadm.DescribedAllLogDirs{1: {"/data": {Topics: kadm.DescribedLogDirTopics{"orders": {0: {Topic: "orders", Size: 5 << 20}}}}}}
	d := topicDescription{Name: "orders", ID: topicID(topics["orders"].ID)}
	for _, p := range topics["orders"].Partitions.Sorted() {
		d.Partitions = append(d.Partitions, describePartition(p, starts, ends, dirs))
	}
	d.Settings, d.FlushBeforeAck = topicSettingRows(kadm.ResourceConfigs{{Name: "orders", Configs: []kadm.Config{
		{Key: "retention.ms", Value: ptr("5400000"), Source: 1}, {Key: "flush.before.ack", Value: ptr("false"), Source: 1},
		{Key: "segment.bytes", Value: ptr("1048576"), Source: 4}, {Key: "cleanup.policy", Value: ptr("delete"), Source: 5},
	}}}, "orders")
	both(t, "topic_describe", d, func(w io.Writer) { formatTopic(w, d) })
}

func TestTopicResults(t *testing.T) {
	var b bytes.Buffer
	a := &app{out: &b, output: "table"}
	results, errs := created([]string{"a", "b", "c", "d"}, kadm.CreateTopicResponses{
		"a": {Topic: "a", NumPartitions: 3, ReplicationFactor: 1}, "b": {Topic: "b", Err: kerr.TopicAlreadyExists},
		"c": {Topic: "c", Err: kerr.InvalidTopicException, ErrMessage: "no\x1b[2Jgood"}, "d": {Topic: "d", Err: kerr.InvalidReplicationFactor, ErrMessage: "Only 1 broker."},
	}, false, false)
	err := a.report(results, errs)
	for _, e := range split(err) {
		b.WriteString("error: " + escape(explain(e)) + "\n")
	}
	results, errs = deleted([]string{"a", "b"}, kadm.DeleteTopicResponses{"a": {Topic: "a"}, "b": {Topic: "b", Err: kerr.UnknownTopicOrPartition}}, false)
	for _, e := range split(a.report(results, errs)) {
		b.WriteString("error: " + explain(e) + "\n")
	}
	golden(t, "topic_results", b.Bytes())
}

func TestGroupDescribe(t *testing.T) {
	member := kadm.DescribedGroupMember{MemberID: "c-1", InstanceID: ptr("i"), ClientID: "billing", ClientHost: "/10.0.0.1"}
	l := kadm.DescribedGroupLag{Group: "bill\x1bing", State: "Stable", Protocol: "range", Coordinator: kadm.BrokerDetail{NodeID: 1},
		Members: []kadm.DescribedGroupMember{member}, Lag: kadm.GroupLag{"orders": {
			0: {Topic: "orders", Partition: 0, Member: &member, Commit: kadm.Offset{At: 90}, End: kadm.ListedOffset{Offset: 100}, Lag: 10},
			1: {Topic: "orders", Partition: 1, Commit: kadm.Offset{At: -1}, End: kadm.ListedOffset{Offset: 5}, Lag: 5},
			2: {Topic: "orders", Partition: 2, Commit: kadm.Offset{At: 7}, End: kadm.ListedOffset{Offset: -1}, Lag: -1, Err: kerr.LeaderNotAvailable},
		}}}
	d := describeGroup(l)
	both(t, "group_describe", d, func(w io.Writer) { formatGroup(w, d) })
	rows := []groupRow{{"billing", "Stable", "consumer", 1}, {"old", "Empty", "", 2}}
	both(t, "group_list", rows, func(w io.Writer) { formatGroups(w, rows) })
}

func TestGroupReset(t *testing.T) {
	all := map[string]map[int32]bounds{"orders": {0: {start: 10, end: 100, timed: 50}, 1: {start: 0, end: 5, timed: -1}}}
	committed := kadm.OffsetResponses{"orders": {0: {Offset: kadm.Offset{At: 40}}}}
	var b bytes.Buffer
	for _, p := range []string{"beginning", "end", "60", "-3", "2h", "shift"} {
		var at *position
		if p != "shift" {
			parsed, err := parsePosition(p, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			at = &parsed
		}
		rows, err := planReset([]string{"orders"}, map[string][]int32{"orders": nil}, all, committed, at, -35)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("# " + p + "\n")
		formatReset(&b, "g", rows, p == "end", nil)
	}
	golden(t, "group_reset", b.Bytes())
	if _, err := planReset([]string{"orders"}, map[string][]int32{"orders": {9}}, all, committed, nil, 1); err == nil || err.Error() != `topic "orders" has no partition 9` {
		t.Error(err)
	}
}

func TestConfigGet(t *testing.T) {
	rs := kadm.ResourceConfigs{{Name: "orders", Configs: []kadm.Config{
		{Key: "retention.ms", Value: ptr("604800000"), Source: 4, Synonyms: []kadm.ConfigSynonym{{Key: "log.retention.hours", Value: ptr("168"), Source: 4}, {Key: "log.retention.hours", Value: ptr("168"), Source: 5}}},
		{Key: "max.message.bytes", Value: ptr("1048588"), Source: 1}, {Key: "flush.ms", Value: ptr("9223372036854775807"), Source: 1},
		{Key: "ssl.key.password", Sensitive: true, Source: 4}, {Key: "broker.rack", Source: 5}, {Key: "super.users", Value: ptr(""), Source: 3},
	}}}
	r := &resource{topic: "orders"}
	rows, err := settingRows(r, rs, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	both(t, "config_get", rows, func(w io.Writer) { formatSettings(w, rows) })
	both(t, "config_chain", rows[:0], func(w io.Writer) { formatChains(w, rows) })
	if rows, _ = settingRows(r, rs, nil, false); len(rows) != 5 {
		t.Errorf("what nobody set is shown: %v", rows)
	}
	if _, err = settingRows(r, rs, []string{"retention.mss"}, false); err == nil || !strings.Contains(err.Error(), "did you mean retention.ms?") {
		t.Error(err)
	}
}

var records = []*kgo.Record{
	{Topic: "orders", Partition: 1, Offset: 7, Timestamp: time.UnixMilli(1700000000123), Key: []byte("k"), Value: []byte(`{"a":1}`), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "n"}}},
	{Topic: "orders", Partition: 0, Offset: 8, Timestamp: time.UnixMilli(0), Key: nil, Value: nil},
	{Topic: "orders", Partition: 0, Offset: 9, Timestamp: time.UnixMilli(0), Key: []byte{}, Value: []byte("\x1b[2J\xff tab\there\r\nline\u202e\u0085\x7f")},
}

func TestRecordFormats(t *testing.T) {
	var b bytes.Buffer
	for _, safe := range []bool{true, false} {
		for _, name := range []string{"value", "key-value", "json", "hex", `%t-%p@%o %T %d %K/%V 100%% [%h]\x21\n`} {
			f, err := newFormat(name, safe, nil)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString("# " + name + map[bool]string{true: ", on a terminal"}[safe] + "\n")
			for _, r := range records {
				if err := f(&b, r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	golden(t, "record_formats", b.Bytes())
	for _, bad := range []string{"xml", "%q", "%", `%v\` + "q", `%v\x4`, `%v\xzz`} {
		if _, err := newFormat(bad, false, nil); err == nil || exitCode(err) != exitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestVerifyResult(t *testing.T) {
	r := load.Result{Seed: 7, Elapsed: 3 * time.Second, LongestGap: 20 * time.Millisecond, Report: &checker.Report{Ops: 10, OKs: 10, Sends: 8, Acked: 8, Reads: 8, Keys: 2}}
	both(t, "verify_good", verifyResult(r), func(w io.Writer) { formatVerify(w, r) })
	r.Report.Counts, r.HistoryPath = map[string]int{"C5": 1}, "/tmp/h"
	r.Report.Anomalies = []checker.Anomaly{{Check: "C5", Name: "lost-write", Promise: "DUR-1", Key: 1, Offset: 3, Text: "gone"}}
	r.Report.Lost = 1
	both(t, "verify_bad", verifyResult(r), func(w io.Writer) { formatVerify(w, r) })
}

// TestHelp: the help of every command, as people see it.
func TestHelp(t *testing.T) {
	t.Setenv("MILLRACE_BOOTSTRAP", "")
	t.Setenv("MILLRACE_REGISTRY", "")
	var b bytes.Buffer
	a := &app{hooks: Hooks{Version: "1"}, in: strings.NewReader(""), out: &b, err: &b, now: time.Now}
	for _, path := range []string{"", "dev", "serve", "topic", "topic create", "topic list", "topic describe", "topic alter", "topic delete", "produce", "consume",
		"group list", "group describe", "group reset", "group delete", "config get", "config set", "verify", "version"} {
		root := a.root()
		root.SetArgs(append(strings.Fields(path), "--help"))
		b.WriteString("### " + path + "\n")
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "help", b.Bytes())
}
