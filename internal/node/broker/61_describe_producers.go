// DescribeProducers (key 61), version 0
//
// Lists the producers that a partition remembers: id, epoch, last sequence, and where an open transaction began. Needs
// Read on each topic.

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DescribeProducers, Min: 0, Max: 0, Handle: decoded(handleDescribeProducers)})

func handleDescribeProducers(r *Request, req *kmsg.DescribeProducersRequest) {
	resp := kmsg.NewPtrDescribeProducersResponse()
	for _, in := range req.Topics {
		t := kmsg.NewDescribeProducersResponseTopic()
		t.Topic = in.Topic
		may := r.allowed(auth.Read, auth.Topic(in.Topic))
		for _, partition := range in.Partitions {
			out := r.describeProducers(in.Topic, partition, may)
			r.fail(wire.ErrorCode(out.ErrorCode))
			t.Partitions = append(t.Partitions, out)
		}
		resp.Topics = append(resp.Topics, t)
	}
	r.Reply(resp)
}

func (r *Request) describeProducers(topic string, partition int32, may bool) kmsg.DescribeProducersResponseTopicPartition {
	out := kmsg.NewDescribeProducersResponseTopicPartition()
	out.Partition, out.ActiveProducers = partition, []kmsg.DescribeProducersResponseTopicPartitionActiveProducer{}
	code := wire.None
	p := r.b.host.Partition(topic, partition)
	switch {
	case !legalTopic(topic):
		code = wire.InvalidTopicException
	case !may:
		code = wire.TopicAuthorizationFailed
	case p == nil:
		code = r.b.absent(topic, partition)
	case !p.State().Leader:
		code = wire.NotLeaderOrFollower
	}
	if code != wire.None {
		out.ErrorCode, out.ErrorMessage = int16(code), explain(code, "")
		return out
	}
	out.ActiveProducers = activeProducers(p)
	return out
}
