// Fetch (key 1), versions 4-18
//
// Reads batches up to the high watermark, or to the last stable offset for readers of committed transactions, who also
// get the aborted transactions of the range. Waits up to max.wait without a goroutine until min.bytes are there. The
// first non-empty partition may exceed the limits, so that every batch can be read; the order of the partitions of a
// session rotates, so that none starves. Ranges of 64 KiB and more go from the page cache to a plaintext socket by
// sendfile. Sessions (KIP-227) are kept in a bounded cache. Needs Read on each topic, and ClusterAction for a
// follower; followers are refused with INVALID_REQUEST as long as there is one node.
//
//	v4   isolation level, aborted transactions
//	v5   log start offset
//	v7   sessions
//	v9   current leader epoch: FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH
//	v11  rack (ignored: there is one replica)
//	v12  flexible, last fetched epoch and divergence
//	v13  topic ids instead of names
//	v15  the replica's state as a tagged field
//	v16  endpoints of the leaders that the answer names
//	v17  replica directory
//	v18  high watermark of the follower

package broker

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"millrace/internal/core/auth"
	"millrace/internal/core/quota"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

var _ = register(API{Key: wire.Fetch, Min: 4, Max: 18, Handle: handleFetch})

// A fetch is one Fetch request. Parked, it belongs to whoever wins state: a partition that woke it, its timer, or the
// end of its connection.
type fetch struct {
	r       *Request
	req     wire.FetchRequest
	session *session // nil without one
	id      int32    // of the session to answer
	full    bool     // the answer lists every partition: no session, or its first answer
	err     wire.ErrorCode

	asked    []fetchPart
	parts    []wire.FetchResponsePartition
	reads    []Read // what parts tells of, with the records
	size     int
	mustSay  bool // an error or a divergence: answer at once
	hints    leaderHints
	writer   wire.FetchWriter
	deadline time.Time

	state    atomic.Int32
	dirty    atomic.Bool // woken while running
	timer    env.Timer
	watchers []*Watcher
	poke     func() // wake, made once
}

// fetchPart is one partition to read.
type fetchPart struct {
	wire.FetchPartition
	name string // resolved from the id from v13 on
	part Partition
	err  wire.ErrorCode
	// cached is the session's memory of the partition, nil without a session.
	cached *sessionPart
}

const (
	fetchRunning int32 = iota
	fetchParked
)

func handleFetch(r *Request) error {
	f, ok := r.b.fetches.Get().(*fetch)
	if !ok {
		f = new(fetch)
	}
	if err := f.req.Parse(r.Version, r.Body); err != nil {
		r.abandon()
		return err
	}
	f.r = r
	f.state.Store(fetchRunning)
	f.dirty.Store(false)
	f.err = f.open()
	if f.err != wire.None {
		f.reply()
		return nil
	}
	f.read()
	if f.enough() {
		f.reply()
		return nil
	}
	f.wait()
	return nil
}

// open finds the session and the partitions to read.
func (f *fetch) open() wire.ErrorCode {
	if f.req.ReplicaID >= 0 {
		if !f.r.allowed(auth.ClusterAction, auth.Cluster) {
			return wire.ClusterAuthorizationFailed
		}
		return wire.InvalidRequest
	}
	return f.openSession()
}

// resolve finds the partition, or the code to answer.
func (f *fetch) resolve(p *fetchPart) {
	b := f.r.b
	p.name = p.Topic
	if f.r.Version >= 13 {
		t := b.host.Image().TopicByID(p.TopicID)
		if t == nil {
			p.err = wire.UnknownTopicID
			return
		}
		p.name = t.Name
	}
	if !f.r.allowed(auth.Read, auth.Topic(p.name)) {
		p.err = wire.TopicAuthorizationFailed
		return
	}
	if p.part = b.host.Partition(p.name, p.Partition); p.part == nil {
		p.err = b.absent(p.name, p.Partition)
	}
}

// read reads every partition once, in order, until the byte limit.
func (f *fetch) read() {
	left := min(int(f.req.MaxBytes), f.r.b.limits.fetchBytes)
	f.size, f.mustSay = 0, false
	f.parts, f.reads = f.parts[:0], f.reads[:0]
	for i := range f.asked {
		p := &f.asked[i]
		out, got := f.readOne(p, max(left-f.size, 0))
		f.size += out.RecordsSize
		f.mustSay = f.mustSay || out.Err != wire.None || out.DivergingEpoch >= 0
		f.parts = append(f.parts, out)
		f.reads = append(f.reads, got)
	}
}

func (f *fetch) readOne(p *fetchPart, left int) (wire.FetchResponsePartition, Read) {
	out := wire.FetchResponsePartition{Topic: p.Topic, TopicID: p.TopicID, Partition: p.Partition, Err: p.err,
		HighWatermark: -1, LastStable: -1, LogStart: -1, PreferredReplica: -1, DivergingEpoch: -1, DivergingEnd: -1,
		LeaderID: -1, LeaderEpoch: -1}
	if p.part == nil {
		return out, Read{}
	}
	got := p.part.Read(ReadOptions{
		Offset: p.FetchOffset, MaxBytes: min(int(p.MaxBytes), left), MinOne: f.size == 0,
		Committed: f.req.Isolation == 1, CurrentLeaderEpoch: p.CurrentLeaderEpoch, LastFetchedEpoch: p.LastFetchedEpoch,
	})
	out.Err, out.HighWatermark, out.LastStable, out.LogStart = got.Err, got.HighWatermark, got.LastStable, got.LogStart
	out.DivergingEpoch, out.DivergingEnd = got.DivergingEpoch, got.DivergingEnd
	out.RecordsSize = got.Records.Size()
	if f.req.Isolation == 1 && got.Err == wire.None {
		out.Aborted = make([]wire.AbortedTransaction, 0, len(got.Aborted))
		for _, a := range got.Aborted {
			out.Aborted = append(out.Aborted, wire.AbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
		}
	}
	if out.Err == wire.KafkaStorageError && f.r.Version <= 5 {
		out.Err = wire.NotLeaderOrFollower // clients of that time would not try again
	}
	if got.Err == wire.NotLeaderOrFollower || got.Err == wire.FencedLeaderEpoch {
		out.LeaderID, out.LeaderEpoch = f.hints.add(f.r, p.name, p.Partition)
	}
	return out, got
}

func (f *fetch) enough() bool {
	return f.mustSay || f.size >= int(f.req.MinBytes) || f.req.MaxWaitMs <= 0 || len(f.asked) == 0
}

// drop releases what was read and will not be sent.
func (f *fetch) drop() {
	for i := range f.reads {
		if f.parts[i].RecordsSize > 0 {
			f.reads[i].Records.Release()
		}
	}
	f.parts, f.reads, f.size = f.parts[:0], f.reads[:0], 0
	f.hints = leaderHints{}
}

// wait parks the fetch until a partition changes, the time is over or the connection ends.
func (f *fetch) wait() {
	most := time.Duration(f.req.MaxWaitMs) * time.Millisecond
	f.deadline = f.r.b.clock.Now().Add(most)
	if f.poke == nil {
		f.poke = f.wake
	}
	if !f.r.conn.park(f.r, f.poke) {
		f.reply()
		return
	}
	if f.timer == nil {
		f.timer = f.r.b.clock.AfterFunc(most, f.poke)
	} else {
		f.timer.Reset(most)
	}
	f.watch()
}

// watch parks. What changed between the read and the watch is seen by comparing, what changes after it by dirty:
//
//	read; watch; (1) compare; state = parked; (2) look at dirty
//
// A change before the watch shows in (1), one after it has called wake, which found the state running and left
// dirty behind for (2), or found it parked and took the fetch over. A wake that belongs to an earlier life of this
// object takes the fetch over too; then it is read once more for nothing.
func (f *fetch) watch() {
	for {
		for i := range f.asked {
			f.watchOne(i)
		}
		changed := f.changed()
		f.state.Store(fetchParked)
		if !changed && !f.dirty.Load() || !f.state.CompareAndSwap(fetchParked, fetchRunning) {
			return
		}
		if f.again() {
			return
		}
	}
}

func (f *fetch) watchOne(i int) {
	p := f.asked[i].part
	if p == nil {
		return
	}
	for len(f.watchers) <= i {
		f.watchers = append(f.watchers, &Watcher{Wake: f.poke})
	}
	p.Watch(f.watchers[i])
}

func (f *fetch) unwatch() {
	for i := range f.asked {
		if p := f.asked[i].part; p != nil && i < len(f.watchers) {
			p.Unwatch(f.watchers[i])
		}
	}
}

func (f *fetch) changed() bool {
	for i := range f.asked {
		p := f.asked[i].part
		if p == nil {
			continue
		}
		now, read := p.State(), &f.parts[i]
		if !now.Leader || now.HighWatermark != read.HighWatermark || now.LastStable != read.LastStable {
			return true
		}
	}
	return false
}

// wake is called by partitions, by the timer and by the end of the connection, on any goroutine.
func (f *fetch) wake() {
	f.dirty.Store(true)
	if f.state.CompareAndSwap(fetchParked, fetchRunning) {
		b := f.r.b
		b.woken.Add(1)
		go func() {
			defer b.woken.Done()
			if !f.again() {
				f.watch()
			}
		}()
	}
}

// again reads once more, and answers if that is enough or the time is over. dirty is cleared before the clock and the
// partitions are looked at, so that nothing that happens afterwards is missed.
func (f *fetch) again() (answered bool) {
	f.dirty.Store(false)
	f.unwatch()
	f.drop()
	b := f.r.b
	over := !b.clock.Now().Before(f.deadline) || b.stopping.Load() || f.r.conn.gone()
	f.read()
	if !over && !f.enough() {
		return false
	}
	f.reply()
	return true
}

// reply answers and forgets the request. It may wait for the socket, so it never runs in a callback of the host.
func (f *fetch) reply() {
	r := f.r
	if f.timer != nil {
		f.timer.Stop()
	}
	r.fail(f.err)
	f.count()
	f.closeSession()
	throttle := int32(r.throttle(quota.Usage{Consumed: f.size}).Milliseconds())
	buf := r.b.pool.get(4 << 10)
	f.writer.Reset(r.appendHead(buf.b[:0]), r.Version, throttle, f.err, f.id, f.parts, f.hints.nodes)
	size := f.writer.Size()
	binary.BigEndian.PutUint32(f.writer.Bytes(), uint32(size-4))
	if err := f.assemble(r, buf); err != nil {
		r.b.log.Error("fetch cannot be answered", "error", err)
		r.discard()
		r.parts = nil
		r.closeAfter = true
	}
	f.reads = f.reads[:0] // owned by the answer now
	f.end()
	r.finish(size, true)
}

// count adds every partition to its topic's figures.
func (f *fetch) count() {
	for i := range f.parts {
		p, out := &f.asked[i], &f.parts[i]
		f.r.fail(out.Err)
		if p.part == nil {
			continue
		}
		if m := f.r.b.policies.of(f.r.b, p.name).metrics; out.Err != wire.None {
			m.FetchFailed()
		} else {
			m.Fetched(out.RecordsSize)
		}
	}
}

// assemble makes the parts of the answer: records of 64 KiB and more as ranges of files, everything else as memory.
func (f *fetch) assemble(r *Request, buf *buffer) error {
	pieces := f.writer.Pieces()
	copied := 0
	for i := range f.parts {
		if n := f.parts[i].RecordsSize; n > 0 && n < sendfileFrom {
			copied += n
		}
	}
	if copied == 0 {
		f.assemblePieces(r, buf, pieces)
		return nil
	}
	defer buf.release()
	return f.assembleCopies(r, pieces, len(f.writer.Bytes())+copied)
}

// assemblePieces sends the writer's memory as it is, cut where files go between.
func (f *fetch) assemblePieces(r *Request, buf *buffer, pieces [][]byte) {
	all, start, end := f.writer.Bytes(), 0, 0
	for i, piece := range pieces {
		end += len(piece)
		if i < len(f.parts) && f.parts[i].RecordsSize == 0 && i < len(pieces)-1 {
			continue
		}
		r.parts = append(r.parts, part{mem: all[start:end:end]})
		start = end
		if i < len(f.parts) {
			r.parts = append(r.parts, part{file: f.reads[i], whole: f.parts[i].RecordsSize})
		}
	}
	r.parts[0].buf = buf
}

// assembleCopies reads the small ranges into one buffer between the writer's pieces.
func (f *fetch) assembleCopies(r *Request, pieces [][]byte, size int) (err error) {
	whole := r.b.pool.get(size)
	out, start := whole.b[:0], 0
	for i, piece := range pieces {
		out = append(out, piece...)
		if i == len(f.parts) || f.parts[i].RecordsSize == 0 {
			continue
		}
		n := f.parts[i].RecordsSize
		if n >= sendfileFrom {
			r.parts = append(r.parts, part{mem: out[start:len(out):len(out)]}, part{file: f.reads[i], whole: n})
			start = len(out)
			continue
		}
		at := len(out)
		out = out[:at+n]
		if e := f.reads[i].Records.ReadAt(out[at:], 0); e != nil && err == nil {
			err = fmt.Errorf("read of %d bytes of %s-%d: %w", n, f.asked[i].name, f.parts[i].Partition, e)
		}
		f.reads[i].Records.Release()
	}
	r.parts = append(r.parts, part{mem: out[start:]})
	r.parts[0].buf = whole
	return err
}

// end puts the object back.
func (f *fetch) end() {
	b := f.r.b
	clear(f.asked)
	clear(f.parts)
	clear(f.reads)
	f.asked, f.parts, f.reads = f.asked[:0], f.parts[:0], f.reads[:0]
	f.req.Reset()
	f.r, f.session, f.id, f.hints = nil, nil, 0, leaderHints{}
	f.size, f.mustSay, f.err = 0, false, wire.None
	if cap(f.asked) <= 4096 {
		b.fetches.Put(f)
	}
}
