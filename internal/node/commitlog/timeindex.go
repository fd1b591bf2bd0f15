package commitlog

import (
	"encoding/binary"
	"fmt"
)

// The time index of a segment, `<base>.timeindex`, timestamps strictly rising:
//
//	+-----------------------+-----------------------+
//	| timestamp       int64 | offset - base   int32 |
//	+-----------------------+-----------------------+
//	  largest so far in the   last offset of the batch
//	  segment                 that holds it
//
// An entry is added together with an offset entry when the timestamp has grown, and once more when the segment
// becomes inactive: the last entry of a closed segment is its largest timestamp.
const timeEntrySize = 12

func appendTimeEntry(dst []byte, timestamp int64, relative int32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(timestamp))
	return binary.BigEndian.AppendUint32(dst, uint32(relative))
}

func parseTimeEntry(e []byte) (timestamp int64, relative int32) {
	return int64(binary.BigEndian.Uint64(e)), int32(binary.BigEndian.Uint32(e[8:]))
}

// checkTimeIndex is the sanity check of a whole time index.
func checkTimeIndex(b []byte) error {
	if len(b)%timeEntrySize != 0 {
		return fmt.Errorf("%w: time index of %d bytes", ErrCorrupt, len(b))
	}
	lastTimestamp, lastRelative := int64(-1), int32(-1)
	for i := 0; i < len(b); i += timeEntrySize {
		timestamp, relative := parseTimeEntry(b[i:])
		if timestamp <= lastTimestamp || relative <= lastRelative {
			return fmt.Errorf("%w: time index entry %d is %d at %d after %d at %d", ErrCorrupt, i/timeEntrySize, timestamp,
				relative, lastTimestamp, lastRelative)
		}
		lastTimestamp, lastRelative = timestamp, relative
	}
	return nil
}
