package batch

import (
	"encoding/binary"
	"unsafe"
)

// Record is one record of a batch. Its offset and timestamp are deltas to those of the batch.
type Record struct {
	Attributes     int8
	TimestampDelta int64
	OffsetDelta    int32
	Key, Value     []byte // nil is null
	Headers        []RecordHeader
}

// RecordHeader is a key and a value that may be null.
type RecordHeader struct {
	Key   string
	Value []byte
}

const (
	// minRecordSize: seven fields of one byte.
	minRecordSize = 7
	// minHeaderSize: an empty key and a null value.
	minHeaderSize = 2
)

// cursor takes varints off a slice. The first failure sticks.
type cursor struct {
	b   []byte
	bad bool
}

// varint is a zigzag-coded varint of up to 64 bits.
func (c *cursor) varint() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := int64(c.b[0]>>1) ^ -int64(c.b[0]&1)
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varint32 is a varint of up to 32 bits.
func (c *cursor) varint32() int32 {
	v := c.varint()
	if int64(int32(v)) != v {
		c.fail()
		return 0
	}
	return int32(v)
}

// bytes takes a length and as many bytes; -1 is null, any other negative length a failure.
func (c *cursor) bytes() []byte {
	n := c.varint32()
	if n < 0 {
		if n < -1 {
			c.fail()
		}
		return nil
	}
	if int(n) > len(c.b) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) fail() {
	c.bad = true
	c.b = nil
}

// record decodes the next record into r, whose Headers are used again, and returns its bytes, length included.
func (c *cursor) record(r *Record) (raw []byte, ok bool) {
	start := c.b
	n := c.varint32()
	if c.bad || n < minRecordSize-1 || int(n) > len(c.b) {
		return nil, false
	}
	body := cursor{b: c.b[:n:n]}
	c.b = c.b[n:]
	r.Attributes = int8(body.b[0])
	body.b = body.b[1:]
	r.TimestampDelta = body.varint()
	r.OffsetDelta = body.varint32()
	r.Key = body.bytes()
	r.Value = body.bytes()
	body.headers(r)
	return start[:len(start)-len(c.b)], !body.bad && len(body.b) == 0
}

func (c *cursor) headers(r *Record) {
	r.Headers = r.Headers[:0]
	n := c.varint32()
	if n < 0 || int(n) > len(c.b)/minHeaderSize {
		c.fail()
		return
	}
	for ; n > 0 && !c.bad; n-- {
		key := c.bytes()
		if key == nil { // the key of a header cannot be null
			c.fail()
			return
		}
		r.Headers = append(r.Headers, RecordHeader{Key: unsafe.String(unsafe.SliceData(key), len(key)), Value: c.bytes()})
	}
}

// appendRecord writes r with its length in front.
func appendRecord(dst []byte, r *Record) []byte {
	dst = binary.AppendVarint(dst, int64(recordBodySize(r)))
	dst = append(dst, byte(r.Attributes))
	dst = binary.AppendVarint(dst, r.TimestampDelta)
	dst = binary.AppendVarint(dst, int64(r.OffsetDelta))
	dst = appendVarBytes(dst, r.Key)
	dst = appendVarBytes(dst, r.Value)
	dst = binary.AppendVarint(dst, int64(len(r.Headers)))
	for i := range r.Headers {
		dst = binary.AppendVarint(dst, int64(len(r.Headers[i].Key)))
		dst = append(dst, r.Headers[i].Key...)
		dst = appendVarBytes(dst, r.Headers[i].Value)
	}
	return dst
}

func appendVarBytes(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 1) // -1
	}
	dst = binary.AppendVarint(dst, int64(len(v)))
	return append(dst, v...)
}

func recordBodySize(r *Record) int {
	n := 1 + varintSize(r.TimestampDelta) + varintSize(int64(r.OffsetDelta)) + varBytesSize(r.Key) + varBytesSize(r.Value)
	n += varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		n += varintSize(int64(len(r.Headers[i].Key))) + len(r.Headers[i].Key) + varBytesSize(r.Headers[i].Value)
	}
	return n
}

// RecordSize is what a record takes in an uncompressed batch.
func RecordSize(r *Record) int {
	n := recordBodySize(r)
	return varintSize(int64(n)) + n
}

func varBytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + len(v)
}

func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
