package host

import (
	"sync"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env/failpoint"
)

// producerIDs hands out the ids of the block that the controller gave this node.
type producerIDs struct {
	mu      sync.Mutex
	next    int64
	left    int32
	waiting []func(int64, wire.ErrorCode)
	asking  bool
}

// AllocateProducerID gives an id that nobody is ever given again (IDM-3).
func (h *Host) AllocateProducerID(done func(id int64, err wire.ErrorCode)) {
	ids := &h.ids
	ids.mu.Lock()
	ids.waiting = append(ids.waiting, done)
	h.serveIDs()
}

// serveIDs is called with ids.mu held and returns without it.
func (h *Host) serveIDs() {
	ids := &h.ids
	n := min(len(ids.waiting), int(ids.left))
	first, ready := ids.next, ids.waiting[:n]
	ids.waiting = ids.waiting[n:]
	ids.next, ids.left = ids.next+int64(n), ids.left-int32(n)
	ask := len(ids.waiting) > 0 && !ids.asking
	ids.asking = ids.asking || ask
	ids.mu.Unlock()
	for i, done := range ready {
		done(first+int64(i), wire.None)
	}
	if ask {
		h.Control(meta.AllocateProducerIDs{Broker: h.o.NodeID, Epoch: h.epoch.Load()}, h.gotIDs)
	}
}

func (h *Host) gotIDs(reply any, code wire.ErrorCode) {
	ids := &h.ids
	r, _ := reply.(meta.AllocateProducerIDsReply)
	if code == wire.None {
		code = r.Err
	}
	ids.mu.Lock()
	ids.asking = false
	if failpoint.Hit("ids.before-use") != nil {
		code = wire.UnknownServerError
	}
	if code == wire.None {
		ids.next, ids.left = r.First, r.Count
		h.serveIDs()
		return
	}
	failed := ids.waiting
	ids.waiting = nil
	ids.mu.Unlock()
	for _, done := range failed {
		done(-1, wire.CoordinatorLoadInProgress) // retriable: the client asks again
	}
}
