package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// TestRandomCommands sends commands that no client would send in that order, and looks at the machine's insides after
// each: counters and indexes agree with the members, every caller waits in exactly one place or has been answered, and
// the log alone gives the same durable state.
func TestRandomCommands(t *testing.T) {
	for i := range 2 * *walkSeeds {
		seed := *walkFirst + uint64(i)
		if failure := newChaos(seed).run(400); failure != "" {
			t.Fatalf("seed %d: %s\nrepeat: go test ./internal/core/group -run RandomCommands -seeds 1 -seed %d", seed, failure, seed)
		}
	}
}

type chaos struct {
	rng *rand.Rand
	h   *testHost
	ids []string
}

func newChaos(seed uint64) *chaos {
	c := &chaos{rng: rand.New(rand.NewPCG(seed, 0x6368616f73)), ids: []string{"", "ghost"}}
	s := testSettings()
	s.InitialRebalanceDelay = time.Duration(c.rng.IntN(3)) * time.Second
	s.MaxSize = c.rng.IntN(5)
	s.RetentionCheck = time.Duration(1+c.rng.IntN(60)) * time.Second
	s.OffsetsRetention = time.Duration(c.rng.IntN(60)) * time.Second
	s.MaxBatchBytes = []int{0, 400, 100000}[c.rng.IntN(3)]
	n := 0
	c.h = newTestHost(s, func() string { n++; return strconv.Itoa(n) })
	c.h.answered = func(_ machine.Token, body any) {
		if r, ok := body.(JoinReply); ok && r.MemberID != "" && !slices.Contains(c.ids, r.MemberID) {
			c.ids = append(c.ids, r.MemberID)
		}
	}
	return c
}

func (c *chaos) run(steps int) string {
	for i := range steps {
		switch n := c.rng.IntN(40); {
		case n == 0:
			c.h.load()
		case n < 8:
			c.h.pass(time.Duration(c.rng.IntN(3000))*time.Millisecond, nil)
		case n == 8:
			p := &machine.Producer{ID: int64(c.rng.IntN(3))}
			c.h.append(machine.Batch{Producer: p, Marker: &machine.Marker{Commit: c.rng.IntN(2) == 0}})
		case n == 9:
			p := &machine.Producer{ID: int64(c.rng.IntN(3))}
			v := committed{offset: 1, leaderEpoch: -1, expireMs: -1, commitMs: c.h.now.UnixMilli()}
			c.h.append(machine.Batch{Producer: p, Records: []machine.Record{offsetRecord(position{c.group(), "t1", int32(c.rng.IntN(3))}, v)}})
		default:
			c.h.ask(c.command())
		}
		if failure := c.check(); failure != "" {
			return fmt.Sprintf("step %d: %s", i, failure)
		}
	}
	return ""
}

func (c *chaos) group() string {
	return []string{"g", "g", "g", "g", "g", "g", "g", "g", "h", ""}[c.rng.IntN(10)]
}

// member names somebody: often a member as it is, so that more than refusals happen.
func (c *chaos) member() (id string, instance *string) {
	if g := c.h.k.groups["g"]; g != nil && len(g.members) > 0 && c.rng.IntN(3) > 0 {
		m := g.members[c.rng.IntN(len(g.members))]
		return m.id, m.instance
	}
	if name := []string{"", "", "x", "y"}[c.rng.IntN(4)]; name != "" {
		instance = &name
	}
	return c.ids[max(0, len(c.ids)-1-c.rng.IntN(min(len(c.ids), 6)))], instance
}

func (c *chaos) generation() int32 {
	if g := c.h.k.groups["g"]; g != nil && c.rng.IntN(4) > 0 {
		return g.generation
	}
	return int32(c.rng.IntN(4)) - 1
}

func (c *chaos) command() any {
	id, instance := c.member()
	switch c.rng.IntN(14) {
	case 0, 1, 2, 3:
		if c.rng.IntN(3) == 0 {
			id = ""
		}
		return Join{
			Version: int16(c.rng.IntN(10)), Group: c.group(), MemberID: id, InstanceID: instance, ClientID: "c",
			SessionTimeoutMs: int32(6000 + c.rng.IntN(9000)), RebalanceTimeoutMs: int32(c.rng.IntN(20000)) - 1,
			ProtocolType: []string{"consumer", "consumer", "connect", ""}[c.rng.IntN(4)],
			Protocols:    protocols("consumer", []string{"range", "range,sticky", "sticky,range,range", "sticky", "none"}[c.rng.IntN(5)], "t1"),
		}
	case 4, 5, 6:
		s := Sync{Version: 4, Group: c.group(), Generation: c.generation(), MemberID: id, InstanceID: instance}
		for range c.rng.IntN(3) {
			to, _ := c.member()
			s.Assignments = append(s.Assignments, Assignment{to, []byte("x")})
		}
		return s
	case 7:
		return Heartbeat{c.group(), c.generation(), id, instance}
	case 8:
		l := Leave{Version: int16(c.rng.IntN(6)), Group: c.group()}
		for range c.rng.IntN(3) {
			id, instance := c.member()
			l.Members = append(l.Members, LeavingMember{MemberID: id, InstanceID: instance})
		}
		return l
	case 9, 10:
		return OffsetCommit{
			Version: int16(2 + c.rng.IntN(9)), Group: c.group(), Generation: c.generation(), MemberID: id, InstanceID: instance,
			RetentionMs: int64(c.rng.IntN(3)*10000) - 1,
			Topics:      []CommitTopic{{"t1", wire.UUID{byte(c.rng.IntN(3))}, []CommitPartition{{Partition: int32(c.rng.IntN(9)), Offset: 5}, {Partition: int32(c.rng.IntN(9))}}}},
		}
	case 11:
		return OffsetDelete{c.group(), []OffsetDeleteTopic{{"t1", []int32{int32(c.rng.IntN(9))}}, {"t2", []int32{0}}}}
	case 12:
		return []any{Describe{6, []string{"g", "h"}}, List{}, OffsetFetch{Group: c.group(), All: true, RequireStable: true}}[c.rng.IntN(3)]
	}
	return []any{Delete{[]string{c.group(), c.group()}}, TopicsDeleted{[]DeletedTopic{{"t1", wire.UUID{1}}}}}[c.rng.IntN(2)]
}

func (c *chaos) check() string {
	k, parked := c.h.k, 0
	for _, id := range sortedKeys(k.groups) {
		g := k.groups[id]
		joining, unsynced, static, supported := 0, 0, 0, map[string]int{}
		for _, m := range g.members {
			joining += count(m.joining)
			unsynced += count(m.unsynced)
			parked += count(m.joining) + count(m.syncing)
			static += count(m.instance != nil)
			for _, p := range m.protocols {
				supported[p.Name]++
			}
			if g.byID[m.id] != m || m.instance != nil && g.static[*m.instance] != m {
				return fmt.Sprintf("%s is not found: %s", m.id, showGroup(g))
			}
			if m.syncing && g.state != CompletingRebalance || m.joining && g.state != PreparingRebalance {
				return fmt.Sprintf("%s waits in vain: %s", m.id, showGroup(g))
			}
			if m.sessionTimer.place == 0 && !m.joining && !m.syncing {
				return fmt.Sprintf("%s may be silent for ever: %s", m.id, showGroup(g))
			}
		}
		switch {
		case joining != g.joining || unsynced != g.unsynced || len(g.byID) != len(g.members) || len(g.static) != static:
			return fmt.Sprintf("miscounted: %s", showGroup(g))
		case fmt.Sprint(supported) != fmt.Sprint(g.supported):
			return fmt.Sprintf("protocols %v, counted %v", supported, g.supported)
		case (g.byID[g.leader] == nil) != (len(g.members) == 0):
			return fmt.Sprintf("no leader: %s", showGroup(g))
		case g.state == Empty && len(g.members) > 0 || (g.state == Stable || g.state == CompletingRebalance) && len(g.members) == 0:
			return fmt.Sprintf("members and state: %s", showGroup(g))
		case g.state == PreparingRebalance && g.joinTimer.place == 0:
			return fmt.Sprintf("nothing ends the join phase: %s", showGroup(g))
		case g.unsynced > 0 && g.syncTimer.place == 0:
			return fmt.Sprintf("nothing ends the wait for SyncGroup: %s", showGroup(g))
		}
	}
	if parked += len(k.sweep.deletions); parked != len(c.h.waiting) {
		return fmt.Sprintf("%d callers wait, the machine knows of %d", len(c.h.waiting), parked)
	}
	if c.rng.IntN(10) == 0 {
		if again := replayed(c.h.options, c.h.log); again.Hash() != k.Hash() {
			return "a machine rebuilt from its log differs: " + firstDifference(k.Dump(), again.Dump())
		}
	}
	return ""
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
