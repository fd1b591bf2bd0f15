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
//	fail-points          the process kills itself at each named point (built with the tag failpoint)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
	flag.StringVar(&r.points, "points", "", "fail points of the scenario fail-points, by comma; empty: all that the binary names")
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
	kind, binary, points string
	cycles               int
	pause                time.Duration
	seed                 uint64
	work                 string
	ctx                  context.Context
}

// scenario is one way to break the broker.
type scenario struct {
	name      string
	power     bool // cut the power; otherwise kill the process
	unflushed bool
	mustLose  bool
	points    bool
	pause     bool // stop the process for a while instead of killing it
	syncFails bool
	full      bool
}

var scenarios = []scenario{
	{name: "power-cut", power: true},
	{name: "power-cut-unflushed", power: true, unflushed: true, mustLose: true},
	{name: "kill-9"},
	{name: "kill-9-unflushed", unflushed: true},
	{name: "pause", pause: true},
	{name: "fsync-fails", syncFails: true},
	{name: "disk-full", full: true},
	{name: "fail-points", points: true},
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
		if !match.MatchString(s.name) || (s.points || s.full || s.syncFails) && r.kind == "kafka" || ctx.Err() != nil {
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
	if r.kind != "millrace" || r.binary != "" {
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
	if s.full {
		return c.diskFull()
	}
	began := time.Now()
	cycles, points := r.cycles, []string(nil)
	if s.points {
		var err error
		if points, err = r.failPoints(); err != nil || len(points) == 0 {
			return errors.Join(err, errors.New("the binary names no fail points"))
		}
		cycles = len(points)
	}
	nemesis := make(chan error, 1)
	ctx, stop := context.WithCancelCause(r.ctx)
	defer stop(nil)
	res, err := load.Run(ctx, load.Options{
		Bootstrap: c.broker.Addr(), Seed: c.seed, TopicPrefix: s.name, HistoryPath: filepath.Join(c.dir, "history.jsonl"), KeepTopics: true,
		Duration: time.Duration(cycles)*c.cycleTime() + r.pause, SendTimeout: 30 * time.Second, FinalTimeout: 2 * time.Minute,
		Started: func(h *checker.Writer) {
			go func() {
				err := c.nemesis(h, cycles, points)
				if err != nil {
					stop(err) // without a broker there is nothing to wait for
				}
				nemesis <- err
			}()
		},
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; seed %d; the broker's last words:\n%s", err, c.seed, c.broker.Tail(20))
	}
	if err := <-nemesis; err != nil {
		return err
	}
	return c.verdict(res, cycles, time.Since(began))
}

func (c *crash) verdict(res load.Result, cycles int, took time.Duration) error {
	line := fmt.Sprintf("%-20s %d times on %s, %.0fs, seed %d: %d acknowledged, %d lost, longest time without an acknowledgement %.1fs",
		c.name, cycles, c.kind, took.Seconds(), c.seed, res.Report.Acked, res.Report.Lost, res.LongestGap.Seconds())
	repeat := fmt.Sprintf("repeat with go run ./test/crash -broker %s -run '%s$' -seed %d; history %s", c.kind, c.name, c.seed, res.HistoryPath)
	switch {
	case c.mustLose && res.Report.Lost == 0:
		return fmt.Errorf("%s: unflushed data went through %d power cuts without loss: the harness does not bite\n%s\n%s", line, cycles, res.Report, repeat)
	case c.mustLose:
		line += " (and a loss had to be found)"
	case !res.Valid():
		return fmt.Errorf("%s\n%s\n%s\n%s", line, res.Report, strings.Join(res.Damaged, "\n"), repeat)
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
}

func (c *crash) open() (err error) {
	if c.power || c.full {
		if c.disk, err = newDisk(c.dir, map[bool]int64{true: 256, false: 4096}[c.full]); err != nil {
			return err
		}
	}
	if err := c.start(""); err != nil || c.kind != "kafka" || c.disk == nil {
		return err
	}
	// Apache's StorageTool does not flush what it formats, and a power cut right after it leaves a directory that cannot be
	// started. That is not what is asked here; ours has to stand it.
	_, err = command("sync", "-f", c.disk.mount)
	return err
}

func (c *crash) start(failpoint string) error {
	o := target.Options{Kind: c.kind, Binary: c.binary, Dir: filepath.Join(c.dir, "data"), Core: -1, HeapMB: 512, Log: filepath.Join(c.dir, "broker.log"),
		Config: filepath.Join(c.dir, "broker.properties"), Overrides: map[string]string{}}
	if c.disk != nil {
		o.Dir = filepath.Join(c.disk.mount, "data")
	}
	if c.broker != nil {
		o.Port = c.broker.Port
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
	p, err := target.Start(c.ctx, o)
	if err == nil {
		c.broker = p
	}
	return err
}

func (c *crash) close() {
	if c.broker != nil {
		c.broker.Kill()
	}
	if c.disk != nil {
		c.disk.remove()
	}
}

// cycleTime is how long a cycle lasts, restart included.
func (c *crash) cycleTime() time.Duration {
	switch {
	case c.scenario.pause:
		return c.runner.pause + stopped
	case c.kind == "kafka":
		return c.runner.pause + 8*time.Second
	}
	return c.runner.pause + time.Second
}

// nemesis breaks the broker and brings it back, cycles times.
func (c *crash) nemesis(h *checker.Writer, cycles int, points []string) error {
	for i := range cycles {
		wait := c.runner.pause/2 + time.Duration(c.rng.Int64N(int64(c.runner.pause)))
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
		point := ""
		if points != nil {
			point = points[i]
		}
		if err := c.once(h, i, point); err != nil {
			return fmt.Errorf("cycle %d: %w", i+1, err)
		}
	}
	return nil
}

func (c *crash) once(h *checker.Writer, i int, point string) error {
	h.Note(c.name, map[string]any{"cycle": i + 1, "point": point})
	if c.scenario.pause {
		return c.stopForAWhile(h)
	}
	if c.syncFails {
		return c.failSync(h)
	}
	if c.power {
		if err := c.disk.cut(); err != nil {
			return err
		}
	}
	c.broker.Kill()
	if c.power {
		if err := errors.Join(c.disk.detach(), c.disk.attach()); err != nil {
			return err
		}
	}
	if point != "" {
		if err := c.dieAt(h, point); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := c.start(""); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	h.Note("serves again", map[string]any{"after ms": time.Since(began).Milliseconds()})
	return nil
}

// stopped is how long a paused process stands still.
const stopped = 6 * time.Second

// stopForAWhile is the gray failure: connections stay open and nothing answers.
func (c *crash) stopForAWhile(h *checker.Writer) error {
	if err := syscall.Kill(c.broker.PID(), syscall.SIGSTOP); err != nil {
		return err
	}
	select {
	case <-time.After(stopped):
	case <-c.ctx.Done():
	}
	h.Note("goes on", nil)
	return syscall.Kill(c.broker.PID(), syscall.SIGCONT)
}
