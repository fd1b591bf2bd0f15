// Command conformance runs other people's clients and tools against a broker: kcat, the Java tools of Apache Kafka 4.3.1,
// confluent-kafka for Python, franz-go, and requests written byte by byte where no client would send them. The clients and
// serializers of schema registries run against Millrace's registry, whose schemas that broker keeps. The same cases run
// against Apache Kafka, which is the oracle: a case that fails there is wrong. At the end, Apache's DumpLogSegments reads every
// file of the data directory, after a clean stop and after kill -9 under load and recovery.
//
//	go run ./test/conformance                        Millrace from bin/millrace
//	go run ./test/conformance -broker kafka          the oracle
//	go run ./test/conformance -addr HOST:PORT        a broker that already runs (no dump); -registry URL: with this registry
//	go run ./test/conformance -beside                `millrace registry` instead of the registry inside the node
//	go run ./test/conformance -smoke                 one client of each family, for CI
//	go run ./test/conformance -run 'java/|raw/crc'   some cases
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"millrace/test/target"
)

// Case is one small question with a name, family/what.
type Case struct {
	Name  string
	Smoke bool // part of the CI subset
	Run   func(t *T)
}

var cases []Case

func register(more ...Case) { cases = append(cases, more...) }

func main() {
	broker := flag.String("broker", "millrace", "millrace or kafka: the broker to start")
	addr := flag.String("addr", "", "address of a broker that runs already; overrides -broker")
	binary := flag.String("binary", "bin/millrace", "Millrace's binary")
	registry := flag.String("registry", "", "address of a schema registry that runs already")
	beside := flag.Bool("beside", false, "start a registry beside Millrace's node instead of asking the one inside it")
	smoke := flag.Bool("smoke", false, "only one client of each family")
	run := flag.String("run", "", "only the cases whose name this regular expression matches")
	list := flag.Bool("list", false, "print the names of the cases")
	flag.Parse()
	match, err := regexp.Compile(*run)
	if err != nil {
		fatal(err)
	}
	if *list {
		for _, c := range append(cases, lastCases...) {
			fmt.Println(c.Name)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &suite{ctx: ctx, addr: *addr, kind: *broker, binary: *binary, registry: *registry, beside: *beside, smoke: *smoke}
	if err := s.open(); err != nil {
		fatal(err)
	}
	for _, c := range append(cases, lastCases...) {
		if match.MatchString(c.Name) && (c.Smoke || !*smoke) && ctx.Err() == nil {
			s.run(c)
		}
	}
	if s.close(); s.report() > 0 || ctx.Err() != nil {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "conformance:", err)
	os.Exit(1)
}

// suite runs the cases against one broker.
type suite struct {
	ctx    context.Context
	addr   string
	kind   string
	binary string
	work   string // scratch directory
	broker *target.Process
	failed []string
	passed int
	left   int // left out
	smoke  bool
	began  time.Time

	registry   string // its address; empty: none was asked yet
	beside     bool   // no registry inside the node
	registries []*target.Process
}

// settings let short cases be short and small limits be reached; both brokers get the same.
var settings = map[string]string{
	"group.initial.rebalance.delay.ms": "0",
	"auto.create.topics.enable":        "true",
	"log.segment.bytes":                "1048576",
	"offsets.topic.num.partitions":     "5",
	"log.index.interval.bytes":         "512",
}

func (s *suite) options() target.Options {
	o := target.Options{Kind: s.kind, Binary: s.binary, Dir: filepath.Join(s.work, "data"), Core: -1, HeapMB: 512, Overrides: settings}
	if s.beside { // two registries on one topic are refused
		o.Overrides = maps.Clone(o.Overrides)
		o.Overrides["schema.registry.listeners"] = ""
		return o
	}
	o.Registry, _ = target.FreePort() // without one, the node picks its own
	return o
}

func (s *suite) open() error {
	s.began = time.Now()
	work, err := os.MkdirTemp("", "millrace-conformance-")
	if err != nil {
		return err
	}
	s.work = work
	if s.addr != "" {
		s.kind = "?"
		return target.Answers(s.addr)
	}
	s.broker, err = target.Start(s.ctx, s.options())
	if err == nil {
		s.addr = s.broker.Addr()
	}
	return err
}

func (s *suite) close() {
	for _, p := range s.registries {
		p.Stop()
	}
	if s.broker != nil {
		s.broker.Stop()
	}
	if len(s.failed) == 0 {
		os.RemoveAll(s.work)
	}
}

// run runs one case; a failed demand ends it by panic, which stays inside.
func (s *suite) run(c Case) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(s.ctx, 90*time.Second)
	defer cancel()
	t := &T{suite: s, addr: s.addr, ctx: ctx, name: c.Name}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(stopCase); !ok {
					panic(p)
				}
			}
		}()
		defer t.cleanup()
		c.Run(t)
	}()
	tail, err := s.revive()
	if tail != "" {
		t.failures = append(t.failures, "the broker has ended:\n"+tail)
	}
	if t.left && len(t.failures) == 0 {
		s.left++
		fmt.Printf("OUT   %-44s       %s\n", c.Name, t.note)
		return
	}
	if len(t.failures) == 0 {
		s.passed++
		fmt.Printf("ok    %-44s %5.1fs %s\n", c.Name, time.Since(began).Seconds(), t.note)
		return
	}
	s.failed = append(s.failed, c.Name)
	fmt.Printf("FAIL  %-44s %5.1fs\n      %s\n", c.Name, time.Since(began).Seconds(),
		strings.ReplaceAll(strings.Join(t.failures, "\n"), "\n", "\n      "))
	if err != nil {
		fatal(fmt.Errorf("no broker left: %w", err))
	}
}

// revive starts the broker again when a case has left none, so that the cases after it are asked too, and returns the end of
// what the broker printed.
func (s *suite) revive() (tail string, err error) {
	if s.broker == nil || s.ctx.Err() != nil {
		return "", nil
	}
	select {
	case <-s.broker.Exited():
		tail = s.broker.Tail(30)
		return tail, s.restart()
	default:
		return "", nil
	}
}

func (s *suite) report() (failed int) {
	fmt.Printf("%d cases passed, %d failed, %d left out, on %s at %s, in %.0fs\n", s.passed, len(s.failed), s.left, s.kind, s.addr, time.Since(s.began).Seconds())
	if len(s.failed) > 0 {
		fmt.Printf("failed: %s\nscratch directory kept: %s\nrepeat one: go run ./test/conformance -broker %s -run '^%s$'\n",
			strings.Join(s.failed, " "), s.work, s.kind, s.failed[0])
	}
	return len(s.failed)
}
