package quorum

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// store is raft's view of the durable log. infos[0] is a place before the first entry: only its term and end offset
// count. Entry first+i is infos[i+1].
type store struct {
	log      Log
	state    State
	conf     []int32
	snapshot Snapshot
	commit   uint64
	wanted   bool // a follower waits for a newer snapshot

	before uint64 // the index of infos[0]
	infos  []Info

	cache      [][]byte // the newest batches: cache[0] belongs to entry cacheFirst
	cacheFirst uint64
	cacheBytes int
	cacheLimit int
}

var _ raft.Storage = (*store)(nil)

// InitialState gives raft the persisted term and vote, and the set in force.
func (s *store) InitialState() (*pb.HardState, *pb.ConfState, error) {
	hard := &pb.HardState{Term: new(s.state.Term), Vote: new(raftID(s.state.Vote)), Commit: new(s.commit)}
	return hard, confState(s.conf), nil
}

func confState(voters []int32) *pb.ConfState {
	cs := pb.EnsureConfState(nil)
	for _, v := range voters {
		cs.Voters = append(cs.Voters, raftID(v))
	}
	return cs
}

// raft has no node 0, Kafka has.
func raftID(node int32) uint64 { return uint64(node + 1) }
func nodeID(id uint64) int32   { return int32(id) - 1 }

func (s *store) last() uint64 { return s.before + uint64(len(s.infos)) - 1 }

// end is the offset behind the entry at index.
func (s *store) end(index uint64) int64 { return s.infos[index-s.before].End }

// LastIndex, FirstIndex and Term answer from memory.
func (s *store) LastIndex() (uint64, error)  { return s.last(), nil }
func (s *store) FirstIndex() (uint64, error) { return s.before + 1, nil }

func (s *store) Term(i uint64) (uint64, error) {
	switch {
	case i < s.before:
		return 0, raft.ErrCompacted
	case i > s.last():
		return 0, raft.ErrUnavailable
	}
	return s.infos[i-s.before].Term, nil
}

// Entries reads batches back, from memory as far as they are there.
func (s *store) Entries(lo, hi, maxSize uint64) ([]*pb.Entry, error) {
	if lo <= s.before {
		return nil, raft.ErrCompacted
	}
	if hi > s.last()+1 {
		return nil, raft.ErrUnavailable
	}
	var out []*pb.Entry
	var size uint64
	for i := lo; i < hi; i++ {
		b, err := s.batch(i)
		if err != nil {
			return nil, fmt.Errorf("reading the metadata batch at offset %d: %w", s.infos[i-s.before].Base, err)
		}
		if size += uint64(len(b)); size > maxSize && len(out) > 0 {
			break
		}
		out = append(out, s.entry(i, b))
	}
	return out, nil
}

func (s *store) entry(i uint64, b []byte) *pb.Entry {
	info := s.infos[i-s.before]
	if info.Kind == Voters {
		return &pb.Entry{Index: new(i), Term: new(info.Term), Type: pb.EntryConfChange.Enum(), Data: changeData(b)}
	}
	return &pb.Entry{Index: new(i), Term: new(info.Term), Type: pb.EntryNormal.Enum(), Data: b}
}

func (s *store) batch(i uint64) ([]byte, error) {
	if i >= s.cacheFirst && i < s.cacheFirst+uint64(len(s.cache)) {
		return s.cache[i-s.cacheFirst], nil
	}
	return s.log.Batch(s.infos[i-s.before].Base)
}

// Snapshot is what a follower gets that is behind the first entry: a name, not the content. A snapshot from before a
// change of the voters does not do: a new voter would not find itself in it and ignore it for ever.
func (s *store) Snapshot() (*pb.Snapshot, error) {
	if s.snapshot.Index < s.before || !slices.Equal(s.snapshot.Voters, s.conf) {
		s.wanted = true
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return &pb.Snapshot{
		Data: appendOffset(nil, s.snapshot.Offset),
		Metadata: &pb.SnapshotMetadata{
			Index: new(s.snapshot.Index), Term: new(s.snapshot.Term), ConfState: confState(s.snapshot.Voters),
		},
	}, nil
}

// append takes entries that have become durable; the first may replace others.
func (s *store) append(entries []Entry) {
	if len(entries) == 0 {
		return
	}
	first := entries[0].Index
	s.infos = s.infos[:first-s.before]
	if first < s.cacheFirst || first > s.cacheFirst+uint64(len(s.cache)) {
		s.cache, s.cacheFirst, s.cacheBytes = nil, first, 0
	}
	for len(s.cache) > int(first-s.cacheFirst) {
		s.cacheBytes -= len(s.cache[len(s.cache)-1])
		s.cache = s.cache[:len(s.cache)-1]
	}
	for _, e := range entries {
		s.infos = append(s.infos, e.Info)
		s.cache = append(s.cache, e.Batch)
		s.cacheBytes += len(e.Batch)
	}
	for s.cacheBytes > s.cacheLimit && len(s.cache) > 1 {
		s.cacheBytes -= len(s.cache[0])
		s.cache[0] = nil
		s.cache, s.cacheFirst = s.cache[1:], s.cacheFirst+1
	}
}

// install continues from a snapshot with an empty log.
func (s *store) install(snap Snapshot) {
	s.snapshot = snap
	s.before, s.infos = snap.Index, []Info{{Base: snap.Offset, End: snap.Offset, Term: snap.Term}}
	s.cache, s.cacheFirst, s.cacheBytes = nil, snap.Index+1, 0
}

// compact forgets the entries before the one at index.
func (s *store) compact(index uint64) {
	if index <= s.before+1 || index > s.last()+1 {
		return
	}
	s.infos = slices.Clone(s.infos[index-1-s.before:])
	s.before = index - 1
}

// find returns the position in infos of the batch at a base offset.
func find(infos []Info, base int64) (int, bool) {
	return slices.BinarySearchFunc(infos, base, func(i Info, o int64) int {
		switch {
		case i.Base < o:
			return -1
		case i.Base > o:
			return 1
		}
		return 0
	})
}
