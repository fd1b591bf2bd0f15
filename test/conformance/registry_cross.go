package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// One topic that every client writes with its own serializer and every client reads.
func init() {
	for _, format := range formats {
		for _, position := range []string{"prefix", "header"} {
			register(Case{"registry-cross/" + format + "-" + position, false, func(t *T) { registryCross(t, format, position) }})
		}
	}
}

// serializing is a client that writes and reads orders.
type serializing struct {
	name   string
	write  func(t *T, format, position, topic string, count int)
	read   func(t *T, format, topic string, count int) []string
	writes func(format, position string) bool
	reads  func(format, position string) bool
}

var serializings = []serializing{
	program("python", (*T).registryPython, ""),
	program("node", (*T).registryNode, ""),
	program("confluentgo", (*T).registryConfluentGo, ""),
	{name: "kafkajs", write: program("", (*T).registryNode, "kafkajs-").write, read: program("", (*T).registryNode, "kafkajs-").read,
		// It knows no header; it writes Protobuf without message indexes, and reads only the first message of a file.
		writes: func(format, position string) bool {
			return position == "prefix" && (format == "avro" || format == "json")
		},
		reads: func(format, position string) bool { return position == "prefix" && format != "nested" }},
	{name: "franz",
		write: func(t *T, format, _, topic string, count int) { franzWrite(t, format, topic, count) },
		read:  franzRead, writes: inFront, reads: inFront},
	{name: "millrace", write: millraceWrite, read: millraceRead, writes: everywhere, reads: everywhere},
}

func everywhere(_, _ string) bool         { return true }
func inFront(_ string, where string) bool { return where == "prefix" }

// millraceWrite is `millrace produce` with a schema file.
func millraceWrite(t *T, format, position, topic string, count int) {
	var lines []string
	for i := range count {
		lines = append(lines, orderOf("millrace", i).line())
	}
	flag := map[string]string{"avro": "--avro", "json": "--json-schema", "protobuf": "--protobuf", "nested": "--protobuf"}[format]
	args := []string{"produce", topic, "-q", "-b", t.addr, "--registry", t.Registry(), flag, filepath.Join(t.schemas(), "order-1"+endings[format])}
	if format == "nested" {
		args = append(args, "--message", "shop.Envelope.Sealed")
	}
	if position == "header" {
		args = append(args, "--schema-header")
	}
	t.Cmd(strings.Join(lines, "\n")+"\n", t.binary, args...)
}

// millraceRead is `millrace consume`, which finds out by itself how a record is written.
func millraceRead(t *T, _, topic string, count int) []string {
	return ordersIn(t.Cmd("", t.binary, "consume", topic, "-q", "-b", t.addr, "--registry", t.Registry(), "-n", strconv.Itoa(count)))
}

// ordersIn are the lines of a text that are orders.
func ordersIn(text string) (lines []string) {
	for _, line := range strings.Split(text, "\n") {
		var o order
		if json.Unmarshal([]byte(line), &o) == nil {
			lines = append(lines, o.line())
		}
	}
	return lines
}

// program is a client that is a program with the cases write and read.
func program(name string, run func(t *T, what string, args ...string) string, prefix string) serializing {
	return serializing{name: name, writes: everywhere, reads: everywhere,
		write: func(t *T, format, position, topic string, count int) {
			if prefix == "" {
				run(t, "write", format, position, topic, strconv.Itoa(count))
			} else {
				run(t, prefix+"write", format, topic, strconv.Itoa(count))
			}
		},
		read: func(t *T, format, topic string, count int) []string {
			return ordersIn(run(t, prefix+"read", format, topic, strconv.Itoa(count)))
		}}
}

// registryCross: what each client writes is the same bytes but for the schema's id, and every client reads all of it.
func registryCross(t *T, format, position string) {
	topic := t.Topic(1)
	const each = 3
	var want []string
	var writers []string
	for _, c := range serializings {
		if !c.writes(format, position) {
			continue
		}
		c.write(t, format, position, topic, each)
		writers = append(writers, c.name)
		for i := range each {
			want = append(want, orderOf(c.name, i).line())
		}
	}
	ids := t.sameBytes(format, position, topic, writers, each)
	read := 0
	for _, c := range serializings {
		if c.reads(format, position) {
			t.Equal(strings.Join(c.read(t, format, topic, len(want)), "\n"), strings.Join(want, "\n"), "what "+c.name+" reads")
			read++
		}
	}
	t.note = fmt.Sprintf("%d writers, %d readers, schemas: %d", len(writers), read, ids)
}

// sameBytes compares the payload of each record with what this program would write, and what stands in front of it or in its header
// with the registry, and counts the schemas that were used: a client that registers a file as it is and one that registers a compiled
// one name types differently, which are two versions of one Protobuf schema.
func (t *T) sameBytes(format, position, topic string, writers []string, each int) (schemas int) {
	versions, err := t.srClient().Schemas(t.ctx, topic+"-value")
	t.Must(err, "Schemas")
	heads := map[string]int{} // what names a schema, and the version it names
	for _, v := range versions {
		head := prefixOf(format, v.ID)
		if position == "header" {
			head = headerOf(format, v.GUID)
		}
		heads[head] = v.Version
	}
	coder := t.coder(format, "order-1", "order-1")
	seen := map[int]bool{}
	for i, r := range t.consume(topic, len(writers)*each) {
		writer := writers[i/each]
		head, rest := headOf(r, format, position)
		version, known := heads[head]
		if !known {
			t.Errorf("%s names no schema of the subject: % x, headers %v", writer, r.Value, r.Headers)
		}
		seen[version] = true
		t.samePayload(coder, format, writer, rest, orderOf(writer, i%each))
	}
	return len(seen)
}

// loose are clients whose bytes are another right way to write the same: confluent-kafka-go writes Avro's arrays with their size, and
// the fields of a dynamic message in any order. JSON may have other spaces and another order.
func loose(format, writer string) bool { return format == "json" || writer == "confluentgo" }

// samePayload compares the bytes, and what they say.
func (t *T) samePayload(c coder, format, writer string, got []byte, want order) {
	var o order
	if err := c.decode(got, &o); err != nil || o.line() != want.line() {
		t.Errorf("%s wrote % x, which is %s with error %v, want %s", writer, got, o.line(), err, want.line())
	}
	exact, err := c.encode(want)
	t.Must(err, "encode")
	if !loose(format, writer) && !bytes.Equal(got, exact) {
		t.Errorf("%s wrote % x, want % x", writer, got, exact)
	}
}

func headerOf(format, guid string) string {
	b, _ := hex.DecodeString("01" + strings.ReplaceAll(guid, "-", ""))
	return fmt.Sprintf("% x", append(b, indexesOf(format)...))
}

// headOf cuts a record into what names its schema and its payload.
func headOf(r *kgo.Record, format, position string) (head string, payload []byte) {
	if position == "header" {
		at := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "__value_schema_id" })
		if at < 0 {
			return "", r.Value
		}
		return fmt.Sprintf("% x", r.Headers[at].Value), r.Value
	}
	n := min(5+len(indexesOf(format)), len(r.Value))
	return fmt.Sprintf("% x", r.Value[:n]), r.Value[n:]
}
