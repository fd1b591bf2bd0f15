package group

import (
	"strings"

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

// delete decides DeleteGroups: an Empty group goes with all its offsets.
func (k *coordinator) delete(c Delete) DeleteReply {
	var r DeleteReply
	done := map[string]bool{}
	for _, id := range c.Groups {
		if done[id] {
			continue
		}
		done[id] = true
		r.Groups = append(r.Groups, DeletedGroup{Group: id, Err: k.deleteGroup(id)})
	}
	return r
}

func (k *coordinator) deleteGroup(id string) wire.ErrorCode {
	g := k.groups[id]
	switch {
	case g == nil:
		return wire.GroupIDNotFound
	case g.state != Empty:
		return wire.NonEmptyGroup
	}
	for _, p := range k.durable.offsets[id].positions(id) {
		k.append(offsetTombstone(p))
	}
	k.append(groupTombstone(id))
	return wire.None
}
