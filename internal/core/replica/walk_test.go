package replica

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "walk this one seed")
	walksFlag = flag.Int("walks", 300, "how many seeds to walk")
)

// A walk makes one leader with random settings live through random events, and after each asserts R1 to R9 from a
// model that knows only the events: what each replica really has, and which sets the controller may have recorded.
func TestRandomWalksKeepTheInvariants(t *testing.T) {
	seeds := []uint64{}
	if *seedFlag != 0 {
		seeds = append(seeds, *seedFlag)
	}
	for i := 0; *seedFlag == 0 && i < *walksFlag; i++ {
		seeds = append(seeds, rand.Uint64()|1)
	}
	for _, seed := range seeds {
		if err := walk(seed, 400); err != nil {
			t.Fatalf("seed %d: %v\nrepeat with: go test ./internal/core/replica -run RandomWalks -seed %d", seed, err, seed)
		}
	}
}

func TestOneSeedOneWalk(t *testing.T) {
	a, b := newWalk(42), newWalk(42)
	for range 400 {
		a.step()
		b.step()
		if a.l.hw != b.l.hw || a.log() != b.log() {
			t.Fatalf("the same seed went two ways: %s and %s", a.log(), b.log())
		}
	}
}

type walker struct {
	r   *rand.Rand
	now time.Time
	l   *Leader
	hw  int64 // before the step

	// The model.
	end, flushed   int64
	ends, flushes  map[int32]int64
	mayBe          [][]int32 // sets that the controller may hold: the committed one, and one in flight
	eligible       map[int32]bool
	partitionEpoch int32
	event          string
}

func newWalk(seed uint64) *walker {
	r := rand.New(rand.NewPCG(seed, 0))
	replicas := []int32{1, 2, 3, 4, 5}[:1+r.IntN(5)]
	isr := slices.Clone(replicas[:1+r.IntN(len(replicas))])
	end := r.Int64N(50)
	flushed := r.Int64N(end + 1)
	c := Config{ID: 1, Epoch: 3, EpochStart: end, Replicas: replicas, ISR: isr, MinISR: 1 + r.IntN(4),
		LagTime: time.Duration(1+r.IntN(10)) * time.Second, FlushBeforeAck: r.IntN(3) > 0,
		LogEnd: end, FlushedEnd: flushed, HighWatermark: r.Int64N(end + 1)}
	w := &walker{r: r, now: t0, l: Lead(c, t0), end: end, flushed: flushed, mayBe: [][]int32{isr},
		ends: map[int32]int64{}, flushes: map[int32]int64{}, eligible: map[int32]bool{}}
	for _, id := range replicas[1:] {
		w.ends[id], w.flushes[id], w.eligible[id] = -1, -1, true
	}
	w.hw = w.l.hw
	return w
}

func (w *walker) log() string {
	return fmt.Sprintf("%s: hw %d end %d flushed %d isr %v proposed %v ends %v flushes %v", w.event, w.l.hw, w.end, w.flushed, w.l.isr, w.l.proposed, w.ends, w.flushes)
}

func walk(seed uint64, steps int) error {
	w := newWalk(seed)
	for range steps {
		w.hw = w.l.hw
		w.step()
		if err := w.check(); err != nil {
			return fmt.Errorf("after %s: %w", w.log(), err)
		}
	}
	return nil
}

func (w *walker) anyFollower() int32 {
	if len(w.ends) == 0 {
		return 9
	}
	return int32(2 + w.r.IntN(len(w.ends)))
}

func (w *walker) step() {
	w.now = w.now.Add(time.Duration(w.r.IntN(2000)) * time.Millisecond)
	switch w.r.IntN(10) {
	case 0, 1:
		w.end += w.r.Int64N(5)
		w.event = "append"
		w.l.Appended(w.end, w.now)
	case 2, 3:
		w.flushed += w.r.Int64N(w.end - w.flushed + 1)
		w.event = "flush"
		w.l.Flushed(w.flushed, w.now)
	case 4, 5, 6:
		w.fetch(w.anyFollower())
	case 7:
		w.event = "propose"
		if isr, differs := w.l.Desired(w.now); differs {
			w.l.Propose(isr)
			w.mayBe = append(w.mayBe, isr)
		}
	case 8:
		w.answer()
	case 9:
		w.change()
	}
}

func (w *walker) fetch(id int32) {
	w.event = fmt.Sprintf("fetch by %d", id)
	if _, ok := w.ends[id]; ok {
		w.ends[id] = max(w.ends[id], 0) + w.r.Int64N(w.end-max(w.ends[id], 0)+1)
		f := max(w.flushes[id], 0)
		w.flushes[id] = f + w.r.Int64N(w.ends[id]-f+1)
	}
	w.l.FollowerFetched(id, w.flushes[id], w.ends[id], w.now)
}

// answer is what the controller does with a proposal, or a set of its own.
func (w *walker) answer() {
	if len(w.mayBe) == 2 && w.r.IntN(3) == 0 {
		w.event = "refused"
		w.mayBe = w.mayBe[:1]
		w.l.Withdraw(w.now)
		return
	}
	w.event = "adopt"
	w.partitionEpoch++
	w.mayBe = [][]int32{w.mayBe[len(w.mayBe)-1]}
	w.l.Adopt(w.mayBe[0], w.partitionEpoch, w.now)
}

func (w *walker) change() {
	switch w.r.IntN(3) {
	case 0:
		id := w.anyFollower()
		w.event = fmt.Sprintf("eligibility of %d", id)
		w.eligible[id] = w.r.IntN(3) > 0
		w.l.SetEligible(id, w.eligible[id], w.now)
	case 1:
		w.event = "min.insync.replicas"
		w.l.SetMinISR(1+w.r.IntN(4), w.now)
	case 2:
		w.event = "trim"
		w.l.Trimmed(w.r.Int64N(w.end + 1))
	}
}

func (w *walker) check() error {
	l := w.l
	switch {
	case l.hw < w.hw:
		return fmt.Errorf("R1: the high watermark went back from %d", w.hw)
	case l.hw > l.end || l.logStart > l.hw:
		return fmt.Errorf("R2: start %d, high watermark %d, end %d", l.logStart, l.hw, l.end)
	case l.Available() != (l.hw >= l.epochStart):
		return fmt.Errorf("R8")
	}
	if l.hw > w.hw {
		if err := w.checkMove(); err != nil {
			return err
		}
	}
	return w.checkSets()
}

func (w *walker) checkMove() error {
	l := w.l
	if len(w.mayBe[0]) < min(l.minISR, len(w.ends)+1) {
		return fmt.Errorf("R4: moved with in-sync set %v", w.mayBe[0])
	}
	if l.flush && l.hw > w.flushed {
		return fmt.Errorf("R3: past the flushed end")
	}
	for _, set := range w.mayBe {
		for _, id := range set {
			has := w.ends
			if l.flush {
				has = w.flushes
			}
			if id != 1 && l.hw > has[id] {
				return fmt.Errorf("R2/R3: past what member %d has", id)
			}
		}
	}
	return nil
}

func (w *walker) checkSets() error {
	l := w.l
	if !slices.Contains(l.isr, 1) || l.MaximalISR()[0] != 1 {
		return fmt.Errorf("R5: the leader left the set")
	}
	for _, id := range l.MaximalISR() {
		if !slices.ContainsFunc(w.mayBe, func(s []int32) bool { return slices.Contains(s, id) }) {
			return fmt.Errorf("R5: %d is in no set that was recorded or proposed", id)
		}
	}
	isr, differs := l.Desired(w.now)
	if differs && len(w.mayBe) > 1 {
		return fmt.Errorf("R5: a second proposal")
	}
	for _, id := range isr {
		has := w.ends
		if l.flush {
			has = w.flushes
		}
		if id != 1 && !slices.Contains(l.isr, id) && (has[id] < l.hw || has[id] < l.epochStart || !w.eligible[id]) {
			return fmt.Errorf("R6: %d may not join", id)
		}
	}
	for _, u := range []int64{-1, 0, l.hw, l.end + 1} {
		if l.LastStable(u) > l.hw || l.ReadBound(CommittedConsumer, u) > l.ReadBound(Consumer, u) {
			return fmt.Errorf("R7")
		}
	}
	if l.CanAppend(-1) == l.UnderMinISR() || l.Acknowledge(l.hw+1) != Wait {
		return fmt.Errorf("R9")
	}
	return nil
}
