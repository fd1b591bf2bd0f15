// LeaveGroup (key 13), versions 0-5
//
// Takes members out of a classic group. Needs Read on the group.
//
//	v3  several members, static ones by instance id
//	v4  flexible
//	v5  reason

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.LeaveGroup, Min: 0, Max: 5, Handle: decoded(handleLeaveGroup)})

func handleLeaveGroup(r *Request, req *kmsg.LeaveGroupRequest) {
	command := group.Leave{Version: r.Version, Group: req.Group}
	if r.Version < 3 {
		command.Members = []group.LeavingMember{{MemberID: req.MemberID}}
	}
	for _, m := range req.Members {
		out := group.LeavingMember{MemberID: m.MemberID, InstanceID: m.InstanceID}
		if m.Reason != nil {
			out.Reason = *m.Reason
		}
		command.Members = append(command.Members, out)
	}
	reply := func(l group.LeaveReply, code wire.ErrorCode) {
		if code != wire.None {
			l = group.LeaveReply{Err: code}
		}
		resp := kmsg.NewPtrLeaveGroupResponse()
		resp.ErrorCode = int16(l.Err)
		r.fail(l.Err)
		for _, m := range l.Members {
			out := kmsg.NewLeaveGroupResponseMember()
			out.MemberID, out.InstanceID, out.ErrorCode = m.MemberID, m.InstanceID, int16(m.Err)
			resp.Members = append(resp.Members, out)
		}
		r.Reply(resp)
	}
	if !r.allowed(auth.Read, auth.Group(req.Group)) {
		reply(group.LeaveReply{}, wire.GroupAuthorizationFailed)
		return
	}
	ask(r, req.Group, command, reply)
}
