// Package replica is the leader's role in the replication of one partition, as plain values: what is appended, what is
// flushed, what followers have, and from these the high watermark, the in-sync set and what may be read and acknowledged.
// It does no I/O, takes no lock and reads no clock: the partition's owner calls it under its own short critical section.
//
// What always holds, and what the random walks of the tests assert after every step:
//
//	R1  the high watermark never goes back while a Leader lives (one leader epoch)
//	R2  log start <= high watermark <= log end; the high watermark moves only up to what every member of the
//	    maximal in-sync set has, counted by Counts
//	R3  with flush before ack the high watermark never moves past the leader's own flushed end, nor past a
//	    member's flushed end: an acknowledged record is on the disks of all that count
//	R4  the high watermark stands still while the committed in-sync set is smaller than MinISR and the number of
//	    replicas allow
//	R5  the leader is in every in-sync set; the maximal set is the committed one and the one proposed; at most one
//	    proposal is in flight
//	R6  a follower is proposed for the in-sync set only when what it counts has reached the high watermark and the
//	    start of this leader epoch
//	R7  the last stable offset is never past the high watermark; no consumer reads past what its isolation allows
//	R8  the latest offset is told only once the high watermark has reached the start of this leader epoch
//	R9  acks=all is refused up front below MinISR, and answered only when the high watermark covers the records
package replica

import (
	"slices"
	"time"
)

// Config is the state in which a replica takes the lead: what the controller recorded, and what its log holds.
type Config struct {
	ID         int32 // this broker
	Epoch      int32 // the leader epoch
	EpochStart int64 // the log end when the epoch was assigned

	Replicas       []int32
	ISR            []int32
	PartitionEpoch int32
	MinISR         int           // min.insync.replicas
	LagTime        time.Duration // replica.lag.time.max.ms

	FlushBeforeAck bool
	LogStart       int64
	LogEnd         int64
	FlushedEnd     int64
	HighWatermark  int64 // the last one known, from the checkpoint or from this replica's time as a follower
}

// Leader is the leader of one partition in one leader epoch. It is owned by the partition and not safe for
// concurrent use. Appended, Flushed, FollowerFetched and the questions do not allocate.
type Leader struct {
	// Constant in the epoch.
	id         int32
	epoch      int32
	epochStart int64
	replicas   int

	// Settings and metadata, changed by the Set and ISR methods.
	minISR         int
	lagTime        time.Duration
	flush          bool
	isr            []int32 // committed
	proposed       []int32 // in flight; nil: none
	partitionEpoch int32

	logStart, end, flushed, hw int64
	followers                  []follower // in replica order, without the leader
}

// follower is what the leader knows of one other replica.
type follower struct {
	id       int32
	known    bool // has fetched in this epoch
	eligible bool // unfenced, not shutting down: may join the in-sync set
	flushed  int64
	end      int64
	// caughtUp is the last time at which it had all that the leader had at its fetch before.
	caughtUp   time.Time
	lastFetch  time.Time
	endAtFetch int64 // the leader's end at lastFetch
}

// Lead takes the lead of a partition at a time. Every follower starts as caught up now: it has LagTime to show itself.
func Lead(c Config, now time.Time) *Leader {
	l := &Leader{
		id: c.ID, epoch: c.Epoch, epochStart: c.EpochStart, replicas: len(c.Replicas),
		minISR: c.MinISR, lagTime: c.LagTime, flush: c.FlushBeforeAck,
		isr: slices.Clone(c.ISR), partitionEpoch: c.PartitionEpoch,
		logStart: c.LogStart, end: c.LogEnd, flushed: min(c.FlushedEnd, c.LogEnd),
	}
	for _, id := range c.Replicas {
		if id != c.ID {
			l.followers = append(l.followers, follower{id: id, eligible: true, caughtUp: now, end: -1, flushed: -1})
		}
	}
	l.hw = max(min(c.HighWatermark, l.own()), c.LogStart)
	l.advance(now)
	return l
}

// own is how much of the leader's log counts for the high watermark.
func (l *Leader) own() int64 {
	if l.flush {
		return l.flushed
	}
	return l.end
}

// counts is how much of a follower's log counts.
func (l *Leader) counts(f *follower) int64 {
	if l.flush {
		return f.flushed
	}
	return f.end
}

// Appended tells a new log end and reports whether the high watermark moved.
func (l *Leader) Appended(end int64, now time.Time) (moved bool) {
	l.end = max(l.end, end)
	if l.flush {
		return false // only a flush can move it
	}
	return l.advance(now)
}

// Flushed tells a new flushed end and reports whether the high watermark moved.
func (l *Leader) Flushed(end int64, now time.Time) (moved bool) {
	l.flushed = min(max(l.flushed, end), l.end)
	if !l.flush {
		return false
	}
	return l.advance(now)
}

// Trimmed tells a new log start (DeleteRecords, retention), which never passes the high watermark.
func (l *Leader) Trimmed(start int64) { l.logStart = max(l.logStart, min(start, l.hw)) }

// FollowerFetched tells how far a follower's log reaches and how far it is flushed, from a fetch whose leader epoch and
// broker epoch were found current. It reports whether the high watermark moved; an id that is no replica is ignored.
func (l *Leader) FollowerFetched(id int32, flushedEnd, logEnd int64, now time.Time) (moved bool) {
	f := l.follower(id)
	if f == nil {
		return false
	}
	f.known = true
	f.end, f.flushed = logEnd, min(flushedEnd, logEnd)
	at := l.counts(f)
	// Caught up now, or at the last fetch: then it had everything that there was when it asked before.
	switch {
	case at >= l.end:
		f.caughtUp = later(f.caughtUp, now)
	case !f.lastFetch.IsZero() && at >= f.endAtFetch:
		f.caughtUp = later(f.caughtUp, f.lastFetch)
	}
	f.lastFetch, f.endAtFetch = now, l.end
	return l.advance(now)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (l *Leader) follower(id int32) *follower {
	for i := range l.followers {
		if l.followers[i].id == id {
			return &l.followers[i]
		}
	}
	return nil
}

// advance moves the high watermark as far as R1 to R4 allow.
func (l *Leader) advance(now time.Time) bool {
	if l.UnderMinISR() {
		return false // R4
	}
	to := l.own()
	for i := range l.followers {
		f := &l.followers[i]
		if l.maximal(f.id) || l.joining(f, now) {
			to = min(to, l.counts(f))
		}
	}
	if to <= l.hw {
		return false // R1
	}
	l.hw = to
	return true
}

// joining reports whether a follower outside the set is so close that the high watermark waits for it: otherwise a
// leader that appends all the time would never let it in.
func (l *Leader) joining(f *follower, now time.Time) bool {
	return f.known && f.eligible && l.isCaughtUp(f, now)
}

func (l *Leader) isCaughtUp(f *follower, now time.Time) bool {
	return l.counts(f) >= l.end || now.Sub(f.caughtUp) <= l.lagTime
}

func (l *Leader) maximal(id int32) bool {
	return slices.Contains(l.isr, id) || slices.Contains(l.proposed, id)
}

// Epoch, EpochStart and PartitionEpoch are what the controller recorded.
func (l *Leader) Epoch() int32          { return l.epoch }
func (l *Leader) EpochStart() int64     { return l.epochStart }
func (l *Leader) PartitionEpoch() int32 { return l.partitionEpoch }

// LogStart, LogEnd, FlushedEnd and HighWatermark are where the partition stands.
func (l *Leader) LogStart() int64      { return l.logStart }
func (l *Leader) LogEnd() int64        { return l.end }
func (l *Leader) FlushedEnd() int64    { return l.flushed }
func (l *Leader) HighWatermark() int64 { return l.hw }

// LastStable is how far a reader of committed records may read (R7). firstUnstable is the first offset of the oldest
// open transaction, or of one decided whose marker is not below the high watermark; negative: there is none.
func (l *Leader) LastStable(firstUnstable int64) int64 {
	if firstUnstable < 0 || firstUnstable > l.hw {
		return l.hw
	}
	return firstUnstable
}

// Reader says who reads.
type Reader int8

const (
	Consumer          Reader = iota // read_uncommitted
	CommittedConsumer               // read_committed
	Follower
)

// ReadBound is the offset below which a reader is served.
func (l *Leader) ReadBound(r Reader, firstUnstable int64) int64 {
	switch r {
	case Follower:
		return l.end
	case CommittedConsumer:
		return l.LastStable(firstUnstable)
	}
	return l.hw
}

// Available reports whether the latest offset may be told (R8); if not, the answer is OFFSET_NOT_AVAILABLE.
// Until then consumers could be told an end that is before what an earlier leader acknowledged.
func (l *Leader) Available() bool { return l.hw >= l.epochStart }
