package record

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/wire"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the randomised tests (0: a new one)")

// seeded is a generator whose seed is printed if the test fails, with the command that repeats it.
func seeded(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/kafka/record -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

func TestGeneratedFileIsFresh(t *testing.T) {
	out, err := exec.Command("go", "run", "./gen", "-check").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// fill sets every field to something random, in the form that reading gives: an empty array that cannot be null is
// nil. Fields that may be null are recognised by what the record holds after reading null into them.
func fill(r *rand.Rand, v reflect.Value, nullable bool) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()) >> r.IntN(v.Type().Bits()))
	case reflect.Uint16:
		v.SetUint(uint64(r.IntN(1 << 16)))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.String:
		b := make([]byte, r.IntN(200)*r.IntN(2))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		v.SetString(string(b))
	case reflect.Array: // a UUID
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(r.IntN(256)))
		}
	case reflect.Pointer:
		v.SetZero()
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), false)
		}
	case reflect.Slice:
		v.SetZero()
		if nullable && r.IntN(3) == 0 {
			return
		}
		n := r.IntN(4)
		isBytes := v.Type().Elem().Kind() == reflect.Uint8
		if n == 0 && !nullable && !isBytes {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			if isBytes {
				v.Index(i).SetUint(uint64(r.IntN(256)))
				continue
			}
			fill(r, v.Index(i), false)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), nullableFields[v.Type().Name()+"."+v.Type().Field(i).Name])
		}
	}
}

// nullableFields are the slices that may be null, of the table. The table is read by eye here, not by the generator.
var nullableFields = map[string]bool{
	"RegisterBrokerRecord.CordonedLogDirs": true, "PartitionRecord.EligibleLeaderReplicas": true, "PartitionRecord.LastKnownElr": true,
	"PartitionChangeRecord.Isr": true, "PartitionChangeRecord.Replicas": true, "PartitionChangeRecord.RemovingReplicas": true,
	"PartitionChangeRecord.AddingReplicas": true, "PartitionChangeRecord.Directories": true, "PartitionChangeRecord.EligibleLeaderReplicas": true,
	"PartitionChangeRecord.LastKnownElr": true, "BrokerRegistrationChangeRecord.CordonedLogDirs": true, "QuorumStateData.CurrentVoters": true,
	"ConsumerGroupCurrentMemberAssignmentTopicPartitions.AssignmentEpochs": true, "StreamsGroupMetadataValue.LastAssignmentConfigs": true,
	"StreamsGroupCurrentMemberAssignmentTaskIDs.AssignmentEpochs": true, "TransactionLogValue.TransactionPartitions": true,
	"ConsumerProtocolAssignment.UserData": true, "ConsumerProtocolSubscription.UserData": true,
}

func name(m message) string { return reflect.TypeOf(m).Elem().Name() }

func fresh(m message) message { return reflect.New(reflect.TypeOf(m).Elem()).Interface().(message) }

// What is written reads back: at the last version the very same record, at earlier ones a record that is written as
// the same bytes.
func TestRoundTrip(t *testing.T) {
	r := seeded(t)
	for _, m := range all() {
		first, last := m.Versions()
		for version := first; version <= last; version++ {
			for range 60 {
				in := fresh(m)
				in.SetDefaults()
				fill(r, reflect.ValueOf(in).Elem(), false)
				b := in.AppendTo([]byte("x"), version)[1:]
				out := fresh(m)
				if err := out.ReadFrom(b, version); err != nil {
					t.Fatalf("%s v%d: %v\n%+v", name(m), version, err, in)
				}
				if again := out.AppendTo(nil, version); !bytes.Equal(again, b) {
					t.Fatalf("%s v%d: %x, again %x", name(m), version, b, again)
				}
				if version == last && allFieldsLast(in) {
					if d := cmp.Diff(in, out); d != "" {
						t.Fatalf("%s v%d: %s", name(m), version, d)
					}
				}
				if err := out.ReadFrom(append(b, 7), version); err != nil {
					t.Fatalf("%s v%d: a byte after it: %v", name(m), version, err)
				}
			}
		}
	}
}

// allFieldsLast: the last version has every field. These two have fields that ended before it.
func allFieldsLast(m message) bool {
	switch m.(type) {
	case *OffsetCommitValue, *QuorumStateData:
		return false
	}
	return true
}

// A record that is cut short is an error, or, where the cut falls behind the last field, a record.
func TestCutShort(t *testing.T) {
	r := seeded(t)
	for _, m := range all() {
		_, last := m.Versions()
		for range 5 {
			in := fresh(m)
			in.SetDefaults()
			fill(r, reflect.ValueOf(in).Elem(), false)
			b := in.AppendTo(nil, last)
			for n := range b {
				if err := fresh(m).ReadFrom(b[:n:n], last); err == nil {
					t.Fatalf("%s v%d: %d of %d bytes are enough", name(m), last, n, len(b))
				}
			}
		}
	}
}

func TestUnknownTagsAreSkipped(t *testing.T) {
	r := seeded(t)
	flexible := 0
	for _, m := range all() {
		_, last := m.Versions()
		in := fresh(m)
		in.SetDefaults()
		b := in.AppendTo(nil, last)
		if len(b) == 0 || b[len(b)-1] != 0 || reflect.TypeOf(m).Elem().NumField() > 0 && !endsWithTags(m) {
			continue
		}
		flexible++
		b = append(b[:len(b)-1], 2, 50, 3, 1, 2, 3, 51, 0)
		out := fresh(m)
		fill(r, reflect.ValueOf(out).Elem(), false) // what was there before must not stay
		if err := out.ReadFrom(b, last); err != nil {
			t.Fatalf("%s v%d: %v", name(m), last, err)
		}
		if got := out.AppendTo(nil, last); !bytes.Equal(got, in.AppendTo(nil, last)) {
			t.Fatalf("%s v%d: %x", name(m), last, got)
		}
	}
	if flexible < 50 {
		t.Fatalf("only %d flexible records", flexible)
	}
}

// endsWithTags: a record of nothing but zeros is longer by one byte than its fields, if it is flexible. Keys and the
// three embedded or control messages that never are, are left out by name.
func endsWithTags(m message) bool {
	n := name(m)
	switch n {
	case "ControlRecordTypeSchema", "EndTxnMarker", "LegacyOffsetCommitValue", "ConsumerProtocolAssignment", "ConsumerProtocolSubscription":
		return false
	}
	return len(n) < 3 || n[len(n)-3:] != "Key"
}

// Kafka writes null for a member that does not use the classic protocol, because what it takes for absent is an empty
// struct, as its generated class shows.
func TestNullThatIsNotTheDefault(t *testing.T) {
	m := NewConsumerGroupMemberMetadataValue()
	if m.ClassicMemberMetadata == nil {
		t.Fatal("absent must not be null")
	}
	b := m.AppendTo(nil, 0)
	if b[len(b)-1] != 0 {
		t.Fatalf("the default is written: %x", b)
	}
	m.ClassicMemberMetadata = nil
	b = m.AppendTo(nil, 0)
	if !bytes.HasSuffix(b, []byte{1, 0, 1, 0}) { // one tag, number 0, of one byte: null
		t.Fatalf("%x", b)
	}
	back := NewConsumerGroupMemberMetadataValue()
	if err := back.ReadFrom(b, 0); err != nil || back.ClassicMemberMetadata != nil {
		t.Fatal(back.ClassicMemberMetadata, err)
	}
	epochs := &ConsumerGroupCurrentMemberAssignmentTopicPartitions{AssignmentEpochs: []int32{}}
	if b := epochs.appendTo(nil, 0); b[len(b)-1] != 0 {
		t.Fatalf("empty is the default and written: %x", b)
	}
}

func TestMetadataFrame(t *testing.T) {
	in := &TopicRecord{Name: "orders", TopicID: wire.UUID{1, 2, 3}}
	b := AppendMetadata(nil, in, 0)
	want := append([]byte{1, 2, 0, 7}, "orders"...)
	want = append(want, in.TopicID[:]...)
	want = append(want, 0)
	if !bytes.Equal(b, want) {
		t.Fatalf("%x, want %x", b, want)
	}
	out, version, err := ParseMetadata(b)
	if err != nil || version != 0 || !reflect.DeepEqual(out, in) {
		t.Fatal(out, version, err)
	}
	for _, unknown := range [][]byte{{2, 2, 0}, {1, 6, 0, 0}, {1, 29, 0, 0}, {1, 2, 1, 0}, {1, 0xff, 0xff, 0x7f, 0}} {
		if _, _, err := ParseMetadata(unknown); !errors.Is(err, ErrUnknown) {
			t.Errorf("%x: %v", unknown, err)
		}
	}
	for _, bad := range [][]byte{nil, {1}, {1, 2}, {1, 2, 0}, append(bytes.Clone(b), 0)} {
		if _, _, err := ParseMetadata(bad); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

func TestCoordinatorRecords(t *testing.T) {
	key := AppendKey(nil, 1, &OffsetCommitKey{Group: "g", Topic: "t", Partition: 3})
	got, err := ParseOffsetsKey(key)
	if k, ok := got.(*OffsetCommitKey); err != nil || !ok || *k != (OffsetCommitKey{"g", "t", 3}) {
		t.Fatal(got, err)
	}
	in := &OffsetCommitValue{Offset: 9, LeaderEpoch: 4, Metadata: "m", CommitTimestamp: 77, ExpireTimestamp: -1, TopicID: wire.UUID{5}}
	value, err := ParseOffsetsValue(1, AppendValue(nil, 4, in))
	if err != nil || !reflect.DeepEqual(value, in) {
		t.Fatal(value, err)
	}
	if v, err := ParseOffsetsValue(1, nil); v != nil || err != nil {
		t.Fatal("a tombstone", v, err)
	}
	for _, bad := range []struct{ parse func([]byte) (any, error) }{{ParseOffsetsKey}, {ParseTxnKey}, {ParseShareKey}} {
		if _, err := bad.parse([]byte{0, 99}); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		if _, err := bad.parse([]byte{0}); err == nil || errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	}
	if _, err := ParseTxnValue(0, []byte{0, 9}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	// Every type that has a key has a value, and the numbers in the records are those of the lookups.
	for _, lookup := range []struct{ key, value func(int16) message }{{newOffsetsKey, newOffsetsValue}, {newTransactionKey, newTransactionValue}, {newShareKey, newShareValue}} {
		for i := range int16(100) {
			k, v := lookup.key(i), lookup.value(i)
			if (k == nil) != (v == nil) {
				t.Errorf("type %d: %T, %T", i, k, v)
			}
			if k != nil && (k.(interface{ RecordType() int16 }).RecordType() != i || v.(interface{ RecordType() int16 }).RecordType() != i) {
				t.Errorf("type %d: %T, %T", i, k, v)
			}
		}
	}
}

// The records that kmsg has too, byte for byte.
func TestAgainstKmsg(t *testing.T) {
	r := seeded(t)
	for range 300 {
		compare(t, r, []int16{0}, func(m *OffsetCommitKey, _ int16) []byte {
			return (&kmsg.OffsetCommitKey{Version: 1, Group: m.Group, Topic: m.Topic, Partition: m.Partition}).AppendTo(nil)
		}, prefixKey(1))
		compare(t, r, []int16{0, 1, 2, 3}, func(m *OffsetCommitValue, version int16) []byte {
			return (&kmsg.OffsetCommitValue{Version: version, Offset: m.Offset, LeaderEpoch: m.LeaderEpoch, Metadata: m.Metadata,
				CommitTimestamp: m.CommitTimestamp, ExpireTimestamp: m.ExpireTimestamp}).AppendTo(nil)
		}, prefixValue)
		compare(t, r, []int16{0}, func(m *GroupMetadataKey, _ int16) []byte {
			return (&kmsg.GroupMetadataKey{Version: 2, Group: m.Group}).AppendTo(nil)
		}, prefixKey(2))
		compare(t, r, []int16{0, 1, 2, 3}, kmsgGroupMetadata, prefixValue)
		compare(t, r, []int16{0}, func(m *TransactionLogKey, _ int16) []byte {
			return (&kmsg.TxnMetadataKey{Version: 0, TransactionalID: m.TransactionalID}).AppendTo(nil)
		}, prefixKey(0))
		compare(t, r, []int16{0}, kmsgTxnMetadata, prefixValue)
		compare(t, r, []int16{0}, func(m *LeaderChangeMessage, _ int16) []byte {
			m.Version = 0
			k := kmsg.LeaderChangeMessage{LeaderID: m.LeaderID}
			for _, v := range m.Voters {
				k.Voters = append(k.Voters, kmsg.LeaderChangeMessageVoter{VoterID: v.VoterID})
			}
			for _, v := range m.GrantingVoters {
				k.GrantingVoters = append(k.GrantingVoters, kmsg.LeaderChangeMessageVoter{VoterID: v.VoterID})
			}
			return k.AppendTo(nil)
		}, nil)
		compare(t, r, []int16{0}, func(m *EndTxnMarker, _ int16) []byte {
			return (&kmsg.EndTxnMarker{CoordinatorEpoch: m.CoordinatorEpoch}).AppendTo(nil)
		}, prefixValue)
		compare(t, r, []int16{0, 1, 2, 3}, func(m *ConsumerProtocolSubscription, version int16) []byte {
			k := kmsg.ConsumerMemberMetadata{Version: version, Topics: m.Topics, UserData: m.UserData, Generation: m.GenerationID, Rack: m.RackID}
			for _, p := range m.OwnedPartitions {
				k.OwnedPartitions = append(k.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: p.Topic, Partitions: p.Partitions})
			}
			return k.AppendTo(nil)
		}, prefixValue)
		compare(t, r, []int16{0, 1, 2, 3}, func(m *ConsumerProtocolAssignment, version int16) []byte {
			k := kmsg.ConsumerMemberAssignment{Version: version, UserData: m.UserData}
			for _, p := range m.AssignedPartitions {
				k.Topics = append(k.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: p.Topic, Partitions: p.Partitions})
			}
			return k.AppendTo(nil)
		}, prefixValue)
	}
}

func prefixKey(recordType int16) func(dst []byte, version int16) []byte {
	return func(dst []byte, _ int16) []byte { return wire.AppendInt16(dst, recordType) }
}

func prefixValue(dst []byte, version int16) []byte { return wire.AppendInt16(dst, version) }

func compare[T any, M interface {
	*T
	message
}](t *testing.T, r *rand.Rand, versions []int16, theirs func(M, int16) []byte, prefix func([]byte, int16) []byte) {
	t.Helper()
	for _, version := range versions {
		m := M(new(T))
		m.SetDefaults()
		fill(r, reflect.ValueOf(m).Elem(), false)
		want := theirs(m, version)
		var got []byte
		if prefix != nil {
			got = prefix(got, version)
		}
		if got = m.AppendTo(got, version); !bytes.Equal(got, want) {
			t.Fatalf("%s v%d %+v:\nours %x\nkmsg %x", name(m), version, m, got, want)
		}
	}
}

func kmsgGroupMetadata(m *GroupMetadataValue, version int16) []byte {
	k := kmsg.GroupMetadataValue{Version: version, ProtocolType: m.ProtocolType, Generation: m.Generation, Protocol: m.Protocol,
		Leader: m.Leader, CurrentStateTimestamp: m.CurrentStateTimestamp}
	for _, x := range m.Members {
		k.Members = append(k.Members, kmsg.GroupMetadataValueMember{MemberID: x.MemberID, InstanceID: x.GroupInstanceID, ClientID: x.ClientID,
			ClientHost: x.ClientHost, RebalanceTimeoutMillis: x.RebalanceTimeout, SessionTimeoutMillis: x.SessionTimeout,
			Subscription: x.Subscription, Assignment: x.Assignment})
	}
	return k.AppendTo(nil)
}

func kmsgTxnMetadata(m *TransactionLogValue, version int16) []byte {
	k := kmsg.TxnMetadataValue{Version: version, ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, TimeoutMillis: m.TransactionTimeoutMs,
		State: kmsg.TransactionState(m.TransactionStatus), LastUpdateTimestamp: m.TransactionLastUpdateTimestampMs, StartTimestamp: m.TransactionStartTimestampMs}
	if m.TransactionPartitions != nil {
		k.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	for _, p := range m.TransactionPartitions {
		k.Topics = append(k.Topics, kmsg.TxnMetadataValueTopic{Topic: p.Topic, Partitions: p.PartitionIDs})
	}
	return k.AppendTo(nil)
}

func TestControlValues(t *testing.T) {
	voters := &VotersRecord{Voters: []VotersVoter{{VoterID: 1, VoterDirectoryID: wire.UUID{9}, Endpoints: []VotersEndpoint{{"CONTROLLER", "localhost", 9093}},
		KRaftVersionFeature: KRaftVersionFeature{0, 1}}}}
	for _, c := range []struct {
		kind  int16
		value []byte
		want  any
	}{
		{0, []byte{0, 0, 0, 0, 0, 5}, &EndTxnMarker{CoordinatorEpoch: 5}},
		{1, []byte{0, 0, 0, 0, 0, 6, 1}, &EndTxnMarker{CoordinatorEpoch: 6}},
		{2, (&LeaderChangeMessage{Version: 1, LeaderID: 3, Voters: []LeaderChangeVoter{{3, wire.UUID{1}}}}).AppendTo(nil, 1), &LeaderChangeMessage{Version: 1, LeaderID: 3, Voters: []LeaderChangeVoter{{3, wire.UUID{1}}}}},
		{3, (&SnapshotHeaderRecord{0, 77}).AppendTo(nil, 0), &SnapshotHeaderRecord{0, 77}},
		{4, (&SnapshotFooterRecord{0}).AppendTo(nil, 0), &SnapshotFooterRecord{0}},
		{5, (&KRaftVersionRecord{0, 1}).AppendTo(nil, 0), &KRaftVersionRecord{0, 1}},
		{6, voters.AppendTo(nil, 0), voters},
	} {
		got, err := ParseControlValue(c.kind, c.value)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%d: %+v, %v", c.kind, got, err)
		}
	}
	if _, err := ParseControlValue(9, []byte{0, 0}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}
