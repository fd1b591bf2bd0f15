package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/core/quorum"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

const (
	metadataTopic = "__cluster_metadata"
	quorumState   = "quorum-state"
	tickInterval  = 25 * time.Millisecond
	// metadataSegment rolls the metadata log, so that what a snapshot covers can go.
	metadataSegment = 16 << 20
)

// metalog drives the quorum over __cluster_metadata-0 and runs the controller while this node leads. One goroutine
// owns everything but the queue.
type metalog struct {
	h    *Host
	log  *commitlog.Log
	node *quorum.Node
	path string // of quorum-state

	// Owned by run.
	controller *meta.Controller // nil: this node does not lead, or has not committed its epoch yet
	token      machine.Token
	callers    map[machine.Token]func(any, wire.ErrorCode)
	pending    []pendingResult // in the order of offset
	applied    int64           // everything below is in the image
	epochStart int64           // of this node's lead; -1: not leading
	snaps      snapshots

	leads atomic.Bool // controller is not nil

	flushed chan struct{}
	ended   chan struct{}
	err     error // valid once ended

	mu     sync.Mutex
	queue  []question
	closed bool
	wake   chan struct{}
}

type question struct {
	body any
	done func(any, wire.ErrorCode)
}

// pendingResult waits until everything below next is applied.
type pendingResult struct {
	next    int64
	replies []machine.Reply
}

var errClosed = errors.New("the node is stopping")

func openMetalog(h *Host) (*metalog, error) {
	m := &metalog{h: h, callers: map[machine.Token]func(any, wire.ErrorCode){}, epochStart: -1,
		snaps: snapshots{written: make(chan written, 1)}, flushed: make(chan struct{}, 1), ended: make(chan struct{}), wake: make(chan struct{}, 1)}
	if err := m.openLog(h.dirs[0]); err != nil {
		return nil, err
	}
	m.path = filepath.Join(m.log.Path(), quorumState)
	start, err := m.start()
	if err != nil {
		return nil, err
	}
	m.node, err = quorum.New(quorum.Config{ID: h.o.NodeID, Voters: []int32{h.o.NodeID}, LeaderChange: m.leaderChange, VotersOf: votersOf}, start, m)
	return m, err
}

// openLog finds or makes the metadata log. The loop hears of each flush, and of the end of the directory.
func (m *metalog) openLog(dir *commitlog.Dir) error {
	m.log = dir.Log(metadataTopic, 0)
	if err := m.mayBegin(dir); err != nil {
		return err
	}
	if m.log == nil {
		l, err := dir.Create(metadataTopic, 0, metadataTopicID, keepAll())
		if err != nil {
			return err
		}
		m.log = l
	}
	if err := m.log.Err(); err != nil {
		return fmt.Errorf("the metadata log cannot be read, and the node does not start without it: %w", err)
	}
	c := keepAll()
	c.SegmentBytes = metadataSegment
	m.log.SetConfig(c)
	tell := func() {
		select {
		case m.flushed <- struct{}{}:
		default:
		}
	}
	m.log.OnFlushed(func(int64) { tell() })
	dir.OnFail(func(error) { tell(); m.nudge() })
	return nil
}

// mayBegin refuses to begin a new history over data of an old one: without its metadata nobody knows whose it is. It
// judges before a log is made, for an empty one left behind would be a twin of the real one at the next start.
func (m *metalog) mayBegin(dir *commitlog.Dir) error {
	if m.log != nil && (m.log.EndOffset() > 0 || m.log.Err() != nil) {
		return nil
	}
	for _, d := range m.h.dirs {
		for _, l := range d.Logs() {
			switch {
			case l == m.log:
			case l.Topic() == metadataTopic:
				return fmt.Errorf("the metadata log lies in %s, but %s is the first log directory: name first the one that holds the metadata", d.Path(), dir.Path())
			default:
				return fmt.Errorf("the metadata log in %s is empty, but %s holds logs such as %s: the node does not start without its metadata; "+
					"bring it back, name first the directory that holds it, or begin with empty directories",
					filepath.Join(dir.Path(), metadataTopic+"-0"), d.Path(), filepath.Base(l.Path()))
			}
		}
	}
	return nil
}

// keepAll is what a log gets of which the image has not spoken, or never will: nothing of it expires.
func keepAll() commitlog.Config {
	c := commitlog.DefaultConfig()
	c.DeletePolicy, c.Compact, c.RetentionMs, c.RetentionBytes = false, false, -1, -1
	return c
}

// metadataTopicID is the id that Kafka gives the metadata log.
var metadataTopicID = wire.UUID{15: 1}

// start reads what the quorum needs from disk.
func (m *metalog) start() (quorum.Start, error) {
	s := quorum.Start{State: quorum.Fresh()}
	b, err := env.ReadFile(m.h.o.Env.Disk, m.path)
	switch {
	case err == nil:
		if s.State, err = quorum.DecodeState(b); err != nil {
			return s, fmt.Errorf("%s: %w", m.path, err)
		}
	case !env.NotExist(err):
		return s, err
	}
	if err := m.eachInfo(func(i quorum.Info) { s.Log = append(s.Log, i) }); err != nil {
		return s, err
	}
	found, err := m.loadSnapshot(s.State, s.Log)
	if err == nil && found != nil {
		s.Snapshot = found.Snapshot
	}
	m.begin(found)
	return s, err
}

// eachInfo reads what the quorum wants to know of every batch.
func (m *metalog) eachInfo(f func(quorum.Info)) error {
	return m.log.Each(m.log.StartOffset(), m.log.EndOffset(), func(h batch.Header, b []byte) error {
		kind := quorum.Records
		if h.Control() {
			kind = quorum.Control
			if votersBatch(b) {
				kind = quorum.Voters
			}
		}
		f(quorum.Info{Base: h.BaseOffset, End: h.NextOffset(), Term: uint64(h.LeaderEpoch), Kind: kind})
		return nil
	})
}

// Batch reads a batch back for the quorum.
func (m *metalog) Batch(base int64) (found []byte, err error) {
	err = m.log.Each(base, m.log.EndOffset(), func(h batch.Header, b []byte) error {
		found = append([]byte(nil), b...)
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return found, err
}

var errStop = errors.New("stop")

// leaderChange carries the time: a batch of another age than its neighbours would roll the log.
func (m *metalog) leaderChange(leader, epoch int32, voters []int32) []byte {
	var all []record.LeaderChangeVoter
	for _, v := range voters {
		all = append(all, record.LeaderChangeVoter{VoterID: v})
	}
	r := meta.LeaderChange(leader, all)
	o := batch.Plain(0, epoch, m.h.o.Env.Clock.Now().UnixMilli())
	o.Control = true
	b, err := batch.Build(nil, o, []batch.Record{{Key: r.Key, Value: r.Value}})
	if err != nil {
		panic(err) // no codec, nothing that can fail
	}
	return b
}

func votersBatch(b []byte) bool {
	rs, err := batch.Records(b, 1<<20)
	if err != nil || len(rs) == 0 {
		return false
	}
	kind, _, err := batch.ParseControl(rs[0])
	return err == nil && kind == batch.ControlKRaftVoters
}

func votersOf([]byte) ([]int32, error) {
	return nil, errors.New("the voters of this cluster cannot be changed yet")
}

// ask queues a command for the controller.
func (m *metalog) ask(body any, done func(any, wire.ErrorCode)) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		done(nil, wire.NotController)
		return
	}
	m.queue = append(m.queue, question{body, done})
	m.mu.Unlock()
	m.nudge()
}

func (m *metalog) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *metalog) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.nudge()
}

// run is the loop: carry out what the quorum wants, hear commands, let time pass.
func (m *metalog) run() {
	tick := m.h.o.Env.Clock.AfterFunc(tickInterval, m.nudge)
	defer tick.Stop()
	next := m.h.o.Env.Clock.Now().Add(tickInterval)
	for m.err == nil {
		if m.err = m.settle(); m.err != nil {
			break
		}
		now := m.h.o.Env.Clock.Now()
		if m.err = m.snapshotted(now); m.err != nil {
			break
		}
		m.snapshot(now)
		questions, closed := m.take()
		if closed {
			m.putBack(questions) // for end to answer
			m.err = errClosed
			break
		}
		if len(questions) > 0 && m.controller != nil {
			m.err = m.answer(questions)
			continue
		}
		m.putBack(questions)
		<-m.wake
		if m.err = m.lost(); m.err != nil {
			break
		}
		if now := m.h.o.Env.Clock.Now(); !now.Before(next) {
			m.node.Tick()
			next = now.Add(tickInterval)
			tick.Reset(tickInterval)
			m.err = m.timers(now)
		}
	}
	m.end()
}

// lost says why the node cannot go on without the metadata directory, nil while it works.
func (m *metalog) lost() error {
	dir := m.log.Dir()
	if err := dir.Failed(); err != nil {
		return fmt.Errorf("the metadata directory %s has failed, and the node stops: nothing can be changed without it: %w", dir.Path(), err)
	}
	return nil
}

func (m *metalog) take() ([]question, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q, m.closed
}

// putBack keeps commands that came before this node leads.
func (m *metalog) putBack(q []question) {
	if len(q) == 0 {
		return
	}
	m.mu.Lock()
	m.queue = append(q, m.queue...)
	m.mu.Unlock()
}

// closing: the log has ended or is about to.
func (m *metalog) closing() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

func (m *metalog) end() {
	m.leads.Store(false)
	if lost := m.lost(); lost != nil && !errors.Is(m.err, errClosed) {
		m.err = lost // the one sentence, whichever operation met it first
	}
	if !errors.Is(m.err, errClosed) {
		m.h.o.Log.Error("the metadata quorum has stopped; the node must be restarted", "err", m.err)
	}
	m.mu.Lock()
	m.closed = true
	questions := m.queue
	m.queue = nil
	m.mu.Unlock()
	for _, q := range questions {
		q.done(nil, wire.NotController)
	}
	for _, done := range m.callers {
		done(nil, wire.NotController)
	}
	close(m.ended)
}

// timers lets the controller act on time.
func (m *metalog) timers(now time.Time) error {
	if m.controller == nil {
		return nil
	}
	m.h.openAgain(now)
	if d := m.controller.Deadline(); !d.IsZero() && !d.After(now) {
		return m.handle(now, machine.Command{Body: machine.Tick{}})
	}
	return nil
}

func (m *metalog) answer(questions []question) error {
	for _, q := range questions {
		m.token++
		m.callers[m.token] = q.done
		if err := m.handle(m.h.o.Env.Clock.Now(), machine.Command{Token: m.token, Body: q.body}); err != nil {
			return err
		}
	}
	return nil
}

// handle lets the controller decide and proposes its records; the replies wait until they are applied.
func (m *metalog) handle(now time.Time, c machine.Command) error {
	r := m.controller.Handle(now, c)
	next := m.node.NextOffset()
	if len(r.Records) > 0 {
		b, err := batch.Build(nil, batch.Plain(0, 0, now.UnixMilli()), batchRecords(r.Records))
		if err != nil {
			return err
		}
		base, err := m.propose(b)
		if err != nil {
			return fmt.Errorf("proposing metadata: %w", err)
		}
		epoch := int32(m.node.Status().Term)
		if err := m.controller.Replay(machine.Batch{BaseOffset: base, LeaderEpoch: epoch, Timestamp: now.UnixMilli(), Records: r.Records}); err != nil {
			return err
		}
		next = base + int64(len(r.Records))
	}
	m.pending = append(m.pending, pendingResult{next, r.Replies})
	m.deliver()
	return nil
}

// propose hands a batch to the quorum. When so much waits already that it takes no more, that goes to disk first.
func (m *metalog) propose(b []byte) (base int64, err error) {
	base, err = m.node.Propose(b)
	if errors.Is(err, quorum.ErrBusy) {
		if err := m.settle(); err != nil {
			return 0, err
		}
		base, err = m.node.Propose(b)
	}
	return base, err
}

func batchRecords(rs []machine.Record) []batch.Record {
	out := make([]batch.Record, len(rs))
	for i, r := range rs {
		out[i] = batch.Record{Key: r.Key, Value: r.Value}
	}
	return batch.Number(out)
}

// deliver answers what is applied.
func (m *metalog) deliver() {
	for len(m.pending) > 0 && m.pending[0].next <= m.applied {
		code := wire.None
		if failpoint.Hit("meta.reply.before") != nil {
			code = wire.NotController
		}
		for _, r := range m.pending[0].replies {
			if done := m.callers[r.To]; done != nil {
				delete(m.callers, r.To)
				done(r.Body, code)
			}
		}
		m.pending = m.pending[1:]
	}
}

// settle carries out everything that the quorum has ready, in the order that package quorum demands (Q1 to Q6).
func (m *metalog) settle() error {
	for m.node.HasReady() {
		r, err := m.node.Ready()
		if err != nil {
			return err
		}
		if r.Install != nil {
			return errors.New("a metadata snapshot of another controller cannot be installed yet")
		}
		if r.State != nil {
			if err := m.save(*r.State); err != nil {
				return err
			}
		}
		if err := m.persist(r.Entries); err != nil {
			return err
		}
		if r.Set != nil {
			if err := m.save(*r.Set); err != nil {
				return err
			}
		}
		if r.Leading && m.epochStart < 0 {
			m.epochStart = m.log.EndOffset()
		}
		if err := m.apply(r.Committed); err != nil {
			return err
		}
		m.node.Advance()
	}
	if m.epochStart >= 0 && m.controller == nil && m.applied >= m.epochStart {
		if err := m.lead(); err != nil {
			return err
		}
	}
	m.deliver()
	return nil
}

// lead makes the controller once the own epoch's start is committed: it begins with the committed image. Only now do
// the logs follow the metadata: while history is replayed, a topic that was deleted and made again would still carry
// its first id, and its log would look like one to remove.
func (m *metalog) lead() error {
	o := m.h.o.Controller
	o.Image, o.ClusterID, o.NewID = m.h.Image(), m.h.clusterID, m.h.newID
	m.controller = meta.NewController(o)
	m.leads.Store(true)
	m.pending = append(m.pending, pendingResult{m.applied, m.controller.Loaded(m.h.o.Env.Clock.Now()).Replies})
	m.h.takeStock(m.h.Image())
	if err := m.h.publish(m.h.Image(), meta.Diff(meta.Empty(), m.h.Image())); err != nil {
		return err
	}
	m.h.sortOut(m.h.Image())
	return nil
}

// save makes quorum-state durable. It too waits for room.
func (m *metalog) save(s quorum.State) error {
	for {
		err := m.write(s)
		if !errors.Is(err, commitlog.ErrNoSpace) {
			return err
		}
		if err := m.waitForRoom(); err != nil {
			return err
		}
	}
}

func (m *metalog) write(s quorum.State) error {
	if err := failpoint.Hit("meta.state.before-save"); err != nil {
		return err
	}
	if err := env.WriteFile(m.h.o.Env.Disk, m.path, quorum.EncodeState(s, "")); err != nil {
		return err
	}
	return failpoint.Hit("meta.state.after-save")
}

// persist appends entries and waits until they are on disk. On a full disk it waits for room: what was refused left
// nothing behind, so it may be written again, and nobody is told anything in between.
func (m *metalog) persist(entries []quorum.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if entries[0].Base < m.log.EndOffset() {
		if err := m.log.TruncateTo(entries[0].Base); err != nil {
			return err
		}
	}
	if err := failpoint.Hit("meta.append.before-write"); err != nil {
		return err
	}
	end := entries[len(entries)-1].End
	for len(entries) > 0 {
		n, err := m.append(entries)
		if errors.Is(err, commitlog.ErrNoSpace) {
			err = m.waitForRoom()
		}
		if err != nil {
			return fmt.Errorf("writing the metadata log: %w", err)
		}
		entries = entries[n:]
	}
	if err := failpoint.Hit("meta.append.before-sync"); err != nil {
		return err
	}
	m.log.RequestSync()
	for m.log.FlushedEnd() < end {
		if err := m.log.Dir().Failed(); err != nil {
			return err
		}
		select {
		case <-m.flushed:
		case <-m.h.stop:
			return errClosed
		}
	}
	return failpoint.Hit("meta.append.after-sync")
}

// append writes entries as far as it can.
func (m *metalog) append(entries []quorum.Entry) (done int, err error) {
	in, out := make([]commitlog.Append, len(entries)), make([]commitlog.Appended, len(entries))
	for i, e := range entries {
		b := append([]byte(nil), e.Batch...)
		batch.SetBaseOffset(b, e.Base)
		batch.SetLeaderEpoch(b, int32(e.Term))
		h, err := batch.ParseHeader(b)
		if err != nil {
			return 0, err
		}
		in[i] = commitlog.Append{Batch: b, Header: h, Origin: commitlog.Replica}
	}
	if err := m.log.Append(m.h.o.Env.Clock.Now(), int32(entries[len(entries)-1].Term), in, out); err != nil {
		return 0, err
	}
	for i, o := range out {
		if o.Err != nil {
			return i, o.Err
		}
	}
	return len(out), nil
}

// waitForRoom lets a second pass on a full disk. A node that is not registered yet serves nobody who could make room by
// deleting: its start fails, and somebody is told.
func (m *metalog) waitForRoom() error {
	if m.h.epoch.Load() < 0 {
		return fmt.Errorf("metadata in %s: %w", m.log.Dir().Path(), commitlog.ErrNoSpace)
	}
	m.h.o.Log.Error("the disk is full: changes of metadata wait until there is room", "dir", m.log.Dir().Path())
	room := make(chan struct{})
	t := m.h.o.Env.Clock.AfterFunc(time.Second, func() { close(room) })
	defer t.Stop()
	select {
	case <-room:
		return nil
	case <-m.h.stop:
		return errClosed
	}
}

// apply reads committed batches into the image and publishes it.
func (m *metalog) apply(entries []quorum.Entry) error {
	for _, e := range entries {
		b := machine.Batch{BaseOffset: e.Base, LeaderEpoch: int32(e.Term)}
		if e.Kind == quorum.Records {
			h, err := batch.ParseHeader(e.Batch)
			if err != nil {
				return err
			}
			rs, err := batch.Records(e.Batch, 1<<30)
			if err != nil {
				return fmt.Errorf("metadata at offset %d cannot be read; nothing is deleted, the node stops: %w", e.Base, err)
			}
			b.Timestamp, m.snaps.timestamp = h.MaxTimestamp, h.MaxTimestamp
			m.snaps.bytes += int64(len(e.Batch))
			for _, r := range rs {
				b.Records = append(b.Records, machine.Record{Key: r.Key, Value: r.Value})
			}
		}
		next, delta, err := m.h.Image().ApplyBatch(b)
		if err != nil {
			return fmt.Errorf("metadata at offset %d cannot be understood; nothing is deleted, the node stops: %w", e.Base, err)
		}
		m.log.SetHighWatermark(e.End)
		m.applied = e.End
		if m.controller == nil {
			m.h.note(next, delta)
			m.h.image.Store(next) // history: logs follow the metadata only once it is current, see lead
			continue
		}
		if err := failpoint.Hit("meta.apply.before-publish"); err != nil {
			return err
		}
		if err := m.h.publish(next, delta); err != nil {
			return err
		}
	}
	return nil
}
