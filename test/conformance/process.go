package main

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"millrace/test/target"
)

// process is a client that runs beside its case. It ends with the case at the latest.
type process struct {
	cmd   *exec.Cmd
	ended <-chan error

	out, log output
}

// output collects one output of a process.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// printed is what the process has printed so far on both outputs.
func (p *process) printed() string { return p.out.String() + "\n" + p.log.String() }

// begin starts a program and does not wait for it.
func (t *T) begin(cmd *exec.Cmd) *process {
	p := &process{cmd: cmd}
	cmd.Stdout, cmd.Stderr = &p.out, &p.log
	ended, err := target.StartChild(cmd)
	t.Must(err, cmd.Path)
	done := make(chan error, 1)
	go func() {
		done <- <-ended
		close(done)
	}()
	p.ended = done
	t.defers(func() {
		cmd.Process.Kill()
		for range done {
		}
	})
	return p
}

// beginJava starts one of Apache Kafka's tools and does not wait for it.
func (t *T) beginJava(class string, args ...string) *process {
	cmd, err := target.Java(class, args...)
	t.Must(err, "java")
	return t.begin(cmd)
}

// stop asks the process to end and waits until it has.
func (p *process) stop(t *T) {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.wait(t, 20*time.Second)
}

// wait demands that the process ends by itself.
func (p *process) wait(t *T, within time.Duration) error {
	select {
	case err := <-p.ended:
		return err
	case <-time.After(within):
		t.Fatalf("%s still runs after %v:\n%s", p.cmd.Path, within, p.printed())
	case <-t.ctx.Done():
		t.Fatalf("%s still runs at the end of the case:\n%s", p.cmd.Path, p.printed())
	}
	return nil
}

// JavaTry runs one of Apache Kafka's tools that may fail, and says how long it took.
func (t *T) JavaTry(stdin, class string, args ...string) (out string, err error, took time.Duration) {
	cmd, err := target.Java(class, args...)
	t.Must(err, "java")
	bound := exec.CommandContext(t.ctx, cmd.Path, cmd.Args[1:]...)
	bound.Stdin = strings.NewReader(stdin)
	began := time.Now()
	b, err := bound.CombinedOutput()
	return string(b), err, time.Since(began)
}
