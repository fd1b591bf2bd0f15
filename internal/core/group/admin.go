package group

import (
	"slices"
	"strings"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// describe decides DescribeGroups. An id that nobody uses is shown as Dead, and from version 6 as an error too.
func (k *coordinator) describe(c Describe) DescribeReply {
	r := DescribeReply{Groups: make([]DescribedGroup, len(c.Groups))}
	for i, id := range c.Groups {
		r.Groups[i] = k.describeGroup(c.Version, id)
	}
	return r
}

func (k *coordinator) describeGroup(version int16, id string) DescribedGroup {
	g := k.groups[id]
	if g == nil {
		d := DescribedGroup{Group: id, State: Dead.String()}
		if version >= 6 {
			text := "Group " + id + " not found."
			d.Err, d.ErrMessage = wire.GroupIDNotFound, &text
		}
		return d
	}
	d := DescribedGroup{Group: id, State: g.state.String(), Members: make([]DescribedMember, len(g.members))}
	if g.protocolType != nil {
		d.ProtocolType = *g.protocolType
	}
	for i, m := range g.members {
		d.Members[i] = DescribedMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.clientID, ClientHost: m.clientHost, Assignment: m.assignment,
		}
		if g.state == Stable {
			d.Members[i].Metadata = m.metadata(g.protocol)
		}
	}
	if g.state == Stable && g.protocol != nil {
		d.Protocol = *g.protocol
	}
	return d
}

// list decides ListGroups. State and type names are compared without regard to case.
func (k *coordinator) list(c List) ListReply {
	var r ListReply
	for _, id := range sortedKeys(k.groups) {
		g := k.groups[id]
		if !passes(c.States, g.state.String()) || !passes(c.Types, "classic") {
			continue
		}
		l := ListedGroup{Group: id, State: g.state.String(), Type: "classic"}
		if g.protocolType != nil {
			l.ProtocolType = *g.protocolType
		}
		r.Groups = append(r.Groups, l)
	}
	return r
}

func passes(filter []string, name string) bool {
	for _, f := range filter {
		if strings.EqualFold(strings.TrimSpace(f), name) {
			return true
		}
	}
	return len(filter) == 0
}

// delete decides DeleteGroups: an Empty group goes with all its offsets. When they do not fit into one batch the rest
// follows at the next ticks, and then the answer.
func (k *coordinator) delete(t machine.Token, c Delete) {
	d := &deletion{token: t}
	for _, id := range c.Groups {
		if !slices.Contains(d.left, id) {
			d.left = append(d.left, id)
		}
	}
	k.sweep.deletions = append(k.sweep.deletions, d)
	k.deleteGroups()
}

// deletion is a DeleteGroups that goes on.
type deletion struct {
	token machine.Token
	left  []string
	reply DeleteReply
}

func (k *coordinator) deleteGroups() {
	for len(k.sweep.deletions) > 0 {
		d := k.sweep.deletions[0]
		for len(d.left) > 0 {
			err, whole := k.deleteGroup(d.left[0])
			if !whole {
				k.after(&k.sweep.groups, 0)
				return
			}
			d.reply.Groups = append(d.reply.Groups, DeletedGroup{Group: d.left[0], Err: err})
			d.left = d.left[1:]
		}
		k.reply(d.token, d.reply)
		k.sweep.deletions = k.sweep.deletions[1:]
	}
}

// deleteGroup is not whole when the batch is full before the group is gone.
func (k *coordinator) deleteGroup(id string) (err wire.ErrorCode, whole bool) {
	g := k.groups[id]
	switch {
	case g == nil:
		return wire.GroupIDNotFound, true
	case g.state != Empty:
		return wire.NonEmptyGroup, true
	}
	for _, p := range k.durable.offsets[id].positions(id) {
		if k.full() {
			return wire.None, false
		}
		k.append(offsetTombstone(p))
	}
	if k.full() {
		return wire.None, false
	}
	k.append(groupTombstone(id))
	return wire.None, true
}
