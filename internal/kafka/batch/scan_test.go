package batch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// sameScan says where Scan and Records differ about a batch.
func sameScan(b []byte, limit int) error {
	recs, want := Records(b, limit)
	i := 0
	got := Scan(b, limit, func(at int, r *Raw) error {
		if at != i {
			return errors.New("the place of a record is wrong")
		}
		i++
		if want != nil {
			return nil
		}
		return sameRaw(r, &recs[at])
	})
	switch {
	case (got == nil) != (want == nil) || got != nil && got.Error() != want.Error():
		return errors.Join(errors.New("Scan and Records do not agree"), got, want)
	case want == nil && i != len(recs):
		return errors.New("Scan left records out")
	}
	return sameSummed(b)
}

// sameSummed says where ScanSummed differs from CheckCRC and Scan, about a batch that is not compressed.
func sameSummed(b []byte) error {
	if h, err := ParseHeader(b); err == nil && h.Codec() != None {
		return nil
	}
	var want, got []string
	say := func(all *[]string) func(i int, r *Raw) error {
		return func(i int, r *Raw) error {
			*all = append(*all, fmt.Sprintf("%d %q %q %d %x", i, r.Key, r.Value, r.count, r.headers))
			return nil
		}
	}
	wrong := Scan(b, 0, say(&want))
	sound, err := ScanSummed(b, say(&got))
	switch {
	case sound != CheckCRC(b):
		return fmt.Errorf("ScanSummed says of the checksum: %v", sound)
	case (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error():
		return errors.Join(errors.New("ScanSummed and Scan do not agree"), err, wrong)
	case !slices.Equal(got, want):
		return fmt.Errorf("ScanSummed saw %d records, Scan %d, or others", len(got), len(want))
	}
	return nil
}

// Records lie across the windows' borders, and some are longer than a window.
func TestScanSummedReadsWhatScanReads(t *testing.T) {
	r := seeded(t)
	for range 100 {
		var recs []Record
		for range 1 + r.IntN(60) {
			recs = append(recs, Record{Value: make([]byte, r.IntN(1<<r.IntN(17)))})
		}
		b, err := Build(nil, Plain(0, 0, 1), Number(recs))
		if err != nil {
			t.Fatal(err)
		}
		if sound, err := ScanSummed(b, func(int, *Raw) error { return nil }); !sound || err != nil {
			t.Fatalf("a good batch of %d bytes: %v, %v", len(b), sound, err)
		}
		if err := sameSummed(b); err != nil {
			t.Fatal(err)
		}
		b[attributesAt+2+r.IntN(len(b)-attributesAt-2)] ^= 1 << r.IntN(8)
		if err := sameSummed(b); err != nil {
			t.Fatal(err)
		}
	}
}

// The checksum is of the whole batch, also where the walk ends early.
func TestScanSummedSumsBehindAnError(t *testing.T) {
	b, err := Build(nil, Plain(0, 0, 1), Number([]Record{{Value: make([]byte, 100_000)}, {Value: make([]byte, 100_000)}}))
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	for _, good := range []bool{true, false} {
		if !good {
			b[len(b)-1] ^= 1
		}
		if sound, err := ScanSummed(b, func(int, *Raw) error { return stop }); sound != good || err != stop {
			t.Errorf("sound %v, %v; want %v", sound, err, good)
		}
	}
}

func sameRaw(r *Raw, want *Record) error {
	if !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) || (r.Key == nil) != (want.Key == nil) || (r.Value == nil) != (want.Value == nil) {
		return errors.New("key or value differ")
	}
	last := map[string][]byte{}
	for _, h := range want.Headers {
		last[h.Key] = h.Value
	}
	if len(last) == 0 {
		last["no such header"] = nil
	}
	for name, value := range last {
		got, found := r.LastHeader(name)
		if found != (len(want.Headers) > 0) || !bytes.Equal(got, value) || (got == nil) != (value == nil) {
			return errors.New("header " + name + " differs")
		}
	}
	return nil
}

func TestScanReadsWhatRecordsReads(t *testing.T) {
	r := seeded(t)
	for range 300 {
		b, err := Build(nil, randomOptions(r), randomRecords(r, 1+r.IntN(20)))
		if err != nil {
			t.Fatal(err)
		}
		if err := sameScan(b, 1<<20); err != nil {
			t.Fatal(err)
		}
		b[HeaderSize+r.IntN(len(b)-HeaderSize)] ^= 1 << r.IntN(8)
		if err := sameScan(b, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
}

func TestScanEndsWithTheFirstError(t *testing.T) {
	b, err := Build(nil, Plain(0, 0, 1), Number([]Record{{Value: []byte("a")}, {Value: []byte("b")}, {Value: []byte("c")}}))
	if err != nil {
		t.Fatal(err)
	}
	stop, calls := errors.New("enough"), 0
	err = Scan(b, 0, func(i int, _ *Raw) error {
		calls++
		if i == 1 {
			return stop
		}
		return nil
	})
	if err != stop || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// Headers that take two bytes each cost no memory of their own.
func TestScanTakesNoMemoryForHeaders(t *testing.T) {
	const headers = 500_000
	one := Record{Value: []byte("v"), Headers: make([]RecordHeader, headers)}
	one.Headers[headers-1] = RecordHeader{Key: "last", Value: []byte("here")}
	b, err := Build(nil, Plain(0, 0, 1), []Record{one})
	if err != nil {
		t.Fatal(err)
	}
	used := allocated(func() {
		err = Scan(b, 0, func(_ int, r *Raw) error {
			if v, ok := r.LastHeader("last"); !ok || string(v) != "here" {
				return errors.New("the last header is not found")
			}
			return nil
		})
	})
	if err != nil || used > 64<<10 {
		t.Errorf("%d bytes for a batch of %d: %v", used, len(b), err)
	}
}

// Hostile bytes: Scan takes and refuses exactly what Records does, within the limit.
func FuzzScan(f *testing.F) {
	r := seeded(f)
	for range 20 {
		b, err := Build(nil, randomOptions(r), randomRecords(r, 1+r.IntN(5)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := sameScan(b, 1<<16); err != nil {
			t.Fatal(err)
		}
	})
}
