package quorum

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this one seed")
	seedsFlag = flag.Int("seeds", 60, "how many seeds to run")
)

// The simulation runs three to five voters in one loop with lost, delayed, doubled and reordered messages, crashes at
// every point of a Ready, snapshots and compaction, and membership changes; it asserts
//
//	one leader in a term; what one voter applied at an offset, all apply there; what was committed to a proposer
//	stays; offsets are dense; and, once healed, the quorum elects and commits.
func TestVotersAgree(t *testing.T) {
	first, n := rand.Uint64()>>1|1, *seedsFlag
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		if err := newSim(t, seed).run(); err != nil {
			t.Fatalf("seed %d: %v\nrepeat with: go test ./internal/core/quorum -run VotersAgree -seed %d", seed, err, seed)
		}
	}
}

func TestOneSeedOneHistory(t *testing.T) {
	var hashes []string
	for range 2 {
		s := newSim(t, 4711)
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, fmt.Sprintf("%x", s.hash.Sum(nil)))
	}
	if hashes[0] != hashes[1] {
		t.Fatal("the same seed went two ways")
	}
}

type sim struct {
	r      *rand.Rand
	voters []*voter
	net    []flight
	now    int
	calm   bool
	hash   interface {
		Write([]byte) (int, error)
		Sum([]byte) []byte
	}

	pageBytes uint64 // how much one message, and one Ready's commits, may hold

	leaders map[uint64]int32 // by term
	truth   []string         // what was applied, by offset of the batch: "" inside a batch
	acked   map[int64]string
	waiting map[int64]string
	count   int
}

type voter struct {
	id      int32
	disk    *disk
	node    *Node // nil: crashed
	applied []string
	wake    int
	reports []int32 // to whom snapshots were sent
	set     uint64  // the index of the newest set of voters that it has put in force
}

type flight struct {
	at int
	to int32
	m  []byte
}

func newSim(t *testing.T, seed uint64) *sim {
	cryptotest.SetGlobalRandom(t, seed)
	s := &sim{r: rand.New(rand.NewPCG(seed, 1)), hash: sha256.New(), leaders: map[uint64]int32{}, acked: map[int64]string{}, waiting: map[int64]string{}}
	s.pageBytes = []uint64{0, 150, 1000}[s.r.IntN(3)]
	n := 3 + s.r.IntN(3)
	var ids []int32
	for i := range n {
		ids = append(ids, int32(i))
	}
	for _, id := range ids {
		s.voters = append(s.voters, &voter{id: id, disk: &disk{snap: Snapshot{Voters: ids}}})
	}
	for _, v := range s.voters {
		if err := s.boot(v); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *sim) ids() (out []int32) {
	for _, v := range s.voters {
		out = append(out, v.id)
	}
	return out
}

func (s *sim) boot(v *voter) error {
	st, err := v.disk.start()
	if err != nil {
		return fmt.Errorf("voter %d: %w", v.id, err)
	}
	cfg := testConfig(v.id, s.ids()...)
	cfg.MaxMessageBytes = s.pageBytes
	if v.node, err = New(cfg, st, v.disk); err != nil {
		return fmt.Errorf("voter %d: %w", v.id, err)
	}
	v.applied = slices.Clone(v.disk.content)
	return nil
}

func (s *sim) run() error {
	for s.now = 0; s.now < 1200; s.now++ {
		s.calm = s.now > 900
		if err := s.turn(); err != nil {
			return fmt.Errorf("turn %d: %w", s.now, err)
		}
	}
	return s.checkEnd()
}

func (s *sim) turn() error {
	for _, v := range s.voters {
		if err := s.act(v); err != nil {
			return err
		}
	}
	return s.deliver()
}

func (s *sim) act(v *voter) error {
	if v.node == nil {
		if s.now < v.wake && !s.calm {
			return nil
		}
		if err := s.boot(v); err != nil {
			return err
		}
	}
	if s.calm || s.r.IntN(20) > 0 {
		v.node.Tick()
	}
	if !s.calm && s.r.IntN(150) == 0 {
		s.crash(v)
		return nil
	}
	if s.r.IntN(4) == 0 {
		s.propose(v)
	}
	if err := s.work(v); err != nil || v.node == nil {
		return err
	}
	for _, to := range v.reports {
		v.node.ReportSnapshot(to, s.r.IntN(3) > 0)
	}
	v.reports = nil
	if s.r.IntN(60) == 0 {
		return s.compact(v)
	}
	return nil
}

func (s *sim) crash(v *voter) { v.node, v.wake = nil, s.now+s.r.IntN(60) }

func (s *sim) propose(v *voter) {
	if s.r.IntN(40) == 0 && !s.calm {
		s.changeVoters(v)
		return
	}
	s.count++
	text := fmt.Sprintf("p%d", s.count)
	base, err := v.node.Propose(testBatch(1+s.r.IntN(3), false, text))
	if err == nil {
		s.waiting[base] = fmt.Sprintf("%s in %d", text, v.node.openingTerm)
	}
}

// changeVoters takes one voter out or back in; never below three.
func (s *sim) changeVoters(v *voter) {
	now := v.node.Status().Voters
	out := minus(s.ids(), now)
	switch {
	case len(out) > 0:
		v.node.ProposeVoters(votersBatch(append(slices.Clone(now), out[0])))
	case len(now) > 3:
		v.node.ProposeVoters(votersBatch(slices.Delete(slices.Clone(now), 0, 1)))
	case s.r.IntN(4) == 0:
		if to := now[s.r.IntN(len(now))]; to != v.id {
			v.node.TransferLeader(to)
		}
	}
}

// work carries out one Ready by the rules; between any two steps it may crash.
func (s *sim) work(v *voter) error {
	for v.node != nil && v.node.HasReady() {
		rd, err := v.node.Ready()
		if err != nil {
			return err
		}
		done, err := s.persist(v, rd)
		if err != nil || !done {
			return err
		}
		for _, m := range rd.Messages {
			s.send(v, m)
		}
		if s.diesHere(v) {
			return nil
		}
		if err := s.apply(v, rd); err != nil {
			return err
		}
		v.node.Advance()
		if v.node.votersIndex < v.set {
			return fmt.Errorf("voter %d fell back from the voters of index %d to those of %d", v.id, v.set, v.node.votersIndex)
		}
		v.set = v.node.votersIndex
		if rd.WantSnapshot {
			if err := s.compact(v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sim) diesHere(v *voter) bool {
	if s.calm || s.r.IntN(400) > 0 {
		return false
	}
	s.crash(v)
	return true
}

func (s *sim) persist(v *voter, rd Ready) (done bool, err error) {
	if rd.Install != nil {
		from := s.content(*rd.Install)
		if from == nil {
			return false, fmt.Errorf("nobody has the snapshot %+v", *rd.Install)
		}
		v.disk.content, v.disk.snap, v.disk.state = from, *rd.Install, EncodeState(*rd.State, "")
		if s.diesHere(v) {
			return false, nil
		}
		v.disk.batches, v.applied = nil, slices.Clone(from)
	}
	if rd.State != nil {
		v.disk.state = EncodeState(*rd.State, "")
	}
	for _, e := range rd.Entries {
		if s.diesHere(v) {
			return false, nil
		}
		if err := v.disk.append(e); err != nil {
			return false, err
		}
	}
	if s.diesHere(v) {
		return false, nil
	}
	if rd.Set != nil {
		v.disk.state = EncodeState(*rd.Set, "")
	}
	return !s.diesHere(v), s.lead(v, rd)
}

func (s *sim) lead(v *voter, rd Ready) error {
	if !rd.Leading {
		return nil
	}
	if who, ok := s.leaders[rd.Term]; ok && who != v.id {
		return fmt.Errorf("voters %d and %d both lead in term %d", who, v.id, rd.Term)
	}
	s.leaders[rd.Term] = v.id
	return nil
}

// content is what any voter had applied below a snapshot's offset.
func (s *sim) content(snap Snapshot) []string {
	if int64(len(s.truth)) < snap.Offset {
		return nil
	}
	return slices.Clone(s.truth[:snap.Offset])
}

func (s *sim) apply(v *voter, rd Ready) error {
	for _, e := range rd.Committed {
		if e.Base != int64(len(v.applied)) {
			return fmt.Errorf("voter %d applies offset %d after %d", v.id, e.Base, len(v.applied))
		}
		text := fmt.Sprintf("%s in %d", e.Batch[batchHeader:], e.Term)
		v.applied = append(v.applied, text)
		for o := e.Base + 1; o < e.End; o++ {
			v.applied = append(v.applied, "")
		}
		if s.waiting[e.Base] == text {
			s.acked[e.Base] = text
		}
		if err := s.agree(v, e); err != nil {
			return err
		}
		fmt.Fprintf(s.hash, "%d %d %d %s\n", s.now, v.id, e.Base, text)
	}
	return nil
}

func (s *sim) agree(v *voter, e Entry) error {
	for o := e.Base; o < e.End; o++ {
		switch {
		case o == int64(len(s.truth)):
			s.truth = append(s.truth, v.applied[o])
		case s.truth[o] != v.applied[o]:
			return fmt.Errorf("voter %d applied %q at offset %d, another %q", v.id, v.applied[o], o, s.truth[o])
		}
	}
	return nil
}

func (s *sim) compact(v *voter) error {
	at := v.node.offset(v.node.raw.BasicStatus().Applied)
	snap, err := v.node.SnapshotAt(at)
	if err != nil || snap.Index == 0 {
		return nil
	}
	v.disk.snap, v.disk.content = snap, slices.Clone(v.applied[:snap.Offset])
	v.node.Snapshotted(snap)
	logStart := snap.Offset
	if k := len(v.disk.batches); k > 3 && s.r.IntN(2) == 0 {
		logStart = v.disk.batches[s.r.IntN(k)].info.Base
	}
	st, err := v.node.Compact(logStart)
	if err != nil {
		return nil // not covered: the host keeps the log
	}
	v.disk.state = EncodeState(st, "")
	if !s.diesHere(v) {
		v.disk.dropBelow(logStart)
	}
	return nil
}

func (s *sim) send(v *voter, m Message) {
	copies := 1
	if !s.calm {
		switch s.r.IntN(20) {
		case 0:
			copies = 0
		case 1:
			copies = 2
		}
	}
	for range copies {
		s.net = append(s.net, flight{s.now + 1 + s.r.IntN(4), m.To, m.Data})
	}
	if m.Snapshot {
		v.reports = append(v.reports, m.To)
	}
}

func (s *sim) deliver() error {
	due := s.net
	s.net = nil
	s.r.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, f := range due {
		to := s.voters[f.to]
		switch {
		case f.at > s.now:
			s.net = append(s.net, f)
		case to.node != nil:
			if err := to.node.Step(f.m); err != nil {
				return err
			}
			if err := s.work(to); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sim) checkEnd() error {
	for o, text := range s.acked {
		if s.truth[o] != text {
			return fmt.Errorf("the proposer was told %q at offset %d, which holds %q", text, o, s.truth[o])
		}
	}
	for _, v := range s.voters {
		if !slices.Equal(v.applied, s.truth[:len(v.applied)]) {
			return fmt.Errorf("voter %d applied something else", v.id)
		}
	}
	return s.checkLive()
}

// checkLive: three hundred quiet turns must have let the quorum elect, commit in the leader's term and catch up.
func (s *sim) checkLive() error {
	for _, v := range s.voters {
		st := v.node.Status()
		if !st.Leading {
			continue
		}
		if len(s.truth)-len(v.applied) > 0 || st.EndOffset-st.CommitOffset > 60 || s.leaders[st.Term] != v.id {
			return fmt.Errorf("healed for 300 turns, and the leader has committed %d of %d", st.CommitOffset, st.EndOffset)
		}
		for _, id := range st.Voters {
			if lag := len(s.truth) - len(s.voters[id].applied); lag > 60 {
				return fmt.Errorf("healed for 300 turns, and voter %d is %d behind", id, lag)
			}
		}
		return nil
	}
	return fmt.Errorf("healed for 300 turns, and nobody leads")
}
