package batch

import (
	"encoding/binary"
	"errors"
	"math"
)

// Options are what Build needs besides the records. ProducerID, ProducerEpoch and BaseSequence are -1 for a batch
// without a producer: see Plain.
type Options struct {
	BaseOffset    int64
	LeaderEpoch   int32
	Codec         Codec
	Level         int // 0: the codec's default
	LogAppendTime bool
	BaseTimestamp int64
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
}

// Plain are the options of an uncompressed batch without a producer.
func Plain(baseOffset int64, leaderEpoch int32, timestamp int64) Options {
	return Options{BaseOffset: baseOffset, LeaderEpoch: leaderEpoch, BaseTimestamp: timestamp, ProducerID: NoProducer, ProducerEpoch: -1, BaseSequence: -1}
}

// ErrTooLarge: the batch would be larger than its length field can say.
var ErrTooLarge = errors.New("the batch is larger than 2 GiB")

// Number gives the records the offset deltas 0, 1, 2...
func Number(recs []Record) []Record {
	for i := range recs {
		recs[i].OffsetDelta = int32(i)
	}
	return recs
}

// Build appends one batch to dst. Offset deltas are the caller's (see Number) and must rise; the last one becomes
// LastOffsetDelta, the latest timestamp MaxTimestamp. Without records LastOffsetDelta is 0 and the times are -1.
func Build(dst []byte, o Options, recs []Record) ([]byte, error) {
	h := o.header(recs)
	if err := checkDeltas(recs); err != nil {
		return dst, err
	}
	if o.Codec == None {
		start := len(dst)
		dst = h.appendTo(dst)
		for i := range recs {
			dst = appendRecord(dst, &recs[i])
		}
		return seal(dst, start)
	}
	scratch := buffers.get()
	defer buffers.put(scratch)
	scratch.b = scratch.b[:0]
	for i := range recs {
		scratch.b = appendRecord(scratch.b, &recs[i])
	}
	return finish(dst, &h, o.Level, scratch.b)
}

func (o *Options) header(recs []Record) Header {
	h := Header{
		BaseOffset: o.BaseOffset, LeaderEpoch: o.LeaderEpoch, Magic: Magic, Attributes: o.attributes(),
		BaseTimestamp: o.BaseTimestamp, MaxTimestamp: o.BaseTimestamp,
		ProducerID: o.ProducerID, ProducerEpoch: o.ProducerEpoch, BaseSequence: o.BaseSequence, Count: int32(len(recs)),
	}
	if len(recs) == 0 {
		h.BaseTimestamp, h.MaxTimestamp = -1, -1
		return h
	}
	h.LastOffsetDelta = recs[len(recs)-1].OffsetDelta
	latest := int64(math.MinInt64)
	for i := range recs {
		latest = max(latest, recs[i].TimestampDelta)
	}
	h.MaxTimestamp = o.BaseTimestamp + latest
	return h
}

func (o *Options) attributes() int16 {
	a := int16(o.Codec & codecMask)
	if o.LogAppendTime {
		a |= logAppendTimeBit
	}
	if o.Transactional {
		a |= transactionalBit
	}
	if o.Control {
		a |= controlBit
	}
	return a
}

func checkDeltas(recs []Record) error {
	last := int32(-1)
	for i := range recs {
		if recs[i].OffsetDelta <= last {
			return corrupt("the offset delta of record %d is %d, after %d", i, recs[i].OffsetDelta, last)
		}
		last = recs[i].OffsetDelta
	}
	return nil
}

// finish appends the header and the payload, compressed as the header says.
func finish(dst []byte, h *Header, level int, payload []byte) ([]byte, error) {
	start := len(dst)
	out := h.appendTo(dst)
	if h.Codec() == None {
		return seal(append(out, payload...), start)
	}
	out, err := compress(out, h.Codec(), level, payload)
	if err != nil {
		return dst, err
	}
	return seal(out, start)
}

// seal fills in the length and the CRC of the batch that begins at start.
func seal(dst []byte, start int) ([]byte, error) {
	b := dst[start:]
	if len(b) > math.MaxInt32-Overhead {
		return dst[:start], ErrTooLarge
	}
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-Overhead))
	setCRC(b)
	return dst, nil
}
