package batch

import "unsafe"

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
	var r Raw
	c := cursor{b: payload}
	for i := range h.Count {
		if !c.raw(&r) {
			return corrupt("record %d of %d cannot be read", i, h.Count)
		}
		if err := f(int(i), &r); err != nil {
			return err
		}
	}
	return checkRest(&c)
}

// raw is record without its headers.
func (c *cursor) raw(r *Raw) bool {
	n := c.varint32()
	if c.bad || n < minRecordSize-1 || int(n) > len(c.b) {
		return false
	}
	body := cursor{b: c.b[1:n:n]} // behind the attributes
	c.b = c.b[n:]
	body.varint()   // timestamp delta
	body.varint32() // offset delta
	r.Key = body.bytes()
	r.Value = body.bytes()
	r.count = body.varint32()
	r.headers = body.b
	if r.count < 0 || int(r.count) > len(body.b)/minHeaderSize {
		return false
	}
	for range r.count {
		if body.bytes() == nil { // the key of a header cannot be null
			return false
		}
		body.bytes()
	}
	return !body.bad && len(body.b) == 0
}

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
