package group

import (
	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// sync decides SyncGroup.
//
//	Empty                UNKNOWN_MEMBER_ID
//	PreparingRebalance   REBALANCE_IN_PROGRESS
//	CompletingRebalance  the caller waits; the leader's assignment is recorded and answers everybody
//	Stable               the member's assignment
func (k *coordinator) sync(t machine.Token, c Sync) {
	g, m, err := k.checkSync(c)
	if err != wire.None {
		k.reply(t, SyncReply{Err: err})
		return
	}
	switch g.state {
	case PreparingRebalance:
		k.reply(t, SyncReply{Err: wire.RebalanceInProgress})
	case CompletingRebalance:
		k.parkSync(g, m, t)
		k.synced(g, m)
		if m.id == g.leader {
			k.assign(g, c.Assignments)
		}
	case Stable:
		k.synced(g, m)
		k.reply(t, k.assigned(g, m.assignment))
	}
}

func (k *coordinator) checkSync(c Sync) (*classic, *member, wire.ErrorCode) {
	if c.Group == "" {
		return nil, nil, wire.InvalidGroupID
	}
	if c.Version >= 5 && (c.ProtocolType == nil || c.Protocol == nil) {
		return nil, nil, wire.InconsistentGroupProtocol
	}
	g := k.groups[c.Group]
	if g == nil || g.state == Empty {
		return nil, nil, wire.UnknownMemberID
	}
	m, err := g.validate(c.MemberID, c.InstanceID)
	switch {
	case err != wire.None:
		return nil, nil, err
	case c.Generation != g.generation:
		return nil, nil, wire.IllegalGeneration
	case differ(c.ProtocolType, g.protocolType) || differ(c.Protocol, g.protocol):
		return nil, nil, wire.InconsistentGroupProtocol
	}
	return g, m, wire.None
}

// differ compares what the client said with what the group has; one who said nothing does not differ.
func differ(said, is *string) bool {
	return said != nil && is != nil && *said != *is
}

func (k *coordinator) parkSync(g *classic, m *member, t machine.Token) {
	if m.syncing {
		k.answerSync(g, m, SyncReply{Err: wire.RebalanceInProgress})
	}
	m.syncing, m.syncToken = true, t
}

// assign records the leader's assignment, empty for those it left out, and answers those who wait with it. The group
// is Stable when the record is replayed.
func (k *coordinator) assign(g *classic, as []Assignment) {
	given := make(map[string][]byte, len(as))
	for _, a := range as {
		given[a.MemberID] = a.Assignment
	}
	r := groupRecord(g, given)
	if k.tooLarge(r) {
		k.failAssign(g)
		return
	}
	k.append(r)
	for _, m := range g.members {
		k.answerSync(g, m, k.assigned(g, given[m.id]))
	}
}

// failAssign answers an assignment that does not fit into a record: everybody has to think again.
func (k *coordinator) failAssign(g *classic) {
	for _, m := range g.members {
		k.answerSync(g, m, SyncReply{Err: wire.UnknownServerError})
	}
	k.prepareRebalance(g)
}

func (k *coordinator) assigned(g *classic, assignment []byte) SyncReply {
	return SyncReply{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: assignment}
}

// adopt makes a rebalance final: its record was replayed.
func (g *classic) adopt(assignments map[string][]byte, nowMs int64) {
	for _, m := range g.members {
		m.assignment = assignments[m.id]
	}
	g.state, g.sinceMs = Stable, nowMs
}

func (g *classic) assignments() map[string][]byte {
	out := make(map[string][]byte, len(g.members))
	for _, m := range g.members {
		out[m.id] = m.assignment
	}
	return out
}
