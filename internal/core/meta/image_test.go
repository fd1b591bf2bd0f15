package meta

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

func topicID(n int) wire.UUID {
	return wire.UUID{0: 1, 12: byte(n >> 16), 13: byte(n >> 8), 14: byte(n), 15: 1}
}

// many is an image of n topics of one partition, by way of a snapshot.
func many(t testing.TB, n int) *Image {
	var values [][]byte
	for i := range n {
		tr := &record.TopicRecord{Name: fmt.Sprintf("topic.%06d", i), TopicID: topicID(i)}
		p := record.NewPartitionRecord()
		p.PartitionID, p.TopicID, p.Replicas, p.Isr, p.Leader = 0, tr.TopicID, []int32{1}, []int32{1}, 1
		values = append(values, record.AppendMetadata(nil, tr, 0), record.AppendMetadata(nil, p, 2))
	}
	l := NewLoader()
	for _, v := range values {
		if err := l.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	return l.Image(int64(2*n-1), 1)
}

// Measured in processor time, the collector's included: other work on the machine does not count.
func TestFiftyThousandTopicsLoadQuickly(t *testing.T) {
	before := processorTime(t)
	i := many(t, 50_000)
	took := processorTime(t) - before
	t.Logf("50,000 topics loaded in %v of processor time", took)
	if i.TopicCount() != 50_000 || took > 2*time.Second {
		t.Fatalf("%d topics took %v", i.TopicCount(), took)
	}
}

func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Skip("this system does not tell processor time: ", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A change of one topic among ten thousand copies a path, not the topics.
func TestAChangeSharesTheRest(t *testing.T) {
	i := many(t, 10_000)
	c := record.NewPartitionChangeRecord()
	c.PartitionID, c.TopicID, c.Leader = 0, topicID(5000), 1
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	next, delta, err := i.Apply([]record.Metadata{c}, i.Offset()+1, 1)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<10 {
		t.Errorf("one change allocated %d bytes", n)
	}
	if len(delta.Topics) != 1 || len(delta.Topics[0].Partitions) != 1 || delta.Topics[0].Partitions[0].Old.LeaderEpoch != -1 || delta.Topics[0].Partitions[0].New.LeaderEpoch != 0 {
		t.Errorf("delta %+v", delta)
	}
	if next.Topic("topic.000001") != i.Topic("topic.000001") || i.Topic("topic.005000").Partitions[0].LeaderEpoch != -1 {
		t.Error("the old image changed, or the rest was copied")
	}
}

func TestWhatCannotBeUnderstoodIsAnError(t *testing.T) {
	i := Empty()
	for name, value := range map[string][]byte{
		"an unknown record": {1, 99, 0, 0}, "garbage": {7}, "a later version": {1, 2, 5, 0},
		"a partition of no topic":    record.AppendMetadata(nil, record.NewPartitionRecord(), 2),
		"a broker not registered":    record.AppendMetadata(nil, &record.FenceBrokerRecord{ID: 3}, 0),
		"an end without a beginning": record.AppendMetadata(nil, &record.EndTransactionRecord{}, 0),
		"a removal of nothing":       record.AppendMetadata(nil, &record.RemoveTopicRecord{TopicID: topicID(1)}, 0),
	} {
		if _, _, err := i.ApplyBatch(machine.Batch{BaseOffset: 0, Records: []machine.Record{{Value: value}}}); err == nil {
			t.Errorf("MET-4: %s was read", name)
		}
	}
	if _, _, err := i.ApplyBatch(machine.Batch{Records: []machine.Record{{Value: []byte{1, 99, 0, 0}}}}); !errors.Is(err, record.ErrUnknown) {
		t.Error("the kind of error is lost")
	}
	_, _, err := i.Apply([]record.Metadata{&record.ProducerIDsRecord{NextProducerID: 5}, &record.ProducerIDsRecord{NextProducerID: 4}}, 0, 0)
	if err == nil {
		t.Error("IDM-3: producer ids went back")
	}
}

// A metadata transaction, as Kafka writes it for large changes, shows as a whole or not at all.
func TestAMetadataTransactionShowsAsAWhole(t *testing.T) {
	name := "begin"
	topic := func(n string, id int) record.Metadata { return &record.TopicRecord{Name: n, TopicID: topicID(id)} }
	i, d, err := Empty().Apply([]record.Metadata{topic("before", 1), &record.BeginTransactionRecord{Name: &name}, topic("in", 2)}, 0, 1)
	if err != nil || i.TopicCount() != 1 || len(d.Topics) != 1 || !i.InTransaction() {
		t.Fatalf("%v %v %v", i.TopicNames(), d, err)
	}
	if i.Snapshot(func([]byte) error { return nil }) == nil {
		t.Fatal("a snapshot inside a transaction")
	}
	done, d, err := i.Apply([]record.Metadata{topic("in2", 3), &record.EndTransactionRecord{}}, 3, 1)
	if err != nil || len(d.Topics) != 2 || done.TopicCount() != 3 {
		t.Fatalf("%v %v", done.TopicNames(), err)
	}
	aborted, d, err := i.Apply([]record.Metadata{topic("in2", 3), &record.AbortTransactionRecord{}}, 3, 1)
	if err != nil || !d.Empty() || aborted.TopicCount() != 1 {
		t.Fatalf("%v %v", aborted.TopicNames(), err)
	}
}

// What this version does not act on yet survives a snapshot all the same.
func TestKeptRecordsSurviveASnapshot(t *testing.T) {
	user := "alice"
	quota := func(v float64, remove bool) record.Metadata {
		return &record.ClientQuotaRecord{Entity: []record.EntityData{{EntityType: "user", EntityName: &user}}, Key: "producer_byte_rate", Value: v, Remove: remove}
	}
	acl := &record.AccessControlEntryRecord{ID: topicID(7), ResourceType: 2, ResourceName: "t", Principal: "User:a", Host: "*"}
	scram := &record.UserScramCredentialRecord{Name: user, Mechanism: 1, Salt: []byte("s"), StoredKey: []byte("k"), ServerKey: []byte("v"), Iterations: 4096}
	i, _, err := Empty().Apply([]record.Metadata{quota(1, false), quota(2, false), acl, scram, &record.NoOpRecord{}}, 0, 1)
	if err != nil || i.kept.len() != 3 {
		t.Fatalf("%d kept, %v", i.kept.len(), err)
	}
	l := NewLoader()
	if err := i.Snapshot(l.Add); err != nil {
		t.Fatal(err)
	}
	if got := l.Image(4, 1); got.Hash() != i.Hash() {
		t.Fatal("the snapshot lost something")
	}
	gone, _, err := i.Apply([]record.Metadata{quota(0, true), &record.RemoveAccessControlEntryRecord{ID: acl.ID}, &record.RemoveUserScramCredentialRecord{Name: user, Mechanism: 1}}, 5, 1)
	if err != nil || gone.Hash() != Empty().Hash() {
		t.Fatalf("not removed: %v", err)
	}
}

func TestTopicDeletedAndMadeAgainIsTwoChanges(t *testing.T) {
	v := "5"
	i, _, _ := Empty().Apply([]record.Metadata{&record.TopicRecord{Name: "t", TopicID: topicID(1)},
		&record.ConfigRecord{ResourceType: TopicResource, ResourceName: "t", Name: "retention.ms", Value: &v}}, 0, 1)
	_, d, err := i.Apply([]record.Metadata{&record.RemoveTopicRecord{TopicID: topicID(1)}, &record.TopicRecord{Name: "t", TopicID: topicID(2)}}, 2, 1)
	if err != nil || len(d.Topics) != 2 || d.Topics[0].New != nil || d.Topics[1].Old != nil || len(d.Configs) != 1 {
		t.Fatalf("%+v %v", d, err)
	}
}

func BenchmarkApplyOneChange(b *testing.B) {
	i := many(b, 10_000)
	c := record.NewPartitionChangeRecord()
	c.PartitionID, c.TopicID, c.Leader = 0, topicID(5000), 1
	for b.Loop() {
		i, _, _ = i.Apply([]record.Metadata{c}, i.Offset()+1, 1)
	}
}

func BenchmarkLookup(b *testing.B) {
	i := many(b, 10_000)
	id := topicID(7777)
	for b.Loop() {
		i.TopicByID(id)
	}
}
