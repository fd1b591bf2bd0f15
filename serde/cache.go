package serde

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// A cache holds the answers of the registry that were used last. Callers that miss the same key at once share one request, which goes
// on when the one that began it gives up. A failure is remembered too, but only for a while.
type cache[K comparable, V any] struct {
	size   int
	kept   time.Duration // how long an answer counts; 0: for ever
	failed time.Duration // how long a failure counts
	now    func() time.Time

	mu      sync.Mutex
	entries map[K]*list.Element // guarded by mu
	used    *list.List          // guarded by mu: of *entry, the last used in front
}

type entry[K comparable, V any] struct {
	key   K
	done  chan struct{} // closed once the following are set
	value V
	err   error
	until time.Time // when it counts no more; zero: never
}

func newCache[K comparable, V any](size int, kept, failed time.Duration, now func() time.Time) *cache[K, V] {
	return &cache[K, V]{size: size, kept: kept, failed: failed, now: now, entries: map[K]*list.Element{}, used: list.New()}
}

// get gives what is known under the key, or makes it. fetch has to end by itself.
func (c *cache[K, V]) get(ctx context.Context, key K, fetch func(context.Context) (V, error)) (V, error) {
	e := c.entry(ctx, key, fetch)
	select {
	case <-e.done:
		return e.value, e.err
	default:
	}
	select {
	case <-e.done:
		return e.value, e.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

func (c *cache[K, V]) entry(ctx context.Context, key K, fetch func(context.Context) (V, error)) *entry[K, V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.entries[key]; ok {
		if e := at.Value.(*entry[K, V]); !c.stale(e) {
			c.used.MoveToFront(at)
			return e
		}
		c.used.Remove(at)
	}
	e := &entry[K, V]{key: key, done: make(chan struct{})}
	c.entries[key] = c.used.PushFront(e)
	for c.used.Len() > c.size {
		last := c.used.Remove(c.used.Back()).(*entry[K, V])
		delete(c.entries, last.key)
	}
	ctx = context.WithoutCancel(ctx) // whoever asked first may give up; the others go on
	go func() {
		e.value, e.err = fetch(ctx)
		switch {
		case e.err != nil:
			e.until = c.now().Add(c.failed)
		case c.kept > 0:
			e.until = c.now().Add(c.kept)
		}
		close(e.done)
	}()
	return e
}

func (c *cache[K, V]) stale(e *entry[K, V]) bool {
	select {
	case <-e.done:
		return !e.until.IsZero() && !c.now().Before(e.until)
	default:
		return false
	}
}
