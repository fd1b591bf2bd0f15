package group

import (
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
)

// The versions of the values, as Kafka 4.3 writes them at every feature level. An offset with an expiry of its own,
// which only OffsetCommit up to version 4 can ask for, needs version 1.
const (
	groupValueVersion            = 3
	offsetValueVersion           = 4
	offsetValueVersionWithExpiry = 1
)

func offsetRecord(p position, v committed) machine.Record {
	version := int16(offsetValueVersion)
	if v.expireMs >= 0 {
		version = offsetValueVersionWithExpiry
	}
	return machine.Record{Key: positionKey(p), Value: record.AppendValue(nil, version, &record.OffsetCommitValue{
		Offset: v.offset, LeaderEpoch: v.leaderEpoch, Metadata: v.metadata,
		CommitTimestamp: v.commitMs, ExpireTimestamp: v.expireMs, TopicID: v.topicID,
	})}
}

func offsetTombstone(p position) machine.Record { return machine.Record{Key: positionKey(p)} }

func positionKey(p position) []byte {
	return record.AppendKey(nil, offsetKey, &record.OffsetCommitKey{Group: p.group, Topic: p.topic, Partition: p.partition})
}

// groupRecord tells the group as it is, with the given assignments.
func groupRecord(g *classic, assignments map[string][]byte) machine.Record {
	v := &record.GroupMetadataValue{
		Generation: g.generation, Protocol: g.protocol, CurrentStateTimestamp: g.sinceMs,
		Members: make([]record.MemberMetadata, len(g.members)),
	}
	if g.protocolType != nil {
		v.ProtocolType = *g.protocolType
	}
	if g.leader != "" {
		v.Leader = &g.leader
	}
	for i, m := range g.members {
		v.Members[i] = record.MemberMetadata{
			MemberID: m.id, GroupInstanceID: m.instance, ClientID: m.clientID, ClientHost: m.clientHost,
			RebalanceTimeout: int32(m.rebalance.Milliseconds()), SessionTimeout: int32(m.session.Milliseconds()),
			Subscription: m.metadata(g.protocol), Assignment: assignments[m.id],
		}
	}
	return groupMetadata(g.id, v)
}

// newGroupRecord tells that the group exists, whatever its first members come to.
func newGroupRecord(g *classic) machine.Record {
	return groupMetadata(g.id, &record.GroupMetadataValue{CurrentStateTimestamp: g.sinceMs})
}

func groupMetadata(id string, v *record.GroupMetadataValue) machine.Record {
	return machine.Record{Key: groupMetadataKey(id), Value: record.AppendValue(nil, groupValueVersion, v)}
}

func groupTombstone(id string) machine.Record { return machine.Record{Key: groupMetadataKey(id)} }

func groupMetadataKey(id string) []byte {
	return record.AppendKey(nil, groupKey, &record.GroupMetadataKey{Group: id})
}

// restore makes the group what its record says: Stable with members, Empty without.
func (g *classic) restore(v *record.GroupMetadataValue) {
	g.generation, g.protocol, g.sinceMs = v.Generation, v.Protocol, v.CurrentStateTimestamp
	if v.ProtocolType != "" {
		g.protocolType = &v.ProtocolType
	}
	if len(v.Members) > 0 {
		g.state = Stable
	}
	for _, r := range v.Members {
		g.add(restoreMember(v, r), v.ProtocolType)
	}
	if v.Leader != nil && g.byID[*v.Leader] != nil {
		g.leader = *v.Leader
	}
	g.topics = g.subscribedTopics()
}

func restoreMember(v *record.GroupMetadataValue, r record.MemberMetadata) *member {
	m := &member{
		id: r.MemberID, instance: r.GroupInstanceID, clientID: r.ClientID, clientHost: r.ClientHost,
		session: time.Duration(r.SessionTimeout) * time.Millisecond, rebalance: time.Duration(r.RebalanceTimeout) * time.Millisecond,
		assignment: r.Assignment,
	}
	if r.RebalanceTimeout < 0 {
		m.rebalance = m.session
	}
	if v.Protocol != nil {
		m.protocols = []Protocol{{Name: *v.Protocol, Metadata: r.Subscription}}
	}
	return m
}
