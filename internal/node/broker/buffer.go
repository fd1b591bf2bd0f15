package broker

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// buffer is pooled memory with counted owners. The last release returns it to its pool, after which nobody may
// touch it: a buffer used after its release would carry one client's bytes into another's topic.
type buffer struct {
	b    []byte
	refs atomic.Int32
	pool *bufferPool
	// give is what the release returns to the budget of request bytes in flight.
	budget *budget
	charge int64
}

func (b *buffer) retain() { b.refs.Add(1) }

func (b *buffer) release() {
	switch n := b.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("broker: buffer released twice")
	}
	if b.budget != nil {
		b.budget.give(b.charge)
		b.budget = nil
	}
	if b.pool != nil {
		b.pool.put(b)
	}
}

const (
	smallestClass = 9  // 512 B
	largestClass  = 27 // 128 MiB
)

// bufferPool keeps released buffers by size class, last in first out, so that the warmest memory is used next: the
// first write to a fresh page costs several times more than to one that was used a moment ago. Unlike sync.Pool it
// survives garbage collections; what it keeps is bounded.
type bufferPool struct {
	// poison overwrites released buffers, so that a test sees who still reads them.
	poison bool
	// keep is the most memory that lies unused.
	keep int

	mu   sync.Mutex
	kept int
	free [largestClass + 1][]*buffer
}

func newBufferPool(keep int) *bufferPool { return &bufferPool{keep: keep} }

// get returns a buffer of exactly n bytes with one owner. Its content is what the last owner left.
func (p *bufferPool) get(n int) *buffer {
	class := classOf(n)
	if class > largestClass {
		b := &buffer{b: make([]byte, n)}
		b.refs.Store(1)
		return b
	}
	p.mu.Lock()
	if f := p.free[class]; len(f) > 0 {
		b := f[len(f)-1]
		f[len(f)-1] = nil
		p.free[class] = f[:len(f)-1]
		p.kept -= cap(b.b)
		p.mu.Unlock()
		b.b = b.b[:n]
		b.refs.Store(1)
		return b
	}
	p.mu.Unlock()
	b := &buffer{b: make([]byte, n, 1<<class), pool: p}
	b.refs.Store(1)
	return b
}

func (p *bufferPool) put(b *buffer) {
	full := b.b[:cap(b.b)]
	if p.poison {
		for i := range full {
			full[i] = 0xdb
		}
	}
	class := bits.Len(uint(cap(b.b))) - 1
	if class < smallestClass || cap(b.b) != 1<<class {
		return // grown by an append: not one of ours any more
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept+cap(b.b) > p.keep {
		return
	}
	p.kept += cap(b.b)
	p.free[class] = append(p.free[class], b)
}

func classOf(n int) int {
	if n <= 1<<smallestClass {
		return smallestClass
	}
	return bits.Len(uint(n - 1))
}
