package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/kafka/record"
)

// run runs a command line that needs no broker.
func run(t *testing.T, h Hooks, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	a := &app{hooks: h, in: strings.NewReader(""), out: &b, err: &b, now: time.Now}
	root := a.root()
	root.SetArgs(args)
	err = root.ExecuteContext(context.Background())
	return b.String(), err
}

func TestHooks(t *testing.T) {
	var dev DevOptions
	var serve ServeOptions
	h := Hooks{
		Dev:   func(_ context.Context, o DevOptions) error { dev = o; return nil },
		Serve: func(_ context.Context, o ServeOptions) error { serve = o; return errors.New("no") },
	}
	if _, err := run(t, h, "dev", "--port", "1", "--data", "/d"); err != nil || dev.Data != "/d" || dev.Port != 1 {
		t.Error(dev, err)
	}
	_, err := run(t, h, "serve", "--config", "f", "--override", "a=b,c", "--override", "d=e")
	if diff := cmp.Diff(ServeOptions{"f", []string{"a=b,c", "d=e"}}, serve); diff != "" || exitCode(err) != exitFailed {
		t.Error(diff, err)
	}
}

// TestKafkasFlags: two flags that fingers know from Kafka's tools mean what they mean there.
func TestKafkasFlags(t *testing.T) {
	a := newApp(Hooks{})
	root := a.root()
	root.SetArgs([]string{"version", "--bootstrap-server", "b:1"})
	root.SetOut(io.Discard)
	a.out = io.Discard
	if err := root.Execute(); err != nil || a.bootstrap != "b:1" {
		t.Error(a.bootstrap, err)
	}
	if _, err := run(t, Hooks{}, "topic", "create", "x", "--config", "a"); err == nil || !strings.Contains(err.Error(), "key=value") {
		t.Error(err)
	}
}

func TestFlagWords(t *testing.T) {
	for in, want := range map[string]string{
		"at least one of the flags in the group [topic broker] is required":                               "say which: one of --topic, --broker is needed",
		"if any flags in the group [to shift] are set none of the others can be; [shift to] were all set": "--shift, --to exclude each other",
		"anything else": "anything else",
	} {
		if got := flagWords(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// TestWrongCommandLines: each is a usage error that names the way out.
func TestWrongCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"frob":                               "unknown command",
		"topic frob":                         "topic has no verb frob",
		"topic creat x":                      "did you mean create",
		"topic create":                       "see millrace topic create --help",
		"topic list --frob":                  "see millrace topic list --help",
		"topic create x --set a":             "not of the form key=value",
		"topic alter x":                      "nothing to alter",
		"config get":                         "topic broker cluster",
		"config get --topic a --cluster":     "topic broker cluster",
		"config set --topic a":               "nothing to set",
		"config set --topic a retention.ms":  "not of the form key=value",
		"group reset g":                      "to shift",
		"group reset g --to then":            "is no position",
		"group reset g --to end --topic a:x": "is no partition",
		"produce t --acks 2":                 "all, 1 or 0",
		"produce t --compression rar":        "none, gzip",
		"produce t --format xml":             "value or json",
		"produce t -H x":                     "name=value",
		"consume t --format xml":             "is unknown",
		"consume t --from then":              "is no position",
		"topic list --output xml":            "table or json",
	} {
		_, err := run(t, Hooks{}, strings.Fields(line)...)
		if err == nil || exitCode(err) != exitUsage || !strings.Contains(explain(err), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	_, err := run(t, Hooks{}, "topic", "list", "--bootstrap", "127.0.0.1:1")
	if err == nil || exitCode(err) != exitUnreachable || !strings.Contains(explain(err), `Start one with "millrace dev"`) {
		t.Error(err)
	}
}

func TestPositions(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for in, want := range map[string]position{
		"beginning": {}, "earliest": {}, "end": {kind: atEnd}, "0": {kind: atOffset}, "42": {kind: atOffset, n: 42}, "-10": {kind: beforeEnd, n: 10},
		"15m": {kind: atTime, at: now.Add(-15 * time.Minute)}, "3d": {kind: atTime, at: now.Add(-72 * time.Hour)},
		"2026-01-31T12:00:00Z": {kind: atTime, at: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)},
		"2026-01-31":           {kind: atTime, at: time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local)},
	} {
		got, err := parsePosition(in, now)
		if err != nil || got.kind != want.kind || got.n != want.n || !got.at.Equal(want.at) {
			t.Errorf("%s: %+v %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "then", "-5m", "1.5", "2026-13-01"} {
		if p, err := parsePosition(bad, now); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}

func TestPositionWithin(t *testing.T) {
	b := bounds{start: 10, end: 100, timed: 50}
	for _, c := range []struct {
		p     position
		b     bounds
		clamp bool
		want  int64
		fails bool
	}{
		{position{}, b, false, 10, false}, {position{kind: atEnd}, b, false, 100, false}, {position{kind: beforeEnd, n: 5}, b, false, 95, false},
		{position{kind: beforeEnd, n: 500}, b, false, 10, false}, {position{kind: atTime}, b, false, 50, false},
		{position{kind: atTime}, bounds{10, 100, -1}, false, 100, false}, {position{kind: atOffset, n: 100}, b, false, 100, false},
		{position{kind: atOffset, n: 101}, b, false, 0, true}, {position{kind: atOffset, n: 9}, b, false, 0, true},
		{position{kind: atOffset, n: 9}, b, true, 10, false}, {position{kind: atOffset, n: 101}, b, true, 100, false},
	} {
		got, err := c.p.within(c.b, c.clamp)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%+v: %d %v", c, got, err)
		}
	}
}

func TestPlanConsume(t *testing.T) {
	all := map[string]map[int32]bounds{"a": {0: {0, 10, -1}, 1: {5, 5, -1}}}
	starts, ends, err := planConsume(all, []string{"a"}, nil, position{})
	if err != nil || len(starts["a"]) != 2 || !cmp.Equal(ends, endings{"a": {0: 10}}) {
		t.Error(starts, ends, err)
	}
	if starts, ends, err = planConsume(all, []string{"a"}, []int32{1}, position{}); err != nil || len(starts["a"]) != 1 || len(ends) != 0 {
		t.Error(starts, ends, err)
	}
	if _, _, err = planConsume(all, []string{"a"}, []int32{2}, position{}); err == nil {
		t.Error("a partition that does not exist")
	}
	if _, _, err = planConsume(all, []string{"a"}, []int32{0}, position{kind: atOffset, n: 11}); err == nil || !strings.Contains(err.Error(), "from 0 to 10") {
		t.Error(err)
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		o    produceOptions
		line string
		want *kgo.Record
	}{
		{produceOptions{format: "value", partition: -1}, "v", &kgo.Record{Topic: "t", Value: []byte("v")}},
		{produceOptions{format: "value", partition: 2, key: "k", headers: []string{"a=1=2"}}, "v", &kgo.Record{Topic: "t", Partition: 2, Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1=2")}}}},
		{produceOptions{format: "value", partition: -1, keySeparator: `\t`}, "k\tv\tw", &kgo.Record{Topic: "t", Key: []byte("k"), Value: []byte("v\tw")}},
		{produceOptions{format: "value", partition: -1, keySeparator: ":", null: true}, "k:", &kgo.Record{Topic: "t", Key: []byte("k")}},
		{produceOptions{format: "value", partition: -1}, "", &kgo.Record{Topic: "t", Value: []byte{}}},
		{produceOptions{format: "json", partition: -1}, `{"key":"k","value_base64":"/w==","headers":[{"key":"h"}],"timestamp":"1970-01-01T00:00:01Z","topic":"x","offset":3,"partition":1}`,
			&kgo.Record{Topic: "t", Key: []byte("k"), Value: []byte{0xff}, Timestamp: time.Unix(1, 0).UTC(), Headers: []kgo.RecordHeader{{Key: "h"}}}},
	} {
		parse, err := newLineParser("t", c.o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse([]byte(c.line))
		if diff := cmp.Diff(c.want, got.Record, cmpopts.IgnoreUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", c.line, err, diff)
		}
	}
	for line, o := range map[string]produceOptions{
		"no separator": {format: "value", keySeparator: ":"}, `{"value":`: {format: "json"}, `{"vallue":"x"}`: {format: "json"},
		`{"value":"x","value_base64":"eA=="}`: {format: "json"}, `{"value_base64":"?"}`: {format: "json"}, `{"timestamp":"now"}`: {format: "json"},
	} {
		parse, _ := newLineParser("t", o)
		if _, err := parse([]byte(line)); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// TestRecordsSurviveJSON: what consume writes, produce reads back the same.
func TestRecordsSurviveJSON(t *testing.T) {
	parse, err := newLineParser("orders", produceOptions{format: "json", partition: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, safe := range []bool{false, true} {
		for _, r := range records {
			var b bytes.Buffer
			if err := writeRecordJSON(&b, r, safe, nil); err != nil {
				t.Fatal(err)
			}
			got, err := parse(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Key, r.Key) || (got.Value == nil) != (r.Value == nil) || !bytes.Equal(got.Value, r.Value) || !got.Timestamp.Equal(r.Timestamp) || len(got.Headers) != len(r.Headers) {
				t.Errorf("%s became %+v", b.String(), got)
			}
		}
	}
}

func TestInputs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("one\r\ntwo\n\nlast"), 0o600); err != nil {
		t.Fatal(err)
	}
	collect := func(o produceOptions, in io.Reader) (out []string, err error) {
		a := &app{in: in}
		err = a.inputs(o, func(_ place, line []byte) error { out = append(out, string(line)); return nil })
		return out, err
	}
	got, err := collect(produceOptions{files: []string{file}}, nil)
	if diff := cmp.Diff([]string{"one", "two", "", "last"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err = collect(produceOptions{whole: true}, strings.NewReader("a\nb\n")); err != nil || !cmp.Equal(got, []string{"a\nb\n"}) {
		t.Error(got, err)
	}
	if _, err = collect(produceOptions{files: []string{file + "x"}}, nil); err == nil {
		t.Error("a file that does not exist")
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 漢": "plain é 漢", "\x1b[31m": `\x1b[31m`, "a\nb\tc\r": `a\nb\tc\r`, "\xff\xc3": `\xff\xc3`, "\u009b": `\u009b`, "\u202e": `\u202e`, "\x00\x7f": `\x00\x7f`,
		"\ufffd": "\ufffd",
	} {
		if got := escape(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
	if got := escapeKeeping("a\n\t\r", "\n\t"); got != "a\n\t\\r" {
		t.Errorf("%q", got)
	}
}

// FuzzEscape: whatever comes in, nothing that a terminal acts upon comes out.
func FuzzEscape(f *testing.F) {
	f.Add("\x1b]0;title\a\xff\u009b")
	f.Fuzz(func(t *testing.T, in string) {
		if out := escape(in); needsEscape(out, "") {
			t.Errorf("%q -> %q", in, out)
		}
	})
}

func TestHumanNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 20: "5.0 MiB", 1 << 40: "1.0 TiB", 1<<63 - 1: "8192.0 PiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for n, want := range map[int64]string{-1: "", 999: "999 ms", 5_400_000: "1 h 30 m", 604_800_000: "7 d", 1<<63 - 1: "unlimited"} {
		if got := span(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
		code int
	}{
		{failed(`topic "t"`, kerr.UnknownTopicOrPartition, ""), `topic "t" does not exist: create it with "millrace topic create", or see "millrace topic list"`, exitFailed},
		{failed(`topic "t"`, kerr.InvalidPartitions, "Only more."), `topic "t": Only more`, exitFailed},
		{failed(`topic "a_b"`, kerr.InvalidTopicException, "Like a.b."), `topic "a_b": Like a.b`, exitFailed},
		{failed(`topic "a b"`, kerr.InvalidTopicException, ""), `topic "a b" is no topic name: a name has 1 to 249 letters, digits, dots, underscores and hyphens, and is not . or ..`, exitFailed},
		{failed("broker 1", kerr.ClusterAuthorizationFailed, ""), "broker 1: Cluster authorization failed (CLUSTER_AUTHORIZATION_FAILED)", exitFailed},
		{fmt.Errorf("deep: %w", kerr.CoordinatorNotAvailable), "The coordinator is not available (COORDINATOR_NOT_AVAILABLE): try again in a moment", exitFailed},
		{context.DeadlineExceeded, "no answer came in time: give it longer with --timeout, or look at the broker's log", exitFailed},
		{unreachable{"h:1", errors.New("connection refused")}, `cannot reach h:1 (connection refused): is a broker running there? Start one with "millrace dev", or name another with --bootstrap`, exitUnreachable},
		{errors.Join(errFound), errFound.Error(), exitFound},
	} {
		if got := explain(c.err); got != c.want || exitCode(c.err) != c.code {
			t.Errorf("%v:\n got %s (%d)\nwant %s", c.err, got, exitCode(c.err), c.want)
		}
	}
}

func TestInternalTopicsAreDecoded(t *testing.T) {
	key := record.AppendKey(nil, 1, &record.OffsetCommitKey{Group: "g", Topic: "t", Partition: 3})
	value := record.AppendValue(nil, 1, &record.OffsetCommitValue{Offset: 42, Metadata: "m", CommitTimestamp: 5, ExpireTimestamp: 6})
	raw, _ := newFormat("value", true, nil)
	f := decodingInternal(raw)
	var b bytes.Buffer
	for _, r := range []*kgo.Record{
		{Topic: "__consumer_offsets", Partition: 4, Offset: 9, Key: key, Value: value, Timestamp: time.UnixMilli(0)},
		{Topic: "__consumer_offsets", Partition: 4, Offset: 10, Key: key, Timestamp: time.UnixMilli(0)},
		{Topic: "__consumer_offsets", Key: []byte{0}, Value: []byte("odd")},
		{Topic: "orders", Key: key, Value: []byte("plain")},
	} {
		if err := f(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "internal_topics", b.Bytes())
}

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var b bytes.Buffer
	p := newProgress(&b, func() time.Time { return now })
	line := "long line"
	show := func() { p.show(func() string { return line }) }
	show() // too early
	now = now.Add(progressEvery)
	show()
	show() // again too early
	line, now = "short", now.Add(progressEvery)
	show()
	p.clear()
	if got := b.String(); got != "\rlong line\rshort    \r     \r" {
		t.Errorf("%q", got)
	}
	var silent *progress
	silent.show(func() string { t.Error("asked for nothing"); return "" })
	silent.clear()
}
