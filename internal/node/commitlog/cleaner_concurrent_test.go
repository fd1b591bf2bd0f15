package commitlog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// TestCleanWhileAppendingAndReading compacts a log on the real disk while it is written and read: no reader sees an error, a
// falling offset or a wrong checksum, the log becomes small, and it holds the last value of every key, now and after
// a restart (CMP-1).
func TestCleanWhileAppendingAndReading(t *testing.T) {
	const keys, rounds = 20, 1500
	c := DefaultConfig()
	c.Compact, c.DeletePolicy, c.SegmentBytes, c.MinCleanableRatio = true, false, 4000, 0.1
	open := func(path string) *Dir {
		d, err := OpenDir(DirOptions{Env: env.Real(), Path: path, ClusterID: "c", NodeID: 1, SyncWorkers: 2, MaxOpenFiles: 4, Defaults: c, CleanerBackoff: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Load(nil); err != nil {
			t.Fatal(err)
		}
		return d
	}
	path := t.TempDir()
	d := open(path)
	l, err := d.Create("t", 0, wire.NewUUID(1, 2), c)
	if err != nil {
		t.Fatal(err)
	}
	l.OnFlushed(func(end int64) { l.SetHighWatermark(end) })
	var done atomic.Bool
	var side sync.WaitGroup
	for range 2 {
		side.Go(func() {
			for !done.Load() {
				if err := readThrough(l); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	side.Go(func() {
		for now := time.Now(); !done.Load(); now = now.Add(time.Second) {
			d.Tick(now)
		}
	})
	now := time.Now()
	for i := range rounds {
		b, err := batch.Build(nil, batch.Plain(0, 0, now.UnixMilli()), []batch.Record{{Key: fmt.Append(nil, "key", i%keys), Value: fmt.Append(nil, i)}})
		if err != nil {
			t.Fatal(err)
		}
		out := make([]Appended, 1)
		if err := l.Append(now, 0, input(Client, b), out); err != nil || out[0].Err != nil {
			t.Fatal(err, out[0].Err)
		}
		l.RequestSync()
	}
	done.Store(true)
	side.Wait()
	for l.FlushedEnd() < rounds {
		if err := l.flushNow(); err != nil {
			t.Fatal(err)
		}
	}
	d.cleaner.stop()
	d.cleaner.stopped.Store(false)
	d.cleaner.round(d, now)
	want := map[string]string{}
	for i := range rounds {
		want[fmt.Sprint("key", i%keys)] = fmt.Sprint(i)
	}
	check := func(l *Log) {
		t.Helper()
		got, records := map[string]string{}, 0
		err := l.Each(0, l.EndOffset(), func(h batch.Header, b []byte) error {
			recs, err := batch.Records(b, 1<<20)
			for _, r := range recs {
				got[string(r.Key)] = string(r.Value)
				records++
			}
			return err
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v: map of the compacted log is %v", err, got)
		}
		if records > rounds/3 {
			t.Fatalf("%d of %d records are left", records, rounds)
		}
	}
	check(l)
	if err := d.Close(1); err != nil {
		t.Fatal(err)
	}
	d = open(path)
	defer d.Abandon()
	check(d.Log("t", 0))
}

func readThrough(l *Log) error {
	last := int64(-1)
	return l.Each(l.StartOffset(), l.EndOffset(), func(h batch.Header, b []byte) error {
		if h.BaseOffset <= last || !batch.CheckCRC(b) {
			return fmt.Errorf("batch %d after %d, checksum right: %v", h.BaseOffset, last, batch.CheckCRC(b))
		}
		last = h.LastOffset()
		return nil
	})
}
