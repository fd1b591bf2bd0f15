package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/serde"
)

type produceOptions struct {
	files        []string
	whole        bool
	key          string
	keySeparator string
	headers      []string
	partition    int32
	compression  string
	acks         string
	null         bool
	format       string
	quiet        bool
	keySchema    schemaFlags
	valueSchema  schemaFlags
	references   []string
	schemaHeader bool
	noRegister   bool
}

func (a *app) produce() *cobra.Command {
	o := produceOptions{keySchema: schemaFlags{part: serde.Key}, valueSchema: schemaFlags{part: serde.Value}}
	c := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Write records to a topic, one a line",
		Long: `Write records to a topic, one for each line of the standard input or of files. With --key-separator a line is a key, the
separator and a value; with --format json a line is what "millrace consume --format json" writes. The command ends when
every record is acknowledged, and fails with the first that is not.

With a schema a value is JSON, and is encoded in the wire format of the schema registry: --avro, --json-schema and --protobuf
register a file for the topic (or for --schema-subject), which is refused if it is not compatible with what the subject has;
--schema-subject alone takes the newest schema there is; --schema-id takes any. A line that does not fit is refused by its
number. The same with key- in front is for keys. In Avro, a value of a union may stand plainly, or as {"branch": value}.`,
		Example: `  echo hello | millrace produce greetings
  millrace produce orders --key-separator : < orders.txt
  millrace produce images --file cat.jpg --whole --key cat -H type=image/jpeg
  millrace consume orders --format json | millrace produce orders-copy --format json
  echo '{"id": 7, "customer": "Ada"}' | millrace produce orders --avro order.avsc
  millrace produce orders --protobuf shop.proto --message Order --schema-header < orders.json`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeTopics,
		RunE: func(c *cobra.Command, args []string) error { return a.runProduce(c, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVarP(&o.files, "file", "f", nil, "read this file instead of the standard input; may be given more than once")
	f.BoolVar(&o.whole, "whole", false, "each file is one record, not one for each line")
	f.StringVarP(&o.key, "key", "k", "", "the key of every record")
	f.StringVarP(&o.keySeparator, "key-separator", "K", "", `what stands between key and value in a line (\t for a tab)`)
	f.StringArrayVarP(&o.headers, "header", "H", nil, "a header of every record as name=value; may be given more than once")
	f.Int32VarP(&o.partition, "partition", "p", -1, "the partition of every record (default: by key, or in turn)")
	f.StringVarP(&o.compression, "compression", "z", "none", "codec: none, gzip, snappy, lz4 or zstd")
	f.StringVar(&o.acks, "acks", "all", "who must have a record before it counts: all in-sync replicas, the leader (1), or nobody (0)")
	f.BoolVar(&o.null, "null", false, "an empty value becomes null, which deletes the key in a compacted topic")
	f.StringVar(&o.format, "format", "value", "what a line is: value, or json")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on standard error")
	o.valueSchema.flags(a, c)
	o.keySchema.flags(a, c)
	f.StringArrayVar(&o.references, "reference", nil, "what the schema files refer to, as NAME=SUBJECT:VERSION; may be given more than once")
	f.BoolVar(&o.schemaHeader, "schema-header", false, "write the schema's GUID into a header, not its id in front")
	f.BoolVar(&o.noRegister, "no-register", false, "a schema file must be registered already")
	a.registryFlag(f)
	c.MarkFlagsMutuallyExclusive("key", "key-separator")
	c.RegisterFlagCompletionFunc("compression", cobra.FixedCompletions([]string{"none", "gzip", "snappy", "lz4", "zstd"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("acks", cobra.FixedCompletions([]string{"all", "1", "0"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"value", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runProduce(c *cobra.Command, topic string, o produceOptions) error {
	parse, err := newLineParser(topic, o)
	if err != nil {
		return err
	}
	options, err := producerOptions(o)
	if err != nil {
		return err
	}
	encoder, err := a.newEncoder(c.Context(), topic, o)
	if err != nil {
		return err
	}
	cl, err := a.client(c.Context(), append(options, kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if len(o.files) == 0 && !o.quiet && isTerminal(a.in) {
		fmt.Fprintln(a.err, "One record a line; Ctrl-D ends.")
	}
	s := a.sender(cl, topic, o)
	read := make(chan error, 1)
	go func() { // reading the standard input cannot be interrupted
		read <- a.inputs(o, func(at place, line []byte) error {
			in, err := parse(line)
			if err != nil {
				return at.refuse(err)
			}
			if err := encoder.encode(c.Context(), in); errors.Is(err, serde.ErrMisfit) {
				return at.refuse(err)
			} else if err != nil {
				return err
			}
			return s.send(in.Record)
		})
	}()
	select {
	case err = <-read:
	case <-c.Context().Done():
		err = s.interrupt(isTerminal(a.in))
	}
	if errors.Is(err, errStop) {
		err = nil // finish tells why
	}
	err = errors.Join(err, s.finish(a.timeout))
	return errors.Join(err, a.producedSummary(topic, s, o, err))
}

// inputs calls each for every line, or for every file as a whole.
func (a *app) inputs(o produceOptions, each func(at place, line []byte) error) error {
	if len(o.files) == 0 {
		return readInput(a.in, "standard input", o.whole, each)
	}
	for _, name := range o.files {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("a file cannot be read: %w", err)
		}
		err = readInput(f, name, o.whole, each)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// maxLine bounds one line, or one file with --whole, before it fills the memory: twice what a broker takes at most.
const maxLine = 200 << 20

// place is where something was read.
type place struct {
	name string
	line int // 0: the whole file
}

// refuse says where the fault is.
func (p place) refuse(err error) error {
	if p.line == 0 {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return fmt.Errorf("%s, line %d: %w", p.name, p.line, err)
}

func readInput(r io.Reader, name string, whole bool, each func(at place, line []byte) error) error {
	if whole {
		all, err := io.ReadAll(io.LimitReader(r, maxLine+1))
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", name, err)
		}
		if len(all) > maxLine {
			return fmt.Errorf("%s is too large for one record", name)
		}
		return each(place{name: name}, all)
	}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; s.Scan(); n++ {
		if err := each(place{name, n}, bytes.Clone(s.Bytes())); err != nil {
			return err
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s has a line that is too long for one record", name)
	} else if err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return nil
}

// input is a record as a line has it, with the schemas that the line names.
type input struct {
	*kgo.Record
	written map[serde.Part]*schemaJSON
}

// lineParser makes a record of a line; it may keep the line.
type lineParser func(line []byte) (input, error)

func newLineParser(topic string, o produceOptions) (lineParser, error) {
	var headers []kgo.RecordHeader
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, usagef("--header %s is not of the form name=value", h)
		}
		headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	finish := func(r *kgo.Record) {
		if o.key != "" {
			r.Key = []byte(o.key)
		}
		if o.partition >= 0 {
			r.Partition = o.partition
		}
		if o.null && len(r.Value) == 0 {
			r.Value = nil
		}
		r.Topic, r.Headers = topic, append(r.Headers, headers...)
	}
	switch o.format {
	case "json":
		return func(line []byte) (input, error) {
			in, err := parseRecordJSON(line, o)
			if err != nil {
				return input{}, err
			}
			finish(in.Record)
			return in, nil
		}, nil
	case "value":
		separator := []byte(strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\\`, `\`).Replace(o.keySeparator))
		return func(line []byte) (input, error) {
			r := &kgo.Record{Value: line}
			if len(separator) > 0 {
				key, value, ok := bytes.Cut(line, separator)
				if !ok {
					return input{}, fmt.Errorf("the line %q has no key: %q is not in it", escape(shorten(string(line))), separator)
				}
				r.Key, r.Value = key, value
			}
			finish(r)
			return input{Record: r}, nil
		}, nil
	}
	return nil, usagef("--format %s is unknown: it is value or json", o.format)
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

func parseRecordJSON(line []byte, o produceOptions) (input, error) {
	var j recordJSON
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return input{}, fmt.Errorf("the line %q is no record in JSON: %w", escape(shorten(string(line))), err)
	}
	in := input{Record: &kgo.Record{}, written: map[serde.Part]*schemaJSON{}}
	if j.KeyBase64 == nil {
		in.written[serde.Key] = j.KeySchema
	}
	if j.ValueBase64 == nil {
		in.written[serde.Value] = j.ValueSchema
	}
	r := in.Record
	var err error
	if r.Key, err = partJSON(serde.Key, j.Key, j.KeyBase64, o.keySchema.chosen(), j.KeySchema); err != nil {
		return input{}, err
	}
	if r.Value, err = partJSON(serde.Value, j.Value, j.ValueBase64, o.valueSchema.chosen(), j.ValueSchema); err != nil {
		return input{}, err
	}
	for _, h := range j.Headers {
		v, err := fromJSON(h.Value, h.ValueBase64)
		if err != nil {
			return input{}, err
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: v})
	}
	if j.Timestamp != "" {
		if r.Timestamp, err = time.Parse(time.RFC3339Nano, j.Timestamp); err != nil {
			return input{}, fmt.Errorf("%q is no timestamp: it is written like 2026-01-31T12:00:00.000Z", escape(j.Timestamp))
		}
	}
	return in, nil
}

// partJSON is a key or value of a line: JSON to be encoded where there is a schema, else a text.
func partJSON(part serde.Part, value json.RawMessage, base *string, chosen bool, written *schemaJSON) ([]byte, error) {
	null := len(value) == 0 || string(value) == "null" && (chosen || written == nil)
	switch {
	case null:
		return fromJSON(nil, base)
	case base != nil:
		return fromJSON(new(string), base)
	case chosen || written != nil:
		return value, nil
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return nil, fmt.Errorf("the %s is no text: JSON needs a schema, as with --avro or --schema-subject", part)
	}
	return []byte(text), nil
}

func fromJSON(text, base *string) ([]byte, error) {
	switch {
	case text != nil && base != nil:
		return nil, errors.New("a record in JSON has both a text and its base64: give one of them")
	case text != nil:
		return []byte(*text), nil
	case base != nil:
		b, err := base64.StdEncoding.DecodeString(*base)
		if err != nil {
			return nil, fmt.Errorf("%q is no base64", escape(shorten(*base)))
		}
		return b, nil
	}
	return nil, nil
}

func producerOptions(o produceOptions) ([]kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	codec, ok := codecs[o.compression]
	if !ok {
		return nil, usagef("--compression %s is unknown: it is none, gzip, snappy, lz4 or zstd", o.compression)
	}
	out := []kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(3), kgo.ProducerBatchMaxBytes(100 << 20)}
	switch o.acks {
	case "all", "-1":
	case "1":
		out = append(out, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		out = append(out, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, usagef("--acks %s is unknown: it is all, 1 or 0", o.acks)
	}
	if o.partition >= 0 {
		out = append(out, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return out, nil
}

// sender counts what is acknowledged and keeps the first failure.
type sender struct {
	cl       *kgo.Client
	topic    string
	progress *progress

	mu      sync.Mutex
	ended   bool  // guarded by mu: nothing further is taken
	records int64 // guarded by mu: acknowledged
	bytes   int64 // guarded by mu
	err     error // guarded by mu: the first failure
}

func (a *app) sender(cl *kgo.Client, topic string, o produceOptions) *sender {
	s := &sender{cl: cl, topic: topic}
	if !o.quiet && isTerminal(a.err) && !isTerminal(a.in) {
		s.progress = newProgress(a.err, a.now)
	}
	return s
}

// errStop ends the reading of input after a failure that is already known.
var errStop = errors.New("stop")

// send waits while too much is under way. What is sent is not given up when somebody presses Ctrl-C.
func (s *sender) send(r *kgo.Record) error {
	s.mu.Lock()
	stop := s.ended || s.err != nil
	s.mu.Unlock()
	if stop {
		return errStop
	}
	s.cl.Produce(context.Background(), r, s.acked)
	return nil
}

// interrupt takes no further records. People end their typing with Ctrl-C, too; a pipe is cut off by it.
func (s *sender) interrupt(typed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if typed {
		return nil
	}
	return errors.New("interrupted before the end of the input")
}

func (s *sender) acked(r *kgo.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.err == nil {
			s.err = produceFailure(s.topic, r, err)
		}
		return
	}
	s.records++
	s.bytes += int64(len(r.Key) + len(r.Value))
	s.progress.show(func() string { return fmt.Sprintf("%s, %s", count(s.records, "record"), size(s.bytes)) })
}

func produceFailure(topic string, r *kgo.Record, err error) error {
	var k *kerr.Error
	if errors.As(err, &k) {
		return failed(fmt.Sprintf("topic %q", topic), err, "")
	}
	if r.Partition >= 0 && strings.Contains(err.Error(), "partitioning choice") {
		return fmt.Errorf("topic %q has no partition %d", topic, r.Partition)
	}
	return fmt.Errorf("topic %q: %w", topic, err)
}

// finish waits for every acknowledgement, but not for ever: a broker that is silent for the timeout has failed.
func (s *sender) finish(timeout time.Duration) error {
	for {
		before, _ := s.counts()
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		flushed := s.cl.Flush(ctx)
		cancel()
		after, err := s.counts()
		if err != nil || flushed == nil {
			return err
		}
		if after == before {
			return fmt.Errorf("topic %q: %s not acknowledged within %s: look at the broker's log, or give it longer with --timeout",
				s.topic, count(s.cl.BufferedProduceRecords(), "record"), timeout)
		}
	}
}

func (s *sender) counts() (records int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.clear()
	return s.records, s.err
}

func (a *app) producedSummary(topic string, s *sender, o produceOptions, failure error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.output == "json" {
		return writeJSON(a.out, map[string]any{"topic": topic, "records": s.records, "bytes": s.bytes, "complete": failure == nil})
	}
	if !o.quiet && (failure == nil || s.records > 0) {
		verb := "acknowledged"
		if o.acks == "0" {
			verb = "sent"
		}
		fmt.Fprintf(a.err, "%s %s in topic %s\n", count(s.records, "record"), verb, escape(topic))
	}
	return nil
}
