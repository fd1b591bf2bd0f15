package host

import (
	"fmt"
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
	var gone []*meta.Topic
	for _, c := range delta.Topics {
		if c.New == nil {
			gone = append(gone, c.Old)
		}
		for _, pc := range c.Partitions {
			if err := h.follow(next, c, pc); err != nil {
				return err
			}
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

// follow acts on one partition that changed.
func (h *Host) follow(image *meta.Image, c meta.TopicChange, pc meta.PartitionChange) error {
	mine := pc.New != nil && slices.Contains(pc.New.Replicas, h.o.NodeID)
	if !mine {
		if c.New == nil {
			return h.remove(key{c.Name(), pc.Partition}, c.ID())
		}
		return nil
	}
	p, err := h.open(image, c.Name(), c.ID(), pc.Partition)
	if err != nil || p == nil {
		return err
	}
	// A leader of an epoch of an earlier start of this node is not followed: Register takes a new epoch for all.
	if pc.New.Leader != h.o.NodeID || !h.registered(image) {
		return nil
	}
	if pc.Old != nil && pc.Old.LeaderEpoch == pc.New.LeaderEpoch && p.State().Leader {
		return nil
	}
	p.become(replica.Config{ID: h.o.NodeID, Epoch: pc.New.LeaderEpoch, Replicas: pc.New.Replicas, ISR: pc.New.ISR, PartitionEpoch: pc.New.PartitionEpoch,
		MinISR: h.o.MinISR(image, c.Name()), FlushBeforeAck: flushes(p.log.Config())})
	h.run(p)
	return nil
}

// registered reports whether this start's registration is in the image.
func (h *Host) registered(image *meta.Image) bool {
	b := image.Broker(h.o.NodeID)
	return b != nil && !b.Fenced && b.Incarnation == h.incarnation
}

func flushes(c commitlog.Config) bool { return c.FlushBeforeAck || c.FlushMessages <= 1 }

// open finds or makes the log of a partition. A log of an earlier topic of that name goes: the image says that the
// name belongs to another id, and it says so by a committed record. A directory that is offline hosts nothing.
func (h *Host) open(image *meta.Image, topic string, id wire.UUID, partition int32) (*Partition, error) {
	if p := h.Partition(topic, partition); p != nil && p.id == id {
		return p, nil
	}
	l := h.findLog(topic, partition)
	if l != nil && l.ID() != id {
		if err := l.Dir().Delete(l); err != nil {
			return nil, fmt.Errorf("removing the log of an earlier topic %s: %w", topic, err)
		}
		l = nil
	}
	config := h.o.LogConfig(image, topic)
	if l == nil {
		d := h.roomiest()
		if d == nil {
			return nil, nil
		}
		var err error
		if l, err = d.Create(topic, partition, id, config); err != nil {
			h.o.Log.Error("a partition has no log", "topic", topic, "partition", partition, "err", err)
			return nil, nil
		}
	}
	l.SetConfig(config)
	p := newPartition(h, topic, partition, id, l)
	h.mu.Lock()
	h.parts[key{topic, partition}] = p
	h.mu.Unlock()
	return p, nil
}

func (h *Host) findLog(topic string, partition int32) *commitlog.Log {
	for _, d := range h.dirs {
		if l := d.Log(topic, partition); l != nil {
			return l
		}
	}
	return nil
}

// roomiest is the directory with the fewest logs among those that work, as Kafka chooses.
func (h *Host) roomiest() *commitlog.Dir {
	var best *commitlog.Dir
	count := 0
	for _, d := range h.dirs {
		if d.Failed() != nil {
			continue
		}
		if n := len(d.Logs()); best == nil || n < count {
			best, count = d, n
		}
	}
	return best
}

// remove takes a partition of a deleted topic away.
func (h *Host) remove(k key, id wire.UUID) error {
	h.mu.Lock()
	p, r := h.parts[k], h.runners[k]
	if p != nil && p.id == id {
		delete(h.parts, k)
		delete(h.runners, k)
	}
	h.mu.Unlock()
	if p == nil || p.id != id {
		if l := h.findLog(k.topic, k.partition); l != nil && l.ID() == id {
			return l.Dir().Delete(l)
		}
		return nil
	}
	if r != nil {
		r.close()
	}
	p.resign(wire.UnknownTopicOrPartition)
	p.asAppender(func() {
		if err := p.log.Dir().Delete(p.log); err != nil {
			h.o.Log.Error("deleting a log failed", "topic", k.topic, "partition", k.partition, "err", err)
		}
	})
	return nil
}

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

// failed takes the partitions of a directory that went offline out of service.
func (h *Host) failed(d *commitlog.Dir) {
	for _, p := range h.Partitions() {
		if p.log.Dir() == d {
			p.resign(wire.KafkaStorageError)
		}
	}
}

// tell gives every machine a command that nobody waits for.
func (h *Host) tell(body any) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, r := range h.runners {
		r.ask(body, func(any, wire.ErrorCode) {})
	}
}
