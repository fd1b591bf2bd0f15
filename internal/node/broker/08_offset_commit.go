// OffsetCommit (key 8), versions 2-10
//
// Stores the positions of a group, durably before the answer. Topics that do not exist or that the client may not read
// get their own errors; the others are committed. Needs Read on the group, then Read on each topic.
//
//	v5   no retention time
//	v6   leader epoch
//	v7   static members
//	v8   flexible
//	v10  topic ids instead of names

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.OffsetCommit, Min: 2, Max: 10, Handle: decoded(handleOffsetCommit)})

func handleOffsetCommit(r *Request, req *kmsg.OffsetCommitRequest) {
	command := group.OffsetCommit{Version: r.Version, Group: req.Group, Generation: req.Generation, MemberID: req.MemberID,
		InstanceID: req.InstanceID, RetentionMs: -1}
	if r.Version < 5 {
		command.RetentionMs = req.RetentionTimeMillis
	}
	resp := kmsg.NewPtrOffsetCommitResponse()
	may := r.allowed(auth.Read, auth.Group(req.Group))
	// passed[i] is where command.Topics[i] stands in the answer, and which of its partitions were passed on.
	var passed []passedTopic
	for i := range req.Topics {
		in := &req.Topics[i]
		out, t, code := r.committing(in, may)
		resp.Topics = append(resp.Topics, out)
		if code != wire.None {
			continue
		}
		ask := group.CommitTopic{Topic: t.Name, TopicID: t.ID}
		pass := passedTopic{topic: i}
		for j, p := range in.Partitions {
			if p.Partition < 0 || int(p.Partition) >= len(t.Partitions) {
				resp.Topics[i].Partitions[j].ErrorCode = int16(wire.UnknownTopicOrPartition)
				continue
			}
			ask.Partitions = append(ask.Partitions, group.CommitPartition{Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata})
			pass.partitions = append(pass.partitions, j)
		}
		if len(pass.partitions) > 0 {
			command.Topics = append(command.Topics, ask)
			passed = append(passed, pass)
		}
	}
	if len(command.Topics) == 0 {
		r.Reply(resp)
		return
	}
	ask(r, req.Group, command, func(reply group.OffsetCommitReply, code wire.ErrorCode) {
		for i, pass := range passed {
			for n, j := range pass.partitions {
				one := code
				if code == wire.None {
					one = outcome(reply.Topics, i, n)
				}
				resp.Topics[pass.topic].Partitions[j].ErrorCode = int16(one)
				r.fail(one)
			}
		}
		r.Reply(resp)
	})
}

type passedTopic struct {
	topic      int
	partitions []int
}

func outcome(topics []group.CommittedTopic, topic, partition int) wire.ErrorCode {
	if topic >= len(topics) || partition >= len(topics[topic].Partitions) {
		return wire.UnknownServerError
	}
	return topics[topic].Partitions[partition].Err
}

// committing lays out the answer for one topic, with an error everywhere if the topic cannot be committed to.
func (r *Request) committing(in *kmsg.OffsetCommitRequestTopic, may bool) (out kmsg.OffsetCommitResponseTopic, t *meta.Topic, code wire.ErrorCode) {
	out = kmsg.NewOffsetCommitResponseTopic()
	out.Topic, out.TopicID = in.Topic, in.TopicID
	image := r.b.host.Image()
	if t = image.Topic(in.Topic); r.Version >= 10 {
		t = image.TopicByID(in.TopicID)
	}
	switch {
	case !may:
		code = wire.GroupAuthorizationFailed
	case t == nil && r.Version >= 10:
		code = wire.UnknownTopicID
	case t == nil && !r.allowed(auth.Read, auth.Topic(in.Topic)) || t != nil && !r.allowed(auth.Read, auth.Topic(t.Name)):
		code = wire.TopicAuthorizationFailed
	case t == nil:
		code = wire.UnknownTopicOrPartition
	}
	r.fail(code)
	for _, p := range in.Partitions {
		o := kmsg.NewOffsetCommitResponseTopicPartition()
		o.Partition, o.ErrorCode = p.Partition, int16(code)
		out.Partitions = append(out.Partitions, o)
	}
	return out, t, code
}
