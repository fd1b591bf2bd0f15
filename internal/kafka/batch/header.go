package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	// HeaderSize is the size of a batch without records.
	HeaderSize = 61
	// Overhead is what comes before and with the length field.
	Overhead = 12
	// Magic is the version of the format.
	Magic = 2

	minLength = HeaderSize - Overhead

	lengthAt       = 8
	leaderEpochAt  = 12
	magicAt        = 16
	crcAt          = 17
	attributesAt   = 21
	lastDeltaAt    = 23
	baseTimeAt     = 27
	maxTimeAt      = 35
	producerIDAt   = 43
	epochAt        = 51
	baseSequenceAt = 53
	countAt        = 57
)

// The bits of the attributes above the codec.
const (
	codecMask        = 0x07
	logAppendTimeBit = 1 << 3
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
	horizonBit       = 1 << 6
)

// NoProducer is the producer id of a batch that was not written by an idempotent producer.
const NoProducer = -1

var (
	// ErrShort: the bytes end before the batch does.
	ErrShort = errors.New("the batch is cut short")
	// ErrCorrupt marks everything that no correct producer writes. Test for it with errors.Is.
	ErrCorrupt = errors.New("the batch is corrupt")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Header is a batch without its records.
type Header struct {
	BaseOffset      int64
	Length          int32
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64
	MaxTimestamp    int64
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32
}

// ParseHeader reads the header of the batch that b begins with; b may be longer or shorter than the batch, but holds
// the header. The magic is returned, not judged: the fields after it mean something only if it is 2.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrShort
	}
	_ = b[HeaderSize-1]
	h := Header{
		BaseOffset:      int64(binary.BigEndian.Uint64(b)),
		Length:          int32(binary.BigEndian.Uint32(b[lengthAt:])),
		LeaderEpoch:     int32(binary.BigEndian.Uint32(b[leaderEpochAt:])),
		Magic:           int8(b[magicAt]),
		CRC:             binary.BigEndian.Uint32(b[crcAt:]),
		Attributes:      int16(binary.BigEndian.Uint16(b[attributesAt:])),
		LastOffsetDelta: int32(binary.BigEndian.Uint32(b[lastDeltaAt:])),
		BaseTimestamp:   int64(binary.BigEndian.Uint64(b[baseTimeAt:])),
		MaxTimestamp:    int64(binary.BigEndian.Uint64(b[maxTimeAt:])),
		ProducerID:      int64(binary.BigEndian.Uint64(b[producerIDAt:])),
		ProducerEpoch:   int16(binary.BigEndian.Uint16(b[epochAt:])),
		BaseSequence:    int32(binary.BigEndian.Uint32(b[baseSequenceAt:])),
		Count:           int32(binary.BigEndian.Uint32(b[countAt:])),
	}
	if h.Length < minLength || h.Length > math.MaxInt32-Overhead {
		return Header{}, corrupt("its length is %d", h.Length)
	}
	return h, nil
}

// appendTo writes the header, with the CRC it holds.
func (h *Header) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.BaseOffset))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Length))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.LeaderEpoch))
	dst = append(dst, byte(h.Magic))
	dst = binary.BigEndian.AppendUint32(dst, h.CRC)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Attributes))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.LastOffsetDelta))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.BaseTimestamp))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.MaxTimestamp))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.ProducerID))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.ProducerEpoch))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.BaseSequence))
	return binary.BigEndian.AppendUint32(dst, uint32(h.Count))
}

// Size is the length of the whole batch.
func (h Header) Size() int { return Overhead + int(h.Length) }

// LastOffset is the offset of the last record the batch had when it was written; compaction may have removed it.
func (h Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// NextOffset is where the next batch begins, if nothing was removed in between.
func (h Header) NextOffset() int64 { return h.LastOffset() + 1 }

// LastSequence is the sequence number of the last record, -1 without a producer. Sequence numbers go from the largest
// int32 to zero.
func (h Header) LastSequence() int32 {
	if h.BaseSequence < 0 {
		return -1
	}
	return AddSequence(h.BaseSequence, h.LastOffsetDelta)
}

// AddSequence is n sequence numbers after s.
func AddSequence(s, n int32) int32 {
	return int32((int64(s) + int64(n)) & math.MaxInt32)
}

func (h Header) Codec() Codec        { return Codec(h.Attributes & codecMask) }
func (h Header) LogAppendTime() bool { return h.Attributes&logAppendTimeBit != 0 }
func (h Header) Transactional() bool { return h.Attributes&transactionalBit != 0 }
func (h Header) Control() bool       { return h.Attributes&controlBit != 0 }
func (h Header) HasHorizon() bool    { return h.Attributes&horizonBit != 0 }

// HasProducer says whether the batch was written by an idempotent or transactional producer, or is a marker for one.
func (h Header) HasProducer() bool { return h.ProducerID > NoProducer }

// Horizon is when the tombstones and markers of the batch may go, -1 if that has not been decided.
func (h Header) Horizon() int64 {
	if h.HasHorizon() {
		return h.BaseTimestamp
	}
	return -1
}

// Timestamp is the timestamp of one of the batch's records. Under LogAppendTime all have the same.
func (h Header) Timestamp(r Record) int64 {
	if h.LogAppendTime() {
		return h.MaxTimestamp
	}
	return h.BaseTimestamp + r.TimestampDelta
}

// PeekMagic is the magic of what b begins with. It stands at the same place in every version of the format, also in
// the messages of versions 0 and 1, which may be shorter than HeaderSize.
func PeekMagic(b []byte) (magic int8, ok bool) {
	if len(b) <= magicAt {
		return 0, false
	}
	return int8(b[magicAt]), true
}

// Next splits the first batch off b. It gives ErrShort if b ends before the batch does.
func Next(b []byte) (h Header, batch, rest []byte, err error) {
	h, err = ParseHeader(b)
	if err != nil {
		return h, nil, b, err
	}
	if h.Size() > len(b) {
		return h, nil, b, ErrShort
	}
	return h, b[:h.Size():h.Size()], b[h.Size():], nil
}
