package host

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

var (
	seedFlag  = flag.Uint64("host.seed", 0, "run this seed alone")
	seedsFlag = flag.Int("host.seeds", 0, "how many seeds a random test runs; 0: its own number")
)

// bubble runs a test in virtual time. It ends only when every goroutine of the node has ended: a leak fails it.
func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

// seeds runs f once for each seed, each in a bubble of its own.
func seeds(t *testing.T, n int, f func(t *testing.T, seed uint64, rng *rand.Rand)) {
	t.Helper()
	if *seedsFlag > 0 {
		n = *seedsFlag
	}
	first := uint64(1)
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		bubble(t, func(t *testing.T) { f(t, seed, rand.New(rand.NewPCG(seed, 7))) })
		if t.Failed() {
			t.Fatalf("seed %d; again: go test ./internal/node/host -run '^%s$' -host.seed %d", seed, t.Name(), seed)
		}
	}
}

// rig is one node on a simulated disk.
type rig struct {
	*testing.T
	disk   *simenv.Disk
	random *simenv.Random
	change func(*Options)
	h      *Host
	said   said
}

// said is the log of the node.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) has(words string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), words)
}

func newRig(t *testing.T, seed uint64, change func(*Options)) *rig {
	if change == nil {
		change = func(*Options) {}
	}
	r := &rig{T: t, disk: simenv.NewDisk(seed), random: simenv.NewRandom(seed), change: change}
	t.Cleanup(func() { // after a failure; else it is closed
		if r.h != nil {
			r.kill()
		}
	})
	return r
}

// anySetting lets every setting be.
type anySetting struct{}

func (anySetting) Known(int8, string, string) error                                 { return nil }
func (anySetting) Check(int8, string, string, string) error                         { return nil }
func (anySetting) CheckTogether(*meta.Image, int8, string, map[string]string) error { return nil }
func (anySetting) List(int8, string) (bool, string)                                 { return false, "" }
func simClock() env.Clock                                                           { return env.Real().Clock }

func (r *rig) options() Options {
	o := Options{NodeID: 1, Dirs: []string{"/a"},
		Env:        env.Env{Clock: simClock(), Disk: r.disk.Process(), Random: r.random},
		Controller: meta.Options{Settings: anySetting{}},
		LogConfig: func(image *meta.Image, topic string) commitlog.Config {
			c := commitlog.DefaultConfig()
			if image.Config(meta.TopicResource, topic)["flush.before.ack"] == "false" {
				c.FlushBeforeAck = false
			}
			return c
		},
		MinISR: func(*meta.Image, string) int { return 1 },
		Log:    slog.New(slog.NewTextHandler(&r.said, nil)),
		Dir:    commitlog.DirOptions{Reserve: 1},
	}
	r.change(&o)
	return o
}

func (r *rig) tryOpen() error {
	h, err := Open(r.options())
	if err != nil {
		return err
	}
	if err := h.Register([]meta.Endpoint{{Name: "PLAINTEXT", Host: "localhost", Port: 9092}}, nil); err != nil {
		h.Close()
		return err
	}
	r.h = h
	return nil
}

func (r *rig) open() *rig {
	r.Helper()
	if err := r.tryOpen(); err != nil {
		r.Fatal(err)
	}
	return r
}

func (r *rig) close() {
	r.Helper()
	if err := r.h.Close(); err != nil {
		r.Fatal(err)
	}
}

// kill ends the process: what it had written stays. cut ends the machine.
func (r *rig) kill()            { r.disk.Kill(); r.h.Close() }
func (r *rig) cut(keep float64) { r.disk.PowerCut(keep); r.h.Close() }

func ask[R any](r *rig, body any) R {
	r.Helper()
	out, err := control[R](r.h, body)
	if err != nil {
		r.Fatalf("%T: %v", body, err)
	}
	return out
}

func (r *rig) create(topic string, partitions int32) wire.UUID {
	r.Helper()
	out := ask[meta.CreateTopicsReply](r, meta.CreateTopics{Topics: []meta.NewTopic{{Name: topic, Partitions: partitions, ReplicationFactor: 1}}})
	if out.Topics[0].Err != wire.None {
		r.Fatalf("creating %s: %v %s", topic, out.Topics[0].Err, out.Topics[0].Message)
	}
	return r.h.Image().Topic(topic).ID
}

func (r *rig) delete(topic string) {
	r.Helper()
	out := ask[meta.DeleteTopicsReply](r, meta.DeleteTopics{Topics: []meta.TopicRef{{Name: topic}}})
	if out.Topics[0].Err != wire.None {
		r.Fatalf("deleting %s: %v", topic, out.Topics[0].Err)
	}
}

func (r *rig) part(topic string, partition int32) *Partition {
	r.Helper()
	p := r.h.Partition(topic, partition)
	if p == nil {
		r.Fatalf("%s-%d is not hosted", topic, partition)
	}
	return p
}

func values(vs ...string) []byte { return valuesAt(time.Now(), vs...) }

func valuesAt(at time.Time, vs ...string) []byte {
	var recs []batch.Record
	for _, v := range vs {
		recs = append(recs, batch.Record{Value: []byte(v)})
	}
	b, err := batch.Build(nil, batch.Plain(0, 0, at.UnixMilli()), batch.Number(recs))
	if err != nil {
		panic(err)
	}
	return b
}

// send produces and returns what came of it, and the flushed end at that moment.
func send(p *Partition, acks int16, b []byte) (d Produced, flushed int64) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		panic(err)
	}
	type result struct {
		d       Produced
		flushed int64
	}
	c := make(chan result, 1)
	p.Produce(&Produce{Batch: b, Header: h, Acks: acks, Done: func(d Produced) { c <- result{d, p.log.FlushedEnd()} }})
	out := <-c
	return out.d, out.flushed
}

func (r *rig) produce(topic string, partition int32, vs ...string) int64 {
	r.Helper()
	d, _ := send(r.part(topic, partition), -1, values(vs...))
	if d.Err != wire.None {
		r.Fatalf("produce to %s-%d: %v %s", topic, partition, d.Err, d.Message)
	}
	return d.BaseOffset
}

// all reads a partition from its log start to the high watermark.
func (r *rig) all(topic string, partition int32) map[int64]string {
	r.Helper()
	out, err := readAll(r.part(topic, partition))
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func readAll(p *Partition) (map[int64]string, error) {
	out := map[int64]string{}
	for at := p.State().LogStart; ; {
		got := p.Read(ReadOptions{Offset: at, MaxBytes: 1 << 20, MinOne: true, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1})
		if got.Err != wire.None {
			return nil, fmt.Errorf("reading %s-%d at %d: %w", p.topic, p.index, at, got.Err)
		}
		if got.Records.Size() == 0 {
			return out, nil
		}
		b := make([]byte, got.Records.Size())
		err := got.Records.ReadAt(b, 0)
		got.Records.Release()
		if err != nil {
			return nil, err
		}
		for len(b) > 0 {
			h, err := batch.ParseHeader(b)
			if err != nil {
				return nil, err
			}
			recs, err := batch.Records(b[:h.Size()], 1<<20)
			if err != nil || !batch.CheckCRC(b[:h.Size()]) {
				return nil, errors.Join(errors.New("bad batch"), err)
			}
			for _, rec := range recs {
				out[h.BaseOffset+int64(rec.OffsetDelta)] = string(rec.Value)
			}
			at, b = h.NextOffset(), b[h.Size():]
		}
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	over := make(chan struct{})
	simClock().AfterFunc(d, func() { close(over) })
	<-over
}

// ended waits until the node says that it cannot go on.
func (r *rig) ended() {
	r.Helper()
	late := make(chan struct{})
	t := simClock().AfterFunc(time.Minute, func() { close(late) })
	defer t.Stop()
	select {
	case <-r.h.Ended():
	case <-late:
		r.Fatal("the node goes on")
	}
}
