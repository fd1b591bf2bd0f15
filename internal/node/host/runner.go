package host

import (
	"fmt"
	"sync"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// maxMachineBatch bounds what one batch of a machine's log may decompress to.
const maxMachineBatch = 1 << 30

// runner runs one machine on the partition that holds its log. One goroutine owns the machine; it keeps the order of
// package machine: append, replay, and only when that is committed the replies.
type runner struct {
	h    *Host
	p    *Partition
	make func() machine.Machine

	// Owned by run.
	m        machine.Machine
	applied  int64 // the end of what was replayed
	gathered gathered
	epoch    int32 // the leader epoch that it was loaded in
	out      *outbox

	ended chan struct{}

	mu      sync.Mutex
	queue   []question
	loading bool
	closed  bool
	why     wire.ErrorCode // once closed
	token   machine.Token
	callers map[machine.Token]func(any, wire.ErrorCode)
	wake    chan struct{}
}

// run starts the machine of a partition of an internal topic, if there is one and it does not run yet.
func (h *Host) run(p *Partition) {
	make_ := h.o.Machines[p.topic]
	if make_ == nil {
		return
	}
	k := key{p.topic, p.index}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.runners[k]; r != nil && r.p == p && r.alive() {
		r.nudge() // it looks for a new leader epoch
		return
	}
	r := &runner{h: h, p: p, make: func() machine.Machine { return make_(p.index) }, loading: true,
		ended: make(chan struct{}), callers: map[machine.Token]func(any, wire.ErrorCode){}, wake: make(chan struct{}, 1)}
	h.runners[k] = r
	go r.run()
}

func (r *runner) ask(body any, done func(any, wire.ErrorCode)) {
	r.mu.Lock()
	code := wire.None
	switch {
	case r.closed:
		code = r.why
	case r.loading:
		code = wire.CoordinatorLoadInProgress
	default:
		r.queue = append(r.queue, question{body, done})
	}
	r.mu.Unlock()
	if code != wire.None {
		done(nil, code)
		return
	}
	r.nudge()
}

func (r *runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *runner) close() {
	r.mu.Lock()
	r.closed, r.why = true, wire.NotCoordinator
	r.mu.Unlock()
	r.nudge()
	<-r.ended
}

// run loads the machine and serves it; a machine that lost its log is dropped, its callers are told, and it is loaded
// again.
func (r *runner) run() {
	defer close(r.ended)
	for r.alive() {
		if err := r.load(); err != nil {
			r.h.o.Log.Error("a coordinator cannot be loaded: its partition is not served", "topic", r.p.topic, "partition", r.p.index, "err", err)
			r.p.resign(wire.KafkaStorageError)
			r.drop(wire.CoordinatorNotAvailable, true)
			return
		}
		err := r.serve()
		r.drop(wire.NotCoordinator, false)
		if err != nil {
			r.h.o.Log.Warn("a coordinator is dropped and loaded again", "topic", r.p.topic, "partition", r.p.index, "err", err)
			if !r.p.State().Leader {
				r.drop(wire.NotCoordinator, true)
				return
			}
		}
	}
}

func (r *runner) alive() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed
}

// drop answers every caller; with forever nothing is accepted any more.
func (r *runner) drop(code wire.ErrorCode, forever bool) {
	r.mu.Lock()
	r.loading = true
	if forever && !r.closed {
		r.closed, r.why = true, code
	}
	queue, callers := r.queue, r.callers
	r.queue, r.callers = nil, map[machine.Token]func(any, wire.ErrorCode){}
	r.mu.Unlock()
	for _, q := range queue {
		if q.done != nil {
			q.done(nil, code)
		}
	}
	for _, done := range callers {
		done(nil, code)
	}
}

// load replays the log into a new machine.
func (r *runner) load() error {
	r.m, r.gathered, r.out, r.epoch = r.make(), gathered{}, &outbox{}, r.p.glance().LeaderEpoch
	end := r.p.log.EndOffset()
	if err := r.p.log.Each(r.p.log.StartOffset(), end, r.replay); err != nil {
		return err
	}
	r.applied = end
	result := r.m.Loaded(r.p.now())
	r.mu.Lock()
	r.loading = false // first: an effect may be answered while it is performed
	r.mu.Unlock()
	r.h.perform(r, result)
	return nil
}

// replay gives one batch of the log to the machine.
func (r *runner) replay(h batch.Header, b []byte) error {
	mb := machine.Batch{BaseOffset: h.BaseOffset, LeaderEpoch: h.LeaderEpoch, Timestamp: h.MaxTimestamp}
	if h.Transactional() {
		mb.Producer = &machine.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch}
	}
	rs, err := batch.Records(b, maxMachineBatch)
	if err != nil {
		return err
	}
	if h.Control() {
		if len(rs) == 0 {
			return nil
		}
		kind, epoch, err := batch.ParseControl(rs[0])
		if err != nil {
			return err
		}
		if kind != batch.ControlAbort && kind != batch.ControlCommit {
			return nil
		}
		mb.Marker = &machine.Marker{Commit: kind == batch.ControlCommit, CoordinatorEpoch: epoch}
		return r.m.Replay(mb)
	}
	for _, rec := range rs {
		mb.Records = append(mb.Records, machine.Record{Key: rec.Key, Value: rec.Value})
	}
	return r.m.Replay(mb)
}

func (r *runner) serve() error {
	var timer env.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		questions, closed := r.take()
		if closed {
			return nil
		}
		if s := r.p.glance(); !s.Leader || s.LeaderEpoch != r.epoch {
			return fmt.Errorf("leader epoch %d of %s-%d is over", r.epoch, r.p.topic, r.p.index)
		}
		now := r.p.now()
		for _, q := range questions {
			if err := r.handle(now, q); err != nil {
				return err
			}
		}
		if d := r.m.Deadline(); !d.IsZero() && !d.After(now) {
			if err := r.handle(now, asked{body: machine.Tick{}}); err != nil {
				return err
			}
		}
		if err := r.append(now); err != nil {
			return err
		}
		if len(questions) > 0 {
			continue
		}
		if d := r.m.Deadline(); !d.IsZero() {
			timer = r.rearm(timer, d.Sub(now))
		}
		<-r.wake
	}
}

func (r *runner) rearm(t env.Timer, d time.Duration) env.Timer {
	if t == nil {
		return r.h.o.Env.Clock.AfterFunc(d, r.nudge)
	}
	t.Reset(d)
	return t
}

type asked struct {
	token machine.Token
	body  any
}

// take gives the waiting commands their tokens.
func (r *runner) take() (all []asked, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.queue {
		token := machine.Token(0)
		if q.done != nil {
			r.token++
			token = r.token
			r.callers[token] = q.done
		}
		all = append(all, asked{token, q.body})
	}
	r.queue = nil
	return all, r.closed
}
