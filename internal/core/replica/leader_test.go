package replica

import (
	"testing"
	"time"
)

var t0 = time.UnixMilli(1_700_000_000_000)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func three() Config {
	return Config{ID: 1, Epoch: 5, EpochStart: 100, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}, MinISR: 2,
		LagTime: 30 * time.Second, FlushBeforeAck: true, LogEnd: 100, FlushedEnd: 100, HighWatermark: 90}
}

func alone() Config {
	return Config{ID: 1, Epoch: 1, EpochStart: 10, Replicas: []int32{1}, ISR: []int32{1}, MinISR: 1,
		LagTime: 30 * time.Second, FlushBeforeAck: true, LogEnd: 10, FlushedEnd: 4, HighWatermark: 3}
}

func TestAloneTheFlushedEndIsTheHighWatermark(t *testing.T) {
	l := Lead(alone(), t0)
	if l.HighWatermark() != 4 || l.Available() {
		t.Fatalf("before the first flush: high watermark %d, available %v", l.HighWatermark(), l.Available())
	}
	if l.Appended(12, t0) || l.Acknowledge(12) != Wait {
		t.Fatal("an append alone must not move the high watermark")
	}
	if !l.Flushed(12, t0) || l.HighWatermark() != 12 || !l.Available() || l.Acknowledge(12) != Acked {
		t.Fatalf("after the flush: high watermark %d", l.HighWatermark())
	}
	if l.Flushed(11, t0); l.FlushedEnd() != 12 {
		t.Fatal("a late report took the flushed end back")
	}
}

func TestAloneWithoutFlushTheEndIsTheHighWatermark(t *testing.T) {
	c := alone()
	c.FlushBeforeAck = false
	l := Lead(c, t0)
	if l.HighWatermark() != 10 || !l.Appended(12, t0) || l.HighWatermark() != 12 {
		t.Fatalf("high watermark %d", l.HighWatermark())
	}
	l.SetFlushBeforeAck(true, t0)
	if l.Appended(20, t0) || l.Flushed(11, t0) || l.HighWatermark() != 12 {
		t.Fatalf("switched on, the high watermark waits for the flushed end to pass it: %d", l.HighWatermark())
	}
	if !l.Flushed(15, t0) || l.HighWatermark() != 15 {
		t.Fatalf("high watermark %d", l.HighWatermark())
	}
}

func TestTheSlowestMemberDecides(t *testing.T) {
	l := Lead(three(), t0)
	l.Appended(120, t0)
	l.Flushed(120, t0)
	l.FollowerFetched(2, 120, 120, at(1))
	if l.HighWatermark() != 90 {
		t.Fatalf("a member that has not fetched yet was passed: %d", l.HighWatermark())
	}
	if !l.FollowerFetched(3, 105, 118, at(1)) || l.HighWatermark() != 105 {
		t.Fatalf("a follower counts by its flushed end: %d", l.HighWatermark())
	}
}

func TestFrozenUnderMinISR(t *testing.T) {
	c := three()
	c.ISR = []int32{1}
	l := Lead(c, t0)
	if l.CanAppend(-1) || !l.CanAppend(1) || !l.CanAppend(0) {
		t.Fatal("only acks=all asks for the minimum")
	}
	l.Appended(110, t0)
	if l.Flushed(110, t0) || l.HighWatermark() != 90 {
		t.Fatalf("moved under the minimum: %d", l.HighWatermark())
	}
	l.FollowerFetched(2, 110, 110, at(1))
	if !l.Adopt([]int32{1, 2}, 1, at(1)) || l.HighWatermark() != 110 || !l.CanAppend(-1) {
		t.Fatalf("back at the minimum: %d", l.HighWatermark())
	}
	l.Adopt([]int32{1}, 2, at(2))
	if l.Acknowledge(110) != AckedThin {
		t.Fatal("committed, but the set has shrunk since: NOT_ENOUGH_REPLICAS_AFTER_APPEND")
	}
	one := three()
	one.Replicas, one.ISR, one.MinISR = []int32{1}, []int32{1}, 3
	if l := Lead(one, t0); l.UnderMinISR() || l.HighWatermark() != 100 {
		t.Fatal("the minimum is never above the number of replicas")
	}
}

func TestAProposedMemberIsWaitedFor(t *testing.T) {
	c := three()
	c.ISR = []int32{1, 2}
	c.LagTime = 0
	l := Lead(c, t0)
	l.FollowerFetched(2, 100, 100, at(1))
	if isr, differs := l.Desired(at(1)); differs || len(isr) != 2 {
		t.Fatalf("3 has not fetched: %v", isr)
	}
	l.FollowerFetched(3, 99, 99, at(1))
	if _, differs := l.Desired(at(1)); differs {
		t.Fatal("below the high watermark and the epoch's start nobody joins (R6)")
	}
	l.FollowerFetched(3, 100, 100, at(1))
	isr, differs := l.Desired(at(1))
	if !differs || len(isr) != 3 {
		t.Fatalf("3 may join: %v", isr)
	}
	l.Propose(isr)
	l.Appended(110, at(2))
	l.Flushed(110, at(2))
	l.FollowerFetched(2, 110, 110, at(2))
	if l.HighWatermark() != 100 {
		t.Fatalf("the proposed member was passed: %d", l.HighWatermark())
	}
	if _, differs := l.Desired(at(9)); differs {
		t.Fatal("one proposal at a time (R5)")
	}
	if !l.Withdraw(at(9)) || l.HighWatermark() != 110 {
		t.Fatalf("after the refusal only the committed set counts: %d", l.HighWatermark())
	}
}

func TestAFollowerThatLagsLeaves(t *testing.T) {
	l := Lead(three(), t0)
	l.FollowerFetched(2, 100, 100, at(0))
	for s := 1; s <= 40; s++ {
		l.Appended(100+int64(s), at(s))
		l.Flushed(100+int64(s), at(s))
		// 2 always has what there was one second ago: that is caught up. 3 is silent.
		l.FollowerFetched(2, 100+int64(s)-1, 100+int64(s)-1, at(s))
	}
	isr, differs := l.Desired(at(29))
	if differs {
		t.Fatalf("within the lag time nobody leaves: %v", isr)
	}
	isr, differs = l.Desired(at(40))
	if !differs || len(isr) != 2 || isr[1] != 2 {
		t.Fatalf("3 was silent for 40 s: %v", isr)
	}
	l.SetEligible(2, false, at(40))
	if isr, _ = l.Desired(at(40)); len(isr) != 1 {
		t.Fatalf("a fenced broker is no member: %v", isr)
	}
}

func TestAdoptIgnoresOldMetadata(t *testing.T) {
	l := Lead(three(), t0)
	l.Adopt([]int32{1, 2}, 7, t0)
	if l.Adopt([]int32{1, 2, 3}, 7, t0); len(l.ISR()) != 2 {
		t.Fatal("an older partition epoch was taken")
	}
}

func TestReadBounds(t *testing.T) {
	l := Lead(alone(), t0) // high watermark 4, end 10
	for _, c := range []struct {
		who      Reader
		unstable int64
		want     int64
	}{{Consumer, -1, 4}, {Consumer, 2, 4}, {CommittedConsumer, -1, 4}, {CommittedConsumer, 2, 2}, {CommittedConsumer, 7, 4}, {Follower, 2, 10}} {
		if got := l.ReadBound(c.who, c.unstable); got != c.want {
			t.Errorf("reader %d with first unstable %d reads below %d, want %d", c.who, c.unstable, got, c.want)
		}
	}
}

func TestTheHotPathDoesNotAllocate(t *testing.T) {
	l := Lead(three(), t0)
	end := int64(100)
	if n := testing.AllocsPerRun(1000, func() {
		end++
		l.Appended(end, t0)
		l.Flushed(end, t0)
		l.FollowerFetched(2, end, end, t0)
		l.FollowerFetched(3, end, end, t0)
		l.Acknowledge(end)
		l.CanAppend(-1)
		l.ReadBound(CommittedConsumer, -1)
	}); n != 0 {
		t.Fatalf("%v allocations per append", n)
	}
}
