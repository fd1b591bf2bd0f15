package cli

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/serde"
)

// recordFormat writes one record.
type recordFormat func(w io.Writer, r *kgo.Record) error

const formatHelp = `value, key-value, json, hex, or a template with %-signs:
  %t topic  %p partition  %o offset  %k key  %v value  %h headers  %T timestamp in ms  %d date  %K %V sizes  %% a %
  and \n \t \0 \xNN; as in '%p:%o %k=%v\n'`

// newFormat makes a format by name. safe escapes what a terminal would act upon; d decodes what carries a schema id.
func newFormat(name string, safe bool, d *decoder) (recordFormat, error) {
	raw := func(b []byte) string { return string(b) }
	if safe {
		raw = func(b []byte) string { return escapeKeeping(string(b), "\n\t") }
	}
	switch name {
	case "value":
		return template("%v\n", raw, d)
	case "key-value":
		return template("%k\t%v\n", raw, d)
	case "json":
		return func(w io.Writer, r *kgo.Record) error { return writeRecordJSON(w, r, safe, d) }, nil
	case "hex":
		return writeHex, nil
	}
	if !strings.Contains(name, "%") {
		return nil, usagef("--format %s is unknown: it is %s", name, formatHelp)
	}
	return template(name, raw, d)
}

// template compiles a text with %-signs into pieces.
func template(text string, raw func([]byte) string, d *decoder) (recordFormat, error) {
	text, err := unescapeTemplate(text)
	if err != nil {
		return nil, err
	}
	var pieces []func(r *kgo.Record) string
	literal := func(s string) { pieces = append(pieces, func(*kgo.Record) string { return s }) }
	for text != "" {
		before, after, found := strings.Cut(text, "%")
		literal(before)
		if !found {
			break
		}
		if after == "" {
			return nil, usagef("--format ends with a single %%: write %%%% for a percent sign")
		}
		piece := directive(after[0], raw, d)
		if piece == nil {
			return nil, usagef("--format has %%%c, which stands for nothing: it is %s", after[0], formatHelp)
		}
		pieces, text = append(pieces, piece), after[1:]
	}
	return func(w io.Writer, r *kgo.Record) error {
		for _, p := range pieces {
			if _, err := io.WriteString(w, p(r)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func directive(c byte, raw func([]byte) string, d *decoder) func(r *kgo.Record) string {
	switch c {
	case 't':
		return func(r *kgo.Record) string { return escape(r.Topic) }
	case 'p':
		return func(r *kgo.Record) string { return strconv.Itoa(int(r.Partition)) }
	case 'o':
		return func(r *kgo.Record) string { return strconv.FormatInt(r.Offset, 10) }
	case 'k':
		return func(r *kgo.Record) string { return raw(d.part(r, serde.Key).bytes()) }
	case 'v', 's':
		return func(r *kgo.Record) string { return raw(d.part(r, serde.Value).bytes()) }
	case 'h':
		return func(r *kgo.Record) string { return headerText(r.Headers, raw) }
	case 'T':
		return func(r *kgo.Record) string { return strconv.FormatInt(r.Timestamp.UnixMilli(), 10) }
	case 'd':
		return func(r *kgo.Record) string { return date(r.Timestamp) }
	case 'K':
		return func(r *kgo.Record) string { return length(r.Key) }
	case 'V':
		return func(r *kgo.Record) string { return length(r.Value) }
	case '%':
		return func(*kgo.Record) string { return "%" }
	}
	return nil
}

func length(b []byte) string {
	if b == nil {
		return "-1"
	}
	return strconv.Itoa(len(b))
}

func headerText(hs []kgo.RecordHeader, raw func([]byte) string) string {
	parts := make([]string, len(hs))
	for i, h := range hs {
		parts[i] = escape(h.Key) + "=" + raw(h.Value)
	}
	return strings.Join(parts, ",")
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func unescapeTemplate(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '0':
			b.WriteByte(0)
		case '\\':
			b.WriteByte('\\')
		case 'x':
			n, err := strconv.ParseUint(s[i+1:min(len(s), i+3)], 16, 8)
			if err != nil || i+2 >= len(s) {
				return "", usagef(`--format: \x needs two hexadecimal digits`)
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			return "", usagef(`--format has \%c, which stands for nothing: there are \n \t \r \0 \\ and \xNN`, s[i])
		}
	}
	return b.String(), nil
}

// recordJSON is a record for programs: one line that consume writes and produce --format json reads. A key or value
// that is no text is given in base64 instead; null is null. What carried a schema id is JSON itself, with its schema beside it.
type recordJSON struct {
	Topic       string          `json:"topic,omitempty"`
	Partition   *int32          `json:"partition,omitempty"`
	Offset      *int64          `json:"offset,omitempty"`
	Timestamp   string          `json:"timestamp,omitempty"`
	Key         json.RawMessage `json:"key,omitempty"`
	KeyBase64   *string         `json:"key_base64,omitempty"`
	KeySchema   *schemaJSON     `json:"key_schema,omitempty"`
	KeyError    string          `json:"key_error,omitempty"` // why it is not decoded
	Value       json.RawMessage `json:"value,omitempty"`
	ValueBase64 *string         `json:"value_base64,omitempty"`
	ValueSchema *schemaJSON     `json:"value_schema,omitempty"`
	ValueError  string          `json:"value_error,omitempty"`
	Headers     []headerJSON    `json:"headers,omitempty"`
}

type headerJSON struct {
	Key         string  `json:"key"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

func toJSON(b []byte) (text, base *string) {
	if b == nil {
		return nil, nil
	}
	s := string(b)
	if utf8.ValidString(s) {
		return &s, nil
	}
	s = base64.StdEncoding.EncodeToString(b)
	return nil, &s
}

func writeRecordJSON(w io.Writer, r *kgo.Record, safe bool, d *decoder) error {
	j := recordJSON{Topic: r.Topic, Partition: &r.Partition, Offset: &r.Offset, Timestamp: date(r.Timestamp)}
	j.Key, j.KeyBase64, j.KeySchema, j.KeyError = d.json(r, serde.Key)
	j.Value, j.ValueBase64, j.ValueSchema, j.ValueError = d.json(r, serde.Value)
	for _, h := range r.Headers {
		hj := headerJSON{Key: h.Key}
		hj.Value, hj.ValueBase64 = toJSON(h.Value)
		j.Headers = append(j.Headers, hj)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		return err
	}
	line := b.String()
	if safe {
		line = jsonSafe(line)
	}
	_, err := io.WriteString(w, line)
	return err
}

// jsonSafe writes as \u00XX what JSON lets through and a terminal would act upon.
func jsonSafe(line string) string {
	if !needsEscape(line, "\n") {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if acts(r) && r != '\n' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func writeHex(w io.Writer, r *kgo.Record) error {
	_, err := fmt.Fprintf(w, "%s-%d@%d %s\n", escape(r.Topic), r.Partition, r.Offset, date(r.Timestamp))
	for _, part := range []struct {
		name  string
		bytes []byte
	}{{"key", r.Key}, {"value", r.Value}} {
		if part.bytes == nil {
			continue
		}
		_, err = fmt.Fprintf(w, "%s, %s\n%s", part.name, count(int64(len(part.bytes)), "byte"), hex.Dump(part.bytes))
	}
	return err
}
