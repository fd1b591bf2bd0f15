package batch

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// allocated is how many bytes f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Bombs: a few bytes that would become very many. Each must fail within a small multiple of the limit.
func TestBombs(t *testing.T) {
	const limit = 1 << 20
	zeros := make([]byte, 256<<20)
	compressed := func(c Codec) []byte {
		out, err := Compress(c, 0, zeros)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var unsized bytes.Buffer // as a Java producer writes: no content size, a window of 2 MiB
	w, err := zstd.NewWriter(&unsized, zstd.WithWindowSize(2<<20))
	if err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if _, err := w.Write(zeros[:1<<20]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var big bytes.Buffer // lz4 with blocks of 4 MiB
	lw := lz4.NewWriter(&big)
	if _, err := lw.Write(zeros[:64<<20]); err != nil {
		t.Fatal(err)
	}
	if err := lw.Close(); err != nil {
		t.Fatal(err)
	}
	claim := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0} // a zstd frame of 4 GiB, it says
	xerial := bytes.Clone(xerialHeader)
	block, err := Compress(Snappy, 0, zeros[:xerialBlock])
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		xerial = append(xerial, block[len(xerialHeader):]...)
	}
	for _, c := range []struct {
		name  string
		codec Codec
		src   []byte
		extra uint64 // what the decoder itself takes once
	}{
		{"gzip", Gzip, compressed(Gzip), 1 << 20},
		{"snappy, 6 bytes that say 2 GiB", Snappy, []byte{0xff, 0xff, 0xff, 0xff, 0x07, 0x00}, 1 << 10},
		{"snappy, within the limit and a lie", Snappy, []byte{0x80, 0x80, 0x20, 0x00, 0x61}, 1 << 10},
		{"snappy, many blocks", Snappy, xerial, 1 << 20},
		{"lz4", LZ4, compressed(LZ4), 1 << 20},
		{"lz4, large blocks", LZ4, big.Bytes(), 10 << 20},
		{"zstd", Zstd, compressed(Zstd), 1 << 20},
		{"zstd without a size", Zstd, unsized.Bytes(), 1 << 20},
		{"zstd, a claim", Zstd, claim, 1 << 20},
	} {
		if _, err := Decompress(c.codec, mustCompress(t, c.codec, []byte("warm up")), 100); err != nil {
			t.Fatal(err)
		}
		var out []byte
		var err error
		used := allocated(func() { out, err = Decompress(c.codec, c.src, limit) })
		if !errors.Is(err, ErrLimit) && !errors.Is(err, ErrCorrupt) || len(out) != 0 {
			t.Errorf("%s: %d bytes, %v", c.name, len(out), err)
		}
		if used > 3*limit+c.extra {
			t.Errorf("%s: %d bytes of memory for a limit of %d", c.name, used, limit)
		}
	}
}

func mustCompress(t *testing.T, c Codec, src []byte) []byte {
	out, err := Compress(c, 0, src)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A window larger than the limit is no reason to refuse: the Java producer's is 2 MiB for every batch.
func TestZstdWindowMayExceedLimit(t *testing.T) {
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, zstd.WithWindowSize(8<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("hello "), 1000)
	for range 10 { // in pieces, so that the size is not known when the frame begins
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var h zstd.Header
	if err := h.Decode(buf.Bytes()); err != nil || h.HasFCS || h.WindowSize < 8<<20 {
		t.Fatalf("%+v, %v", h, err)
	}
	got, err := Decompress(Zstd, buf.Bytes(), 10*len(text))
	if err != nil || !bytes.Equal(got, bytes.Repeat(text, 10)) {
		t.Fatal(len(got), err)
	}
	if _, err := Decompress(Zstd, buf.Bytes(), 10*len(text)-1); !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
}

// Frames and members that follow each other count together.
func TestConcatenated(t *testing.T) {
	text := bytes.Repeat([]byte("abc"), 1000)
	for _, c := range []Codec{Gzip, Zstd} {
		one := mustCompress(t, c, text)
		two := append(bytes.Clone(one), one...)
		got, err := Decompress(c, two, 2*len(text))
		if err != nil || !bytes.Equal(got, append(bytes.Clone(text), text...)) {
			t.Errorf("%v: %d bytes, %v", c, len(got), err)
		}
		if _, err := Decompress(c, two, 2*len(text)-1); !errors.Is(err, ErrLimit) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Raw snappy blocks, and gzip as the standard library writes it.
func TestOtherFramings(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte("standard")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := Decompress(Gzip, b.Bytes(), 100); string(got) != "standard" || err != nil {
		t.Fatal(got, err)
	}
	raw := []byte{5, 4 << 2, 'h', 'e', 'l', 'l', 'o'} // a length, then a literal of five bytes
	if got, err := Decompress(Snappy, raw, 5); string(got) != "hello" || err != nil {
		t.Fatal(got, err)
	}
	if _, err := Decompress(Snappy, raw, 4); !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
	x := append(bytes.Clone(xerialHeader), 0, 0, 0, byte(len(raw)))
	x = append(x, raw...)
	if got, err := Decompress(Snappy, x, 5); string(got) != "hello" || err != nil {
		t.Fatal(got, err)
	}
	for _, bad := range [][]byte{nil, x[:10], x[:len(xerialHeader)+2], x[:len(x)-1], append(bytes.Clone(x), 9)} {
		if got, err := Decompress(Snappy, bad, 100); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %q, %v", bad, got, err)
		}
	}
}

func TestPeekMagicOfOldMessages(t *testing.T) {
	old := make([]byte, 30) // offset, size, crc, magic, ...: shorter than our header
	for magic := byte(0); magic < 3; magic++ {
		old[16] = magic
		if m, ok := PeekMagic(old); !ok || m != int8(magic) {
			t.Fatal(m, ok)
		}
	}
	if _, ok := PeekMagic(old[:16]); ok {
		t.Fatal("16 bytes hold no magic")
	}
}

func TestNext(t *testing.T) {
	var all []byte
	var sizes []int
	for i := range 3 {
		b, err := Build(nil, Plain(int64(10*i), 0, 5), Number(make([]Record, 1+i)))
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(b))
		all = append(all, b...)
	}
	rest := all
	for i, size := range sizes {
		h, b, r, err := Next(rest)
		if err != nil || len(b) != size || h.BaseOffset != int64(10*i) || h.NextOffset() != int64(10*i+i+1) {
			t.Fatal(i, h, err)
		}
		rest = r
	}
	if len(rest) != 0 {
		t.Fatal(len(rest))
	}
	if _, _, _, err := Next(all[:sizes[0]-1]); !errors.Is(err, ErrShort) {
		t.Fatal(err)
	}
	huge := bytes.Clone(all)
	binary.BigEndian.PutUint32(huge[lengthAt:], 1<<31-1)
	if _, _, _, err := Next(huge); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}
