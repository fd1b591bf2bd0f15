package broker

import "sync"

// budget is an amount of memory that requests share. Who cannot get its part waits in line, and with it the
// connection it reads from: back-pressure by not reading.
type budget struct {
	limit int64
	// parent, if set, is asked as well: this one is a share that one connection may take of it.
	parent *budget

	mu    sync.Mutex
	used  int64
	queue []*claim
}

type claim struct {
	n     int64
	ready chan struct{}
}

func newBudget(limit int64) *budget { return &budget{limit: limit} }

// share is a budget of one connection within this one.
func (b *budget) share(limit int64) *budget { return &budget{limit: limit, parent: b} }

// take waits until n is free, first come first served, and reports false if stop was closed before. More than the
// whole budget is granted once everything else was given back. It returns what must be given back.
func (b *budget) take(n int64, stop <-chan struct{}) (int64, bool) {
	if b.parent == nil {
		return b.takeOwn(min(n, b.limit), stop)
	}
	n = min(n, b.parent.limit)
	if _, ok := b.takeOwn(n, stop); !ok {
		return 0, false
	}
	if _, ok := b.parent.take(n, stop); !ok {
		b.giveOwn(n)
		return 0, false
	}
	return n, true
}

// fits: whoever comes to an empty budget is served, so that one large request can pass through a small share.
func (b *budget) fits(n int64) bool { return b.used == 0 || b.used+n <= b.limit }

func (b *budget) takeOwn(n int64, stop <-chan struct{}) (int64, bool) {
	b.mu.Lock()
	if len(b.queue) == 0 && b.fits(n) {
		b.used += n
		b.mu.Unlock()
		return n, true
	}
	c := &claim{n: n, ready: make(chan struct{})}
	b.queue = append(b.queue, c)
	b.mu.Unlock()
	select {
	case <-c.ready:
		return n, true
	case <-stop:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-c.ready: // granted between the two: give it to the next
		b.used -= n
	default:
		for i, q := range b.queue {
			if q == c {
				b.queue = append(b.queue[:i], b.queue[i+1:]...)
				break
			}
		}
	}
	b.grant()
	return 0, false
}

func (b *budget) give(n int64) {
	if n == 0 {
		return
	}
	if b.parent != nil {
		b.parent.give(n)
	}
	b.giveOwn(n)
}

func (b *budget) giveOwn(n int64) {
	b.mu.Lock()
	b.used -= n
	b.grant()
	b.mu.Unlock()
}

// grant serves the head of the line while it fits. mu is held.
func (b *budget) grant() {
	for len(b.queue) > 0 && b.fits(b.queue[0].n) {
		c := b.queue[0]
		b.queue = b.queue[1:]
		b.used += c.n
		close(c.ready)
	}
}

func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func (b *budget) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0
}
