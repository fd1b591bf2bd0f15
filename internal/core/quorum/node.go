package quorum

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Node is one voter. It is used by one goroutine at a time, and every method but Ready and Advance may be called at any
// point outside a Ready.
type Node struct {
	// Constant after construction.
	cfg Config

	raw   *raft.RawNode
	store *store

	state   State // as last given out to be made durable
	leader  int32
	leading bool
	opened  bool // a Ready has told that this node leads: the term's leader change has its offset
	// The log's end, proposals included.
	end   int64
	index uint64

	// The batch that opened the current term, for messages that are sent before it is in the log.
	opening      []byte
	openingTerm  uint64
	openingIndex uint64
	changeIndex  uint64 // of the last membership change proposed in this term
	votersIndex  uint64 // of the set in force

	// Between Ready and Advance.
	current raft.Ready
	given   Ready
}

// New makes a voter from what the host found on disk. A voter that is the whole quorum campaigns at once: the next
// Ready makes it leader.
func New(cfg Config, start Start, log Log) (*Node, error) {
	defaults(&cfg)
	s, err := newStore(cfg, start, log)
	if err != nil {
		return nil, err
	}
	raw, err := raft.NewRawNode(&raft.Config{
		ID: raftID(cfg.ID), ElectionTick: cfg.ElectionTicks, HeartbeatTick: cfg.HeartbeatTicks, Storage: s,
		Applied: start.Snapshot.Index, MaxSizePerMsg: cfg.MaxMessageBytes, MaxInflightMsgs: cfg.MaxInflight,
		MaxUncommittedEntriesSize: cfg.MaxUncommittedBytes, PreVote: true, CheckQuorum: true, StepDownOnRemoval: true,
		DisableProposalForwarding: true, Logger: trace{cfg.Trace},
	})
	if err != nil {
		return nil, fmt.Errorf("starting the metadata quorum: %w", err)
	}
	n := &Node{cfg: cfg, raw: raw, store: s, state: s.state, leader: None, end: s.end(s.last()), index: s.last(),
		votersIndex: s.state.VotersIndex}
	if len(s.conf) == 1 && s.conf[0] == cfg.ID {
		return n, raw.Campaign()
	}
	return n, nil
}

func defaults(c *Config) {
	c.ElectionTicks = cmp.Or(c.ElectionTicks, 12)
	c.HeartbeatTicks = cmp.Or(c.HeartbeatTicks, 2)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 1<<20)
	c.MaxUncommittedBytes = cmp.Or(c.MaxUncommittedBytes, 64<<20)
	c.MaxInflight = cmp.Or(c.MaxInflight, 64)
	c.CacheBytes = cmp.Or(c.CacheBytes, 4<<20)
}

func newStore(cfg Config, start Start, log Log) (*store, error) {
	if start.MustReset() {
		return nil, fmt.Errorf("the log was not reset to the snapshot that ends before offset %d: %w", start.Snapshot.Offset, ErrDamaged)
	}
	s := &store{log: log, state: start.State, conf: start.State.Voters, snapshot: start.Snapshot, cacheLimit: cfg.CacheBytes}
	s.state.Anchor = start.State.anchor()
	if s.state.Voters == nil {
		s.state.Voters = slices.Clone(cfg.Voters)
		s.conf = s.state.Voters
	}
	if s.snapshot.Index == 0 {
		s.snapshot.Voters = s.conf
	}
	if err := s.place(start); err != nil {
		return nil, err
	}
	// A set in force at an index, and a snapshot, prove that everything up to there was committed.
	s.commit = max(start.Snapshot.Index, start.State.VotersIndex)
	if s.commit > s.last() || s.infos[len(s.infos)-1].Term > start.State.Term {
		return nil, fmt.Errorf("the log ends at raft index %d of epoch %d, but index %d is known to be committed and epoch %d to have begun: %w",
			s.last(), s.infos[len(s.infos)-1].Term, s.commit, start.State.Term, ErrDamaged)
	}
	s.cacheFirst = s.last() + 1
	return s, nil
}

// place lays the retained batches out by raft index.
func (s *store) place(start Start) error {
	first, err := start.State.first(start.Log)
	if err != nil {
		return err
	}
	snap := start.Snapshot
	for i := 1; i < len(start.Log); i++ {
		if a, b := start.Log[i-1], start.Log[i]; a.End != b.Base || a.Term > b.Term {
			return fmt.Errorf("the batch at offset %d does not follow the one before: %w", b.Base, ErrDamaged)
		}
	}
	switch {
	case len(start.Log) == 0 && first != snap.Index+1:
		return fmt.Errorf("the log is empty, but quorum-state expects raft index %d: %w", first, ErrDamaged)
	case first == 1:
		s.infos = append([]Info{{}}, start.Log...)
	case first == snap.Index+1:
		s.before = snap.Index
		s.infos = append([]Info{{Base: snap.Offset, End: snap.Offset, Term: snap.Term}}, start.Log...)
	case first <= snap.Index:
		// The term before the first batch is lost, and raft asks for it: give up that batch, a snapshot covers it.
		s.before, s.infos = first, slices.Clone(start.Log)
	default:
		return fmt.Errorf("the log begins at raft index %d, behind the newest snapshot's %d: %w", first, snap.Index, ErrDamaged)
	}
	if len(start.Log) > 0 && snap.Index >= s.before && snap.Index <= s.last() && s.end(snap.Index) != snap.Offset {
		return fmt.Errorf("the snapshot ends at offset %d, the log's batch there at %d: %w", snap.Offset, s.end(snap.Index), ErrDamaged)
	}
	return nil
}

// Tick lets one unit of time pass.
func (n *Node) Tick() { n.raw.Tick() }

// Campaign starts an election now.
func (n *Node) Campaign() error { return n.raw.Campaign() }

// NextOffset is the offset that the next proposed batch will begin at; meaningful while leading.
func (n *Node) NextOffset() int64 { return n.end }

// Propose appends a batch of metadata records to the leader's log and returns its base offset. The batch is not
// written by either side from now on. It is committed when Ready says so, or lost with the leadership.
func (n *Node) Propose(batch []byte) (base int64, err error) {
	if !n.mayPropose() {
		return 0, ErrNotLeader
	}
	if err := check(batch, false); err != nil {
		return 0, err
	}
	if err := n.raw.Propose(batch); err != nil {
		return 0, dropped(err)
	}
	return n.proposed(batch), nil
}

// mayPropose: the term's leader change has its offset, and raft has not moved on since the last Ready.
func (n *Node) mayPropose() bool {
	st := n.raw.BasicStatus()
	return n.opened && st.RaftState == raft.StateLeader && st.GetTerm() == n.openingTerm
}

func (n *Node) proposed(batch []byte) (base int64) {
	base = n.end
	n.end += span(batch)
	n.index++
	return base
}

// ProposeVoters changes the set by one voter; batch is the voters control batch that lists the whole new set.
func (n *Node) ProposeVoters(batch []byte) (base int64, err error) {
	if !n.mayPropose() {
		return 0, ErrNotLeader
	}
	if err := check(batch, true); err != nil {
		return 0, err
	}
	change, err := n.change(batch)
	if err != nil {
		return 0, err
	}
	if n.changing() {
		return 0, ErrChanging
	}
	if err := n.raw.ProposeConfChange(change); err != nil {
		return 0, dropped(err)
	}
	base = n.proposed(batch)
	n.changeIndex = n.index
	return base, nil
}

func dropped(err error) error {
	if errors.Is(err, raft.ErrProposalDropped) {
		return ErrBusy
	}
	return err
}

// changing reports a membership change that is not applied, or entries of older terms that might hold one: raft would
// quietly turn a second change into an empty entry.
func (n *Node) changing() bool {
	return n.raw.BasicStatus().Applied < max(n.openingIndex, n.changeIndex)
}

// Step takes a message from another voter. A message that cannot be read is an error of the sender's; raft's own
// refusals are not errors.
func (n *Node) Step(data []byte) error {
	m := new(pb.Message)
	if err := proto.Unmarshal(data, m); err != nil {
		return fmt.Errorf("reading a message of the metadata quorum: %w", err)
	}
	if m.GetTo() != raftID(n.cfg.ID) || raft.IsLocalMsg(m.GetType()) || m.GetType() == pb.MsgProp {
		return nil
	}
	for _, e := range m.GetEntries() {
		if err := checkEntry(e); err != nil {
			return err
		}
	}
	if err := n.raw.Step(m); err != nil && !errors.Is(err, raft.ErrStepPeerNotFound) && !errors.Is(err, raft.ErrProposalDropped) {
		return err
	}
	return nil
}

// ReadIndex asks a majority whether this node still leads; Ready.Reads answers with the token.
func (n *Node) ReadIndex(token uint64) { n.raw.ReadIndex(binary.BigEndian.AppendUint64(nil, token)) }

// TransferLeader hands the leadership over, as a controlled shutdown does.
func (n *Node) TransferLeader(to int32) { n.raw.TransferLeader(raftID(to)) }

// ReportUnreachable and ReportSnapshot tell the fate of messages.
func (n *Node) ReportUnreachable(node int32) { n.raw.ReportUnreachable(raftID(node)) }

func (n *Node) ReportSnapshot(node int32, ok bool) {
	status := raft.SnapshotFinish
	if !ok {
		status = raft.SnapshotFailure
	}
	n.raw.ReportSnapshot(raftID(node), status)
}

// SnapshotAt names the snapshot that a host may write once everything below offset is applied, offset being the end of
// a committed batch.
func (n *Node) SnapshotAt(offset int64) (Snapshot, error) {
	at, ok := slices.BinarySearchFunc(n.store.infos, offset, func(i Info, o int64) int { return cmp.Compare(i.End, o) })
	index := n.store.before + uint64(at)
	if !ok || index > n.raw.BasicStatus().Applied {
		return Snapshot{}, fmt.Errorf("no applied batch ends before offset %d", offset)
	}
	if index < n.state.VotersIndex {
		return Snapshot{}, fmt.Errorf("the voters at offset %d are not known any more: take a later offset", offset)
	}
	return Snapshot{Index: index, Term: n.store.infos[at].Term, Offset: offset, Voters: slices.Clone(n.state.Voters)}, nil
}

// Snapshotted tells that a snapshot is durable. Followers that are behind the log get it from now on.
func (n *Node) Snapshotted(s Snapshot) {
	n.store.wanted = false
	if s.Index > n.store.snapshot.Index {
		n.store.snapshot = s
	}
}

// Compact prepares the deletion of the log below an offset that begins a batch and that a durable snapshot covers. The
// host makes the returned state durable first and deletes then: the other way round a crash would leave an anchor
// at a batch that is gone.
func (n *Node) Compact(logStart int64) (State, error) {
	at, ok := find(n.store.infos[1:], logStart)
	index := n.store.before + 1 + uint64(at)
	if !ok && logStart == n.store.end(n.store.last()) {
		index, ok = n.store.last()+1, true
	}
	if !ok || index > n.store.snapshot.Index+1 {
		return State{}, fmt.Errorf("the log cannot begin at offset %d: no snapshot covers what is before", logStart)
	}
	n.store.compact(index)
	n.state.Anchor = Anchor{index, logStart}
	return n.state, nil
}

// Status describes the quorum now.
func (n *Node) Status() Status {
	st := n.raw.Status()
	out := Status{ID: n.cfg.ID, Leader: n.leader, Leading: n.leading, Term: st.GetTerm(), Voters: slices.Clone(n.state.Voters),
		EndOffset: n.store.end(n.store.last()), CommitOffset: n.offset(st.GetCommit())}
	for id, p := range st.Progress { // into a sort
		out.Followers = append(out.Followers, Follower{nodeID(id), n.offset(p.Match), p.RecentActive || nodeID(id) == n.cfg.ID})
	}
	slices.SortFunc(out.Followers, func(a, b Follower) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// offset is the end of the entry at an index, as far as the retained log knows it.
func (n *Node) offset(index uint64) int64 {
	if index < n.store.before {
		return n.store.infos[0].Base
	}
	return n.store.end(min(index, n.store.last()))
}
