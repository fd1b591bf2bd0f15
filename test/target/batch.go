package target

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Producer is what a batch says of who wrote it.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32
}

// Batch is a record batch of version 2 with one record, from a producer without id, encoded apart from the package under test.
func Batch(value []byte) []byte { return BatchOf(Producer{-1, -1, -1}, nil, value) }

// BatchOf is the same from a producer, with a key.
func BatchOf(p Producer, key, value []byte) []byte {
	rec := []byte{0, 0, 0} // attributes, timestamp delta, offset delta
	if key == nil {
		rec = binary.AppendVarint(rec, -1)
	} else {
		rec = append(binary.AppendVarint(rec, int64(len(key))), key...)
	}
	rec = binary.AppendVarint(rec, int64(len(value)))
	rec = append(append(rec, value...), 0) // no headers
	be, now := binary.BigEndian, uint64(time.Now().UnixMilli())
	body := be.AppendUint16(nil, 0)
	body = be.AppendUint32(body, 0)
	body = be.AppendUint64(be.AppendUint64(body, now), now)
	body = be.AppendUint16(be.AppendUint64(body, uint64(p.ID)), uint16(p.Epoch))
	body = be.AppendUint32(body, uint32(p.Sequence))
	body = be.AppendUint32(body, 1)
	body = append(binary.AppendVarint(body, int64(len(rec))), rec...)
	out := be.AppendUint32(make([]byte, 8), uint32(len(body)+9))
	out = append(be.AppendUint32(out, 0xffffffff), 2)
	out = be.AppendUint32(out, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, body...)
}
