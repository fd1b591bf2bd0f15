package quota

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var b Bucket
	for i, step := range []struct{ after, wait time.Duration }{
		{0, 0}, {0, 0}, {0, 0}, // the burst
		{0, 500 * time.Millisecond}, {0, time.Second}, // each half a second later than the one before
		{2 * time.Second, 0}, {0, 0}, {0, 500 * time.Millisecond},
		{-time.Hour, time.Second}, // a clock that goes back gives nothing
		{2 * time.Hour, 0},        // a long rest gives no more than the burst
		{0, 0}, {0, 0}, {0, 500 * time.Millisecond},
	} {
		start = start.Add(step.after)
		if got := b.Take(start, 2, 3); got != step.wait {
			t.Errorf("take %d: wait %v, want %v", i, got, step.wait)
		}
	}
	if got := b.Take(start, 0, 3); got < time.Minute {
		t.Errorf("at rate zero: %v", got)
	}
}
