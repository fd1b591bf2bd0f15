package batch

import (
	"bytes"
	"errors"
	"testing"
)

func TestFilter(t *testing.T) {
	r := seeded(t)
	for range 500 {
		o, recs := randomOptions(r), randomRecords(r, 1+r.IntN(20))
		b, err := Build(nil, o, recs)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := ParseHeader(b)
		keep := map[int32]bool{}
		var want []Record
		for _, rec := range recs {
			if keep[rec.OffsetDelta] = r.IntN(3) > 0; keep[rec.OffsetDelta] {
				want = append(want, rec)
			}
		}
		out, kept, err := Filter([]byte("before"), b, 1<<20, func(rec Record) bool { return keep[rec.OffsetDelta] })
		if err != nil || kept != len(want) || !bytes.HasPrefix(out, []byte("before")) {
			t.Fatal(kept, len(want), err)
		}
		out = out[len("before"):]
		if kept == len(recs) && !bytes.Equal(out, b) {
			t.Fatal("a batch that keeps all its records has changed")
		}
		got := checkRewritten(t, h, out, kept)
		if kept == 0 {
			if got.Attributes != h.Attributes&^codecMask || got.BaseTimestamp != -1 || got.MaxTimestamp != h.MaxTimestamp || len(out) != HeaderSize {
				t.Fatalf("%+v became the empty batch %+v", h, got)
			}
			continue
		}
		latest := want[0].TimestampDelta
		for _, rec := range want {
			latest = max(latest, rec.TimestampDelta)
		}
		if h.LogAppendTime() {
			latest = h.MaxTimestamp - h.BaseTimestamp
		}
		if got.Attributes != h.Attributes || got.BaseTimestamp != h.BaseTimestamp || got.MaxTimestamp != h.BaseTimestamp+latest {
			t.Fatalf("%+v became %+v", h, got)
		}
		back, err := Records(out, 1<<20)
		if err == nil {
			err = equalRecords(back, want)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkRewritten checks what no rewriting may change.
func checkRewritten(t *testing.T, h Header, out []byte, kept int) Header {
	t.Helper()
	got, err := ParseHeader(out)
	if err != nil || got.Size() != len(out) || !CheckCRC(out) || int(got.Count) != kept {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.BaseOffset != h.BaseOffset || got.LastOffsetDelta != h.LastOffsetDelta || got.LeaderEpoch != h.LeaderEpoch || got.ProducerID != h.ProducerID ||
		got.ProducerEpoch != h.ProducerEpoch || got.BaseSequence != h.BaseSequence || got.LastSequence() != h.LastSequence() || got.Magic != Magic {
		t.Fatalf("%+v became %+v", h, got)
	}
	return got
}

// A delete horizon takes the base timestamp's place, is set once, and moves no record's timestamp.
func TestRewriteWithHorizon(t *testing.T) {
	r := seeded(t)
	for range 300 {
		o, recs := randomOptions(r), randomRecords(r, 2+r.IntN(10))
		o.LogAppendTime = false
		b, err := Build(nil, o, recs)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := ParseHeader(b)
		times := map[int32]int64{}
		for _, rec := range recs {
			times[rec.OffsetDelta] = h.Timestamp(rec)
		}
		judge := func(rec Record) Verdict {
			if rec.OffsetDelta == recs[0].OffsetDelta {
				return Drop
			}
			if rec.OffsetDelta == recs[1].OffsetDelta {
				return KeepUntilHorizon
			}
			return Keep
		}
		const horizon = 1_900_000_000_000
		out, kept, err := Rewrite(nil, b, 1<<20, horizon, judge)
		if err != nil || kept != len(recs)-1 {
			t.Fatal(kept, err)
		}
		got := checkRewritten(t, h, out, kept)
		if !got.HasHorizon() || got.Horizon() != horizon || got.Codec() != h.Codec() || h.Horizon() != -1 {
			t.Fatalf("%+v became %+v", h, got)
		}
		checkTimes(t, got, out, times)

		again, kept, err := Rewrite(nil, out, 1<<20, horizon+5, func(rec Record) Verdict {
			if kept > 1 && rec.OffsetDelta == recs[len(recs)-1].OffsetDelta {
				return Drop
			}
			return KeepUntilHorizon
		})
		if err != nil {
			t.Fatal(err)
		}
		got = checkRewritten(t, h, again, kept)
		if got.Horizon() != horizon {
			t.Fatalf("the horizon moved to %d", got.Horizon())
		}
		checkTimes(t, got, again, times)

		empty, kept, err := Rewrite(nil, again, 1<<20, -1, func(Record) Verdict { return Drop })
		if err != nil || kept != 0 || checkRewritten(t, h, empty, 0).HasHorizon() {
			t.Fatal(kept, err)
		}
		same, kept, err := Rewrite(nil, empty, 1<<20, horizon, func(Record) Verdict { return KeepUntilHorizon })
		if err != nil || kept != 0 || !bytes.Equal(same, empty) {
			t.Fatal("an empty batch does not stay", err)
		}
	}
}

func checkTimes(t *testing.T, h Header, b []byte, times map[int32]int64) {
	t.Helper()
	recs, err := Records(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	latest := int64(-1 << 62)
	for _, rec := range recs {
		if h.Timestamp(rec) != times[rec.OffsetDelta] {
			t.Fatalf("the record at %d moved from %d to %d", rec.OffsetDelta, times[rec.OffsetDelta], h.Timestamp(rec))
		}
		latest = max(latest, h.Timestamp(rec))
	}
	if h.MaxTimestamp != latest {
		t.Fatalf("max timestamp %d, want %d", h.MaxTimestamp, latest)
	}
}

func TestFilterRefuses(t *testing.T) {
	b, err := Build(nil, Plain(0, 0, 1), Number([]Record{{Value: []byte("v")}, {Value: []byte("w")}}))
	if err != nil {
		t.Fatal(err)
	}
	deltas := bytes.Clone(b)
	deltas[HeaderSize+3] = 2 // the first record says 1, and so does the second
	setCRC(deltas)
	cut := bytes.Clone(b[:len(b)-1])
	for name, bad := range map[string][]byte{"offset deltas": deltas, "cut": cut} {
		out, kept, err := Filter([]byte("x"), bad, 1<<20, func(Record) bool { return true })
		if err == nil || kept != 0 || string(out) != "x" {
			t.Errorf("%s: %d kept, %v", name, kept, err)
		}
	}
	if _, _, err := Filter(nil, deltas, 1<<20, func(Record) bool { return true }); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}
