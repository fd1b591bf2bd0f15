package commitlog

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"millrace/internal/node/env/failpoint"
)

// Retention moves the log start, makes it durable, and only then removes segments below it: whole prefixes go, and what a
// power cut brings back lies below the start (RET-1).

// DeleteRecords moves the log start up to an offset, durably (RET-2). The files go with the next retention round.
func (l *Log) DeleteRecords(before int64) error {
	if err := l.Err(); err != nil {
		return err
	}
	if end := l.end.Load(); before < 0 || before > end {
		return fmt.Errorf("%w: delete before %d, log ends at %d", ErrOffsetOutOfRange, before, end)
	}
	if err := l.flushBelow(before); err != nil {
		return err
	}
	l.decideStart(before)
	if err := failpoint.Hit("log.start.before-durable"); err != nil {
		return l.dir.fail(err)
	}
	if err := l.dir.writeLogStarts(); err != nil {
		return err
	}
	l.moveStart(before)
	return nil
}

// decideStart gives the log start that the checkpoint shall have. Nobody is shown it before it is there: a start that was
// shown must not go back (ORD-10).
func (l *Log) decideStart(start int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextStart.Store(max(l.nextStart.Load(), start))
}

// flushBelow makes the log durable up to its new start. If a power cut took the end below the start, the log would have to
// begin anew there, without its producers (IDM-1).
func (l *Log) flushBelow(start int64) error {
	if start <= l.flushed.Load() {
		return nil
	}
	return l.flushNow()
}

func (l *Log) moveStart(start int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if start <= l.start.Load() {
		return
	}
	l.start.Store(start)
	if l.highWatermark.Load() < start {
		l.highWatermark.Store(start)
	}
	if cut := l.epochs.cutStart(start); len(cut) != len(l.epochs) || len(cut) > 0 && cut[0] != l.epochs[0] {
		l.epochs, l.epochsDirty = cut, true
	}
}

// retain decides the log start above the segments that retention by time or size gives up, and tells whether there are any.
func (l *Log) retain(now time.Time) (bool, error) {
	l.appender.Lock()
	defer l.appender.Unlock()
	c := l.config.Load()
	if !c.DeletePolicy || l.Err() != nil || c.RetentionMs < 0 && c.RetentionBytes < 0 {
		return false, nil
	}
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	hw, end := l.highWatermark.Load(), l.end.Load()
	l.mu.Unlock()
	excess := int64(-1)
	if c.RetentionBytes >= 0 {
		excess = l.SizeBytes() - c.RetentionBytes
	}
	start := l.start.Load()
	for i, s := range segments {
		next := end
		if i+1 < len(segments) {
			next = segments[i+1].base
		}
		if s.size == 0 || next > hw {
			break
		}
		expired, err := l.expired(s, c, now)
		if err != nil {
			return false, err
		}
		if !expired && (excess < s.size || c.RetentionBytes < 0) {
			break
		}
		excess -= s.size
		if i == len(segments)-1 { // the active segment is closed before it goes, so that the log keeps its end
			if err := l.roll(now, c); err != nil {
				return false, err
			}
		}
		start = next
	}
	if start <= l.start.Load() {
		return false, nil
	}
	if err := l.flushBelow(start); err != nil {
		return false, err
	}
	l.decideStart(start)
	return true, nil
}

// expired compares the largest timestamp of a segment, or its file's age if it has none, with retention.ms.
func (l *Log) expired(s *segment, c *Config, now time.Time) (bool, error) {
	if c.RetentionMs < 0 {
		return false, nil
	}
	if err := l.loadIndexes(s); err != nil {
		return false, err
	}
	largest := s.largestTime
	if largest < 0 {
		info, err := l.dir.disk.Stat(s.data.path())
		if err != nil {
			return false, err
		}
		largest = info.ModTime().UnixMilli()
	}
	return now.UnixMilli()-largest > c.RetentionMs, nil
}

// dropBelowStart retires the segments that end at or below the log start and the recovery point, which are durable.
func (l *Log) dropBelowStart() error {
	l.appender.Lock()
	defer l.appender.Unlock()
	if l.Err() != nil {
		return nil
	}
	point := l.durablePoint()
	l.mu.Lock()
	start, n := min(l.start.Load(), point), 0
	for n+1 < len(l.segments) && l.segments[n+1].base <= start {
		n++
	}
	l.mu.Unlock()
	if n == 0 {
		return nil
	}
	// The name of the active segment carries the end of the log: it is durable before its predecessors go.
	if _, err := l.flush(); err != nil {
		return err
	}
	l.mu.Lock()
	old := slices.Clone(l.segments[:n])
	l.segments = slices.Clone(l.segments[n:])
	l.mu.Unlock()
	if err := failpoint.Hit("retention.before-retire"); err != nil {
		return l.dir.fail(err)
	}
	l.retire(old)
	l.tidySnapshots()
	return l.dir.Failed()
}

// removal is a file or directory that goes when its delay is over.
type removal struct {
	path string
	due  time.Time
}

func (d *Dir) removeLater(path string, due time.Time) {
	d.mu.Lock()
	d.removals = append(d.removals, removal{path, due})
	d.mu.Unlock()
}

// removeDue removes what is due. An error is not fatal: the next start finds it again.
func (d *Dir) removeDue(now time.Time) {
	d.mu.Lock()
	var due []removal
	d.removals = slices.DeleteFunc(d.removals, func(r removal) bool {
		if r.due.After(now) {
			return false
		}
		due = append(due, r)
		return true
	})
	d.mu.Unlock()
	for _, r := range due {
		err := failpoint.Hit("retention.before-remove")
		if err == nil {
			err = d.disk.RemoveAll(r.path)
		}
		if err != nil {
			d.log.Warn("cannot remove deleted data", "path", filepath.Base(r.path), "error", err)
		}
	}
}
