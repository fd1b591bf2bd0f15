package host

import (
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
)

// ReadOptions say what to read.
type ReadOptions struct {
	Offset                               int64
	MaxBytes                             int
	MinOne                               bool
	Committed                            bool
	CurrentLeaderEpoch, LastFetchedEpoch int32 // -1: none
	Follower                             bool
}

// Read is what was read; Records is held until released.
type Read struct {
	Err                                 wire.ErrorCode
	HighWatermark, LastStable, LogStart int64
	Aborted                             []commitlog.AbortedTxn
	Records                             commitlog.Slice
	DivergingEpoch                      int32 // -1: none
	DivergingEnd                        int64
}

// Read reads below the high watermark, or below the last stable offset for a reader of committed records.
func (p *Partition) Read(o ReadOptions) Read {
	s := p.glance()
	r := Read{Err: fence(s, o.CurrentLeaderEpoch), HighWatermark: s.HighWatermark, LastStable: s.LastStable, LogStart: s.LogStart, DivergingEpoch: -1, DivergingEnd: -1}
	if r.Err != wire.None {
		return r
	}
	if o.LastFetchedEpoch >= 0 {
		epoch, end := p.log.EpochEnd(o.LastFetchedEpoch)
		if epoch >= 0 && (epoch < o.LastFetchedEpoch || end < o.Offset) {
			r.DivergingEpoch, r.DivergingEnd = epoch, end
			return r
		}
	}
	if o.Offset < s.LogStart || o.Offset > s.LogEnd {
		r.Err = wire.OffsetOutOfRange
		return r
	}
	below := s.HighWatermark
	if o.Committed {
		below = s.LastStable
	}
	if o.Offset >= below {
		return r
	}
	records, err := p.log.Read(o.Offset, below, o.MaxBytes, o.MinOne)
	if err != nil {
		p.h.o.Log.Warn("read failed", "topic", p.topic, "partition", p.index, "offset", o.Offset, "err", err)
		r.Err, _ = codeOf(err)
		return r
	}
	r.Records = records
	if o.Committed && records.Size() > 0 {
		r.Aborted = p.log.AbortedTxns(o.Offset, below)
	}
	return r
}

// fence refuses a client that knows an older leader epoch than we do, or a newer one.
func fence(s PartitionState, current int32) wire.ErrorCode {
	switch {
	case !s.Leader:
		return wire.NotLeaderOrFollower
	case current >= 0 && current < s.LeaderEpoch:
		return wire.FencedLeaderEpoch
	case current > s.LeaderEpoch:
		return wire.UnknownLeaderEpoch
	}
	return wire.None
}

// Watch calls w.Wake at most once, when the high watermark, the last stable offset or the leadership changed.
func (p *Partition) Watch(w *Watcher) {
	p.mu.Lock()
	p.watchers[w] = struct{}{}
	p.mu.Unlock()
}

// Unwatch forgets w. A Wake that is under way may still come.
func (p *Partition) Unwatch(w *Watcher) {
	p.mu.Lock()
	delete(p.watchers, w)
	p.mu.Unlock()
}

// State describes the partition.
func (p *Partition) State() PartitionState {
	s := p.glance()
	s.Dir, s.SizeBytes = p.log.Dir().ID(), p.log.SizeBytes()
	return s
}

// glance is State without what only descriptions need.
func (p *Partition) glance() PartitionState {
	s := PartitionState{LeaderEpoch: -1, LogStart: p.log.StartOffset(), LogEnd: p.log.EndOffset()}
	p.mu.Lock()
	if p.lead != nil {
		s.Leader, s.LeaderEpoch, s.HighWatermark = true, p.lead.Epoch(), p.lead.HighWatermark()
	}
	p.mu.Unlock()
	s.LastStable = p.log.LastStable(s.HighWatermark)
	s.LogEnd = max(s.LogEnd, s.HighWatermark)
	return s
}

// Special timestamps of ListOffsets.
const (
	latest                = -1
	earliest              = -2
	maxTimestamp          = -3
	earliestLocal         = -4
	latestTiered          = -5
	earliestPendingUpload = -6
)

// OffsetForTimestamp answers ListOffsets, special timestamps included.
func (p *Partition) OffsetForTimestamp(timestamp int64, committed bool) (offset, found int64, epoch int32, code wire.ErrorCode) {
	s := p.State()
	if !s.Leader {
		return -1, -1, -1, wire.NotLeaderOrFollower
	}
	below := s.HighWatermark
	if committed {
		below = s.LastStable
	}
	switch timestamp {
	case latest:
		if !p.available() {
			return -1, -1, -1, wire.OffsetNotAvailable
		}
		return below, -1, s.LeaderEpoch, wire.None
	case earliest, earliestLocal:
		return s.LogStart, -1, p.log.EpochAt(s.LogStart), wire.None
	case latestTiered, earliestPendingUpload:
		return -1, -1, -1, wire.None
	case maxTimestamp:
		offset, found, epoch = p.log.MaxTimestamp()
		return offset, found, epoch, wire.None
	}
	offset, found, epoch, ok, err := p.log.OffsetForTimestamp(timestamp, below)
	if err != nil {
		code, _ := codeOf(err)
		return -1, -1, -1, code
	}
	if !ok {
		return -1, -1, -1, wire.None
	}
	return offset, found, epoch, wire.None
}

func (p *Partition) available() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lead != nil && p.lead.Available()
}

// EpochEnd answers OffsetForLeaderEpoch for a client that knows the current epoch, or -1.
func (p *Partition) EpochEnd(epoch, current int32) (int32, int64, wire.ErrorCode) {
	if code := fence(p.State(), current); code != wire.None {
		return -1, -1, code
	}
	e, end := p.log.EpochEnd(epoch)
	return e, end, wire.None
}

// DeleteRecords moves the log start up, durably. before -1 is the high watermark.
func (p *Partition) DeleteRecords(before int64, done func(logStart int64, err wire.ErrorCode)) {
	s := p.State()
	switch {
	case !s.Leader:
		done(-1, wire.NotLeaderOrFollower)
		return
	case before == -1:
		before = s.HighWatermark
	case before < 0 || before > s.HighWatermark:
		done(-1, wire.OffsetOutOfRange)
		return
	}
	go func() {
		if err := p.log.DeleteRecords(before); err != nil {
			code, _ := codeOf(err)
			done(-1, code)
			return
		}
		p.mu.Lock()
		if p.lead != nil {
			p.lead.Trimmed(p.log.StartOffset())
		}
		p.mu.Unlock()
		done(p.log.StartOffset(), wire.None)
	}()
}

// Producers lists what the log remembers of producers.
func (p *Partition) Producers() []commitlog.ProducerState { return p.log.Producers() }
