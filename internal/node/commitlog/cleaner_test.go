package commitlog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/internal/kafka/batch"
)

// story is a small log in words: each line of add is one batch.
type story struct {
	t       *testing.T
	batches [][]byte
	next    int64
	aborted []AbortedTxn
	last    map[int64]lastRecord
	now     int64
}

func newStory(t *testing.T) *story { return &story{t: t, last: map[int64]lastRecord{}, now: 1000} }

// put appends records "k=v", "k" for a tombstone, as one batch at time 1000.
func (s *story) put(o batch.Options, kvs ...string) {
	s.t.Helper()
	var recs []batch.Record
	for _, kv := range kvs {
		k, v, isValue := strings.Cut(kv, "=")
		r := batch.Record{Key: []byte(k)}
		if isValue {
			r.Value = []byte(v)
		}
		recs = append(recs, r)
	}
	o.BaseOffset, o.BaseTimestamp = s.next, 1000
	b, err := batch.Build(nil, o, batch.Number(recs))
	if err != nil {
		s.t.Fatal(err)
	}
	s.add(b)
}

func (s *story) add(b []byte) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		s.t.Fatal(err)
	}
	s.batches, s.next = append(s.batches, b), h.NextOffset()
}

func (s *story) end(pid int64, commit bool, first int64) {
	s.add(batch.EndTxnMarker(commit, 0, batch.Options{BaseOffset: s.next, ProducerID: pid, BaseTimestamp: 1000}))
	if !commit {
		s.aborted = append(s.aborted, AbortedTxn{pid, first, s.next - 1, s.next})
	}
}

// clean runs one pass over everything, with the given retention of tombstones.
func (s *story) clean(retention int64) {
	var keys keyMap
	keys.reset(100, 1<<20)
	txns := newCleanedTxns(slices.Clone(s.aborted))
	for _, b := range s.batches {
		h, _ := batch.ParseHeader(b)
		keys.note(&h, b, txns, 0)
	}
	f := &batchFilter{keys: &keys, txns: newCleanedTxns(slices.Clone(s.aborted)), producers: s.last, now: s.now, deleteRetention: retention, maxDecompressed: 1 << 20}
	var kept []AbortedTxn
	f.txns.retained = func(a AbortedTxn) { kept = append(kept, a) }
	var out [][]byte
	for i, b := range s.batches {
		h, _ := batch.ParseHeader(b)
		if c := f.filter(nil, &h, b, i == len(s.batches)-1); len(c) > 0 {
			if !batch.CheckCRC(c) {
				s.t.Fatalf("batch at %d has a wrong checksum", h.BaseOffset)
			}
			out = append(out, c)
		}
	}
	s.batches, s.aborted = out, kept
}

// text tells the log: "0-1: 1 b=2 | 2: empty | 3: commit".
func (s *story) text() string {
	var parts []string
	for _, b := range s.batches {
		h, _ := batch.ParseHeader(b)
		where := fmt.Sprint(h.BaseOffset)
		if h.LastOffsetDelta > 0 {
			where = fmt.Sprintf("%d-%d", h.BaseOffset, h.LastOffset())
		}
		if h.HasHorizon() {
			where += fmt.Sprintf("@%d", h.BaseTimestamp)
		}
		parts = append(parts, where+":"+recordsText(&h, b))
	}
	return strings.Join(parts, " | ")
}

func recordsText(h *batch.Header, b []byte) string {
	recs, err := batch.Records(b, 1<<20)
	switch {
	case err != nil:
		return " broken"
	case len(recs) == 0:
		return " empty"
	case h.Control():
		if commit, _ := endsTransaction(b); commit {
			return " commit"
		}
		return " abort"
	}
	text := ""
	for _, r := range recs {
		text += fmt.Sprintf(" %d", h.BaseOffset+int64(r.OffsetDelta))
		if r.Value == nil {
			text += fmt.Sprintf(" %s", r.Key)
		} else {
			text += fmt.Sprintf(" %s=%s", r.Key, r.Value)
		}
		if h.BaseTimestamp+r.TimestampDelta != 1000 {
			text += "?time"
		}
	}
	return text
}

func (s *story) is(want string) {
	s.t.Helper()
	if got := s.text(); got != want {
		s.t.Fatalf("log is\n\t%s\nwant\n\t%s", got, want)
	}
}

func nobody() batch.Options { return batch.Plain(0, 0, 0) }

func by(pid int64, sequence int32, txn bool) batch.Options {
	return batch.Options{ProducerID: pid, BaseSequence: sequence, Transactional: txn}
}

func TestCleanKeepsTheLastOfEachKey(t *testing.T) {
	for codec := batch.None; codec <= batch.Zstd; codec++ {
		s := newStory(t)
		o := nobody()
		o.Codec = codec
		s.put(o, "a=1", "b=1")
		s.put(o, "a=2")
		s.put(o, "c=1", "a=3", "c=2")
		s.put(o, "d=1")
		s.clean(0)
		s.is("0-1: 1 b=1 | 3-5: 4 a=3 5 c=2 | 6: 6 d=1")
	}
}

func TestCleanTombstoneWaitsForItsHorizon(t *testing.T) {
	s := newStory(t)
	s.put(nobody(), "a=1", "b=1")
	s.put(nobody(), "a")
	s.put(nobody(), "z=1")
	s.clean(500)
	s.is("0-1: 1 b=1 | 2@1500: 2 a | 3: 3 z=1")
	s.now = 1499
	s.clean(10)
	s.is("0-1: 1 b=1 | 2@1500: 2 a | 3: 3 z=1")
	s.now = 1500
	s.clean(10)
	s.is("0-1: 1 b=1 | 3: 3 z=1")
}

func TestCleanAbortedDataGoesAndItsMarkerLater(t *testing.T) {
	s := newStory(t)
	s.put(nobody(), "a=1")
	s.put(by(7, 0, true), "a=bad", "b=bad")
	s.end(7, false, 1)
	s.put(by(8, 0, true), "c=1")
	s.end(8, true, 4)
	s.put(nobody(), "z=1")
	s.clean(100)
	s.is("0: 0 a=1 | 3: abort | 4: 4 c=1 | 5: commit | 6: 6 z=1")
	if len(s.aborted) != 1 {
		t.Fatal("the walk still saw data of the transaction: its line stays", s.aborted)
	}
	s.clean(100)
	s.is("0: 0 a=1 | 3@1100: abort | 4: 4 c=1 | 5: commit | 6: 6 z=1")
	if len(s.aborted) != 0 {
		t.Fatal(s.aborted)
	}
	s.now = 1100
	s.put(nobody(), "c=2")
	s.clean(100)
	s.is("0: 0 a=1 | 5: commit | 6: 6 z=1 | 7: 7 c=2")
	s.clean(100)
	s.is("0: 0 a=1 | 5@1200: commit | 6: 6 z=1 | 7: 7 c=2")
}

func TestCleanKeepsWhatProducersNeed(t *testing.T) {
	s := newStory(t)
	s.put(by(1, 0, false), "a=1", "a=2")
	s.put(by(1, 2, false), "a=3", "b=1")
	s.put(by(2, 0, true), "c=bad")
	s.end(2, false, 4)
	s.put(nobody(), "a=4")
	s.put(nobody(), "b=2")
	s.last[1] = lastRecord{3, -1}
	s.last[2] = lastRecord{4, -1}
	s.clean(0)
	s.is("2-3: empty | 4: empty | 5: abort | 6: 6 a=4 | 7: 7 b=2")
	h, _ := batch.ParseHeader(s.batches[0])
	if h.ProducerID != 1 || h.BaseSequence != 2 || h.LastSequence() != 3 || h.MaxTimestamp != 1000 {
		t.Fatalf("%+v", h)
	}
	s.clean(0)
	s.is("2-3: empty | 4: empty | 5: abort | 6: 6 a=4 | 7: 7 b=2") // a batch is left, so the marker stays
	s.last = map[int64]lastRecord{2: {-1, 5}}
	s.clean(0)
	s.clean(0)
	s.clean(0)
	s.is("5: abort | 6: 6 a=4 | 7: 7 b=2") // the epoch of producer 2
}

func TestCleanKeepsABatchThatCannotBeDecoded(t *testing.T) {
	s := newStory(t)
	o := nobody()
	s.put(o, "a=1")
	bad := slices.Clone(s.batches[0])
	bad[22] |= byte(batch.Zstd) // says zstd, is not
	batch.SetBaseOffset(bad, s.next)
	batch.SetLogAppendTime(bad, 1000) // computes the checksum
	s.add(bad)
	s.put(o, "a=2")
	s.put(o, "z=1")
	s.clean(0)
	s.is("1: broken | 2: 2 a=2 | 3: 3 z=1")
	if !bytes.Equal(s.batches[0], bad) {
		t.Fatal("changed")
	}
}

func TestKeyMapIsBounded(t *testing.T) {
	var m keyMap
	m.reset(1<<30, 100*keySlotBytes)
	n := 0
	for ; m.put(fmt.Append(nil, n), int64(n)); n++ {
	}
	if n != 90 {
		t.Fatalf("%d keys in 100 slots", n)
	}
	if !m.put([]byte("5"), 1000) {
		t.Fatal("a known key needs no room")
	}
	for i := range n {
		want := int64(i)
		if i == 5 {
			want = 1000
		}
		if got := m.offset(fmt.Append(nil, i)); got != want {
			t.Fatalf("key %d at %d", i, got)
		}
	}
	if m.offset([]byte("none")) != -1 {
		t.Fatal("found what was never put")
	}
}
