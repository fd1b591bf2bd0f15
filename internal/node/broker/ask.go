package broker

import (
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/config"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// reply takes an answer of a machine apart, by value or by pointer; an answer of another type is a broken invariant.
func replyAs[R any](reply any) (R, bool) {
	switch v := reply.(type) {
	case R:
		return v, true
	case *R:
		if v != nil {
			return *v, true
		}
	}
	var none R
	return none, false
}

// A question is put to a machine. It is answered once: by the machine, or for it when that takes too long or the broker
// stops. Whatever else says so later is too late and not heard.
type question[R any] struct {
	r     *Request
	then  func(R, wire.ErrorCode)
	over  atomic.Bool
	timer env.Timer // nil: it may take as long as it takes
}

// askWithin gives the machine some time; after it the answer is the code given here.
func askWithin[R any](r *Request, limit time.Duration, late wire.ErrorCode, then func(R, wire.ErrorCode)) *question[R] {
	q := &question[R]{r: r, then: then}
	q.timer = r.b.clock.AfterFunc(limit, func() { q.give(late) })
	return q
}

// askParked gives it any time there is, until the broker stops or the client has gone: JoinGroup and SyncGroup wait for
// other clients. On a stop the client is told to look for another coordinator.
func askParked[R any](r *Request, then func(R, wire.ErrorCode)) *question[R] {
	q := &question[R]{r: r, then: then}
	if c, give := r.conn, func() { q.give(wire.NotCoordinator) }; !c.park(r, give) {
		give()
	}
	return q
}

// give answers without the machine.
func (q *question[R]) give(code wire.ErrorCode) {
	var none R
	if !q.over.Swap(true) {
		q.then(none, code)
	}
}

// hear takes the machine's answer.
func (q *question[R]) hear(reply any, code wire.ErrorCode) {
	if q.over.Swap(true) {
		return
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	v, ok := replyAs[R](reply)
	if !ok && code == wire.None {
		q.r.b.log.Error("a machine gave an answer of the wrong type", "answer", reply)
		code = wire.UnknownServerError
	}
	q.then(v, code)
}

// control asks the metadata controller. With a code other than None there is no reply. A client that names a time is
// told after it that the request timed out; without one request.timeout.ms holds.
func control[R any](r *Request, timeoutMs int32, body any, then func(R, wire.ErrorCode)) {
	limit := r.b.limits.request
	if timeoutMs > 0 {
		limit = time.Duration(timeoutMs) * time.Millisecond
	}
	r.b.host.Control(body, askWithin(r, limit, wire.RequestTimedOut, then).hear)
}

// shown calls then once the image shows a change that was made at offset, or after request.timeout.ms: the change is
// committed, whoever sees it.
func (r *Request) shown(offset int64, then func()) {
	var once sync.Once
	t := r.b.clock.AfterFunc(r.b.limits.request, func() { once.Do(then) })
	r.b.host.WaitImage(offset, func() {
		t.Stop()
		once.Do(then)
	})
}

// ask asks the coordinator of a group.
func ask[R any](r *Request, group string, body any, then func(R, wire.ErrorCode)) {
	p, code := r.b.coordinatorPartition(group)
	if code != wire.None {
		var none R
		then(none, code)
		return
	}
	askPartition(r, p, body, then)
}

// askPartition asks the coordinator on one partition. What it writes must be committed within
// offsets.commit.timeout.ms; otherwise clients are to look for the coordinator anew, and try again.
func askPartition[R any](r *Request, partition int32, body any, then func(R, wire.ErrorCode)) {
	q := askWithin(r, r.b.limits.commit, wire.CoordinatorNotAvailable, then)
	r.b.host.Ask(offsetsTopic, partition, body, q.hear)
}

// askForLong asks the coordinator of a group something that it answers when other clients have done their part.
func askForLong[R any](r *Request, group string, body any, then func(R, wire.ErrorCode)) {
	p, code := r.b.coordinatorPartition(group)
	if code != wire.None {
		var none R
		then(none, code)
		return
	}
	b := r.b
	q := askParked(r, then)
	b.host.Ask(offsetsTopic, p, body, q.hear)
}

// coordinatorPartition is where a group lives.
func (b *Broker) coordinatorPartition(group string) (int32, wire.ErrorCode) {
	t := b.host.Image().Topic(offsetsTopic)
	if t == nil || len(t.Partitions) == 0 {
		return 0, wire.NotCoordinator
	}
	return groupPartition(group, len(t.Partitions)), wire.None
}

// brokerValues are the settings that hold on this node now.
func (b *Broker) brokerValues() config.Values {
	image := b.host.Image()
	return config.Broker(b.settings, image.Config(brokerConfigs, ""), image.Config(brokerConfigs, b.nodeName()))
}

// fail notes the error that a request is counted under.
func (r *Request) fail(code wire.ErrorCode) {
	if code != wire.None {
		r.failed.Store(int32(code))
	}
}

// text is a nullable string: empty is null.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// message is the text that goes with a code: what is known, or what the code means.
func explain(code wire.ErrorCode, known string) *string {
	if code == wire.None {
		return nil
	}
	if known == "" {
		known = code.Meaning()
	}
	return &known
}
