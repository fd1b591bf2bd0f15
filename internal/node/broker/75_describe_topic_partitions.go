// DescribeTopicPartitions (key 75), version 0
//
// Describes topics page by page: at most response.partition.limit partitions, bounded by
// max.request.partition.size.limit, from a cursor on, topics by name. No topics asked for means all. A cursor on a topic
// that is not among those asked for, or on a negative partition, is INVALID_REQUEST. Lists are never null, as Java's
// AdminClient insists. Needs Describe on each topic.

package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DescribeTopicPartitions, Min: 0, Max: 0, Handle: decoded(handleDescribeTopicPartitions)})

func handleDescribeTopicPartitions(r *Request, req *kmsg.DescribeTopicPartitionsRequest) {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	resp.Topics = []kmsg.DescribeTopicPartitionsResponseTopic{}
	image, all := r.b.host.Image(), len(req.Topics) == 0
	if c := req.Cursor; c != nil && (c.Partition < 0 || !all && !asksFor(req, c.Topic)) {
		r.refusePages(req, resp)
		return
	}
	left := max(1, min(int(req.ResponsePartitionLimit), r.b.limits.requestPartition))
	for _, name := range pageNames(image, req) {
		first := 0
		if req.Cursor != nil && req.Cursor.Topic == name {
			first = max(0, int(req.Cursor.Partition))
		}
		t := image.Topic(name)
		may := r.allowed(auth.Describe, auth.Topic(name))
		if all && (t == nil || !may) {
			continue
		}
		if left == 0 {
			resp.NextCursor = nextCursor(name, 0)
			break
		}
		out := r.pageTopic(name, t, may)
		if out.ErrorCode == 0 {
			end := min(len(t.Partitions), first+left)
			for i := first; i < end; i++ {
				out.Partitions = append(out.Partitions, r.pagePartition(t, i))
			}
			left -= max(0, end-first)
			if end < len(t.Partitions) {
				resp.NextCursor = nextCursor(name, end)
			}
		}
		resp.Topics = append(resp.Topics, out)
		if resp.NextCursor != nil {
			break
		}
	}
	r.Reply(resp)
}

func asksFor(req *kmsg.DescribeTopicPartitionsRequest, topic string) bool {
	return slices.ContainsFunc(req.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic == topic })
}

// refusePages answers a cursor that points nowhere; the API has no place for an error but the topics.
func (r *Request) refusePages(req *kmsg.DescribeTopicPartitionsRequest, resp *kmsg.DescribeTopicPartitionsResponse) {
	for i := range req.Topics {
		out := kmsg.NewDescribeTopicPartitionsResponseTopic()
		out.Topic, out.ErrorCode = &req.Topics[i].Topic, int16(wire.InvalidRequest)
		out.Partitions = []kmsg.DescribeTopicPartitionsResponseTopicPartition{}
		resp.Topics = append(resp.Topics, out)
	}
	r.fail(wire.InvalidRequest)
	r.Reply(resp)
}

// pageNames are the names from the cursor on, in order, each once.
func pageNames(image *meta.Image, req *kmsg.DescribeTopicPartitionsRequest) (names []string) {
	if len(req.Topics) == 0 {
		names = image.TopicNames()
	}
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor != nil {
		at, _ := slices.BinarySearch(names, req.Cursor.Topic)
		names = names[at:]
	}
	return names
}

func nextCursor(topic string, partition int) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, int32(partition)
	return &c
}

func (r *Request) pageTopic(name string, t *meta.Topic, may bool) kmsg.DescribeTopicPartitionsResponseTopic {
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.Partitions = &name, []kmsg.DescribeTopicPartitionsResponseTopicPartition{}
	out.AuthorizedOperations = -2147483648
	code := wire.None
	switch {
	case !may:
		code = wire.TopicAuthorizationFailed
	case t == nil && !legalTopic(name):
		code = wire.InvalidTopicException
	case t == nil:
		code = wire.UnknownTopicOrPartition
	default:
		out.TopicID, out.IsInternal = t.ID, isInternal(name)
		out.AuthorizedOperations = r.operations(auth.Topic(name))
	}
	r.fail(code)
	out.ErrorCode = int16(code)
	return out
}

func (r *Request) pagePartition(t *meta.Topic, i int) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	p := &t.Partitions[i]
	out := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	out.Partition, out.LeaderID, out.LeaderEpoch = int32(i), p.Leader, p.LeaderEpoch
	out.Replicas, out.ISR = filled(p.Replicas), filled(p.ISR)
	out.EligibleLeaderReplicas, out.LastKnownELR = filled(p.ELR), filled(p.LastKnownELR)
	out.OfflineReplicas = r.b.offline(p)
	if p.Leader < 0 {
		out.ErrorCode = int16(wire.LeaderNotAvailable)
	}
	return out
}

// filled is never nil.
func filled(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}
