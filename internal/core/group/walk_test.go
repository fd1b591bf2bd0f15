package group

import (
	"container/heap"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	walkSeeds = flag.Int("seeds", 100, "how many random walks")
	walkFirst = flag.Uint64("seed", 1, "the first seed")
	walkTrace = flag.Bool("trace", false, "print what happens")
)

// TestRandomWalk lets simulated consumers live with a coordinator that is lost and loaded again, over a network that
// delays and drops. It holds promises GRP-1 and GRP-2, that a machine rebuilt from its log is the one that ran, and
// that a group left in peace becomes Stable.
func TestRandomWalk(t *testing.T) {
	for i := range *walkSeeds {
		seed := *walkFirst + uint64(i)
		if failure := newWalk(seed).run(); failure != "" {
			t.Fatalf("seed %d: %s\nrepeat: go test ./internal/core/group -run RandomWalk -seeds 1 -seed %d -trace", seed, failure, seed)
		}
	}
}

// TestRandomWalkRepeats runs seeds twice: everything must happen alike, or something depends on map order or time.
func TestRandomWalkRepeats(t *testing.T) {
	for seed := *walkFirst; seed < *walkFirst+20; seed++ {
		a, b := newWalk(seed), newWalk(seed)
		a.run()
		b.run()
		if a.hash.Sum64() != b.hash.Sum64() {
			t.Fatalf("seed %d: two runs differ\nrepeat: go test ./internal/core/group -run RandomWalkRepeats -seed %d", seed, seed)
		}
	}
}

// walk is one simulated world.
type walk struct {
	rng   *rand.Rand
	now   time.Time
	queue eventQueue
	seq   int
	hash  interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
	failure string

	c       *walkCoordinator
	clients []*walkClient
	values  int64
	calm    bool // faults are over

	owners map[string]string // generation/partition -> identity that was told so
	acked  map[int32]int64   // partition -> place in the log of the newest acked commit
}

const walkPartitions = 6

func newWalk(seed uint64) *walk {
	w := &walk{
		rng: rand.New(rand.NewPCG(seed, 0x67726f7570)), now: time.UnixMilli(0).UTC(), hash: fnv.New64a(),
		owners: map[string]string{}, acked: map[int32]int64{},
	}
	w.c = newWalkCoordinator(w)
	for i := range 2 + w.rng.IntN(5) {
		w.clients = append(w.clients, newWalkClient(w, i))
	}
	return w
}

func (w *walk) run() string {
	for _, c := range w.clients {
		c.start()
	}
	w.after(w.between(0, 20*time.Second), w.fault)
	w.until(w.now.Add(4 * time.Minute))
	w.calm = true
	for _, c := range w.clients {
		c.revive()
	}
	// What was late may still come for half a minute. Session and rebalance timeouts of all clients are below 30 s; each cause of a rebalance costs one of each.
	w.until(w.now.Add(4 * time.Minute))
	if w.failure == "" {
		w.checkSettled()
	}
	return w.failure
}

// checkSettled: after the faults the group is Stable and every client is a member of its generation.
func (w *walk) checkSettled() {
	g := w.c.k.groups["g"]
	if g == nil || g.state != Stable || len(g.members) != len(w.clients) {
		w.fail("the group did not settle: %s", showGroup(g))
		return
	}
	owned := map[int32]bool{}
	for _, c := range w.clients {
		if !c.stable || c.generation != g.generation {
			w.fail("client %s is not of generation %d: %+v", c.name, g.generation, c.generation)
		}
		for _, p := range c.owned {
			owned[p] = true
		}
	}
	if len(owned) != walkPartitions {
		w.fail("%d of %d partitions have an owner", len(owned), walkPartitions)
	}
}

// fault breaks something now and then.
func (w *walk) fault() {
	if w.calm {
		return
	}
	c := w.clients[w.rng.IntN(len(w.clients))]
	switch w.rng.IntN(8) {
	case 0, 1:
		w.c.crash()
	case 2:
		c.restart()
	case 3:
		c.pause(w.between(time.Second, 40*time.Second))
	case 4:
		c.leave()
	case 5:
		c.resubscribe()
	case 6:
		c.stall(w.between(time.Second, 60*time.Second))
	case 7:
		w.c.fetch()
	}
	w.after(w.between(0, 20*time.Second), w.fault)
}

func (w *walk) fail(format string, v ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, v...) + fmt.Sprintf(" (at %s)", w.now.Sub(time.UnixMilli(0)))
	}
}

func (w *walk) note(format string, v ...any) {
	text := fmt.Sprintf("%8d "+format+"\n", append([]any{w.now.UnixMilli()}, v...)...)
	w.hash.Write([]byte(text))
	if *walkTrace {
		fmt.Print(text)
	}
}

func (w *walk) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)))
}

// delay is how long a message takes; some come very late, so that they are of another time, and some never.
func (w *walk) delay() (time.Duration, bool) {
	switch {
	case w.calm:
	case w.rng.IntN(30) == 0:
		return 0, false
	case w.rng.IntN(30) == 0:
		return w.between(time.Second, 30*time.Second), true
	}
	return w.between(time.Millisecond, 50*time.Millisecond), true
}

func (w *walk) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, event{w.now.Add(d), w.seq, do})
}

func (w *walk) until(end time.Time) {
	for len(w.queue) > 0 && w.failure == "" && !w.queue[0].at.After(end) {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
