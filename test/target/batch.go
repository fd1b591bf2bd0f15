package target

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Batch is a record batch of version 2 with one record, from a producer without id, encoded apart from the package under test.
func Batch(value []byte) []byte {
	rec := []byte{0, 0, 0}             // attributes, timestamp delta, offset delta
	rec = binary.AppendVarint(rec, -1) // no key
	rec = binary.AppendVarint(rec, int64(len(value)))
	rec = append(append(rec, value...), 0) // no headers
	be, now := binary.BigEndian, uint64(time.Now().UnixMilli())
	body := be.AppendUint16(nil, 0)
	body = be.AppendUint32(body, 0)
	body = be.AppendUint64(be.AppendUint64(body, now), now)
	body = append(body, bytes.Repeat([]byte{0xff}, 14)...) // producer id, epoch, sequence
	body = be.AppendUint32(body, 1)
	body = append(binary.AppendVarint(body, int64(len(rec))), rec...)
	out := be.AppendUint32(make([]byte, 8), uint32(len(body)+9))
	out = append(be.AppendUint32(out, 0xffffffff), 2)
	out = be.AppendUint32(out, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, body...)
}
