package group

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// walkCoordinator hosts the machine: what it appends is committed some time later, replies wait for that, and a crash
// loses what is not committed.
type walkCoordinator struct {
	w       *walk
	options Options
	k       *coordinator
	life    int // counts crashes: what was under way in an older life is void
	down    bool

	log       []machine.Batch
	committed int // batches
	deletions int // of the group, in the log: generations begin anew after one
	held      []heldReplies
	token     machine.Token
	callers   map[machine.Token]func(any)
	ticking   time.Time
	waits     string // the rebalance that somebody waits in, and since when
	waitsFrom time.Time

	// where tells the place in the log of each committed value, and lastGeneration the generation that committed last,
	// by partition.
	where map[int64]int64
	// decidedAfter is the deletions that the reply being delivered knew of.
	decidedAfter int
}

type heldReplies struct {
	needs     int // batches that must be committed
	deletions int // when it was decided
	replies   []machine.Reply
}

func newWalkCoordinator(w *walk) *walkCoordinator {
	ids := 0
	s := DefaultSettings()
	s.InitialRebalanceDelay = time.Duration(w.rng.IntN(3)) * time.Second
	s.RetentionCheck = time.Duration(1+w.rng.IntN(100)) * time.Second
	c := &walkCoordinator{w: w, callers: map[machine.Token]func(any){}, where: map[int64]int64{}}
	c.options = Options{Settings: s, NewMemberID: func() string { ids++; return strconv.Itoa(ids) }}
	c.load()
	return c
}

func (c *walkCoordinator) load() {
	c.k, c.down, c.ticking = replayed(c.options, c.log), false, time.Time{}
	c.take(c.k.Loaded(c.w.now))
}

// ask delivers a command and calls back with its reply. A coordinator that is away answers NOT_COORDINATOR.
func (c *walkCoordinator) ask(body any, done func(any)) {
	if c.down {
		done(wire.NotCoordinator)
		return
	}
	c.token++
	c.callers[c.token] = done
	c.w.note("-> %d %T %s", c.token, body, asJSON(body))
	c.take(c.k.Handle(c.w.now, machine.Command{Token: c.token, Body: body}))
}

func (c *walkCoordinator) take(r machine.Result) {
	if len(r.Records) > 0 {
		if !c.w.calm && c.w.rng.IntN(200) == 0 {
			c.w.note("append fails")
			c.crash()
			return
		}
		c.append(r)
	}
	c.checkPatience()
	c.held = append(c.held, heldReplies{len(c.log), c.deletions, r.Replies})
	c.release()
	c.arm()
}

// checkPatience: whoever waits in a rebalance waits no longer than the rebalance timeout and the initial delay allow.
func (c *walkCoordinator) checkPatience() {
	g := c.k.groups["g"]
	if g == nil || g.state != CompletingRebalance && (g.state != PreparingRebalance || g.joining == 0) {
		c.waits = ""
		return
	}
	if what := fmt.Sprint(g.state, g.generation, c.life); what != c.waits {
		c.waits, c.waitsFrom = what, c.w.now
	}
	if in := c.w.now.Sub(c.waitsFrom); in > 25*time.Second {
		c.w.fail("GRP-4: %s for %s: %s", g.state, in, showGroup(g))
	}
}

func (c *walkCoordinator) append(r machine.Result) {
	b := machine.Batch{BaseOffset: c.end(), Timestamp: c.w.now.UnixMilli(), Records: r.Records}
	c.log = append(c.log, b)
	for i, rec := range r.Records {
		c.w.note("log %d %s", b.BaseOffset+int64(i), tellRecord(rec))
	}
	c.deletions += groupDeletions(b)
	c.index(b)
	if err := c.k.Replay(b); err != nil {
		c.w.fail("replay: %v", err)
	}
	if c.w.rng.IntN(20) == 0 {
		if again := replayed(c.options, c.log); again.Hash() != c.k.Hash() {
			c.w.fail("a machine rebuilt from its log differs: %s", firstDifference(c.k.Dump(), again.Dump()))
		}
	}
	life, upTo := c.life, len(c.log)
	c.w.after(c.w.between(0, 30*time.Millisecond), func() {
		if life == c.life && upTo > c.committed {
			c.committed = upTo
			c.release()
		}
	})
}

func (c *walkCoordinator) end() int64 {
	if len(c.log) == 0 {
		return 0
	}
	last := c.log[len(c.log)-1]
	return last.BaseOffset + int64(len(last.Records))
}

func groupDeletions(b machine.Batch) int {
	n := 0
	for _, r := range b.Records {
		if r.Key[1] == groupKey && r.Value == nil {
			n++
		}
	}
	return n
}

// index notes where commits stand, and holds the second half of GRP-1: once a generation has committed for a
// partition, no older one does.
func (c *walkCoordinator) index(b machine.Batch) {
	for i, r := range b.Records {
		if r.Key[1] != offsetKey || r.Value == nil {
			continue
		}
		v, err := parseCommitted(r)
		if err != nil {
			c.w.fail("%v", err)
			continue
		}
		c.where[v.offset] = b.BaseOffset + int64(i)
	}
	c.checkFencing()
}

func (c *walkCoordinator) checkFencing() {
	last := map[int32]int{}
	for _, b := range c.log[max(0, len(c.log)-50):] {
		if groupDeletions(b) > 0 {
			clear(last)
		}
		for _, r := range b.Records {
			if r.Key[1] != offsetKey || r.Value == nil {
				continue
			}
			p, _ := parsePosition(r.Key)
			v, _ := parseCommitted(r)
			generation, _ := strconv.Atoi(v.metadata)
			if generation < last[p.partition] {
				c.w.fail("GRP-1: generation %d committed for partition %d after generation %d", generation, p.partition, last[p.partition])
			}
			last[p.partition] = generation
		}
	}
}

// release sends the replies whose batches are committed, in order.
func (c *walkCoordinator) release() {
	for len(c.held) > 0 && c.held[0].needs <= c.committed {
		h := c.held[0]
		c.held = c.held[1:]
		for _, r := range h.replies {
			done := c.callers[r.To]
			if done == nil {
				c.w.fail("token %d answered twice, or never given", r.To)
				return
			}
			delete(c.callers, r.To)
			c.decidedAfter = h.deletions
			c.w.note("<- %d %T %s", r.To, r.Body, asJSON(r.Body))
			done(r.Body)
		}
	}
}

// arm makes the next tick come.
func (c *walkCoordinator) arm() {
	at := c.k.Deadline()
	if at.IsZero() || at.Equal(c.ticking) {
		return
	}
	c.ticking = at
	life := c.life
	c.w.after(max(at.Sub(c.w.now), 0), func() {
		if life != c.life || c.down || !at.Equal(c.ticking) {
			return
		}
		c.ticking = time.Time{}
		if d := c.k.Deadline(); !d.IsZero() && !d.After(c.w.now) {
			c.take(c.k.Handle(c.w.now, machine.Command{Body: machine.Tick{}}))
		}
		c.arm()
	})
}

// crash drops the machine and a part of what is not committed; everybody who waits is told. It is loaded a while
// later.
func (c *walkCoordinator) crash() {
	if c.down {
		return
	}
	keep := c.committed + c.w.rng.IntN(len(c.log)-c.committed+1)
	c.w.note("crash, %d of %d batches kept", keep, len(c.log))
	c.log, c.committed, c.held, c.down = c.log[:keep:keep], keep, nil, true
	c.life++
	c.deletions = 0
	for _, b := range c.log {
		c.deletions += groupDeletions(b)
	}
	waiting := c.callers
	c.callers = map[machine.Token]func(any){}
	for _, t := range sortedKeys(waiting) {
		waiting[t](wire.NotCoordinator)
	}
	life := c.life
	c.w.after(c.w.between(0, 3*time.Second), func() {
		if life == c.life {
			c.load()
		}
	})
}

// fetch reads all offsets and holds GRP-2: nothing older than what was acked when the question was asked.
func (c *walkCoordinator) fetch() {
	acked := map[int32]int64{}
	for _, p := range sortedKeys(c.w.acked) {
		acked[p] = c.w.acked[p]
	}
	c.ask(OffsetFetch{Version: 9, Group: "g", All: true}, func(body any) {
		r, ok := body.(OffsetFetchReply)
		if !ok {
			return
		}
		got := map[int32]int64{}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				got[p.Partition] = p.Offset
			}
		}
		for _, p := range sortedKeys(acked) {
			if v, ok := got[p]; !ok || c.where[v] < acked[p] {
				c.w.fail("GRP-2: partition %d returns %s, acked was what stands at %d", p, fmt.Sprint(v, ok), acked[p])
			}
		}
	})
}

// asJSON writes a value without addresses, so that runs can be compared.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
