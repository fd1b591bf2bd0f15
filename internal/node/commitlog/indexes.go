package commitlog

import (
	"errors"
	"fmt"

	"millrace/internal/kafka/batch"
)

// loadIndexes reads the offset and time index of a segment when one of them is first needed, and rebuilds both from the
// log if one fails its check.
func (l *Log) loadIndexes(s *segment) error {
	l.mu.Lock()
	known, size := s.offsets.known, s.size
	l.mu.Unlock()
	if known {
		return nil
	}
	l.loading.Lock()
	defer l.loading.Unlock()
	l.mu.Lock()
	known = s.offsets.known
	l.mu.Unlock()
	if known {
		return nil
	}
	err := l.readIndexes(s, size)
	if errors.Is(err, ErrCorrupt) {
		l.dir.log.Warn("rebuilding the indexes of a segment", "log", l.partition.String(), "segment", s.base, "reason", err)
		err = l.rebuildIndexes(s, size)
	}
	return err
}

func (l *Log) readIndexes(s *segment, size int64) error {
	offsets, err := readWhole(l.dir.disk, s.path(indexExt))
	if err != nil {
		return err
	}
	times, err := readWhole(l.dir.disk, s.path(timeExt))
	if err != nil {
		return err
	}
	if (offsets == nil || times == nil) && size > 0 {
		return fmt.Errorf("%w: no index file", ErrCorrupt)
	}
	// What Kafka has preallocated is cut off when the file is next written.
	offsets, times = trimZeros(offsets, offsetEntrySize), trimZeros(times, timeEntrySize)
	if err := errors.Join(checkOffsetIndex(offsets, size), checkTimeIndex(times), l.checkLastEntry(s, offsets, size)); err != nil {
		return err
	}
	first, err := l.firstTime(s, size)
	if err != nil {
		return err
	}
	if len(times) == 0 && first >= 0 {
		return fmt.Errorf("%w: empty time index", ErrCorrupt)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.offsets.set(len(offsets)/offsetEntrySize, offsets)
	s.times.set(len(times)/timeEntrySize, times)
	s.firstTime = first
	if s.times.last != nil {
		timestamp, relative := parseTimeEntry(s.times.last)
		s.largestTime, s.largestTimeAt = timestamp, s.base+int64(relative)
	}
	s.offsets.known = true
	return nil
}

func (x *entries) set(n int, all []byte) {
	x.n, x.tail, x.last = n, nil, nil
	if n > 0 {
		x.last = append(x.last, all[(n-1)*x.width:n*x.width]...)
	}
}

// trimZeros cuts the zeros that Kafka leaves behind the entries of the active segment's indexes.
func trimZeros(b []byte, width int) []byte {
	for len(b) >= width && len(b)%width == 0 && allZero(b[len(b)-width:]) {
		b = b[:len(b)-width]
	}
	return b
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// checkLastEntry compares the last offset entry with the batch it points to.
func (l *Log) checkLastEntry(s *segment, offsets []byte, size int64) error {
	if len(offsets) < offsetEntrySize {
		return nil
	}
	relative, position := parseOffsetEntry(offsets[len(offsets)-offsetEntrySize:])
	var last int64
	err := l.walk(s, int64(position), size, func(h *batch.Header, _ int64) error {
		last = h.LastOffset()
		return errStop
	})
	if err != errStop {
		return errors.Join(ErrCorrupt, err)
	}
	if last != s.base+int64(relative) {
		return fmt.Errorf("%w: offset index ends with %d, the batch there with %d", ErrCorrupt, s.base+int64(relative), last)
	}
	return nil
}

var errStop = errors.New("stop")

func (l *Log) firstTime(s *segment, size int64) (int64, error) {
	first := int64(-1)
	err := l.walk(s, 0, size, func(h *batch.Header, _ int64) error {
		first = h.MaxTimestamp
		return errStop
	})
	if err == errStop {
		err = nil
	}
	return first, err
}

// rebuildIndexes makes both indexes from the headers of the log.
func (l *Log) rebuildIndexes(s *segment, size int64) error {
	interval := l.Config().IndexIntervalBytes
	fresh := newSegment(l, s.base)
	err := l.walk(s, 0, size, func(h *batch.Header, position int64) error {
		fresh.note(h, position, interval)
		return nil
	})
	if err != nil {
		return err
	}
	fresh.noteTime()
	err = errors.Join(writeWhole(l.dir.disk, s.path(indexExt), fresh.offsets.tail, true),
		writeWhole(l.dir.disk, s.path(timeExt), fresh.times.tail, true))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.offsets.set(fresh.offsets.count(), fresh.offsets.tail)
	s.times.set(fresh.times.count(), fresh.times.tail)
	s.largestTime, s.largestTimeAt, s.firstTime = fresh.largestTime, fresh.largestTimeAt, fresh.firstTime
	s.sinceIndexEntry = fresh.sinceIndexEntry
	s.offsets.known = true
	return nil
}

// spill writes what memory holds of the indexes of a segment: if enough has come together, or all of it. Without force
// an error is not one: the entries stay in memory. The appender calls it.
func (l *Log) spill(s *segment, force bool) error {
	if !force && !s.wantsSpill() {
		return nil
	}
	err := errors.Join(l.spillEntries(&s.offsets, force), l.spillEntries(&s.times, force), l.spillAborted(s))
	if err != nil && !force {
		return nil
	}
	return err
}

func (s *segment) wantsSpill() bool {
	return len(s.offsets.tail) >= spillBytes || len(s.times.tail) >= spillBytes || len(s.aborted) > s.abortedOnFile
}

func (l *Log) spillEntries(x *entries, force bool) error {
	if !force && len(x.tail) < spillBytes {
		return nil
	}
	f, err := l.dir.handles.acquire(&x.diskFile, true)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&x.diskFile)
	end := int64(x.count()) * int64(x.width)
	if len(x.tail) > 0 {
		if _, err := f.WriteAt(x.tail, int64(x.n)*int64(x.width)); err != nil {
			return err
		}
	}
	if force {
		size, err := f.Size()
		if err == nil && size > end {
			err = f.Truncate(end)
		}
		if err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	x.seg.indexesDirty = x.seg.indexesDirty || len(x.tail) > 0 || force
	x.n, x.tail = x.count(), x.tail[:0]
	if force {
		x.tail = nil
	}
	return nil
}

func (l *Log) spillAborted(s *segment) error {
	more := s.aborted[s.abortedOnFile:]
	if len(more) == 0 {
		return nil
	}
	var b []byte
	for _, a := range more {
		b = appendTxnEntry(b, a)
	}
	f, err := l.dir.handles.acquire(&s.txns, true)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, int64(s.abortedOnFile)*txnEntrySize)
	l.dir.handles.release(&s.txns)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.abortedOnFile += len(more)
	s.indexesDirty = true
	return nil
}

// syncIndexes makes the index files of a segment durable. They need it before the recovery point passes them, not
// before an ack.
func (l *Log) syncIndexes(s *segment) error {
	files := []*diskFile{&s.offsets.diskFile, &s.times.diskFile}
	if s.abortedOnFile > 0 {
		files = append(files, &s.txns)
	}
	for _, x := range files {
		f, err := l.dir.handles.acquire(x, true)
		if err != nil {
			return err
		}
		err = f.Sync()
		l.dir.handles.release(x)
		if err != nil {
			return err
		}
	}
	return nil
}
