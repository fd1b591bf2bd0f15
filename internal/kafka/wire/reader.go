package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// Errors of parsing. All of them mean that the peer does not speak the protocol, or not this version of it.
var (
	ErrTruncated = errors.New("the message ends in the middle of a field")
	ErrLength    = errors.New("a length is negative, or larger than what follows it")
	ErrNull      = errors.New("a field that cannot be null is null")
	ErrVarint    = errors.New("a varint is longer than its type")
	ErrVersion   = errors.New("this version of the message is not known")
	ErrTooMany   = errors.New("the request names too many partitions")
)

// Reader takes Kafka's primitive types off a byte slice. The first failure sticks: what is read after it is zero, and
// Err tells what went wrong, so a parser checks once per message and where it is about to allocate.
//
// Strings and bytes alias the slice.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err is the first failure.
func (r *Reader) Err() error { return r.err }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.b) }

// Rest is what has not been read.
func (r *Reader) Rest() []byte { return r.b }

// Fail makes err the first failure, if there was none.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *Reader) Int8() int8 {
	if len(r.b) < 1 {
		r.Fail(ErrTruncated)
		return 0
	}
	v := int8(r.b[0])
	r.b = r.b[1:]
	return v
}

func (r *Reader) Bool() bool { return r.Int8() != 0 }

func (r *Reader) Int16() int16 {
	if len(r.b) < 2 {
		r.Fail(ErrTruncated)
		return 0
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return int16(v)
}

func (r *Reader) Uint16() uint16 { return uint16(r.Int16()) }

func (r *Reader) Int32() int32 {
	if len(r.b) < 4 {
		r.Fail(ErrTruncated)
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return int32(v)
}

func (r *Reader) Uint32() uint32 { return uint32(r.Int32()) }

func (r *Reader) Int64() int64 {
	if len(r.b) < 8 {
		r.Fail(ErrTruncated)
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return int64(v)
}

func (r *Reader) Float64() float64 { return math.Float64frombits(uint64(r.Int64())) }

func (r *Reader) UUID() UUID {
	var u UUID
	if len(r.b) < len(u) {
		r.Fail(ErrTruncated)
		return u
	}
	copy(u[:], r.b)
	r.b = r.b[len(u):]
	return u
}

// Uvarint is an unsigned varint of at most 32 bits.
func (r *Reader) Uvarint() uint32 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint32(v)
	}
	v, n := binary.Uvarint(r.b)
	if n == 0 {
		r.Fail(ErrTruncated)
		return 0
	}
	if n < 0 || n > 5 || v > math.MaxUint32 {
		r.Fail(ErrVarint)
		return 0
	}
	r.b = r.b[n:]
	return uint32(v)
}

// Take is the next n bytes.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail(ErrTruncated)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// length reads the length of a string (short), -1 for null; compact lengths are stored plus one.
func (r *Reader) stringLength(flexible bool) int {
	if !flexible {
		return int(r.Int16())
	}
	return r.compactLength()
}

func (r *Reader) length(flexible bool) int {
	if !flexible {
		return int(r.Int32())
	}
	return r.compactLength()
}

func (r *Reader) compactLength() int {
	v := r.Uvarint()
	if v > math.MaxInt32 {
		r.Fail(ErrLength)
		return 0
	}
	return int(v) - 1
}

// NullableString is a string that aliases the message; ok is false for null.
func (r *Reader) NullableString(flexible bool) (s string, ok bool) {
	n := r.stringLength(flexible)
	if n < 0 || r.err != nil {
		if n < -1 {
			r.Fail(ErrLength)
		}
		return "", false
	}
	if n > maxString {
		r.Fail(ErrLength)
		return "", false
	}
	return aliasString(r.Take(n)), r.err == nil
}

// String is a string that aliases the message.
func (r *Reader) String(flexible bool) string {
	s, ok := r.NullableString(flexible)
	if !ok {
		r.Fail(ErrNull)
	}
	return s
}

// NullableBytes aliases the message; nil is null, and empty bytes are not nil.
func (r *Reader) NullableBytes(flexible bool) []byte {
	n := r.length(flexible)
	if n < 0 || r.err != nil {
		if n < -1 {
			r.Fail(ErrLength)
		}
		return nil
	}
	b := r.Take(n)
	if b == nil && r.err == nil {
		b = []byte{}
	}
	return b
}

// Bytes aliases the message.
func (r *Reader) Bytes(flexible bool) []byte {
	b := r.NullableBytes(flexible)
	if b == nil {
		r.Fail(ErrNull)
	}
	return b
}

// NullableArray is the number of elements of an array, -1 for null. A count that cannot fit into the bytes that are
// left, with minSize bytes (at least 1) for an element, fails here, before anybody allocates.
func (r *Reader) NullableArray(flexible bool, minSize int) int {
	n := r.length(flexible)
	if n < 0 || r.err != nil {
		if n < -1 {
			r.Fail(ErrLength)
		}
		return -1
	}
	if n > len(r.b)/max(minSize, 1) {
		r.Fail(ErrLength)
		return -1
	}
	return n
}

// Array is NullableArray where null is a failure. It is 0 after a failure.
func (r *Reader) Array(flexible bool, minSize int) int {
	n := r.NullableArray(flexible, minSize)
	if n < 0 {
		r.Fail(ErrNull)
		return 0
	}
	return n
}

// TagCount is the number of tagged fields of a struct.
func (r *Reader) TagCount() int {
	n := r.Uvarint()
	if int64(n) > int64(len(r.b)/2) { // each is at least a number and a size
		r.Fail(ErrLength)
		return 0
	}
	return int(n)
}

// Tag is the number of the next tagged field and a reader over exactly its bytes.
func (r *Reader) Tag() (tag uint32, value Reader) {
	tag = r.Uvarint()
	n := r.Uvarint()
	if int64(n) > int64(len(r.b)) {
		r.Fail(ErrLength)
		return tag, Reader{err: r.err}
	}
	return tag, Reader{b: r.Take(int(n)), err: r.err}
}

// SkipTags passes over all tagged fields of a struct.
func (r *Reader) SkipTags() {
	if len(r.b) > 0 && r.b[0] == 0 {
		r.b = r.b[1:]
		return
	}
	for n := r.TagCount(); n > 0 && r.err == nil; n-- {
		r.Tag()
	}
}

func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
