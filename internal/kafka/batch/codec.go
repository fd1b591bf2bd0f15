package batch

import (
	"errors"
	"fmt"
	"math"
	"sync"
)

// Codec is how the records of a batch are compressed.
type Codec int8

const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Valid says whether Kafka has this codec.
func (c Codec) Valid() bool { return c >= None && c <= Zstd }

// String is Kafka's name, as in compression.type.
func (c Codec) String() string {
	if c.Valid() {
		return codecNames[c]
	}
	return fmt.Sprintf("codec %d", int8(c))
}

// ErrLimit: the data would decompress to more than was allowed.
var ErrLimit = errors.New("the records decompress to more than the limit")

// Compress compresses src. Level 0 is the codec's default, other levels are Kafka's: gzip 1-9, lz4 1-17, zstd up to
// 22; they are brought to the nearest one that the encoder has.
func Compress(c Codec, level int, src []byte) ([]byte, error) { return compress(nil, c, level, src) }

// Decompress gives at most max bytes. It fails with ErrLimit before it takes more memory than that; an allocation
// grows with what has been decoded, not with what a header claims.
func Decompress(c Codec, src []byte, max int) ([]byte, error) { return decompress(nil, c, src, max) }

func compress(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return compressGzip(dst, level, src)
	case Snappy:
		return compressSnappy(dst, src)
	case LZ4:
		return compressLZ4(dst, level, src)
	case Zstd:
		return compressZstd(dst, level, src)
	}
	return dst, fmt.Errorf("batch: %v is no codec", c)
}

func decompress(dst []byte, c Codec, src []byte, limit int) ([]byte, error) {
	limit = max(0, min(limit, math.MaxInt32)) // so that limit+1 cannot overflow
	switch c {
	case None:
		if len(src) > limit {
			return dst, ErrLimit
		}
		return append(dst, src...), nil
	case Gzip:
		return decompressGzip(dst, src, limit)
	case Snappy:
		return decompressSnappy(dst, src, limit)
	case LZ4:
		return decompressLZ4(dst, src, limit)
	case Zstd:
		return decompressZstd(dst, src, limit)
	}
	return dst, corrupt("its codec is %d", int8(c))
}

// buffers lends scratch memory. What grew beyond keepBuffer is not kept: one large batch should not stay in memory.
var buffers bufferPool

const keepBuffer = 4 << 20

type buffer struct{ b []byte }

type bufferPool struct{ p sync.Pool }

func (p *bufferPool) get() *buffer {
	if b, ok := p.p.Get().(*buffer); ok {
		return b
	}
	return new(buffer)
}

func (p *bufferPool) put(b *buffer) {
	if cap(b.b) <= keepBuffer {
		p.p.Put(b)
	}
}
