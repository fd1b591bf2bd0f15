package batch

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the randomised tests (0: a new one)")

// seeded is a generator whose seed is printed if the test fails, with the command that repeats it.
func seeded(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/kafka/batch -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

func randomBytes(r *rand.Rand, limit int) []byte {
	if r.IntN(5) == 0 {
		return nil
	}
	b := make([]byte, r.IntN(limit))
	for i := range b {
		b[i] = byte(r.IntN(1 + r.IntN(255))) // sometimes compressible
	}
	return b
}

func randomRecords(r *rand.Rand, n int) []Record {
	recs := make([]Record, n)
	delta := int32(-1)
	for i := range recs {
		delta += 1 + int32(r.IntN(3))*int32(r.IntN(2))
		rec := Record{TimestampDelta: r.Int64N(1<<40) - 1<<39, OffsetDelta: delta, Key: randomBytes(r, 40), Value: randomBytes(r, 400)}
		for range r.IntN(3) {
			rec.Headers = append(rec.Headers, RecordHeader{Key: fmt.Sprint("h", r.IntN(100)), Value: randomBytes(r, 20)})
		}
		recs[i] = rec
	}
	return recs
}

func randomOptions(r *rand.Rand) Options {
	return Options{
		BaseOffset: r.Int64(), LeaderEpoch: r.Int32(), Codec: codecs[r.IntN(len(codecs))], Level: r.IntN(12) * r.IntN(2),
		LogAppendTime: r.IntN(2) == 0, BaseTimestamp: r.Int64N(1 << 50), ProducerID: r.Int64() - 1, ProducerEpoch: int16(r.IntN(1 << 15)),
		BaseSequence: r.Int32(), Transactional: r.IntN(2) == 0, Control: r.IntN(4) == 0,
	}
}

func equalRecords(a, b []Record) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d records, want %d", len(a), len(b))
	}
	for i := range a {
		x, y := a[i], b[i]
		if len(x.Headers) == 0 && len(y.Headers) == 0 {
			x.Headers, y.Headers = nil, nil
		}
		if !reflect.DeepEqual(x, y) {
			return fmt.Errorf("record %d: %+v, want %+v", i, x, y)
		}
	}
	return nil
}

// Everything that is built reads back the same, and kmsg and kgo read the same out of it.
func TestBuildAgainstFranz(t *testing.T) {
	r := seeded(t)
	decompressor := kgo.DefaultDecompressor()
	for range 400 {
		o, recs := randomOptions(r), randomRecords(r, 1+r.IntN(40))
		b, err := Build([]byte("before"), o, recs)
		if err != nil {
			t.Fatal(err)
		}
		b = b[len("before"):]
		h, err := ParseHeader(b)
		if err != nil || h.Size() != len(b) || !CheckCRC(b) {
			t.Fatalf("%v: %+v of %d bytes, crc %v", err, h, len(b), CheckCRC(b))
		}
		got, err := Records(b, 1<<20)
		if err == nil {
			err = equalRecords(got, recs)
		}
		if err != nil {
			t.Fatal(err)
		}

		var k kmsg.RecordBatch
		if err := k.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		theirs := Header{k.FirstOffset, k.Length, k.PartitionLeaderEpoch, k.Magic, uint32(k.CRC), k.Attributes, k.LastOffsetDelta,
			k.FirstTimestamp, k.MaxTimestamp, k.ProducerID, k.ProducerEpoch, k.FirstSequence, k.NumRecords}
		if theirs != h {
			t.Fatalf("ours %+v, kmsg %+v", h, theirs)
		}
		if h.Codec() != o.Codec || h.LogAppendTime() != o.LogAppendTime || h.Transactional() != o.Transactional || h.Control() != o.Control {
			t.Fatalf("%+v from %+v", h, o)
		}
		raw, err := decompressor.Decompress(k.Records, kgo.CompressionCodecType(o.Codec))
		if err != nil {
			t.Fatal(o.Codec, err)
		}
		if err := equalRecords(franzRecords(t, raw, int(k.NumRecords)), recs); err != nil {
			t.Fatal(err)
		}
	}
}

func franzRecords(t *testing.T, raw []byte, n int) []Record {
	var out []Record
	for range n {
		var k kmsg.Record
		if err := k.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		raw = raw[len(k.AppendTo(nil)):]
		rec := Record{k.Attributes, k.TimestampDelta64, k.OffsetDelta, k.Key, k.Value, nil}
		for _, h := range k.Headers {
			rec.Headers = append(rec.Headers, RecordHeader{h.Key, h.Value})
		}
		out = append(out, rec)
	}
	return out
}

// What kgo's compressor writes is read, at every codec.
func TestDecompressFranz(t *testing.T) {
	r := seeded(t)
	for _, c := range []struct {
		codec Codec
		kgo   kgo.CompressionCodec
	}{{Gzip, kgo.GzipCompression()}, {Snappy, kgo.SnappyCompression()}, {LZ4, kgo.Lz4Compression()}, {Zstd, kgo.ZstdCompression()}} {
		compressor, err := kgo.DefaultCompressor(c.kgo)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			src := bytes.Repeat(randomBytes(r, 3000), 1+r.IntN(100))
			var buf bytes.Buffer
			out, _ := compressor.Compress(&buf, src)
			got, err := Decompress(c.codec, out, len(src))
			if err != nil || !bytes.Equal(got, src) {
				t.Fatalf("%v: %d bytes, %v", c.codec, len(got), err)
			}
		}
	}
}

func TestCompressLevels(t *testing.T) {
	src := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog, "), 5000)
	for _, c := range codecs {
		for _, level := range []int{-5, -1, 0, 1, 5, 9, 10, 17, 22, 99} {
			for _, text := range [][]byte{nil, src[:1], src, make([]byte, 300_000)} {
				out, err := Compress(c, level, text)
				if err != nil {
					t.Fatal(c, level, err)
				}
				got, err := Decompress(c, out, len(text))
				if err != nil || !bytes.Equal(got, text) {
					t.Fatal(c, level, len(text), err)
				}
				if len(text) == 0 {
					continue
				}
				if _, err := Decompress(c, out, len(text)-1); !errors.Is(err, ErrLimit) {
					t.Fatalf("%v level %d, one byte too many: %v", c, level, err)
				}
			}
		}
	}
}

func TestSetters(t *testing.T) {
	r := seeded(t)
	for range 50 {
		recs := randomRecords(r, 1+r.IntN(5))
		b, err := Build(nil, randomOptions(r), recs)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := ParseHeader(b)
		SetBaseOffset(b, 77)
		SetLeaderEpoch(b, 5)
		if !CheckCRC(b) {
			t.Fatal("offset and epoch are under the CRC")
		}
		SetLogAppendTime(b, 1234)
		after, _ := ParseHeader(b)
		if !CheckCRC(b) || !after.LogAppendTime() || after.Timestamp(recs[0]) != 1234 {
			t.Fatalf("%+v", after)
		}
		before.BaseOffset, before.LeaderEpoch, before.MaxTimestamp, before.CRC = 77, 5, 1234, after.CRC
		before.Attributes |= logAppendTimeBit
		if before != after {
			t.Fatalf("%+v, want %+v", after, before)
		}
	}
}

func TestSequenceWraps(t *testing.T) {
	for _, c := range []struct{ base, delta, want int32 }{{0, 0, 0}, {5, 4, 9}, {math.MaxInt32, 0, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 1, 3, 1}, {-1, 4, -1}} {
		if got := (Header{BaseSequence: c.base, LastOffsetDelta: c.delta}).LastSequence(); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.base, c.delta, got, c.want)
		}
	}
}

func TestControl(t *testing.T) {
	for _, commit := range []bool{false, true} {
		b := EndTxnMarker(commit, 7, Options{BaseOffset: 9, ProducerID: 4, ProducerEpoch: 2, BaseTimestamp: 100, LeaderEpoch: 3})
		h, _ := ParseHeader(b)
		if !CheckCRC(b) || !h.Control() || !h.Transactional() || h.BaseSequence != -1 || h.ProducerID != 4 || h.LastOffset() != 9 {
			t.Fatalf("%+v", h)
		}
		recs, err := Records(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		kind, epoch, err := ParseControl(recs[0])
		want := ControlAbort
		if commit {
			want = ControlCommit
		}
		if kind != want || epoch != 7 || err != nil {
			t.Fatal(kind, epoch, err)
		}
		var key kmsg.ControlRecordKey
		var value kmsg.EndTxnMarker
		if err := errors.Join(key.ReadFrom(recs[0].Key), value.ReadFrom(recs[0].Value)); err != nil || int16(key.Type) != kind || value.CoordinatorEpoch != 7 {
			t.Fatal(key, value, err)
		}
	}
	if _, _, err := ParseControl(Record{Key: []byte{0, 0}}); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func TestRefused(t *testing.T) {
	good, err := Build(nil, Plain(0, 0, 1), Number([]Record{{Key: []byte("k"), Value: []byte("v")}, {Value: []byte("w")}}))
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"short header":    func(b []byte) []byte { return b[:60] },
		"short":           func(b []byte) []byte { return b[:len(b)-1] },
		"long":            func(b []byte) []byte { return append(b, 0) },
		"negative length": func(b []byte) []byte { b[lengthAt] = 0xff; return b },
		"length 48":       func(b []byte) []byte { copy(b[lengthAt:], []byte{0, 0, 0, 48}); return b },
		"magic":           func(b []byte) []byte { b[magicAt] = 1; return b },
		"count":           func(b []byte) []byte { b[countAt] = 0x70; return b },
		"negative count":  func(b []byte) []byte { b[countAt] = 0xff; return b },
		"fewer records":   func(b []byte) []byte { b[countAt+3] = 1; return b },
		"more records":    func(b []byte) []byte { b[countAt+3] = 3; return b },
		"codec":           func(b []byte) []byte { b[attributesAt+1] = 7; return b },
		"not gzip":        func(b []byte) []byte { b[attributesAt+1] = 1; return b },
		"not snappy":      func(b []byte) []byte { b[attributesAt+1] = 2; return b },
		"not lz4":         func(b []byte) []byte { b[attributesAt+1] = 3; return b },
		"not zstd":        func(b []byte) []byte { b[attributesAt+1] = 4; return b },
		"record length":   func(b []byte) []byte { b[HeaderSize] += 2; return b },
		"key length":      func(b []byte) []byte { b[HeaderSize+4] = 0x7e; return b },
		"header count":    func(b []byte) []byte { b[len(b)-1] = 0x7e; return b },
	} {
		b := spoil(bytes.Clone(good))
		if recs, err := Records(b, 1<<20); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrShort) && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, %v", name, recs, err)
		}
	}
}
