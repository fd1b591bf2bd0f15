package commitlog

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env/simenv"
)

// TestSameHistoryUnderManySettings: what a log holds does not depend on how it is kept. One history of appends, syncs,
// deletions, clean stops and kills runs under several settings of segments, indexes, flushing, checkpoints and handles,
// and must give the same batches, producers, epochs, aborted transactions and timestamps.
func TestSameHistoryUnderManySettings(t *testing.T) {
	seeds := uint64(max(1, *simSeeds/15))
	for seed := *simFirst; seed < *simFirst+seeds; seed++ {
		first := ""
		for variant := range uint64(4) {
			var history bytes.Buffer
			got, err := runSettings(seed, variant, &history)
			if err != nil {
				t.Fatalf("seed %d, settings %d: %v\n%s\n\tgo test ./internal/node/commitlog -run TestSameHistory -sim.first=%d -sim.seeds=15", seed, variant, err, history.String(), seed)
			}
			if first == "" {
				first = got
			}
			if got != first {
				t.Fatalf("seed %d: settings 0 and %d differ:\n%s\n%s\n\tgo test ./internal/node/commitlog -run TestSameHistory -sim.first=%d -sim.seeds=15", seed, variant, first, got, seed)
			}
		}
	}
}

func runSettings(seed, variant uint64, out io.Writer) (string, error) {
	s := &sim{disk: simenv.NewDisk(seed), clock: simenv.NewClock(time.Time{}), out: out, knowsWatermark: true, valueLimit: 40}
	s.now = s.clock.Now()
	s.rng = rand.New(rand.NewPCG(seed*1000+variant, 3))
	c := s.config()
	c.Compact, c.DeletePolicy, c.LogAppendTime = false, false, seed%4 == 0
	s.directory()
	s.logs = []*simLog{{topic: "t0", id: wire.NewUUID(seed+1, 1), m: newModelLog(), config: c}}
	s.rng = rand.New(rand.NewPCG(seed, 4))
	err := s.open(true)
	for s.step = 1; s.step <= 50 && err == nil; s.step++ {
		s.now = s.now.Add(time.Duration(s.rng.IntN(3000)) * time.Millisecond)
		s.clock.Advance(s.now.Sub(s.clock.Now()))
		err = s.steady(s.logs[0])
	}
	if err == nil {
		err = s.reopen()
	}
	if err != nil {
		return "", err
	}
	return describe(s.logs[0].l)
}

// steady is an operation whose outcome no setting may change.
func (s *sim) steady(sl *simLog) error {
	if sl.l == nil {
		return s.create(sl)
	}
	switch n := s.rng.IntN(100); {
	case n < 65:
		return s.append(sl)
	case n < 75:
		s.disk.Kill()
		return s.open(true)
	case n < 80:
		return s.reopen()
	case n < 85:
		return s.tick()
	case n < 90:
		s.dir.SyncOnce()
		return nil
	case n < 95:
		sl.m.highest = s.between(sl.m.highest, sl.m.end)
		sl.m.visible = sl.m.highest
		sl.l.SetHighWatermark(sl.m.highest)
		return nil
	}
	return s.deleteRecords(sl)
}

func describe(l *Log) (string, error) {
	all, err := readAll(l)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, b := range all {
		sum.Write(b.bytes)
	}
	text := fmt.Sprintf("%d..%d, %d batches %x\nproducers %+v\naborted %+v\nstable %d\n", l.StartOffset(), l.EndOffset(), len(all), sum.Sum(nil)[:8],
		l.Producers(), l.AbortedTxns(l.StartOffset(), l.EndOffset()), l.LastStable(l.HighWatermark()))
	for epoch := int32(0); epoch <= l.LatestEpoch(); epoch++ {
		e, end := l.EpochEnd(epoch)
		text += fmt.Sprintf("epoch %d: %d %d\n", epoch, e, end)
	}
	for _, b := range all {
		offset, at, epoch, found, err := l.OffsetForTimestamp(b.h.MaxTimestamp, l.EndOffset())
		if err != nil {
			return "", err
		}
		text += fmt.Sprint(b.h.MaxTimestamp, offset, at, epoch, found, " ")
	}
	return text, nil
}
