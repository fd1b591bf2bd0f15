package cli

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/serde"
)

// TestAgainstRecords: records of a topic with a history, read with schemas that somebody would like to register.
func TestAgainstRecords(t *testing.T) {
	r := newRecordTest(t)
	avro := produceOptions{valueSchema: schemaFlags{avro: r.file("order.avsc")}}
	asJSON := produceOptions{valueSchema: schemaFlags{json: r.file("order.json"), subject: "json"}}
	records := []*kgo.Record{r.must(`{"id":1}`, avro), r.must(`{"id":2,"note":"x"}`, avro), r.must(`{"id":3}`, asJSON), r.must(`{"id":4,"note":"gone"}`, asJSON),
		{Value: nil}, {Value: []byte(`{"id":5}`)}, {Value: []byte(`plain`)}, {Value: []byte{0, 0, 0, 0, 99, 1}}, {Value: append([]byte{0, 0, 0, 0, 1}, 0xff)}}
	for i, record := range records {
		record.Topic, record.Partition, record.Offset = "orders", int32(i%2), int64(i)
	}
	proto := produceOptions{valueSchema: schemaFlags{protobuf: r.file("note.proto"), subject: "proto"}}
	for i, line := range []string{`{"id":1,"text":"a"}`, `{"id":2}`, `{}`} {
		record := r.must(line, proto)
		record.Topic, record.Partition, record.Offset = "orders", int32(i%2), int64(20+i)
		records = append(records, record)
	}
	var b bytes.Buffer
	for _, candidate := range []struct {
		name, kind, text string
		own              bool
	}{
		{"another field with a default", "AVRO", `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"double"},{"name":"to","type":"string","default":""}]}`, false},
		{"a note that may not be missing", "AVRO", `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"note","type":"string"}]}`, false},
		{"another record", "AVRO", `{"type":"record","name":"Payment","namespace":"shop","fields":[{"name":"sum","type":"long"}]}`, true},
		{"JSON with small ids", "JSON", `{"title":"Order","type":"object","properties":{"id":{"type":"integer","maximum":3}}}`, false},
		{"Protobuf with other types under the same numbers", "PROTOBUF", `syntax = "proto3"; message Note { string id = 1; int32 text = 2; }`, false},
		{"Protobuf with one field less", "PROTOBUF", `syntax = "proto3"; message Note { int64 id = 1; }`, false},
	} {
		registry, err := r.serdeRegistry()
		if err != nil {
			t.Fatal(err)
		}
		text, err := schemaBody{Text: candidate.text, Type: candidate.kind}.library()
		if err != nil {
			t.Fatal(err)
		}
		schema, err := registry.Parse(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		j := &judge{registry: registry, candidate: schema, part: serde.Value, own: candidate.own, result: against{Topic: "orders", Part: "value"}}
		for _, record := range records {
			if err := j.take(t.Context(), record); err != nil {
				t.Fatal(err)
			}
		}
		b.WriteString("# " + candidate.name + "\n")
		j.verdict().write(&b)
		b.WriteString("\n")
	}
	golden(t, "schema_against", b.Bytes())

	gone := newApp(Hooks{})
	gone.registryURL, gone.timeout = "127.0.0.1:1", r.timeout
	registry, err := gone.serdeRegistry()
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{registry: registry, part: serde.Value}
	if err := j.take(t.Context(), records[0]); !errors.Is(err, serde.ErrUnreachable) {
		t.Error("a registry that is gone is no error")
	}
}

// Lists differ in where the null stands, and not in what is wrong.
func TestAlikeFailures(t *testing.T) {
	failure := func(offset int64, schema, reason string) recordFailure {
		return recordFailure{0, offset, schema, reason, 1}
	}
	got := alike([]recordFailure{failure(3, "schema id 1", "at lines[12].note: null"), failure(1, "schema id 1", "at lines[0].note: null"),
		failure(2, "schema id 2", "at lines[0].note: null"), failure(4, "schema id 1", "at lines[0].name: null")})
	want := []recordFailure{{0, 1, "schema id 1", "at lines[0].note: null", 2}, failure(2, "schema id 2", "at lines[0].note: null"),
		failure(4, "schema id 1", "at lines[0].name: null")}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestFairShares(t *testing.T) {
	all := map[int32]bounds{0: {start: 0, end: 3}, 1: {start: 10, end: 110}, 2: {start: 5, end: 5}, 3: {start: 0, end: 1000}}
	for _, c := range []struct {
		n    int64
		want map[int32]int64
	}{
		{20, map[int32]int64{0: 3, 1: 9, 2: 0, 3: 8}},
		{1000, map[int32]int64{0: 3, 1: 100, 2: 0, 3: 897}},
		{5000, map[int32]int64{0: 3, 1: 100, 2: 0, 3: 1000}},
		{1, map[int32]int64{0: 1, 1: 0, 2: 0, 3: 0}},
	} {
		if got := fairShares(all, c.n); !maps.Equal(got, c.want) {
			t.Errorf("%d: %v, want %v", c.n, got, c.want)
		}
	}
}

func TestParseSample(t *testing.T) {
	for _, bad := range []string{"", ":5", "t:0", "t:-1", "t:x"} {
		if _, _, err := parseSample(bad); err == nil || exitCode(err) != exitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if topic, n, err := parseSample("t"); topic != "t" || n != 1000 || err != nil {
		t.Error(topic, n, err)
	}
}

// TestCheckAgainstCluster reads real records, of the cluster of LOAD_BOOTSTRAP.
func TestCheckAgainstCluster(t *testing.T) {
	s := session{t, os.Getenv("LOAD_BOOTSTRAP")}
	if s.bootstrap == "" {
		t.Skip("LOAD_BOOTSTRAP names no cluster")
	}
	_, address := serveRegistry(t)
	t.Setenv("MILLRACE_REGISTRY", address)
	t.Chdir(t.TempDir())
	for name, text := range schemaFiles {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	topic := "check-" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	s.do("", "topic", "create", topic, "--partitions", "3")
	defer s.do("", "topic", "delete", topic)
	s.do(strings.Repeat("{\"id\":1}\n{\"id\":200}\n", 300), "produce", topic, "--json-schema", "order.json")
	s.want("order.json fits subject "+topic+"-value at level BACKWARD\n100 records from the end of topic "+topic+", values: 100 read\n",
		"schema", "check", "order.json", "--against", topic+":100")
	strict := `{"title":"Order","type":"object","required":["id"],"properties":{"id":{"type":"integer","maximum":100}}}`
	if err := os.WriteFile("strict.json", []byte(strict), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := s.try("", "schema", "check", "strict.json", "--against", topic)
	if err == nil || exitCode(err) != exitFound || !strings.Contains(out, "600 records from the end of topic "+topic+", values: 300 read, 300 cannot be read") {
		t.Error(err, out)
	}
}
