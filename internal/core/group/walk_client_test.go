package group

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"millrace/internal/kafka/wire"
)

// walkClient is a consumer as clients write them: join, sync, heartbeat, commit, and start over when told.
type walkClient struct {
	w        *walk
	name     string
	instance *string
	version  int16
	session  time.Duration
	topics   string

	life       int // counts restarts: answers to an older life are not heard
	paused     bool
	stalled    bool
	id         string
	generation int32
	protocol   *string
	beating    bool
	stable     bool
	owned      []int32
	deletions  int // of the group, that the answer at hand knew of
}

func newWalkClient(w *walk, i int) *walkClient {
	c := &walkClient{
		w: w, name: string(rune('a' + i)), version: int16([]int{1, 3, 4, 7, 8, 9}[w.rng.IntN(6)]),
		session: w.between(6*time.Second, 15*time.Second), topics: "t1",
	}
	if w.rng.IntN(3) == 0 && c.version >= 5 {
		name := "static-" + c.name
		c.instance = &name
	}
	return c
}

func (c *walkClient) start() { c.w.after(c.w.between(0, 5*time.Second), c.join) }

// ask sends a request of this life; a lost request or answer, or a coordinator that is away, means another attempt
// after the patience is over.
func (c *walkClient) ask(body any, patience time.Duration, done func(any)) {
	life, answered := c.life, false
	retry := func() {
		if life == c.life && !answered {
			answered = true
			c.again(body, patience, done)
		}
	}
	c.w.after(patience, retry)
	there, ok := c.w.delay()
	if !ok {
		return
	}
	c.w.after(there, func() {
		c.w.c.ask(body, func(reply any) {
			deletions := c.w.c.decidedAfter
			back, ok := c.w.delay()
			if !ok {
				return
			}
			c.w.after(back, func() {
				if life != c.life || answered {
					return
				}
				if reply == wire.NotCoordinator {
					c.w.after(100*time.Millisecond, retry)
					return
				}
				answered = true
				c.deletions = deletions
				done(reply)
			})
		})
	})
}

func (c *walkClient) again(body any, patience time.Duration, done func(any)) {
	if c.paused {
		life := c.life
		c.w.after(time.Second, func() {
			if life == c.life {
				c.again(body, patience, done)
			}
		})
		return
	}
	c.ask(body, patience, done)
}

// reset begins a new life: what was under way is forgotten.
func (c *walkClient) reset() {
	c.life++
	c.beating, c.stable, c.owned = false, false, nil
}

func (c *walkClient) join() {
	c.reset()
	c.ask(Join{
		Version: c.version, Group: "g", MemberID: c.id, InstanceID: c.instance, ClientID: c.name, ClientHost: "/h",
		SessionTimeoutMs: int32(c.session.Milliseconds()), RebalanceTimeoutMs: 20000,
		ProtocolType: "consumer", Protocols: protocols("consumer", "range,sticky", c.topics),
	}, 30*time.Second, func(reply any) { c.joined(reply.(JoinReply)) })
}

func (c *walkClient) joined(r JoinReply) {
	switch r.Err {
	case wire.None:
		c.id, c.generation, c.protocol = r.MemberID, r.Generation, r.Protocol
		if c.stalled {
			c.beat()
		}
		c.unstalled(func() { c.sync(r) })
	case wire.MemberIDRequired:
		c.id = r.MemberID
		c.join()
	case wire.UnknownMemberID:
		c.id = ""
		c.join()
	case wire.FencedInstanceID:
		// Somebody plays this instance; here it can only be this client's own past.
		c.id = ""
		c.w.after(time.Second, c.join)
	case wire.RebalanceInProgress:
		c.w.after(100*time.Millisecond, c.join)
	default:
		c.w.fail("%s: join answered %s", c.name, r.Err.String())
	}
}

func (c *walkClient) sync(r JoinReply) {
	body := Sync{Version: 5, Group: "g", MemberID: c.id, InstanceID: c.instance, Generation: r.Generation, Protocol: r.Protocol, ProtocolType: r.ProtocolType}
	if r.Leader == c.id && !r.SkipAssignment {
		body.Assignments = assignRoundRobin(r.Members)
	}
	c.ask(body, 25*time.Second, func(reply any) { c.synced(reply.(SyncReply)) })
}

func assignRoundRobin(ms []JoinMember) []Assignment {
	parts := make([][]string, len(ms))
	for p := range walkPartitions {
		parts[p%len(ms)] = append(parts[p%len(ms)], strconv.Itoa(p))
	}
	var out []Assignment
	for i, m := range ms {
		out = append(out, Assignment{MemberID: m.MemberID, Assignment: []byte(strings.Join(parts[i], ","))})
	}
	return out
}

func (c *walkClient) synced(r SyncReply) {
	if r.Err != wire.None {
		c.startOver(r.Err)
		return
	}
	c.stable = true
	for _, text := range strings.Split(string(r.Assignment), ",") {
		if p, err := strconv.Atoi(text); err == nil {
			c.owned = append(c.owned, int32(p))
			c.own(int32(p))
		}
	}
	c.w.note("%s owns %v in generation %d", c.name, c.owned, c.generation)
	if !c.beating {
		c.beat()
	}
	c.commit()
}

// own holds the first half of GRP-1.
func (c *walkClient) own(p int32) {
	key, me := fmt.Sprintf("%d/%d/%d", c.deletions, c.generation, p), c.id
	if c.instance != nil {
		me = *c.instance
	}
	if other, ok := c.w.owners[key]; ok && other != me {
		c.w.fail("GRP-1: partition %d has two owners in generation %d: %s and %s", p, c.generation, other, me)
	}
	c.w.owners[key] = me
}

func (c *walkClient) beat() {
	life := c.life
	c.beating = true
	c.w.after(c.session/3, func() {
		if life != c.life {
			return
		}
		if c.paused {
			c.beat()
			return
		}
		c.ask(Heartbeat{Group: "g", MemberID: c.id, InstanceID: c.instance, Generation: c.generation}, 2*time.Second, func(reply any) {
			switch err := reply.(HeartbeatReply).Err; {
			case err == wire.None, err == wire.RebalanceInProgress && c.stalled:
				c.beat()
			default:
				c.startOver(err)
			}
		})
	})
}

func (c *walkClient) commit() {
	life := c.life
	c.w.after(c.w.between(0, 4*time.Second), func() {
		if life != c.life {
			return
		}
		if len(c.owned) == 0 || c.paused || c.stalled {
			c.commit()
			return
		}
		c.w.values++
		p, value := c.owned[c.w.rng.IntN(len(c.owned))], c.w.values
		generation := strconv.Itoa(int(c.generation))
		body := OffsetCommit{
			Version: 9, Group: "g", MemberID: c.id, InstanceID: c.instance, Generation: c.generation, RetentionMs: -1,
			Topics: []CommitTopic{{Topic: "t1", Partitions: []CommitPartition{{Partition: p, Offset: value, LeaderEpoch: -1, Metadata: &generation}}}},
		}
		c.ask(body, 5*time.Second, func(reply any) { c.committed(p, value, reply.(OffsetCommitReply)) })
	})
}

func (c *walkClient) committed(p int32, value int64, r OffsetCommitReply) {
	switch err := r.Topics[0].Partitions[0].Err; err {
	case wire.None:
		c.w.acked[p] = max(c.w.acked[p], c.w.c.where[value])
		c.commit()
	case wire.RebalanceInProgress:
		c.commit()
	default:
		c.startOver(err)
	}
}

func (c *walkClient) startOver(err wire.ErrorCode) {
	switch err {
	case wire.RebalanceInProgress:
	case wire.UnknownMemberID, wire.IllegalGeneration, wire.FencedInstanceID, wire.GroupIDNotFound:
		c.id = ""
	default:
		c.w.fail("%s: answered %s", c.name, err.String())
	}
	c.join()
}

// restart: the process dies and comes back without its member id.
func (c *walkClient) restart() {
	c.w.note("%s restarts", c.name)
	c.reset()
	c.id = ""
	c.w.after(c.w.between(0, 20*time.Second), c.joinIf(c.life))
}

func (c *walkClient) joinIf(life int) func() {
	return func() {
		if life == c.life {
			c.join()
		}
	}
}

// pause: the process hangs for a while and goes on where it was.
func (c *walkClient) pause(d time.Duration) {
	c.w.note("%s hangs for %s", c.name, d)
	c.paused = true
	c.w.after(d, func() { c.paused = false })
}

// stall: the process sends heartbeats and nothing else, as one does whose work takes too long.
func (c *walkClient) stall(d time.Duration) {
	c.w.note("%s stalls for %s", c.name, d)
	c.stalled = true
	c.w.after(d, func() { c.stalled = false })
}

func (c *walkClient) unstalled(do func()) {
	life := c.life
	if !c.stalled {
		do()
		return
	}
	c.w.after(time.Second, func() {
		if life == c.life {
			c.unstalled(do)
		}
	})
}

func (c *walkClient) leave() {
	c.w.note("%s leaves", c.name)
	id := c.id
	c.reset()
	c.w.c.ask(Leave{Version: 5, Group: "g", Members: []LeavingMember{{MemberID: id, InstanceID: c.instance}}}, func(any) {})
	c.id = ""
	c.w.after(c.w.between(0, 20*time.Second), c.joinIf(c.life))
}

// resubscribe: the consumer reads other topics and says so.
func (c *walkClient) resubscribe() {
	if !c.stable {
		return
	}
	c.topics += ",t" + strconv.Itoa(c.w.rng.IntN(9))
	c.w.note("%s subscribes to %s", c.name, c.topics)
	c.join()
}

func (c *walkClient) revive() { c.paused, c.stalled = false, false }
