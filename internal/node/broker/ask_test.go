package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/group"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// A slowHost keeps its answers back until the test lets them go, once it is slow.
type slowHost struct {
	Host
	slow atomic.Bool
	mu   sync.Mutex
	held []func()
}

func (h *slowHost) hold(f func()) {
	h.mu.Lock()
	h.held = append(h.held, f)
	h.mu.Unlock()
}

func (h *slowHost) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

func (h *slowHost) letGo() {
	h.mu.Lock()
	all := h.held
	h.held = nil
	h.mu.Unlock()
	for _, f := range all {
		f()
	}
}

func (h *slowHost) Control(body any, done func(any, wire.ErrorCode)) {
	if !h.slow.Load() {
		h.Host.Control(body, done)
		return
	}
	h.hold(func() { done(meta.CreateTopicsReply{}, wire.None) })
}

func (h *slowHost) Ask(_ string, _ int32, body any, done func(any, wire.ErrorCode)) {
	h.hold(func() { done(group.HeartbeatReply{}, wire.None) })
}

func (h *slowHost) AllocateProducerID(done func(int64, wire.ErrorCode)) {
	h.hold(func() { done(1, wire.None) })
}

func newSlowNode(t *testing.T) (*node, *slowHost, *simenv.Clock) {
	clock := simenv.NewClock(time.Unix(1_800_000_000, 0))
	h := &slowHost{}
	open := func(t *testing.T, e env.Env, s Settings, at []Endpoint) Host {
		h.Host = openHost(t, e, s, at)
		return h
	}
	n := newNodeOn(t, open, Options{Env: env.Env{Clock: clock}}, "request.timeout.ms=7000", "offsets.commit.timeout.ms=3000")
	n.create("t", 1)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"g"}
	call[*kmsg.FindCoordinatorResponse](n, find, 4)
	h.slow.Store(true)
	return n, h, clock
}

// TestNobodyWaitsForEver: the machines of a node whose disk hangs answer nothing, the broker does.
func TestNobodyWaitsForEver(t *testing.T) {
	n, h, clock := newSlowNode(t)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 2000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new", 1, 1
	create.Topics = append(create.Topics, topic)
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group = "g"
	for _, c := range []struct {
		req     kmsg.Request
		version int16
		limit   time.Duration
		code    func(kmsg.Response) int16
		want    wire.ErrorCode
	}{
		{create, 5, 2 * time.Second, func(r kmsg.Response) int16 { return r.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode }, wire.RequestTimedOut},
		{alteration(2, "t", op("retention.ms", 0, "1")), 1, 7 * time.Second,
			func(r kmsg.Response) int16 { return r.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode }, wire.RequestTimedOut},
		{kmsg.NewPtrInitProducerIDRequest(), 4, 7 * time.Second,
			func(r kmsg.Response) int16 { return r.(*kmsg.InitProducerIDResponse).ErrorCode }, wire.CoordinatorLoadInProgress},
		{beat, 4, 3 * time.Second, func(r kmsg.Response) int16 { return r.(*kmsg.HeartbeatResponse).ErrorCode }, wire.CoordinatorNotAvailable},
	} {
		cl := n.dial()
		if p, ok := c.req.(*kmsg.InitProducerIDRequest); ok {
			p.ProducerID, p.ProducerEpoch = -1, -1
		}
		cl.send(request(c.req, c.version, 77))
		n.until(func() bool { return h.waiting() == 1 && n.unanswered() == 1 }) // those before are gone
		clock.Advance(c.limit - time.Millisecond)
		if n.unanswered() != 1 {
			t.Errorf("%T was answered before its time", c.req)
		}
		clock.Advance(time.Millisecond)
		is(t, "too late", c.code(answer1[kmsg.Response](cl, c.req, c.version)), c.want)
		h.letGo() // nobody hears it any more
		cl.Close()
	}
}

// unanswered counts requests in flight.
func (n *node) unanswered() (count int) {
	n.Broker.mu.Lock()
	defer n.Broker.mu.Unlock()
	for c := range n.conns {
		c.mu.Lock()
		count += int(c.tail - c.head)
		c.mu.Unlock()
	}
	return count
}

// TestStopSendsGroupMembersAway: a member that waits for others would wait beyond the end.
func TestStopSendsGroupMembersAway(t *testing.T) {
	n, h, _ := newSlowNode(t)
	join, late := n.dial(), n.dial()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType = "g", "consumer"
	join.send(request(req, 5, 77))
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group = "g"
	late.send(request(sync, 3, 77))
	n.until(func() bool { return h.waiting() == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
	is(t, "join", answer1[*kmsg.JoinGroupResponse](join, req, 5).ErrorCode, wire.NotCoordinator)
	is(t, "sync", answer1[*kmsg.SyncGroupResponse](late, sync, 3).ErrorCode, wire.NotCoordinator)
	join.ended()
	h.letGo() // after the end
}

// A member whose connection ends no longer holds memory for an answer.
func TestGroupMembersThatGoAreForgotten(t *testing.T) {
	n, h, _ := newSlowNode(t)
	c := n.dial()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group = "g"
	c.send(request(req, 5, 77))
	n.until(func() bool { return h.waiting() == 1 })
	c.Close()
	n.until(func() bool { return n.Connections() == 0 })
	h.letGo()
}
