package batch

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C that the batch should carry. b is one whole batch.
func Checksum(b []byte) uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }

// CheckCRC says whether the batch carries the right checksum. b is exactly one whole batch.
func CheckCRC(b []byte) bool {
	return len(b) >= HeaderSize && Checksum(b) == binary.BigEndian.Uint32(b[crcAt:])
}

// SetBaseOffset writes the offset that the leader assigns. It is not under the CRC.
func SetBaseOffset(b []byte, offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetLeaderEpoch writes the epoch of the leader that appends the batch. It is not under the CRC.
func SetLeaderEpoch(b []byte, epoch int32) {
	binary.BigEndian.PutUint32(b[leaderEpochAt:], uint32(epoch))
}

// SetLogAppendTime makes ms the timestamp of every record of the batch, and computes the CRC again.
func SetLogAppendTime(b []byte, ms int64) {
	b[attributesAt+1] |= logAppendTimeBit
	binary.BigEndian.PutUint64(b[maxTimeAt:], uint64(ms))
	setCRC(b)
}

// setCRC makes b, one whole batch, carry its checksum.
func setCRC(b []byte) { binary.BigEndian.PutUint32(b[crcAt:], Checksum(b)) }
