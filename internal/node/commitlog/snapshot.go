package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A producer snapshot, `<offset>.snapshot`: the producer states just before that offset.
//
//	+---------------+------------+-------------+
//	| version int16 | crc uint32 | count int32 |   CRC-32C of everything after the crc
//	| 1             |            |             |
//	+---------------+------------+-------------+   then count times:
//	| producerId int64 | epoch int16 | lastSequence int32 | lastOffset int64 | offsetDelta int32 |
//	| timestamp int64 | coordinatorEpoch int32 | currentTxnFirstOffset int64 (-1: none)           |
//	+------------------------------------------------------------------------------------------+
//
// It keeps the last batch of a producer only; lastOffset -1 says there is none.
const (
	snapshotVersion   = 1
	snapshotHeader    = 2 + 4 + 4
	snapshotEntrySize = 46
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendSnapshot(dst []byte, list []producer) []byte {
	dst = binary.BigEndian.AppendUint16(dst, snapshotVersion)
	crcAt := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		p := &list[i]
		last := written{lastSequence: -1, lastOffset: -1}
		if p.n > 0 {
			last = p.window[p.n-1]
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.id))
		dst = binary.BigEndian.AppendUint16(dst, uint16(p.epoch))
		dst = binary.BigEndian.AppendUint32(dst, uint32(last.lastSequence))
		dst = binary.BigEndian.AppendUint64(dst, uint64(last.lastOffset))
		dst = binary.BigEndian.AppendUint32(dst, uint32(last.offsetDelta))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.lastTimestamp))
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.coordinatorEpoch))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.txnFirst))
	}
	binary.BigEndian.PutUint32(dst[crcAt:], crc32.Checksum(dst[crcAt+4:], castagnoli))
	return dst
}

// parseSnapshot refuses anything but a whole snapshot: a torn one is no smaller snapshot.
func parseSnapshot(b []byte) ([]producer, error) {
	if len(b) < snapshotHeader {
		return nil, fmt.Errorf("%w: %d bytes", errSnapshot, len(b))
	}
	if v := binary.BigEndian.Uint16(b); v != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d", errSnapshot, v)
	}
	if crc32.Checksum(b[6:], castagnoli) != binary.BigEndian.Uint32(b[2:]) {
		return nil, fmt.Errorf("%w: wrong checksum", errSnapshot)
	}
	count := int64(binary.BigEndian.Uint32(b[6:]))
	if b = b[snapshotHeader:]; int64(len(b)) != count*snapshotEntrySize {
		return nil, fmt.Errorf("%w: %d bytes for %d producers", errSnapshot, len(b), count)
	}
	list := make([]producer, 0, count)
	for ; len(b) > 0; b = b[snapshotEntrySize:] {
		list = append(list, parseSnapshotEntry(b))
	}
	return list, nil
}

func parseSnapshotEntry(b []byte) producer {
	p := producer{
		id: int64(binary.BigEndian.Uint64(b)), epoch: int16(binary.BigEndian.Uint16(b[8:])),
		lastTimestamp:    int64(binary.BigEndian.Uint64(b[26:])),
		coordinatorEpoch: int32(binary.BigEndian.Uint32(b[34:])),
		txnFirst:         max(int64(binary.BigEndian.Uint64(b[38:])), -1),
	}
	last := written{
		lastSequence: int32(binary.BigEndian.Uint32(b[10:])), lastOffset: int64(binary.BigEndian.Uint64(b[14:])),
		offsetDelta: int32(binary.BigEndian.Uint32(b[22:])), timestamp: p.lastTimestamp,
	}
	if last.lastOffset >= 0 {
		p.window[0], p.n, p.short = last, 1, true
	}
	return p
}
