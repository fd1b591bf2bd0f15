// JoinGroup (key 11), versions 0-9
//
// Joins a classic group. The answer is parked until the join phase ends; the group machine decides everything. Needs
// Read on the group.
//
//	v1  rebalance timeout
//	v4  MEMBER_ID_REQUIRED for a new member without an id
//	v5  static members
//	v6  flexible
//	v7  protocol type in the answer, null protocol
//	v8  reason
//	v9  the leader may be told to skip the assignment

package broker

import (
	"bytes"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.JoinGroup, Min: 0, Max: 9, Handle: decodedParked(handleJoinGroup)})

func handleJoinGroup(r *Request, req *kmsg.JoinGroupRequest) {
	command := group.Join{
		Version: r.Version, Group: req.Group, MemberID: req.MemberID, InstanceID: req.InstanceID,
		ClientID: strings.Clone(r.ClientID), ClientHost: "/" + r.conn.host,
		SessionTimeoutMs: req.SessionTimeoutMillis, RebalanceTimeoutMs: req.RebalanceTimeoutMillis,
		ProtocolType: req.ProtocolType,
	}
	if req.Reason != nil {
		command.Reason = *req.Reason
	}
	for _, p := range req.Protocols {
		// The machine keeps this for as long as the member lives, so it must not keep the frame alive.
		command.Protocols = append(command.Protocols, group.Protocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
	}
	member := req.MemberID
	reply := func(j group.JoinReply, code wire.ErrorCode) {
		if code != wire.None {
			j = group.JoinReply{Err: code, Generation: -1, MemberID: member}
		}
		r.Reply(joined(r, &j))
	}
	if !r.allowed(auth.Read, auth.Group(req.Group)) {
		reply(group.JoinReply{}, wire.GroupAuthorizationFailed)
		return
	}
	askForLong(r, req.Group, command, reply)
}

func joined(r *Request, j *group.JoinReply) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.ErrorCode, resp.Generation, resp.SkipAssignment = int16(j.Err), j.Generation, j.SkipAssignment
	resp.ProtocolType, resp.Protocol, resp.LeaderID, resp.MemberID = j.ProtocolType, j.Protocol, j.Leader, j.MemberID
	if resp.Protocol == nil && r.Version < 7 {
		resp.Protocol = new(string) // null since version 7
	}
	for _, m := range j.Members {
		out := kmsg.NewJoinGroupResponseMember()
		out.MemberID, out.InstanceID, out.ProtocolMetadata = m.MemberID, m.InstanceID, m.Metadata
		resp.Members = append(resp.Members, out)
	}
	r.fail(j.Err)
	return resp
}
