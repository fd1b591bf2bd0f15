// Package target starts the broker under test, Apache Kafka or Millrace, as a child process: the same options for both, so
// that the bench, the conformance cases and the crash runs treat them alike. It also starts a schema registry beside either.
package target

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say which broker to start and how.
type Options struct {
	Kind      string            // "kafka", "millrace" or "registry"
	Binary    string            // millrace's binary; empty means bin/millrace
	Dir       string            // data directory, kept by Stop and Kill
	Port      int               // 0 picks a free one
	Core      int               // the one core to run on; negative: any
	HeapMB    int               // Kafka's heap; 0 means 1 GB, as Kafka's own script has it
	Overrides map[string]string // settings in Kafka's names
	Env       []string          // added to the child's environment
	Log       string            // file for the child's output; empty means Dir + ".log"
	Config    string            // where Kafka's properties go; empty means Dir + ".properties"
	Bootstrap string            // a registry's: the cluster that keeps its schemas
	Topic     string            // a registry's: where they lie; empty means _schemas
	Registry  int               // port of the registry inside Millrace's node; 0 leaves it to the node
}

// Process is a running broker.
type Process struct {
	Options
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // set before exited is closed
}

// Addr is the broker's bootstrap address.
func (p *Process) Addr() string { return "127.0.0.1:" + strconv.Itoa(p.Port) }

// PID is the broker's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Start starts a broker and returns when it answers ApiVersions.
func Start(ctx context.Context, o Options) (*Process, error) {
	p, err := Spawn(o)
	if err != nil {
		return nil, err
	}
	if err := p.WaitReady(ctx); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%w; the end of its output:\n%s", err, p.Tail(30))
	}
	return p, nil
}

// Spawn starts a broker and does not wait for it; for those who time the start.
func Spawn(o Options) (*Process, error) {
	if o.Port == 0 {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		o.Port = port
	}
	if o.Log == "" {
		o.Log = strings.TrimRight(o.Dir, "/") + ".log"
	}
	args, err := command(o)
	if err != nil {
		return nil, err
	}
	if o.Core >= 0 {
		args = append([]string{"taskset", "-c", strconv.Itoa(o.Core)}, args...)
	}
	out, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), o.Env...)
	if o.Core >= 0 && o.Kind == "millrace" {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=2")
	}
	ended, err := StartChild(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Kind, err)
	}
	p := &Process{Options: o, cmd: cmd, exited: make(chan struct{})}
	go func() {
		p.err = <-ended
		close(p.exited)
	}()
	return p, nil
}

func command(o Options) ([]string, error) {
	switch o.Kind {
	case "kafka":
		return kafkaCommand(o)
	case "millrace":
		return millraceCommand(o)
	case "registry":
		return registryCommand(o)
	}
	return nil, fmt.Errorf("unknown broker %q: kafka or millrace", o.Kind)
}

func millraceCommand(o Options) ([]string, error) {
	binary, err := millrace(o)
	if err != nil {
		return nil, err
	}
	admin, err := FreePort()
	if err != nil {
		return nil, err
	}
	args := []string{binary, "dev", "--data", o.Dir, "--port", strconv.Itoa(o.Port), "--override", fmt.Sprintf("admin.listeners=127.0.0.1:%d", admin)}
	if o.Registry != 0 {
		args = append(args, "--override", fmt.Sprintf("schema.registry.listeners=http://127.0.0.1:%d", o.Registry))
	}
	for _, k := range sortedKeys(o.Overrides) {
		args = append(args, "--override", k+"="+o.Overrides[k])
	}
	return args, nil
}

// millrace is the path of the binary.
func millrace(o Options) (string, error) {
	binary := o.Binary
	if binary == "" {
		binary = "bin/millrace"
	}
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("%w: run `make build` first", err)
	}
	return binary, nil
}

// WaitReady returns once the broker answers ApiVersions, or the registry GET /.
func (p *Process) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.answers() == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended before it answered: %v", p.Kind, p.err)
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer on %s: %w", p.Kind, p.Addr(), ctx.Err())
		case <-tick.C:
		}
	}
}

func (p *Process) answers() error {
	if p.Kind == "registry" {
		return RegistryAnswers(p.URL())
	}
	return Answers(p.Addr())
}

// Answers sends one ApiVersions v0 request and reads the answer.
func Answers(addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
		return err
	}
	var head [10]byte // size, correlation id, error code
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if code := binary.BigEndian.Uint16(head[8:]); code != 0 {
		return fmt.Errorf("ApiVersions answers error %d", code)
	}
	return nil
}

// Stop ends the broker with SIGTERM and waits; after a minute it is killed, which is an error.
func (p *Process) Stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-time.After(time.Minute):
		p.Kill()
		return errors.New(p.Kind + " did not stop within a minute of SIGTERM")
	}
}

// Kill ends the broker with SIGKILL and waits.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.exited
}

// CPU is the processor time of all threads, dead ones included, in seconds.
func (p *Process) CPU() float64 { return CPU(p.PID()) }

// Resident is the resident memory in bytes.
func (p *Process) Resident() int64 { return Resident(p.PID()) }

// CPU is the processor time that a process has used, in seconds.
func CPU(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The command name may hold spaces; the fields count from behind its closing parenthesis.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return float64(user+system) / 100 // USER_HZ
}

// Resident is the resident memory of a process in bytes.
func Resident(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// Tail returns the last n lines that the broker printed.
func (p *Process) Tail(n int) string {
	b, _ := os.ReadFile(p.Log)
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// FreePort asks the kernel for a port that is free now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
