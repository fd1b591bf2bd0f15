package batch

import (
	"bytes"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// lz4Levels brings Kafka's levels to those of the encoder. 9 is Kafka's default and means the fast compressor there,
// as 0 does here.
var lz4Levels = [...]lz4.CompressionLevel{
	lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Fast, lz4.Level9,
}

var (
	lz4Writers [len(lz4Levels)]sync.Pool
	lz4Readers sync.Pool
)

// compressLZ4 writes a frame of independent 64 KiB blocks without checksums, as Kafka's clients do: the batch has its
// CRC, and some clients refuse what they do not write.
func compressLZ4(dst []byte, level int, src []byte) ([]byte, error) {
	level = min(max(level, 0), len(lz4Levels)-1)
	out := sink{b: dst}
	w, ok := lz4Writers[level].Get().(*lz4.Writer)
	if ok {
		w.Reset(&out)
	} else {
		w = lz4.NewWriter(&out)
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.BlockChecksumOption(false),
			lz4.ConcurrencyOption(1), lz4.CompressionLevelOption(lz4Levels[level])); err != nil {
			return dst, err
		}
	}
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	w.Reset(nil)
	lz4Writers[level].Put(w)
	return out.b, nil
}

func decompressLZ4(dst, src []byte, max int) ([]byte, error) {
	r, ok := lz4Readers.Get().(*lz4.Reader)
	if ok {
		r.Reset(bytes.NewReader(src))
	} else {
		r = lz4.NewReader(bytes.NewReader(src))
	}
	dst, err := readLimited(dst, r, 4*len(src), max)
	if err == nil { // a reader that failed is not used again
		lz4Readers.Put(r)
	}
	return dst, err
}
