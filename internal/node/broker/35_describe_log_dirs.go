// DescribeLogDirs (key 35), versions 1-5
//
// Lists the log directories of this node with the partitions in them and their sizes. A directory that failed is
// KAFKA_STORAGE_ERROR. Needs Describe on the cluster.
//
//	v2  flexible
//	v3  top-level error
//	v4  total and usable bytes
//	v5  cordoned

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DescribeLogDirs, Min: 1, Max: 5, Handle: decoded(handleDescribeLogDirs)})

func handleDescribeLogDirs(r *Request, req *kmsg.DescribeLogDirsRequest) {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	resp.Dirs = []kmsg.DescribeLogDirsResponseDir{}
	if !r.allowed(auth.Describe, auth.Cluster) {
		resp.ErrorCode = int16(wire.ClusterAuthorizationFailed)
		r.fail(wire.ClusterAuthorizationFailed)
		r.Reply(resp)
		return
	}
	index := map[wire.UUID]int{}
	for _, d := range r.b.host.Dirs() {
		out := kmsg.NewDescribeLogDirsResponseDir()
		out.Dir, out.TotalBytes, out.UsableBytes = d.Path, d.Total, d.Free
		out.Topics = []kmsg.DescribeLogDirsResponseDirTopic{}
		if d.Err != nil {
			out.ErrorCode, out.TotalBytes, out.UsableBytes = int16(wire.KafkaStorageError), -1, -1
		}
		index[d.ID] = len(resp.Dirs)
		resp.Dirs = append(resp.Dirs, out)
	}
	r.placed(req, func(topic string, partition int32) { r.place(resp, index, topic, partition) })
	r.Reply(resp)
}

// placed calls f for every partition asked for, topic by topic; no topics means all.
func (r *Request) placed(req *kmsg.DescribeLogDirsRequest, f func(topic string, partition int32)) {
	seen := map[partitionName]bool{}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if name := (partitionName{t.Topic, p}); !seen[name] {
				seen[name] = true
				f(t.Topic, p)
			}
		}
	}
	if req.Topics != nil {
		return
	}
	r.b.host.Image().Topics(func(t *meta.Topic) bool {
		for p := range t.Partitions {
			f(t.Name, int32(p))
		}
		return true
	})
}

func (r *Request) place(resp *kmsg.DescribeLogDirsResponse, index map[wire.UUID]int, topic string, partition int32) {
	p := r.b.host.Partition(topic, partition)
	if p == nil {
		return
	}
	s := p.State()
	i, ok := index[s.Dir]
	if !ok {
		return
	}
	d := &resp.Dirs[i]
	if n := len(d.Topics); n == 0 || d.Topics[n-1].Topic != topic {
		t := kmsg.NewDescribeLogDirsResponseDirTopic()
		t.Topic = topic
		d.Topics = append(d.Topics, t)
	}
	t := &d.Topics[len(d.Topics)-1]
	out := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
	out.Partition, out.Size, out.OffsetLag = partition, s.SizeBytes, max(0, s.HighWatermark-s.LogEnd)
	t.Partitions = append(t.Partitions, out)
}
