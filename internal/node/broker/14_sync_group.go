// SyncGroup (key 14), versions 0-5
//
// The leader hands in the assignment, everybody gets their part; parked until the leader has. Needs Read on the group.
//
//	v3  static members
//	v4  flexible
//	v5  protocol type and name

package broker

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.SyncGroup, Min: 0, Max: 5, Handle: decodedParked(handleSyncGroup)})

func handleSyncGroup(r *Request, req *kmsg.SyncGroupRequest) {
	command := group.Sync{
		Version: r.Version, Group: req.Group, Generation: req.Generation, MemberID: req.MemberID,
		InstanceID: req.InstanceID, ProtocolType: req.ProtocolType, Protocol: req.Protocol,
	}
	for _, a := range req.GroupAssignment {
		command.Assignments = append(command.Assignments, group.Assignment{MemberID: a.MemberID, Assignment: bytes.Clone(a.MemberAssignment)})
	}
	reply := func(s group.SyncReply, code wire.ErrorCode) {
		if code != wire.None {
			s = group.SyncReply{Err: code}
		}
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.ErrorCode, resp.ProtocolType, resp.Protocol, resp.MemberAssignment = int16(s.Err), s.ProtocolType, s.Protocol, s.Assignment
		r.fail(s.Err)
		r.Reply(resp)
	}
	if !r.allowed(auth.Read, auth.Group(req.Group)) {
		reply(group.SyncReply{}, wire.GroupAuthorizationFailed)
		return
	}
	askForLong(r, req.Group, command, reply)
}
