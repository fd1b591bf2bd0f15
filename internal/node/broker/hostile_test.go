package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
)

// samples are one request of every API, with something in every list, in its newest version.
func samples(t *testing.T) map[wire.Key][]byte {
	t.Helper()
	all := map[wire.Key][]byte{}
	name, text := "t", "x"
	for _, a := range registered {
		if a == nil {
			continue
		}
		req := kmsg.RequestForKey(int16(a.Key))
		req.SetVersion(a.Max)
		switch m := req.(type) {
		case *kmsg.ProduceRequest:
			*m = *produceRequest("t", 0, -1, records(t, batch.Options{}, "a"))
			m.Topics[0].TopicID = [16]byte{1}
		case *kmsg.FetchRequest:
			*m = *fetchRequest("t", 0, 0)
			m.Topics[0].TopicID = [16]byte{1}
			m.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "t", Partitions: []int32{1}}}
		case *kmsg.ListOffsetsRequest:
			m.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1}}}}
		case *kmsg.MetadataRequest:
			m.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
		case *kmsg.OffsetCommitRequest:
			m.Group, m.Generation = "g", -1
			m.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Metadata: &text}}}}
		case *kmsg.OffsetFetchRequest:
			m.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}}
		case *kmsg.FindCoordinatorRequest:
			m.CoordinatorKeys = []string{"g"}
		case *kmsg.JoinGroupRequest:
			m.Group, m.MemberID, m.InstanceID, m.Reason = "g", "m", &text, &text
			m.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{1, 2}}}
		case *kmsg.HeartbeatRequest:
			m.Group, m.MemberID, m.InstanceID = "g", "m", &text
		case *kmsg.LeaveGroupRequest:
			m.Group = "g"
			m.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "m", InstanceID: &text, Reason: &text}}
		case *kmsg.SyncGroupRequest:
			m.Group, m.MemberID = "g", "m"
			m.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: "m", MemberAssignment: []byte{1}}}
		case *kmsg.DescribeGroupsRequest:
			m.Groups = []string{"g"}
		case *kmsg.ListGroupsRequest:
			m.StatesFilter, m.TypesFilter = []string{"Stable"}, []string{"classic"}
		case *kmsg.ApiVersionsRequest:
			m.ClientSoftwareName, m.ClientSoftwareVersion = "a", "1"
		case *kmsg.CreateTopicsRequest:
			m.ValidateOnly = true
			m.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "n", NumPartitions: -1, ReplicationFactor: -1,
				Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: "a", Value: &text}}}}
			assign(&m.Topics[0], 0, 1)
		case *kmsg.DeleteTopicsRequest:
			m.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &text}}
		case *kmsg.DeleteRecordsRequest:
			m.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 0}}}}
		case *kmsg.InitProducerIDRequest:
			m.TransactionalID = &text
		case *kmsg.OffsetForLeaderEpochRequest:
			m.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{}}}}
		case *kmsg.DescribeConfigsRequest:
			m.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: "t", ConfigNames: []string{"a"}}}
		case *kmsg.AlterConfigsRequest:
			m.ValidateOnly = true
			m.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: 2, ResourceName: "t", Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "a", Value: &text}}}}
		case *kmsg.DescribeLogDirsRequest:
			m.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		case *kmsg.CreatePartitionsRequest:
			m.ValidateOnly = true
			m.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 2, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}}}
		case *kmsg.DeleteGroupsRequest:
			m.Groups = []string{"x"}
		case *kmsg.IncrementalAlterConfigsRequest:
			*m = *alteration(2, "t", op("a", 0, "b"))
			m.ValidateOnly = true
		case *kmsg.OffsetDeleteRequest:
			m.Group = "g"
			m.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
		case *kmsg.DescribeClusterRequest:
		case *kmsg.DescribeProducersRequest:
			m.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		case *kmsg.ListConfigResourcesRequest:
			m.ResourceTypes = []int8{2}
		case *kmsg.DescribeTopicPartitionsRequest:
			m.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "t"}}
			m.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "t"}
		default:
			t.Fatalf("%v has no sample", a.Key)
		}
		all[a.Key] = request(req, a.Max, 77)
	}
	return all
}

// hostile is a node that is sent what no client should send; after every frame it must live.
func hostile(t *testing.T) *node {
	n := newNodeWith(t, Options{Limits: Limits{ConnectionRate: -1}})
	n.create("t", 1)
	return n
}

// throw sends bytes, closes the writing side, and reads what comes until the end.
func (n *node) throw(b []byte) (answer []byte) {
	n.t.Helper()
	nc, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	nc.Write(b)
	nc.(*net.TCPConn).CloseWrite()
	answer, err = io.ReadAll(nc)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		n.t.Fatalf("the connection of %x stays open", b)
	}
	return answer
}

func (n *node) nothingHeld() {
	n.t.Helper()
	n.until(func() bool { return n.inFlight.inUse()+n.decoding.inUse() == 0 })
}

// TestTruncatedAtEveryByte: a frame that ends early, with the length it says and with the length it has.
func TestTruncatedAtEveryByte(t *testing.T) {
	n := hostile(t)
	for key, whole := range samples(t) {
		if c := n.dial(); key != wire.JoinGroup && key != wire.SyncGroup { // those two wait for others
			c.send(whole)
			c.frame()
			c.Close()
		}
		for cut := 4; cut < len(whole); cut++ {
			short := bytes.Clone(whole[:cut])
			if got := n.throw(short); len(got) != 0 {
				t.Errorf("%v cut at %d, the length unchanged: an answer of %d bytes", key, cut, len(got))
			}
			binary.BigEndian.PutUint32(short, uint32(cut-4))
			n.throw(short)
		}
	}
	n.nothingHeld()
}

var hostileSeed = flag.Uint64("hostile.seed", 0, "the seed of TestBentFrames; 0 draws one")

// TestBentFrames: huge and negative numbers at every place, and bytes changed at random. Among them are four billion
// tagged fields, which kmsg would count for half a minute if it were to see them.
func TestBentFrames(t *testing.T) {
	seed := *hostileSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("again: go test ./internal/node/broker -run TestBentFrames -hostile.seed %d", seed)
	n := hostile(t)
	all := samples(t)
	for _, key := range slices.Sorted(maps.Keys(all)) { // in order, or the seed repeats nothing
		whole := all[key]
		for at := 8; at+4 <= len(whole); at++ {
			for _, v := range []uint32{0x80000000, 0x7fffffff, 0xffffffff} {
				bent := bytes.Clone(whole)
				binary.BigEndian.PutUint32(bent[at:], v)
				n.throw(bent)
			}
		}
		for at := 8; at < len(whole); at++ {
			bent := append(bytes.Clone(whole[:at]), 0xff, 0xff, 0xff, 0xff, 0x0f)
			bent = append(bent, whole[at+1:]...)
			binary.BigEndian.PutUint32(bent, uint32(len(bent)-4))
			n.throw(bent)
		}
		for range 40 {
			bent := bytes.Clone(whole)
			for range 1 + rng.IntN(4) {
				bent[8+rng.IntN(len(bent)-8)] = byte(rng.Uint32())
			}
			n.throw(bent)
		}
	}
	n.nothingHeld()
	n.create("alive", 1) // a bent frame may have deleted t, and rightly so
	n.produce("alive", 0, "it lives")
}

// TestEveryAPIHasAShape: kmsg sees no request that was not walked over before.
func TestEveryAPIHasAShape(t *testing.T) {
	for _, a := range registered {
		if a == nil || a.Key == wire.Produce || a.Key == wire.Fetch { // parsed by hand
			continue
		}
		for v := a.Min; v <= a.Max; v++ {
			if errors.Is(wire.CheckShape(a.Key, v, nil), wire.ErrVersion) {
				t.Errorf("%v version %d has no shape in request_shapes.txt", a.Key, v)
			}
		}
		if !errors.Is(wire.CheckShape(a.Key, a.Max+1, nil), wire.ErrVersion) {
			t.Errorf("%v has a shape for version %d, which is not served", a.Key, a.Max+1)
		}
	}
}

// TestBadFramesWaitForNobody: while the whole decode budget is taken, a badly formed request is refused at once.
func TestBadFramesWaitForNobody(t *testing.T) {
	n := hostile(t)
	all, _ := n.decoding.take(n.decoding.limit, nil)
	defer n.decoding.give(all)
	body := []byte{1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f} // Metadata with four billion tagged fields
	head := wire.AppendRequestHeader(nil, wire.Header{Key: wire.Metadata, Version: 12})
	if got := n.throw(sized(uint32(len(head)+len(body)), append(head, body...)...)); len(got) != 0 {
		t.Errorf("an answer of %d bytes", len(got))
	}
	n.until(func() bool { return n.inFlight.inUse() == 0 })
}

// TestDecompressionBombs: a few bytes that claim, or give, far more than a batch may hold. The topic is compacted, so
// the broker has to look inside.
func TestDecompressionBombs(t *testing.T) {
	n := newNode(t)
	n.create("c", 1, "cleanup.policy=compact")
	bomb := make([]byte, 256<<20)
	for _, codec := range []batch.Codec{batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		payload, err := batch.Compress(codec, 0, bomb)
		if err != nil {
			t.Fatal(err)
		}
		bodies := map[string][]byte{"256 MiB of zeros": payload}
		if codec == batch.Snappy {
			bodies["six bytes that claim 2 GiB"] = []byte{0xff, 0xff, 0xff, 0xff, 0x07, 0}
		}
		for what, body := range bodies {
			b := records(t, batch.Options{}, "a")[:batch.HeaderSize]
			b = append(bytes.Clone(b), body...)
			if len(b) > 1<<20 {
				b = b[:1<<20] // what max.message.bytes lets through
			}
			binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
			b[22] = byte(codec)
			before := allocated()
			got := call[*kmsg.ProduceResponse](n, produceRequest("c", 0, -1, recrc(b)), 9).Topics[0].Partitions[0]
			if code := wire.ErrorCode(got.ErrorCode); code != wire.CorruptMessage && code != wire.InvalidRecord {
				t.Errorf("codec %d, %s: %v", codec, what, code)
			}
			if grown := allocated() - before; grown > 128<<20 {
				t.Errorf("codec %d, %s: %d MiB allocated", codec, what, grown>>20)
			}
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestManyHalfFrames: a thousand clients that each announce a large request and send no more. What the broker holds for
// them stays within the budget, and those that have something to say are served once the others are gone.
func TestManyHalfFrames(t *testing.T) {
	s := newStage(t, Options{Limits: Limits{Memory: 64 << 20, ConnectionsPerIP: -1, ConnectionRate: -1}}, Listener{})
	var m0, m1 runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m0)
	half := sized(12<<20, 0, 0, 0, 9, 0, 0, 0, 1, 0, 1, 'x')
	for i := range 1000 {
		s.connect(i + 1).send(half)
	}
	s.until(func() bool { return s.inFlight.waiting() })
	runtime.GC()
	runtime.ReadMemStats(&m1)
	if grown := int64(m1.HeapInuse) - int64(m0.HeapInuse); grown > 48<<20 {
		t.Errorf("%d MiB for a thousand half frames, the budget is 16", grown>>20)
	}
	if used := s.inFlight.inUse(); used > 16<<20 {
		t.Errorf("%d bytes in flight", used)
	}
}
