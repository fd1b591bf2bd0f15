package commitlog

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env"
)

// scanner walks the batches of a `.log` file in order. It reads headers through a window and skips the records,
// unless the caller asks for the whole batch.
type scanner struct {
	file     env.File
	position int64 // of the next batch
	end      int64
	window   []byte
	at, len  int64 // what the window holds: [at, at+len)
	buffer   *[]byte
}

var scanBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// newScanner walks [from, end). ahead is how much is read at a time: little for a few headers, much for checksums.
func newScanner(f env.File, from, end int64, ahead int) *scanner {
	b := scanBuffers.Get().(*[]byte)
	if len(*b) < ahead {
		*b = make([]byte, ahead)
	}
	return &scanner{file: f, position: from, end: end, window: (*b)[:ahead], buffer: b}
}

func (s *scanner) close() {
	if len(s.window) > len(*s.buffer) && len(s.window) <= 4<<20 {
		*s.buffer = s.window
	}
	scanBuffers.Put(s.buffer)
	s.window, s.buffer = nil, nil
}

// next returns the header of the next batch and where it starts, and steps over it. At the end it returns io.EOF.
// Anything that is no batch, or one that does not fit below end, is ErrCorrupt, and the scanner stays before it.
func (s *scanner) next() (batch.Header, int64, error) {
	if s.position >= s.end {
		return batch.Header{}, s.position, io.EOF
	}
	b, err := s.bytes(s.position, batch.HeaderSize)
	if err != nil {
		return batch.Header{}, s.position, err
	}
	h, err := batch.ParseHeader(b)
	if err != nil {
		return h, s.position, fmt.Errorf("%w: at position %d: %v", ErrCorrupt, s.position, err)
	}
	if h.Magic != 2 || h.BaseOffset < 0 || h.LastOffsetDelta < 0 {
		return h, s.position, fmt.Errorf("%w: at position %d: no batch of format 2", ErrCorrupt, s.position)
	}
	if s.position+int64(h.Size()) > s.end {
		return h, s.position, fmt.Errorf("%w: at position %d: batch of %d bytes is cut off", ErrCorrupt, s.position, h.Size())
	}
	at := s.position
	s.position += int64(h.Size())
	return h, at, nil
}

// whole returns the bytes of a batch that next has returned, valid until the next call.
func (s *scanner) whole(h *batch.Header, at int64) ([]byte, error) {
	return s.bytes(at, int64(h.Size()))
}

func (s *scanner) bytes(at, n int64) ([]byte, error) {
	if at >= s.at && at+n <= s.at+s.len {
		return s.window[at-s.at : at-s.at+n], nil
	}
	if at+n > s.end {
		return nil, fmt.Errorf("%w: at position %d: file ends at %d", ErrCorrupt, at, s.end)
	}
	if int64(len(s.window)) < n {
		s.window = make([]byte, n)
	}
	want := min(int64(len(s.window)), s.end-at)
	got, err := s.file.ReadAt(s.window[:want], at)
	s.at, s.len = at, int64(got)
	if int64(got) >= n {
		return s.window[:n], nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: at position %d: %d bytes where %d were written", ErrCorrupt, at, got, n)
	}
	return nil, err
}
