package group

import (
	"cmp"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// offsetCommit decides OffsetCommit. Who may commit:
//
//	no such group        anybody without a generation: this makes a group of offsets alone
//	Empty                anybody without a generation
//	PreparingRebalance   members, for the generation that ends
//	CompletingRebalance  nobody: REBALANCE_IN_PROGRESS
//	Stable               members of the generation
func (k *coordinator) offsetCommit(c OffsetCommit) OffsetCommitReply {
	if err := k.checkCommit(c); err != wire.None {
		return commitReply(c, func(CommitPartition) wire.ErrorCode { return err })
	}
	var records []machine.Record
	r := OffsetCommitReply{Topics: make([]CommittedTopic, len(c.Topics))}
	for i, t := range c.Topics {
		out := CommittedTopic{Topic: t.Topic, TopicID: t.TopicID, Partitions: make([]PartitionError, len(t.Partitions))}
		for j, p := range t.Partitions {
			out.Partitions[j].Partition = p.Partition
			if k.metadataTooLong(p.Metadata) {
				out.Partitions[j].Err = wire.OffsetMetadataTooLarge
				continue
			}
			records = append(records, offsetRecord(position{c.Group, t.Topic, p.Partition}, k.committed(c, t, p)))
		}
		r.Topics[i] = out
	}
	if k.tooLarge(records...) {
		return commitReply(c, func(CommitPartition) wire.ErrorCode { return wire.InvalidCommitOffsetSize })
	}
	k.append(records...)
	return r
}

func (k *coordinator) checkCommit(c OffsetCommit) wire.ErrorCode {
	g := k.groups[c.Group]
	if g == nil {
		return k.checkCommitNoGroup(c)
	}
	if c.Generation < 0 && g.state == Empty {
		return wire.None
	}
	if c.Generation < 0 && c.MemberID == "" && c.InstanceID == nil {
		return wire.UnknownMemberID
	}
	m, err := g.validate(c.MemberID, c.InstanceID)
	switch {
	case err != wire.None:
		return err
	case c.Generation != g.generation:
		return wire.IllegalGeneration
	case g.state == CompletingRebalance:
		return wire.RebalanceInProgress
	}
	k.resetSession(g, m)
	return wire.None
}

func (k *coordinator) checkCommitNoGroup(c OffsetCommit) wire.ErrorCode {
	switch {
	case c.Generation < 0 && k.durable.foreign[c.Group] == nil:
		return wire.None
	case c.Version >= 9:
		return wire.GroupIDNotFound
	case c.Generation < 0:
		return wire.UnknownMemberID
	}
	return wire.IllegalGeneration
}

func commitReply(c OffsetCommit, err func(CommitPartition) wire.ErrorCode) OffsetCommitReply {
	r := OffsetCommitReply{Topics: make([]CommittedTopic, len(c.Topics))}
	for i, t := range c.Topics {
		out := CommittedTopic{Topic: t.Topic, TopicID: t.TopicID, Partitions: make([]PartitionError, len(t.Partitions))}
		for j, p := range t.Partitions {
			out.Partitions[j] = PartitionError{Partition: p.Partition, Err: err(p)}
		}
		r.Topics[i] = out
	}
	return r
}

func (k *coordinator) metadataTooLong(s *string) bool {
	limit := k.settings.OffsetMetadataMax
	if s == nil || len(*s) <= limit {
		return false
	}
	// Kafka counts UTF-16 units. What is not UTF-8 counts by its bytes.
	if !utf8.ValidString(*s) {
		return true
	}
	units := 0
	for _, r := range *s {
		units += utf16.RuneLen(r)
	}
	return units > limit
}

func (k *coordinator) committed(c OffsetCommit, t CommitTopic, p CommitPartition) committed {
	v := committed{
		offset: p.Offset, leaderEpoch: max(p.LeaderEpoch, -1), commitMs: k.now.UnixMilli(), expireMs: -1, topicID: t.TopicID,
	}
	if p.Metadata != nil {
		v.metadata = *p.Metadata
	}
	if c.RetentionMs >= 0 {
		v.expireMs = v.commitMs + c.RetentionMs
	}
	return v
}

// offsetFetch decides OffsetFetch. A partition without a committed offset answers -1, and so does one whose offset
// was committed for another topic of the same name. With RequireStable a partition whose offset hangs on an open
// transaction answers UNSTABLE_OFFSET_COMMIT.
func (k *coordinator) offsetFetch(c OffsetFetch) OffsetFetchReply {
	o := k.durable.offsets[c.Group]
	if c.All {
		c.Topics = o.all()
	}
	r := OffsetFetchReply{Topics: make([]FetchedTopic, len(c.Topics))}
	for i, t := range c.Topics {
		out := FetchedTopic{Topic: t.Topic, TopicID: t.TopicID, Partitions: make([]FetchedPartition, len(t.Partitions))}
		for j, p := range t.Partitions {
			out.Partitions[j] = o.fetch(t, p, c.RequireStable)
		}
		r.Topics[i] = out
	}
	return r
}

func (o *groupOffsets) fetch(t FetchTopic, partition int32, stable bool) FetchedPartition {
	none := FetchedPartition{Partition: partition, Offset: -1, LeaderEpoch: -1}
	if o == nil {
		return none
	}
	if stable && len(o.open[topicPartition{t.Topic, partition}]) > 0 {
		none.Err = wire.UnstableOffsetCommit
		return none
	}
	v, ok := o.committed[t.Topic][partition]
	if !ok || !v.topicID.IsZero() && !t.TopicID.IsZero() && v.topicID != t.TopicID {
		return none
	}
	return FetchedPartition{Partition: partition, Offset: v.offset, LeaderEpoch: v.leaderEpoch, Metadata: v.metadata}
}

// all names every committed partition, sorted.
func (o *groupOffsets) all() []FetchTopic {
	if o == nil {
		return nil
	}
	var out []FetchTopic
	for _, topic := range sortedKeys(o.committed) {
		out = append(out, FetchTopic{Topic: topic, Partitions: sortedKeys(o.committed[topic])})
	}
	return out
}

// offsetDelete decides OffsetDelete: offsets of topics that no member of a running consumer group subscribes to.
func (k *coordinator) offsetDelete(c OffsetDelete) OffsetDeleteReply {
	g := k.groups[c.Group]
	switch {
	case c.Group == "":
		return OffsetDeleteReply{Err: wire.InvalidGroupID}
	case g == nil:
		return OffsetDeleteReply{Err: wire.GroupIDNotFound}
	case g.state != Empty && !g.isConsumer():
		return OffsetDeleteReply{Err: wire.NonEmptyGroup}
	}
	o := k.durable.offsets[c.Group]
	r := OffsetDeleteReply{Topics: make([]OffsetDeletedTopic, len(c.Topics))}
	for i, t := range c.Topics {
		out := OffsetDeletedTopic{Topic: t.Topic, Partitions: make([]PartitionError, len(t.Partitions))}
		for j, p := range t.Partitions {
			out.Partitions[j].Partition = p
			if g.subscribes(t.Topic) {
				out.Partitions[j].Err = wire.GroupSubscribedToTopic
			} else if o.has(topicPartition{t.Topic, p}) {
				k.append(offsetTombstone(position{c.Group, t.Topic, p}))
			}
		}
		r.Topics[i] = out
	}
	return r
}

// sortedKeys returns a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
