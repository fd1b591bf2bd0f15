package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/target"
)

// T is what a case works with. A demand that is not met ends the case.
type T struct {
	*suite
	addr     string // of the broker that this case talks to
	ctx      context.Context
	name     string
	failures []string
	note     string // shown behind the name
	left     bool   // left out: note says why
	after    []func()
}

type stopCase struct{}

// Fatalf ends the case.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(stopCase{})
}

// LeaveOut ends the case, neither passed nor failed.
func (t *T) LeaveOut(format string, args ...any) {
	t.note, t.left = fmt.Sprintf(format, args...), true
	panic(stopCase{})
}

// Errorf fails the case and goes on.
func (t *T) Errorf(format string, args ...any) {
	t.failures = append(t.failures, clip(fmt.Sprintf(format, args...), 2500))
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n/2] + "\n[...]\n" + s[len(s)-n/2:]
	}
	return s
}

// Must ends the case when err is not nil.
func (t *T) Must(err error, what string) {
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Equal demands that two things print the same.
func (t *T) Equal(got, want any, what string) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, clip(g, 1500), clip(w, 1500))
	}
}

// Contains demands each part in a text.
func (t *T) Contains(text string, parts ...string) {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}

// Lacks demands that no part is in a text.
func (t *T) Lacks(text string, parts ...string) {
	for _, p := range parts {
		if strings.Contains(text, p) {
			t.Errorf("%q stands in:\n%s", p, text)
		}
	}
}

func (t *T) defers(f func()) { t.after = append(t.after, f) }

func (t *T) cleanup() {
	for i := len(t.after) - 1; i >= 0; i-- {
		t.after[i]()
	}
}

var (
	serial  atomic.Int64
	session = strconv.FormatInt(time.Now().UnixMilli()%1e8, 36)
)

// Name makes a name that no other case has, in this run or an earlier one on the same broker.
func (t *T) Name(what string) string {
	return fmt.Sprintf("%s-%s-%s%d", strings.NewReplacer("/", "-", "_", "-").Replace(t.name), what, session, serial.Add(1))
}

// Client is a franz-go client that is closed with the case.
func (t *T) Client(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(t.addr)}, opts...)...)
	t.Must(err, "new client")
	t.defers(c.Close)
	return c
}

// Admin is a franz-go admin client.
func (t *T) Admin() *kadm.Client { return kadm.NewClient(t.Client()) }

// Topic creates a topic of its own, with settings as key=value.
func (t *T) Topic(partitions int32, configs ...string) string {
	name := t.Name("t")
	m := map[string]*string{}
	for _, c := range configs {
		k, v, _ := strings.Cut(c, "=")
		m[k] = &v
	}
	admin := t.Admin()
	a, err := admin.CreateTopic(t.ctx, partitions, -1, m, name)
	if err == nil {
		err = a.Err
	}
	t.Must(err, "create topic "+name)
	t.Eventually(func() error { // Kafka answers before its broker leads the partitions
		listed, err := admin.ListEndOffsets(t.ctx, name)
		if err == nil {
			err = listed.Error()
		}
		return err
	})
	return name
}

// Cmd runs a program to its end and returns what it printed; a program that fails ends the case.
func (t *T) Cmd(stdin string, name string, args ...string) string {
	return t.wait(exec.CommandContext(t.ctx, name, args...), stdin)
}

// Java runs one of Apache Kafka's tools to its end and returns what it printed on both outputs.
func (t *T) Java(stdin string, class string, args ...string) string {
	cmd, err := target.Java(class, args...)
	t.Must(err, "java")
	bound := exec.CommandContext(t.ctx, cmd.Path, cmd.Args[1:]...)
	return t.wait(bound, stdin)
}

func (t *T) wait(cmd *exec.Cmd, stdin string) string {
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	if err := cmd.Run(); err != nil {
		shown := cmd.Args
		if filepath.Base(shown[0]) == "java" {
			shown = shown[len(shown)-max(1, len(shown)-7):]
		}
		t.Fatalf("%s: %v\n%s", strings.Join(shown, " "), err, out.String())
	}
	return out.String()
}

// File writes a file into the scratch directory and returns its path.
func (t *T) File(name, content string) string {
	path := filepath.Join(t.work, t.Name(name))
	t.Must(os.WriteFile(path, []byte(content), 0o644), "write")
	return path
}

// JSONLines decodes the lines of a text that are JSON objects.
func (t *T) JSONLines(text string) (out []map[string]any) {
	for _, line := range strings.Split(text, "\n") {
		var m map[string]any
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &m) == nil {
			out = append(out, m)
		}
	}
	return out
}

// Lines returns n lines of text.
func Lines(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("line %06d of a text that compresses, compresses and compresses", i)
	}
	return out
}
