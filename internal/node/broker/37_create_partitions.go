// CreatePartitions (key 37), versions 0-3
//
// Adds partitions to topics. Internal topics are refused: what they hold is placed by the number of their partitions; and
// so is the topic of a schema registry that runs in this node (POLICY_VIOLATION), which must have one.
// Needs Alter on each topic.
//
//	v2  flexible

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.CreatePartitions, Min: 0, Max: 3, Handle: decoded(handleCreatePartitions)})

func handleCreatePartitions(r *Request, req *kmsg.CreatePartitionsRequest) {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	command := meta.CreatePartitions{ValidateOnly: req.ValidateOnly}
	count := map[string]int{}
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	var passed []int
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = in.Topic
		switch {
		case count[in.Topic] > 1:
			out.ErrorCode, out.ErrorMessage = int16(wire.InvalidRequest), text("Duplicate topic name.")
		case !r.allowed(auth.Alter, auth.Topic(in.Topic)):
			out.ErrorCode = int16(wire.TopicAuthorizationFailed)
		case isInternal(in.Topic):
			out.ErrorCode, out.ErrorMessage = int16(wire.InvalidTopicException), text("the number of partitions of an internal topic cannot change")
		case r.b.whyProtected(in.Topic) != "":
			out.ErrorCode, out.ErrorMessage = int16(wire.PolicyViolation), text(r.b.whyProtected(in.Topic))
		default:
			more := meta.MorePartitions{Topic: in.Topic, Count: in.Count}
			if in.Assignment != nil { // an empty one is not the same as none
				more.Assignments = [][]int32{}
			}
			for _, a := range in.Assignment {
				more.Assignments = append(more.Assignments, a.Replicas)
			}
			command.Topics = append(command.Topics, more)
			passed = append(passed, i)
		}
		r.fail(wire.ErrorCode(out.ErrorCode))
		resp.Topics = append(resp.Topics, out)
	}
	if len(passed) == 0 {
		r.Reply(resp)
		return
	}
	control(r, req.TimeoutMillis, command, func(reply meta.CreatePartitionsReply, code wire.ErrorCode) {
		for n, i := range passed {
			each, why := max(code, wire.None), ""
			if code == wire.None && n < len(reply.Topics) {
				each, why = reply.Topics[n].Err, reply.Topics[n].Message
			} else if code != wire.None {
				each = code
			}
			resp.Topics[i].ErrorCode, resp.Topics[i].ErrorMessage = int16(each), explain(each, why)
			r.fail(each)
		}
		if code != wire.None {
			r.Reply(resp)
			return
		}
		r.shown(reply.Offset, func() { r.Reply(resp) })
	})
}
