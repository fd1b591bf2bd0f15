// Command bench measures Millrace beside Apache Kafka 4.3.1 on the same machine and in the same run. Both brokers run on one
// core, this program is the client and keeps to another; measurements alternate between the brokers in pairs, every pair holds
// a run of the bare pipe (socket, CRC-32C, write, fdatasync; sendfile out), which is the limit and tells a bad minute from a
// bad program; figures are medians, verdicts are medians of the ratios inside the pairs.
//
//	go run ./test/bench                       every row
//	go run ./test/bench -rows 1,5             some rows, in their place among the kept ones
//	go run ./test/bench -rows R               the schema registry's table; -rows R1,R3 for some of its rows
//	go run ./test/bench -table                the kept samples judged again, nothing measured
//	go run ./test/bench -quick -pairs 1       a trial of the harness; its figures mean nothing and are not kept
//	go run ./test/bench -alone -rows 5        our column only, to profile it
//	go run ./test/bench -against OTHER-BINARY two builds of Millrace, in place of Kafka: every figure as a ratio
//
// Each row's samples go into docs/bench.json as soon as it is measured, and the table and picture beside it are made from
// all samples there, so that a long run can be put together from short ones.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	brokerCore = 0
	clientCore = 1
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "-serve-pipe" {
		servePipe(os.Args[2], os.Args[3])
		return
	}
	if role := roles[strings.Join(os.Args[1:min(2, len(os.Args))], "")]; role != nil {
		if err := role(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	rows := flag.String("rows", "", "the rows to run, such as 1,5, or R for all of the schema registry; all when empty")
	pairs := flag.Int("pairs", 5, "alternating pairs of each row")
	ours := flag.String("ours", "millrace", "what stands in our column: millrace, or kafka to try the harness")
	against := flag.String("against", "", "another binary of Millrace to stand in Kafka's column")
	alone := flag.Bool("alone", false, "our column only")
	only := flag.String("mode", "", "F or U: only the flushed, or only the unflushed part of rows 1, 5, 6, 7 and 15; not kept")
	mib := flag.Int64("mib", 512, "what a measurement of throughput moves; other sizes are not kept")
	seconds := flag.Int("seconds", 5, "what a timed measurement takes")
	table := flag.Bool("table", false, "measure nothing, write the table from the kept samples")
	binary := flag.String("binary", "bin/millrace", "Millrace's binary")
	quick := flag.Bool("quick", false, "a tenth of the data and of the time")
	out := flag.String("out", "docs", "directory for bench.json, bench.md and bench.svg; empty: only print")
	dir := flag.String("dir", os.TempDir(), "where the brokers keep their data")
	flag.Parse()
	keepToCore(clientCore)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{ctx: ctx, pairs: *pairs, kind: *ours, binary: *binary, against: *against, bytes: *mib << 20, seconds: *seconds, began: time.Now()}
	if *quick {
		b.bytes, b.seconds = 64<<20, 1
	}
	b.alone, b.only = *alone, mode(*only)
	if *quick || *only != "" || *mib != 512 || *alone || *against != "" || *ours != "millrace" {
		*out = ""
	}
	if err := b.whole(*out, *dir, chosen(*rows), *table); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// whole measures, judges, and writes what is to be written.
func (b *bench) whole(out, dir string, rows []string, onlyTable bool) error {
	if out != "" {
		if err := b.load(out); err != nil {
			return err
		}
	}
	if !onlyTable {
		err := b.run(dir, rows)
		b.close()
		if err != nil {
			return err
		}
	}
	if b.against != "" {
		fmt.Println(b.comparison())
	} else {
		fmt.Println(b.markdown())
	}
	if out != "" {
		if err := b.write(out); err != nil {
			return err
		}
	}
	if len(b.failed) > 0 {
		return fmt.Errorf("%d steps were not measured", len(b.failed))
	}
	return nil
}

func chosen(rows string) []string {
	if rows == "" {
		return append([]string{"12", "13", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "15"}, registryRows...)
	}
	if rows == "R" {
		return registryRows
	}
	return strings.Split(rows, ",")
}

// keepToCore runs this program again under taskset, because a running Go program cannot move all its threads at once.
func keepToCore(core int) {
	if os.Getenv("BENCH_PINNED") != "" {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	cmd := append([]string{"taskset", "-c", strconv.Itoa(core), self}, os.Args[1:]...)
	path, err := exec.LookPath("taskset")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: taskset (util-linux) is missing: without it client and broker share their cores")
		os.Exit(1)
	}
	err = syscall.Exec(path, cmd, append(os.Environ(), "BENCH_PINNED=1", "GOMAXPROCS=2", "GOGC=400"))
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// bench is one run of the table.
type bench struct {
	ctx     context.Context
	pairs   int
	kind    string // of our column
	binary  string
	against string // a binary of Millrace in Kafka's column
	alone   bool   // without Kafka's column
	only    mode   // empty: both
	bytes   int64  // moved by a throughput measurement
	seconds int    // taken by a timed one
	began   time.Time

	work        string
	ours, kafka *column
	pipe        *pipe
	results     []result
	kept        string   // where the samples are kept; empty: nowhere
	machine     string   // on which they were taken
	failed      []string // rows that could not be measured, and why
}

// modes are those of a row that are to be measured.
func (b *bench) modes(all ...mode) []mode {
	return slices.DeleteFunc(all, func(m mode) bool { return b.only != "" && m != b.only })
}

// columns are ours and the one beside it, unless ours is alone.
func (b *bench) columns() []*column {
	if b.alone {
		return []*column{b.ours}
	}
	return []*column{b.ours, b.kafka}
}

// rows that are measured together share a measurement: the first three are the same runs in other ratios.
func (b *bench) run(dir string, rows []string) error {
	work, err := os.MkdirTemp(dir, "millrace-bench-")
	if err != nil {
		return err
	}
	b.work, b.machine = work, hardware(work)
	b.ours, b.kafka = &column{bench: b, name: "ours", kind: b.kind, binary: b.binary}, &column{bench: b, name: "kafka", kind: "kafka"}
	if b.against != "" {
		b.kafka.name, b.kafka.kind, b.kafka.binary = "other", "millrace", b.against
	}
	if b.pipe, err = startPipe(filepath.Join(work, "pipe")); err != nil {
		return err
	}
	if slices.Contains(rows, "12") {
		if err := b.starts(); err != nil {
			return fmt.Errorf("row 12: %w", err)
		}
		if err := b.save([]string{"12"}); err != nil {
			return err
		}
	}
	if err := b.registry(rows); err != nil {
		return err
	}
	if !slices.ContainsFunc(rows, func(r string) bool { return r != "12" && !isRegistry(r) }) {
		return nil
	}
	for _, c := range b.columns() {
		if err := c.start(); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		rows string
		run  func() error
	}{{"13", b.idle}, {"", b.warmUp}, {"1,2,3,13", b.produce}, {"4", b.compressed}, {"5", b.requests}, {"6", b.partitions}, {"7", b.steady}, {"8", b.steadyFlushed},
		{"9", b.consume}, {"10", b.fanOut}, {"15", b.commits}} {
		if step.rows != "" && !overlap(rows, strings.Split(step.rows, ",")) {
			continue
		}
		if err := step.run(); err != nil {
			b.failed = append(b.failed, fmt.Sprintf("rows %s: %v", step.rows, err))
			b.progress("FAILED %s", b.failed[len(b.failed)-1])
			if err := b.revive(); err != nil {
				return err
			}
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err := b.save(strings.Split(step.rows, ",")); err != nil {
			return err
		}
	}
	return nil
}

// revive starts a broker again that has ended, so that one row's failure does not take the others with it.
func (b *bench) revive() error {
	for _, c := range b.columns() {
		select {
		case <-c.broker.Exited():
			b.progress("%s has ended: %s", c.name, c.broker.Tail(20))
			if err := c.start(); err != nil {
				return err
			}
		default:
		}
	}
	return nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func (b *bench) close() {
	for _, c := range []*column{b.ours, b.kafka} {
		if c != nil {
			c.stop()
		}
	}
	if b.pipe != nil {
		b.pipe.stop()
	}
	os.RemoveAll(b.work)
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.0fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}
