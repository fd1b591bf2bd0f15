package group

import "millrace/internal/kafka/wire"

// leave decides LeaveGroup: each named member goes at once, and the group goes on without them. A static member may be
// named by its instance id alone, which is how an administrator removes it.
func (k *coordinator) leave(c Leave) LeaveReply {
	if c.Group == "" {
		return LeaveReply{Err: wire.InvalidGroupID}
	}
	g := k.groups[c.Group]
	r := LeaveReply{Members: make([]LeftMember, len(c.Members))}
	before := g.size()
	for i, l := range c.Members {
		r.Members[i] = LeftMember{MemberID: l.MemberID, InstanceID: l.InstanceID, Err: k.leaveOne(g, l)}
	}
	if g.size() < before {
		k.rebalance(g)
	} else if g != nil {
		// Somebody who never joined may have been the last one waited for.
		k.tryCompleteJoin(g)
	}
	if c.Version < 3 && len(r.Members) > 0 {
		r.Err = r.Members[0].Err
	}
	return r
}

func (k *coordinator) leaveOne(g *classic, l LeavingMember) wire.ErrorCode {
	if g == nil {
		return wire.UnknownMemberID
	}
	if l.MemberID == "" && l.InstanceID != nil {
		m := g.static[*l.InstanceID]
		if m == nil {
			return wire.UnknownMemberID
		}
		k.remove(g, m)
		return wire.None
	}
	if g.pending[l.MemberID] != nil {
		k.removePending(g, l.MemberID)
		return wire.None
	}
	m, err := g.validate(l.MemberID, l.InstanceID)
	if err == wire.None {
		k.remove(g, m)
	}
	return err
}

func (g *classic) size() int {
	if g == nil {
		return 0
	}
	return len(g.members)
}
