package group

import "millrace/internal/kafka/wire"

// heartbeat decides Heartbeat: it renews the member's session, and says REBALANCE_IN_PROGRESS while the members are
// called back. While they wait for the leader's assignment it says nothing: they are on their way.
func (k *coordinator) heartbeat(c Heartbeat) HeartbeatReply {
	if c.Group == "" {
		return HeartbeatReply{Err: wire.InvalidGroupID}
	}
	g := k.groups[c.Group]
	if g == nil {
		return HeartbeatReply{Err: wire.UnknownMemberID}
	}
	m, err := g.validate(c.MemberID, c.InstanceID)
	if err != wire.None {
		return HeartbeatReply{Err: err}
	}
	if c.Generation != g.generation {
		return HeartbeatReply{Err: wire.IllegalGeneration}
	}
	k.resetSession(g, m)
	if g.state == PreparingRebalance {
		return HeartbeatReply{Err: wire.RebalanceInProgress}
	}
	return HeartbeatReply{}
}
