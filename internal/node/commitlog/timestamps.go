package commitlog

import (
	"errors"
	"io"
	"slices"

	"millrace/internal/kafka/batch"
)

// maxRecordBytes bounds what is decompressed while a record is looked for by time.
const maxRecordBytes = 128 << 20

// OffsetForTimestamp returns the first record below an offset whose timestamp is at or above ts (ORD-9).
func (l *Log) OffsetForTimestamp(ts, below int64) (offset, timestamp int64, epoch int32, found bool, err error) {
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	l.mu.Unlock()
	start := l.start.Load()
	below = min(below, l.end.Load())
	for i, s := range segments {
		if s.base >= below {
			break
		}
		if i+1 < len(segments) && segments[i+1].base <= start {
			continue
		}
		if err := l.loadIndexes(s); err != nil {
			return 0, 0, 0, false, err
		}
		l.mu.Lock()
		largest := s.largestTime
		l.mu.Unlock()
		if largest < ts {
			continue
		}
		hit, err := l.searchTime(s, ts, start, below)
		if err != nil || hit.found {
			return hit.offset, hit.timestamp, hit.epoch, hit.found, err
		}
	}
	return -1, -1, -1, false, nil
}

// timeHit is a record found by its time.
type timeHit struct {
	offset, timestamp int64
	epoch             int32
	found             bool
}

func (l *Log) searchTime(s *segment, ts, start, below int64) (hit timeHit, err error) {
	from, err := l.timeLowerBound(s, ts)
	if err != nil {
		return hit, err
	}
	f, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return hit, err
	}
	defer l.dir.handles.release(&s.data)
	l.mu.Lock()
	size := s.size
	l.mu.Unlock()
	at, err := l.position(s, f, size, max(from, start))
	if err != nil {
		return hit, err
	}
	sc := newScanner(f, at, size, 32<<10)
	defer sc.close()
	for {
		h, at, err := sc.next()
		if err == io.EOF || err == nil && h.BaseOffset >= below {
			return timeHit{}, nil
		}
		if err != nil {
			return hit, err
		}
		if h.MaxTimestamp < ts {
			continue
		}
		b, err := sc.whole(&h, at)
		if err != nil {
			return hit, err
		}
		if hit := recordAt(&h, b, func(o, t int64) bool { return t >= ts && o >= start }); hit.found {
			hit.found = hit.offset < below
			return hit, nil
		}
	}
}

// timeLowerBound is an offset before which no record has a timestamp of at least ts, from the time index.
func (l *Log) timeLowerBound(s *segment, ts int64) (int64, error) {
	below := func(e []byte) bool { t, _ := parseTimeEntry(e); return t < ts }
	l.mu.Lock()
	e, ok := s.times.searchTail(below)
	e, n := slices.Clone(e), s.times.n
	l.mu.Unlock()
	if !ok && n > 0 {
		f, err := l.dir.handles.acquire(&s.times.diskFile, false)
		if err != nil {
			return 0, err
		}
		e, ok, err = searchFile(f, n, timeEntrySize, below)
		l.dir.handles.release(&s.times.diskFile)
		if err != nil {
			return 0, err
		}
	}
	if !ok {
		return s.base, nil
	}
	_, relative := parseTimeEntry(e)
	return s.base + int64(relative), nil
}

// recordAt returns the first record of a batch that is wanted. A batch that cannot be decoded answers as one record.
func recordAt(h *batch.Header, b []byte, want func(offset, timestamp int64) bool) timeHit {
	hit := timeHit{epoch: h.LeaderEpoch}
	err := batch.Each(b, maxRecordBytes, func(r batch.Record) error {
		o, t := h.BaseOffset+int64(r.OffsetDelta), h.Timestamp(r)
		if !want(o, t) {
			return nil
		}
		hit.offset, hit.timestamp, hit.found = o, t, true
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) && want(h.LastOffset(), h.MaxTimestamp) {
		hit.offset, hit.timestamp, hit.found = h.BaseOffset, h.MaxTimestamp, true
	}
	return hit
}

// MaxTimestamp returns the first record with the largest timestamp in the log, or -1, -1, -1.
func (l *Log) MaxTimestamp() (offset, timestamp int64, epoch int32) {
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	l.mu.Unlock()
	var best *segment
	largest, at := int64(-1), int64(-1)
	for _, s := range segments {
		if err := l.loadIndexes(s); err != nil {
			continue
		}
		l.mu.Lock()
		if s.largestTime > largest {
			best, largest, at = s, s.largestTime, s.largestTimeAt
		}
		l.mu.Unlock()
	}
	if best == nil || largest < 0 {
		return -1, -1, -1
	}
	hit, err := l.recordWithTime(best, at, largest)
	if err != nil || !hit.found {
		return -1, -1, -1
	}
	return hit.offset, hit.timestamp, hit.epoch
}

func (l *Log) recordWithTime(s *segment, at, timestamp int64) (timeHit, error) {
	f, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return timeHit{}, err
	}
	defer l.dir.handles.release(&s.data)
	l.mu.Lock()
	size := s.size
	l.mu.Unlock()
	position, err := l.position(s, f, size, at)
	if err != nil {
		return timeHit{}, err
	}
	sc := newScanner(f, position, size, 32<<10)
	defer sc.close()
	h, p, err := sc.next()
	if err != nil {
		return timeHit{}, err
	}
	b, err := sc.whole(&h, p)
	if err != nil {
		return timeHit{}, err
	}
	return recordAt(&h, b, func(_, t int64) bool { return t >= timestamp }), nil
}
