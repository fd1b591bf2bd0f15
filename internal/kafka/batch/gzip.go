package batch

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

const gzipDefault = 6

// gzipWriters has a pool for each level.
var gzipWriters [gzip.BestCompression + 1]sync.Pool

var gzipReaders sync.Pool

func compressGzip(dst []byte, level int, src []byte) ([]byte, error) {
	if level <= 0 {
		level = gzipDefault
	}
	level = min(level, gzip.BestCompression)
	out := sink{b: dst}
	w, ok := gzipWriters[level].Get().(*gzip.Writer)
	if ok {
		w.Reset(&out)
	} else {
		var err error
		if w, err = gzip.NewWriterLevel(&out, level); err != nil {
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
	gzipWriters[level].Put(w)
	return out.b, nil
}

func decompressGzip(dst, src []byte, max int) ([]byte, error) {
	r, ok := gzipReaders.Get().(*gzip.Reader)
	if !ok {
		r = new(gzip.Reader)
	}
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return dst, corrupt("its records are not gzip: %v", err)
	}
	dst, err := readLimited(dst, r, 4*len(src), max)
	gzipReaders.Put(r)
	return dst, err
}
