package compat

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

// eachCase reads a table: lines of cells, with a bar between spaces.
func eachCase(t *testing.T, file string, cells int, try func(t *testing.T, cell []string)) {
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		cell := strings.Split(line, " | ")
		if len(cell) != cells {
			t.Fatalf("%d cells, not %d: %s", len(cell), cells, line)
		}
		count++
		t.Run(cell[0], func(t *testing.T) { try(t, cell) })
	}
	if count < 30 {
		t.Errorf("%s has %d cases only", file, count)
	}
}

func told(r Result) string {
	if r.Compatible() {
		return "ok"
	}
	var list []string
	for _, f := range r.Findings {
		list = append(list, fmt.Sprintf("%s %s", f.Kind, f.Path))
	}
	return strings.Join(list, ", ")
}

func read(t testing.TB, kind schema.Type, text string) *schema.Parsed {
	t.Helper()
	if kind == schema.Protobuf && !strings.HasPrefix(text, "syntax") {
		text = `syntax = "proto3"; ` + text
	}
	p, err := schema.Parse(schema.Schema{Type: kind, Text: text}, nil, schema.Options{})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

func TestCases(t *testing.T) {
	for _, table := range []struct {
		file string
		kind schema.Type
	}{{"avro.txt", schema.Avro}, {"protobuf.txt", schema.Protobuf}} {
		eachCase(t, table.file, 4, func(t *testing.T, cell []string) {
			r := Check(read(t, table.kind, cell[1]), read(t, table.kind, cell[2]), Options{})
			if got := told(r); got != cell[3] {
				t.Errorf("%s, not %s: %+v", got, cell[3], r.Findings)
			}
			wantExample(t, r, withoutRecord)
		})
	}
}

func TestCasesJSON(t *testing.T) {
	eachCase(t, "json.txt", 5, func(t *testing.T, cell []string) {
		for i, policy := range []Policy{Strict, Lenient} {
			r := Check(read(t, schema.JSON, cell[1]), read(t, schema.JSON, cell[2]), Options{Policy: policy})
			if got := told(r); got != cell[3+i] {
				t.Errorf("policy %d: %s, not %s: %+v", policy, got, cell[3+i], r.Findings)
			}
			wantExample(t, r, map[Kind]bool{"IF_CHANGED": true})
		}
	})
}

// withoutRecord are findings that no record shows: rules that guard names and other readers.
var withoutRecord = map[Kind]bool{PackageChanged: true, RequiredFieldRemoved: true}

func wantExample(t *testing.T, r Result, without map[Kind]bool) {
	t.Helper()
	if !r.Compatible() && r.Example == nil && !without[r.Findings[0].Kind] {
		t.Errorf("no counter-example for %v", r.Findings)
	}
	if r.Compatible() && r.Example != nil {
		t.Error("a counter-example for a pair that fits")
	}
}

func TestTypesDoNotMix(t *testing.T) {
	r := Check(read(t, schema.JSON, `{}`), read(t, schema.Avro, `"int"`), Options{})
	if told(r) != "SCHEMA_TYPE_CHANGED " {
		t.Error(told(r))
	}
}

func wide(kind schema.Type, fields int) string {
	var b strings.Builder
	for i := range fields {
		switch kind {
		case schema.Avro:
			fmt.Fprintf(&b, `,{"name":"f%d","type":["null","string"],"default":null}`, i)
		case schema.JSON:
			fmt.Fprintf(&b, `,"f%d":{"type":"string","maxLength":20}`, i)
		default:
			fmt.Fprintf(&b, "string f%d = %d;", i, i+1)
		}
	}
	switch kind {
	case schema.Avro:
		return `{"type":"record","name":"R","fields":[` + b.String()[1:] + `]}`
	case schema.JSON:
		return `{"type":"object","additionalProperties":false,"properties":{` + b.String()[1:] + `}}`
	}
	return `message M {` + b.String() + `}`
}

// BenchmarkCheck compares two schemas of two hundred fields: one that fits, and one whose last field changed, with its example.
func BenchmarkCheck(b *testing.B) {
	for _, kind := range []schema.Type{schema.Avro, schema.JSON, schema.Protobuf} {
		text := wide(kind, 200)
		reader, writer := read(b, kind, text), read(b, kind, wide(kind, 199))
		last := strings.LastIndex(text, "string")
		changed := read(b, kind, text[:last]+map[schema.Type]string{schema.Avro: "int", schema.JSON: "integer", schema.Protobuf: "int32"}[kind]+text[last+len("string"):])
		b.Run(string(kind)+"/fits", func(b *testing.B) {
			for b.Loop() {
				if r := Check(reader, writer, Options{}); !r.Compatible() {
					b.Fatal(r.Findings)
				}
			}
		})
		b.Run(string(kind)+"/broken", func(b *testing.B) {
			for b.Loop() {
				if r := Check(changed, reader, Options{}); r.Example == nil {
					b.Fatal(r.Findings)
				}
			}
		})
	}
}
