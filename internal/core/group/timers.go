package group

import (
	"container/heap"
	"time"
)

// A timer is a moment at which something is due. It lives inside the value it belongs to and is moved in the heap in
// O(log n), so that a heartbeat costs no more than that and the next deadline nothing.
type timer struct {
	when time.Time
	// seq orders timers of one moment as they were set, so that equal runs fire alike.
	seq uint64
	// place is the index in the heap plus one; zero: not set.
	place int
	// due: taken from the heap and about to fire, unless it is set anew or cancelled before its turn.
	due  bool
	fire func()
}

type timers struct {
	heap timerHeap
	seq  uint64
}

func (ts *timers) set(t *timer, when time.Time) {
	ts.seq++
	t.when, t.seq, t.due = when, ts.seq, false
	if t.place > 0 {
		heap.Fix(&ts.heap, t.place-1)
		return
	}
	heap.Push(&ts.heap, t)
}

func (ts *timers) cancel(t *timer) {
	t.due = false
	if t.place > 0 {
		heap.Remove(&ts.heap, t.place-1)
	}
}

// run fires what is due, in order of time. What a firing sets for this very moment waits for the next run, because
// its outcome may need the records of this one replayed.
func (ts *timers) run(now time.Time) {
	var due []*timer
	for len(ts.heap) > 0 && !ts.heap[0].when.After(now) {
		t := heap.Pop(&ts.heap).(*timer)
		t.due = true
		due = append(due, t)
	}
	for _, t := range due {
		if t.due {
			t.due = false
			t.fire()
		}
	}
}

func (ts *timers) next() time.Time {
	if len(ts.heap) == 0 {
		return time.Time{}
	}
	return ts.heap[0].when
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if !h[i].when.Equal(h[j].when) {
		return h[i].when.Before(h[j].when)
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.place = len(*h)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.place = 0
	return t
}
