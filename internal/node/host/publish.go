package host

import (
	"slices"

	"millrace/internal/core/meta"
	"millrace/internal/core/replica"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env/failpoint"
)

// publish makes the node follow an image: logs of new partitions first, then the pointer, then those who wait for it.
// It is called by the metadata loop alone.
func (h *Host) publish(next *meta.Image, delta meta.Delta) error {
	h.note(next, delta)
	var gone []*meta.Topic
	for _, c := range delta.Topics {
		if c.New == nil {
			gone = append(gone, c.Old)
		}
		for _, pc := range c.Partitions {
			h.follow(next, c, pc)
		}
	}
	if err := failpoint.Hit("meta.publish.before-image"); err != nil {
		return err
	}
	h.image.Store(next)
	h.configure(next, delta)
	if len(gone) > 0 && h.o.DeletedTopics != nil {
		h.tell(h.o.DeletedTopics(gone))
	}
	h.mu.Lock()
	var ready []func()
	h.waits = slices.DeleteFunc(h.waits, func(w imageWait) bool {
		if w.offset <= next.Offset() {
			ready = append(ready, w.ready)
			return true
		}
		return false
	})
	h.mu.Unlock()
	for _, f := range ready {
		f()
	}
	return nil
}

// follow acts on one partition that changed. What goes wrong with its log concerns that partition alone.
func (h *Host) follow(image *meta.Image, c meta.TopicChange, pc meta.PartitionChange) {
	mine := pc.New != nil && slices.Contains(pc.New.Replicas, h.o.NodeID)
	if !mine {
		if c.New == nil {
			h.remove(key{c.Name(), pc.Partition}, c.ID())
		}
		return
	}
	p := h.open(image, c.Name(), c.ID(), pc.Partition)
	if p == nil {
		return
	}
	if p.log.Err() != nil {
		p.resign(wire.KafkaStorageError)
		return
	}
	// A leader of an epoch of an earlier start of this node is not followed: Register takes a new epoch for all.
	if pc.New.Leader != h.o.NodeID || !h.registered(image) {
		return
	}
	if pc.Old != nil && pc.Old.LeaderEpoch == pc.New.LeaderEpoch && p.State().Leader {
		return
	}
	p.become(replica.Config{ID: h.o.NodeID, Epoch: pc.New.LeaderEpoch, Replicas: pc.New.Replicas, ISR: pc.New.ISR, PartitionEpoch: pc.New.PartitionEpoch,
		MinISR: h.o.MinISR(image, c.Name()), FlushBeforeAck: flushes(p.log.Config())})
	h.run(p)
}

// registered reports whether this start's registration is in the image.
func (h *Host) registered(image *meta.Image) bool {
	b := image.Broker(h.o.NodeID)
	return b != nil && !b.Fenced && b.Incarnation == h.incarnation
}

func flushes(c commitlog.Config) bool { return c.FlushBeforeAck || c.FlushMessages <= 1 }

// configure gives changed settings to the logs.
func (h *Host) configure(image *meta.Image, delta meta.Delta) {
	if len(delta.Configs) == 0 {
		return
	}
	all := false
	topics := map[string]bool{}
	for _, r := range delta.Configs {
		if r.Type == meta.TopicResource {
			topics[r.Name] = true
		} else {
			all = true
		}
	}
	for _, p := range h.Partitions() {
		if !all && !topics[p.topic] {
			continue
		}
		c := h.o.LogConfig(image, p.topic)
		p.log.SetConfig(c)
		p.mu.Lock()
		if p.lead != nil {
			p.lead.SetMinISR(h.o.MinISR(image, p.topic), p.now())
			p.lead.SetFlushBeforeAck(flushes(c), p.now())
		}
		p.advance()
		p.log.RequestSync()
	}
}

// tell gives every machine a command that nobody waits for.
func (h *Host) tell(body any) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, r := range h.runners {
		r.tell(body)
	}
}
