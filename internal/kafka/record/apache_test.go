package record

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"millrace/internal/kafka/batch"
)

var kafkaJars = flag.String("kafka", "", "directory with the jars of Apache Kafka 4.3.1, whose DumpLogSegments then judges what is written")

// Apache's own tool reads every record of the internal topics with random values to the same values.
// go test ./internal/kafka/record -run Apache -kafka DIR
func TestApacheReadsTheSame(t *testing.T) {
	if *kafkaJars == "" {
		t.Skip("needs -kafka DIR")
	}
	r := seeded(t)
	want := map[string][]message{} // by topic, in the order of the log; of a key and a value the value
	logs := map[string][]batch.Record{}
	keys := map[string]message{}
	for _, m := range all() {
		m.SetDefaults()
		fill(r, reflect.ValueOf(m).Elem(), false)
		if v, ok := m.(*TransactionLogValue); ok {
			v.TransactionStatus = 1 // the tool knows what the states are
		}
		topic, rec, ok := asRecord(m, keys)
		if !ok {
			continue
		}
		logs[topic] = append(logs[topic], rec)
		want[topic] = append(want[topic], m)
	}
	for topic, decoder := range map[string]string{"__cluster_metadata": "--cluster-metadata-decoder", "__consumer_offsets": "--offsets-decoder",
		"__transaction_state": "--transaction-log-decoder", "__share_group_state": "--share-group-state-decoder"} {
		payloads := dump(t, topic, decoder, logs[topic])
		if len(payloads) != len(want[topic]) || len(payloads) == 0 {
			t.Fatalf("%s: %d payloads for %d records", topic, len(payloads), len(want[topic]))
		}
		for i, m := range want[topic] {
			if d := difference(name(m), plain(t, m), payloads[i]); d != "" {
				t.Errorf("%s: %s", topic, d)
			}
		}
	}
}

// asRecord makes a record of a metadata record, or of a value and the key that came before it.
func asRecord(m message, keys map[string]message) (topic string, rec batch.Record, ok bool) {
	_, last := m.Versions()
	if md, is := m.(Metadata); is {
		return "__cluster_metadata", batch.Record{Value: AppendMetadata(nil, md, last)}, true
	}
	typed, is := m.(interface{ RecordType() int16 })
	if !is {
		return "", rec, false
	}
	if stem, is := strings.CutSuffix(name(m), "Key"); is {
		keys[stem] = m
		return "", rec, false
	}
	stem := strings.TrimSuffix(name(m), "Value")
	topic = "__consumer_offsets"
	switch stem {
	case "TransactionLog":
		topic = "__transaction_state"
	case "ShareSnapshot", "ShareUpdate":
		topic = "__share_group_state"
	}
	return topic, batch.Record{Key: AppendKey(nil, typed.RecordType(), keys[stem]), Value: AppendValue(nil, last, m)}, true
}

var payloadPattern = regexp.MustCompile(`payload: (\{.*\})$`)

// dump writes a segment and gives the data that the tool finds in each of its records.
func dump(t *testing.T, topic, decoder string, recs []batch.Record) (out []any) {
	dir := filepath.Join(t.TempDir(), topic+"-0")
	b, err := batch.Build(nil, batch.Plain(0, 3, 1_700_000_000_000), batch.Number(recs))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "00000000000000000000.log")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("java", "-cp", filepath.Join(*kafkaJars, "*"), "org.apache.kafka.tools.DumpLogSegments", decoder, "--files", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for line := range strings.Lines(string(text)) {
		found := payloadPattern.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			continue
		}
		var payload struct{ Data any }
		d := json.NewDecoder(strings.NewReader(found[1]))
		d.UseNumber()
		if err := d.Decode(&payload); err != nil {
			t.Fatal(err)
		}
		out = append(out, payload.Data)
	}
	return out
}

// plain is the record as JSON makes it: maps, slices, numbers, strings.
func plain(t *testing.T, m message) (out any) {
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// difference compares ours with Apache's, which leaves out tagged fields at their default and what a version has not.
func difference(path string, ours, theirs any) string {
	switch o := ours.(type) {
	case map[string]any:
		rest, ok := theirs.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: %v, Apache reads %v", path, ours, theirs)
		}
		for k, v := range rest {
			found := false
			for mine, value := range o {
				if strings.EqualFold(mine, k) {
					found = true
					if d := difference(path+"."+mine, value, v); d != "" {
						return d
					}
				}
			}
			if !found {
				return fmt.Sprintf("%s: Apache reads %s=%v", path, k, v)
			}
		}
		return ""
	case []any:
		list, ok := theirs.([]any)
		if !ok || len(list) != len(o) {
			return fmt.Sprintf("%s: %v, Apache reads %v", path, ours, theirs)
		}
		for i := range o {
			if d := difference(fmt.Sprintf("%s[%d]", path, i), o[i], list[i]); d != "" {
				return d
			}
		}
		return ""
	case nil: // an array that cannot be null is nil when it is empty
		if list, ok := theirs.([]any); ok && len(list) == 0 || theirs == nil {
			return ""
		}
	}
	a, isNumber := ours.(json.Number)
	b, both := theirs.(json.Number)
	if isNumber && both {
		x, _ := a.Float64()
		y, _ := b.Float64()
		if a == b || strings.Contains(path, "ClientQuota") && x == y {
			return ""
		}
	}
	if !isNumber && ours == theirs {
		return ""
	}
	return fmt.Sprintf("%s: %v, Apache reads %v", path, ours, theirs)
}
