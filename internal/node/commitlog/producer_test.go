package commitlog

import (
	"errors"
	"math"
	"slices"
	"testing"

	"millrace/internal/kafka/batch"
)

// TestSequences is a table of what one producer sends and what becomes of it, in one log.
func TestSequences(t *testing.T) {
	const accepted, duplicate = "accepted", "duplicate"
	refused := map[error]string{ErrOutOfOrderSequence: "sequence", ErrInvalidProducerEpoch: "epoch", ErrInvalidTxnState: "txn"}
	type step struct {
		epoch       int16
		sequence, n int32
		want        string
		at          int64
	}
	for name, steps := range map[string][]step{
		"in order":            {{0, 0, 2, accepted, 0}, {0, 2, 1, accepted, 2}, {0, 3, 5, accepted, 3}},
		"gap":                 {{0, 0, 2, accepted, 0}, {0, 3, 1, "sequence", -1}, {0, 2, 1, accepted, 2}},
		"starts anywhere":     {{0, 7, 2, accepted, 0}, {0, 9, 1, accepted, 2}, {0, 0, 1, "sequence", -1}},
		"retry":               {{0, 0, 2, accepted, 0}, {0, 0, 2, duplicate, 0}, {0, 0, 1, "sequence", -1}, {0, 2, 1, accepted, 2}, {0, 0, 2, duplicate, 0}},
		"window of five":      {{0, 0, 1, accepted, 0}, {0, 1, 1, accepted, 1}, {0, 2, 1, accepted, 2}, {0, 3, 1, accepted, 3}, {0, 4, 1, accepted, 4}, {0, 0, 1, duplicate, 0}, {0, 5, 1, accepted, 5}, {0, 0, 1, "sequence", -1}, {0, 1, 1, duplicate, 1}},
		"new epoch":           {{0, 0, 2, accepted, 0}, {1, 0, 1, accepted, 2}, {1, 1, 1, accepted, 3}, {0, 2, 1, "epoch", -1}, {0, 0, 2, "epoch", -1}},
		"new epoch not at 0":  {{0, 0, 2, accepted, 0}, {1, 2, 1, "sequence", -1}, {0, 2, 1, accepted, 2}},
		"wrap":                {{0, math.MaxInt32 - 1, 2, accepted, 0}, {0, 1, 1, "sequence", -1}, {0, 0, 1, accepted, 2}, {0, math.MaxInt32 - 1, 2, duplicate, 0}},
		"wrap within a batch": {{0, math.MaxInt32 - 1, 5, accepted, 0}, {0, 3, 1, accepted, 5}, {0, math.MaxInt32 - 1, 5, duplicate, 0}, {0, 3, 1, duplicate, 5}},
	} {
		for _, restart := range []string{"", "clean", "kill"} {
			t.Run(name+"/"+restart, func(t *testing.T) {
				r := newRig(t, nil)
				for i, s := range steps {
					out := r.try(Client, idempotent(77, s.epoch, s.sequence, int(s.n), 5))[0]
					got := accepted
					if out.Duplicate {
						got = duplicate
					}
					for err, word := range refused {
						if errors.Is(out.Err, err) {
							got = word
						}
					}
					if got != s.want || out.BaseOffset != s.at || out.Err == nil && out.LastOffset != s.at+int64(s.n)-1 {
						t.Fatalf("step %d %+v: %s, %+v", i, s, got, out)
					}
					switch restart {
					case "clean":
						r.restart()
					case "kill":
						r.kill()
					}
				}
			})
		}
	}
}

// TestSequencesWithinOneCall: the batches of one call see each other's effect.
func TestSequencesWithinOneCall(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 300 })
	out := r.try(Client, idempotent(7, 0, 0, 2, 5), idempotent(7, 0, 2, 2, 5), idempotent(7, 0, 0, 2, 5), idempotent(7, 0, 5, 1, 5),
		idempotent(8, 1, 0, 1, 5), idempotent(7, 0, 4, 1, 5))
	if out[1].BaseOffset != 2 || !out[2].Duplicate || out[2].BaseOffset != 0 || !errors.Is(out[3].Err, ErrOutOfOrderSequence) ||
		out[4].BaseOffset != 4 || out[5].BaseOffset != 5 {
		t.Fatalf("%+v", out)
	}
	r.wantEnd(6)
	if len(r.log.segments) < 2 {
		t.Fatal("the call did not roll")
	}
}

func TestTransactions(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 400 })
	r.append(transactional(1, 0, 0, 2, 5))                  // 0-1
	r.append(transactional(2, 0, 0, 1, 5), plain(1, 10, 5)) // 2, 3
	if out := r.try(Client, idempotent(1, 0, 2, 1, 5)); !errors.Is(out[0].Err, ErrInvalidTxnState) {
		t.Fatalf("%+v", out)
	}
	lso := func(hw, want int64) {
		t.Helper()
		if got := r.log.LastStable(hw); got != want {
			t.Fatalf("last stable offset under %d is %d, want %d", hw, got, want)
		}
	}
	lso(4, 0)
	r.must(Coordinator, endMarker(true, 1, 0, 3, 6)) // 4: commit of 1
	lso(4, 0)                                        // its marker is not visible yet
	lso(5, 2)
	r.append(transactional(1, 0, 2, 1, 5))            // 5
	r.must(Coordinator, endMarker(false, 1, 0, 3, 6)) // 6: abort of 1
	lso(7, 2)
	r.must(Coordinator, endMarker(false, 2, 0, 3, 6)) // 7: abort of 2
	lso(8, 8)
	lso(7, 2)
	r.must(Coordinator, endMarker(false, 3, 0, 3, 6)) // 8: nothing to abort
	want := []AbortedTxn{{1, 5, 6, 2}, {2, 2, 7, 8}}
	check := func() {
		t.Helper()
		if got := r.log.AbortedTxns(0, 9); !slices.Equal(got, want) {
			t.Fatalf("aborted %v, want %v", got, want)
		}
		if got := r.log.AbortedTxns(0, 3); len(got) != 1 || got[0] != want[1] {
			t.Fatalf("aborted below 3: %v", got)
		}
		if got := r.log.AbortedTxns(8, 9); len(got) != 0 {
			t.Fatalf("aborted from 8: %v", got)
		}
		lso(9, 9)
	}
	check()
	if out := r.try(Coordinator, endMarker(false, 2, 0, 2, 6)); !errors.Is(out[0].Err, ErrTxnCoordinatorFenced) {
		t.Fatalf("%+v", out)
	}
	for _, again := range []func(){r.restart, r.kill, r.kill, r.restart} {
		again()
		check()
		if out := r.try(Coordinator, endMarker(false, 2, 0, 2, 6)); !errors.Is(out[0].Err, ErrTxnCoordinatorFenced) {
			t.Fatalf("%+v", out)
		}
	}
	if err := r.log.TruncateTo(7); err != nil {
		t.Fatal(err)
	}
	lso(7, 2)
	if got := r.log.AbortedTxns(0, 7); !slices.Equal(got, want[:1]) {
		t.Fatalf("aborted %v after truncation", got)
	}
	r.kill()
	lso(7, 2)
	r.must(Coordinator, endMarker(false, 2, 0, 3, 6))
	lso(8, 8)
	if got := r.log.AbortedTxns(0, 8); !slices.Equal(got, want) {
		t.Fatalf("aborted %v after truncation and abort", got)
	}
}

func TestMarkerEpochs(t *testing.T) {
	r := newRig(t, nil)
	marker := func(epoch, version int16) error {
		in := input(Coordinator, endMarker(true, 1, epoch, 0, 6))
		in[0].TransactionVersion = version
		out := make([]Appended, 1)
		if err := r.log.Append(r.now, 0, in, out); err != nil {
			t.Fatal(err)
		}
		return out[0].Err
	}
	r.append(transactional(1, 4, 0, 1, 5))
	if err := marker(4, 2); !errors.Is(err, ErrInvalidProducerEpoch) {
		t.Fatalf("a marker of the data's epoch under version 2: %v", err)
	}
	if err := marker(3, 1); !errors.Is(err, ErrInvalidProducerEpoch) {
		t.Fatalf("an old marker: %v", err)
	}
	if err := marker(5, 2); err != nil {
		t.Fatal(err)
	}
	if err := marker(5, 2); err != nil { // repeated, nothing is open
		t.Fatal(err)
	}
	if out := r.try(Client, transactional(1, 4, 1, 1, 5)); !errors.Is(out[0].Err, ErrInvalidProducerEpoch) {
		t.Fatalf("%+v", out)
	}
	if out := r.try(Client, transactional(1, 5, 3, 1, 5)); !errors.Is(out[0].Err, ErrOutOfOrderSequence) {
		t.Fatalf("%+v", out)
	}
	r.append(transactional(1, 5, 0, 1, 5))
}

func TestProducers(t *testing.T) {
	r := newRig(t, nil)
	r.append(transactional(5, 2, 0, 3, 100), idempotent(4, 1, 9, 1, 200))
	want := []ProducerState{{4, 1, 9, 200, -1, -1}, {5, 2, 2, 100, -1, 0}}
	if got := r.log.Producers(); !slices.Equal(got, want) {
		t.Fatalf("%+v", got)
	}
	r.log.producers.expire(200+r.config.ProducerIDExpirationMs, r.config.ProducerIDExpirationMs)
	if got := r.log.Producers(); !slices.Equal(got, want[1:]) { // an open transaction keeps its producer
		t.Fatalf("%+v", got)
	}
}

func TestReplica(t *testing.T) {
	r := newRig(t, nil)
	make1 := func(offset int64, epoch int32) []byte { return build(batch.Plain(offset, epoch, 5), 2, 10) }
	r.must(Replica, make1(0, 3), make1(2, 3), make1(10, 5))
	r.wantOffsets([2]int64{0, 1}, [2]int64{2, 3}, [2]int64{10, 11})
	if out := r.try(Replica, make1(11, 5)); !errors.Is(out[0].Err, ErrOffsetOrder) {
		t.Fatalf("%+v", out)
	}
	for epoch, want := range map[int32][2]int64{2: {2, 0}, 3: {3, 10}, 4: {3, 10}, 5: {5, 12}, 6: {-1, -1}} {
		if e, end := r.log.EpochEnd(epoch); int64(e) != want[0] || end != want[1] {
			t.Fatalf("epoch %d ends as %d at %d", epoch, e, end)
		}
	}
	if err := r.log.Append(r.now, 4, input(Client, plain(1, 1, 1)), make([]Appended, 1)); !errors.Is(err, ErrFencedLeaderEpoch) {
		t.Fatal(err)
	}
	if s, err := r.log.Read(5, 12, 1000, true); err != nil || s.Size() != len(make1(10, 5)) {
		t.Fatalf("read in a gap: %d, %v", s.Size(), err)
	} else {
		s.Release()
	}
}
