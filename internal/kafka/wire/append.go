package wire

import (
	"encoding/binary"
	"math"
)

// The writers of Kafka's primitive types. A flexible message has compact lengths: the length plus one as an unsigned
// varint, zero for null.

func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func AppendInt8(dst []byte, v int8) []byte   { return append(dst, byte(v)) }
func AppendInt16(dst []byte, v int16) []byte { return binary.BigEndian.AppendUint16(dst, uint16(v)) }
func AppendUint16(dst []byte, v uint16) []byte {
	return binary.BigEndian.AppendUint16(dst, v)
}
func AppendInt32(dst []byte, v int32) []byte { return binary.BigEndian.AppendUint32(dst, uint32(v)) }
func AppendInt64(dst []byte, v int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(v)) }
func AppendFloat64(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
}
func AppendUUID(dst []byte, v UUID) []byte { return append(dst, v[:]...) }

func AppendUvarint(dst []byte, v uint32) []byte {
	if v < 0x80 {
		return append(dst, byte(v))
	}
	return binary.AppendUvarint(dst, uint64(v))
}

// UvarintSize is the number of bytes AppendUvarint appends.
func UvarintSize(v uint32) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

func AppendString(dst []byte, v string, flexible bool) []byte {
	if flexible {
		dst = AppendUvarint(dst, uint32(len(v))+1)
	} else {
		dst = AppendInt16(dst, int16(len(v)))
	}
	return append(dst, v...)
}

func AppendNullableString(dst []byte, v *string, flexible bool) []byte {
	switch {
	case v != nil:
		return AppendString(dst, *v, flexible)
	case flexible:
		return append(dst, 0)
	}
	return AppendInt16(dst, -1)
}

// appendMessage writes a text that is null when it is empty.
func appendMessage(dst []byte, v string, flexible bool) []byte {
	if v == "" {
		return AppendNullableString(dst, nil, flexible)
	}
	return AppendString(dst, v, flexible)
}

// AppendArrayLen writes the number of elements; -1 is null.
func AppendArrayLen(dst []byte, n int, flexible bool) []byte {
	if flexible {
		return AppendUvarint(dst, uint32(n+1))
	}
	return AppendInt32(dst, int32(n))
}

func AppendBytes(dst []byte, v []byte, flexible bool) []byte {
	return append(AppendArrayLen(dst, len(v), flexible), v...)
}

// AppendNullableBytes writes null for nil.
func AppendNullableBytes(dst []byte, v []byte, flexible bool) []byte {
	if v == nil {
		return AppendArrayLen(dst, -1, flexible)
	}
	return AppendBytes(dst, v, flexible)
}
