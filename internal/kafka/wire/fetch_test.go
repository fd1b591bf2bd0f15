package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func randomFetch(r *rng, version int16) (*kmsg.FetchRequest, *FetchRequest) {
	k := kmsg.NewPtrFetchRequest()
	k.Version = version
	want := new(FetchRequest)
	want.Reset()
	want.MaxWaitMs, want.MinBytes, want.MaxBytes, want.Isolation = r.Int32(), r.Int32(), r.Int32(), r.i8()
	k.MaxWaitMillis, k.MinBytes, k.MaxBytes, k.IsolationLevel = want.MaxWaitMs, want.MinBytes, want.MaxBytes, want.Isolation
	if r.IntN(2) == 0 {
		want.ReplicaID = r.Int32()
		if version >= 15 {
			want.ReplicaEpoch = r.Int64()
			k.ReplicaState.ID, k.ReplicaState.Epoch = want.ReplicaID, want.ReplicaEpoch
			k.ReplicaState.UnknownTags = r.tags()
		} else {
			k.ReplicaID = want.ReplicaID
		}
	}
	if version >= 7 {
		want.SessionID, want.SessionEpoch = r.Int32(), r.Int32()-1<<30
		k.SessionID, k.SessionEpoch = want.SessionID, want.SessionEpoch
		randomForgotten(r, version, k, want)
	}
	if version >= 11 {
		want.RackID = r.text()
		k.Rack = want.RackID
	}
	if version >= 12 {
		want.ClusterID = r.textOrNull()
		k.ClusterID = want.ClusterID
	}
	for range r.IntN(4) {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = topicFor(r, version, fetchTopicIDs)
		for range r.IntN(4) {
			p, w := randomFetchPartition(r, version)
			w.Topic, w.TopicID = topic.Topic, topic.TopicID
			topic.Partitions = append(topic.Partitions, p)
			want.Partitions = append(want.Partitions, w)
		}
		topic.UnknownTags = r.tags()
		k.Topics = append(k.Topics, topic)
	}
	k.UnknownTags = r.tags()
	return k, want
}

func topicFor(r *rng, version, ids int16) (string, UUID) {
	if version >= ids {
		return "", r.uuid()
	}
	return r.text(), UUID{}
}

func randomForgotten(r *rng, version int16, k *kmsg.FetchRequest, want *FetchRequest) {
	for range r.IntN(3) {
		topic := kmsg.NewFetchRequestForgottenTopic()
		topic.Topic, topic.TopicID = topicFor(r, version, fetchTopicIDs)
		for range r.IntN(3) {
			p := r.Int32()
			topic.Partitions = append(topic.Partitions, p)
			want.Forgotten = append(want.Forgotten, ForgottenPartition{topic.Topic, topic.TopicID, p})
		}
		topic.UnknownTags = r.tags()
		k.ForgottenTopics = append(k.ForgottenTopics, topic)
	}
}

func randomFetchPartition(r *rng, version int16) (kmsg.FetchRequestTopicPartition, FetchPartition) {
	w := FetchPartition{Partition: r.Int32(), CurrentLeaderEpoch: -1, FetchOffset: r.Int64(), LastFetchedEpoch: -1, LogStart: -1, MaxBytes: r.Int32(), HighWatermark: math.MaxInt64}
	w.FlushedEnd = w.FetchOffset
	if version >= 5 {
		w.LogStart = r.Int64()
	}
	if version >= 9 {
		w.CurrentLeaderEpoch = r.Int32()
	}
	if version >= 12 {
		w.LastFetchedEpoch = r.Int32()
	}
	if version >= 17 && r.IntN(2) == 0 {
		w.ReplicaDirectory = r.uuid()
	}
	if version >= 18 && r.IntN(2) == 0 {
		w.HighWatermark = r.Int64()
	}
	k := kmsg.NewFetchRequestTopicPartition()
	k.Partition, k.CurrentLeaderEpoch, k.FetchOffset, k.LastFetchedEpoch, k.LogStartOffset = w.Partition, w.CurrentLeaderEpoch, w.FetchOffset, w.LastFetchedEpoch, w.LogStart
	k.PartitionMaxBytes, k.ReplicaDirectoryID, k.HighWatermark = w.MaxBytes, w.ReplicaDirectory, w.HighWatermark
	k.UnknownTags = r.tags()
	if version >= 12 && r.IntN(2) == 0 {
		w.FlushedEnd = r.Int64()
		k.UnknownTags.Set(FlushedEndTag, binary.BigEndian.AppendUint64(nil, uint64(w.FlushedEnd)))
	}
	return k, w
}

var ignorePrivate = cmpopts.IgnoreUnexported(FetchRequest{})

func TestFetchRequestAgainstKmsg(t *testing.T) {
	r := seeded(t)
	var got FetchRequest
	for version := int16(fetchMin); version <= fetchMax; version++ {
		for range 300 {
			k, want := randomFetch(r, version)
			body := k.AppendTo(nil)
			if err := got.Parse(version, body); err != nil {
				t.Fatalf("v%d: %v", version, err)
			}
			if d := cmp.Diff(want, &got, ignorePrivate, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("v%d: %s", version, d)
			}
			for range 5 {
				n := r.IntN(len(body))
				if err := got.Parse(version, body[:n:n]); err == nil {
					t.Fatalf("v%d: %d of %d bytes are enough", version, n, len(body))
				}
			}
		}
	}
	for _, version := range []int16{-1, 3, fetchMax + 1} {
		if err := got.Parse(version, make([]byte, 100)); err != ErrVersion {
			t.Fatal(version, err)
		}
	}
}

// What we write around the records is byte for byte what kmsg writes with them.
func TestFetchResponseAgainstKmsg(t *testing.T) {
	r := seeded(t)
	w := new(FetchWriter)
	for version := int16(fetchMin); version <= fetchMax; version++ {
		for range 300 {
			k := kmsg.NewPtrFetchResponse()
			k.Version, k.ThrottleMillis, k.ErrorCode, k.SessionID = version, r.Int32(), r.i16(), r.Int32()
			nodes := randomNodes(r)
			if version >= 16 {
				for _, n := range nodes {
					k.Brokers = append(k.Brokers, kmsg.FetchResponseBroker{NodeID: n.ID, Host: n.Host, Port: n.Port, Rack: n.Rack})
				}
			}
			var parts []FetchResponsePartition
			var records [][]byte
			for i := range r.IntN(4) {
				topic := kmsg.NewFetchResponseTopic()
				topic.Topic, topic.TopicID = r.text()+string(rune('a'+i)), r.uuid()
				for range 1 + r.IntN(3) {
					p := randomFetchResponse(r, topic.Topic, topic.TopicID)
					bytes := r.bytes()
					p.RecordsSize = len(bytes)
					parts, records = append(parts, p), append(records, bytes)
					topic.Partitions = append(topic.Partitions, kmsgFetchPartition(p, version, bytes))
				}
				k.Topics = append(k.Topics, topic)
			}
			w.Reset(append(w.Bytes()[:0], "head"...), version, k.ThrottleMillis, ErrorCode(k.ErrorCode), k.SessionID, parts, nodes)
			got, want := join(w.Pieces(), records), append([]byte("head"), k.AppendTo(nil)...)
			if !bytes.Equal(got, want) || w.Size() != len(want) {
				t.Fatalf("v%d: %+v\nours %x\nkmsg %x", version, parts, got, want)
			}
			if len(w.Pieces()) != len(parts)+1 {
				t.Fatalf("%d pieces for %d partitions", len(w.Pieces()), len(parts))
			}
			back := kmsg.NewPtrFetchResponse()
			back.Version = version
			if err := back.ReadFrom(got[4:]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func join(pieces, records [][]byte) []byte {
	var out []byte
	for i, p := range pieces {
		out = append(out, p...)
		if i < len(records) {
			out = append(out, records[i]...)
		}
	}
	return out
}

func randomFetchResponse(r *rng, topic string, id UUID) FetchResponsePartition {
	p := FetchResponsePartition{Topic: topic, TopicID: id, Partition: r.Int32(), Err: ErrorCode(r.i16()), HighWatermark: r.Int64(), LastStable: r.Int64(),
		LogStart: r.Int64(), PreferredReplica: r.Int32(), DivergingEpoch: -1, DivergingEnd: -1, LeaderID: -1, LeaderEpoch: -1}
	if r.IntN(2) == 0 {
		p.Aborted = []AbortedTransaction{}
		for range r.IntN(4) {
			p.Aborted = append(p.Aborted, AbortedTransaction{r.Int64(), r.Int64()})
		}
	}
	if r.IntN(2) == 0 {
		p.DivergingEpoch, p.DivergingEnd = r.Int32(), r.Int64()
	}
	if r.IntN(2) == 0 {
		p.LeaderID, p.LeaderEpoch = r.Int32(), r.Int32()
	}
	return p
}

func kmsgFetchPartition(p FetchResponsePartition, version int16, records []byte) kmsg.FetchResponseTopicPartition {
	k := kmsg.NewFetchResponseTopicPartition()
	k.Partition, k.ErrorCode, k.HighWatermark, k.LastStableOffset, k.LogStartOffset = p.Partition, int16(p.Err), p.HighWatermark, p.LastStable, p.LogStart
	k.PreferredReadReplica, k.RecordBatches = p.PreferredReplica, records
	if p.Aborted != nil {
		k.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
	for _, a := range p.Aborted {
		k.AbortedTransactions = append(k.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	if version >= 12 {
		k.DivergingEpoch.Epoch, k.DivergingEpoch.EndOffset = p.DivergingEpoch, p.DivergingEnd
		k.CurrentLeader.LeaderID, k.CurrentLeader.LeaderEpoch = p.LeaderID, p.LeaderEpoch
	}
	return k
}

func TestFetchBounds(t *testing.T) {
	head := make([]byte, 17)
	var r FetchRequest
	for _, tail := range []string{"\x7f\xff\xff\xff", "\x00\x00\x00\x01\x00\x01t\x7f\xff\xff\xff", "\xff\xff\xff\xff"} {
		body := append(bytes.Clone(head), tail...)
		if allocs := testing.AllocsPerRun(5, func() {
			if err := r.Parse(4, body); err == nil {
				t.Fatalf("%x", body)
			}
		}); allocs != 0 {
			t.Errorf("%x: %v allocations", tail, allocs)
		}
	}
	// The densest requests: entries of 16 bytes, and forgotten partitions of 4.
	n := 100_000
	body := append(bytes.Clone(head), 0, 0, 0, 1, 0, 1, 't')
	body = append(AppendInt32(body, int32(n)), make([]byte, 16*n)...)
	r = FetchRequest{}
	if err := r.Parse(4, body); err != nil || len(r.Partitions) != n {
		t.Fatal(len(r.Partitions), err)
	}
	if used := cap(r.Partitions) * int(unsafe.Sizeof(FetchPartition{})); used > DecodeFactor*len(body) {
		t.Errorf("%d bytes of request take %d of memory", len(body), used)
	}
	body = append(make([]byte, 25), 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 't')
	body = append(AppendInt32(body, int32(n)), make([]byte, 4*n)...)
	if err := r.Parse(7, body); err != nil || len(r.Forgotten) != n {
		t.Fatal(len(r.Forgotten), err)
	}
	if used := cap(r.Forgotten) * int(unsafe.Sizeof(ForgottenPartition{})); used > DecodeFactor*len(body) {
		t.Errorf("%d bytes of request take %d of memory", len(body), used)
	}
}

func TestFetchParsesWithoutAllocating(t *testing.T) {
	r := seeded(t)
	for version := int16(fetchMin); version <= fetchMax; version++ {
		k, _ := randomFetch(r, version)
		body := k.AppendTo(nil)
		var request FetchRequest
		if allocs := testing.AllocsPerRun(10, func() { _ = request.Parse(version, body) }); allocs != 0 {
			t.Errorf("v%d: %v allocations", version, allocs)
		}
	}
}

func TestFetchParseForgetsTheLastRequest(t *testing.T) {
	r := seeded(t)
	var got FetchRequest
	for range 300 {
		version := int16(fetchMin + r.IntN(fetchMax-fetchMin+1))
		k, _ := randomFetch(r, version)
		body := k.AppendTo(nil)
		var once FetchRequest
		if err := errorOf(got.Parse(version, body), once.Parse(version, body)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(once, got, ignorePrivate, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("v%d: %s", version, d)
		}
	}
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func benchFetch(partitions int) []byte {
	k := kmsg.NewPtrFetchRequest()
	k.Version = 18
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = UUID{1, 2, 3}
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset = int32(i), 1000
		topic.Partitions = append(topic.Partitions, p)
	}
	k.Topics = append(k.Topics, topic)
	return k.AppendTo(nil)
}

func BenchmarkFetchRequest(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		body := benchFetch(n)
		name := map[int]string{1: "1", 100: "100", 1000: "1000"}[n]
		b.Run("parse/"+name, func(b *testing.B) {
			b.ReportAllocs()
			var r FetchRequest
			for b.Loop() {
				if err := r.Parse(18, body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("kmsg/"+name, func(b *testing.B) {
			b.ReportAllocs()
			var r kmsg.FetchRequest
			for b.Loop() {
				r.Version = 18
				if err := r.ReadFrom(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFetchResponse(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		parts := make([]FetchResponsePartition, n)
		for i := range parts {
			parts[i] = FetchResponsePartition{TopicID: UUID{1}, Partition: int32(i), HighWatermark: 100, PreferredReplica: -1, DivergingEpoch: -1, LeaderID: -1, LeaderEpoch: -1, RecordsSize: 4096}
		}
		b.Run(map[int]string{1: "1", 100: "100", 1000: "1000"}[n], func(b *testing.B) {
			b.ReportAllocs()
			var w FetchWriter
			for b.Loop() {
				w.Reset(w.Bytes()[:0], 18, 0, None, 7, parts, nil)
			}
		})
	}
}
