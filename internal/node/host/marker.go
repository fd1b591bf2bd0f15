package host

import (
	"fmt"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
)

// Marker ends a producer's transaction on a partition.
type Marker struct {
	Producer         machine.Producer
	Commit           bool
	CoordinatorEpoch int32
}

// EndTransaction appends a marker. done is called exactly once, when the marker is committed, and must not block. On the
// log of a machine the machine hears of it in the order of the log.
func (p *Partition) EndTransaction(m Marker, done func(wire.ErrorCode)) {
	p.h.mu.RLock()
	r := p.h.runners[key{p.topic, p.index}]
	p.h.mu.RUnlock()
	if r != nil && r.p == p {
		r.ask(m, func(_ any, code wire.ErrorCode) { done(code) })
		return
	}
	p.mark(m, p.now(), -1, func(d Produced) { done(d.Err) })
}

func (p *Partition) mark(m Marker, now time.Time, acks int16, done func(Produced)) {
	o := batch.Plain(0, 0, now.UnixMilli())
	o.ProducerID, o.ProducerEpoch = m.Producer.ID, m.Producer.Epoch
	b := batch.EndTxnMarker(m.Commit, m.CoordinatorEpoch, o)
	h, err := batch.ParseHeader(b)
	if err != nil {
		done(refused(wire.InvalidRecord, err.Error()))
		return
	}
	p.Produce(&Produce{Batch: b, Header: h, Acks: acks, Done: done, origin: commitlog.Coordinator})
}

// mark appends a marker to the machine's own log and replays it.
func (r *runner) mark(now time.Time, token machine.Token, m Marker) error {
	c := make(chan Produced, 1)
	r.p.mark(m, now, 1, func(d Produced) { c <- d })
	d := <-c
	switch d.Err {
	case wire.None:
	case wire.InvalidProducerEpoch, wire.InvalidTxnState, wire.TransactionCoordinatorFenced, wire.InvalidRecord:
		r.reply(token, nil, d.Err) // refused by the log, which is as it was
		return nil
	default:
		return fmt.Errorf("appending a marker: %w: %s", d.Err, d.Message)
	}
	r.applied = d.BaseOffset + 1
	b := machine.Batch{BaseOffset: d.BaseOffset, LeaderEpoch: r.epoch, Timestamp: now.UnixMilli(), Producer: &m.Producer,
		Marker: &machine.Marker{Commit: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}}
	if err := r.m.Replay(b); err != nil {
		return err
	}
	r.h.perform(r, machine.Result{Replies: []machine.Reply{{To: token}}})
	return nil
}
