package commitlog

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"millrace/internal/node/env/failpoint"
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
	if err := l.keepNames(); err != nil {
		return err
	}
	s := newSegment(l, end)
	s.created = now
	if c.SegmentJitterMs > 0 {
		s.jitter = int64(l.dir.random.Uint64() % uint64(min(c.SegmentJitterMs, c.SegmentMs)+1))
	}
	s.offsets.known = true
	f, err := l.dir.handles.acquire(&s.data, true)
	if err == nil {
		err = errors.Join(f.Truncate(0), failpoint.Hit("log.roll.after-create"))
		l.dir.handles.release(&s.data)
	}
	if err != nil {
		// The log goes on in the old segment, so that an empty one must not stand behind it.
		if gone := l.removeFiles(s); gone != nil {
			return l.dir.fail(errors.Join(err, gone))
		}
		return l.dir.broken("start a segment of "+l.partition.String(), err)
	}
	l.mu.Lock()
	l.segments = append(slices.Clip(l.segments), s)
	l.newNames = true
	l.mu.Unlock()
	return nil
}

// keepNames makes the names of the segments durable before there is another one: a power cut may leave the end of a log out,
// not its beginning.
func (l *Log) keepNames() error {
	l.mu.Lock()
	names, ticket := l.newNames, l.nameTicket
	l.mu.Unlock()
	if !names && ticket == 0 {
		return nil
	}
	if err := l.syncNames(names, false, ticket); err != nil {
		return l.dir.fail(fmt.Errorf("sync the names of %s: %w", l.partition, err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newNames = false
	return nil
}

// takeSnapshot writes the producer states at the end of the log, synced: once a recovery point rests on it, nothing else
// knows of producers whose batches retention has removed (IDM-1).
func (l *Log) takeSnapshot() error {
	l.mu.Lock()
	end := l.end.Load()
	if n := len(l.snapshots); n > 0 && l.snapshots[n-1] >= end {
		l.mu.Unlock()
		return nil
	}
	content := appendSnapshot(nil, l.producers.sorted())
	l.mu.Unlock()
	err := failpoint.Hit("snapshot.before-write")
	if err == nil {
		err = writeWhole(l.dir.disk, l.snapshotPath(end), content, true)
	}
	if err == nil {
		err = failpoint.Hit("snapshot.after-write")
	}
	if err != nil {
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

// tidySnapshots removes snapshots that no start and no truncation will use: those that are at no segment's base and older
// than the newest one at or below the recovery point that the disk knows.
func (l *Log) tidySnapshots() {
	point := l.durablePoint()
	l.mu.Lock()
	bases := make(map[int64]bool, len(l.segments))
	for _, s := range l.segments {
		bases[s.base] = true
	}
	newest := int64(-1)
	for _, o := range l.snapshots {
		if o <= point {
			newest = o
		}
	}
	var useless []int64
	kept := l.snapshots[:0:0]
	for _, o := range l.snapshots {
		if o < newest && !bases[o] {
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
