// Package load makes histories: it drives a Kafka-protocol cluster with franz-go, records what was asked, answered and read,
// and lets the checker judge it. Workload W1: idempotent producers that send unique values to several keys, each a partition,
// and consumers that are assigned all of them; when the time is over, every key is read from its start to its end by a new
// client. It runs against any cluster and survives its restarts.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"millrace/internal/checker"
)

// Options of one run. The zero value of a field means the default in parentheses.
type Options struct {
	Bootstrap string
	Duration  time.Duration // how long producers send (10 s)
	Until     chan struct{} // closed: they stop earlier
	Producers int           // (4)
	Consumers int           // (2)
	Keys      int           // partitions written to, two a topic (8)
	InFlight  int           // sends of one producer under way at once (5)
	Rate      int           // sends a second, of all producers together (3,000); negative: as fast as it goes
	Size      int           // bytes of a record's value (200, at least 40)
	Acks      int16         // -1, 1 or 0 (0 means -1 here: what is not waited for cannot be checked)

	TopicPrefix string            // ("millrace-verify"); the seed follows it
	TopicConfig map[string]string // of the topics that the run creates
	KeepTopics  bool              // leave the topics behind even when all is well

	Seed        uint64 // (drawn)
	HistoryPath string // (a temporary file, kept when something was found)

	SendTimeout  time.Duration // a send without answer after this is indefinite (10 s)
	FinalTimeout time.Duration // for the end of the run: the last answers, then the complete read (60 s)

	// Started is called when the topics exist and the load begins; the history takes notes of faults.
	Started func(history *checker.Writer)
}

// Result of a run.
type Result struct {
	Report      *checker.Report
	Seed        uint64
	HistoryPath string // empty: nothing was found and the file was temporary
	Topics      []string
	Elapsed     time.Duration
	LongestGap  time.Duration // the longest time without any acknowledgement while producers were sending
	Damaged     []string      // records whose bytes, key, header or time are not what was sent; C1 counts them too
}

// Valid says whether nothing was found.
func (r *Result) Valid() bool { return r.Report != nil && r.Report.Valid() && len(r.Damaged) == 0 }

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Producers, 4)
	def(&o.Consumers, 2)
	def(&o.Keys, 8)
	def(&o.InFlight, 5)
	def(&o.Rate, 3000)
	def(&o.Size, 200)
	o.Size = max(o.Size, payloadHead)
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.Duration, 10 * time.Second}, {&o.SendTimeout, 10 * time.Second}, {&o.FinalTimeout, time.Minute}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if o.Acks == 0 {
		o.Acks = -1
	}
	if o.TopicPrefix == "" {
		o.TopicPrefix = "millrace-verify"
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1 << 40) // short enough to type
	}
	return o
}

// run is what the parts of one run share.
type run struct {
	Options
	ctx     context.Context
	history *checker.Writer
	topics  []string

	mu      sync.Mutex
	lastAck time.Time
	gap     time.Duration
	damaged []string
	err     error // the first failure of the tester itself, such as a full disk under the history
}

// Run drives the cluster, then checks what came of it. An error means that the run itself failed; what the checker found is
// in the result.
func Run(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	file, temporary, err := historyFile(o.HistoryPath)
	if err != nil {
		return Result{}, err
	}
	defer file.Close()
	r := &run{Options: o, ctx: ctx, history: checker.NewWriter(file)}
	begin := time.Now()
	res := Result{Seed: o.Seed, HistoryPath: file.Name()}
	err = r.drive()
	res.Topics, res.Elapsed = r.topics, time.Since(begin)
	res.LongestGap, res.Damaged = r.gap, r.damaged
	if err != nil {
		return res, err
	}
	if res.Report, err = judge(file.Name()); err != nil {
		return res, err
	}
	if res.Valid() && temporary {
		os.Remove(file.Name())
		res.HistoryPath = ""
	}
	if res.Valid() && !o.KeepTopics {
		r.deleteTopics()
	}
	return res, nil
}

func historyFile(path string) (f *os.File, temporary bool, err error) {
	if path == "" {
		f, err = os.CreateTemp("", "millrace-history-*.jsonl")
		return f, true, err
	}
	f, err = os.Create(path)
	return f, false, err
}

func judge(path string) (*checker.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return checker.Check(f)
}

// drive runs the phases: topics, load, last answers, complete read.
func (r *run) drive() error {
	if err := r.createTopics(); err != nil {
		return err
	}
	r.history.Note("load", map[string]any{"seed": r.Seed, "producers": r.Producers, "keys": r.Keys, "acks": r.Acks})
	if r.Started != nil {
		r.Started(r.history)
	}
	r.load()
	if err := r.failed(); err != nil {
		return err
	}
	r.history.Note("complete read", nil)
	if err := r.completeRead(); err != nil {
		return err
	}
	return errors.Join(r.history.Flush(), r.failed())
}

func (r *run) load() {
	sending, stopSending := context.WithTimeout(r.ctx, r.Duration)
	defer stopSending()
	go func() {
		select {
		case <-r.Until:
			stopSending()
		case <-sending.Done():
		}
	}()
	reading, stopReading := context.WithCancel(r.ctx)
	r.lastAck = time.Now()
	var producers, consumers sync.WaitGroup
	for i := range r.Producers {
		p := &producer{run: r, process: 1 + i, rng: rand.New(rand.NewPCG(r.Seed, uint64(i)))}
		producers.Go(func() { p.loop(sending) })
	}
	for i := range r.Consumers {
		c := &consumer{run: r, process: 1 + r.Producers + i}
		consumers.Go(func() { c.loop(reading) })
	}
	producers.Wait()
	stopReading()
	consumers.Wait()
}

// acked keeps the longest time without an acknowledgement.
func (r *run) acked() {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gap = max(r.gap, now.Sub(r.lastAck))
	r.lastAck = now
}

// check keeps the first failure of the tester itself.
func (r *run) check(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *run) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// place names the partition of a key, two keys a topic.
func (r *run) place(key int) (topic string, partition int32) {
	return r.topics[key/2], int32(key % 2)
}

func (r *run) key(topic string, partition int32) int32 {
	for i, t := range r.topics {
		if t == topic {
			return int32(2*i) + partition
		}
	}
	return -1
}

func (r *run) damage(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.damaged) < 20 {
		r.damaged = append(r.damaged, fmt.Sprintf(format, args...))
	}
}
