package commitlog

import (
	"bytes"
	"fmt"
	"slices"

	"millrace/internal/kafka/batch"
)

// checkCleanedBatches: whatever is left of a batch is as it was accepted, at its offsets (ORD-1, CMP-1).
func (m *modelLog) checkCleanedBatches(got []modelBatch) error {
	for i := range got {
		g := &got[i]
		at := m.containing(g.h.BaseOffset)
		if at >= len(m.history) {
			return fmt.Errorf("DUR-6: batch %d..%d was never accepted", g.h.BaseOffset, g.h.LastOffset())
		}
		w := &m.history[at]
		if g.h.BaseOffset != w.h.BaseOffset || g.h.LastOffset() != w.h.LastOffset() || g.h.LeaderEpoch != w.h.LeaderEpoch ||
			g.h.ProducerID != w.h.ProducerID || g.h.ProducerEpoch != w.h.ProducerEpoch || g.h.BaseSequence != w.h.BaseSequence ||
			g.marker != w.marker || g.h.Transactional() != w.h.Transactional() || g.h.LogAppendTime() != w.h.LogAppendTime() {
			return fmt.Errorf("CMP-1: batch %+v was %+v", g.h, w.h)
		}
		if g.h.Count == w.h.Count && !g.h.HasHorizon() && !bytes.Equal(g.bytes, w.bytes) {
			return fmt.Errorf("CMP-1: batch %d..%d differs though nothing was removed", g.h.BaseOffset, g.h.LastOffset())
		}
		for j := range g.records {
			if !slices.ContainsFunc(w.records, func(r batch.Record) bool { return sameRecord(g, &g.records[j], w, &r) }) {
				return fmt.Errorf("CMP-1: offset %d changed", g.h.BaseOffset+int64(g.records[j].OffsetDelta))
			}
		}
	}
	return nil
}

func sameRecord(ab *modelBatch, a *batch.Record, bb *modelBatch, b *batch.Record) bool {
	return a.OffsetDelta == b.OffsetDelta && ab.time(a) == bb.time(b) && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		(a.Value == nil) == (b.Value == nil)
}

// compareCleaned holds a compacted log against the model: what is there is right, what is missing was allowed to go,
// and a reader from the start builds the same map (CMP-1, CMP-2).
func (m *modelLog) compareCleaned(l *Log, got []modelBatch) error {
	if err := m.checkCleanedBatches(got); err != nil {
		return err
	}
	aborted := m.aborted(m.start, m.end)
	if err := m.checkMissing(l.Config(), got, aborted); err != nil {
		return err
	}
	listed := make([]modelTxn, 0)
	for _, a := range l.AbortedTxns(m.start, m.end) {
		listed = append(listed, modelTxn{a.ProducerID, a.FirstOffset, a.LastOffset, true})
	}
	for i := range got {
		if g := &got[i]; g.h.Count > 0 && !g.marker && g.isAborted(aborted) != g.isAborted(listed) {
			return fmt.Errorf("CMP-2: batch %d..%d of producer %d: aborted %v, by the log's list %v", g.h.BaseOffset, g.h.LastOffset(),
				g.h.ProducerID, g.isAborted(aborted), g.isAborted(listed))
		}
	}
	return compareViews(committedView(got, listed, m.end), committedView(m.history[m.containing(m.start):], aborted, m.end))
}

func compareViews(got, want view) error {
	for key, w := range want {
		g, ok := got[key]
		switch {
		case w.tombstone && !ok:
		case g.offset != w.offset || g.value != w.value || g.tombstone != w.tombstone:
			return fmt.Errorf("CMP-1: last record of %s is %d (there %v), want %d (tombstone %v)", key, g.offset, ok, w.offset, w.tombstone)
		}
	}
	for key, g := range got {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("CMP-1: key %s at %d came back", key, g.offset)
		}
	}
	return nil
}

// checkMissing: each record that is gone was superseded, aborted, or a tombstone or marker past its horizon.
func (m *modelLog) checkMissing(c Config, got []modelBatch, aborted []modelTxn) error {
	there := map[int64]*modelBatch{}
	for i := range got {
		there[got[i].h.BaseOffset] = &got[i]
	}
	bound := int64(0)
	for _, pass := range m.cleanings {
		bound = max(bound, pass.bound)
	}
	latest := map[string]int64{} // of committed data below the bound
	for i := range m.history {
		if b := &m.history[i]; !b.marker && b.h.NextOffset() <= bound && !b.isAborted(aborted) {
			for _, r := range b.records {
				latest[string(r.Key)] = b.h.BaseOffset + int64(r.OffsetDelta)
			}
		}
	}
	for i := m.containing(m.start); i < len(m.history); i++ {
		w := &m.history[i]
		g := there[w.h.BaseOffset]
		if g != nil && g.h.Count == w.h.Count {
			continue
		}
		if w.h.NextOffset() > bound {
			return fmt.Errorf("CMP-2: batch %d..%d was cleaned, the bound was %d", w.h.BaseOffset, w.h.LastOffset(), bound)
		}
		if w.marker && !m.horizonPassed(c, w.h.BaseOffset) {
			return fmt.Errorf("CMP-1: marker at %d went before its horizon", w.h.BaseOffset)
		}
		if w.marker || w.isAborted(aborted) {
			continue
		}
		for j := range w.records {
			r := &w.records[j]
			o := w.h.BaseOffset + int64(r.OffsetDelta)
			kept := g != nil && slices.ContainsFunc(g.records, func(x batch.Record) bool { return x.OffsetDelta == r.OffsetDelta })
			if !kept && r.Key != nil && latest[string(r.Key)] <= o && !(r.Value == nil && m.horizonPassed(c, o)) {
				return fmt.Errorf("CMP-1: offset %d, the last of key %s, is gone", o, r.Key)
			}
		}
	}
	return nil
}

// horizonPassed: one pass may have written the horizon, and a later one came after it.
func (m *modelLog) horizonPassed(c Config, offset int64) bool {
	for i, first := range m.cleanings {
		if first.bound <= offset {
			continue
		}
		for _, second := range m.cleanings[i+1:] {
			if second.now >= first.now+c.DeleteRetentionMs {
				return true
			}
		}
	}
	return false
}
