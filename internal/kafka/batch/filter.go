package batch

import "math"

// Verdict is what the cleaner decides about a record.
type Verdict int8

const (
	Drop Verdict = iota
	Keep
	// KeepUntilHorizon keeps a tombstone or a marker, which needs a delete horizon: the time from which it may go.
	KeepUntilHorizon
)

// Filter appends a copy of one whole batch that retains only the records for which keep is true; see Rewrite.
func Filter(dst, b []byte, maxDecompressed int, keep func(Record) bool) (out []byte, kept int, err error) {
	return Rewrite(dst, b, maxDecompressed, -1, func(r Record) Verdict {
		if keep(r) {
			return Keep
		}
		return Drop
	})
}

// Rewrite appends a copy of one whole batch that retains what judge says. The copy keeps base offset, last offset
// delta, leader epoch, producer, base sequence, timestamp type and codec, so that readers see the same offsets and the
// producer's last sequence number stays known. If everything is retained, the bytes are the same; if nothing is, the
// copy is an empty batch, uncompressed, with the old MaxTimestamp. (To remove a batch altogether, do not copy it.)
//
// If judge said KeepUntilHorizon and the batch has no delete horizon, it gets this one, unless horizon is negative:
// the horizon takes the place of the base timestamp, and the deltas of all timestamps change with it.
//
// An error leaves dst as it was. The records judge gets are valid until it returns.
func Rewrite(dst, b []byte, maxDecompressed int, horizon int64, judge func(Record) Verdict) (out []byte, kept int, err error) {
	h, err := ParseHeader(b)
	if err != nil {
		return dst, 0, err
	}
	retained := buffers.get()
	defer buffers.put(retained)
	w := rewrite{h: h, raw: retained.b[:0], latest: math.MinInt64, last: -1}
	err = each(b, maxDecompressed, func(h *Header, r *Record, raw []byte) error { return w.record(h, r, raw, judge(*r)) })
	retained.b = w.raw
	if err != nil {
		return dst, 0, err
	}
	rebase := w.needsHorizon && horizon >= 0 && !h.HasHorizon()
	switch {
	case w.kept == 0:
		out, err = appendEmpty(dst, h)
	case w.kept == int(h.Count) && !rebase:
		out = append(dst, b...)
	case rebase:
		out, err = w.appendRebased(dst, horizon)
	default:
		h = w.header()
		out, err = finish(dst, &h, 0, w.raw)
	}
	return out, w.kept, err
}

// rewrite collects the bytes of the records that stay. Their deltas are to offsets and times that stay too.
type rewrite struct {
	h            Header
	raw          []byte
	kept         int
	latest       int64 // timestamp delta
	last         int32 // offset delta
	needsHorizon bool
}

func (w *rewrite) record(h *Header, r *Record, raw []byte, v Verdict) error {
	if r.OffsetDelta <= w.last || r.OffsetDelta > h.LastOffsetDelta {
		return corrupt("an offset delta of %d follows %d and the last is %d", r.OffsetDelta, w.last, h.LastOffsetDelta)
	}
	w.last = r.OffsetDelta
	if v == Drop {
		return nil
	}
	w.kept++
	w.latest = max(w.latest, r.TimestampDelta)
	w.needsHorizon = w.needsHorizon || v == KeepUntilHorizon
	w.raw = append(w.raw, raw...)
	return nil
}

// header is that of the copy.
func (w *rewrite) header() Header {
	h := w.h
	h.Count = int32(w.kept)
	if !h.LogAppendTime() {
		h.MaxTimestamp = h.BaseTimestamp + w.latest
	}
	return h
}

// appendRebased writes the copy with the horizon for its base timestamp.
func (w *rewrite) appendRebased(dst []byte, horizon int64) ([]byte, error) {
	h := w.header()
	shift := h.BaseTimestamp - horizon
	h.Attributes |= horizonBit
	h.BaseTimestamp = horizon
	rebased := buffers.get()
	defer buffers.put(rebased)
	rebased.b = rebased.b[:0]
	c := cursor{b: w.raw}
	var r Record
	for range w.kept {
		c.record(&r) // read once already
		r.TimestampDelta += shift
		rebased.b = appendRecord(rebased.b, &r)
	}
	return finish(dst, &h, 0, rebased.b)
}

func appendEmpty(dst []byte, h Header) ([]byte, error) {
	h.Count = 0
	h.Attributes &^= codecMask | horizonBit
	h.BaseTimestamp = -1
	return finish(dst, &h, 0, nil)
}
