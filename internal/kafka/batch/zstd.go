package batch

import (
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdEncoders is by the encoder's own levels, which are four; each is shared and made when it is first needed.
var zstdEncoders [zstd.SpeedBestCompression + 1]struct {
	once sync.Once
	enc  *zstd.Encoder
	err  error
}

func compressZstd(dst []byte, level int, src []byte) ([]byte, error) {
	l := zstd.SpeedDefault
	if level != 0 {
		l = zstd.EncoderLevelFromZstd(level)
	}
	e := &zstdEncoders[l]
	e.once.Do(func() {
		e.enc, e.err = zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	})
	if e.err != nil {
		return dst, e.err
	}
	return e.enc.EncodeAll(src, dst), nil
}

// zstdDecoder never gives more than the capacity of the slice it gets, so the limit is the caller's allocation. A
// frame's window is no allocation here, and a Java producer's is 2 MiB whatever it sends: it must not be held against
// a smaller limit.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderMaxWindow(1<<29))
})

const zstdFirst = 64 << 10

// decompressZstd takes what the first frame claims, if it claims something, and otherwise a multiple of the input,
// and four times as much each time that was too little, up to max.
func decompressZstd(dst, src []byte, max int) ([]byte, error) {
	d, err := zstdDecoder()
	if err != nil {
		return dst, err
	}
	room, err := zstdRoom(src, max)
	for {
		if err != nil {
			return dst, err
		}
		start := len(dst)
		if cap(dst)-start < room {
			dst = slices.Grow(dst, room)
		}
		room = min(cap(dst)-start, max)
		var out []byte
		out, err = d.DecodeAll(src, dst[:start:start+room])
		switch {
		case err == nil:
			return out, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			err = corrupt("its records are not zstd: %v", err)
		case room >= max:
			err = ErrLimit
		default:
			err = nil
			room = min(4*room, max)
		}
	}
}

func zstdRoom(src []byte, max int) (int, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return 0, corrupt("its records are not zstd: %v", err)
	}
	if !h.HasFCS {
		return min(zstdFirst+4*len(src), max), nil
	}
	if h.FrameContentSize > uint64(max) {
		return 0, ErrLimit
	}
	// A claim is believed only as far as the input could make it true within reason; more is found out by decoding.
	return min(int(h.FrameContentSize), zstdFirst+256*len(src)), nil
}
