package commitlog

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// roll closes the active segment and starts one at the end of the log; for an empty log it makes the first one. The
// appender calls it. An error leaves the log as it was.
func (l *Log) roll(now time.Time, c *Config) error {
	l.mu.Lock()
	old, end := l.active(), l.end.Load()
	if old != nil {
		old.noteTime()
	}
	l.mu.Unlock()
	if old != nil {
		if err := l.spill(old, true); err != nil {
			return l.dir.broken("write the indexes of "+l.partition.String(), err)
		}
		if err := l.takeSnapshot(); err != nil {
			return err
		}
	}
	s := newSegment(l, end)
	s.created = now
	if c.SegmentJitterMs > 0 {
		s.jitter = int64(l.dir.random.Uint64() % uint64(min(c.SegmentJitterMs, c.SegmentMs)+1))
	}
	s.offsets.known = true
	f, err := l.dir.handles.acquire(&s.data, true)
	if err == nil {
		err = f.Truncate(0)
		l.dir.handles.release(&s.data)
	}
	if err != nil {
		return l.dir.broken("start a segment of "+l.partition.String(), err)
	}
	l.mu.Lock()
	l.segments = append(slices.Clip(l.segments), s)
	l.newNames = true
	l.mu.Unlock()
	return nil
}

// takeSnapshot writes the producer states at the end of the log. It need not be synced: a torn one fails its checksum and
// an older one is used.
func (l *Log) takeSnapshot() error {
	l.mu.Lock()
	end := l.end.Load()
	if n := len(l.snapshots); n > 0 && l.snapshots[n-1] >= end {
		l.mu.Unlock()
		return nil
	}
	content := appendSnapshot(nil, l.producers.sorted())
	l.mu.Unlock()
	if err := writeWhole(l.dir.disk, l.snapshotPath(end), content, false); err != nil {
		return l.dir.broken(fmt.Sprintf("write a producer snapshot of %s", l.partition), err)
	}
	l.mu.Lock()
	l.snapshots = append(l.snapshots, end)
	l.mu.Unlock()
	return nil
}

func (l *Log) snapshotPath(offset int64) string {
	return filepath.Join(l.Path(), baseName(offset)+snapshotExt)
}

// tidySnapshots removes snapshots that no start will use: those that are at no segment's base, except the newest two, and
// those at or below the log start. The two: the newest may be ahead of what a power cut leaves.
func (l *Log) tidySnapshots() {
	l.mu.Lock()
	bases := make(map[int64]bool, len(l.segments))
	for _, s := range l.segments {
		bases[s.base] = true
	}
	start := l.start.Load()
	var useless []int64
	kept := l.snapshots[:0:0]
	for i, o := range l.snapshots {
		if i < len(l.snapshots)-2 && (!bases[o] || o < start) {
			useless = append(useless, o)
		} else {
			kept = append(kept, o)
		}
	}
	l.snapshots = kept
	l.mu.Unlock()
	for _, o := range useless {
		l.dir.disk.Remove(l.snapshotPath(o)) // one that stays is removed at the next start
	}
}
