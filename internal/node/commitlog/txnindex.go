package commitlog

import (
	"encoding/binary"
	"fmt"
)

// The transaction index of a segment, `<base>.txnindex`: one entry for each aborted transaction whose marker lies
// in the segment, in the order of the markers. The file exists only where there is one.
//
//	+---------------+------------------+-------------------+------------------+-------------------------+
//	| version int16 | producerId int64 | firstOffset int64 | lastOffset int64 | lastStableOffset  int64 |
//	| 0             |                  |                   | of the marker    | when it was aborted     |
//	+---------------+------------------+-------------------+------------------+-------------------------+
const txnEntrySize = 34

// AbortedTxn is a transaction whose records a read-committed reader must skip.
type AbortedTxn struct{ ProducerID, FirstOffset, LastOffset, LastStable int64 }

func appendTxnEntry(dst []byte, a AbortedTxn) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0)
	for _, v := range [4]int64{a.ProducerID, a.FirstOffset, a.LastOffset, a.LastStable} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

// parseTxnIndex reads whole entries; the error tells of anything after or between them that is none, and the
// entries before it are returned.
func parseTxnIndex(b []byte) ([]AbortedTxn, error) {
	var all []AbortedTxn
	for ; len(b) >= txnEntrySize; b = b[txnEntrySize:] {
		if v := binary.BigEndian.Uint16(b); v != 0 {
			return all, fmt.Errorf("%w: transaction index entry of version %d", ErrCorrupt, v)
		}
		field := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[2+8*i:])) }
		a := AbortedTxn{field(0), field(1), field(2), field(3)}
		if a.FirstOffset < 0 || a.LastOffset <= a.FirstOffset || (len(all) > 0 && a.LastOffset <= all[len(all)-1].LastOffset) {
			return all, fmt.Errorf("%w: transaction index entry %+v", ErrCorrupt, a)
		}
		all = append(all, a)
	}
	if len(b) != 0 {
		return all, fmt.Errorf("%w: %d bytes after the last transaction index entry", ErrCorrupt, len(b))
	}
	return all, nil
}
