package broker

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/quota"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
)

// denier refuses everything once armed, and remembers what was asked.
type denier struct {
	mu    sync.Mutex
	armed bool
	asked []auth.Operation
}

func (d *denier) Authorize(_ auth.Principal, _ string, op auth.Operation, _ auth.Resource) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, op)
	return !d.armed
}

func (d *denier) arm(armed bool) {
	d.mu.Lock()
	d.armed = armed
	d.mu.Unlock()
}

// TestEveryAPIAsksTheAuthorizer: with everything denied, no answer carries a byte of what is there.
func TestEveryAPIAsksTheAuthorizer(t *testing.T) {
	d := &denier{}
	n := newNodeWith(t, Options{Authorizer: d})
	n.create("secret", 1)
	n.produce("secret", 0, "payload")
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"hidden"}
	call[*kmsg.FindCoordinatorResponse](n, find, 4)
	d.arm(true)
	topic := "secret"
	requests := map[wire.Key]kmsg.Request{
		wire.Produce: produceRequest(topic, 0, -1, records(t, batch.Options{}, "x")),
		wire.Fetch:   fetchRequest(topic, 0, 0),
		wire.ListOffsets: &kmsg.ListOffsetsRequest{Topics: []kmsg.ListOffsetsRequestTopic{{Topic: topic,
			Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}},
		wire.Metadata:        metadataOf(topic),
		wire.OffsetCommit:    &kmsg.OffsetCommitRequest{Group: "hidden", Topics: []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}},
		wire.OffsetFetch:     &kmsg.OffsetFetchRequest{Group: "hidden", Groups: []kmsg.OffsetFetchRequestGroup{{Group: "hidden"}}},
		wire.FindCoordinator: &kmsg.FindCoordinatorRequest{CoordinatorKey: "hidden", CoordinatorKeys: []string{"hidden"}},
		wire.JoinGroup:       &kmsg.JoinGroupRequest{Group: "hidden", SessionTimeoutMillis: 10_000, RebalanceTimeoutMillis: 10_000, ProtocolType: "consumer"},
		wire.Heartbeat:       &kmsg.HeartbeatRequest{Group: "hidden"},
		wire.LeaveGroup:      &kmsg.LeaveGroupRequest{Group: "hidden"},
		wire.SyncGroup:       &kmsg.SyncGroupRequest{Group: "hidden"},
		wire.DescribeGroups:  &kmsg.DescribeGroupsRequest{Groups: []string{"hidden"}},
		wire.CreateTopics:    &kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: 1, ReplicationFactor: 1}}},
		wire.DeleteTopics:    &kmsg.DeleteTopicsRequest{TopicNames: []string{topic}, Topics: []kmsg.DeleteTopicsRequestTopic{{Topic: &topic}}},
		wire.DeleteRecords:   &kmsg.DeleteRecordsRequest{Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 1}}}}},
		wire.InitProducerID:  kmsg.NewPtrInitProducerIDRequest(),
		wire.OffsetForLeaderEpoch: &kmsg.OffsetForLeaderEpochRequest{Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic,
			Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}},
		wire.DescribeConfigs:         &kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: topic}}},
		wire.AlterConfigs:            &kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: 2, ResourceName: topic}}},
		wire.IncrementalAlterConfigs: &kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 2, ResourceName: topic}}},
		wire.CreatePartitions:        &kmsg.CreatePartitionsRequest{Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: topic, Count: 2}}},
		wire.DeleteGroups:            &kmsg.DeleteGroupsRequest{Groups: []string{"hidden"}},
		wire.OffsetDelete:            &kmsg.OffsetDeleteRequest{Group: "hidden"},
		wire.DescribeProducers:       &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: topic, Partitions: []int32{0}}}},
		wire.DescribeTopicPartitions: &kmsg.DescribeTopicPartitionsRequest{ResponsePartitionLimit: 10},
	}
	for _, a := range registered {
		if a == nil || a.Key == wire.ApiVersions || a.Key == wire.DescribeCluster || a.Key == wire.ListGroups {
			continue // for everybody; ListGroups leaves out what may not be seen, and there is no group
		}
		req := requests[a.Key]
		if req == nil {
			req = kmsg.RequestForKey(int16(a.Key))
		}
		d.mu.Lock()
		d.asked = nil
		d.mu.Unlock()
		c := n.dial()
		version, set := byName[a.Key]
		if !set {
			version = a.Max
		}
		c.send(request(req, version, 77))
		answer := c.frame()
		c.Close()
		d.mu.Lock()
		if len(d.asked) == 0 {
			t.Errorf("%v v%d asks nobody", a.Key, version)
		}
		d.mu.Unlock()
		if bytes.Contains(answer, []byte("payload")) {
			t.Errorf("%v tells what is in the topic", a.Key)
		}
	}
	d.arm(false)
	if got := call[*kmsg.MetadataResponse](n, metadataOf(), 0); len(got.Topics) != 2 {
		t.Errorf("somebody changed the topics: %+v", got.Topics)
	}
}

// byName are the last versions that name topics instead of giving their ids.
var byName = map[wire.Key]int16{wire.Produce: 12, wire.Fetch: 12, wire.OffsetCommit: 9, wire.OffsetFetch: 9}

// tired throttles every answer.
type tired time.Duration

func (d tired) Charge(time.Time, quota.Usage) time.Duration { return time.Duration(d) }

func TestThrottledAnswersSayHowLongAndMute(t *testing.T) {
	s := newStage(t, Options{Quotas: tired(3 * time.Second)}, Listener{})
	c := s.dial()
	req := kmsg.NewPtrHeartbeatRequest()
	c.send(request(req, 4, 77), request(req, 4, 77))
	if got := answer1[*kmsg.HeartbeatResponse](c, req, 4); got.ThrottleMillis != 3000 {
		t.Errorf("throttle %d ms", got.ThrottleMillis)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the second request was answered at once")
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	for range 4 {
		s.clock.Advance(time.Second)
	}
	answer1[*kmsg.HeartbeatResponse](c, req, 4)
}

// TestStopAnswersParkedFetches: the broker does not wait for a long poll, and the client gets its answer.
func TestStopAnswersParkedFetches(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	c := n.dial()
	req := fetchRequest("t", 0, 600_000)
	c.send(request(req, 11, 77))
	n.until(func() bool { return n.parkedRequests() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
	if got := answer1[*kmsg.FetchResponse](c, req, 11); got.ErrorCode != 0 {
		t.Error(wire.ErrorCode(got.ErrorCode))
	}
	c.ended()
}

// TestNextProduceAfterTheLast: a pool that gave memory away too early would mix one client's records with another's
// (reliability T26). Released buffers are poisoned in tests.
func TestBuffersAreNotShared(t *testing.T) {
	n := newNode(t)
	n.create("t", 8)
	var all sync.WaitGroup
	for p := range int32(8) {
		all.Add(1)
		go func() {
			defer all.Done()
			nc, err := net.Dial("tcp", n.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			value := bytes.Repeat([]byte{byte('a' + p)}, 3000)
			frame := request(produceRequest("t", p, -1, records(t, batch.Options{}, string(value))), 9, 1)
			for range 50 {
				nc.Write(frame)
			}
			for range 50 {
				if _, err := readFrame(nc); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	all.Wait()
	for p := range int32(8) {
		req := fetchRequest("t", 0, 0)
		req.Topics[0].Partitions[0].Partition = p
		b := call[*kmsg.FetchResponse](n, req, 11).Topics[0].Partitions[0].RecordBatches
		count := 0
		for ; len(b) > 0; count++ {
			h, err := batch.ParseHeader(b)
			if err != nil || !batch.CheckCRC(b[:h.Size()]) {
				t.Fatalf("partition %d: broken batch %d: %v", p, count, err)
			}
			recs, err := batch.Records(b[:h.Size()], 1<<20)
			if err != nil || len(bytes.Trim(recs[0].Value, string(rune('a'+p)))) != 0 {
				t.Fatalf("partition %d holds what was not sent to it", p)
			}
			b = b[h.Size():]
		}
		if count != 50 {
			t.Errorf("partition %d: %d batches", p, count)
		}
	}
}
