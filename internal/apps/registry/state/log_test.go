package state

import (
	"context"
	"fmt"
	"testing"

	"millrace/internal/apps/registry/schema"
)

// log is a _schemas topic in memory with the state that follows it.
type log struct {
	records []Record
	state   *State
	rules   Rules
}

func newLog() *log { return &log{state: New(), rules: Rules{Check: letters{}}} }

func (l *log) append(writes []Write) {
	for _, w := range writes {
		r := Record{Offset: int64(len(l.records)), Time: int64(1000 + len(l.records)), Key: w.Key, Value: w.Value}
		l.records = append(l.records, r)
		l.state.Apply(r)
	}
}

func (l *log) raw(key, value string) {
	w := Write{Key: []byte(key)}
	if value != "" {
		w.Value = []byte(value)
	}
	l.append([]Write{w})
}

// compacted keeps the last record of every key, but nothing of the last tail records is touched, as a cleaner leaves the active
// segment; tombstones may go too.
func (l *log) compacted(tail int, tombstones bool) []Record {
	last := map[string]int64{}
	for _, r := range l.records {
		last[string(r.Key)] = r.Offset
	}
	var kept []Record
	for i, r := range l.records {
		active := i >= len(l.records)-tail
		if active || last[string(r.Key)] == r.Offset && (r.Value != nil || tombstones) {
			kept = append(kept, r)
		}
	}
	return kept
}

func replay(records []Record) *State {
	s := New()
	for _, r := range records {
		s.Apply(r)
	}
	return s
}

// letters is a checker for tests: a reader fits a writer unless its doc says that it does not read the writer's.
type letters struct{}

func (letters) Check(_ context.Context, reader, writer *schema.Parsed, _ string) (v Verdict) {
	if a, b := reader.Avro, writer.Avro; a != nil && b != nil {
		for _, f := range a.Root.Fields {
			if b.Root.Field(f.Name) == nil && f.Default == nil {
				v.Findings = append(v.Findings, Incompatibility{"/" + f.Name, "NO_DEFAULT", "the field has no default"})
			}
		}
	}
	return v
}

func (l *log) register(t testing.TB, q Registration) *Version {
	t.Helper()
	v, err := l.try(q)
	if err != nil {
		t.Fatalf("register %+v: %v", q, err)
	}
	return v
}

func (l *log) try(q Registration) (*Version, *Error) {
	writes, v, err := l.state.Register(context.Background(), l.rules, q)
	if err != nil {
		return nil, err
	}
	l.append(writes)
	return v, nil
}

// record is an Avro record with these fields of type int.
func record(fields ...string) schema.Schema {
	text := `{"type":"record","name":"R","fields":[`
	for i, f := range fields {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"name":%q,"type":"int","default":0}`, f)
	}
	return schema.Schema{Text: text + "]}"}
}

func plain(subject string, fields ...string) Registration {
	return Registration{Subject: subject, Schema: record(fields...), ID: NoID}
}
