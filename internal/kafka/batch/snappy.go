package batch

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/snappy"
)

// Kafka's snappy is the block format of the xerial library: a magic, its version 1 and the oldest version that reads
// it, then blocks of a length and a raw snappy block each. Some clients write one raw snappy block and nothing else;
// both are read, the first is written.
var xerialHeader = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

const (
	xerialMagicSize = 8
	xerialBlock     = 32 << 10

	// snappyRatio is above the best that the raw format can do: three bytes that copy 64. A block that claims more has
	// no memory taken for it.
	snappyRatio = 22
)

func compressSnappy(dst, src []byte) ([]byte, error) {
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		n := min(len(src), xerialBlock)
		at := len(dst)
		room := snappy.MaxEncodedLen(n)
		dst = slices.Grow(dst, 4+room)
		block := snappy.Encode(dst[at+4:at+4+room], src[:n])
		binary.BigEndian.PutUint32(dst[at:at+4], uint32(len(block)))
		dst = dst[:at+4+len(block)]
		src = src[n:]
	}
	return dst, nil
}

func decompressSnappy(dst, src []byte, max int) ([]byte, error) {
	start := len(dst)
	if !bytes.HasPrefix(src, xerialHeader[:xerialMagicSize]) {
		return decompressSnappyBlock(dst, src, max)
	}
	if len(src) < len(xerialHeader) {
		return dst, corrupt("its snappy header is cut short")
	}
	for src = src[len(xerialHeader):]; len(src) > 0; {
		if len(src) < 4 {
			return dst[:start], corrupt("a snappy block is cut short")
		}
		n := binary.BigEndian.Uint32(src)
		if uint64(n) > uint64(len(src)-4) {
			return dst[:start], corrupt("a snappy block is cut short")
		}
		var err error
		if dst, err = decompressSnappyBlock(dst, src[4:4+n], max-(len(dst)-start)); err != nil {
			return dst[:start], err
		}
		src = src[4+n:]
	}
	return dst, nil
}

// decompressSnappyBlock appends one raw block of at most max decoded bytes.
func decompressSnappyBlock(dst, src []byte, max int) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return dst, corrupt("its records are not snappy: %v", err)
	}
	if n > max {
		return dst, ErrLimit
	}
	if n > snappyRatio*len(src) {
		return dst, corrupt("%d bytes of snappy claim to hold %d", len(src), n)
	}
	at := len(dst)
	dst = slices.Grow(dst, n)
	if _, err := snappy.Decode(dst[at:at+n], src); err != nil {
		return dst[:at], corrupt("its records are not snappy: %v", err)
	}
	return dst[:at+n], nil
}
