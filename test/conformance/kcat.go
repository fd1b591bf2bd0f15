package main

import (
	"encoding/json"
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"millrace/test/target"
)

// kcat is the old client: librdkafka 2.0 of Debian 12, Kafka's protocol as clients of ten years speak it.
func init() {
	register(
		Case{"kcat/hello", true, kcatHello},
		Case{"kcat/keys-headers-partitions", false, kcatFields},
		Case{"kcat/codecs", true, kcatCodecs},
		Case{"kcat/acks", false, kcatAcks},
		Case{"kcat/metadata", false, kcatMetadata},
		Case{"kcat/offset-for-time", false, kcatQuery},
		Case{"kcat/start-offsets", false, kcatStart},
		Case{"kcat/group", false, kcatGroup},
		Case{"kcat/auto-create", false, kcatAutoCreate},
		Case{"kcat/transactional-id", false, kcatTransactional},
	)
}

// kcat runs kcat to its end and returns what it printed.
func (t *T) kcat(stdin string, args ...string) string {
	return t.wait(t.kcatCommand(append([]string{"-q", "-m", "20"}, args...)...), stdin)
}

func kcatHello(t *T) {
	topic := t.Topic(1)
	t.kcat("hello\n", "-P", "-t", topic)
	t.Equal(t.kcat("", "-C", "-t", topic, "-e"), "hello\n", "consumed")
}

func kcatFields(t *T) {
	topic := t.Topic(3)
	t.kcat("k1:v1\nk2:v2\n", "-P", "-t", topic, "-p", "2", "-K", ":", "-H", "a=1", "-H", "b=two")
	t.kcat("k3:\n", "-P", "-t", topic, "-p", "1", "-K", ":", "-Z") // an empty value is null
	got := t.kcat("", "-C", "-t", topic, "-e", "-f", "%p %o %k %S %s %h\n")
	lines := strings.Split(strings.TrimSpace(got), "\n")
	sort.Strings(lines)
	t.Equal(strings.Join(lines, "|"), "1 0 k3 -1  |2 0 k1 2 v1 a=1,b=two|2 1 k2 2 v2 a=1,b=two", "records")
}

func kcatCodecs(t *T) {
	text := strings.Join(Lines(2000), "\n") + "\n"
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := t.Topic(1)
		t.kcat(text, "-P", "-t", topic, "-z", codec)
		t.Equal(t.kcat("", "-C", "-t", topic, "-e") == text, true, codec+" comes back as it went")
	}
}

func kcatAcks(t *T) {
	topic := t.Topic(1)
	for _, acks := range []string{"0", "1", "-1"} {
		t.kcat("acks "+acks+"\n", "-P", "-t", topic, "-X", "acks="+acks)
	}
	t.Eventually(func() error {
		return same(t.kcat("", "-C", "-t", topic, "-e"), "acks 0\nacks 1\nacks -1\n")
	})
}

func kcatMetadata(t *T) {
	topic := t.Topic(3)
	var m struct {
		Brokers []struct {
			ID   int
			Name string
		}
		Topics []struct {
			Topic      string
			Partitions []struct {
				Partition, Leader int
				Replicas, ISRs    []struct{ ID int }
			}
		}
	}
	out := t.kcat("", "-L", "-J", "-t", topic)
	t.Must(json.Unmarshal([]byte(out), &m), "kcat -L -J")
	if len(m.Brokers) != 1 || len(m.Topics) != 1 || len(m.Topics[0].Partitions) != 3 {
		t.Fatalf("one broker, one topic and three partitions wanted: %s", out)
	}
	if name := m.Brokers[0].Name; portOf(name) != portOf(t.addr) { // the host may be a name for the same machine
		t.Errorf("the advertised address %s does not lead back to %s", name, t.addr)
	} else {
		t.Must(target.Answers(name), "the advertised address "+name)
	}
	for _, p := range m.Topics[0].Partitions {
		if p.Leader != m.Brokers[0].ID || len(p.Replicas) != 1 || len(p.ISRs) != 1 {
			t.Errorf("partition %d: leader, one replica, one in sync wanted: %+v", p.Partition, p)
		}
	}
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func kcatQuery(t *T) {
	topic := t.Topic(1)
	t.kcat("early\n", "-P", "-t", topic)
	between := later()
	t.kcat("late\n", "-P", "-t", topic)
	// The end offset by its special timestamp, the start by its own, and an offset by time.
	for ts, want := range map[string]int{"-2": 0, "-1": 2, strconv.FormatInt(between, 10): 1} {
		t.Contains(t.kcat("", "-Q", "-t", topic+":0:"+ts), fmt.Sprintf("%s [0] offset %d", topic, want))
	}
}

// later returns a time in ms that lies behind everything before the call and before everything after it.
func later() int64 {
	time.Sleep(5 * time.Millisecond)
	ms := time.Now().UnixMilli()
	time.Sleep(5 * time.Millisecond)
	return ms
}

func kcatStart(t *T) {
	topic := t.Topic(1)
	t.kcat("a\nb\nc\nd\n", "-P", "-t", topic)
	for offset, want := range map[string]string{"beginning": "a\nb\nc\nd\n", "2": "c\nd\n", "-1": "d\n"} {
		t.Equal(t.kcat("", "-C", "-t", topic, "-e", "-o", offset), want, "from "+offset)
	}
	t.Equal(t.kcat("", "-C", "-t", topic, "-o", "end", "-e"), "", "from the end")
}

func kcatGroup(t *T) {
	topic, group := t.Topic(2), t.Name("g")
	text := strings.Join(Lines(100), "\n") + "\n"
	t.kcat(text, "-P", "-t", topic)
	args := []string{"-G", group, "-e", "-X", "auto.offset.reset=earliest", topic}
	t.Equal(strings.Count(t.kcat("", args...), "\n"), 100, "records of the first run")
	t.kcat("one more\n", "-P", "-t", topic)
	t.Equal(t.kcat("", args...), "one more\n", "the second run goes on where the first stopped")
}

func kcatAutoCreate(t *T) {
	topic := t.Name("new")
	t.kcat("born\n", "-P", "-t", topic)
	t.Equal(t.kcat("", "-C", "-t", topic, "-e"), "born\n", "consumed from a topic that producing created")
}

// kcatTransactional: where transactions are not advertised, a transactional id is refused for good, and soon.
func kcatTransactional(t *T) {
	topic := t.Topic(1)
	cmd := t.kcatCommand("-P", "-t", topic, "-X", "transactional.id="+t.Name("tx"))
	cmd.Stdin = strings.NewReader("in a transaction\n")
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if t.transactions() {
		t.Must(err, string(out))
		return
	}
	if took := time.Since(began); err == nil || took > 15*time.Second {
		t.Errorf("error %v after %v:\n%s", err, took, out)
	}
	t.Contains(strings.ToLower(string(out)), "transactional")
}
