package commitlog

import (
	"errors"
	"fmt"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env"
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
	if len(in) > 0 && in[0].Origin == Replica {
		epoch = in[0].Header.LeaderEpoch
	}
	l.mu.Lock()
	latest := l.epochs.latest()
	if epoch > latest {
		l.epochs = l.epochs.assign(epoch, l.end.Load())
		l.epochsDirty = true
	}
	dirty := l.epochsDirty
	l.mu.Unlock()
	if epoch < latest && epoch >= 0 {
		return fmt.Errorf("%w: %d after %d", ErrFencedLeaderEpoch, epoch, latest)
	}
	if dirty {
		return l.writeEpochs()
	}
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
		} else if h.BaseOffset < next || h.LeaderEpoch > l.run.epoch(leaderEpoch, a) {
			out[n].Err = fmt.Errorf("%w: batch at %d, end %d", ErrOffsetOrder, h.BaseOffset, next)
			continue
		}
		if err := l.admit(c, a, &h, next); err != nil {
			out[n].Err = err
			continue
		}
		full, err := l.makeRoom(now, c, &h)
		if err != nil {
			return 0, err
		}
		if full {
			break
		}
		if !l.judge(r, a, &h, &out[n]) {
			continue
		}
		if a.Origin != Replica {
			batch.SetBaseOffset(a.Batch, h.BaseOffset)
			batch.SetLeaderEpoch(a.Batch, h.LeaderEpoch)
		}
		if c.LogAppendTime && a.Origin == Client {
			ms := now.UnixMilli()
			batch.SetLogAppendTime(a.Batch, ms)
			h.MaxTimestamp, out[n].AppendTime = ms, ms
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
