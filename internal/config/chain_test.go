package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSynonymChain: a topic, a broker, the cluster, the file and the table all have a say, in this order.
func TestSynonymChain(t *testing.T) {
	s := load(t, "log.retention.hours=2\nlog.retention.minutes=30\n")
	cluster := map[string]string{"log.retention.ms": "3"}
	broker := map[string]string{"log.retention.ms": "4"}
	topic := map[string]string{"retention.ms": "5"}
	full := []Synonym{
		{"retention.ms", "5", SourceTopic}, {"log.retention.ms", "4", SourceBroker}, {"log.retention.ms", "3", SourceClusterWide},
		{"log.retention.minutes", "30", SourceStatic}, {"log.retention.hours", "2", SourceStatic}, {"log.retention.hours", "168", SourceDefault},
	}
	for i, want := range []string{"5", "4", "3", "1800000"} {
		v, chain := TopicValue(s, cluster, broker, topic, "retention.ms")
		if v != want {
			t.Errorf("%d: %s, want %s", i, v, want)
		}
		if diff := cmp.Diff(full[i:], chain); diff != "" {
			t.Error(diff)
		}
		clear([]map[string]string{topic, broker, cluster, {}}[i])
	}
	if v, chain := TopicValue(Defaults(), nil, nil, nil, "retention.ms"); v != "604800000" || len(chain) != 1 {
		t.Errorf("default: %s %v", v, chain)
	}
}

func TestValuesWithoutBrokerTwin(t *testing.T) {
	s := Defaults()
	if v, chain := TopicValue(s, nil, nil, nil, "internal.segment.bytes"); v != "" || chain != nil {
		t.Errorf("%q %v", v, chain)
	}
	if v, _ := TopicValue(s, nil, nil, nil, "flush.ms"); v != "9223372036854775807" {
		t.Errorf("flush.ms %s", v)
	}
	if v, _ := GroupValue(s, map[string]string{"group.consumer.session.timeout.ms": "46000"}, nil, nil, "consumer.session.timeout.ms"); v != "46000" {
		t.Errorf("group value %s", v)
	}
	if v := Topic(s, nil, nil, map[string]string{"internal.segment.bytes": "1000"}); v.SegmentBytes() != 1000 || Topic(s, nil, nil, nil).SegmentBytes() != 1<<30 {
		t.Error("segment size")
	}
	topic := Topic(s, nil, nil, map[string]string{"cleanup.policy": "compact,delete", "flush.before.ack": "false"})
	if diff := cmp.Diff([]string{"compact", "delete"}, topic.List("cleanup.policy")); diff != "" || topic.Bool("flush.before.ack") {
		t.Error(diff)
	}
}

func TestTopicChanges(t *testing.T) {
	for in, want := range map[string]string{
		"retention.ms=-1": "", "retention.ms=-2": "at least -1", "segment.bytes=1048575": "at least 1048576", "internal.segment.bytes=1000": "",
		"cleanup.policy=": "", "cleanup.policy=compact,delete": "", "cleanup.policy=keep": "is not one of", "min.insync.replicas=0": "at least 1",
		"retention.mx=1": "did you mean retention.ms?", "log.retention.ms=1": "did you mean retention.ms?", "message.downconversion.enable=true": "",
		"remote.storage.enable=false": "", "remote.storage.enable=true": "not built yet", "min.cleanable.dirty.ratio=1.5": "between 0 and 1",
		"compression.gzip.level=0": "or be -1", "preallocate=true": "", "max.message.bytes=ten": "not a number",
		"leader.replication.throttled.replicas=0-1": "partition:broker", "min.cleanable.dirty.ratio=NaN": "between 0 and 1",
	} {
		name, value, _ := strings.Cut(in, "=")
		checkError(t, in, ValidateTopic(name, value), want)
	}
	inherited := Topic(Defaults(), nil, nil, nil)
	checkError(t, "lags", ValidateTopicValues(inherited, map[string]string{"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}), "larger than")
	checkError(t, "lags", ValidateTopicValues(inherited, map[string]string{"min.compaction.lag.ms": "10"}), "")
}

func TestBrokerChanges(t *testing.T) {
	for in, want := range map[string]string{
		"log.retention.ms=1": "", "num.partitions=2": "cannot change while the node runs", "log.retention.hours=1": "cannot change",
		"num.network.threads=5": "", "unclean.leader.election.enable=true": "not built yet", "log.retention.mx=1": "did you mean",
		"log.flush.before.ack=false": "", "leader.replication.throttled.rate=1": "name the broker",
	} {
		name, value, _ := strings.Cut(in, "=")
		checkError(t, in, ValidateBroker(name, value, false), want)
	}
}

func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestDescribe(t *testing.T) {
	s := load(t, "log.retention.hours=2\nlistener.name.a.ssl.key.password=hunter2\nnode.id=5\n")
	got := map[string]Described{}
	for _, d := range DescribeBroker(s, nil, map[string]string{"message.max.bytes": "2000000"}, nil) {
		got[d.Name] = d
	}
	if d := got["message.max.bytes"]; *d.Value != "2000000" || d.Source != SourceBroker || d.ReadOnly || len(d.Synonyms) != 2 || d.Type != Int {
		t.Errorf("%+v", d)
	}
	if d := got["listener.name.a.ssl.key.password"]; d.Value != nil || !d.Sensitive || d.Synonyms[0].Value != nil {
		t.Errorf("%+v", d)
	}
	if d := got["log.retention.ms"]; *d.Value != "7200000" || d.Source != SourceStatic {
		t.Errorf("%+v", d)
	}
	if d := got["node.id"]; *d.Value != "5" || !d.ReadOnly {
		t.Errorf("%+v", d)
	}
	if _, ok := got["zookeeper.connect"]; ok || got["unstable.api.versions.enable"].Name != "" {
		t.Error("removed and internal settings are not shown")
	}
	topic := DescribeTopic(s, nil, nil, map[string]string{"segment.bytes": "1048576"}, []string{"segment.bytes", "nonsense"})
	if len(topic) != 1 || topic[0].Source != SourceTopic || len(topic[0].Synonyms) != 2 {
		t.Errorf("%+v", topic)
	}
	if d := DescribeClusterDefault(map[string]string{"log.retention.ms": "9"}, nil); len(d) != 1 || d[0].Source != SourceClusterWide {
		t.Errorf("%+v", d)
	}
}
