package group

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
)

// TestOldVersions reads what older brokers left in __consumer_offsets: every version of every value, and the keys of
// type 0.
func TestOldVersions(t *testing.T) {
	k := newCoordinator(Options{Settings: testSettings()})
	protocol, leader := "range", "m"
	var rs []machine.Record
	for version := int16(0); version <= 4; version++ {
		rs = append(rs,
			machine.Record{
				Key:   record.AppendKey(nil, offsetKey, &record.OffsetCommitKey{Group: "g", Topic: "t", Partition: int32(version)}),
				Value: record.AppendValue(nil, version, &record.OffsetCommitValue{Offset: 10 + int64(version), Metadata: "x", CommitTimestamp: 5, LeaderEpoch: -1, ExpireTimestamp: -1}),
			},
			machine.Record{
				Key: record.AppendKey(nil, groupKey, &record.GroupMetadataKey{Group: "v" + string(rune('0'+version))}),
				Value: record.AppendValue(nil, version, &record.GroupMetadataValue{
					ProtocolType: "consumer", Generation: 3, Protocol: &protocol, Leader: &leader, CurrentStateTimestamp: -1,
					Members: []record.MemberMetadata{{MemberID: "m", ClientID: "c", ClientHost: "h", SessionTimeout: 7000, RebalanceTimeout: -1, Subscription: []byte{0}, Assignment: []byte("all")}},
				}),
			})
	}
	rs = append(rs, machine.Record{
		Key:   record.AppendKey(nil, legacyOffsetKey, &record.LegacyOffsetCommitKey{Group: "g", Topic: "t", Partition: 9}),
		Value: record.AppendValue(nil, 0, &record.LegacyOffsetCommitValue{Offset: 19, CommitTimestamp: 5}),
	})
	if err := k.Replay(machine.Batch{Records: rs}); err != nil {
		t.Fatal(err)
	}
	k.Loaded(time.UnixMilli(0))
	for partition, want := range map[int32]int64{0: 10, 1: 11, 2: 12, 3: 13, 4: 14, 9: 19} {
		if got := k.durable.offsets["g"].committed["t"][partition]; got.offset != want || got.expireMs != -1 || got.leaderEpoch != -1 {
			t.Errorf("partition %d: %s, want offset %d without expiry or epoch", partition, got, want)
		}
	}
	for _, id := range []string{"v0", "v1", "v2", "v3", "v4"} {
		g := k.groups[id]
		if g == nil || g.state != Stable || g.generation != 3 || string(g.members[0].assignment) != "all" || g.members[0].rebalance != 7*time.Second {
			t.Errorf("%s: %s", id, showGroup(g))
		}
	}
}

// TestUnreadable: a record that ought to be readable and is not takes the partition offline (promise MET-4).
func TestUnreadable(t *testing.T) {
	good := offsetRecord(position{"g", "t", 0}, committed{offset: 1, expireMs: -1})
	for name, r := range map[string]machine.Record{
		"no key":        {Value: []byte{0, 0}},
		"short key":     {Key: good.Key[:5], Value: good.Value},
		"empty value":   {Key: good.Key, Value: []byte{}},
		"short value":   {Key: good.Key, Value: good.Value[:4]},
		"new version":   {Key: good.Key, Value: append([]byte{0, 99}, good.Value[2:]...)},
		"short group":   {Key: groupMetadataKey("g"), Value: []byte{0, 3, 0}},
		"foreign short": {Key: []byte{0, 5, 0, 9, 'x'}, Value: []byte{0, 0}},
	} {
		err := newCoordinator(Options{}).Replay(machine.Batch{BaseOffset: 40, Records: []machine.Record{good, r}})
		if err == nil || !strings.Contains(err.Error(), "record 1 of the batch at offset 40") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReplay: whatever stands in the log, a machine answers with an error or goes on, and its commands work.
func FuzzReplay(f *testing.F) {
	g := newClassic("g")
	for _, r := range []machine.Record{offsetRecord(position{"g", "t", 0}, committed{expireMs: -1}), newGroupRecord(g), groupTombstone("g"), offsetTombstone(position{"g", "t", 0})} {
		f.Add(r.Key, r.Value, int64(-1))
		f.Add(r.Key, r.Value, int64(7))
	}
	f.Add([]byte{0, 5, 0, 1, 'g'}, []byte{0, 0}, int64(-1))
	f.Fuzz(func(t *testing.T, key, value []byte, producer int64) {
		b := machine.Batch{Records: []machine.Record{{Key: key, Value: value}}}
		if producer >= 0 {
			b.Producer = &machine.Producer{ID: producer}
		}
		k := newCoordinator(Options{Settings: testSettings(), NewMemberID: func() string { return "1" }})
		if k.Replay(b) != nil {
			return
		}
		again := newCoordinator(Options{Settings: testSettings()})
		if err := again.Replay(b); err != nil || again.Hash() != k.Hash() {
			t.Fatalf("replayed twice: %v\n%s\n%s", err, k.Dump(), again.Dump())
		}
		now := time.UnixMilli(0)
		k.Loaded(now)
		id := ""
		if len(key) >= 4 {
			if n := int(binary.BigEndian.Uint16(key[2:])); n <= len(key)-4 {
				id = string(key[4 : 4+n])
			}
		}
		for _, body := range []any{Describe{Groups: []string{id}}, List{}, OffsetFetch{Group: id, All: true, RequireStable: true}, Delete{Groups: []string{id}}} {
			if r := k.Handle(now, machine.Command{Token: 1, Body: body}); len(r.Replies) != 1 {
				t.Fatalf("%T: %d replies", body, len(r.Replies))
			}
		}
		k.Handle(now.Add(time.Hour), machine.Command{Body: machine.Tick{}})
	})
}
