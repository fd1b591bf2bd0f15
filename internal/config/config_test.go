package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write generated files instead of comparing them")

// TestTableIsConsistent: every default is valid, every twin exists and agrees, every row says what it is.
func TestTableIsConsistent(t *testing.T) {
	for _, tab := range []*table{brokerTable, topicTable, dynamicGroupTable} {
		for i := range tab.rows {
			checkRow(t, &tab.rows[i])
			if i > 0 && tab.rows[i-1].Name == tab.rows[i].Name {
				t.Errorf("%s stands in the table twice", tab.rows[i].Name)
			}
		}
	}
}

func checkRow(t *testing.T, r *Setting) {
	if !r.Unset && !r.Removed && r.Type != JavaClass {
		if err := r.Valid(r.Default); err != nil {
			t.Errorf("%s: its default is not valid: %v", r.Name, err)
		}
	}
	if !r.Removed && (!strings.HasSuffix(r.Doc, ".") || len(r.Doc) < 15) {
		t.Errorf("%s: its documentation is no sentence: %q", r.Name, r.Doc)
	}
	if (r.Class == NoEffect || r.Class == Secures) && r.Note == "" {
		t.Errorf("%s: nothing says what takes its place, or why it is refused", r.Name)
	}
	if r.Topic != "" {
		twin := LookupTopic(r.Topic)
		if twin == nil || twin.Type != r.Type {
			t.Errorf("%s: its topic twin %s is missing or of another type", r.Name, r.Topic)
		} else if v, _ := TopicValue(Defaults(), nil, nil, nil, r.Topic); v != twin.Default {
			t.Errorf("%s inherits %q, but says that its default is %q", r.Topic, v, twin.Default)
		}
	}
}

// TestTableIsKafkas compares names, types and defaults with what Kafka 4.3.1 itself prints (testdata/kafka-4.3.1.txt).
func TestTableIsKafkas(t *testing.T) {
	ours := map[string]string{ // defaults that differ on purpose
		"auto.create.topics.enable": "safer", "process.roles": "the one combination", "node.id": "1", "listeners": "loopback",
		"log.dir": "not in /tmp", "controller.listener.names": "none needed", "ssl.keystore.type": "PEM only",
	}
	raw, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]*table{"broker": brokerTable, "topic": topicTable, "group": dynamicGroupTable}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		f := strings.Split(line, "\t")
		r := tables[f[0]].index[f[1]]
		if r == nil {
			t.Errorf("%s %s is missing", f[0], f[1])
			continue
		}
		if got := strings.ToUpper(r.Type.String()); got != f[2] {
			t.Errorf("%s: type %s, Kafka's is %s", r.Name, got, f[2])
		}
		if ours[r.Name] != "" {
			continue
		}
		if none := f[3] == "<null>" || f[3] == "<none>"; none != r.Unset || !none && r.Default != f[3] {
			t.Errorf("%s: default %q (unset %v), Kafka's is %s", r.Name, r.Default, r.Unset, f[3])
		}
	}
}

func TestPageIsFresh(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "config.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(Page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != Page() {
		t.Errorf("docs/config.md is not what the table says: run go generate ./internal/config (%v)", err)
	}
}
