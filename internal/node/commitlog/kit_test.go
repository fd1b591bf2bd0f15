package commitlog

import (
	"fmt"
	"testing"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// start is when these tests begin.
var start = time.UnixMilli(1_700_000_000_000)

// rig is a directory with one log on the real disk.
type rig struct {
	testing.TB
	path   string
	config Config
	dir    *Dir
	log    *Log
	now    time.Time
}

func newRig(t testing.TB, change func(*Config)) *rig {
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	r := &rig{TB: t, path: t.TempDir(), config: c, now: start}
	r.open()
	l, err := r.dir.Create("t", 0, wire.NewUUID(1, 2), c)
	if err != nil {
		t.Fatal(err)
	}
	r.log = l
	t.Cleanup(func() { r.dir.Abandon() })
	return r
}

func (r *rig) open() {
	r.Helper()
	d, err := OpenDir(DirOptions{Env: env.Real(), Path: r.path, ClusterID: "c", NodeID: 1, Defaults: r.config})
	if err != nil {
		r.Fatal(err)
	}
	if err := d.Load(nil); err != nil {
		r.Fatal(err)
	}
	r.dir = d
	r.log = d.Log("t", 0)
}

// restart closes the directory and opens it again; kill leaves out the closing.
func (r *rig) restart() {
	r.Helper()
	if err := r.dir.Close(7); err != nil {
		r.Fatal(err)
	}
	r.open()
}

func (r *rig) kill() {
	r.Helper()
	r.dir.Abandon()
	r.open()
}

// plain is a batch of n records without a producer.
func plain(n, size int, ts int64) []byte { return build(batch.Plain(0, 0, ts), n, size) }

func build(o batch.Options, n, size int) []byte {
	var recs []batch.Record
	for i := range n {
		recs = append(recs, batch.Record{Key: fmt.Appendf(nil, "k%d", i), Value: make([]byte, size)})
	}
	b, err := batch.Build(nil, o, batch.Number(recs))
	if err != nil {
		panic(err)
	}
	return b
}

// idempotent is a batch of a producer.
func idempotent(id int64, epoch int16, sequence int32, n int, ts int64) []byte {
	o := batch.Plain(0, 0, ts)
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, epoch, sequence
	return build(o, n, 10)
}

func transactional(id int64, epoch int16, sequence int32, n int, ts int64) []byte {
	o := batch.Plain(0, 0, ts)
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = id, epoch, sequence, true
	return build(o, n, 10)
}

func endMarker(commit bool, id int64, epoch int16, coordinatorEpoch int32, ts int64) []byte {
	o := batch.Plain(0, 0, ts)
	o.ProducerID, o.ProducerEpoch = id, epoch
	return batch.EndTxnMarker(commit, coordinatorEpoch, o)
}

func input(origin Origin, batches ...[]byte) []Append {
	in := make([]Append, len(batches))
	for i, b := range batches {
		h, err := batch.ParseHeader(b)
		if err != nil {
			panic(err)
		}
		in[i] = Append{Batch: b, Header: h, Origin: origin}
	}
	return in
}

// try appends and returns the results.
func (r *rig) try(origin Origin, batches ...[]byte) []Appended {
	r.Helper()
	out := make([]Appended, len(batches))
	if err := r.log.Append(r.now, 0, input(origin, batches...), out); err != nil {
		r.Fatal(err)
	}
	return out
}

// append appends and fails the test if a batch was refused.
func (r *rig) append(batches ...[]byte) []Appended { r.Helper(); return r.must(Client, batches...) }

func (r *rig) must(origin Origin, batches ...[]byte) []Appended {
	r.Helper()
	out := r.try(origin, batches...)
	for i, o := range out {
		if o.Err != nil {
			r.Fatalf("batch %d: %v", i, o.Err)
		}
	}
	return out
}

// flush waits for the sync loop.
func (r *rig) flush() {
	r.Helper()
	done := make(chan struct{}, 100)
	want := r.log.EndOffset()
	r.log.OnFlushed(func(int64) {
		select {
		case done <- struct{}{}:
		default:
		}
	})
	r.log.RequestSync()
	for r.log.FlushedEnd() < want {
		if err := r.dir.Failed(); err != nil {
			r.Fatal(err)
		}
		<-done
	}
}

// offsets reads the whole log and returns base and last offset of each batch.
func (r *rig) offsets() [][2]int64 {
	r.Helper()
	var all [][2]int64
	err := r.log.Each(r.log.StartOffset(), r.log.EndOffset(), func(h batch.Header, b []byte) error {
		if !batch.CheckCRC(b) {
			return ErrCorrupt
		}
		all = append(all, [2]int64{h.BaseOffset, h.LastOffset()})
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return all
}

func (r *rig) wantOffsets(want ...[2]int64) {
	r.Helper()
	got := r.offsets()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.Fatalf("log holds %v, want %v", got, want)
	}
}

func (r *rig) wantEnd(end int64) {
	r.Helper()
	if err := r.log.Err(); err != nil {
		r.Fatal(err)
	}
	if got := r.log.EndOffset(); got != end {
		r.Fatalf("end offset %d, want %d", got, end)
	}
}
