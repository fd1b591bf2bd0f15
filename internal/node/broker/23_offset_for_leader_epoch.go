// OffsetForLeaderEpoch (key 23), versions 2-4
//
// Tells where a leader epoch ended in the log, so that a consumer notices that what it read was truncated. Needs
// Describe on each topic.
//
//	v3  replica id
//	v4  flexible

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.OffsetForLeaderEpoch, Min: 2, Max: 4, Handle: decoded(handleOffsetForLeaderEpoch)})

func handleOffsetForLeaderEpoch(r *Request, req *kmsg.OffsetForLeaderEpochRequest) {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range req.Topics {
		in := &req.Topics[i]
		t := kmsg.NewOffsetForLeaderEpochResponseTopic()
		t.Topic = in.Topic
		may := r.allowed(auth.Describe, auth.Topic(in.Topic))
		for j := range in.Partitions {
			out := r.epochEnd(in.Topic, &in.Partitions[j], may)
			r.fail(wire.ErrorCode(out.ErrorCode))
			t.Partitions = append(t.Partitions, out)
		}
		resp.Topics = append(resp.Topics, t)
	}
	r.Reply(resp)
}

func (r *Request) epochEnd(topic string, in *kmsg.OffsetForLeaderEpochRequestTopicPartition, may bool) kmsg.OffsetForLeaderEpochResponseTopicPartition {
	out := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
	out.Partition, out.LeaderEpoch, out.EndOffset = in.Partition, -1, -1
	if !may {
		out.ErrorCode = int16(wire.TopicAuthorizationFailed)
		return out
	}
	p := r.b.host.Partition(topic, in.Partition)
	if p == nil {
		out.ErrorCode = int16(r.b.absent(topic, in.Partition))
		return out
	}
	if code := checkEpoch(p.State(), in.CurrentLeaderEpoch); code != wire.None {
		out.ErrorCode = int16(code)
		return out
	}
	epoch, end, code := epochEnd(p, in.LeaderEpoch, in.CurrentLeaderEpoch)
	out.LeaderEpoch, out.EndOffset, out.ErrorCode = epoch, end, int16(code)
	return out
}
