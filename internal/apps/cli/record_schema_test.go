package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/serde"
)

var schemaFiles = map[string]string{
	"order.avsc": `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}`,
	"key.avsc":   `"string"`,
	"order.json": `{"title":"Order","type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}`,
	"order.proto": `syntax = "proto3"; package shop; import "customer.proto";
message Order { int64 id = 1; Customer customer = 2; message Line { string article = 1; } }`,
	"note.proto":     `syntax = "proto3"; message Note { int64 id = 1; string text = 2; }`,
	"customer.proto": `syntax = "proto3"; package shop; message Customer { string name = 1; }`,
}

// recordTest encodes and decodes against a registry in memory, as produce and consume do, without a broker between.
type recordTest struct {
	*app
	t       *testing.T
	address string
	dir     string
	err     bytes.Buffer
}

func newRecordTest(t *testing.T) *recordTest {
	_, address := serveRegistry(t)
	r := &recordTest{t: t, address: address, dir: t.TempDir()}
	r.app = &app{registryURL: address, timeout: 10 * time.Second, err: &r.err, now: time.Now}
	for name, text := range schemaFiles {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *recordTest) file(name string) string { return filepath.Join(r.dir, name) }

// produce makes a record of a line as a command line with these options does.
func (r *recordTest) produce(line string, o produceOptions) (*kgo.Record, error) {
	r.t.Helper()
	o.keySchema.part, o.valueSchema.part, o.partition = serde.Key, serde.Value, -1
	if o.format == "" {
		o.format = "value"
	}
	parse, err := newLineParser("orders", o)
	if err != nil {
		return nil, err
	}
	e, err := r.newEncoder(r.t.Context(), "orders", o)
	if err != nil {
		return nil, err
	}
	in, err := parse([]byte(line))
	if err != nil {
		return nil, err
	}
	return in.Record, e.encode(r.t.Context(), in)
}

func (r *recordTest) must(line string, o produceOptions) *kgo.Record {
	r.t.Helper()
	record, err := r.produce(line, o)
	if err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	return record
}

// consume writes a record in a format.
func (r *recordTest) consume(format string, records ...*kgo.Record) string {
	r.t.Helper()
	d, err := r.newDecoder(r.t.Context(), consumeOptions{format: format})
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := newFormat(format, false, d)
	if err != nil {
		r.t.Fatal(err)
	}
	var b bytes.Buffer
	for _, record := range records {
		if err := f(&b, record); err != nil {
			r.t.Fatal(err)
		}
	}
	return b.String()
}

// TestRecordsWithSchemas: what produce encodes, consume shows, and what it shows in JSON produce makes the same record of.
func TestRecordsWithSchemas(t *testing.T) {
	r := newRecordTest(t)
	app := *r.app
	app.out, app.output = &bytes.Buffer{}, "json"
	register := app.root()
	register.SetArgs([]string{"schema", "register", "customer.proto", r.file("customer.proto"), "--registry", r.address})
	if err := register.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	imports := []string{"customer.proto=customer.proto:1"}
	for _, c := range []struct {
		name       string
		o          produceOptions
		line, want string
	}{
		{"Avro", produceOptions{valueSchema: schemaFlags{avro: r.file("order.avsc")}}, `{"id": 7}`, "\t" + `{"id":7,"note":null}`},
		{"Avro by subject, in the header", produceOptions{schemaHeader: true, valueSchema: schemaFlags{subject: "orders-value"}}, `{"id": 7,"note":"x"}`, "\t" + `{"id":7,"note":"x"}`},
		{"Avro by id", produceOptions{valueSchema: schemaFlags{id: 2}}, `{"id":7}`, "\t" + `{"id":7,"note":null}`},
		{"Avro for both", produceOptions{keySeparator: "=", keySchema: schemaFlags{avro: r.file("key.avsc")}, valueSchema: schemaFlags{avro: r.file("order.avsc")}},
			`"a"={"id":7}`, `"a"` + "\t" + `{"id":7,"note":null}`},
		{"JSON Schema", produceOptions{valueSchema: schemaFlags{json: r.file("order.json"), subject: "json"}}, `{"id": 7}`, "\t" + `{"id":7}`},
		{"Protobuf", produceOptions{references: imports, valueSchema: schemaFlags{protobuf: r.file("order.proto"), subject: "proto"}},
			`{"id":7,"customer":{"name":"Ada"}}`, "\t" + `{"id":"7","customer":{"name":"Ada"}}`},
		{"another message", produceOptions{schemaHeader: true, references: imports, valueSchema: schemaFlags{protobuf: r.file("order.proto"), subject: "proto", message: "Order.Line"}},
			`{"article":"cup"}`, "\t" + `{"article":"cup"}`},
		{"a tombstone", produceOptions{null: true, key: "k", valueSchema: schemaFlags{avro: r.file("order.avsc")}}, ``, "k\t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := r.must(c.line, c.o)
			if got := r.consume("key-value", record); got != c.want+"\n" {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := r.err.String(); got != "" {
				t.Error(got)
			}
			line := r.consume("json", record)
			again := r.must(line, produceOptions{format: "json"})
			again.Timestamp = record.Timestamp
			if diff := cmp.Diff(record, again, cmpopts.IgnoreUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" {
				t.Errorf("%s%s", line, diff)
			}
		})
	}
	got := r.consume("json", r.must(`{"article":"cup"}`, produceOptions{references: imports, valueSchema: schemaFlags{protobuf: r.file("order.proto"), subject: "proto", message: "Order.Line"}}))
	for _, want := range []string{`"value":{"article":"cup"}`, `"value_schema":{"id":5`, `"guid":"`, `"subject":"proto","version":1`, `"type":"PROTOBUF","message":"shop.Order.Line"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	// The topic's own subject is named where a schema lies in several, and the number where a header has the GUID.
	r.must(`{"id":1}`, produceOptions{valueSchema: schemaFlags{avro: r.file("order.avsc"), subject: "before"}})
	got = r.consume("json", r.must(`{"id":7}`, produceOptions{schemaHeader: true, valueSchema: schemaFlags{id: 2}}))
	if !strings.Contains(got, `"value_schema":{"id":2,"guid":"`) || !strings.Contains(got, `"subject":"orders-value","version":1,"type":"AVRO","header":true`) {
		t.Error(got)
	}
	if raw := r.consume("hex", r.must(`{"id":7}`, produceOptions{valueSchema: schemaFlags{id: 2}})); !strings.Contains(raw, "00 00 00 00 02 0e 00") {
		t.Error(raw)
	}
}

func TestRecordsThatDoNotFit(t *testing.T) {
	r := newRecordTest(t)
	avro := produceOptions{valueSchema: schemaFlags{avro: r.file("order.avsc")}}
	r.must(`{"id":1}`, avro)
	for _, c := range []struct {
		line string
		o    produceOptions
		want string
	}{
		{`{"id":"x"}`, avro, `id is "x", not a whole number`},
		{`plain`, avro, "no JSON"},
		{``, avro, "no JSON"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{json: r.file("order.json")}}, "subject orders-value: the schema registry answers 409"},
		{`{"id":1}`, produceOptions{noRegister: true, valueSchema: schemaFlags{json: r.file("order.json"), subject: "s"}}, "register it first, or leave --no-register out"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{protobuf: r.file("order.proto")}}, "import customer.proto is not known"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{subject: "none"}}, "subject none, version latest: not in the schema registry"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{id: 99}}, "schema id 99: not in the schema registry"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{id: 1, message: "M"}}, "have no messages"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{message: "M"}}, "--message needs a Protobuf schema"},
		{`{"id":1}`, produceOptions{valueSchema: schemaFlags{avro: r.file("missing")}}, "cannot be read"},
		{`{"value":{"id":1}}`, produceOptions{format: "json"}, "the value is no text: JSON needs a schema"},
	} {
		if record, err := r.produce(c.line, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v %v, want %s", c.line, record, err, c.want)
		}
	}
	r.registryURL = "http://127.0.0.1:1"
	if _, err := r.produce(`{}`, produceOptions{valueSchema: schemaFlags{subject: "s"}}); !errors.Is(err, serde.ErrUnreachable) || exitCode(err) != exitUnreachable {
		t.Error(err)
	}
}

// Whatever cannot be decoded is shown as it is, and what is wrong is said once.
func TestWhatCannotBeDecoded(t *testing.T) {
	r := newRecordTest(t)
	record := r.must(`{"id":1}`, produceOptions{valueSchema: schemaFlags{avro: r.file("order.avsc")}})
	value := func(v string) *kgo.Record { return &kgo.Record{Topic: "orders", Offset: 7, Value: []byte(v)} }
	for _, c := range []struct{ value, said string }{
		{"plain", ""},
		{"", ""},
		{"\x00", ""},
		{"\x00\x00\x00\x00\x00\x00\x00\x05", ""}, // a number of eight bytes
		{"\x00\x00\x00\x00\x63x", "topic orders, partition 0, offset 7: the value begins as if it had schema id 99, which the registry at " + r.address + " does not know; it is shown as it is"},
		{"\x00\x00\x00\x00\x01", "cannot be decoded: schema id 1: it does not fit the schema"},
		{string(record.Value) + "x", "1 of 3 bytes are left over"},
	} {
		r.err.Reset()
		if got := r.consume("value", value(c.value), value(c.value)); got != c.value+"\n"+c.value+"\n" {
			t.Errorf("%q is shown as %q", c.value, got)
		}
		if got := r.err.String(); !strings.Contains(got, c.said) || c.said == "" && got != "" || strings.Count(got, "\n") > 1 {
			t.Errorf("%q: %s, want %s", c.value, got, c.said)
		}
	}
	if got := r.consume("json", value("\x00\x00\x00\x00\x63x")); !strings.Contains(got, `"value_error":"schema id 99: not in the schema registry`) {
		t.Error(got)
	}
	r.err.Reset()
	r.registryURL = "http://127.0.0.1:1"
	if got := r.consume("value", record, value("\x00\x00\x00\x00\x02"), value("plain")); got != string(record.Value)+"\n\x00\x00\x00\x00\x02\nplain\n" {
		t.Errorf("%q", got)
	}
	if got := r.err.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "schema id 1, but the schema registry at http://127.0.0.1:1 cannot be reached: name it with --registry") {
		t.Error(got)
	}
}

// Binary values of another kind begin with a zero byte now and then: the registry is not asked for each of them.
func TestZeroBytesAreNotAskedForEver(t *testing.T) {
	asked := 0
	read := func(_ context.Context, _ *kgo.Record, _ serde.Part, _ *serde.Schema) (serde.Text, error) {
		asked++
		return serde.Text{}, fmt.Errorf("no: %w", serde.ErrNotFound)
	}
	d := newDecoder(t.Context(), read, "r")
	for i := range 1000 {
		d.part(&kgo.Record{Topic: "t", Value: []byte{0, 1, byte(i >> 8), byte(i), 1, 0}}, serde.Value)
		d.part(&kgo.Record{Topic: "t", Value: []byte("none")}, serde.Value)
	}
	if asked != maxGuesses {
		t.Errorf("asked %d times", asked)
	}
	d.part(&kgo.Record{Topic: "other", Value: []byte{0, 0, 0, 0, 1}}, serde.Value)
	if asked != maxGuesses+1 {
		t.Error("another topic is not asked for")
	}
}
