// DeleteRecords (key 21), versions 0-2
//
// Moves the log start of partitions forward, durably before the answer. Offset -1 means the high watermark. Refused on
// internal topics, on topics whose cleanup.policy has no delete, and on the topic of a schema registry that runs in this node. Needs Delete on each topic.
//
//	v2  flexible

package broker

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DeleteRecords, Min: 0, Max: 2, Handle: decoded(handleDeleteRecords)})

func handleDeleteRecords(r *Request, req *kmsg.DeleteRecordsRequest) {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	limit := r.b.limits.request
	if req.TimeoutMillis > 0 {
		limit = time.Duration(req.TimeoutMillis) * time.Millisecond
	}
	var open atomic.Int32
	open.Store(1)
	done := func() {
		if open.Add(-1) == 0 {
			r.Reply(resp)
		}
	}
	// The whole answer is laid out first, so that callbacks write to places that no longer move.
	for i := range req.Topics {
		in := &req.Topics[i]
		t := kmsg.NewDeleteRecordsResponseTopic()
		t.Topic = in.Topic
		for _, p := range in.Partitions {
			out := kmsg.NewDeleteRecordsResponseTopicPartition()
			out.Partition, out.LowWatermark = p.Partition, -1
			t.Partitions = append(t.Partitions, out)
		}
		resp.Topics = append(resp.Topics, t)
	}
	for i := range req.Topics {
		for j, p := range req.Topics[i].Partitions {
			out := &resp.Topics[i].Partitions[j]
			open.Add(1)
			q := askWithin(r, limit, wire.RequestTimedOut, func(start int64, code wire.ErrorCode) {
				if out.ErrorCode = int16(code); code == wire.None {
					out.LowWatermark = start
				}
				r.fail(code)
				done()
			})
			r.deleteRecords(req.Topics[i].Topic, p, func(start int64, code wire.ErrorCode) { q.hear(start, code) })
		}
	}
	done()
}

func (r *Request) deleteRecords(topic string, in kmsg.DeleteRecordsRequestTopicPartition, done func(int64, wire.ErrorCode)) {
	image := r.b.host.Image()
	switch p := r.b.host.Partition(topic, in.Partition); {
	case !r.allowed(auth.Delete, auth.Topic(topic)):
		done(-1, wire.TopicAuthorizationFailed)
	case p == nil:
		done(-1, r.b.absent(topic, in.Partition))
	case isInternal(topic):
		done(-1, wire.InvalidTopicException)
	case r.b.whyProtected(topic) != "":
		done(-1, wire.PolicyViolation)
	case !slices.Contains(r.b.topicValues(image, topic).List("cleanup.policy"), "delete"):
		done(-1, wire.PolicyViolation)
	case in.Offset < -1:
		done(-1, wire.OffsetOutOfRange)
	case in.Offset == -1:
		p.DeleteRecords(p.State().HighWatermark, done)
	default:
		p.DeleteRecords(in.Offset, done)
	}
}
