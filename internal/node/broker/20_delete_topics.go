// DeleteTopics (key 20), versions 1-6
//
// Deletes topics by name or by id, not both; the files go after file.delete.delay.ms. Internal topics cannot be deleted, none
// while delete.topic.enable=false, and the topic of the schema registry not while that runs in this node (POLICY_VIOLATION). Needs
// Delete on each topic.
//
//	v4  flexible
//	v5  error message
//	v6  topic ids

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DeleteTopics, Min: 1, Max: 6, Handle: decoded(handleDeleteTopics)})

func handleDeleteTopics(r *Request, req *kmsg.DeleteTopicsRequest) {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	if r.Version < 6 {
		for i := range req.TopicNames {
			req.Topics = append(req.Topics, kmsg.DeleteTopicsRequestTopic{Topic: &req.TopicNames[i]})
		}
	}
	var command meta.DeleteTopics
	var passed []int
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = in.Topic, in.TopicID
		if code, why := r.judgeDeletion(in); code != wire.None {
			out.ErrorCode, out.ErrorMessage = int16(code), explain(code, why)
			r.fail(code)
		} else {
			ref := meta.TopicRef{ID: in.TopicID}
			if in.Topic != nil {
				ref = meta.TopicRef{Name: *in.Topic}
			}
			command.Topics = append(command.Topics, ref)
			passed = append(passed, i)
		}
		resp.Topics = append(resp.Topics, out)
	}
	if len(passed) == 0 {
		r.Reply(resp)
		return
	}
	control(r, req.TimeoutMillis, command, func(reply meta.DeleteTopicsReply, code wire.ErrorCode) {
		for n, i := range passed {
			r.deletedTopic(&resp.Topics[i], n, &reply, code)
		}
		if code != wire.None {
			r.Reply(resp)
			return
		}
		r.shown(reply.Offset, func() { r.Reply(resp) })
	})
}

func (r *Request) judgeDeletion(in *kmsg.DeleteTopicsRequestTopic) (wire.ErrorCode, string) {
	if named := in.Topic != nil; named == (in.TopicID != [16]byte{}) {
		return wire.InvalidRequest, "A topic is named either by its name or by its id."
	}
	t := r.b.host.Image().TopicByID(in.TopicID)
	if in.Topic != nil {
		t = r.b.host.Image().Topic(*in.Topic)
	}
	switch {
	case !r.b.brokerValues().Bool("delete.topic.enable") && r.Version >= 3:
		return wire.TopicDeletionDisabled, ""
	case !r.b.brokerValues().Bool("delete.topic.enable"):
		return wire.InvalidRequest, "delete.topic.enable=false"
	case t == nil && in.Topic == nil:
		return wire.UnknownTopicID, ""
	case t == nil && !r.allowed(auth.Describe, auth.Topic(*in.Topic)):
		return wire.TopicAuthorizationFailed, ""
	case t == nil:
		return wire.UnknownTopicOrPartition, ""
	case !r.allowed(auth.Delete, auth.Topic(t.Name)):
		return wire.TopicAuthorizationFailed, ""
	case isInternal(t.Name):
		return wire.TopicAuthorizationFailed, "internal topics cannot be deleted"
	}
	if why := r.b.whyProtected(t.Name); why != "" {
		return wire.PolicyViolation, why
	}
	return wire.None, ""
}

func (r *Request) deletedTopic(out *kmsg.DeleteTopicsResponseTopic, n int, reply *meta.DeleteTopicsReply, code wire.ErrorCode) {
	why := ""
	if code == wire.None {
		code = wire.UnknownServerError
		if n < len(reply.Topics) {
			d := &reply.Topics[n]
			code, why = d.Err, d.Message
			if d.Name != "" {
				out.Topic = &d.Name
			}
			out.TopicID = d.ID
		}
	}
	out.ErrorCode, out.ErrorMessage = int16(code), explain(code, why)
	r.fail(code)
}
