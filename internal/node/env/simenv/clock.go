package simenv

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"millrace/internal/node/env"
)

// Clock is a clock that a test moves by hand.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	seq    uint64
	timers []*timer
}

// NewClock makes a clock that shows start; the zero time means 2026-01-01 00:00 UTC.
func NewClock(start time.Time) *Clock {
	if start.IsZero() {
		start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return &Clock{now: start}
}

var _ env.Clock = (*Clock)(nil)

type timer struct {
	c   *Clock
	at  time.Time
	seq uint64 // timers of one instant fire in the order they were set
	f   func()
	set bool
}

func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc runs f during the Advance that reaches its time, in the goroutine of that Advance.
func (c *Clock) AfterFunc(d time.Duration, f func()) env.Timer {
	t := &timer{c: c, f: f}
	t.Reset(d)
	return t
}

// Advance moves the clock by d and runs every function that falls due on the way, each at its own time and in order.
func (c *Clock) Advance(d time.Duration) {
	end := c.Now().Add(d)
	for f := c.next(end); f != nil; f = c.next(end) {
		f()
	}
}

func (c *Clock) next(end time.Time) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := -1
	for i, t := range c.timers {
		if !t.at.After(end) && (first < 0 || t.before(c.timers[first])) {
			first = i
		}
	}
	if first < 0 {
		c.now = end
		return nil
	}
	t := c.timers[first]
	c.timers = slices.Delete(c.timers, first, first+1)
	t.set = false
	if t.at.After(c.now) {
		c.now = t.at
	}
	return t.f
}

func (t *timer) before(o *timer) bool {
	return t.at.Before(o.at) || t.at.Equal(o.at) && t.seq < o.seq
}

func (t *timer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	return t.stop()
}

func (t *timer) stop() bool {
	was := t.set
	if was {
		t.c.timers = slices.DeleteFunc(t.c.timers, func(o *timer) bool { return o == t })
	}
	t.set = false
	return was
}

func (t *timer) Reset(d time.Duration) bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	was := t.stop()
	t.c.seq++
	t.at, t.seq, t.set = t.c.now.Add(d), t.c.seq, true
	t.c.timers = append(t.c.timers, t)
	return was
}

// Random is env.Random from a seed.
type Random struct {
	mu  sync.Mutex
	rng *rand.PCG
}

func NewRandom(seed uint64) *Random { return &Random{rng: rand.NewPCG(seed, 0x72616e646f6d)} }

var _ env.Random = (*Random)(nil)

func (r *Random) Uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.Uint64()
}

// New makes a whole env of simulated parts with the given seed; the parts are reached by type assertion or, better,
// made one by one by tests that drive them.
func New(seed uint64) env.Env {
	return env.Env{Clock: NewClock(time.Time{}), Disk: NewDisk(seed), Network: NewNetwork(), Random: NewRandom(seed)}
}
