// DescribeGroups (key 15), versions 0-6
//
// Describes classic groups with their members. A group that does not exist is Dead, from v6 on GROUP_ID_NOT_FOUND.
// Needs Describe on each group.
//
//	v3  authorized operations
//	v4  static members
//	v5  flexible
//	v6  error message

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DescribeGroups, Min: 0, Max: 6, Handle: decoded(handleDescribeGroups)})

func handleDescribeGroups(r *Request, req *kmsg.DescribeGroupsRequest) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(req.Groups))
	put := func(i int, g group.DescribedGroup) {
		resp.Groups[i] = r.describedGroup(&g, req.IncludeAuthorizedOperations)
	}
	r.eachGroup(req.Groups, auth.Describe, perGroups{
		refuse: func(i int, code wire.ErrorCode) { put(i, group.DescribedGroup{Group: req.Groups[i], Err: code}) },
		ask: func(partition int32, groups []string, at []int, done func()) {
			askPartition(r, partition, group.Describe{Version: r.Version, Groups: groups}, func(reply group.DescribeReply, code wire.ErrorCode) {
				for n, i := range at {
					if code != wire.None || n >= len(reply.Groups) {
						put(i, group.DescribedGroup{Group: req.Groups[i], Err: orUnknown(code)})
						continue
					}
					put(i, reply.Groups[n])
				}
				done()
			})
		},
		done: func() { r.Reply(resp) },
	})
}

func (r *Request) describedGroup(in *group.DescribedGroup, operations bool) kmsg.DescribeGroupsResponseGroup {
	r.fail(in.Err)
	g := kmsg.NewDescribeGroupsResponseGroup()
	g.ErrorCode, g.ErrorMessage, g.Group, g.State = int16(in.Err), in.ErrMessage, in.Group, in.State
	g.ProtocolType, g.Protocol = in.ProtocolType, in.Protocol
	if operations && in.Err == wire.None {
		g.AuthorizedOperations = r.operations(auth.Group(in.Group))
	}
	for _, m := range in.Members {
		o := kmsg.NewDescribeGroupsResponseGroupMember()
		o.MemberID, o.InstanceID, o.ClientID, o.ClientHost = m.MemberID, m.InstanceID, m.ClientID, m.ClientHost
		o.ProtocolMetadata, o.MemberAssignment = m.Metadata, m.Assignment
		g.Members = append(g.Members, o)
	}
	return g
}

func orUnknown(code wire.ErrorCode) wire.ErrorCode {
	if code == wire.None {
		return wire.UnknownServerError
	}
	return code
}
