// Command crash breaks the real binary under load and lets the checker judge what clients saw (test level 3).
//
//	go run ./test/crash              what `make crash` runs: every scenario below
//	go run ./test/crash -run kill-9 -cycles 2 -pause 3s
//	go run ./test/crash -broker kafka -run power-cut-unflushed
//
// Scenarios:
//
//	power-cut            the power of the data directory's disk is cut again and again: nothing acknowledged may be lost (DUR-3)
//	power-cut-unflushed  the same with log.flush.before.ack=false (Kafka: as it comes): the checker must count a loss, or the
//	                     whole harness proves nothing
//	kill-9               the process is killed again and again: nothing acknowledged may be lost (DUR-1)
//	kill-9-unflushed     the same with log.flush.before.ack=false: still nothing, because the page cache survives (DUR-4)
//	pause                the process is stopped for six seconds and goes on (SIGSTOP): nothing acknowledged may be lost
//	fsync-fails          every fsync fails for a second, then works again: no acknowledgement before the next start (DUR-5)
//	disk-full            the disk is filled through the broker: a refusal, no loss, and recovery without a restart (LIV-3)
//	verify               `millrace verify` is content, and finds an acknowledged batch that a proxy hides from readers
//	registry-kill-9      the node is killed while fifty clients register schemas: none lost, one id for a content, no id given twice
//	registry-beside-kill-9  the same, with a registry of its own process, which is killed beside a broker that lives on
//	fail-points-kill     the process kills itself at each point of package failpoint, twice
//	fail-points-error    the step at each point fails once, and the process is killed a moment later
//	fail-points-pause    the goroutine at each point stops for ever, and the process is killed a moment later
//	fail-points-power    the goroutine at each point stops, and the power is cut
//
// Beside the records of the checker's workload a ledger is kept of topics, settings, groups, committed offsets, producer ids,
// retries, log starts and a compacted topic (ledger.go), except where a loss has to be found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"millrace/internal/checker"
	"millrace/internal/checker/load"
	"millrace/test/target"
)

func main() {
	r := &runner{}
	flag.StringVar(&r.kind, "broker", "millrace", "millrace or kafka")
	flag.StringVar(&r.binary, "binary", "", "Millrace's binary; empty: build one with the tag failpoint")
	flag.IntVar(&r.cycles, "cycles", 5, "power cuts or kills of a scenario")
	flag.DurationVar(&r.pause, "pause", 5*time.Second, "time under load before each")
	flag.Uint64Var(&r.seed, "seed", 0, "seed of the load and of the moments; 0 draws one")
	flag.StringVar(&r.only, "points", "", "fail points of the scenario fail-points, by comma; empty: all that the binary names")
	run := flag.String("run", "", "only the scenarios whose name this regular expression matches")
	flag.Parse()
	match, err := regexp.Compile("^(" + *run + ")")
	if err == nil {
		err = r.all(match)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

type runner struct {
	kind, binary, only string
	cycles             int
	pause              time.Duration
	seed               uint64
	work               string
	ctx                context.Context
}

// scenario is one way to break the broker.
type scenario struct {
	name      string
	power     bool // cut the power; otherwise kill the process
	unflushed bool
	mustLose  bool
	action    string // what happens at each fail point: kill, error or pause
	pause     bool   // stop the process for a while instead of killing it
	syncFails bool
	full      bool
	verifies  bool
	registry  string // inside the node, or beside the broker: the schema registry is killed
}

var scenarios = []scenario{
	{name: "power-cut", power: true},
	{name: "power-cut-unflushed", power: true, unflushed: true, mustLose: true},
	{name: "kill-9"},
	{name: "kill-9-unflushed", unflushed: true},
	{name: "pause", pause: true},
	{name: "fsync-fails", syncFails: true},
	{name: "disk-full", full: true},
	{name: "verify", verifies: true},
	{name: "registry-kill-9", registry: "inside"},
	{name: "registry-beside-kill-9", registry: "beside"},
	{name: "fail-points-kill", action: "kill"},
	{name: "fail-points-error", action: "error"},
	{name: "fail-points-pause", action: "pause"},
	{name: "fail-points-power", action: "pause", power: true},
}

func (r *runner) all(match *regexp.Regexp) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r.ctx = ctx
	work, err := os.MkdirTemp("", "millrace-crash-")
	if err != nil {
		return err
	}
	r.work = work
	if err := r.build(); err != nil {
		return err
	}
	var failed []string
	for _, s := range scenarios {
		if !match.MatchString(s.name) || (s.action != "" || s.full || s.syncFails || s.registry == "inside") && r.kind == "kafka" || ctx.Err() != nil {
			continue
		}
		if err := r.run(s); err != nil {
			failed = append(failed, s.name)
			fmt.Printf("FAIL  %s: %v\n", s.name, err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s; kept: %s", strings.Join(failed, " "), work)
	}
	return errors.Join(os.RemoveAll(work), ctx.Err())
}

func (r *runner) build() error {
	if r.binary != "" {
		return nil
	}
	r.binary = filepath.Join(r.work, "millrace")
	if out, err := exec.CommandContext(r.ctx, "go", "build", "-tags", "failpoint", "-o", r.binary, "./cmd/millrace").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// run is one scenario: a broker, a load, a nemesis, a verdict.
func (r *runner) run(s scenario) error {
	c := &crash{runner: r, scenario: s, seed: r.seed, dir: filepath.Join(r.work, s.name)}
	if c.seed == 0 {
		c.seed = rand.Uint64N(1 << 32)
	}
	c.rng = rand.New(rand.NewPCG(c.seed, 77))
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	defer c.close()
	if err := c.open(); err != nil {
		return err
	}
	switch {
	case s.full:
		return c.diskFull()
	case s.verifies:
		return c.verifyFinds()
	case s.registry != "":
		return c.registryKill()
	}
	began := time.Now()
	if !s.mustLose && r.kind == "millrace" { // Kafka answers before its broker has seen the metadata
		c.ledger = openLedger(r.ctx, c.broker.Addr(), c.seed)
	}
	res, err := c.underLoad()
	if err != nil {
		return fmt.Errorf("%w; seed %d; the broker's last words:\n%s", err, c.seed, c.broker.Tail(20))
	}
	if c.ledger != nil {
		c.found = append(c.found, c.ledger.close(r.ctx)...)
	}
	return c.verdict(res, time.Since(began))
}

// underLoad lets the nemesis loose on a load, which lasts as long as it does and a moment more.
func (c *crash) underLoad() (load.Result, error) {
	over := make(chan struct{})
	ctx, stop := context.WithCancelCause(c.ctx)
	defer stop(nil)
	res, err := load.Run(ctx, load.Options{
		Bootstrap: c.broker.Addr(), Seed: c.seed, TopicPrefix: c.name, HistoryPath: filepath.Join(c.dir, "history.jsonl"), KeepTopics: true,
		Duration: time.Hour, Until: over, SendTimeout: 30 * time.Second, FinalTimeout: 2 * time.Minute,
		Started: func(h *checker.Writer) {
			go func() {
				defer close(over)
				if err := c.nemesis(h); err != nil {
					stop(err) // without a broker there is nothing to wait for
				}
				wait(ctx, c.runner.pause)
			}()
		},
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return res, err
}

func (c *crash) verdict(res load.Result, took time.Duration) error {
	line := fmt.Sprintf("%-20s %d times on %s, %.0fs, seed %d: %d acknowledged, %d lost, longest time without an acknowledgement %.1fs",
		c.name, c.broken, c.kind, took.Seconds(), c.seed, res.Report.Acked, res.Report.Lost, res.LongestGap.Seconds())
	if c.ledger != nil {
		line += "\n      ledger: " + c.ledger.String()
	}
	repeat := fmt.Sprintf("repeat with go run ./test/crash -broker %s -run '%s$' -seed %d; history %s", c.kind, c.name, c.seed, res.HistoryPath)
	switch {
	case c.mustLose && res.Report.Lost == 0:
		return fmt.Errorf("%s: unflushed data went through %d power cuts without loss: the harness does not bite\n%s\n%s", line, c.broken, res.Report, repeat)
	case c.mustLose:
		line += " (and a loss had to be found)"
	case !res.Valid() || len(c.found) > 0:
		return fmt.Errorf("%s\n%s\n%s\n%s\n%s", line, res.Report, strings.Join(res.Damaged, "\n"), strings.Join(c.found, "\n"), repeat)
	case res.Report.Acked == 0:
		return fmt.Errorf("%s: nothing was acknowledged, so nothing was tried", line)
	}
	fmt.Println("ok   ", line)
	return nil
}

// crash is a running scenario.
type crash struct {
	*runner
	scenario
	seed   uint64
	rng    *rand.Rand
	dir    string
	disk   *disk
	broker *target.Process
	ledger *ledger
	tamper *tamperer
	broken int      // how often the nemesis has struck
	found  []string // beside what the checker finds
}

func (c *crash) open() (err error) {
	if c.power || c.full {
		if c.disk, err = newDisk(c.dir, map[bool]int64{true: 256, false: 4096}[c.full]); err != nil {
			return err
		}
	}
	if c.verifies {
		if c.tamper, err = newTamperer(); err != nil {
			return err
		}
	}
	if err := c.start(""); err != nil {
		return err
	}
	if c.verifies {
		c.tamper.broker = c.broker.Addr()
		go c.tamper.serve()
	}
	if c.kind != "kafka" || c.disk == nil {
		return nil
	}
	// Apache's StorageTool does not flush what it formats, and a power cut right after it leaves a directory that cannot be
	// started. That is not what is asked here; ours has to stand it.
	_, err = command("sync", "-f", c.disk.mount)
	return err
}

func (c *crash) start(failpoint string) error {
	p, err := target.Start(c.ctx, c.options(failpoint))
	if err == nil {
		c.broker = p
	}
	return err
}

func (c *crash) options(failpoint string) target.Options {
	o := target.Options{Kind: c.kind, Binary: c.binary, Dir: filepath.Join(c.dir, "data"), Core: -1, HeapMB: 512, Log: filepath.Join(c.dir, "broker.log"),
		Config: filepath.Join(c.dir, "broker.properties"), Overrides: maps.Clone(busy)}
	if c.disk != nil {
		o.Dir = filepath.Join(c.disk.mount, "data")
	}
	if c.broker != nil {
		o.Port, o.Registry = c.broker.Port, c.broker.Registry
	}
	if c.registry == "inside" && o.Registry == 0 {
		o.Registry, _ = target.FreePort()
	}
	if c.tamper != nil {
		o.Overrides["advertised.listeners"] = "PLAINTEXT://" + c.tamper.Addr().String()
	}
	if c.registry == "beside" && c.kind == "millrace" {
		o.Overrides["schema.registry.listeners"] = "" // two on one topic would refuse each other
	}
	switch {
	case c.kind == "millrace" && c.unflushed:
		o.Overrides["log.flush.before.ack"] = "false"
	case c.kind == "kafka" && !c.unflushed:
		o.Overrides["log.flush.interval.messages"] = "1"
	}
	if failpoint != "" {
		o.Env = []string{"MILLRACE_FAILPOINT=" + failpoint}
	}
	return o
}

// busy are settings under which a node does in a second what it otherwise does in minutes: checkpoints, retention, compaction.
var busy = map[string]string{
	"log.cleaner.backoff.ms":                        "300",
	"log.flush.offset.checkpoint.interval.ms":       "700",
	"log.flush.start.offset.checkpoint.interval.ms": "700",
	"log.retention.check.interval.ms":               "500",
	"metadata.log.max.snapshot.interval.ms":         "600",
	"replica.high.watermark.checkpoint.interval.ms": "500",
}

func (c *crash) close() {
	if c.tamper != nil {
		c.tamper.Close()
	}
	if c.broker != nil {
		c.broker.Kill()
	}
	if c.disk != nil {
		c.disk.remove()
	}
}
