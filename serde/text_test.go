package serde_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"millrace/serde"

	"github.com/twmb/franz-go/pkg/sr"
)

const everyAvro = `{"type":"record","name":"R","namespace":"n","fields":[
	{"name":"b","type":"boolean","default":true},{"name":"i","type":"int","default":1},{"name":"l","type":"long","default":2},
	{"name":"f","type":"float","default":0},{"name":"d","type":"double","default":0},{"name":"s","type":"string","default":""},
	{"name":"y","type":"bytes","default":""},{"name":"x","type":{"type":"fixed","name":"F","size":2},"default":"ab"},
	{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"A"},
	{"name":"a","type":{"type":"array","items":"int"},"default":[]},{"name":"m","type":{"type":"map","values":"E"},"default":{}},
	{"name":"o","type":["null","R"],"default":null},
	{"name":"u","type":["null","int","string",{"type":"record","name":"P","fields":[{"name":"p","type":"int"}]},"F"],"default":null},
	{"name":"w","type":["null",{"type":"map","values":["null","string"]}],"default":null},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"default":0},
	{"name":"us","type":["null",{"type":"long","logicalType":"local-timestamp-micros"}],"default":null},
	{"name":"day","type":{"type":"int","logicalType":"date"},"default":0},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2},"default":"\u0000"},
	{"name":"fee","type":["null",{"type":"fixed","name":"D","size":4,"logicalType":"decimal","precision":6,"scale":3}],"default":null}]}`

// everyDefault is what {} becomes.
const everyDefault = `{"b":true,"i":1,"l":2,"f":0,"d":0,"s":"","y":"","x":"ab","e":"A","a":[],"m":{},"o":null,"u":null,"w":null,` +
	`"at":"1970-01-01T00:00:00.000Z","us":null,"day":"1970-01-01","price":"0.00","fee":null}`

// Each line of JSON and what is read again, as the fields that differ from the defaults; "error: " and a part of it.
var avroTexts = []struct{ in, out string }{
	{`{}`, `{}`},
	{`{"b":false,"i":-2147483648,"l":-9223372036854775808}`, `{"b":false,"i":-2147483648,"l":-9223372036854775808}`},
	{`{"i":2147483648}`, `error: i is 2147483648, not a whole number of 32 bits`},
	{`{"l":9223372036854775808}`, `error: 64 bits`},
	{`{"i":1.5}`, `error: whole number`},
	{`{"i":"1"}`, `error: i is "1", not a whole number`},
	{`{"i":null}`, `error: i is null`},
	{`{"f":1.5,"d":1e300}`, `{"f":1.5,"d":1e+300}`},
	{`{"f":"NaN","d":"-Infinity"}`, `{"f":"NaN","d":"-Infinity"}`},
	{`{"d":1e1000}`, `error: range of a double`},
	{`{"d":1e1000000000}`, `error: more than 1000 digits`},
	{`{"s":"ü<\"\n\u0000"}`, `{"s":"ü<\"\n\u0000"}`},
	{`{"y":"\u0000\u00ff","x":"\u0001\u0002"}`, `{"y":"\u0000ÿ","x":"\u0001\u0002"}`},
	{`{"y":"€"}`, `error: bytes, each a character`},
	{`{"x":"abc"}`, `error: 2 bytes`},
	{`{"e":"B","m":{"z":"A","a":"B"},"a":[1,2]}`, `{"e":"B","a":[1,2],"m":{"a":"B","z":"A"}}`},
	{`{"e":"C"}`, `error: e is "C", not a symbol of the enum n.E`},
	{`{"a":[1,"x"]}`, `error: a[1] is "x", not a whole number`},
	{`{"m":{"k":1}}`, `error: m.k is 1, not a symbol`},
	{`{"o":{"o":{"i":5}}}`, `{"o":DEFAULT{"o":DEFAULT{"i":5}}}`},
	{`{"o":{"n.R":{"i":5}}}`, `{"o":DEFAULT{"i":5}}`},
	{`{"u":1}`, `{"u":{"int":1}}`},
	{`{"u":"x"}`, `{"u":{"string":"x"}}`},
	{`{"u":{"p":1}}`, `{"u":{"n.P":{"p":1}}}`},
	{`{"u":{"n.F":"ab"}}`, `{"u":{"n.F":"ab"}}`},
	{`{"u":{"int":1}}`, `{"u":{"int":1}}`},
	{`{"u":true}`, `error: u is true, not one of null, int, string, n.P, n.F`},
	{`{"w":{"a":null,"b":"x"}}`, `{"w":{"a":null,"b":"x"}}`},
	{`{"w":{"map":"x"}}`, `{"w":{"map":{"map":"x"}}}`}, // a plain map that could be taken for a branch is written with its branch
	{`{"w":{"map":{"map":"x"}}}`, `{"w":{"map":{"map":"x"}}}`},
	{`{"at":"2026-01-31T12:00:00.123Z"}`, `{"at":"2026-01-31T12:00:00.123Z"}`},
	{`{"at":"2026-01-31T13:00:00+01:00"}`, `{"at":"2026-01-31T12:00:00.000Z"}`},
	{`{"at":1769860800123}`, `{"at":"2026-01-31T12:00:00.123Z"}`},
	{`{"at":-1}`, `{"at":"1969-12-31T23:59:59.999Z"}`},
	{`{"at":9223372036854775807}`, `{"at":9223372036854775807}`},
	{`{"at":"yesterday"}`, `error: at is "yesterday", not a timestamp-millis like 2006-`},
	{`{"us":"2026-01-31T12:00:00.000001","day":"2026-01-31"}`, `{"us":"2026-01-31T12:00:00.000001","day":"2026-01-31"}`},
	{`{"day":"1969-12-31"}`, `{"day":"1969-12-31"}`},
	{`{"price":"12.34","fee":-1.5}`, `{"price":"12.34","fee":"-1.500"}`},
	{`{"price":12,"fee":"0.001"}`, `{"price":"12.00","fee":"0.001"}`},
	{`{"price":"-0.01"}`, `{"price":"-0.01"}`},
	{`{"price":"1.28"}`, `{"price":"1.28"}`}, // 128 takes two bytes
	{`{"price":"-1.28"}`, `{"price":"-1.28"}`},
	{`{"price":"\u0004\u00d2"}`, `{"price":"12.34"}`},
	{`{"price":"1.001"}`, `error: at most 2 digits`},
	{`{"fee":"9999999999"}`, `error: fits 4 bytes`},
	{`{"iii":1}`, `error: n.R has no field iii`},
	{`{"o":{"iii":1}}`, `error: n.R has no field o.iii`},
	{`{"i":1} {}`, `error: more follows`},
	{`{"i":`, `error: ends too early`},
	{`[]`, `error: [] is not an object with the fields of n.R`},
	{strings.Repeat(`{"o":`, 1001) + `null` + strings.Repeat(`}`, 1001), `error: nested more than 1000`},
}

func TestAvroText(t *testing.T) {
	s := parse(t, sr.Schema{Schema: everyAvro})
	for _, c := range avroTexts {
		payload, err := s.Encode([]byte(c.in))
		if want, refused := strings.CutPrefix(c.out, "error: "); refused {
			if !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), want) {
				t.Errorf("%.100s: error %v, want %s", c.in, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		out, err := s.Decode(payload)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if want := withDefaults(t, c.out); want != string(out) {
			t.Errorf("%s becomes\n%s, want\n%s", c.in, out, want)
		}
		payload, err = s.Encode(out)
		if err != nil {
			t.Errorf("%s: what is written is not read again: %v", out, err)
			continue
		}
		if again, err := s.Decode(payload); err != nil || string(again) != string(out) {
			t.Errorf("%s becomes %s, %v", out, again, err)
		}
	}
}

// withDefaults puts the fields of an object into everyDefault, in the place they have there; DEFAULT before an object inside does the same.
func withDefaults(t *testing.T, fields string) string {
	t.Helper()
	out := everyDefault
	for rest := strings.TrimSuffix(strings.TrimPrefix(fields, "{"), "}"); rest != ""; {
		name, after, _ := strings.Cut(rest, ":")
		value := valueAt(after)
		rest = strings.TrimPrefix(after[len(value):], ",")
		if inner, nested := strings.CutPrefix(value, "DEFAULT"); nested {
			value = withDefaults(t, inner)
		}
		at := strings.Index(out, name+":")
		if at < 0 {
			t.Fatalf("%s is no field", name)
		}
		was := valueAt(out[at+len(name)+1:])
		out = out[:at+len(name)+1] + value + out[at+len(name)+1+len(was):]
	}
	return out
}

// valueAt is the JSON value that a text begins with.
func valueAt(text string) string {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == '}' || c == ']'):
			return text[:i]
		}
	}
	return text
}

// Payloads that claim more than they hold, or go on after their end.
func TestAvroPayloads(t *testing.T) {
	deep := strings.Repeat("02", 3000)
	for _, c := range []struct{ schema, payload, want string }{
		{`{"type":"array","items":"null"}`, "feffffffffffffff7f00", ""},
		{`{"type":"array","items":"int"}`, "feffffffffffffff7f", ""},
		{`{"type":"map","values":"int"}`, "feffffffff0f", ""},
		{`"string"`, "feffffffff0f61", ""},
		{`"string"`, "0261" + "00", "1 of 3 bytes are left over"},
		{`["null","int"]`, "08", ""},
		{`{"type":"enum","name":"E","symbols":["A"]}`, "02", ""},
		{`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`, deep, ""},
	} {
		s := parse(t, sr.Schema{Schema: c.schema})
		b, err := hex.DecodeString(c.payload)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.Decode(b); !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.40s: %s, %v", c.schema, c.payload, out, err)
		}
	}
}

func TestJSONText(t *testing.T) {
	s := parse(t, sr.Schema{Type: sr.TypeJSON, Schema: orderJSON})
	for _, c := range []struct{ in, out, want string }{
		{` { "customer" : "Ada",  "id":12345678901234567890 } `, `{"customer":"Ada","id":12345678901234567890}`, ""},
		{`{"id":1}`, "", "customer"},
		{`{"id":1,"customer":"Ada","nott":"x"}`, "", "nott"},
		{`{"id":1,"customer":"Ada"}x`, "", "no JSON"},
		{``, "", "no JSON"},
		{`{"id":1e1000000000,"customer":"Ada"}`, "", "digits"},
		{strings.Repeat("[", 5000), "", "nested"},
	} {
		got, err := s.Encode([]byte(c.in))
		switch {
		case c.want == "" && (err != nil || string(got) != c.out):
			t.Errorf("%s: %s, %v", c.in, got, err)
		case c.want != "" && (!errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.80s: %v, want %s", c.in, err, c.want)
		}
		if again, err := s.Decode([]byte(c.in)); c.want == "" && string(again) != string(got) || (err == nil) != (c.want == "") {
			t.Errorf("%.80s: read as %s, %v", c.in, again, err)
		}
	}
}
