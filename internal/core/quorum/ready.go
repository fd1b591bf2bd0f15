package quorum

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// HasReady reports whether Ready has anything to say.
func (n *Node) HasReady() bool { return n.store.wanted || n.raw.HasReady() }

// Ready returns what to do next. The package comment gives the order; Advance must follow.
func (n *Node) Ready() (Ready, error) {
	rd := n.raw.Ready()
	n.current = rd
	if rd.SoftState != nil {
		n.leader, n.leading = nodeID(rd.SoftState.Lead), rd.SoftState.RaftState == raft.StateLeader
		n.opened = n.opened && n.leading
	}
	out := Ready{Leader: n.leader, Leading: n.leading, MustSync: rd.MustSync, Term: n.raw.BasicStatus().GetTerm()}
	if n.leading && n.openingTerm != out.Term {
		n.opening, n.openingTerm = n.cfg.LeaderChange(n.cfg.ID, int32(out.Term), n.state.Voters), out.Term
		n.opened, n.openingIndex, n.changeIndex = false, 0, 0
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		out.Install = installed(rd.Snapshot)
	}
	if err := n.fillEntries(&out, rd); err != nil {
		return Ready{}, err
	}
	n.opened = n.leading
	if err := n.fillState(&out, rd); err != nil {
		return Ready{}, err
	}
	if err := n.fillMessages(&out, rd); err != nil {
		return Ready{}, err
	}
	for _, r := range rd.ReadStates {
		out.Reads = append(out.Reads, Read{binary.BigEndian.Uint64(r.RequestCtx), n.offset(r.Index)})
	}
	out.WantSnapshot, n.store.wanted = n.store.wanted, false
	n.given = out
	return out, nil
}

func installed(s *pb.Snapshot) *Snapshot {
	m := s.GetMetadata()
	out := &Snapshot{Index: m.GetIndex(), Term: m.GetTerm(), Offset: int64(binary.BigEndian.Uint64(s.GetData()))}
	for _, id := range m.GetConfState().GetVoters() {
		out.Voters = append(out.Voters, nodeID(id))
	}
	slices.Sort(out.Voters)
	return out
}

// fillEntries gives the new entries their offsets, and the committed ones theirs.
func (n *Node) fillEntries(out *Ready, rd raft.Ready) error {
	if len(rd.Entries) > 0 {
		end := n.endBefore(rd.Entries[0].GetIndex(), out.Install)
		for _, e := range rd.Entries {
			entry, err := n.convert(e, end)
			if err != nil {
				return err
			}
			out.Entries = append(out.Entries, entry)
			end = entry.End
		}
		n.end, n.index = end, rd.Entries[len(rd.Entries)-1].GetIndex()
	} else if out.Install != nil {
		n.end, n.index = out.Install.Offset, out.Install.Index
	}
	for _, e := range rd.CommittedEntries {
		entry, err := n.committed(e, out.Entries)
		if err != nil {
			return err
		}
		out.Committed = append(out.Committed, entry)
	}
	return nil
}

func (n *Node) endBefore(index uint64, install *Snapshot) int64 {
	if install != nil {
		return install.Offset
	}
	return n.store.end(index - 1)
}

// convert makes an Entry of raft's, which begins at base.
func (n *Node) convert(e *pb.Entry, base int64) (Entry, error) {
	out := Entry{Index: e.GetIndex(), Info: Info{Base: base, Term: e.GetTerm()}, Batch: e.GetData()}
	switch {
	case e.GetType() == pb.EntryConfChange:
		b, err := changeBatch(e.GetData())
		if err != nil {
			return Entry{}, err
		}
		out.Batch, out.Kind = b, Voters
	case len(out.Batch) == 0 && e.GetTerm() == n.openingTerm && (n.openingIndex == 0 || n.openingIndex == out.Index):
		out.Batch, out.Kind = n.opening, Control
		n.openingIndex = out.Index
	case len(out.Batch) == 0:
		return Entry{}, fmt.Errorf("entry %d of epoch %d has no batch: %w", e.GetIndex(), e.GetTerm(), ErrDamaged)
	case control(out.Batch):
		out.Kind = Control
	}
	out.End = base + span(out.Batch)
	return out, nil
}

// committed finds the place of a committed entry: in this Ready's entries or in the log.
func (n *Node) committed(e *pb.Entry, fresh []Entry) (Entry, error) {
	i := e.GetIndex()
	if len(fresh) > 0 && i >= fresh[0].Index {
		return fresh[i-fresh[0].Index], nil
	}
	return n.convert(e, n.store.infos[i-n.store.before].Base)
}

// fillState notes what has to be durable: term, vote and an installed snapshot's place before the entries, a committed
// set of voters after them.
func (n *Node) fillState(out *Ready, rd raft.Ready) error {
	before := n.state
	if rd.HardState != nil {
		n.state.Term = rd.HardState.GetTerm()
		n.state.Vote = nodeID(rd.HardState.GetVote())
	}
	if s := out.Install; s != nil {
		n.state.Voters, n.state.VotersIndex = s.Voters, s.Index
		n.state.Anchor = Anchor{s.Index + 1, s.Offset}
	}
	if n.state.Term != before.Term || n.state.Vote != before.Vote || out.Install != nil {
		st := n.state
		out.State, out.MustSync = &st, true
	}
	for _, e := range out.Committed {
		if e.Kind != Voters || e.Index <= n.state.VotersIndex {
			continue
		}
		voters, err := n.cfg.VotersOf(e.Batch)
		if err != nil {
			return fmt.Errorf("the voters batch at offset %d: %w", e.Base, err)
		}
		slices.Sort(voters)
		n.state.Voters, n.state.VotersIndex = voters, e.Index
		st := n.state
		out.Set, out.MustSync = &st, true
	}
	return nil
}

// fillMessages encodes. The entry that opens the term is sent with its batch, which raft does not know.
func (n *Node) fillMessages(out *Ready, rd raft.Ready) error {
	for _, m := range rd.Messages {
		if m.GetType() == pb.MsgApp {
			m = n.withOpening(m)
		}
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return fmt.Errorf("encoding a message of the metadata quorum: %w", err)
		}
		out.Messages = append(out.Messages, Message{To: nodeID(m.GetTo()), Data: data, Snapshot: m.GetType() == pb.MsgSnap})
	}
	return nil
}

func (n *Node) withOpening(m *pb.Message) *pb.Message {
	if !slices.ContainsFunc(m.GetEntries(), isEmpty) {
		return m
	}
	c := proto.Clone(m).(*pb.Message)
	for _, e := range c.Entries {
		if isEmpty(e) {
			e.Data = n.opening
		}
	}
	return c
}

func isEmpty(e *pb.Entry) bool { return e.GetType() == pb.EntryNormal && len(e.GetData()) == 0 }

// Advance tells that the last Ready was carried out.
func (n *Node) Advance() {
	if s := n.given.Install; s != nil {
		n.store.install(*s)
		n.store.conf, n.votersIndex = s.Voters, s.Index
	}
	n.store.append(n.given.Entries)
	n.applyVoters(n.given.Committed)
	n.raw.Advance(n.current)
	n.current, n.given = raft.Ready{}, Ready{}
}

// applyVoters puts committed sets in force. Entries read again after a restart are already part of the set that raft
// started with.
func (n *Node) applyVoters(committed []Entry) {
	for _, e := range committed {
		if e.Kind != Voters || e.Index <= n.votersIndex {
			continue
		}
		voters, err := n.cfg.VotersOf(e.Batch)
		if err != nil {
			panic(fmt.Sprintf("quorum: the voters batch at offset %d cannot be read: %v", e.Base, err))
		}
		for _, v := range minus(voters, n.store.conf) {
			n.raw.ApplyConfChange(&pb.ConfChange{Type: pb.ConfChangeAddNode.Enum(), NodeId: new(raftID(v))})
		}
		for _, v := range minus(n.store.conf, voters) {
			n.raw.ApplyConfChange(&pb.ConfChange{Type: pb.ConfChangeRemoveNode.Enum(), NodeId: new(raftID(v))})
		}
		slices.Sort(voters)
		n.store.conf, n.votersIndex = voters, e.Index
	}
}
