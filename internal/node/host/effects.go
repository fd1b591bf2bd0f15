package host

import (
	"sync"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env/failpoint"
)

// outbox holds a machine's results until they are committed, and then hands them out in the order in which they were
// decided. The high watermark is told by whoever moved it, often several at once: one of them delivers, for all.
type outbox struct {
	mu         sync.Mutex
	line       []delivery // in the order of next
	covered    int64      // everything below is committed
	delivering bool
}

// delivery waits until everything below next is committed.
type delivery struct {
	next   int64
	result machine.Result
}

func (o *outbox) add(d delivery) {
	o.mu.Lock()
	o.line = append(o.line, d)
	o.mu.Unlock()
}

// cover delivers what is committed below an offset.
func (o *outbox) cover(offset int64, deliver func(machine.Result)) {
	o.mu.Lock()
	o.covered = max(o.covered, offset)
	if o.delivering {
		o.mu.Unlock()
		return
	}
	o.delivering = true
	for len(o.line) > 0 && o.line[0].next <= o.covered {
		d := o.line[0]
		o.line[0] = delivery{}
		o.line = o.line[1:]
		o.mu.Unlock()
		deliver(d.result)
		o.mu.Lock()
	}
	o.delivering = false
	o.mu.Unlock()
}

// perform delivers a result's replies and effects once everything before it is committed. When the lead is lost
// instead, serve finds out and drops the machine; its successor derives the effects again from what is committed.
func (h *Host) perform(r *runner, result machine.Result) {
	if len(result.Replies)+len(result.Effects) == 0 {
		return
	}
	out, next := r.out, r.applied
	out.add(delivery{next, result})
	r.p.whenCommitted(next, func(code wire.ErrorCode) {
		if code != wire.None && code != wire.NotEnoughReplicasAfterAppend {
			r.nudge()
			return
		}
		out.cover(next, r.deliver)
	})
}

func (r *runner) deliver(result machine.Result) {
	code := wire.None
	if failpoint.Hit("group.reply.before") != nil {
		code = wire.CoordinatorNotAvailable // done, and told otherwise: callers must stand that
	}
	for _, reply := range result.Replies {
		r.reply(reply.To, reply.Body, code)
	}
	for _, e := range result.Effects {
		r.h.o.Perform(Machine{r.p.topic, r.p.index}, e, r.tell)
	}
}

func (r *runner) reply(to machine.Token, body any, code wire.ErrorCode) {
	r.mu.Lock()
	done := r.callers[to]
	delete(r.callers, to)
	r.mu.Unlock()
	if done != nil {
		done(body, code)
	}
}

// tell gives the machine a command that nobody waits for, such as an effect's answer. One that is being loaded does not
// get it: it asks again for what it still wants.
func (r *runner) tell(body any) {
	r.mu.Lock()
	if !r.loading && !r.closed {
		r.queue = append(r.queue, question{body: body})
	}
	r.mu.Unlock()
	r.nudge()
}

// Machine names the partition that holds a machine's log.
type Machine struct {
	Topic     string
	Partition int32
}

func (h *Host) cannotPerform(m Machine, effect any, _ func(any)) {
	h.o.Log.Error("a coordinator asks for something that this node cannot do", "topic", m.Topic, "partition", m.Partition, "effect", effect)
}
