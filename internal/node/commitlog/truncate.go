package commitlog

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env/failpoint"
)

// TruncateTo cuts off everything at or above an offset, durably: batches, index entries, aborted transactions, leader
// epochs, snapshots; the producer states are rebuilt. The recovery point goes down first (L4): a power cut after the
// truncation and new appends must not find them below a recovery point of the old log.
func (l *Log) TruncateTo(offset int64) error {
	l.appender.Lock()
	defer l.appender.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if offset >= l.end.Load() {
		return nil
	}
	if offset < l.start.Load() {
		return fmt.Errorf("%w: truncation to %d below the log start", ErrOffsetOutOfRange, offset)
	}
	l.flushing.Lock()
	defer l.flushing.Unlock()
	c, err := l.findCut(offset)
	if err != nil {
		return err
	}
	if err := l.lowerRecoveryPoint(c.end); err != nil {
		return err
	}
	err = failpoint.Hit("log.truncate.before")
	if err == nil {
		err = l.truncate(c)
	}
	if err == nil {
		err = failpoint.Hit("log.truncate.after")
	}
	if err != nil {
		return l.dir.fail(fmt.Errorf("truncate %s to %d: %w", l.partition, offset, err))
	}
	return nil
}

// cut is where a truncation ends the log: segment, position in it, and the offset after the last batch that stays.
type cut struct {
	kept, gone []*segment
	position   int64
	end        int64
}

func (c *cut) last() *segment { return c.kept[len(c.kept)-1] }

func (l *Log) findCut(offset int64) (c cut, err error) {
	l.mu.Lock()
	i := max(l.floor(offset), 0)
	c.kept, c.gone = slices.Clone(l.segments[:i+1]), slices.Clone(l.segments[i+1:])
	l.mu.Unlock()
	s := c.last()
	f, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return c, err
	}
	defer l.dir.handles.release(&s.data)
	if c.position, err = l.position(s, f, s.size, offset); err != nil {
		return c, err
	}
	c.end, err = l.endAt(s, c.position)
	return c, err
}

func (l *Log) lowerRecoveryPoint(offset int64) error {
	l.mu.Lock()
	lower := l.recoveryPoint > offset
	l.recoveryPoint = min(l.recoveryPoint, offset)
	l.truncations++
	l.mu.Unlock()
	if !lower {
		return nil
	}
	return l.dir.writeRecoveryPoints()
}

func (l *Log) truncate(c cut) error {
	s := c.last()
	if err := l.loadIndexes(s); err != nil {
		return err
	}
	f, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&s.data)
	l.unpin(c)
	l.publishTruncation(c)
	if err := errors.Join(f.Truncate(c.position), f.Sync(), l.cutIndexes(s)); err != nil {
		return err
	}
	for _, g := range c.gone {
		if err := l.removeFiles(g); err != nil {
			return err
		}
	}
	if err := failpoint.Hit("log.truncate.before-snapshots"); err != nil {
		return err
	}
	if err := l.dropSnapshots(c.end); err != nil {
		return err
	}
	if err := l.dir.disk.SyncDir(l.Path()); err != nil {
		return err
	}
	if err := l.writeEpochs(); err != nil {
		return err
	}
	return l.reloadProducers(c.end)
}

// endAt is the end of the log when its last segment is cut at a position: the offset after the last batch before it.
// (Compaction may leave a gap below the offset that was asked for.)
func (l *Log) endAt(s *segment, position int64) (int64, error) {
	end := s.base
	from, err := l.lookup(s, func(e []byte) bool {
		_, p := parseOffsetEntry(e)
		return int64(p) < position
	})
	if err != nil {
		return 0, err
	}
	err = l.walk(s, from, position, func(h *batch.Header, _ int64) error {
		end = h.NextOffset()
		return nil
	})
	return end, err
}

// unpin lets go the handles that dirty segments hold for the next sync: the truncation syncs by itself what stays.
func (l *Log) unpin(c cut) {
	l.mu.Lock()
	var release []*segment
	for _, s := range l.dirty {
		if slices.Contains(c.gone, s) || s == c.last() {
			s.dirty, s.pin = false, nil
			release = append(release, s)
		}
	}
	l.dirty = slices.DeleteFunc(l.dirty, func(s *segment) bool { return slices.Contains(release, s) })
	l.mu.Unlock()
	for _, s := range release {
		l.dir.handles.release(&s.data)
	}
}

// publishTruncation lets readers see the shorter log before its bytes go.
func (l *Log) publishTruncation(c cut) {
	s, position, end := c.last(), c.position, c.end
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = c.kept
	l.marks = nil
	s.size, s.synced = position, position
	s.verified = s.verified.cut(position)
	s.sinceIndexEntry = 0
	s.aborted = slices.DeleteFunc(slices.Clone(s.aborted), func(a AbortedTxn) bool { return a.LastOffset >= end })
	l.epochs, l.epochsDirty = l.epochs.cutEnd(end), true
	l.end.Store(end)
	l.flushed.Store(min(l.flushed.Load(), end))
	if l.highWatermark.Load() > end {
		l.highWatermark.Store(end)
	}
	l.unflushed = 0
}

// cutIndexes makes the indexes of a shortened segment anew: truncations are rare, and this cannot be off by one.
func (l *Log) cutIndexes(s *segment) error {
	if err := l.rebuildIndexes(s, s.size); err != nil {
		return err
	}
	if s.abortedOnFile <= len(s.aborted) {
		return nil
	}
	f, err := l.dir.handles.acquire(&s.txns, true)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&s.txns)
	s.abortedOnFile = len(s.aborted)
	return errors.Join(f.Truncate(int64(len(s.aborted))*txnEntrySize), f.Sync())
}

// dropSnapshots removes those that tell of batches above the end (L6).
func (l *Log) dropSnapshots(end int64) error {
	l.mu.Lock()
	var gone []int64
	for len(l.snapshots) > 0 && l.snapshots[len(l.snapshots)-1] > end {
		gone = append(gone, l.snapshots[len(l.snapshots)-1])
		l.snapshots = l.snapshots[:len(l.snapshots)-1]
	}
	l.mu.Unlock()
	for _, o := range gone {
		if err := ignoreMissing(l.dir.disk.Remove(l.snapshotPath(o))); err != nil {
			return err
		}
	}
	return nil
}

// reloadProducers rebuilds the producer states at the new end from the newest snapshot.
func (l *Log) reloadProducers(end int64) error {
	states, from, used, err := l.newestSnapshot(min(end, l.recoveryPointNow()))
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.producers = states
	l.windowsFrom = 0
	if used {
		l.windowsFrom = from
	}
	l.mu.Unlock()
	if err := l.findEnded(from, l.highWatermark.Load()); err != nil {
		return err
	}
	return l.replayProducers(from)
}

func (l *Log) recoveryPointNow() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recoveryPoint
}

// newestSnapshot reads the newest usable snapshot at or below an offset. Without one the states are empty at the first
// segment.
func (l *Log) newestSnapshot(limit int64) (states producers, from int64, used bool, err error) {
	for _, offset := range slices.Backward(l.snapshots) {
		if offset > limit {
			continue
		}
		b, err := readWhole(l.dir.disk, l.snapshotPath(offset))
		if err != nil {
			return states, 0, false, err
		}
		if list, err := parseSnapshot(b); err == nil {
			states.load(list)
			return states, offset, true, nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return states, l.segments[0].base, false, nil
}
