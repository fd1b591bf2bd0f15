package host

import (
	"fmt"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env/failpoint"
)

// gathered is what a machine has decided and replayed, and what is not appended yet. The commands that wait together are
// appended as one batch: one write instead of many. Each is decided after the records of those before it were replayed,
// as if they had been appended one by one. That may come first because nobody else writes to the log, so the offsets are
// known, and because a machine whose append fails is dropped with all it has replayed.
type gathered struct {
	producer *machine.Producer // of all records; nil: they belong to no transaction
	records  []batch.Record
	size     int
	results  []machine.Result // those with somebody or something that waits for the commit
}

// gatherBytes is how much goes into one batch, unless a single command wants more.
const gatherBytes = 256 << 10

// handle decides one command and replays its records.
func (r *runner) handle(now time.Time, q asked) error {
	if m, ok := q.body.(Marker); ok {
		if err := r.append(now); err != nil {
			return err
		}
		return r.mark(now, q.token, m)
	}
	result := r.m.Handle(now, machine.Command{Token: q.token, Body: q.body})
	if result.Producer != nil { // a batch belongs to one transaction or to none
		if err := r.append(now); err != nil {
			return err
		}
		r.gathered.producer = result.Producer
	}
	if err := r.replayOwn(now, result); err != nil {
		return err
	}
	if len(result.Replies)+len(result.Effects) > 0 {
		r.gathered.results = append(r.gathered.results, result)
	}
	if result.Producer != nil || r.gathered.size > gatherBytes {
		return r.append(now)
	}
	return nil
}

// replayOwn replays what was just decided at the offset that it will get.
func (r *runner) replayOwn(now time.Time, result machine.Result) error {
	if len(result.Records) == 0 {
		return nil
	}
	b := machine.Batch{BaseOffset: r.applied, LeaderEpoch: r.epoch, Timestamp: now.UnixMilli(), Producer: result.Producer, Records: result.Records}
	if err := r.m.Replay(b); err != nil {
		return err
	}
	g := &r.gathered
	for _, rec := range result.Records {
		g.records = append(g.records, batch.Record{Key: rec.Key, Value: rec.Value, OffsetDelta: int32(len(g.records))})
		g.size += len(rec.Key) + len(rec.Value)
	}
	r.applied += int64(len(result.Records))
	return nil
}

// append writes what was gathered, and lets replies and effects wait for the commit. Replies of commands without records
// wait too, for those before them.
func (r *runner) append(now time.Time) error {
	g := &r.gathered
	if len(g.records) > 0 {
		if err := r.write(now); err != nil {
			return err
		}
	}
	for i := range g.results {
		r.h.perform(r, g.results[i])
	}
	clear(g.records)
	*g = gathered{records: g.records[:0]}
	return nil
}

func (r *runner) write(now time.Time) error {
	g := &r.gathered
	o := batch.Plain(0, 0, now.UnixMilli())
	if p := g.producer; p != nil {
		o.ProducerID, o.ProducerEpoch, o.Transactional = p.ID, p.Epoch, true
	}
	b, err := batch.Build(nil, o, g.records)
	if err != nil {
		return err
	}
	h, err := batch.ParseHeader(b)
	if err != nil {
		return err
	}
	if err := failpoint.Hit("group.append.before"); err != nil {
		return err
	}
	c := make(chan Produced, 1)
	r.p.Produce(&Produce{Batch: b, Header: h, Acks: 1, Done: func(d Produced) { c <- d }, origin: commitlog.Coordinator})
	d := <-c
	if err := failpoint.Hit("group.append.after"); err != nil {
		return err
	}
	if d.Err != wire.None {
		return fmt.Errorf("appending %d records: %w: %s", len(g.records), d.Err, d.Message)
	}
	if expected := r.applied - int64(len(g.records)); d.BaseOffset != expected {
		return fmt.Errorf("%d records were replayed at offset %d and appended at %d", len(g.records), expected, d.BaseOffset)
	}
	return nil
}
