// ListOffsets (key 2), versions 1-11
//
// Finds an offset by timestamp, or by one of the special ones: -1 the end (high watermark, or last stable offset for
// readers of committed transactions), -2 and -4 the log start, -3 the record with the largest timestamp, -5 and -6
// offsets of tiered storage, which there is none of: -1. A partition that stands twice in the request is
// INVALID_REQUEST. Needs Describe on each topic.
//
//	v2   isolation level
//	v4   leader epochs
//	v5   OFFSET_NOT_AVAILABLE, before it LEADER_NOT_AVAILABLE
//	v6   flexible
//	v7   -3
//	v8   -4
//	v9   -5
//	v10  timeout, for tiered storage
//	v11  -6

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.ListOffsets, Min: 1, Max: 11, Handle: decoded(handleListOffsets)})

func handleListOffsets(r *Request, req *kmsg.ListOffsetsRequest) {
	resp := kmsg.NewPtrListOffsetsResponse()
	twice := askedTwice(req)
	for i := range req.Topics {
		in := &req.Topics[i]
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = in.Topic
		may := r.allowed(auth.Describe, auth.Topic(in.Topic))
		for j := range in.Partitions {
			p := &in.Partitions[j]
			found := located{code: wire.TopicAuthorizationFailed, offset: -1, timestamp: -1, epoch: -1}
			switch {
			case may && twice[partitionName{in.Topic, p.Partition}]:
				found.code = wire.InvalidRequest
			case may:
				found = r.locate(in.Topic, p, req.IsolationLevel == 1)
			}
			if found.code == wire.OffsetNotAvailable && r.Version < 5 {
				found.code = wire.LeaderNotAvailable
			}
			r.fail(found.code)
			out := kmsg.NewListOffsetsResponseTopicPartition()
			out.Partition, out.ErrorCode = p.Partition, int16(found.code)
			out.Offset, out.Timestamp, out.LeaderEpoch = found.offset, found.timestamp, found.epoch
			t.Partitions = append(t.Partitions, out)
		}
		resp.Topics = append(resp.Topics, t)
	}
	r.Reply(resp)
}

type partitionName struct {
	topic     string
	partition int32
}

// askedTwice finds the partitions that a request names more than once.
func askedTwice(req *kmsg.ListOffsetsRequest) map[partitionName]bool {
	seen, twice := map[partitionName]bool{}, map[partitionName]bool{}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			name := partitionName{t.Topic, p.Partition}
			if seen[name] {
				twice[name] = true
			}
			seen[name] = true
		}
	}
	return twice
}

// located is an offset that was looked for; -1 where there is none.
type located struct {
	code              wire.ErrorCode
	offset, timestamp int64
	epoch             int32
}

// oldestVersion that knows a special timestamp.
var specialTimestamps = map[int64]int16{-1: 1, -2: 1, -3: 7, -4: 8, -5: 9, -6: 11}

func (r *Request) locate(topic string, in *kmsg.ListOffsetsRequestTopicPartition, committed bool) located {
	none := located{offset: -1, timestamp: -1, epoch: -1}
	if since, special := specialTimestamps[in.Timestamp]; in.Timestamp < 0 && (!special || r.Version < since) {
		none.code = wire.UnsupportedVersion
		return none
	}
	p := r.b.host.Partition(topic, in.Partition)
	if p == nil {
		none.code = r.b.absent(topic, in.Partition)
		return none
	}
	if none.code = checkEpoch(p.State(), in.CurrentLeaderEpoch); none.code != wire.None {
		return none
	}
	return offsetFor(p, in.Timestamp, committed)
}
