package replica

import (
	"slices"
	"time"
)

// ISR is the committed in-sync set. It must not be written.
func (l *Leader) ISR() []int32 { return l.isr }

// MaximalISR is the committed set and the one proposed, in replica order with the leader first.
func (l *Leader) MaximalISR() []int32 {
	out := []int32{l.id}
	for i := range l.followers {
		if id := l.followers[i].id; l.maximal(id) {
			out = append(out, id)
		}
	}
	return out
}

// InFlight reports whether a proposal waits for the controller.
func (l *Leader) InFlight() bool { return l.proposed != nil }

// Desired is the in-sync set that the followers' progress asks for, and whether it differs from the committed one
// while no proposal is in flight (R5). A member leaves when it was not caught up for LagTime or may not be a
// member any more; a replica enters when it is eligible and has what R6 demands.
func (l *Leader) Desired(now time.Time) (isr []int32, differs bool) {
	if l.proposed != nil {
		return nil, false
	}
	isr = []int32{l.id}
	for i := range l.followers {
		f := &l.followers[i]
		member := slices.Contains(l.isr, f.id)
		if member && l.isCaughtUp(f, now) && f.eligible || !member && l.mayJoin(f) {
			isr = append(isr, f.id)
		}
		differs = differs || member != slices.Contains(isr, f.id)
	}
	return isr, differs
}

// mayJoin is R6.
func (l *Leader) mayJoin(f *follower) bool {
	return f.known && f.eligible && l.counts(f) >= max(l.hw, l.epochStart)
}

// Propose records that a set was sent to the controller: from now on the high watermark waits for its members too,
// for the controller may have accepted them before the leader hears of it.
func (l *Leader) Propose(isr []int32) { l.proposed = slices.Clone(isr) }

// Withdraw forgets the proposal. Only an answer that proves that it was not and never will be applied allows it
// (OPERATION_NOT_ATTEMPTED, INELIGIBLE_REPLICA): after any other error the leader keeps the maximal set and waits for
// new metadata.
func (l *Leader) Withdraw(now time.Time) (moved bool) {
	l.proposed = nil
	return l.advance(now)
}

// Adopt takes a set that the controller recorded at a partition epoch, whether this leader proposed it or not. An
// older partition epoch is ignored. It reports whether the high watermark moved.
func (l *Leader) Adopt(isr []int32, partitionEpoch int32, now time.Time) (moved bool) {
	if partitionEpoch <= l.partitionEpoch {
		return false
	}
	l.isr, l.proposed, l.partitionEpoch = slices.Clone(isr), nil, partitionEpoch
	return l.advance(now)
}

// SetEligible tells whether the metadata lets a replica be in the in-sync set: unfenced, not shutting down.
func (l *Leader) SetEligible(id int32, eligible bool, now time.Time) (moved bool) {
	if f := l.follower(id); f != nil {
		f.eligible = eligible
	}
	return l.advance(now)
}

// SetMinISR and SetFlushBeforeAck follow the topic's settings. With flush before ack switched on, the high watermark
// stays where it is and moves again once the flushed ends have passed it (R1 before R3).
func (l *Leader) SetMinISR(n int, now time.Time) (moved bool) {
	l.minISR = n
	return l.advance(now)
}

func (l *Leader) SetFlushBeforeAck(on bool, now time.Time) (moved bool) {
	l.flush = on
	return l.advance(now)
}

// Progress is one follower as the leader sees it, for descriptions and metrics.
type Progress struct {
	ID              int32
	LogEnd, Flushed int64 // -1: has not fetched in this epoch
	CaughtUp        time.Time
	InSync          bool
}

// Followers describes the followers in replica order.
func (l *Leader) Followers() []Progress {
	out := make([]Progress, 0, len(l.followers))
	for _, f := range l.followers {
		out = append(out, Progress{f.id, f.end, f.flushed, f.caughtUp, slices.Contains(l.isr, f.id)})
	}
	return out
}
