package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env"
)

// Slice is a range of whole batches in one segment file, held open until Release. The zero Slice is empty.
type Slice struct {
	segment  *segment
	file     env.File
	position int64
	size     int
}

// Size is the number of bytes.
func (s Slice) Size() int { return s.size }

// ReadAt fills p with the bytes from off on.
func (s Slice) ReadAt(p []byte, off int64) error {
	if off < 0 || off+int64(len(p)) > int64(s.size) {
		return io.ErrUnexpectedEOF
	}
	if len(p) == 0 {
		return nil
	}
	n, err := s.file.ReadAt(p, s.position+off)
	if n == len(p) {
		return nil
	}
	return errors.Join(err, io.ErrUnexpectedEOF)
}

// Fd is the descriptor and the position of the first byte, for sendfile; ok is false where there is none.
func (s Slice) Fd() (fd uintptr, position int64, ok bool) {
	if s.file == nil {
		return 0, 0, false
	}
	fd, ok = s.file.Fd()
	return fd, s.position, ok
}

// Release lets the file go. It must be called once.
func (s Slice) Release() {
	if s.segment != nil {
		s.segment.log.dir.handles.release(&s.segment.data)
	}
}

// Read returns whole batches of one segment, starting with the one that holds from (or the first above it, if it was
// compacted away), all of them below `below`, at most maxBytes; with minOne the first batch may be larger. The range is
// checked against its CRCs if that was not done since the start.
func (l *Log) Read(from, below int64, maxBytes int, minOne bool) (Slice, error) {
	if err := l.readable(); err != nil {
		return Slice{}, err
	}
	end := l.end.Load()
	if from < l.start.Load() || from > end {
		return Slice{}, fmt.Errorf("%w: %d, log has [%d, %d)", ErrOffsetOutOfRange, from, l.start.Load(), end)
	}
	below = min(below, end)
	for from < below {
		s, size, nextBase := l.segmentOf(from)
		if s == nil {
			return Slice{}, nil
		}
		slice, err := l.readSegment(s, size, nextBase, from, below, maxBytes, minOne)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil || slice.size > 0 || nextBase < 0 || slice.position < size {
			return slice, err
		}
		from = max(nextBase, from) // compacted away to the end of this segment
	}
	return Slice{}, nil
}

func (l *Log) readable() error {
	if l.deleted.Load() {
		return ErrDeleted
	}
	return l.damage
}

// segmentOf returns the segment that holds an offset, its published size, and the base of the one after it or -1.
func (l *Log) segmentOf(offset int64) (s *segment, size, nextBase int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.floor(offset)
	if i < 0 {
		return nil, 0, -1
	}
	nextBase = -1
	if i+1 < len(l.segments) {
		nextBase = l.segments[i+1].base
	}
	return l.segments[i], l.segments[i].size, nextBase
}

// floor is the index of the segment that holds an offset. The first one also stands for what lies before it, because
// compaction may have moved its first batch. The caller holds mu.
func (l *Log) floor(offset int64) int {
	i, exact := slices.BinarySearchFunc(l.segments, offset, func(s *segment, o int64) int { return cmp.Compare(s.base, o) })
	if exact || i == 0 && len(l.segments) > 0 {
		return i
	}
	return i - 1
}

// readSegment reads from one segment. An empty Slice whose position is the size says that nothing at or above from is
// in it.
func (l *Log) readSegment(s *segment, size, nextBase, from, below int64, maxBytes int, minOne bool) (Slice, error) {
	f, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return Slice{}, l.readError(s, from, err)
	}
	slice, err := l.slice(s, f, size, nextBase, from, below, int64(maxBytes), minOne)
	if errors.Is(err, ErrDeleted) { // an index of it
		err = l.readError(s, from, err)
	}
	if err != nil || slice.size == 0 {
		l.dir.handles.release(&s.data)
		return Slice{position: slice.position}, err
	}
	return slice, nil
}

// errReplaced: the cleaner has put another segment in the place of this one.
var errReplaced = errors.New("segment was replaced")

// readError explains why a segment could not be opened: what was deleted is out of range, not broken.
func (l *Log) readError(s *segment, from int64, err error) error {
	if l.deleted.Load() {
		return ErrDeleted
	}
	if start := l.start.Load(); start > from {
		return fmt.Errorf("%w: %d, log starts at %d", ErrOffsetOutOfRange, from, start)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.segments, s) {
		return errReplaced
	}
	return err
}

func (l *Log) slice(s *segment, f env.File, size, nextBase, from, below, maxBytes int64, minOne bool) (Slice, error) {
	first, err := l.position(s, f, size, from)
	if err != nil || first >= size {
		return Slice{position: first}, err
	}
	last := size
	if !(nextBase >= 0 && below >= nextBase) {
		if last, err = l.position(s, f, size, below); err != nil {
			return Slice{}, err
		}
	}
	if last-first > maxBytes {
		if last, err = l.boundary(s, f, first, last, maxBytes, minOne); err != nil {
			return Slice{}, err
		}
	}
	if last, err = l.verify(s, f, first, last); err != nil {
		return Slice{}, err
	}
	return Slice{segment: s, file: f, position: first, size: int(last - first)}, nil
}

// position finds where the first batch starts that ends at or above offset; it is size if there is none.
func (l *Log) position(s *segment, f env.File, size, offset int64) (int64, error) {
	if offset <= s.base {
		return 0, nil
	}
	l.mu.Lock()
	at, ok := l.marked(offset, s)
	l.mu.Unlock()
	if ok && at <= size {
		return at, nil
	}
	relative := offset - s.base
	at, err := l.lookup(s, func(e []byte) bool {
		r, _ := parseOffsetEntry(e)
		return int64(r) <= relative
	})
	if err != nil {
		return 0, err
	}
	sc := newScanner(f, min(at, size), size, scanAhead)
	defer sc.close()
	for {
		h, at, err := sc.next()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return 0, err
		}
		if h.LastOffset() >= offset {
			return at, nil
		}
	}
}

// scanAhead is how much is read at a time while looking at a few headers.
const scanAhead = 8 << 10

// boundary is the end of the last whole batch within maxBytes from first. It marks it: the reader comes back there.
func (l *Log) boundary(s *segment, f env.File, first, last, maxBytes int64, minOne bool) (int64, error) {
	at, err := l.lookup(s, func(e []byte) bool {
		_, p := parseOffsetEntry(e)
		return int64(p) <= first+maxBytes
	})
	if err != nil {
		return 0, err
	}
	sc := newScanner(f, max(at, first), last, scanAhead)
	defer sc.close()
	for {
		h, at, err := sc.next()
		if err == io.EOF {
			return last, nil
		}
		if err != nil {
			return 0, err
		}
		end := at + int64(h.Size())
		if end-first <= maxBytes {
			continue
		}
		if at == first && minOne {
			return end, nil
		}
		l.mu.Lock()
		l.mark(h.BaseOffset, s, at)
		l.mu.Unlock()
		return at, nil
	}
}

// lookup returns the position of the last offset entry for which atMost holds, or 0.
func (l *Log) lookup(s *segment, atMost func(e []byte) bool) (int64, error) {
	if err := l.loadIndexes(s); err != nil {
		return 0, err
	}
	l.mu.Lock()
	e, ok := s.offsets.searchTail(atMost)
	n := s.offsets.n
	l.mu.Unlock()
	if !ok && n > 0 {
		f, err := l.dir.handles.acquire(&s.offsets.diskFile, false)
		if err != nil {
			return 0, err
		}
		e, ok, err = searchFile(f, n, offsetEntrySize, atMost)
		l.dir.handles.release(&s.offsets.diskFile)
		if err != nil {
			return 0, err
		}
	}
	if !ok {
		return 0, nil
	}
	_, at := parseOffsetEntry(e)
	return int64(at), nil
}

// verify checks the CRC of every batch in [first, last) unless that was done before (DUR-8). Damage ends the range
// before it; damage at its beginning is an error.
func (l *Log) verify(s *segment, f env.File, first, last int64) (int64, error) {
	l.mu.Lock()
	ok := s.verified.covers(first, last)
	l.mu.Unlock()
	if ok {
		return last, nil
	}
	sc := newScanner(f, first, last, 256<<10)
	defer sc.close()
	good := first
	for {
		h, at, err := sc.next()
		var b []byte
		if err == nil {
			b, err = sc.whole(&h, at)
		}
		if err == nil && !batch.CheckCRC(b) {
			err = fmt.Errorf("%w: %s: wrong CRC at offset %d, position %d", ErrCorrupt, l.partition, h.BaseOffset, at)
		}
		if err != nil && err != io.EOF && good == first {
			return 0, err
		}
		if err != nil {
			break
		}
		good = at + int64(h.Size())
	}
	l.mu.Lock()
	s.verified = s.verified.add(first, good)
	l.mu.Unlock()
	return good, nil
}

// walk calls f with the headers of a segment in [from, to). Errors of f and of the disk end it.
func (l *Log) walk(s *segment, from, to int64, f func(h *batch.Header, position int64) error) error {
	if from >= to {
		return nil
	}
	file, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&s.data)
	sc := newScanner(file, from, to, 32<<10)
	defer sc.close()
	for {
		h, at, err := sc.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = f(&h, at)
		}
		if err != nil {
			return err
		}
	}
}

// AbortedTxns lists the aborted transactions that have records in [from, to), in the order of their markers.
func (l *Log) AbortedTxns(from, to int64) []AbortedTxn {
	l.mu.Lock()
	var segments []*segment
	if i := l.floor(from); i >= 0 {
		segments = l.segments[i:]
	}
	lists := make([][]AbortedTxn, len(segments))
	for i, s := range segments {
		lists[i] = s.aborted // entries are only added
	}
	l.mu.Unlock()
	var found []AbortedTxn
	for _, list := range lists {
		for _, a := range list {
			if a.LastOffset >= from && a.FirstOffset < to {
				found = append(found, a)
			}
			if a.LastStable >= to {
				return found
			}
		}
	}
	return found
}
