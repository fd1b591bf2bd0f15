package host

import (
	"errors"
	"math"
	"slices"
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
	answer Produced // what Done is told unless something is lost on the way
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
	lowest    int64 // the smallest next of those who wait
	watchers  map[*Watcher]struct{}
}

// waiting is somebody who waits until the high watermark has reached next: a batch, or whoever is behind done.
type waiting struct {
	next    int64
	produce *Produce
	done    func(wire.ErrorCode)
}

func (w *waiting) tell(code wire.ErrorCode) {
	if w.produce == nil {
		w.done(code)
		return
	}
	if failpoint.Hit("produce.before-ack") != nil {
		code = wire.KafkaStorageError // appended, and told otherwise: a retry must find it (IDM-4)
	}
	if code != wire.None {
		w.produce.Done(refused(code, ""))
		return
	}
	w.produce.Done(w.produce.answer)
}

// round is the memory of one append or of one move of the high watermark. Rounds are shared by all partitions, because
// most are idle most of the time.
type round struct {
	in    []commitlog.Append
	out   []commitlog.Appended
	ready []waiting
}

var rounds = sync.Pool{New: func() any { return new(round) }}

func (r *round) end() {
	clear(r.in)
	clear(r.out)
	clear(r.ready)
	r.in, r.out, r.ready = r.in[:0], r.out[:0], r.ready[:0]
	rounds.Put(r)
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
	watchers := p.watchers
	p.lead, p.why, p.watchers = nil, why, map[*Watcher]struct{}{}
	p.advance()
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
			p.queue, p.appending = queue, false
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
		if p.queue == nil && cap(queue) <= keepQueue {
			clear(queue)
			p.queue = queue[:0]
		}
	}
}

// keepQueue is how long a queue a partition keeps: there may be very many that are idle.
const keepQueue = 64

// append writes batches and answers who need not wait.
func (p *Partition) append(lead *replica.Leader, queue []*Produce) {
	if lead == nil {
		for _, r := range queue {
			r.Done(refused(wire.NotLeaderOrFollower, ""))
		}
		return
	}
	m := rounds.Get().(*round)
	defer m.end()
	for _, r := range queue {
		m.in = append(m.in, commitlog.Append{Batch: r.Batch, Header: r.Header, Origin: r.origin})
	}
	m.out = slices.Grow(m.out, len(queue))[:len(queue)]
	now := p.now()
	if err := p.log.Append(now, lead.Epoch(), m.in, m.out); err != nil {
		p.h.o.Log.Error("append failed", "topic", p.topic, "partition", p.index, "err", err)
		code, message := codeOf(err)
		for _, r := range queue {
			r.Done(refused(code, message))
		}
		return
	}
	if p.log.FlushesBeforeAck() {
		p.log.RequestSync() // otherwise the log itself asks, when flush.messages or flush.ms say so
	}
	p.settle(lead, queue, m.out, now)
}

// settle answers what was appended, or lets it wait for the high watermark. After its Done nobody touches a Produce.
func (p *Partition) settle(lead *replica.Leader, queue []*Produce, out []commitlog.Appended, now time.Time) {
	start := p.log.StartOffset()
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
			r.answer = refused(code, message)
			continue
		}
		r.answer = Produced{BaseOffset: out[i].BaseOffset, LogAppendTime: out[i].AppendTime, LogStart: start}
		if r.Acks == -1 {
			p.wait(waiting{next: out[i].LastOffset + 1, produce: r})
			queue[i] = nil
		}
	}
	p.advance()
	for _, r := range queue {
		if r != nil {
			r.Done(r.answer)
		}
	}
}

// wait lets w wait. Called with mu held, before advance.
func (p *Partition) wait(w waiting) {
	if len(p.waiting) == 0 || w.next < p.lowest {
		p.lowest = w.next
	}
	p.waiting = append(p.waiting, w)
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

// advance tells who waited for the high watermark where it is now, or that there is no lead any more. Called with mu
// held, returns without it.
func (p *Partition) advance() {
	var moved bool
	code, covers := p.why, int64(math.MaxInt64)
	if p.lead != nil {
		covers = p.lead.HighWatermark()
		code = wire.None
		if p.lead.Acknowledge(covers) == replica.AckedThin {
			code = wire.NotEnoughReplicasAfterAppend
		}
		if moved = covers != p.log.HighWatermark(); moved {
			p.log.SetHighWatermark(covers)
		}
	}
	var m *round
	if len(p.waiting) > 0 && p.lowest <= covers {
		m = rounds.Get().(*round)
		p.release(m, covers)
	}
	var woken map[*Watcher]struct{}
	if moved && len(p.watchers) > 0 {
		woken, p.watchers = p.watchers, map[*Watcher]struct{}{}
	}
	p.mu.Unlock()
	if m != nil {
		for i := range m.ready {
			m.ready[i].tell(code)
		}
		m.end()
	}
	for w := range woken {
		w.Wake()
	}
}

// release takes those out of the line whose offset is covered. The line is not sorted: a duplicate waits for its
// original's offset, which may be below those before it.
func (p *Partition) release(m *round, covers int64) {
	later := p.waiting[:0]
	p.lowest = math.MaxInt64
	for _, w := range p.waiting {
		if w.next <= covers {
			m.ready = append(m.ready, w)
			continue
		}
		p.lowest = min(p.lowest, w.next)
		later = append(later, w)
	}
	clear(p.waiting[len(later):])
	p.waiting = later
	if len(later) == 0 && cap(later) > keepQueue {
		p.waiting = nil
	}
}

// whenCommitted calls done once the high watermark has reached next.
func (p *Partition) whenCommitted(next int64, done func(wire.ErrorCode)) {
	p.mu.Lock()
	p.wait(waiting{next: next, done: done})
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
