package commitlog

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"millrace/internal/node/env"
)

// The offset index of a segment, `<base>.index`, entries in rising order of both fields:
//
//	+-----------------------+-----------------------+
//	| offset - base   int32 | position        int32 |
//	+-----------------------+-----------------------+
//	  last offset of a batch  where that batch starts
//
// An entry is added before a batch once more than index.interval.bytes were written since the last entry. There is no
// checksum: an index that fails its check is rebuilt from the log.
const offsetEntrySize = 8

func appendOffsetEntry(dst []byte, relative, position int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(relative))
	return binary.BigEndian.AppendUint32(dst, uint32(position))
}

func parseOffsetEntry(e []byte) (relative, position int32) {
	return int32(binary.BigEndian.Uint32(e)), int32(binary.BigEndian.Uint32(e[4:]))
}

// spillBytes is how much of an index is kept in memory before it is written: readers of the tail need no file.
const spillBytes = 4096

// entries is an index file of equal entries: n of them on file, the rest in memory. Only the appender changes it;
// the fields belong to the log's mu.
type entries struct {
	diskFile
	width int
	known bool // n has been read from the file and checked
	n     int
	tail  []byte
	last  []byte // the last entry, nil when there is none
}

func (x *entries) count() int { return x.n + len(x.tail)/x.width }

func (x *entries) add(e []byte) {
	x.tail = append(x.tail, e...)
	x.last = append(x.last[:0], e...)
}

// searchTail returns the last entry in memory for which atMost holds.
func (x *entries) searchTail(atMost func(e []byte) bool) ([]byte, bool) {
	return searchEntries(x.tail, x.width, atMost)
}

// searchEntries returns the last entry of b for which atMost holds; atMost holds for a prefix of the entries.
func searchEntries(b []byte, width int, atMost func(e []byte) bool) ([]byte, bool) {
	low, high := 0, len(b)/width
	for low < high {
		mid := (low + high) / 2
		if atMost(b[mid*width : (mid+1)*width]) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return nil, false
	}
	return b[(low-1)*width : low*width], true
}

// searchFile does the same over n entries on file.
func searchFile(f env.File, n, width int, atMost func(e []byte) bool) ([]byte, bool, error) {
	low, high := 0, n
	room := probes.Get().(*[spillBytes]byte)
	defer probes.Put(room)
	probe := room[:width]
	for (high-low)*width > spillBytes {
		mid := (low + high) / 2
		if _, err := f.ReadAt(probe, int64(mid)*int64(width)); err != nil {
			return nil, false, err
		}
		if atMost(probe) {
			low = mid
		} else {
			high = mid
		}
	}
	block := room[:(high-low)*width]
	if _, err := f.ReadAt(block, int64(low)*int64(width)); err != nil && err != io.EOF {
		return nil, false, err
	}
	e, ok := searchEntries(block, width, atMost)
	return slices.Clone(e), ok, nil
}

var probes = sync.Pool{New: func() any { return new([spillBytes]byte) }}

// checkOffsetIndex is the sanity check of a whole offset index: entries rise, and lie inside the log.
func checkOffsetIndex(b []byte, logSize int64) error {
	if len(b)%offsetEntrySize != 0 {
		return fmt.Errorf("%w: offset index of %d bytes", ErrCorrupt, len(b))
	}
	lastRelative, lastPosition := int32(-1), int32(0)
	for i := 0; i < len(b); i += offsetEntrySize {
		relative, position := parseOffsetEntry(b[i:])
		if relative <= lastRelative || position <= lastPosition || int64(position) >= logSize {
			return fmt.Errorf("%w: offset index entry %d is %d at %d after %d at %d", ErrCorrupt, i/offsetEntrySize,
				relative, position, lastRelative, lastPosition)
		}
		lastRelative, lastPosition = relative, position
	}
	return nil
}
