package batch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchBatch is a batch of n records of 100 bytes of which half are compressible.
func benchBatch(b testing.TB, c Codec, n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	recs := make([]Record, n)
	for i := range recs {
		v := make([]byte, 100)
		for j := range v[:50] {
			v[j] = byte(r.Uint32())
		}
		recs[i] = Record{Key: fmt.Append(nil, "key-", i), Value: v, TimestampDelta: int64(i)}
	}
	o := Plain(0, 0, 1_700_000_000_000)
	o.Codec = c
	out, err := Build(nil, o, Number(recs))
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func BenchmarkParseHeader(b *testing.B) {
	batch := benchBatch(b, None, 1)
	for b.Loop() {
		if _, err := ParseHeader(batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckCRC(b *testing.B) {
	for _, n := range []int{1, 140, 9000} {
		batch := benchBatch(b, None, n)
		b.Run(fmt.Sprint(len(batch)), func(b *testing.B) {
			b.SetBytes(int64(len(batch)))
			for b.Loop() {
				if !CheckCRC(batch) {
					b.Fatal("crc")
				}
			}
		})
	}
}

func BenchmarkSetLogAppendTime(b *testing.B) {
	batch := benchBatch(b, None, 140)
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		SetLogAppendTime(batch, 77)
	}
}

func BenchmarkEach(b *testing.B) {
	for _, c := range codecs {
		batch := benchBatch(b, c, 140)
		b.Run(c.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(140 * 115)
			for b.Loop() {
				if err := Each(batch, 1<<20, func(Record) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	recs, err := Records(benchBatch(b, None, 140), 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range codecs {
		o := Plain(0, 0, 5)
		o.Codec = c
		b.Run(c.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(140 * 115)
			var dst []byte
			for b.Loop() {
				if dst, err = Build(dst[:0], o, recs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFilter(b *testing.B) {
	for _, c := range []Codec{None, LZ4, Zstd} {
		batch := benchBatch(b, c, 140)
		b.Run(c.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(140 * 115)
			var dst []byte
			var err error
			for b.Loop() {
				if dst, _, err = Filter(dst[:0], batch, 1<<20, func(r Record) bool { return r.OffsetDelta%3 == 0 }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A batch of 1 KiB records, as a schema check reads it: with and without a header.
func BenchmarkScan(b *testing.B) {
	for _, headers := range []int{0, 3} {
		recs := make([]Record, 100)
		for i := range recs {
			recs[i] = Record{Key: fmt.Append(nil, "key-", i), Value: make([]byte, 1024)}
			for range headers {
				recs[i].Headers = append(recs[i].Headers, RecordHeader{Key: "traceparent", Value: make([]byte, 55)})
			}
		}
		batch, err := Build(nil, Plain(0, 0, 1), Number(recs))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(headers, " headers"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(batch)))
			for b.Loop() {
				if err := Scan(batch, 0, func(_ int, r *Raw) error { r.LastHeader("__value_schema_id"); return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkScanCold goes over 64 batches of 1 MiB in turn, as a broker does: what BenchmarkScan reads stays in the nearest caches. The
// nanoseconds are those of a record of 1 KiB.
func BenchmarkScanCold(b *testing.B) {
	recs := make([]Record, 990)
	for i := range recs {
		recs[i] = Record{Value: make([]byte, 1024)}
	}
	one, err := Build(nil, Plain(0, 0, 1), Number(recs))
	if err != nil {
		b.Fatal(err)
	}
	batches := make([][]byte, 64)
	for i := range batches {
		batches[i] = bytes.Clone(one)
	}
	sum := 0
	f := func(_ int, r *Raw) error { sum += int(r.Value[4]); return nil }
	for _, way := range []struct {
		name string
		read func(b []byte) bool
	}{
		{"checksum", CheckCRC},
		{"checksum, then scan", func(b []byte) bool { return CheckCRC(b) && Scan(b, 0, f) == nil }},
		{"both in one pass", func(b []byte) bool { sound, err := ScanSummed(b, f); return sound && err == nil }},
	} {
		b.Run(way.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				if !way.read(batches[n%len(batches)]) {
					b.Fatal("the batch is refused")
				}
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(recs)), "ns/record")
		})
	}
}
