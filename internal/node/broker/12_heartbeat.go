// Heartbeat (key 12), versions 0-4
//
// Keeps a member of a classic group alive and tells it of a rebalance. Needs Read on the group.
//
//	v3  static members
//	v4  flexible

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.Heartbeat, Min: 0, Max: 4, Handle: decoded(handleHeartbeat)})

func handleHeartbeat(r *Request, req *kmsg.HeartbeatRequest) {
	reply := func(h group.HeartbeatReply, code wire.ErrorCode) {
		if code != wire.None {
			h.Err = code
		}
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.ErrorCode = int16(h.Err)
		r.fail(h.Err)
		r.Reply(resp)
	}
	if !r.allowed(auth.Read, auth.Group(req.Group)) {
		reply(group.HeartbeatReply{}, wire.GroupAuthorizationFailed)
		return
	}
	ask(r, req.Group, group.Heartbeat{Group: req.Group, Generation: req.Generation, MemberID: req.MemberID, InstanceID: req.InstanceID}, reply)
}
