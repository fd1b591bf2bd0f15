package host

import (
	"sync/atomic"
	"time"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
)

// logsKnown is what the metadata loop knows of logs beside the image. A log is only ever removed because a committed
// record says so:
//
//	its topic's id was removed by a record          the log goes
//	its topic's id is not in the image, no record   a stray: it is reported and left alone
//	another topic has its name now, no record       it is set aside, so that the new topic finds its place free
type logsKnown struct {
	removed  map[wire.UUID]int64 // topics that a record has removed since the last snapshot, and its offset
	wanting  map[key]bool        // partitions that have no log because the disk refused one
	askedAt  time.Time           // when it was last asked
	starting bool                // the image is that of the start: its partitions had logs before
	deleting atomic.Int64        // removals that are not done
}

// note remembers what the delta to an image removes.
func (h *Host) note(next *meta.Image, delta meta.Delta) {
	for _, c := range delta.Topics {
		if c.New == nil {
			h.logs.removed[c.ID()] = next.Offset()
		}
	}
}

// takeStock is called before the first image is followed.
func (h *Host) takeStock(image *meta.Image) {
	h.logs.starting = true
	h.lost = h.lostDirs(image)
	if len(h.lost) > 0 {
		h.o.Log.Warn("log directories of the last start are gone; partitions whose logs are not found are not served", "directories", h.lost)
	}
}

// sortOut is called once the first image is followed: what no partition has claimed is deleted or a stray.
func (h *Host) sortOut(image *meta.Image) {
	h.logs.starting = false
	for _, d := range h.dirs {
		for _, l := range d.Logs() {
			if l == h.meta.log {
				continue
			}
			if p := h.Partition(l.Topic(), l.Partition()); p != nil && p.log == l {
				continue
			}
			if h.wasRemoved(l.ID()) {
				h.discard(l)
				continue
			}
			h.o.Log.Warn("a log that the metadata does not know is left alone", "path", l.Path(), "topic.id", l.ID())
		}
	}
}

// open finds or makes the log of a partition; nil when there is none. A directory that is offline hosts nothing new.
func (h *Host) open(image *meta.Image, topic string, id wire.UUID, partition int32) *Partition {
	k := key{topic, partition}
	if p := h.Partition(topic, partition); p != nil && p.id == id {
		return p
	}
	config := h.o.LogConfig(image, topic)
	l, err := h.claim(h.findLog(topic, partition), id)
	if err == nil && l == nil {
		if h.isMissing(k) {
			return nil
		}
		l, err = h.create(k, id, config)
	}
	if err != nil {
		h.o.Log.Error("a partition has no log, and it will be tried again", "topic", topic, "partition", partition, "err", err)
		h.logs.wanting[k] = true
		return nil
	}
	if l == nil {
		return nil
	}
	delete(h.logs.wanting, k)
	l.SetConfig(config)
	p := newPartition(h, topic, partition, id, l)
	h.mu.Lock()
	h.parts[k] = p
	h.mu.Unlock()
	return p
}

// claim decides what to do with a log that lies where a topic's log belongs; nil: the place is free now.
func (h *Host) claim(l *commitlog.Log, id wire.UUID) (*commitlog.Log, error) {
	switch {
	case l == nil || l.ID() == id:
		return l, nil
	case l.ID().IsZero():
		// partition.metadata is durable before the first acknowledgement: either nothing here was acknowledged, or the
		// file was damaged and the name is right.
		return l, l.Adopt(id)
	case h.wasRemoved(l.ID()):
		return nil, l.Dir().Delete(l)
	}
	path, err := l.Dir().SetAside(l)
	if err == nil {
		h.o.Log.Warn("a log of an unknown topic of the same name was set aside", "path", path, "topic.id", l.ID())
	}
	return nil, err
}

func (h *Host) create(k key, id wire.UUID, config commitlog.Config) (*commitlog.Log, error) {
	d := h.roomiest()
	if d == nil {
		return nil, nil
	}
	return d.Create(k.topic, k.partition, id, config)
}

// isMissing tells that a partition has no log here because a directory is gone. An empty log in its place would look
// like the end of what was acknowledged.
func (h *Host) isMissing(k key) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.logs.starting && len(h.lost) > 0 {
		h.missing[k] = true
		h.o.Log.Error("the log of a partition is not found and may lie in a directory that is gone: the partition is not served", "topic", k.topic, "partition", k.partition)
	}
	return h.missing[k]
}

func (h *Host) findLog(topic string, partition int32) *commitlog.Log {
	for _, d := range h.dirs {
		if l := d.Log(topic, partition); l != nil {
			return l
		}
	}
	return nil
}

// remove takes a partition of a deleted topic away.
func (h *Host) remove(k key, id wire.UUID) {
	delete(h.logs.wanting, k)
	h.mu.Lock()
	p, r := h.parts[k], h.runners[k]
	mine := p != nil && p.id == id
	if mine {
		delete(h.parts, k)
		delete(h.runners, k)
	}
	delete(h.missing, k)
	h.mu.Unlock()
	if !mine {
		if l := h.findLog(k.topic, k.partition); l != nil && l.ID() == id {
			h.discard(l)
		}
		return
	}
	if r != nil {
		r.close()
	}
	p.resign(wire.UnknownTopicOrPartition)
	h.logs.deleting.Add(1)
	p.asAppender(func() {
		h.discard(p.log)
		h.logs.deleting.Add(-1)
	})
}

// discard deletes a log of a removed topic. One that cannot be deleted keeps snapshots from covering the record that
// removed its topic, so that the next start tries again.
func (h *Host) discard(l *commitlog.Log) {
	if err := l.Dir().Delete(l); err != nil {
		h.logs.deleting.Add(1)
		h.o.Log.Error("deleting a log failed", "topic", l.Topic(), "partition", l.Partition(), "err", err)
	}
}

// openAgain tries once a second to make the logs that the disk refused.
func (h *Host) openAgain(now time.Time) {
	if len(h.logs.wanting) == 0 || now.Sub(h.logs.askedAt) < time.Second {
		return
	}
	h.logs.askedAt = now
	image := h.Image()
	for k := range h.logs.wanting { // each by itself
		t := image.Topic(k.topic)
		if p := image.Partition(k.topic, k.partition); p != nil {
			h.follow(image, meta.TopicChange{New: t}, meta.PartitionChange{Partition: k.partition, New: p})
			continue
		}
		delete(h.logs.wanting, k)
	}
}
