package commitlog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// combiner stands for the host: writers that find the log busy leave their batch, and whoever holds the log appends for
// all of them; the sync loop's call answers those that are covered.
type combiner struct {
	log *Log

	mu      sync.Mutex
	busy    bool
	pending []waiter
	waiting []waiter // appended, not flushed
}

type waiter struct {
	in   Append
	end  int64
	done chan struct{}
}

func (c *combiner) produce(b testing.TB, now time.Time, w waiter) {
	c.mu.Lock()
	c.pending = append(c.pending, w)
	if c.busy {
		c.mu.Unlock()
		return
	}
	c.busy = true
	for len(c.pending) > 0 {
		ws := c.pending
		c.pending = nil
		c.mu.Unlock()
		in, out := make([]Append, len(ws)), make([]Appended, len(ws))
		for i := range ws {
			in[i] = ws[i].in
		}
		if err := c.log.Append(now, 0, in, out); err != nil {
			b.Error(err)
			return
		}
		c.mu.Lock()
		for i := range ws {
			ws[i].end = out[i].LastOffset + 1
		}
		c.waiting = append(c.waiting, ws...)
		c.mu.Unlock()
		c.log.RequestSync()
		c.mu.Lock()
	}
	c.busy = false
	c.mu.Unlock()
	c.flushed(c.log.FlushedEnd()) // what was flushed before it stood in the list
}

func (c *combiner) flushed(end int64) {
	c.mu.Lock()
	n := 0
	for n < len(c.waiting) && c.waiting[n].end <= end {
		close(c.waiting[n].done)
		n++
	}
	c.waiting = slices.Delete(c.waiting, 0, n)
	c.mu.Unlock()
}

func benchDir(b *testing.B, workers int, logs int) []*combiner {
	d, err := OpenDir(DirOptions{Env: env.Real(), Path: b.TempDir(), ClusterID: "c", NodeID: 1, SyncWorkers: workers})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Abandon() })
	all := make([]*combiner, logs)
	for i := range all {
		l, err := d.Create("bench", int32(i), wire.NewUUID(1, uint64(i)+1), DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		c := &combiner{log: l}
		l.OnFlushed(c.flushed)
		all[i] = c
	}
	return all
}

// BenchmarkAcks is flushed appends: writers with one batch in flight each, over a number of logs.
func BenchmarkAcks(b *testing.B) {
	for _, s := range []struct{ logs, writers, size int }{
		{1, 64, 100}, {50, 64, 100}, {1000, 64, 4096}, {1000, 256, 4096}, {1000, 1000, 4096},
	} {
		for _, workers := range []int{8, 16, 32, 64} {
			name := fmt.Sprintf("logs=%d/writers=%d/size=%d/workers=%d", s.logs, s.writers, s.size, workers)
			b.Run(name, func(b *testing.B) { benchAcks(b, s.logs, s.writers, s.size, workers) })
		}
	}
}

func benchAcks(b *testing.B, logs, writers, size, workers int) {
	all := benchDir(b, workers, logs)
	now := time.Now()
	proto := plain(1, size-80, now.UnixMilli())
	for _, c := range all { // the first append makes files
		one(b, c, now, slices.Clone(proto))
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.SetBytes(int64(len(proto)))
	cpu := cpuTime()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			mine := slices.Clone(proto)
			for left.Add(-1) >= 0 {
				one(b, all[rand.IntN(len(all))], now, mine)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
	b.ReportMetric((cpuTime()-cpu).Seconds()*1e6/float64(b.N), "cpu-µs/ack")
}

func one(b *testing.B, c *combiner, now time.Time, bytes []byte) {
	h, _ := batch.ParseHeader(bytes)
	w := waiter{in: Append{Batch: bytes, Header: h}, done: make(chan struct{})}
	c.produce(b, now, w)
	<-w.done
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend is the append alone, without syncs.
func BenchmarkAppend(b *testing.B) {
	for _, s := range []struct{ records, size int }{{1000, 1024}, {1, 100}, {1, 16 << 10}} {
		b.Run(fmt.Sprintf("records=%d/size=%d", s.records, s.size), func(b *testing.B) {
			l := benchDir(b, 1, 1)[0].log
			c := DefaultConfig()
			c.SegmentBytes = 256 << 20
			l.SetConfig(c)
			bytes := plain(s.records, s.size, 1)
			h, _ := batch.ParseHeader(bytes)
			in, out := []Append{{Batch: bytes, Header: h}}, make([]Appended, 1)
			now := time.Now()
			b.SetBytes(int64(len(bytes)))
			cpu, written := cpuTime(), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(now, 0, in, out); err != nil {
					b.Fatal(err)
				}
				if written += int64(len(bytes)); written > 1<<30 { // stay within the page cache and the disk
					b.StopTimer()
					shrink(b, l, now)
					written = 0
					b.StartTimer()
				}
			}
			b.ReportMetric((cpuTime()-cpu).Seconds()/(float64(b.N)*float64(len(bytes))/1e9), "cpu-s/GB")
		})
	}
}

func shrink(b *testing.B, l *Log, now time.Time) {
	l.SetHighWatermark(l.EndOffset())
	if err := l.DeleteRecords(l.EndOffset()); err != nil {
		b.Fatal(err)
	}
	if err := l.dropBelowStart(); err != nil {
		b.Fatal(err)
	}
	l.dir.removeDue(now.Add(time.Hour))
}

// BenchmarkRead finds and holds 1 MiB slices of a log, from batches of 16 KiB, without moving their bytes.
func BenchmarkRead(b *testing.B) {
	l := benchDir(b, 1, 1)[0].log
	in, out := input(Client, plain(1, 16<<10, 1)), make([]Appended, 1)
	for range 16 << 10 {
		if err := l.Append(time.Now(), 0, in, out); err != nil {
			b.Fatal(err)
		}
	}
	end, at := l.EndOffset(), int64(0)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		s, err := l.Read(at, end, 1<<20, true)
		if err != nil || s.Size() == 0 {
			b.Fatal(err)
		}
		at += int64(s.Size()) / (16<<10 + 80)
		if at+100 > end {
			at = 0
		}
		s.Release()
	}
}
