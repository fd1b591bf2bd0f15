package group

import (
	"slices"

	"millrace/internal/core/machine"
)

// sweep is the clean-up: of offsets past their retention every now and then, of offsets of deleted topics and of
// deleted groups when told. What does not fit into one batch goes on at the next tick, when the records so far have been replayed: it
// looks again at everything, so that an offset committed in between is judged anew.
type sweep struct {
	expiry, deletion, groups timer
	topics                   []DeletedTopic
	deletions                []*deletion
}

func (k *coordinator) scheduleSweep() {
	k.sweep.expiry.fire = k.expire
	k.sweep.deletion.fire = k.deleteTopics
	k.sweep.groups.fire = k.deleteGroups
	if k.settings.RetentionCheck > 0 {
		k.after(&k.sweep.expiry, k.settings.RetentionCheck)
	}
}

// expire writes tombstones for offsets whose time is over and for Empty groups that have none left.
func (k *coordinator) expire() {
	for _, id := range sortedKeys(k.groups) {
		if !k.expireGroup(k.groups[id]) {
			k.after(&k.sweep.expiry, 0)
			return
		}
	}
	k.after(&k.sweep.expiry, k.settings.RetentionCheck)
}

// expireGroup returns false when the batch is full.
func (k *coordinator) expireGroup(g *classic) bool {
	base, ok := g.expiryBase()
	if !ok {
		return true
	}
	o, left := k.durable.offsets[g.id], 0
	for _, p := range o.positions(g.id) {
		if g.subscribes(p.topic) || !k.expired(o, p, base) {
			left++
			continue
		}
		if k.full() {
			return false
		}
		k.append(offsetTombstone(p))
	}
	if left == 0 && g.state == Empty && len(g.pending) == 0 {
		if k.full() {
			return false
		}
		k.append(groupTombstone(g.id))
	}
	return true
}

// expiryBase tells from when on the group's offsets age: an Empty group's from the moment it became empty, a running
// consumer group's from their commit (and only those of topics it does not read), those of a group without members
// from their commit. False: they do not age now.
func (g *classic) expiryBase() (func(committed) int64, bool) {
	commit := func(v committed) int64 { return v.commitMs }
	switch {
	case g.protocolType == nil:
		return commit, true
	case g.state == Empty && g.sinceMs >= 0:
		return func(committed) int64 { return g.sinceMs }, true
	case g.state == Empty:
		return commit, true
	case g.state == Stable && g.isConsumer() && g.topics != nil:
		return commit, true
	}
	return nil, false
}

func (k *coordinator) expired(o *groupOffsets, p position, base func(committed) int64) bool {
	v, ok := o.committed[p.topic][p.partition]
	if !ok || len(o.open[topicPartition{p.topic, p.partition}]) > 0 {
		return false
	}
	now := k.now.UnixMilli()
	if v.expireMs >= 0 {
		return now >= v.expireMs
	}
	return now-base(v) >= k.settings.OffsetsRetention.Milliseconds()
}

func (k *coordinator) topicsDeleted(c TopicsDeleted) {
	for _, t := range c.Topics {
		if !slices.Contains(k.sweep.topics, t) {
			k.sweep.topics = append(k.sweep.topics, t)
		}
	}
	k.deleteTopics()
}

func (k *coordinator) deleteTopics() {
	for _, id := range sortedKeys(k.durable.offsets) {
		o := k.durable.offsets[id]
		for _, p := range o.positions(id) {
			if !k.topicGone(o, p) {
				continue
			}
			if k.full() {
				k.after(&k.sweep.deletion, 0)
				return
			}
			k.append(offsetTombstone(p))
		}
	}
	k.sweep.topics = nil
}

// topicGone says whether the offset was committed for a topic that is gone. An offset without a topic id belongs to
// whatever topic has the name.
func (k *coordinator) topicGone(o *groupOffsets, p position) bool {
	gone := func(v committed) bool {
		return slices.ContainsFunc(k.sweep.topics, func(t DeletedTopic) bool {
			return t.Name == p.topic && (v.topicID.IsZero() || v.topicID == t.ID)
		})
	}
	if v, ok := o.committed[p.topic][p.partition]; ok {
		return gone(v)
	}
	for _, producer := range sortedKeys(o.open[topicPartition{p.topic, p.partition}]) {
		if gone(k.durable.pending[producer][p]) {
			return true
		}
	}
	return false
}

// full says that another record would make the batch too large.
func (k *coordinator) full() bool {
	limit := k.settings.MaxBatchBytes
	return limit > 0 && len(k.out.Records) > 0 && batchBytes(k.out.Records...) > limit/2
}

func (k *coordinator) tooLarge(rs ...machine.Record) bool {
	limit := k.settings.MaxBatchBytes
	return limit > 0 && batchBytes(rs...) > limit
}

// batchBytes bounds the size of a batch of these records from above.
func batchBytes(rs ...machine.Record) int {
	const header, perRecord = 61, 32
	n := header
	for _, r := range rs {
		n += perRecord + len(r.Key) + len(r.Value)
	}
	return n
}
