package quorum

import (
	"errors"
	"slices"
	"testing"
)

// one drives a single voter by the rules until it has nothing more to do, and returns what was committed.
func one(t *testing.T, n *Node, d *disk) (committed []Entry) {
	t.Helper()
	for n.HasReady() {
		rd, err := n.Ready()
		if err != nil {
			t.Fatal(err)
		}
		if (rd.State != nil || len(rd.Entries) > 0) && !rd.MustSync {
			t.Fatal("Q2: something to persist without a sync")
		}
		if rd.State != nil {
			d.state = EncodeState(*rd.State, "")
		}
		for _, e := range rd.Entries {
			if err := d.append(e); err != nil {
				t.Fatal(err)
			}
		}
		if rd.Set != nil {
			d.state = EncodeState(*rd.Set, "")
		}
		committed = append(committed, rd.Committed...)
		n.Advance()
	}
	return committed
}

func open(t *testing.T, d *disk, cfg Config) *Node {
	t.Helper()
	s, err := d.start()
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(cfg, s, d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAQuorumOfOneLeadsAtOnce(t *testing.T) {
	d := &disk{}
	n := open(t, d, testConfig(0, 0))
	if _, err := n.Propose(testBatch(1, false, "early")); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("proposed before leading: %v", err)
	}
	c := one(t, n, d)
	if len(c) != 1 || c[0].Kind != Control || c[0].Base != 0 || c[0].Term != 1 || string(c[0].Batch[batchHeader:]) != "L0 in 1 of [0]" {
		t.Fatalf("the first commit must be the leader change: %+v", c)
	}
	for i, want := range []int64{1, 4} {
		if base, err := n.Propose(testBatch(3, false, "x")); err != nil || base != want || n.NextOffset() != want+3 {
			t.Fatalf("proposal %d at %d, want %d: %v", i, base, want, err)
		}
	}
	if c = one(t, n, d); len(c) != 2 || c[1].Base != 4 || c[1].End != 7 || c[1].Index != 3 {
		t.Fatalf("committed %+v", c)
	}
	st := n.Status()
	if !st.Leading || st.Leader != 0 || st.CommitOffset != 7 || st.EndOffset != 7 || st.Followers[0].EndOffset != 7 {
		t.Fatalf("status %+v", st)
	}
	n.ReadIndex(77)
	rd, err := n.Ready()
	if err != nil || len(rd.Reads) != 1 || rd.Reads[0] != (Read{77, 7}) {
		t.Fatalf("read %+v, %v", rd.Reads, err)
	}
	n.Advance()
}

func TestARestartTakesANewEpochAndAppliesEverythingAgain(t *testing.T) {
	d := &disk{}
	n := open(t, d, testConfig(3, 3))
	one(t, n, d)
	n.Propose(testBatch(2, false, "a"))
	before := one(t, n, d)
	n = open(t, d, testConfig(3, 3))
	c := one(t, n, d)
	if len(c) != 3 || c[1].Base != before[0].Base || string(c[1].Batch) != string(before[0].Batch) || c[2].Term != 2 || c[2].Base != 3 {
		t.Fatalf("after a restart committed %+v", c)
	}
}

func TestSnapshotCompactionAndRestart(t *testing.T) {
	d := &disk{}
	n := open(t, d, testConfig(1, 1))
	one(t, n, d)
	for range 10 {
		n.Propose(testBatch(2, false, "x"))
		one(t, n, d)
	}
	if _, err := n.Compact(9); err == nil {
		t.Fatal("deleted without a snapshot")
	}
	if _, err := n.SnapshotAt(10); err == nil {
		t.Fatal("a snapshot in the middle of a batch")
	}
	snap, err := n.SnapshotAt(11)
	if err != nil || snap.Index != 6 || snap.Term != 1 {
		t.Fatalf("snapshot %+v, %v", snap, err)
	}
	d.snap = snap
	n.Snapshotted(snap)
	if _, err := n.Compact(13); err == nil {
		t.Fatal("deleted more than the snapshot covers")
	}
	st, err := n.Compact(9)
	if err != nil || st.Anchor != (Anchor{5 + 1 - 0, 9}) && st.Anchor.Offset != 9 {
		t.Fatalf("anchor %+v, %v", st.Anchor, err)
	}
	d.state = EncodeState(st, "")
	crashed := &disk{state: d.state, snap: d.snap, batches: slices.Clone(d.batches)} // before the deletion
	d.dropBelow(9)
	for name, d := range map[string]*disk{"deleted": d, "not deleted": crashed} {
		n := open(t, d, testConfig(1, 1))
		c := one(t, n, d)
		if len(c) != 6 || c[0].Base != 11 || c[0].Index != 7 || c[5].Kind != Control || c[5].Base != 21 {
			t.Fatalf("%s: applied behind the snapshot: %+v", name, c)
		}
	}
}

func TestDamageIsRefused(t *testing.T) {
	d := &disk{}
	n := open(t, d, testConfig(1, 1))
	one(t, n, d)
	for range 5 {
		n.Propose(testBatch(2, false, "x"))
		one(t, n, d)
	}
	whole, err := d.start()
	if err != nil {
		t.Fatal(err)
	}
	for name, hurt := range map[string]func(*Start){
		"a hole in the log":             func(s *Start) { s.Log = slices.Delete(s.Log, 2, 3) },
		"an anchor at no batch":         func(s *Start) { s.State.Anchor = Anchor{3, 2} },
		"an old quorum-state":           func(s *Start) { s.State.Term = 0 },
		"a log behind the known commit": func(s *Start) { s.State.VotersIndex = 99 },
		"a log behind the snapshot": func(s *Start) {
			s.Log = s.Log[3:]
			s.State.Anchor = Anchor{4, s.Log[0].Base}
		},
		"a snapshot of another log": func(s *Start) { s.Snapshot = Snapshot{Index: 3, Term: 1, Offset: 4} },
	} {
		s := whole
		s.Log = slices.Clone(whole.Log)
		hurt(&s)
		if _, err := New(testConfig(1, 1), s, d); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeState([]byte(`{"data_version":7}`)); !errors.Is(err, ErrDamaged) {
		t.Error("a quorum-state of the future was read")
	}
}

func TestKafkasQuorumStateIsRead(t *testing.T) {
	s, err := DecodeState([]byte(`{"leaderId":1,"leaderEpoch":12,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`))
	if err != nil || s.Term != 12 || s.Vote != None || s.anchor() != (Anchor{1, 0}) {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestVotersChangeOneAtATime(t *testing.T) {
	d := &disk{}
	n := open(t, d, testConfig(1, 1))
	one(t, n, d)
	if _, err := n.ProposeVoters(votersBatch([]int32{1, 2, 3})); err == nil {
		t.Fatal("two voters at once")
	}
	if _, err := n.ProposeVoters(votersBatch([]int32{1, 2})); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ProposeVoters(votersBatch([]int32{1, 2})); !errors.Is(err, ErrChanging) {
		t.Fatalf("a second change in flight: %v", err)
	}
	c := one(t, n, d)
	if len(c) != 1 || c[0].Kind != Voters || !slices.Equal(n.Status().Voters, []int32{1, 2}) {
		t.Fatalf("committed %+v, voters %v", c, n.Status().Voters)
	}
	// From now on nothing commits alone, and a restart does not fall back to the old set.
	n.Propose(testBatch(1, false, "x"))
	if c := one(t, n, d); len(c) != 0 {
		t.Fatalf("committed without a majority: %+v", c)
	}
	n = open(t, d, testConfig(1, 1))
	one(t, n, d)
	if n.Status().Leading || !slices.Equal(n.Status().Voters, []int32{1, 2}) {
		t.Fatalf("after the restart: %+v", n.Status())
	}
}

func TestProposalsAreBounded(t *testing.T) {
	d := &disk{}
	cfg := testConfig(1, 1)
	cfg.MaxUncommittedBytes = 500
	n := open(t, d, cfg)
	one(t, n, d)
	var err error
	for i := 0; i < 20 && err == nil; i++ {
		_, err = n.Propose(testBatch(1, false, "0123456789"))
	}
	if !errors.Is(err, ErrBusy) {
		t.Fatalf("never full: %v", err)
	}
	end := n.NextOffset()
	one(t, n, d)
	if st := n.Status(); st.CommitOffset != end {
		t.Fatalf("committed to %d, promised %d", st.CommitOffset, end)
	}
	if base, err := n.Propose(testBatch(1, false, "again")); err != nil || base != end {
		t.Fatalf("after the commit: %d, %v", base, err)
	}
}

// A new voter would not find itself in a snapshot from before it joined, and ignore it for ever.
func TestASnapshotOfOtherVotersIsNotSent(t *testing.T) {
	s := &store{snapshot: Snapshot{Index: 5, Term: 1, Offset: 9, Voters: []int32{1, 2}}, conf: []int32{1, 2, 3}, before: 5}
	if _, err := s.Snapshot(); err == nil || !s.wanted {
		t.Fatalf("sent: %v, a newer one wanted: %v", err, s.wanted)
	}
	s.snapshot.Voters = []int32{1, 2, 3}
	if got, err := s.Snapshot(); err != nil || installed(got).Offset != 9 {
		t.Fatalf("%v %v", got, err)
	}
}
