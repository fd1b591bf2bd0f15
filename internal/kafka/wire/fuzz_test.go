package wire

import (
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func FuzzHeader(f *testing.F) {
	f.Add(AppendRequestHeader(nil, Header{Key: Produce, Version: 13, CorrelationID: 7, ClientID: "c"}))
	f.Add(AppendRequestHeader(nil, Header{Key: ApiVersions, Version: 2, ClientIDNull: true}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, err := ParseHeader(frame)
		if err != nil {
			return
		}
		again, err := ParseHeader(append(AppendRequestHeader(nil, h), h.Body...))
		if d := cmp.Diff(h, again, cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Fatal(d, err)
		}
	})
}

// What Produce accepts, kmsg accepts, and finds the same in it; and no request takes much memory.
func FuzzProduce(f *testing.F) {
	r := seeded(f)
	for version := int16(0); version <= produceMax; version++ {
		k, _ := randomProduce(r, version)
		f.Add(version, k.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		var got ProduceRequest
		err := got.Parse(version, body)
		if used := cap(got.Partitions) * int(unsafe.Sizeof(ProducePartition{})); used > 1024+DecodeFactor*len(body) {
			t.Fatalf("%d bytes for a request of %d", used, len(body))
		}
		if err != nil {
			return
		}
		k := kmsg.ProduceRequest{Version: version}
		if err := k.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		want := ProduceRequest{TransactionalID: k.TransactionID, Acks: k.Acks, TimeoutMs: k.TimeoutMillis}
		for _, topic := range k.Topics {
			for _, p := range topic.Partitions {
				want.Partitions = append(want.Partitions, ProducePartition{topic.Topic, topic.TopicID, p.Partition, p.Records, p.Records == nil})
			}
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(want), cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzFetch(f *testing.F) {
	r := seeded(f)
	for version := int16(fetchMin); version <= fetchMax; version++ {
		k, _ := randomFetch(r, version)
		f.Add(version, k.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		var got FetchRequest
		err := got.Parse(version, body)
		used := cap(got.Partitions)*int(unsafe.Sizeof(FetchPartition{})) + cap(got.Forgotten)*int(unsafe.Sizeof(ForgottenPartition{}))
		if used > 1024+DecodeFactor*len(body) {
			t.Fatalf("%d bytes for a request of %d", used, len(body))
		}
		if err != nil {
			return
		}
		k := kmsg.NewPtrFetchRequest()
		k.Version = version
		if err := k.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(fromKmsg(k), &got, ignorePrivate, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(FetchPartition{}, "FlushedEnd")); d != "" {
			t.Fatal(d)
		}
	})
}

// fromKmsg says what kmsg found, without the tags that came with a later version.
func fromKmsg(k *kmsg.FetchRequest) *FetchRequest {
	out := &FetchRequest{ReplicaID: k.ReplicaID, ReplicaEpoch: -1, MaxWaitMs: k.MaxWaitMillis, MinBytes: k.MinBytes, MaxBytes: k.MaxBytes, Isolation: k.IsolationLevel,
		SessionID: k.SessionID, SessionEpoch: k.SessionEpoch, RackID: k.Rack, ClusterID: k.ClusterID}
	if k.Version >= 15 {
		out.ReplicaID, out.ReplicaEpoch = k.ReplicaState.ID, k.ReplicaState.Epoch
	}
	for _, topic := range k.Topics {
		for _, p := range topic.Partitions {
			w := FetchPartition{Topic: topic.Topic, TopicID: topic.TopicID, Partition: p.Partition, CurrentLeaderEpoch: p.CurrentLeaderEpoch, FetchOffset: p.FetchOffset,
				LastFetchedEpoch: p.LastFetchedEpoch, LogStart: p.LogStartOffset, MaxBytes: p.PartitionMaxBytes, HighWatermark: 1<<63 - 1}
			if k.Version >= 17 {
				w.ReplicaDirectory = p.ReplicaDirectoryID
			}
			if k.Version >= 18 {
				w.HighWatermark = p.HighWatermark
			}
			out.Partitions = append(out.Partitions, w)
		}
	}
	for _, topic := range k.ForgottenTopics {
		for _, p := range topic.Partitions {
			out.Forgotten = append(out.Forgotten, ForgottenPartition{topic.Topic, topic.TopicID, p})
		}
	}
	return out
}
