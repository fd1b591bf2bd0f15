package boot

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/cli"
)

// running runs dev or serve until the test ends, and returns what it printed up to a line that begins with last.
func running(t *testing.T, last string, run func(ctx context.Context, out io.Writer) error) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, w)
		w.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("its end: %v", err)
		}
	})
	var printed strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		printed.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), last) {
			go io.Copy(io.Discard, r)
			return printed.String()
		}
	}
	ended <- nil
	t.Fatalf("it ended after: %s", printed.String())
	return ""
}

// address is the first word after a label of what was printed.
func address(t *testing.T, printed, label string) string {
	t.Helper()
	_, rest, ok := strings.Cut(printed, "\n  "+label)
	if !ok {
		t.Fatalf("no %s in:\n%s", label, printed)
	}
	return strings.Fields(rest)[0]
}

// TestDevSaysWhereItIs: real sockets, a directory of its own, topics made as they are asked for.
func TestDevSaysWhereItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	printed := running(t, "Ctrl-C", func(ctx context.Context, out io.Writer) error {
		return dev(ctx, "1.2.3", cli.DevOptions{Data: dir, Port: 0}, out)
	})
	at := address(t, printed, "kafka")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"127.0.0.1:", dir, "echo hello | " + program + " produce t1 --bootstrap " + at, "http://127.0.0.1:", "  registry http://localhost:"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not in:\n%s", want, printed)
		}
	}
	if resp, err := http.Get(address(t, printed, "registry") + "/subjects"); err != nil || resp.StatusCode != 200 {
		t.Errorf("the registry: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}
	if !strings.HasPrefix(at, "localhost:") || strings.HasSuffix(at, ":0") {
		t.Errorf("it is reached at %s", at)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Error(err)
	}
}

// TestServeReadsKafkasFile: the stock server.properties, with an environment over it and flags over both.
func TestServeReadsKafkasFile(t *testing.T) {
	t.Setenv("MILLRACE_NUM_PARTITIONS", "3")
	t.Setenv("MILLRACE_AUTO_CREATE_TOPICS_ENABLE", "false")
	o := cli.ServeOptions{Config: filepath.Join("..", "config", "testdata", "stock-server.properties"), Overrides: []string{"log.dirs=" + t.TempDir(),
		"admin.listeners=127.0.0.1:0", "auto.create.topics.enable=true"}}
	err := serve(t.Context(), "1.2.3", o, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "listener.name.plaintext.allow.anonymous=true") {
		t.Fatalf("the wildcard listener of the stock file: %v", err)
	}
	o.Overrides = append(o.Overrides, "listeners=PLAINTEXT://localhost:0,CONTROLLER://:9093", "advertised.listeners=")
	printed := running(t, "  data", func(ctx context.Context, out io.Writer) error { return serve(ctx, "1.2.3", o, out) })
	cl, err := kgo.NewClient(kgo.SeedBrokers(address(t, printed, "kafka")), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), "t")
	if n := len(topics["t"].Partitions); err != nil || n != 3 {
		t.Errorf("%d partitions, %v", n, err)
	}
}

// TestServeRefuses: one sentence, and nothing is made.
func TestServeRefuses(t *testing.T) {
	for _, c := range []struct{ setting, says string }{
		{"num.partition=3", "did you mean num.partitions?"},
		{"authorizer.class.name=a.b.C", "more open than its file says"},
		{"ssl.client.auth=required", "more open than its file says"},
		{"listeners=PLAINTEXT://:9092", "listener.name.plaintext.allow.anonymous=true"},
		{"admin.listeners=0.0.0.0:9644", "admin.allow.anonymous=true"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		err := serve(t.Context(), "1.2.3", cli.ServeOptions{Overrides: []string{"log.dirs=" + dir, c.setting}}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.setting, err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: it made its directory", c.setting)
		}
	}
	s, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range s.Listeners() {
		if !l.Loopback() {
			t.Errorf("without listeners it opens %v", l)
		}
	}
}
