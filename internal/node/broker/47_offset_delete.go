// OffsetDelete (key 47), version 0
//
// Forgets positions of a group, for topics that none of its members subscribes to. Needs Delete on the group and Read on
// each topic.

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.OffsetDelete, Min: 0, Max: 0, Handle: decoded(handleOffsetDelete)})

func handleOffsetDelete(r *Request, req *kmsg.OffsetDeleteRequest) {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	refuse := func(code wire.ErrorCode) {
		resp.ErrorCode, resp.Topics = int16(code), nil
		r.fail(code)
		r.Reply(resp)
	}
	if !r.allowed(auth.Delete, auth.Group(req.Group)) {
		refuse(wire.GroupAuthorizationFailed)
		return
	}
	command := group.OffsetDelete{Group: req.Group}
	for i := range req.Topics {
		in := &req.Topics[i]
		if code := r.mayForget(in.Topic); code != wire.None {
			resp.Topics = append(resp.Topics, refusedForgetting(in, code))
			r.fail(code)
			continue
		}
		t, absent := r.forgetting(in)
		if len(absent.Partitions) > 0 {
			resp.Topics = append(resp.Topics, refusedForgetting(&absent, wire.UnknownTopicOrPartition))
			r.fail(wire.UnknownTopicOrPartition)
		}
		if len(t.Partitions) > 0 {
			command.Topics = append(command.Topics, t)
		}
	}
	ask(r, req.Group, command, func(reply group.OffsetDeleteReply, code wire.ErrorCode) {
		if code == wire.None {
			code = reply.Err
		}
		if code != wire.None {
			refuse(code)
			return
		}
		for _, t := range reply.Topics {
			out := answerOf(resp, t.Topic)
			for _, p := range t.Partitions {
				o := kmsg.NewOffsetDeleteResponseTopicPartition()
				o.Partition, o.ErrorCode = p.Partition, int16(p.Err)
				out.Partitions = append(out.Partitions, o)
				r.fail(p.Err)
			}
		}
		r.Reply(resp)
	})
}

// answerOf is the topic's place in the answer: some of its partitions may have been refused already.
func answerOf(resp *kmsg.OffsetDeleteResponse, topic string) *kmsg.OffsetDeleteResponseTopic {
	for i := range resp.Topics {
		if resp.Topics[i].Topic == topic {
			return &resp.Topics[i]
		}
	}
	out := kmsg.NewOffsetDeleteResponseTopic()
	out.Topic = topic
	resp.Topics = append(resp.Topics, out)
	return &resp.Topics[len(resp.Topics)-1]
}

// forgetting parts the partitions that exist from those that do not.
func (r *Request) forgetting(in *kmsg.OffsetDeleteRequestTopic) (ask group.OffsetDeleteTopic, absent kmsg.OffsetDeleteRequestTopic) {
	ask.Topic, absent.Topic = in.Topic, in.Topic
	known := r.b.host.Image().Topic(in.Topic)
	for _, p := range in.Partitions {
		if known == nil || p.Partition < 0 || int(p.Partition) >= len(known.Partitions) {
			absent.Partitions = append(absent.Partitions, p)
			continue
		}
		ask.Partitions = append(ask.Partitions, p.Partition)
	}
	return ask, absent
}

func (r *Request) mayForget(topic string) wire.ErrorCode {
	switch {
	case !r.allowed(auth.Read, auth.Topic(topic)):
		return wire.TopicAuthorizationFailed
	case r.b.host.Image().Topic(topic) == nil:
		return wire.UnknownTopicOrPartition
	}
	return wire.None
}

func refusedForgetting(in *kmsg.OffsetDeleteRequestTopic, code wire.ErrorCode) kmsg.OffsetDeleteResponseTopic {
	out := kmsg.NewOffsetDeleteResponseTopic()
	out.Topic = in.Topic
	for _, p := range in.Partitions {
		o := kmsg.NewOffsetDeleteResponseTopicPartition()
		o.Partition, o.ErrorCode = p.Partition, int16(code)
		out.Partitions = append(out.Partitions, o)
	}
	return out
}
