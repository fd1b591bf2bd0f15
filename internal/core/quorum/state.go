package quorum

import (
	"encoding/json"
	"fmt"
	"slices"
)

// The quorum-state file is Kafka's JSON, version 1, with one object of ours that Kafka's reader skips:
//
//	{"leaderId":-1,"leaderEpoch":7,"votedId":1,"votedDirectoryId":"<id>",
//	 "millrace":{"index":1,"offset":0,"voters":[1],"votersIndex":0},"data_version":1}
//
// leaderEpoch is raft's term. leaderId is always -1: who leads is learnt anew after a restart. index and offset are
// the Anchor. The file is replaced as a whole: temporary file, sync, rename, sync of the directory.
type stateFile struct {
	LeaderID         int32  `json:"leaderId"`
	LeaderEpoch      uint64 `json:"leaderEpoch"`
	VotedID          int32  `json:"votedId"`
	VotedDirectoryID string `json:"votedDirectoryId"`
	Millrace         *own   `json:"millrace,omitempty"`
	DataVersion      int16  `json:"data_version"`
}

type own struct {
	Index       uint64  `json:"index"`
	Offset      int64   `json:"offset"`
	Voters      []int32 `json:"voters"`
	VotersIndex uint64  `json:"votersIndex"`
}

const noDirectory = "AAAAAAAAAAAAAAAAAAAAAA"

// EncodeState gives the content of quorum-state. directory is the directory id of the voter voted for, as Kafka prints
// it; "" stands for none known.
func EncodeState(s State, directory string) []byte {
	if directory == "" || s.Vote == None {
		directory = noDirectory
	}
	a := s.anchor()
	f := stateFile{LeaderID: None, LeaderEpoch: s.Term, VotedID: s.Vote, VotedDirectoryID: directory, DataVersion: 1,
		Millrace: &own{a.Index, a.Offset, s.Voters, s.VotersIndex}}
	out, err := json.Marshal(f)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return out
}

// DecodeState reads quorum-state. A file that Kafka wrote has no anchor: it gets the zero one, which fits a log that
// still begins at offset 0.
func DecodeState(b []byte) (State, error) {
	f := stateFile{VotedID: None}
	if err := json.Unmarshal(b, &f); err != nil {
		return State{}, fmt.Errorf("quorum-state: %w: %w", ErrDamaged, err)
	}
	if f.DataVersion < 0 || f.DataVersion > 1 {
		return State{}, fmt.Errorf("quorum-state has version %d, which this program does not know: %w", f.DataVersion, ErrDamaged)
	}
	s := State{Term: f.LeaderEpoch, Vote: f.VotedID}
	if f.Millrace != nil {
		s.Voters, s.VotersIndex = f.Millrace.Voters, f.Millrace.VotersIndex
		s.Anchor = Anchor{f.Millrace.Index, f.Millrace.Offset}
	}
	return s, nil
}

// Fresh is the state of a node that has never run.
func Fresh() State { return State{Vote: None} }

func (s State) anchor() Anchor {
	if s.Anchor.Index == 0 {
		return Anchor{Index: 1}
	}
	return s.Anchor
}

// first is the raft index of log[0], or of the next entry when log is empty.
func (s State) first(log []Info) (uint64, error) {
	a := s.anchor()
	if len(log) == 0 {
		return a.Index, nil
	}
	at, ok := find(log, a.Offset)
	if !ok && log[len(log)-1].End == a.Offset {
		at, ok = len(log), true
	}
	if !ok || uint64(at) >= a.Index {
		return 0, fmt.Errorf("no batch at offset %d, where quorum-state places raft index %d (the log holds offsets %d to %d): %w",
			a.Offset, a.Index, log[0].Base, log[len(log)-1].End-1, ErrDamaged)
	}
	return a.Index - uint64(at), nil
}

// Locate finds the raft index of a checkpoint file that ends before offset at an epoch, whose content names its voters.
// It reports false when the file belongs to an installation that was cut short: such a file is to be removed.
func Locate(s State, log []Info, offset int64, epoch int32, voters []int32) (Snapshot, bool) {
	snap := Snapshot{Term: uint64(uint32(epoch)), Offset: offset, Voters: voters}
	if a := s.anchor(); a.Offset == offset {
		snap.Index = a.Index - 1
		return snap, true
	}
	first, err := s.first(log)
	if err != nil {
		return Snapshot{}, false
	}
	at, ok := slices.BinarySearchFunc(log, offset, func(i Info, o int64) int {
		switch {
		case i.End < o:
			return -1
		case i.End > o:
			return 1
		}
		return 0
	})
	if !ok || log[at].Term != snap.Term {
		return Snapshot{}, false
	}
	snap.Index = first + uint64(at)
	return snap, true
}

// MustReset reports whether the log has to be emptied and begun again at the snapshot's offset before New: a crash
// fell between making an installed snapshot durable and resetting the log. A log that belongs to the snapshot either
// begins where it ends or holds the last batch in it.
func (s Start) MustReset() bool {
	if s.Snapshot.Index == 0 || len(s.Log) == 0 || s.Log[0].Base == s.Snapshot.Offset {
		return false
	}
	return !slices.ContainsFunc(s.Log, func(i Info) bool { return i.End == s.Snapshot.Offset && i.Term == s.Snapshot.Term })
}
