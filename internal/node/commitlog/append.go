package commitlog

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// Origin says how far a batch has been judged before it comes here.
type Origin int8

const (
	// Client: offsets and epoch are assigned, epoch and sequence of an idempotent producer are checked.
	Client Origin = iota
	// Coordinator: offsets and epoch are assigned; writes of a coordinator carry no sequences. Transaction markers
	// come this way.
	Coordinator
	// Replica: a leader has judged the batch; its offsets and epoch are kept.
	Replica
)

// Append is one whole batch that the caller has validated: magic, CRC, counts.
type Append struct {
	Batch              []byte // patched in place
	Header             batch.Header
	Origin             Origin
	TransactionVersion int16 // of a marker: 2 is strict about its epoch
}

// Appended tells what became of one batch.
type Appended struct {
	BaseOffset, LastOffset int64
	AppendTime             int64 // -1 unless the topic stamps its batches
	Duplicate              bool  // one of the producer's last five batches: the offsets are the original's
	Err                    error // this batch was not written
}

// run is a stretch of batches that go into one segment with one write. Its buffers are kept.
type run struct {
	headers []batch.Header
	pieces  [][]byte
	size    int64
	joined  []byte
	changes changes
}

func (r *run) reset() {
	clear(r.pieces)
	r.headers, r.pieces, r.size = r.headers[:0], r.pieces[:0], 0
	r.changes.reset()
}

// joinBelow: batches smaller than this are copied together for one write; larger ones are written from where they are.
const joinBelow = 64 << 10

// Append assigns offsets to the batches and writes them, in order. Only one goroutine at a time may append.
//
// An error is the environment's, and nothing of the call counts. When the call had to be split by a roll and the
// first part was written, the batches of a part that failed carry the error in their Appended instead.
func (l *Log) Append(now time.Time, leaderEpoch int32, in []Append, out []Appended) error {
	l.appender.Lock()
	defer l.appender.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if err := l.enterEpoch(leaderEpoch, in); err != nil {
		return err
	}
	c := l.config.Load()
	for done := 0; done < len(in); {
		n, err := l.appendRun(now, leaderEpoch, c, in[done:], out[done:])
		if err != nil && done == 0 {
			return err
		}
		if err != nil {
			for i := done; i < len(in); i++ {
				out[i] = Appended{BaseOffset: -1, LastOffset: -1, AppendTime: -1, Err: err}
			}
			return nil
		}
		done += n
	}
	return nil
}

// enterEpoch writes the line of a new leader epoch before the first batch that carries it.
func (l *Log) enterEpoch(epoch int32, in []Append) error {
	l.mu.Lock()
	latest := l.epochs.latest()
	if len(in) > 0 && in[0].Origin == Replica {
		for i := range in {
			if h := &in[i].Header; h.LeaderEpoch > l.epochs.latest() {
				l.epochs, l.epochsDirty = l.epochs.assign(h.LeaderEpoch, h.BaseOffset), true
			}
		}
		epoch = l.epochs.latest()
	} else if epoch > latest {
		l.epochs, l.epochsDirty = l.epochs.assign(epoch, l.end.Load()), true
	}
	dirty := l.epochsDirty
	l.mu.Unlock()
	if epoch < latest {
		return fmt.Errorf("%w: %d after %d", ErrFencedLeaderEpoch, epoch, latest)
	}
	if dirty {
		return l.writeEpochs()
	}
	return nil
}

// writeEpochs makes the leader epochs durable. They may be ahead of the data, never behind it.
func (l *Log) writeEpochs() error {
	l.mu.Lock()
	text := l.epochs.text()
	l.mu.Unlock()
	if err := writeDurable(l.dir.disk, filepath.Join(l.Path(), epochsFile), text); err != nil {
		return l.dir.broken("write leader epochs", err)
	}
	l.mu.Lock()
	l.epochsDirty = false
	l.mu.Unlock()
	return nil
}

// appendRun writes as many batches as go into the active segment, at least one.
func (l *Log) appendRun(now time.Time, leaderEpoch int32, c *Config, in []Append, out []Appended) (int, error) {
	r := &l.run
	r.reset()
	next := l.end.Load()
	n := 0
	for ; n < len(in); n++ {
		a := &in[n]
		out[n] = Appended{BaseOffset: -1, LastOffset: -1, AppendTime: -1}
		h := a.Header
		if a.Origin != Replica {
			h.BaseOffset, h.LeaderEpoch = next, leaderEpoch
		} else if h.BaseOffset < next {
			out[n].Err = fmt.Errorf("%w: batch at %d, end %d", ErrOffsetOrder, h.BaseOffset, next)
			continue
		}
		if a.Origin != Replica && int64(len(a.Batch)) > c.SegmentBytes {
			out[n].Err = fmt.Errorf("%w: %d bytes, segment.bytes is %d", ErrBatchTooLarge, len(a.Batch), c.SegmentBytes)
			continue
		}
		stamped := c.LogAppendTime && a.Origin == Client
		if stamped { // before anything looks at the time: rolls, the producer's state
			h.MaxTimestamp = now.UnixMilli()
		}
		room, err := l.makeRoom(now, c, &h)
		if err != nil {
			return 0, err
		}
		if !room {
			break
		}
		if !l.judge(r, a, &h, &out[n]) {
			continue
		}
		if a.Origin != Replica {
			batch.SetBaseOffset(a.Batch, h.BaseOffset)
			batch.SetLeaderEpoch(a.Batch, h.LeaderEpoch)
		}
		if stamped {
			batch.SetLogAppendTime(a.Batch, h.MaxTimestamp)
			out[n].AppendTime = h.MaxTimestamp
		}
		out[n].BaseOffset, out[n].LastOffset = h.BaseOffset, h.LastOffset()
		r.headers, r.pieces = append(r.headers, h), append(r.pieces, a.Batch)
		r.size += int64(len(a.Batch))
		next = h.NextOffset()
	}
	if len(r.headers) == 0 {
		return n, nil
	}
	return n, l.writeRun(now, c, next)
}

// makeRoom rolls the log if a batch does not belong into the active segment any more. It is false if the batches
// collected so far must be written first.
func (l *Log) makeRoom(now time.Time, c *Config, h *batch.Header) (bool, error) {
	l.mu.Lock()
	s := l.active()
	full := s != nil && s.full(c, now, l.run.size, int64(h.Size()), h.LastOffset(), h.MaxTimestamp)
	l.mu.Unlock()
	if s != nil && !full {
		return true, l.loadIndexes(s)
	}
	if len(l.run.headers) > 0 {
		return false, nil
	}
	return true, l.roll(now, c)
}

// judge decides about a batch by its producer's state, and notes in the run how it will change that state. It is
// false if the batch is not to be written.
func (l *Log) judge(r *run, a *Append, h *batch.Header, out *Appended) bool {
	if !h.HasProducer() {
		return true
	}
	p := r.changes.of(&l.producers, h.ProducerID) // only the appender changes them
	if h.Control() {
		out.Err = r.changes.control(p, a, h)
		return out.Err == nil
	}
	if a.Origin == Client {
		if w, ok := l.duplicate(r, p, h); ok {
			*out = Appended{BaseOffset: w.firstOffset(), LastOffset: w.lastOffset, AppendTime: -1, Duplicate: true}
			return false
		}
	}
	if a.Origin != Replica {
		out.Err = p.checkEpoch(h.ProducerEpoch)
	}
	if a.Origin == Client && out.Err == nil {
		out.Err = p.checkSequence(h)
	}
	if out.Err != nil {
		return false
	}
	out.Err = r.changes.data(p, h, a.Origin != Replica)
	return out.Err == nil
}

// duplicate looks for the batch in the producer's window. Right after a start the window of a producer that was loaded
// from a snapshot holds one batch; the older ones are looked up in the log when a retry seems to be one of them.
func (l *Log) duplicate(r *run, p *producer, h *batch.Header) (written, bool) {
	w, ok := p.duplicate(h)
	if ok || !p.short || p.epoch != h.ProducerEpoch || p.checkSequence(h) == nil {
		return w, ok
	}
	p.short = !l.fillWindows()
	if now := l.producers.all[p.id]; now != nil && now.epoch == p.epoch {
		p.prepend(now.window[:now.n])
	}
	return p.duplicate(h)
}

// control notes a control batch. Only markers of transactions concern producers.
func (c *changes) control(p *producer, a *Append, h *batch.Header) error {
	m, ok, err := parseMarker(a.Batch)
	if err != nil || !ok {
		return err
	}
	if a.Origin != Replica {
		if err := p.checkMarker(h, m, a.TransactionVersion); err != nil {
			return err
		}
	}
	c.end(p, h, m)
	return nil
}

// maxControlBytes bounds the content of a control batch, which is a few bytes.
const maxControlBytes = 1 << 20

// parseMarker reads the marker of a control batch; ok is false if there is none (the batch was emptied by compaction,
// or it is of another kind).
func parseMarker(b []byte) (m marker, ok bool, err error) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return m, false, errors.Join(ErrInvalidControlBatch, err)
	}
	records, err := batch.Records(b, maxControlBytes)
	if err != nil {
		return m, false, errors.Join(ErrInvalidControlBatch, err)
	}
	if len(records) == 0 {
		return m, false, nil
	}
	kind, coordinatorEpoch, err := batch.ParseControl(records[0])
	if err != nil {
		return m, false, errors.Join(ErrInvalidControlBatch, err)
	}
	if kind != batch.ControlAbort && kind != batch.ControlCommit {
		return m, false, nil
	}
	return marker{kind == batch.ControlCommit, coordinatorEpoch, h.Timestamp(records[0])}, true, nil
}

// writeRun writes the run behind the active segment and publishes it.
func (l *Log) writeRun(now time.Time, c *Config, next int64) error {
	r := &l.run
	l.mu.Lock()
	s := l.active()
	position := s.size
	l.mu.Unlock()
	f, err := l.dir.handles.acquire(&s.data, true)
	if err == nil {
		err = failpoint.Hit("log.append.before-write")
	}
	if err == nil {
		err = r.writeAt(f, position)
	}
	if err == nil {
		err = failpoint.Hit("log.append.after-write")
	}
	if err != nil {
		err = l.takeBack(f, position, err)
		if f != nil {
			l.dir.handles.release(&s.data)
		}
		return err
	}
	pinned := l.publish(s, f, c, next, now)
	if !pinned {
		l.dir.handles.release(&s.data)
	}
	l.spill(s, false)
	l.flushPolicy(c, now)
	return nil
}

// writeAt writes the pieces of a run in order. Small neighbours are joined: a copy is cheaper than a system call.
func (r *run) writeAt(f env.File, at int64) error {
	for i := 0; i < len(r.pieces); {
		b := r.pieces[i]
		i++
		if i < len(r.pieces) && len(b) < joinBelow {
			r.joined = append(r.joined[:0], b...)
			for ; i < len(r.pieces) && len(r.pieces[i]) < joinBelow && len(r.joined) < 1<<20; i++ {
				r.joined = append(r.joined, r.pieces[i]...)
			}
			b = r.joined
		}
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
		at += int64(len(b))
	}
	if cap(r.joined) > joinBelow {
		r.joined = nil // most logs are idle most of the time
	}
	return nil
}

// takeBack removes what a failed write has left behind its segment, durably (L7). Without room nothing else is wrong;
// any other error takes the directory offline.
func (l *Log) takeBack(f env.File, size int64, cause error) error {
	if !errors.Is(cause, ErrNoSpace) {
		return l.dir.broken("append to "+l.partition.String(), cause)
	}
	if f != nil {
		if err := errors.Join(f.Truncate(size), f.Sync()); err != nil {
			return l.dir.fail(fmt.Errorf("cut off a failed append to %s: %w", l.partition, err))
		}
	}
	return fmt.Errorf("append to %s: %w", l.partition, cause)
}

// publish lets readers and the sync loop see the run. It returns true if the handle stays pinned for the next sync.
func (l *Log) publish(s *segment, f env.File, c *Config, next int64, now time.Time) (pinned bool) {
	r := &l.run
	l.mu.Lock()
	defer l.mu.Unlock()
	first := s.size
	for i := range r.headers {
		s.note(&r.headers[i], s.size, c.IndexIntervalBytes)
		s.size += int64(r.headers[i].Size())
	}
	s.verified = s.verified.add(first, s.size)
	s.aborted = append(s.aborted, l.producers.apply(&r.changes)...)
	if l.unflushed == 0 {
		l.unflushedAt = now.UnixMilli()
	}
	l.unflushed += next - l.end.Load()
	l.end.Store(next)
	l.dir.appended.Add(r.size)
	l.mark(next, s, s.size)
	if s.dirty {
		return false
	}
	s.dirty, s.pin = true, f
	l.dirty = append(l.dirty, s)
	return true
}

// flushPolicy is Kafka's flush.messages for topics that do not flush before the ack; flush.ms is looked at by Tick.
func (l *Log) flushPolicy(c *Config, now time.Time) {
	l.mu.Lock()
	due := !c.FlushBeforeAck && (l.unflushed >= c.FlushMessages || now.UnixMilli()-l.unflushedAt >= c.FlushMs) || len(l.dirty) > 1
	l.mu.Unlock()
	if due {
		l.RequestSync()
	}
}
