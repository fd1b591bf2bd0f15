package commitlog

import "millrace/internal/kafka/batch"

// batchFilter decides, batch by batch in the order of the log, what a compacted log keeps:
//
//	F1  base offset, last offset, leader epoch, producer id, epoch and base sequence of a kept batch never change
//	F2  a record goes if a later record of its key is mapped, or if it is a tombstone whose horizon has passed
//	F3  data of an aborted transaction goes; a marker goes when its transaction has no batch left and its horizon
//	    has passed
//	F4  the batch that holds a live producer's last sequence, and the last batch of an output segment, stay, without
//	    records if need be; a marker that is all there is of a live producer stays whole, for its epoch
//	F5  the first pass that keeps a tombstone, or a marker of an empty transaction, writes its horizon into the batch
//	F6  a batch that cannot be decoded stays as it is
type batchFilter struct {
	keys            *keyMap
	txns            *cleanedTxns
	producers       map[int64]lastRecord
	now             int64 // ms
	deleteRetention int64 // ms
	maxDecompressed int
}

// lastRecord is what the cleanable part of a log must keep of a live producer: what lies above may be truncated yet, or was
// not flushed, and then its state ends here (IDM-1). -1: nothing.
type lastRecord struct {
	data   int64 // last offset of its newest batch
	marker int64 // of the marker that has a newer epoch than any batch
}

// filter appends what stays of one whole batch to dst. lastOfOutput keeps the batch's place (F4).
func (f *batchFilter) filter(dst []byte, h *batch.Header, b []byte, lastOfOutput bool) []byte {
	place := lastOfOutput || f.holdsProducer(h)
	switch {
	case h.Control():
		return f.control(dst, h, b, place)
	case f.txns.data(h.ProducerID, h.LastOffset(), h.Transactional()):
		return f.rewrite(dst, b, place, func(batch.Record) batch.Verdict { return batch.Drop })
	case h.BaseOffset > f.keys.last:
		return append(dst, b...)
	}
	return f.rewrite(dst, b, place, func(r batch.Record) batch.Verdict { return f.judge(h, &r) })
}

func (f *batchFilter) holdsProducer(h *batch.Header) bool {
	last, live := f.producers[h.ProducerID]
	if h.Control() {
		return live && h.LastOffset() == last.marker
	}
	return live && h.LastOffset() == last.data
}

func (f *batchFilter) control(dst []byte, h *batch.Header, b []byte, place bool) []byte {
	commit, isMarker := endsTransaction(b)
	switch {
	case h.Count == 0: // a marker that was emptied before
		return f.rewrite(dst, b, place, func(batch.Record) batch.Verdict { return batch.Drop })
	case !isMarker || !f.txns.marker(h.ProducerID, h.LastOffset(), commit):
		return append(dst, b...)
	case f.holdsProducer(h): // the epoch of a producer that has nothing else
		return append(dst, b...)
	case h.HasHorizon() && h.BaseTimestamp <= f.now:
		return f.rewrite(dst, b, place, func(batch.Record) batch.Verdict { return batch.Drop })
	}
	return f.rewrite(dst, b, place, func(batch.Record) batch.Verdict { return batch.KeepUntilHorizon })
}

// endsTransaction reads a control batch; isMarker is false for every other kind.
func endsTransaction(b []byte) (commit, isMarker bool) {
	recs, err := batch.Records(b, len(b))
	if err != nil || len(recs) == 0 {
		return false, false
	}
	kind, _, err := batch.ParseControl(recs[0])
	return kind == batch.ControlCommit, err == nil && (kind == batch.ControlCommit || kind == batch.ControlAbort)
}

func (f *batchFilter) judge(h *batch.Header, r *batch.Record) batch.Verdict {
	offset := h.BaseOffset + int64(r.OffsetDelta)
	switch {
	case offset > f.keys.last && r.Value != nil:
		return batch.Keep
	case offset > f.keys.last:
		return batch.KeepUntilHorizon
	case r.Key == nil: // from before the topic was compacted
		return batch.Drop
	case offset < f.keys.offset(r.Key):
		return batch.Drop
	case r.Value != nil:
		return batch.Keep
	case h.HasHorizon() && h.BaseTimestamp <= f.now:
		return batch.Drop
	}
	return batch.KeepUntilHorizon
}

func (f *batchFilter) rewrite(dst, b []byte, place bool, judge func(batch.Record) batch.Verdict) []byte {
	at := len(dst)
	out, kept, err := batch.Rewrite(dst, b, f.maxDecompressed, f.now+f.deleteRetention, judge)
	switch {
	case err != nil:
		return append(dst[:at], b...)
	case kept == 0 && !place:
		return out[:at]
	}
	return out
}
