package batch

import (
	"encoding/binary"
	"errors"
	"testing"
)

// Whatever decodes, decodes the same again after it was built anew; nothing else happens than that or an error of ours;
// and no record has more bytes than the limit allows.
func FuzzBatch(f *testing.F) {
	r := seeded(f)
	for range 20 {
		b, err := Build(nil, randomOptions(r), randomRecords(r, 1+r.IntN(5)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend && len(b) >= HeaderSize { // past the first checks
			binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-Overhead))
			b[magicAt] = Magic
		}
		const limit = 1 << 16
		recs, err := Records(b, limit)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrShort) && !errors.Is(err, ErrLimit) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		size := 0
		for i := range recs {
			size += RecordSize(&recs[i])
		}
		h, err := ParseHeader(b)
		if err != nil || h.Codec() != None && size > limit+10*len(recs) || int(h.Count) != len(recs) {
			t.Fatalf("%d records of %d bytes: %+v, %v", len(recs), size, h, err)
		}
		i := 0
		if err := Each(b, limit, func(rec Record) error { i++; return equalRecords([]Record{rec}, recs[i-1:i]) }); err != nil || i != len(recs) {
			t.Fatal(i, err)
		}
		built, err := Build(nil, Plain(h.BaseOffset, h.LeaderEpoch, h.BaseTimestamp), recs)
		if errors.Is(err, ErrCorrupt) { // offset deltas that no producer writes
			return
		}
		again, err2 := Records(built, 0)
		if err != nil || err2 != nil || !CheckCRC(built) {
			t.Fatal(err, err2)
		}
		if err := equalRecords(again, recs); err != nil {
			t.Fatal(err)
		}
		if out, kept, err := Filter(nil, b, limit, func(rec Record) bool { return rec.OffsetDelta%2 == 0 }); err == nil {
			if got, err := Records(out, limit); err != nil || len(got) != kept {
				t.Fatal(len(got), kept, err)
			}
		}
	})
}
