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

const (
	zstdFirst = 64 << 10
	// zstdBlock is the most that one block of a frame decodes to, and what the decoder wants behind it.
	zstdBlock = 128<<10 + 64
)

// decompressZstd takes what the first frame claims, or, if it claims nothing, a multiple of the input, and four times
// as much each time that was too little, up to the limit. There is always room for one block more: the decoder's
// errors do not tell a corrupt block from one that did not fit, but a block fits if that room is left.
func decompressZstd(dst, src []byte, limit int) ([]byte, error) {
	d, err := zstdDecoder()
	if err != nil {
		return dst, err
	}
	guess, err := zstdGuess(src, limit)
	if err != nil {
		return dst, err
	}
	for {
		room := min(guess, limit) + zstdBlock
		dst = slices.Grow(dst, room)
		out, err := d.DecodeAll(src, dst[:len(dst):len(dst)+room])
		decoded := len(out) - len(dst)
		switch {
		case err == nil && decoded <= limit:
			return out, nil
		case err != nil && !errors.Is(err, zstd.ErrDecoderSizeExceeded) && decoded+zstdBlock <= room:
			return dst, corrupt("its records are not zstd: %v", err)
		case err == nil || guess >= limit:
			return dst, ErrLimit
		}
		guess *= 4
	}
}

func zstdGuess(src []byte, limit int) (int, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return 0, corrupt("its records are not zstd: %v", err)
	}
	if !h.HasFCS {
		return zstdFirst + 4*len(src), nil
	}
	if h.FrameContentSize > uint64(limit) {
		return 0, ErrLimit
	}
	return int(h.FrameContentSize), nil
}
