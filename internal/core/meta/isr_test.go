package meta

import (
	"slices"
	"testing"

	"millrace/internal/kafka/wire"
)

// trio is three live brokers and a partition that broker 1 leads at leader epoch 2 and partition epoch 2, with broker
// 4 registered but fenced.
func trio(t *testing.T) (*lab, wire.UUID) {
	l := newLab(t)
	l.do(Bootstrap{})
	for id := int32(1); id <= 4; id++ {
		l.broker(id)
	}
	l.do(FenceBroker{4, l.image().Broker(4).Epoch})
	l.do(CreateTopics{Topics: []NewTopic{{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignments: []Assignment{{0, []int32{1, 2, 3, 4}}}}}})
	for range 2 {
		l.do(StartLeading{Broker: 1, Epoch: l.image().Broker(1).Epoch})
	}
	return l, l.image().Topic("t").ID
}

func TestAlterPartitionIsJudgedInKafkasOrder(t *testing.T) {
	l, id := trio(t)
	epoch := func(b int32) int64 { return l.image().Broker(b).Epoch }
	isr := func(ids ...int32) (out []ISRMember) {
		for _, b := range ids {
			out = append(out, ISRMember{b, epoch(b)})
		}
		return out
	}
	good := NewISR{TopicID: id, LeaderEpoch: 2, PartitionEpoch: 2, ISR: isr(1, 2)}
	for _, c := range []struct {
		name   string
		leader int32
		change func(*NewISR)
		want   wire.ErrorCode
	}{
		{"accepted", 1, func(*NewISR) {}, wire.None},
		{"unknown topic before all", 2, func(n *NewISR) { n.TopicID, n.LeaderEpoch = wire.UUID{1: 1}, 9 }, wire.UnknownTopicID},
		{"unknown partition", 1, func(n *NewISR) { n.Partition = 1 }, wire.UnknownTopicOrPartition},
		{"a newer leader epoch before a wrong leader", 2, func(n *NewISR) { n.LeaderEpoch = 3 }, wire.NotController},
		{"a newer partition epoch before an older leader epoch", 1, func(n *NewISR) { n.PartitionEpoch, n.LeaderEpoch = 3, 1 }, wire.NotController},
		{"an older leader epoch before a wrong leader", 2, func(n *NewISR) { n.LeaderEpoch = 1 }, wire.FencedLeaderEpoch},
		{"a wrong leader before an older partition epoch", 2, func(n *NewISR) { n.PartitionEpoch = 1 }, wire.InvalidRequest},
		{"an older partition epoch before a wrong set", 1, func(n *NewISR) { n.PartitionEpoch, n.ISR = 1, nil }, wire.InvalidUpdateVersion},
		{"not a replica", 1, func(n *NewISR) { n.ISR = append(isr(1), ISRMember{7, 1}) }, wire.InvalidRequest},
		{"without the leader", 1, func(n *NewISR) { n.ISR = isr(2) }, wire.InvalidRequest},
		{"twice the same", 1, func(n *NewISR) { n.ISR = isr(1, 2, 2) }, wire.InvalidRequest},
		{"recovering with two", 1, func(n *NewISR) { n.Recovery = Recovering }, wire.InvalidRequest},
		{"recovering again", 1, func(n *NewISR) { n.Recovery, n.ISR = Recovering, isr(1) }, wire.InvalidRequest},
		{"a fenced member", 1, func(n *NewISR) { n.ISR = isr(1, 4) }, wire.IneligibleReplica},
		{"a member of another life", 1, func(n *NewISR) { n.ISR = []ISRMember{{1, epoch(1)}, {2, epoch(2) - 1}} }, wire.IneligibleReplica},
		{"a member of unknown epoch", 1, func(n *NewISR) { n.ISR = []ISRMember{{1, -1}, {2, -1}} }, wire.None},
	} {
		n := good
		c.change(&n)
		got := wire.None
		if p := checkNewISR(l.image(), c.leader, n); p != nil {
			got = p.code
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	r := l.do(AlterPartition{Broker: 1, Epoch: epoch(1), Partitions: []NewISR{good, good}}).(AlterPartitionReply)
	if a, b := r.Partitions[0], r.Partitions[1]; a.Err != wire.None || !slices.Equal(a.State.ISR, []int32{1, 2}) || a.State.PartitionEpoch != 3 ||
		a.State.LeaderEpoch != 2 || b.Err != wire.InvalidUpdateVersion {
		t.Fatalf("%+v", r)
	}
	if r := l.do(AlterPartition{Broker: 1, Epoch: 0}).(AlterPartitionReply); r.Err != wire.StaleBrokerEpoch {
		t.Fatalf("%+v", r)
	}
}

func TestAReassignmentThatTakesTheLeaderAway(t *testing.T) {
	p := Partition{Replicas: []int32{2, 3, 1}, ISR: []int32{1, 3}, Adding: []int32{2}, Removing: []int32{1}, Leader: 1}
	if _, done := completed(&p, []int32{1, 3}); done {
		t.Fatal("complete without the new replica")
	}
	replicas, done := completed(&p, []int32{1, 2, 3})
	if !done || !slices.Equal(replicas, []int32{2, 3}) {
		t.Fatalf("%v %v", replicas, done)
	}
	r := change(&Topic{}, 0)
	finishReassignment(p, replicas, []int32{1, 2, 3}, r, func(int32) bool { return true })
	after := p.merge(r)
	if after.Leader != 2 || after.LeaderEpoch != 1 || !slices.Equal(after.ISR, []int32{2, 3}) || after.Adding != nil || after.Removing != nil || len(after.Directories) != 2 {
		t.Fatalf("%+v", after)
	}
	p.Leader = 3
	r = change(&Topic{}, 0)
	finishReassignment(p, replicas, []int32{1, 2, 3}, r, func(int32) bool { return true })
	if after = p.merge(r); after.Leader != 3 || after.LeaderEpoch != 1 {
		t.Fatalf("a replica that goes begins a new leader epoch: %+v", after)
	}
}

func TestWhoMayLead(t *testing.T) {
	for _, c := range []struct {
		name    string
		p       Partition
		live    []int32
		unclean bool
		want    choice
		ok      bool
	}{
		{"in sync, in replica order", Partition{Replicas: []int32{3, 1, 2}, ISR: []int32{1, 2}}, []int32{1, 2, 3}, true, choice{1, false}, true},
		{"a live one", Partition{Replicas: []int32{1, 2}, ISR: []int32{1, 2}}, []int32{2}, false, choice{2, false}, true},
		{"eligible", Partition{Replicas: []int32{1, 2}, ELR: []int32{2}}, []int32{1, 2}, true, choice{2, false}, true},
		{"last known, alone", Partition{Replicas: []int32{1, 2}, LastKnownELR: []int32{2}}, []int32{1, 2}, false, choice{2, true}, true},
		{"last known, several", Partition{Replicas: []int32{1, 2}, LastKnownELR: []int32{1, 2}}, []int32{1, 2}, false, choice{NoLeader, false}, false},
		{"last known, but somebody is eligible", Partition{Replicas: []int32{1, 2, 3}, ELR: []int32{3}, LastKnownELR: []int32{1}}, []int32{1}, false, choice{NoLeader, false}, false},
		{"unclean", Partition{Replicas: []int32{1, 2}, ISR: []int32{1}}, []int32{2}, true, choice{2, true}, true},
		{"nobody", Partition{Replicas: []int32{1, 2}, ISR: []int32{1}}, []int32{2}, false, choice{NoLeader, false}, false},
	} {
		got, ok := choose(&c.p, func(id int32) bool { return slices.Contains(c.live, id) }, c.unclean)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %+v %v", c.name, got, ok)
		}
	}
	p := Partition{Replicas: []int32{1, 2}, ISR: []int32{1}, Leader: NoLeader, LeaderEpoch: 4}
	after := p.merge(elected(change(&Topic{}, 0), &p, choice{2, true}))
	if after.Leader != 2 || after.LeaderEpoch != 5 || !slices.Equal(after.ISR, []int32{2}) || after.Recovery != Recovering {
		t.Errorf("an unclean leader is alone and recovers: %+v", after)
	}
}

func TestEligibleReplicas(t *testing.T) {
	p := Partition{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}}
	for _, c := range []struct {
		isr, unclean, elr, known []int32
	}{
		{[]int32{1, 2, 3}, nil, nil, nil},
		{[]int32{1, 2}, nil, nil, nil}, // at the minimum: more can be committed without 3
		{[]int32{1}, nil, []int32{2, 3}, nil},
		{[]int32{1}, []int32{3}, []int32{2}, []int32{3}},
		{nil, nil, []int32{1, 2, 3}, nil},
	} {
		elr, known := eligible(&p, c.isr, 2, c.unclean)
		if !slices.Equal(elr, c.elr) || !slices.Equal(known, c.known) {
			t.Errorf("in sync %v, unclean %v: eligible %v, last known %v", c.isr, c.unclean, elr, known)
		}
	}
	p = Partition{Replicas: []int32{1, 2, 3}, ISR: []int32{1}, ELR: []int32{2}, LastKnownELR: []int32{3}}
	if elr, known := eligible(&p, nil, 2, nil); !slices.Equal(elr, []int32{1, 2}) || !slices.Equal(known, []int32{3}) {
		t.Errorf("eligible %v, last known %v", elr, known)
	}
}

func TestPlacementIsEvenAndRackAware(t *testing.T) {
	l := newLab(t)
	racks := []string{"a", "a", "b", "b", "c", "c"}
	for i, r := range racks {
		l.do(RegisterBroker{ID: int32(i), Incarnation: wire.UUID{1: byte(i + 1)}, Rack: &r})
		l.do(UnfenceBroker{int32(i), l.image().Broker(int32(i)).Epoch})
	}
	l.do(CreateTopics{Topics: []NewTopic{{Name: "t", Partitions: 600, ReplicationFactor: 3}}})
	leads, has := map[int32]int{}, map[int32]int{}
	for _, p := range l.image().Topic("t").Partitions {
		leads[p.Leader]++
		seen := map[string]bool{}
		for _, id := range p.Replicas {
			has[id]++
			seen[racks[id]] = true
		}
		if len(seen) != 3 {
			t.Fatalf("replicas %v stand in %d racks", p.Replicas, len(seen))
		}
	}
	for id := range int32(6) {
		if leads[id] != 100 || has[id] < 290 || has[id] > 310 {
			t.Errorf("broker %d leads %d and has %d replicas", id, leads[id], has[id])
		}
	}
}

// A new epoch for more partitions than one command may change.
func TestStartLeadingGoesOnWhereItStopped(t *testing.T) {
	l := newLab(t)
	epoch := l.broker(1)
	for _, n := range []string{"a", "b", "c"} {
		l.do(CreateTopics{Topics: []NewTopic{{Name: n, Partitions: 7000, ReplicationFactor: 1}}})
	}
	total, rounds := 0, 0
	cmd := StartLeading{Broker: 1, Epoch: epoch}
	for {
		r := l.do(cmd).(StartLeadingReply)
		total, rounds = total+r.Elections, rounds+1
		if r.Offset != l.end-1 || r.Elections > ElectBatch {
			t.Fatalf("%+v", r)
		}
		if !r.More {
			break
		}
		cmd.After = r.After
	}
	if total != 21_000 || rounds != 3 {
		t.Fatalf("%d elections in %d commands", total, rounds)
	}
	l.image().Topics(func(t2 *Topic) bool {
		for i, p := range t2.Partitions {
			if p.LeaderEpoch != 1 || p.Leader != 1 {
				t.Fatalf("%s-%d: %+v", t2.Name, i, p)
			}
		}
		return true
	})
}
