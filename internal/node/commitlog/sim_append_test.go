package commitlog

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/kafka/batch"
)

// planned is one batch of an append with what the log must answer.
type planned struct {
	in      Append
	batch   modelBatch // as it will lie in the log, if it is accepted
	dup     *modelWrite
	lastDup bool // the duplicate is of the producer's newest batch, which no restart may forget
	refusal error
}

// append sends one to four batches in one call.
func (s *sim) append(sl *simLog) error {
	m := sl.m
	states := m.producers()
	if m.latestEpoch() < 0 {
		m.assign(m.epoch)
	}
	epoch := m.latestEpoch()
	next := m.end
	var plan []planned
	for range 1 + s.rng.IntN(4) {
		p := s.plan(sl, states, next, epoch)
		if p.dup == nil && p.refusal == nil {
			next = p.batch.h.NextOffset()
			applyToModel(states, &p.batch)
		}
		plan = append(plan, p)
	}
	in, out := make([]Append, len(plan)), make([]Appended, len(plan))
	for i := range plan {
		in[i] = plan[i].in
	}
	s.logf("append %d batches to %s at %d", len(in), sl.topic, m.end)
	err := sl.l.Append(s.now, epoch, in, out)
	if err != nil {
		return s.appendFailed(sl, plan, err)
	}
	if err := s.answered(sl, plan, out); err != nil {
		return err
	}
	if sl.l.EndOffset() != m.end {
		return fmt.Errorf("end %d after the append, want %d", sl.l.EndOffset(), m.end)
	}
	if s.chance(80) {
		sl.l.RequestSync()
	}
	return nil
}

// appendFailed: an error of the environment. With the directory still in service it is definite: nothing may appear
// (DUR-6). When the machine died or the directory went offline nobody was told anything definite.
func (s *sim) appendFailed(sl *simLog, plan []planned, err error) error {
	if s.disk.Down() || s.dir.Failed() != nil {
		sl.m.doubt = accepted(plan)
	}
	if e := s.explain("append", err); !errors.Is(e, errCrash) {
		return e
	}
	if s.disk.Down() || s.dir.Failed() != nil {
		return errCrash
	}
	if s.chance(50) {
		s.disk.SetCapacity(1 << 40)
	}
	return s.verify(sl)
}

func accepted(plan []planned) []modelBatch {
	var all []modelBatch
	for _, p := range plan {
		if p.dup == nil && p.refusal == nil {
			all = append(all, p.batch)
		}
	}
	return all
}

func (s *sim) answered(sl *simLog, plan []planned, out []Appended) error {
	for i := range plan {
		p, o := &plan[i], &out[i]
		switch {
		case o.Err != nil && (s.disk.Down() || s.dir.Failed() != nil || errors.Is(o.Err, ErrNoSpace) && s.faulty):
			// A roll split the call, and the second part met the environment.
			if s.disk.Down() || s.dir.Failed() != nil {
				sl.m.doubt = accepted(plan[i:])
				return errCrash
			}
			return nil
		case p.refusal != nil:
			if !errors.Is(o.Err, p.refusal) {
				return fmt.Errorf("IDM-2: batch %d: %+v, want %v", i, *o, p.refusal)
			}
		case p.dup != nil:
			forgotten := !p.lastDup && errors.Is(o.Err, ErrOutOfOrderSequence) && (p.dup.base < sl.m.start || len(sl.m.cleanings) > 0 || s.faulty)
			if !forgotten && (o.Err != nil || !o.Duplicate || o.BaseOffset != p.dup.base || o.LastOffset != p.dup.end) {
				return fmt.Errorf("IDM-4: batch %d: %+v, want the duplicate of %+v", i, *o, *p.dup)
			}
		default:
			if o.Err != nil || o.Duplicate || o.BaseOffset != p.batch.h.BaseOffset || o.LastOffset != p.batch.h.LastOffset() {
				return fmt.Errorf("ORD-1: batch %d: %+v, want %d..%d", i, *o, p.batch.h.BaseOffset, p.batch.h.LastOffset())
			}
			sl.m.add(p.batch)
		}
	}
	return nil
}

// plan makes one batch: by nobody, by an idempotent producer (next, repeated, with a gap, of an old epoch) or by a
// transactional one, or a marker.
func (s *sim) plan(sl *simLog, states map[int64]*modelProducer, next int64, epoch int32) planned {
	switch n := s.rng.IntN(10); {
	case n < 4:
		return s.data(sl, batch.Options{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}, next, epoch, s.records(sl))
	case n < 7:
		return s.produce(sl, states, next, epoch, int64(1+s.rng.IntN(3)), false)
	case n < 9:
		return s.produce(sl, states, next, epoch, int64(11+s.rng.IntN(3)), true)
	}
	return s.marker(sl, states, next, epoch, int64(11+s.rng.IntN(3)))
}

func (s *sim) records(sl *simLog) []batch.Record {
	recs := make([]batch.Record, 1+s.rng.IntN(4))
	limit := s.pick(10, 30, 30, 300, 3000)
	if s.valueLimit > 0 {
		limit = min(limit, s.valueLimit)
	} else {
		limit = int(min(sl.config.SegmentBytes/8, int64(limit)))
	}
	for i := range recs {
		r := &recs[i]
		r.OffsetDelta, r.TimestampDelta = int32(i), int64(s.rng.IntN(20))
		if s.chance(80) || sl.config.Compact {
			r.Key = fmt.Appendf(nil, "k%d", s.rng.IntN(6))
		}
		if s.chance(80) {
			r.Value = fmt.Appendf(make([]byte, 0, limit+20), "v%d", s.rng.IntN(1e9))
			for len(r.Value) < limit {
				r.Value = append(r.Value, byte(s.rng.Uint32()))
			}
		}
	}
	return recs
}

func (s *sim) produce(sl *simLog, states map[int64]*modelProducer, next int64, epoch int32, pid int64, txn bool) planned {
	o := batch.Options{ProducerID: pid, Transactional: txn}
	recs := s.records(sl)
	p := states[pid]
	if p != nil {
		o.ProducerEpoch, o.BaseSequence = p.epoch, 0
		if len(p.window) > 0 {
			o.BaseSequence = batch.AddSequence(p.lastSequence(), 1)
		}
	} else if s.chance(20) {
		o.BaseSequence = int32(1<<31 - 1 - s.rng.IntN(3)) // nothing is known of it: any sequence will do, and it wraps soon
	}
	switch n := s.rng.IntN(100); {
	case p == nil || n < 60:
	case n < 80 && len(p.window) > 0: // a retry of one of the last five
		w := p.window[s.rng.IntN(len(p.window))]
		o.BaseSequence = w.first
		recs = make([]batch.Record, batch.AddSequence(w.last, -w.first)+1)
		batch.Number(recs)
	case n < 85:
		o.BaseSequence = batch.AddSequence(o.BaseSequence, 1+int32(s.rng.IntN(5)))
	case n < 90 && p.epoch > 0:
		o.ProducerEpoch--
	case n < 95 && p.txnFirst < 0:
		o.ProducerEpoch++
		o.BaseSequence = 0
	case n < 97:
		o.Transactional = txn && s.chance(50)
	}
	planned := s.data(sl, o, next, epoch, recs)
	planned.dup, planned.refusal = p.verdict(&planned.batch.h)
	if planned.dup != nil {
		last := p.window[len(p.window)-1]
		planned.lastDup = *planned.dup == last
	}
	return planned
}

// data builds the batch as the client sends it and as the log must keep it.
func (s *sim) data(sl *simLog, o batch.Options, next int64, epoch int32, recs []batch.Record) planned {
	o.BaseTimestamp = s.now.UnixMilli() - int64(s.rng.IntN(2000))
	o.Codec = []batch.Codec{batch.None, batch.None, batch.None, batch.Snappy, batch.LZ4}[s.rng.IntN(5)]
	b, err := batch.Build(nil, o, recs)
	if err != nil {
		panic(err)
	}
	return s.expect(sl, b, Client, next, epoch)
}

func (s *sim) marker(sl *simLog, states map[int64]*modelProducer, next int64, epoch int32, pid int64) planned {
	o := batch.Options{ProducerID: pid, BaseTimestamp: s.now.UnixMilli()}
	version := int16(s.rng.IntN(3))
	coord := int32(0)
	if p := states[pid]; p != nil {
		o.ProducerEpoch, coord = max(p.epoch, 0), max(p.coord, 0)
		if version == 2 {
			o.ProducerEpoch++
		}
	}
	planned := s.expect(sl, batch.EndTxnMarker(s.chance(50), coord, o), Coordinator, next, epoch)
	planned.in.TransactionVersion = version
	return planned
}

func (s *sim) expect(sl *simLog, b []byte, origin Origin, next int64, epoch int32) planned {
	h, err := batch.ParseHeader(b)
	if err != nil {
		panic(err)
	}
	p := planned{in: Append{Batch: b, Header: h, Origin: origin}}
	kept := slices.Clone(b)
	batch.SetBaseOffset(kept, next)
	batch.SetLeaderEpoch(kept, epoch)
	if sl.config.LogAppendTime && origin == Client {
		batch.SetLogAppendTime(kept, s.now.UnixMilli())
	}
	p.batch, err = parseBatch(kept)
	if err != nil {
		panic(err)
	}
	p.batch.at = s.now.UnixMilli()
	return p
}
