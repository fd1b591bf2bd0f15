package group

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// largeGroup is a Stable group of n members, by the ids that they have.
func largeGroup(tb testing.TB, n int) (*testHost, []string) {
	s := testSettings()
	s.InitialRebalanceDelay = 0
	s.MaxBatchBytes = 0
	next := 0
	h := newTestHost(s, func() string { next++; return strconv.Itoa(next) })
	joined := map[machine.Token]JoinReply{}
	h.answered = func(to machine.Token, body any) {
		if r, ok := body.(JoinReply); ok {
			joined[to] = r
		}
	}
	for i := range n {
		h.ask(Join{
			Version: 3, Group: "g", ClientID: "c", SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000,
			ProtocolType: "consumer", Protocols: protocols("consumer", "range", fmt.Sprintf("t%d", i%10)),
		})
	}
	h.pass(0, nil)
	ids := make([]string, n)
	var assignments []Assignment
	for i := range ids {
		r := joined[machine.Token(i+1)]
		if r.Err != wire.None || r.Generation != 1 {
			tb.Fatalf("member %d: %+v", i, r)
		}
		ids[i] = r.MemberID
		assignments = append(assignments, Assignment{MemberID: r.MemberID, Assignment: []byte(strconv.Itoa(i))})
	}
	for _, id := range ids[1:] {
		h.ask(Sync{Group: "g", MemberID: id, Generation: 1})
	}
	h.ask(Sync{Group: "g", MemberID: ids[0], Generation: 1, Assignments: assignments})
	if g := h.k.groups["g"]; g.state != Stable || len(h.waiting) != 0 {
		tb.Fatalf("%s, %d wait", g.state, len(h.waiting))
	}
	return h, ids
}

// TestLargeGroup takes 5,000 members through a whole life: a generation, a reload, and all of them falling silent.
func TestLargeGroup(t *testing.T) {
	h, ids := largeGroup(t, 5000)
	h.load()
	if got := len(h.k.groups["g"].members); got != len(ids) {
		t.Fatalf("%d members after a reload", got)
	}
	h.pass(9*time.Second, nil)
	for _, id := range ids[:2500] {
		h.ask(Heartbeat{Group: "g", MemberID: id, Generation: 1})
	}
	h.pass(2*time.Second, nil)
	if g := h.k.groups["g"]; g.state != PreparingRebalance || len(g.members) != 2500 {
		t.Fatalf("%s with %d members, want 2500 that are called back", g.state, len(g.members))
	}
	h.pass(time.Minute, nil)
	if g := h.k.groups["g"]; g.state != Empty || len(g.members) != 0 {
		t.Fatalf("%s with %d members after all fell silent", g.state, len(g.members))
	}
	if at := len(h.k.timers.heap); at != 1 {
		t.Fatalf("%d timers are left, want the clean-up's alone", at)
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	for _, n := range []int{10, 5000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h, ids := largeGroup(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				h.k.Handle(h.now, machine.Command{Token: 1, Body: Heartbeat{Group: "g", MemberID: ids[i%n], Generation: 1}})
				h.k.Deadline()
			}
		})
	}
}

func BenchmarkOffsetCommit(b *testing.B) {
	h, ids := largeGroup(b, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := h.k.Handle(h.now, machine.Command{Token: 1, Body: OffsetCommit{
			Version: 9, Group: "g", MemberID: ids[i%len(ids)], Generation: 1, RetentionMs: -1,
			Topics: []CommitTopic{{Topic: "t1", Partitions: []CommitPartition{{Partition: int32(i % 64), Offset: int64(i), LeaderEpoch: -1}}}},
		}})
		if err := h.k.Replay(machine.Batch{BaseOffset: int64(i), Records: r.Records}); err != nil {
			b.Fatal(err)
		}
	}
}
