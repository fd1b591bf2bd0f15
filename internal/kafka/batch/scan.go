package batch

import (
	"encoding/binary"
	"hash/crc32"
	"unsafe"
)

// Raw is a record whose headers are left as they came: a batch of a stranger may hold millions of empty ones, which take
// twenty times their bytes once they are decoded. Nothing of it is copied.
type Raw struct {
	Key, Value []byte // nil is null
	headers    []byte // checked: they can be read
	count      int32
}

// Scan calls f with every record of one whole batch and its place in the batch, in order, until f gives an error. It takes
// what Each takes and refuses what Each refuses. What f gets is valid until it returns.
func Scan(b []byte, maxDecompressed int, f func(i int, r *Raw) error) error {
	scratch := buffers.get()
	defer buffers.put(scratch)
	h, payload, err := open(b, maxDecompressed, scratch)
	if err != nil {
		return err
	}
	if err := checkCount(&h, payload); err != nil {
		return err
	}
	w := walk{h: &h, b: payload}
	if err := w.until(len(payload), f); err != nil {
		return err
	}
	return w.end()
}

// window is how much is summed before its records are read: what the nearest caches hold.
const window = 16 << 10

// ScanSummed is CheckCRC and Scan of an uncompressed batch in one pass: two passes over a large batch fetch the heads of its records
// twice from slow memory, which costs more than judging them. So f is called before the checksum of the whole is known. When it is
// wrong, sound is false and nothing that f or err have said counts.
func ScanSummed(b []byte, f func(i int, r *Raw) error) (sound bool, err error) {
	h, payload, err := open(b, 0, nil)
	if err == nil {
		err = checkCount(&h, payload)
	}
	if err != nil {
		return CheckCRC(b), err
	}
	w := walk{h: &h, b: payload}
	crc := crc32.Update(0, castagnoli, b[attributesAt:HeaderSize])
	for at := 0; at < len(payload); at += window {
		end := min(at+window, len(payload))
		crc = crc32.Update(crc, castagnoli, payload[at:end])
		if err == nil {
			err = w.until(end, f)
		}
	}
	if err == nil {
		err = w.end()
	}
	return crc == h.CRC, err
}

// walk is the way through the records of a batch.
type walk struct {
	h  *Header
	b  []byte // the records
	i  int32  // the next record
	at int    // where it begins
	r  Raw
}

// until calls f with the records that begin before end.
func (w *walk) until(end int, f func(i int, r *Raw) error) error {
	for ; w.i < w.h.Count && w.at < end; w.i++ {
		next := w.r.read(w.b, w.at)
		if next < 0 {
			return corrupt("record %d of %d cannot be read", w.i, w.h.Count)
		}
		if err := f(int(w.i), &w.r); err != nil {
			return err
		}
		w.at = next
	}
	return nil
}

// end says what is wrong with the end: records that are missing, or bytes that are none.
func (w *walk) end() error {
	if w.i < w.h.Count {
		return corrupt("record %d of %d cannot be read", w.i, w.h.Count)
	}
	return checkRest(&cursor{b: w.b[w.at:]})
}

// read reads the record at b[at:] and gives where the next one begins, -1 if it cannot be read. It does what cursor.record does,
// by positions instead of slices, since the produce path would feel the difference.
func (r *Raw) read(b []byte, at int) (next int) {
	if next = r.readShort(b, at); next >= 0 {
		return next
	}
	n, at := varintAt(b, at)
	if at < 0 || n < minRecordSize-1 || n > int64(len(b)-at) {
		return -1
	}
	next = at + int(n)
	b = b[:next]
	_, at = varintAt(b, at+1) // timestamp delta, behind the attributes
	delta, at := varintAt(b, at)
	if r.Key, at = bytesAt(b, at); at < 0 || int64(int32(delta)) != delta {
		return -1
	}
	if r.Value, at = bytesAt(b, at); at < 0 {
		return -1
	}
	count, at := varintAt(b, at)
	if at < 0 || count < 0 || count > int64(len(b)-at)/minHeaderSize {
		return -1
	}
	r.headers, r.count = b[at:], int32(count)
	if !r.headersEnd() {
		return -1
	}
	return next
}

// readShort reads what most records are: each of their varints takes one or two bytes, and there are no headers. Of others it says
// -1, also of those that nobody can read.
func (r *Raw) readShort(b []byte, at int) (next int) {
	n, at := short(b, at)
	next = at + n
	if n < 0 || next > len(b) || next <= at {
		return -1
	}
	_, at = short(b, at+1)
	_, at = short(b, at)
	key, at := short(b, at)
	if key < -1 || at+key > next {
		return -1
	}
	r.Key = nil
	if key >= 0 {
		r.Key = b[at : at+key : at+key]
		at += key
	}
	value, at := short(b, at)
	if value < -1 || at+value >= next {
		return -1
	}
	r.Value = nil
	if value >= 0 {
		r.Value = b[at : at+value : at+value]
		at += value
	}
	if at+1 != next || b[at] != 0 { // the number of headers
		return -1
	}
	r.headers, r.count = nil, 0
	return next
}

// tooLong is no varint that short reads. Added to a position it stays out of every batch.
const tooLong = -1 << 40

// short reads a zigzag varint of one or two bytes and gives where it ends; a longer one is tooLong, and so is its end.
func short(b []byte, at int) (v, next int) {
	if uint(at)+1 >= uint(len(b)) {
		return tooLong, tooLong
	}
	x, y := int(b[at]), int(b[at+1])
	if x < 0x80 {
		return x>>1 ^ -(x & 1), at + 1
	}
	if y < 0x80 {
		x = x&0x7f | y<<7
		return x>>1 ^ -(x & 1), at + 2
	}
	return tooLong, tooLong
}

// bytesAt reads a length, -1 for null, and as many bytes.
func bytesAt(b []byte, at int) (v []byte, next int) {
	n, at := varintAt(b, at)
	switch {
	case at < 0 || n < -1 || n > int64(len(b)-at):
		return nil, -1
	case n < 0:
		return nil, at
	}
	return b[at : at+int(n) : at+int(n)], at + int(n)
}

// headersEnd says whether the headers can be read and fill their bytes.
func (r *Raw) headersEnd() bool {
	if r.count == 0 {
		return len(r.headers) == 0
	}
	c := cursor{b: r.headers}
	for range r.count {
		if c.bytes() == nil { // the key of a header cannot be null
			return false
		}
		c.bytes()
	}
	return !c.bad && len(c.b) == 0
}

// varintAt reads a zigzag varint and gives where it ends, -1 if it does not or if at is -1 already.
func varintAt(b []byte, at int) (v int64, next int) {
	if at < 0 || at > len(b) {
		return 0, -1
	}
	v, n := binary.Varint(b[at:])
	if n <= 0 {
		return 0, -1
	}
	return v, at + n
}

// HasHeaders says whether there is any.
func (r *Raw) HasHeaders() bool { return r.count > 0 }

// LastHeader is the value of the last header of that name.
func (r *Raw) LastHeader(name string) (value []byte, found bool) {
	c := cursor{b: r.headers}
	for range r.count {
		key := c.bytes()
		v := c.bytes()
		if unsafe.String(unsafe.SliceData(key), len(key)) == name {
			value, found = v, true
		}
	}
	return value, found
}
