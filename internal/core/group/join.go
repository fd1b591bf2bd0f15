package group

import (
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// join decides JoinGroup.
//
//	Empty                the first member opens the initial rebalance
//	PreparingRebalance   the caller waits for the end of the join phase
//	CompletingRebalance  a member with nothing new gets the current generation; anything else starts over
//	Stable               the leader, or new metadata, starts a rebalance; other members get the current generation
//
// From version 4 a dynamic member without an id is sent back with one (MEMBER_ID_REQUIRED), so that a client that
// repeats its first request leaves no ghost.
func (k *coordinator) join(t machine.Token, c Join) {
	session := time.Duration(c.SessionTimeoutMs) * time.Millisecond
	switch {
	case c.Group == "":
		k.reply(t, joinError(wire.InvalidGroupID, c.MemberID))
		return
	case session < k.settings.MinSession || session > k.settings.MaxSession:
		k.reply(t, joinError(wire.InvalidSessionTimeout, c.MemberID))
		return
	case k.durable.foreign[c.Group] != nil:
		k.reply(t, joinError(wire.InconsistentGroupProtocol, ""))
		return
	}
	c.Protocols = distinct(c.Protocols)
	g := k.groups[c.Group]
	if g == nil {
		k.joinNewGroup(t, c)
		return
	}
	k.joinGroup(t, c, g)
}

// joinNewGroup makes the group and records it, unless the join is refused.
func (k *coordinator) joinNewGroup(t machine.Token, c Join) {
	if c.MemberID != "" {
		k.reply(t, joinError(wire.UnknownMemberID, c.MemberID))
		return
	}
	g := newClassic(c.Group)
	k.enter(g, Empty)
	k.joinGroup(t, c, g)
	if len(g.members) > 0 || len(g.pending) > 0 {
		k.groups[c.Group] = g
		k.append(newGroupRecord(g))
	}
}

func (k *coordinator) joinGroup(t machine.Token, c Join, g *classic) {
	switch {
	case !k.hasRoom(g, c.MemberID):
		k.refuse(t, c, g)
	case !g.accepts(c.ProtocolType, c.Protocols):
		k.reply(t, joinError(wire.InconsistentGroupProtocol, c.MemberID))
	case c.MemberID == "":
		k.joinNew(t, c, g)
	default:
		k.rejoin(t, c, g)
	}
}

// hasRoom bounds the members by group.max.size: while they rejoin, by those who are back, so that a group grown too
// large is cut to size.
func (k *coordinator) hasRoom(g *classic, id string) bool {
	if k.settings.MaxSize <= 0 {
		return true
	}
	m := g.byID[id]
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.joining || g.joining < k.settings.MaxSize
	case CompletingRebalance, Stable:
		return m != nil || len(g.members) < k.settings.MaxSize
	}
	return true
}

func (k *coordinator) refuse(t machine.Token, c Join, g *classic) {
	k.removePending(g, c.MemberID)
	if m := g.byID[c.MemberID]; m != nil {
		k.remove(g, m)
	}
	k.reply(t, joinError(wire.GroupMaxSizeReached, ""))
	k.tryCompleteJoin(g)
}

// joinNew takes in somebody without a member id.
func (k *coordinator) joinNew(t machine.Token, c Join, g *classic) {
	if c.InstanceID != nil {
		id := *c.InstanceID + "-" + k.newMemberID()
		if m := g.static[*c.InstanceID]; m != nil {
			k.replaceStatic(t, c, g, m, id)
			return
		}
		k.addMember(t, c, g, id)
		return
	}
	id := c.ClientID + "-" + k.newMemberID()
	if c.Version < 4 {
		k.addMember(t, c, g, id)
		return
	}
	p := &timer{fire: func() { k.endPending(g, id) }}
	g.pending[id] = p
	k.after(p, time.Duration(c.SessionTimeoutMs)*time.Millisecond)
	k.reply(t, joinError(wire.MemberIDRequired, id))
}

// endPending forgets a member that never came back with its id.
func (k *coordinator) endPending(g *classic, id string) {
	k.removePending(g, id)
	if g.state == PreparingRebalance && g.allJoined() {
		k.completeJoin(g)
	}
}

func (k *coordinator) addMember(t machine.Token, c Join, g *classic, id string) {
	k.removePending(g, id)
	m := &member{
		id: id, instance: c.InstanceID, clientID: c.ClientID, clientHost: c.ClientHost, isNew: true,
		protocols: c.Protocols, session: c.session(), rebalance: c.rebalance(),
	}
	g.grew = true
	g.add(m, c.ProtocolType)
	k.park(g, m, t)
	k.setSession(g, m)
	k.after(&m.sessionTimer, newMemberJoinTimeout)
	k.rebalance(g)
}

// rejoin takes back a member that has an id.
func (k *coordinator) rejoin(t machine.Token, c Join, g *classic) {
	if g.pending[c.MemberID] != nil && c.InstanceID == nil {
		k.addMember(t, c, g, c.MemberID)
		return
	}
	m, err := g.validate(c.MemberID, c.InstanceID)
	if err != wire.None {
		k.reply(t, joinError(err, c.MemberID))
		return
	}
	same := m.matches(c.Protocols)
	switch {
	case g.state == CompletingRebalance && same, g.state == Stable && same && m.id != g.leader:
		k.reply(t, k.joined(g, m))
	default:
		k.update(g, m, c)
		k.park(g, m, t)
		k.rebalance(g)
	}
}

func (k *coordinator) update(g *classic, m *member, c Join) {
	g.setProtocols(m, c.Protocols)
	m.session, m.rebalance = c.session(), c.rebalance()
}

// park lets the caller wait for the end of the join phase. A caller that waited in the same member's name, on a
// connection that it gave up, is told to try again.
func (k *coordinator) park(g *classic, m *member, t machine.Token) {
	k.answerJoin(g, m, joinError(wire.RebalanceInProgress, m.id))
	m.joining, m.joinToken = true, t
	g.joining++
}

// replaceStatic gives a static member that came back without its id a new one, and fences whoever uses the old. While
// the group is Stable and its protocol stays, nobody else notices.
func (k *coordinator) replaceStatic(t machine.Token, c Join, g *classic, m *member, id string) {
	leader := g.leader
	k.answerJoin(g, m, joinError(wire.FencedInstanceID, m.id))
	k.answerSync(g, m, SyncReply{Err: wire.FencedInstanceID})
	g.rename(m, id)
	m.clientID, m.clientHost, m.isNew = c.ClientID, c.ClientHost, false
	k.update(g, m, c)
	k.resetSession(g, m)
	if g.state != Stable || g.protocol == nil || g.selectProtocol() != *g.protocol || k.tooLarge(groupRecord(g, g.assignments())) {
		k.park(g, m, t)
		k.rebalance(g)
		return
	}
	k.append(groupRecord(g, g.assignments()))
	r := k.joined(g, m)
	if c.Version < 9 {
		// Before version 9 a leader has no way to be told that it need not assign: it is told that its old self,
		// whom nobody plays any more, leads.
		r.Leader, r.Members = leader, nil
	}
	r.SkipAssignment = r.Members != nil
	k.reply(t, r)
}

// validate finds a member by its id, and by its instance id if it is static: an older incarnation is fenced.
func (g *classic) validate(id string, instance *string) (*member, wire.ErrorCode) {
	if instance != nil {
		s := g.static[*instance]
		if s == nil {
			return nil, wire.UnknownMemberID
		}
		if s.id != id {
			return nil, wire.FencedInstanceID
		}
		return s, wire.None
	}
	if m := g.byID[id]; m != nil {
		return m, wire.None
	}
	return nil, wire.UnknownMemberID
}

func (c Join) session() time.Duration {
	return time.Duration(c.SessionTimeoutMs) * time.Millisecond
}

func (c Join) rebalance() time.Duration {
	if c.Version == 0 || c.RebalanceTimeoutMs < 0 {
		return c.session()
	}
	return time.Duration(c.RebalanceTimeoutMs) * time.Millisecond
}

// distinct keeps the first protocol of each name.
func distinct(ps []Protocol) []Protocol {
	out := make([]Protocol, 0, len(ps))
	seen := make(map[string]bool, len(ps))
	for _, p := range ps {
		if !seen[p.Name] {
			seen[p.Name] = true
			out = append(out, p)
		}
	}
	return out
}
