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

func decompressSnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialHeader[:xerialMagicSize]) {
		n, err := snappySize(src, limit)
		if err != nil {
			return dst, err
		}
		return decodeSnappy(slices.Grow(dst, n), src, n)
	}
	if len(src) < len(xerialHeader) {
		return dst, corrupt("its snappy header is cut short")
	}
	src = src[len(xerialHeader):]
	total, err := xerialSize(src, limit)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = slices.Grow(dst, total)
	for len(src) > 0 {
		block := src[4 : 4+binary.BigEndian.Uint32(src)]
		n, err := snappy.DecodedLen(block)
		if err == nil {
			dst, err = decodeSnappy(dst, block, n)
		}
		if err != nil {
			return dst[:start], err
		}
		src = src[4+len(block):]
	}
	return dst, nil
}

// xerialSize walks the blocks and adds up what they claim.
func xerialSize(src []byte, limit int) (total int, err error) {
	for len(src) > 0 {
		if len(src) < 4 || uint64(binary.BigEndian.Uint32(src)) > uint64(len(src)-4) {
			return 0, corrupt("a snappy block is cut short")
		}
		block := src[4 : 4+binary.BigEndian.Uint32(src)]
		n, err := snappySize(block, limit-total)
		if err != nil {
			return 0, err
		}
		total += n
		src = src[4+len(block):]
	}
	return total, nil
}

// snappySize is what a raw block claims, if that can be true and is within the limit.
func snappySize(block []byte, limit int) (int, error) {
	n, err := snappy.DecodedLen(block)
	switch {
	case err != nil:
		return 0, corrupt("its records are not snappy: %v", err)
	case n > limit:
		return 0, ErrLimit
	case n > snappyRatio*len(block):
		return 0, corrupt("%d bytes of snappy claim to hold %d", len(block), n)
	}
	return n, nil
}

// decodeSnappy appends one raw block of n decoded bytes, for which dst has room.
func decodeSnappy(dst, block []byte, n int) ([]byte, error) {
	at := len(dst)
	if _, err := snappy.Decode(dst[at:at+n], block); err != nil {
		return dst, corrupt("its records are not snappy: %v", err)
	}
	return dst[:at+n], nil
}
