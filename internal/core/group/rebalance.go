package group

import (
	"millrace/internal/kafka/wire"
)

// enter moves the group to a state.
func (k *coordinator) enter(g *classic, s State) {
	g.state, g.sinceMs = s, k.now.UnixMilli()
}

// rebalance starts a rebalance, or looks whether the one in progress can go on.
func (k *coordinator) rebalance(g *classic) {
	if g.state == PreparingRebalance {
		k.tryCompleteJoin(g)
		return
	}
	k.prepareRebalance(g)
}

// prepareRebalance opens the join phase. A group that was Empty waits a while for company; any other waits for its
// members to rejoin, at most the longest rebalance timeout.
func (k *coordinator) prepareRebalance(g *classic) {
	if g.state == CompletingRebalance {
		for _, m := range g.members {
			m.assignment = nil
			k.answerSync(g, m, SyncReply{Err: wire.RebalanceInProgress})
		}
	}
	k.forgetUnsynced(g)
	g.initial = g.state == Empty
	k.enter(g, PreparingRebalance)
	if g.initial {
		g.grew = false
		g.window = k.settings.InitialRebalanceDelay
		g.remaining = max(g.rebalanceTimeout()-g.window, 0)
		g.joinTimer.fire = func() { k.endWindow(g) }
		k.after(&g.joinTimer, g.window)
		return
	}
	if g.allJoined() {
		k.completeJoin(g)
		return
	}
	k.awaitJoins(g)
}

func (k *coordinator) awaitJoins(g *classic) {
	g.joinTimer.fire = func() { k.completeJoin(g) }
	k.after(&g.joinTimer, g.rebalanceTimeout())
}

// endWindow ends one window of the initial delay: if somebody joined within it there is another, as long as the
// rebalance timeout lasts.
func (k *coordinator) endWindow(g *classic) {
	if !g.grew || g.remaining == 0 {
		k.completeJoin(g)
		return
	}
	g.grew = false
	next := min(k.settings.InitialRebalanceDelay, g.remaining)
	g.remaining = max(g.remaining-g.window, 0)
	g.window = next
	k.after(&g.joinTimer, next)
}

// tryCompleteJoin ends the join phase early when all known members are back. An initial phase lasts its time.
func (k *coordinator) tryCompleteJoin(g *classic) {
	if g.state == PreparingRebalance && !g.initial && g.allJoined() {
		k.completeJoin(g)
	}
}

// completeJoin ends the join phase. Dynamic members that did not rejoin are out; static ones stay, for they may be
// restarting. With nobody left the group is Empty, which is recorded; otherwise everybody learns the new generation
// and the group waits for the leader's assignment.
func (k *coordinator) completeJoin(g *classic) {
	k.timers.cancel(&g.joinTimer)
	k.removeAbsent(g)
	if len(g.members) > 0 && !g.electJoined() {
		k.awaitJoins(g)
		return
	}
	g.initial = false
	g.generation++
	if len(g.members) == 0 {
		g.protocol = nil
		g.topics = g.subscribedTopics()
		k.enter(g, Empty)
		k.append(groupRecord(g, nil))
		return
	}
	protocol := g.selectProtocol()
	g.protocol = &protocol
	g.topics = g.subscribedTopics()
	k.enter(g, CompletingRebalance)
	for _, m := range g.members {
		k.answerJoin(g, m, k.joined(g, m))
		k.resetSession(g, m)
		m.isNew = false
		g.setUnsynced(m, true)
	}
	g.syncTimer.fire = func() { k.endSync(g) }
	k.after(&g.syncTimer, g.rebalanceTimeout())
}

func (k *coordinator) removeAbsent(g *classic) {
	var absent []*member
	for _, m := range g.members {
		if !m.joining && m.instance == nil {
			absent = append(absent, m)
		}
	}
	for _, m := range absent {
		k.remove(g, m)
	}
}

// joined is the answer to a member of the current generation.
func (k *coordinator) joined(g *classic, m *member) JoinReply {
	r := JoinReply{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: g.leader, MemberID: m.id,
	}
	if m.id == g.leader {
		r.Members = g.joinMembers()
	}
	return r
}

// endSync removes the members that took the new generation and then never asked for their assignment.
func (k *coordinator) endSync(g *classic) {
	if g.unsynced == 0 {
		return
	}
	var late []*member
	for _, m := range g.members {
		if m.unsynced {
			late = append(late, m)
		}
	}
	for _, m := range late {
		k.remove(g, m)
	}
	k.prepareRebalance(g)
}

func (k *coordinator) forgetUnsynced(g *classic) {
	for _, m := range g.members {
		g.setUnsynced(m, false)
	}
	k.timers.cancel(&g.syncTimer)
}

// synced notes that a member asked for its assignment.
func (k *coordinator) synced(g *classic, m *member) {
	g.setUnsynced(m, false)
	if g.unsynced == 0 {
		k.timers.cancel(&g.syncTimer)
	}
}

// remove takes a member out of the group and tells those who wait in its name.
func (k *coordinator) remove(g *classic, m *member) {
	k.answerJoin(g, m, joinError(wire.UnknownMemberID, ""))
	k.answerSync(g, m, SyncReply{Err: wire.UnknownMemberID})
	k.timers.cancel(&m.sessionTimer)
	g.drop(m)
}

// removePending forgets an id given with MEMBER_ID_REQUIRED.
func (k *coordinator) removePending(g *classic, id string) {
	if t := g.pending[id]; t != nil {
		k.timers.cancel(t)
		delete(g.pending, id)
	}
}

// resetSession gives a member a whole session from now.
func (k *coordinator) resetSession(g *classic, m *member) {
	k.setSession(g, m)
	k.after(&m.sessionTimer, m.session)
}

func (k *coordinator) setSession(g *classic, m *member) {
	if m.sessionTimer.fire == nil {
		m.sessionTimer.fire = func() { k.endSession(g, m) }
	}
}

// endSession removes a member that was silent for its session. One that waits for an answer of ours is not silent,
// unless it is new: its caller may have gone without our knowing.
func (k *coordinator) endSession(g *classic, m *member) {
	if !m.isNew && (m.joining || m.syncing) {
		return
	}
	k.remove(g, m)
	k.afterRemoval(g)
}

// afterRemoval lets the group go on without somebody.
func (k *coordinator) afterRemoval(g *classic) {
	switch g.state {
	case Stable, CompletingRebalance:
		k.prepareRebalance(g)
	case PreparingRebalance:
		if g.allJoined() {
			k.completeJoin(g)
		}
	}
}

// answerJoin answers the member's waiting JoinGroup, if there is one.
func (k *coordinator) answerJoin(g *classic, m *member, r JoinReply) {
	if !m.joining {
		return
	}
	k.reply(m.joinToken, r)
	m.joining, m.joinToken = false, 0
	g.joining--
}

// answerSync answers the member's waiting SyncGroup, if there is one, and gives it a whole session.
func (k *coordinator) answerSync(g *classic, m *member, r SyncReply) {
	if !m.syncing {
		return
	}
	k.reply(m.syncToken, r)
	m.syncing, m.syncToken = false, 0
	k.resetSession(g, m)
}

func joinError(e wire.ErrorCode, memberID string) JoinReply {
	return JoinReply{Err: e, Generation: -1, MemberID: memberID}
}
