package host

import (
	"errors"
	"sync"
	"time"

	"millrace/internal/core/replica"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env/failpoint"
)

// Produce is one batch to append: whole, checked, and the host's until Done.
type Produce struct {
	Batch  []byte
	Header batch.Header
	Acks   int16
	// Done is called exactly once, on any goroutine, and must not block.
	Done func(Produced)

	origin commitlog.Origin
}

// Produced is what became of it.
type Produced struct {
	Err                                 wire.ErrorCode
	Message                             string
	BaseOffset, LogAppendTime, LogStart int64
}

// Watcher waits for a partition to change.
type Watcher struct{ Wake func() }

// PartitionState is a glance at a partition.
type PartitionState struct {
	Leader                                      bool
	LeaderEpoch                                 int32
	HighWatermark, LastStable, LogStart, LogEnd int64
	SizeBytes                                   int64
	Dir                                         wire.UUID
}

// Partition is a log in a role. One goroutine at a time appends: whoever finds nobody appending takes all batches
// that wait, writes them at once without a lock, and looks again. So a producer never waits for another's write
// while holding a lock, and many small batches cost one write.
type Partition struct {
	h     *Host
	topic string
	index int32
	id    wire.UUID
	log   *commitlog.Log

	mu        sync.Mutex
	lead      *replica.Leader // nil: not the leader
	why       wire.ErrorCode  // while lead is nil
	queue     []*Produce
	appending bool
	turn      []func() // what waits to act as the appender: leader epochs, truncations
	waiting   []waiting
	watchers  map[*Watcher]struct{}
}

// waiting is somebody who waits for the high watermark, in the order of next.
type waiting struct {
	next int64
	done func(wire.ErrorCode)
}

// Topic, Index and ID name the partition.
func (p *Partition) Topic() string { return p.topic }

// Index is the partition's number.
func (p *Partition) Index() int32 { return p.index }

func newPartition(h *Host, topic string, index int32, id wire.UUID, l *commitlog.Log) *Partition {
	p := &Partition{h: h, topic: topic, index: index, id: id, log: l, why: wire.NotLeaderOrFollower, watchers: map[*Watcher]struct{}{}}
	l.OnFlushed(p.flushed)
	return p
}

// become takes the lead in an epoch. It acts as the appender, since the epoch begins where the log ends.
func (p *Partition) become(c replica.Config) {
	p.asAppender(func() {
		if c.Epoch > p.log.LatestEpoch() {
			p.log.AssignEpoch(c.Epoch)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.log.Dir().Failed() != nil { // it may have resigned for that a moment ago
			p.why = wire.KafkaStorageError
			return
		}
		c.LogStart, c.LogEnd, c.FlushedEnd, c.HighWatermark = p.log.StartOffset(), p.log.EndOffset(), p.log.FlushedEnd(), p.log.HighWatermark()
		c.EpochStart = c.LogEnd
		p.lead = replica.Lead(c, p.now())
		p.log.SetHighWatermark(p.lead.HighWatermark())
	})
	p.log.RequestSync()
}

// asAppender runs f while nobody appends, at once or after the appender's turn.
func (p *Partition) asAppender(f func()) {
	p.mu.Lock()
	p.turn = append(p.turn, f)
	p.work()
}

// resign gives up the lead: everybody who waits is told why.
func (p *Partition) resign(why wire.ErrorCode) {
	p.mu.Lock()
	p.lead, p.why = nil, why
	all, watchers := p.waiting, p.watchers
	p.waiting, p.watchers = nil, map[*Watcher]struct{}{}
	p.mu.Unlock()
	for _, w := range all {
		w.done(why)
	}
	for w := range watchers {
		w.Wake()
	}
}

func (p *Partition) now() time.Time { return p.h.o.Env.Clock.Now() }

func refused(code wire.ErrorCode, message string) Produced {
	return Produced{Err: code, Message: message, BaseOffset: -1, LogAppendTime: -1, LogStart: -1}
}

// Produce appends. Done comes after the append for acks 0 and 1, and for acks -1 when the high watermark covers the
// batch.
func (p *Partition) Produce(r *Produce) {
	if err := p.log.Dir().Failed(); err != nil {
		r.Done(refused(wire.KafkaStorageError, "the log directory is offline"))
		return
	}
	if r.origin == commitlog.Client && p.log.Dir().Low() {
		r.Done(refused(wire.PolicyViolation, "the disk is almost full: delete data, lower a retention or add space"))
		return
	}
	p.mu.Lock()
	switch {
	case p.lead == nil:
		why := p.why
		p.mu.Unlock()
		r.Done(refused(why, ""))
		return
	case !p.lead.CanAppend(r.Acks):
		p.mu.Unlock()
		r.Done(refused(wire.NotEnoughReplicas, ""))
		return
	}
	p.queue = append(p.queue, r)
	p.work()
}

// work is called with mu held and returns without it. Unless somebody appends already, it appends until nothing waits.
func (p *Partition) work() {
	if p.appending {
		p.mu.Unlock()
		return
	}
	p.appending = true
	for {
		turn, queue := p.turn, p.queue
		p.turn, p.queue = nil, nil
		if len(turn) == 0 && len(queue) == 0 {
			p.appending = false
			p.mu.Unlock()
			return
		}
		lead := p.lead
		p.mu.Unlock()
		if len(queue) > 0 {
			p.append(lead, queue)
		}
		for _, f := range turn {
			f()
		}
		p.mu.Lock()
	}
}

// append writes batches and answers who need not wait.
func (p *Partition) append(lead *replica.Leader, queue []*Produce) {
	if lead == nil {
		for _, r := range queue {
			r.Done(refused(wire.NotLeaderOrFollower, ""))
		}
		return
	}
	in, out := make([]commitlog.Append, len(queue)), make([]commitlog.Appended, len(queue))
	for i, r := range queue {
		in[i] = commitlog.Append{Batch: r.Batch, Header: r.Header, Origin: r.origin}
	}
	now := p.now()
	if err := p.log.Append(now, lead.Epoch(), in, out); err != nil {
		p.h.o.Log.Error("append failed", "topic", p.topic, "partition", p.index, "err", err)
		code, message := codeOf(err)
		for _, r := range queue {
			r.Done(refused(code, message))
		}
		return
	}
	p.log.RequestSync()
	p.settle(lead, queue, out, now)
}

// settle answers what was appended, or lets it wait for the high watermark.
func (p *Partition) settle(lead *replica.Leader, queue []*Produce, out []commitlog.Appended, now time.Time) {
	start := p.log.StartOffset()
	answers := make([]Produced, len(queue))
	p.mu.Lock()
	if p.lead == nil { // given up during the write: who waits would wait for ever
		why := p.why
		p.mu.Unlock()
		for i, r := range queue {
			if code, message := codeOf(out[i].Err); out[i].Err != nil {
				r.Done(refused(code, message))
			} else {
				r.Done(refused(why, ""))
			}
		}
		return
	}
	lead.Appended(p.log.EndOffset(), now)
	lead.Flushed(p.log.FlushedEnd(), now) // the sync may have been faster: the leader took no more than it knew of then
	for i, r := range queue {
		if out[i].Err != nil {
			code, message := codeOf(out[i].Err)
			answers[i] = refused(code, message)
			continue
		}
		answers[i] = Produced{BaseOffset: out[i].BaseOffset, LogAppendTime: out[i].AppendTime, LogStart: start}
		if r.Acks == -1 {
			answer := answers[i]
			done := r.Done
			p.waiting = append(p.waiting, waiting{out[i].LastOffset + 1, func(code wire.ErrorCode) {
				if failpoint.Hit("produce.before-ack") != nil {
					code = wire.KafkaStorageError // appended, and told otherwise: a retry must find it (IDM-4)
				}
				if code != wire.None {
					answer = refused(code, "")
				}
				done(answer)
			}})
			queue[i] = nil
		}
	}
	p.advance()
	for i, r := range queue {
		if r != nil {
			r.Done(answers[i])
		}
	}
}

// flushed is called by the sync loop.
func (p *Partition) flushed(end int64) {
	p.mu.Lock()
	if p.lead == nil {
		p.mu.Unlock()
		return
	}
	p.lead.Flushed(end, p.now())
	p.advance()
}

// advance tells who waited for the high watermark where it is now. Called with mu held, returns without it.
func (p *Partition) advance() {
	if p.lead == nil {
		p.mu.Unlock()
		return
	}
	hw := p.lead.HighWatermark()
	moved := hw != p.log.HighWatermark()
	if moved {
		p.log.SetHighWatermark(hw)
	}
	// A duplicate waits for its original's offset, which may be below those before it: so no early end.
	var ready []waiting
	var codes []wire.ErrorCode
	later := p.waiting[:0]
	for _, w := range p.waiting {
		switch p.lead.Acknowledge(w.next) {
		case replica.Acked:
			ready, codes = append(ready, w), append(codes, wire.None)
		case replica.AckedThin:
			ready, codes = append(ready, w), append(codes, wire.NotEnoughReplicasAfterAppend)
		default:
			later = append(later, w)
		}
	}
	p.waiting = later
	var woken map[*Watcher]struct{}
	if moved && len(p.watchers) > 0 {
		woken, p.watchers = p.watchers, map[*Watcher]struct{}{}
	}
	p.mu.Unlock()
	for i, w := range ready {
		w.done(codes[i])
	}
	for w := range woken {
		w.Wake()
	}
}

// whenCommitted calls done once the high watermark has reached next.
func (p *Partition) whenCommitted(next int64, done func(wire.ErrorCode)) {
	p.mu.Lock()
	if p.lead == nil {
		why := p.why
		p.mu.Unlock()
		done(why)
		return
	}
	p.waiting = append(p.waiting, waiting{next, done})
	p.advance()
}

// codeOf is the protocol's word for a refusal of the log or an error of its disk.
func codeOf(err error) (wire.ErrorCode, string) {
	for _, c := range []struct {
		err  error
		code wire.ErrorCode
	}{
		{commitlog.ErrOutOfOrderSequence, wire.OutOfOrderSequenceNumber},
		{commitlog.ErrInvalidProducerEpoch, wire.InvalidProducerEpoch},
		{commitlog.ErrInvalidTxnState, wire.InvalidTxnState},
		{commitlog.ErrTxnCoordinatorFenced, wire.TransactionCoordinatorFenced},
		{commitlog.ErrBatchTooLarge, wire.RecordListTooLarge},
		{commitlog.ErrInvalidControlBatch, wire.InvalidRecord},
		{commitlog.ErrOffsetOutOfRange, wire.OffsetOutOfRange},
		{commitlog.ErrFencedLeaderEpoch, wire.NotLeaderOrFollower},
		{commitlog.ErrDeleted, wire.UnknownTopicOrPartition},
		{commitlog.ErrNoSpace, wire.PolicyViolation},
	} {
		if errors.Is(err, c.err) {
			return c.code, err.Error()
		}
	}
	return wire.KafkaStorageError, ""
}
