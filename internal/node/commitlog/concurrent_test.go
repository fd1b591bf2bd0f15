package commitlog

import (
	"errors"
	"sync"
	"testing"

	"millrace/internal/kafka/batch"
)

// TestReadersWhileEverythingMoves: one appender, readers at both ends, retention, checkpoints and few handles. Every read
// batch is whole and has the offset it should have. It is here for the race detector.
func TestReadersWhileEverythingMoves(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.SegmentBytes, c.IndexIntervalBytes, c.RetentionBytes, c.FileDeleteDelayMs = 20_000, 500, 100_000, 0
	})
	r.dir.handles.max = 4
	const total = 3000
	r.log.OnFlushed(func(end int64) { r.log.SetHighWatermark(end) })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	read := func(begin func() int64) {
		for at := begin(); ; {
			select {
			case <-stop:
				return
			default:
			}
			var buf []byte
			s, err := r.log.Read(at, r.log.HighWatermark(), 4000, true)
			if errors.Is(err, ErrOffsetOutOfRange) {
				at = begin()
				continue
			}
			if err == nil {
				buf = make([]byte, s.Size())
				err = s.ReadAt(buf, 0)
				s.Release()
			}
			if err != nil {
				t.Errorf("read at %d: %v", at, err)
				return
			}
			if len(buf) == 0 {
				at = begin()
			}
			for b := buf; len(b) > 0; {
				h, err := batch.ParseHeader(b)
				if err != nil || h.BaseOffset != at || !batch.CheckCRC(b[:h.Size()]) {
					t.Errorf("offset %d at %d, %v", h.BaseOffset, at, err)
					return
				}
				at, b = h.NextOffset(), b[h.Size():]
			}
		}
	}
	wg.Go(func() { read(r.log.StartOffset) })
	wg.Go(func() { read(func() int64 { return max(r.log.HighWatermark()-50, r.log.StartOffset()) }) })
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := errors.Join(r.dir.Retain(r.now), r.dir.checkpoint()); err != nil {
				t.Error(err)
				return
			}
			r.dir.removeDue(r.now)
			r.log.OffsetForTimestamp(1500, total)
			r.log.AbortedTxns(0, total)
			r.log.Producers()
		}
	})
	out := make([]Appended, 1)
	for i := range total {
		if err := r.log.Append(r.now, 0, input(Client, idempotent(1, 0, int32(i), 1, int64(i))), out); err != nil || out[0].Err != nil {
			t.Fatal(err, out[0].Err)
		}
		r.log.RequestSync()
	}
	close(stop)
	wg.Wait()
	r.log.OnFlushed(func(int64) {})
	r.flush()
	r.restart()
	r.wantEnd(total)
}
