// ListGroups (key 16), versions 0-5
//
// Lists the groups that this broker coordinates. A partition of __consumer_offsets that is still being loaded makes the
// answer COORDINATOR_LOAD_IN_PROGRESS, so that a list is never silently short. Groups that the client may not describe
// are left out, unless it may describe the cluster.
//
//	v3  flexible
//	v4  states, and a filter by them
//	v5  types, and a filter by them

package broker

import (
	"cmp"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.ListGroups, Min: 0, Max: 5, Handle: decoded(handleListGroups)})

func handleListGroups(r *Request, req *kmsg.ListGroupsRequest) {
	l := &groupList{r: r, all: r.allowed(auth.Describe, auth.Cluster), resp: kmsg.NewPtrListGroupsResponse(), open: 1}
	l.resp.Groups = []kmsg.ListGroupsResponseGroup{}
	if t := r.b.host.Image().Topic(offsetsTopic); t != nil {
		for p := range t.Partitions {
			if t.Partitions[p].Leader != r.b.host.NodeID() {
				continue
			}
			l.mu.Lock()
			l.open++
			l.mu.Unlock()
			askPartition(r, int32(p), group.List{States: req.StatesFilter, Types: req.TypesFilter}, l.add)
		}
	}
	l.add(group.ListReply{}, wire.None)
}

// groupList gathers what the partitions answer.
type groupList struct {
	r   *Request
	all bool

	mu   sync.Mutex
	resp *kmsg.ListGroupsResponse
	open int
}

func (l *groupList) add(reply group.ListReply, code wire.ErrorCode) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if code != wire.None && code != wire.NotCoordinator {
		l.resp.ErrorCode = int16(code)
		l.r.fail(code)
	}
	for _, g := range reply.Groups {
		if !l.all && !l.r.allowed(auth.Describe, auth.Group(g.Group)) {
			continue
		}
		out := kmsg.NewListGroupsResponseGroup()
		out.Group, out.ProtocolType, out.GroupState, out.GroupType = g.Group, g.ProtocolType, g.State, g.Type
		l.resp.Groups = append(l.resp.Groups, out)
	}
	if l.open--; l.open > 0 {
		return
	}
	slices.SortFunc(l.resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return cmp.Compare(a.Group, b.Group) })
	l.r.Reply(l.resp)
}
