package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// session runs command lines against the cluster of LOAD_BOOTSTRAP.
type session struct {
	t         *testing.T
	bootstrap string
}

func (s session) try(in string, args ...string) (string, error) {
	var out, diag bytes.Buffer
	a := &app{hooks: Hooks{Version: "test"}, in: strings.NewReader(in), out: &out, err: &diag, now: time.Now}
	root := a.root()
	root.SetArgs(append(args, "--bootstrap", s.bootstrap))
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

func (s session) do(in string, args ...string) string {
	s.t.Helper()
	out, err := s.try(in, args...)
	if err != nil {
		s.t.Fatalf("millrace %s: %v", strings.Join(args, " "), explain(err))
	}
	return out
}

func (s session) want(want string, args ...string) {
	s.t.Helper()
	if got := s.do("", args...); got != want {
		s.t.Errorf("millrace %s:\n%s\nwant\n%s", strings.Join(args, " "), got, want)
	}
}

func (s session) fails(want string, args ...string) {
	s.t.Helper()
	out, err := s.try("", args...)
	if err == nil || !strings.Contains(explain(err), want) {
		s.t.Errorf("millrace %s: %v %s, want ...%s", strings.Join(args, " "), err, out, want)
	}
}

// TestAgainstCluster tells the life of a topic to the cluster of LOAD_BOOTSTRAP, ours or Apache's.
func TestAgainstCluster(t *testing.T) {
	bootstrap := os.Getenv("LOAD_BOOTSTRAP")
	if bootstrap == "" {
		t.Skip("LOAD_BOOTSTRAP names no cluster")
	}
	s := session{t, bootstrap}
	name := fmt.Sprintf("cli-%d", time.Now().UnixNano())
	group, line := name+"-group", name+"-line" // one partition: what comes of several has no order
	t.Cleanup(func() {
		s.try("", "topic", "delete", name, name+"-copy", line, "--if-exists")
		s.try("", "group", "delete", group)
	})

	s.want(fmt.Sprintf("created topic %s (2 partitions, 1 replica)\n", name), "topic", "create", name, "-p", "2", "-r", "1", "--set", "retention.ms=3600000")
	s.fails("exists already", "topic", "create", name)
	s.fails(`topic "no/slash"`, "topic", "create", "no/slash")
	s.fails("does not exist", "topic", "describe", name+"-none")
	s.fails("does not exist", "topic", "delete", name+"-none")
	s.do("", "topic", "create", name, "--if-not-exists")
	if !strings.Contains(s.do("", "topic", "list"), name) {
		t.Error("the topic is not listed")
	}

	s.do("one\ntwo\nthree\n", "produce", name, "-p", "0", "-H", "h=1")
	s.do("k:v\nk:\n", "produce", name, "-p", "1", "-K", ":", "--null", "-z", "lz4")
	s.want("one\ntwo\nthree\n", "consume", name, "-p", "0")
	s.want("two\nthree\n", "consume", name, "-p", "0", "--from", "-2")
	s.want("0:1 =two [h=1]\n", "consume", name, "-p", "0", "--from", "1", "-n", "1", "--format", `%p:%o %k=%v [%h]\n`)
	s.want("v 1\n -1\n", "consume", name, "-p", "1", "--format", `%v %V\n`)
	s.want("", "consume", name, "--from", "end")
	s.want("one\ntwo\nthree\n", "consume", name, "-p", "0", "--from", "1h")
	s.fails("there is no offset 9", "consume", name, "-p", "0", "--from", "9")
	s.fails("has no partition 7", "consume", name, "-p", "7")
	if _, err := s.try("x\n", "produce", name, "-p", "7"); err == nil || !strings.Contains(explain(err), "has no partition 7") {
		t.Error(err)
	}

	s.do("", "topic", "create", name+"-copy", "-p", "1")
	s.do(s.do("", "consume", name, "--format", "json"), "produce", name+"-copy", "--format", "json")
	var first recordJSON
	if err := json.Unmarshal([]byte(s.do("", "consume", name+"-copy", "-n", "1", "-o", "json")), &first); err != nil || first.Value == nil {
		t.Errorf("%+v %v", first, err)
	}

	s.do("", "topic", "create", line, "-p", "1")
	s.do("one\ntwo\nthree\n", "produce", line)
	s.want("one\ntwo\n", "consume", line, "--group", group, "-n", "2")
	s.want("three\n", "consume", line, "--group", group, "-n", "1")
	if got := s.do("", "group", "describe", group); !strings.Contains(got, "empty, 0 members") {
		t.Error(got)
	}
	s.do("", "group", "reset", group, "--topic", line+":0", "--to", "beginning")
	s.want("one\n", "consume", line, "--group", group, "-n", "1")
	s.fails("does not exist", "group", "describe", group+"-none")
	if !strings.Contains(s.do("", "consume", "__consumer_offsets", "-o", "json"), `"Group":"`+group+`"`) {
		t.Error("the group's commits are not shown")
	}
	s.want("deleted group "+group+"\n", "group", "delete", group)

	if got := s.do("", "config", "get", "--topic", name); !strings.Contains(got, "retention.ms") || !strings.Contains(got, "1 h") {
		t.Error(got)
	}
	s.do("", "config", "set", "--topic", name, "segment.bytes=2097152", "--unset", "retention.ms", "--append", "cleanup.policy=compact")
	got := s.do("", "config", "get", "--topic", name)
	if strings.Contains(got, "3600000") || !strings.Contains(got, "2.0 MiB") || !strings.Contains(got, "delete,compact") {
		t.Error(got)
	}
	s.fails("at least", "config", "set", "--topic", name, "segment.bytes=1")
	s.fails("did you mean retention.ms?", "config", "get", "--topic", name, "retention.mss")
	s.do("", "topic", "alter", name, "-p", "3")
	s.fails("would not be an increase", "topic", "alter", name, "-p", "1")
	if got := s.do("", "topic", "describe", name); !strings.Contains(got, "3 partitions") {
		t.Error(got)
	}
	s.want("deleted topic "+name+"\n", "topic", "delete", name)
	s.fails("does not exist", "consume", name)
}

// TestEndsBehindAborted: a partition that ends with an aborted transaction is read to its end at once.
func TestEndsBehindAborted(t *testing.T) {
	bootstrap := os.Getenv("LOAD_TRANSACTIONS")
	if bootstrap == "" {
		t.Skip("LOAD_TRANSACTIONS names no cluster with transactions")
	}
	s := session{t, bootstrap}
	name := fmt.Sprintf("cli-txn-%d", time.Now().UnixNano())
	t.Cleanup(func() { s.try("", "topic", "delete", name) })
	s.do("", "topic", "create", name, "-p", "1")
	s.do("kept\n", "produce", name)
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(name), kgo.DefaultProduceTopic(name))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx := context.Background()
	if err := errors.Join(cl.BeginTransaction(), cl.ProduceSync(ctx, kgo.StringRecord("gone")).FirstErr(), cl.EndTransaction(ctx, kgo.TryAbort)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.want("kept\n", "consume", name)
	s.want("kept\ngone\n", "consume", name, "--uncommitted")
	if took := time.Since(begin); took >= quiet {
		t.Errorf("it waited for what does not come: %v", took)
	}
}
