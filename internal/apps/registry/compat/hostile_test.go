package compat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/internal/apps/registry/schema"
)

// times writes a text n times, with the place in it.
func times(n int, format, between string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(format, "%%", fmt.Sprint(i+1)), "%", fmt.Sprint(i))
	}
	return strings.Join(parts, between)
}

func nested(n int, open, inside, end string) string {
	return strings.Repeat(open, n) + inside + strings.Repeat(end, n)
}

// TestHostile: pairs made to be costly end soon, whatever they are, and what cannot be decided is never called compatible.
func TestHostile(t *testing.T) {
	all := func(n int) string { // every definition refers to every other
		return `{"$ref":"#/definitions/d0","definitions":{` + times(n, `"d%":{"type":"object","properties":{`+
			strings.ReplaceAll(times(n, `"p%":{"$ref":"#/definitions/d%"}`, ","), "@", "")+`,"own%":{"type":"LAST"}}}`, ",") + `}}`
	}
	for _, c := range []struct {
		name           string
		kind           schema.Type
		reader, writer string
		want           string // ok, no, or either
	}{
		{"alternatives multiplied", schema.JSON, `{"type":"string","pattern":"^x$"}`,
			`{"allOf":[` + times(40, `{"anyOf":[{"maxLength":1%},{"minLength":%}]}`, ",") + `,{"type":"string"}]}`, "no"},
		{"alternatives in alternatives", schema.JSON, nested(20, `{"anyOf":[{"type":"null"},`, `{"type":"integer"}`, `]}`),
			nested(20, `{"anyOf":[{"type":"null"},`, `{"type":"number"}`, `]}`), "no"},
		{"oneOf against oneOf", schema.JSON, `{"oneOf":[` + times(300, `{"type":"object","required":["r%"]}`, ",") + `]}`,
			`{"oneOf":[` + times(300, `{"type":"object","required":["w%"]}`, ",") + `]}`, "no"},
		{"allOf in allOf", schema.JSON, nested(60, `{"allOf":[{"minLength":1},`, `{"maxLength":4}`, `]}`), nested(60, `{"allOf":[{"minLength":1},`, `{"maxLength":5}`, `]}`), "no"},
		{"not in not", schema.JSON, nested(60, `{"not":`, `{"type":"integer"}`, `}`), nested(60, `{"not":`, `{"type":"number"}`, `}`), "either"},
		{"two references twice, fifteen times", schema.JSON,
			`{"$ref":"#/definitions/d0","definitions":{` + times(15, `"d%":{"allOf":[{"$ref":"#/definitions/d%%"},{"$ref":"#/definitions/d%%"}]}`, ",") + `,"d15":{"type":"integer"}}}`,
			`{"$ref":"#/definitions/d0","definitions":{` + times(15, `"d%":{"allOf":[{"$ref":"#/definitions/d%%"},{"$ref":"#/definitions/d%%"}]}`, ",") + `,"d15":{"type":"number"}}}`, "no"},
		{"everything refers to everything", schema.JSON, strings.ReplaceAll(all(20), "LAST", "integer"), strings.ReplaceAll(all(20), "LAST", "number"), "no"},
		{"everything refers to everything, and fits", schema.JSON, strings.ReplaceAll(all(20), "LAST", "number"), strings.ReplaceAll(all(20), "LAST", "integer"), "ok"},
		{"ten thousand numbers", schema.JSON, `{"enum":[` + times(10000, `1%.5`, ",") + `]}`, `{"enum":[` + times(10000, `1%.50`, ",") + `]}`, "ok"},
		{"ten thousand texts", schema.JSON, `{"enum":[` + times(10000, `"a%"`, ",") + `]}`, `{"enum":[` + times(10001, `"a%"`, ",") + `]}`, "no"},
		{"a thousand patterns", schema.JSON, `{"patternProperties":{` + times(1000, `"^a*%$":{"type":"integer"}`, ",") + `}}`,
			`{"patternProperties":{` + times(1000, `"^a*%$":{"type":"number"}`, ",") + `},"properties":{` + times(1000, `"a%":{}`, ",") + `}}`, "no"},
		{"ten thousand symbols", schema.Avro, `{"type":"enum","name":"E","symbols":[` + times(10000, `"S%"`, ",") + `]}`,
			`{"type":"enum","name":"E","symbols":[` + times(10001, `"S%"`, ",") + `]}`, "no"},
		{"deep arrays", schema.Avro, nested(60, `{"type":"array","items":`, `"int"`, `}`), nested(60, `{"type":"array","items":`, `"long"`, `}`), "no"},
		{"unions of unions of records", schema.Avro,
			`[` + times(60, `{"type":"record","name":"n%.R","fields":[{"name":"f","type":["null","n%.R","int"]}]}`, ",") + `]`,
			`[` + times(60, `{"type":"record","name":"m%.R","fields":[{"name":"f","type":["null","m%.R","long"]}]}`, ",") + `]`, "no"},
		{"every record holds every other", schema.Avro,
			`{"type":"record","name":"T","fields":[` + times(60, `{"name":"f%","type":{"type":"record","name":"R%","fields":[{"name":"a","type":{"type":"array","items":"T"}},{"name":"b","type":"long"}]}}`, ",") + `]}`,
			`{"type":"record","name":"T","fields":[` + times(60, `{"name":"f%","type":{"type":"record","name":"R%","fields":[{"name":"a","type":{"type":"array","items":"T"}},{"name":"b","type":"int"}]}}`, ",") + `]}`, "ok"},
		{"a thousand messages", schema.Protobuf, times(1000, `message M% { M%% a = 1; M%% b = 2; int64 c = 3; }`, "") + `message M1000 { }`,
			times(1000, `message M% { M%% a = 1; M%% b = 2; string c = 3; }`, "") + `message M1000 { }`, "no"},
		{"deep messages", schema.Protobuf, nested(30, `message M { int64 a = 1; `, ``, `}`), nested(30, `message M { string a = 1; `, ``, `}`), "no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reader, writer := read(t, c.kind, c.reader), read(t, c.kind, c.writer)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			begin := time.Now()
			r := Check(reader, writer, Options{Context: ctx})
			took := time.Since(begin)
			if took > 10*time.Second { // far beyond the deadline, for machines that do much else
				t.Errorf("took %s", took)
			}
			if c.want != "either" && r.Compatible() != (c.want == "ok") {
				t.Errorf("compatible: %t; %.300s", r.Compatible(), told(r))
			}
			t.Logf("%s: %.100s", took.Round(time.Millisecond), told(r))
		})
	}
}

// TestDeadline: a request that has ended gets no verdict of compatible, and a comparison stops when its time is up.
func TestDeadline(t *testing.T) {
	reader := read(t, schema.JSON, `{"type":"string","pattern":"^x$"}`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := Check(reader, reader, Options{Context: ctx})
	if told(r) != "UNDECIDED " || !strings.Contains(r.Findings[0].Words, "limits") {
		t.Errorf("after the deadline: %+v", r)
	}
}
