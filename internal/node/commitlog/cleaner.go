package commitlog

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/node/env/failpoint"
)

// The cleaner compacts the logs of a directory whose cleanup policy says so, one after the other. Tick starts it; it
// works on the side, in one goroutine, so that a long pass does not hold up checkpoints and retention.
//
//	C1  It never touches the active segment, nor anything at or above the last stable offset, the high watermark or the
//	    flushed end (CMP-2).
//	C2  A pass always starts at the beginning of the log, so that what is left of a transaction is seen before its marker.
//	C3  A crash at any point leaves either the old segments of a group or the new one: see cleaner_swap.go.
type cleaner struct {
	busy    atomic.Bool
	stopped atomic.Bool
	done    sync.WaitGroup
	next    time.Time // owned by Tick
	keys    keyMap    // owned by the running pass
}

const (
	cleanerKeyBytes    = 128 << 20 // of the key map
	cleanerReadAhead   = 1 << 20
	cleanerDecompress  = 128 << 20 // a batch that unpacks to more is kept as it is
	cleanerWriteBuffer = 1 << 20
)

// tick starts a round if one is due.
func (c *cleaner) tick(d *Dir, now time.Time) {
	if now.Before(c.next) || c.stopped.Load() || !c.busy.CompareAndSwap(false, true) {
		return
	}
	c.next = now.Add(d.options.CleanerBackoff)
	if d.options.SyncWorkers < 0 {
		c.round(d, now)
		return
	}
	c.done.Go(func() { c.round(d, now) })
}

// stop ends a pass between two batches and waits for it.
func (c *cleaner) stop() {
	c.stopped.Store(true)
	c.done.Wait()
}

// round cleans every log that is due, the dirtiest first.
func (c *cleaner) round(d *Dir, now time.Time) {
	defer c.busy.Store(false)
	for _, w := range d.cleanable(now) {
		if c.stopped.Load() || d.Failed() != nil {
			return
		}
		to, err := w.log.clean(c, w, now)
		if err == nil {
			err = failpoint.Hit("clean.before-checkpoint")
		}
		if err != nil {
			d.log.Warn("compaction of a log stopped", "log", w.log.partition.String(), "error", err)
			continue
		}
		d.setCleaned(w.log, to)
	}
	if cap(c.keys.slots) > 1<<16 {
		c.keys.slots = nil
	}
}

// cleanWork is the part of a log that may be cleaned: its segments below bound, dirty from first on.
type cleanWork struct {
	log          *Log
	first, bound int64 // bound is the base of the first segment that stays as it is
	ratio        float64
}

// cleanable lists the logs that are due, the dirtiest first.
func (d *Dir) cleanable(now time.Time) []cleanWork {
	var due []cleanWork
	for _, l := range d.Logs() {
		if c := l.config.Load(); !c.Compact || l.Err() != nil {
			continue
		}
		if w, ok := l.cleanWork(d.cleaned(l), now.UnixMilli()); ok {
			due = append(due, w)
		}
	}
	slices.SortStableFunc(due, func(a, b cleanWork) int { return cmp.Compare(b.ratio, a.ratio) })
	return due
}

// cleanWork finds the cleanable part of a log, and whether it is large or old enough.
func (l *Log) cleanWork(cleaned, now int64) (cleanWork, bool) {
	c := l.config.Load()
	stable := l.LastStable(min(l.HighWatermark(), l.FlushedEnd())) // an unflushed marker decides nothing yet
	segments := l.inactive()
	start, end := l.StartOffset(), l.EndOffset()
	if cleaned < start || cleaned > end {
		cleaned = start
	}
	w := cleanWork{log: l, first: cleaned, bound: -1}
	var clean, dirty int64
	oldest := now
	for i, s := range segments {
		if s.next > stable {
			break
		}
		isDirty := s.next > cleaned
		if isDirty && c.MinCompactionLagMs > 0 && l.largestTime(s.segment) > now-c.MinCompactionLagMs {
			break
		}
		w.bound = s.next
		if !isDirty {
			clean += segments[i].size
			continue
		}
		dirty += segments[i].size
		if first := l.firstTimeOf(s.segment); first > 0 {
			oldest = min(oldest, first)
		}
	}
	if dirty == 0 {
		return w, false
	}
	w.ratio = float64(dirty) / float64(clean+dirty)
	return w, w.ratio > c.MinCleanableRatio || now-oldest > c.MaxCompactionLagMs
}

// sealed is an inactive segment as it was when it was looked at: next is the base of the one after it.
type sealed struct {
	*segment
	next, size int64
}

func (l *Log) inactive() []sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []sealed
	for i, s := range l.segments {
		if i+1 < len(l.segments) {
			all = append(all, sealed{s, l.segments[i+1].base, s.size})
		}
	}
	return all
}

func (l *Log) largestTime(s *segment) int64 {
	if l.loadIndexes(s) != nil {
		return -1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.largestTime
}

func (l *Log) firstTimeOf(s *segment) int64 {
	if l.loadIndexes(s) != nil {
		return -1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.firstTime
}

// cleaned is up to where a log was compacted before.
func (d *Dir) cleaned(l *Log) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cleanedTo[l.partition]
}

// setCleaned notes how far a log was compacted. The checkpoint comes after the swap: losing it costs a second pass.
func (d *Dir) setCleaned(l *Log, to int64) {
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	d.mu.Lock()
	d.cleanedTo[l.partition] = to
	offsets := maps.Clone(d.cleanedTo)
	d.mu.Unlock()
	if err := d.saveCheckpoint(cleanerFile, offsets); err != nil {
		d.log.Warn("the cleaner's checkpoint was not written", "error", err)
	}
}
