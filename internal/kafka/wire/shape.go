package wire

// A shape is how one version of a message, or a part of it, lies in bytes: what has to be known to walk over it.
type shape struct {
	kind  kind
	null  bool
	size  int     // the least bytes that it takes; exactly so many if fixed
	fixed bool    // no lengths, no tags, no null
	parts []shape // the fields of a struct, the element of an array
}

type kind int8

const (
	kindFixed kind = iota
	kindString
	kindBytes
	kindStruct
	kindArray
)

// CheckShape walks over the body of a request and fails where a length, a count of elements or a count of tagged fields
// is more than the bytes that are left can hold, and where null stands that may not. It allocates nothing and takes time
// in proportion to the body.
//
// What it lets pass kmsg decodes, reading the same fields at the same places. kmsg by itself counts tagged fields down
// from whatever number it reads, four billion as well, and makes room for arrays before it sees that they cannot
// fit. Bytes after the last field are passed over, as Kafka does. ErrVersion: the table does not have this request.
func CheckShape(key Key, version int16, body []byte) error {
	_, err := walk(key, version, body)
	return err
}

// walk is CheckShape, and the number of bytes left over.
func walk(key Key, version int16, body []byte) (left int, err error) {
	s := shapeOf(key, version)
	if s == nil {
		return len(body), ErrVersion
	}
	r := NewReader(body)
	s.walk(&r, Flexible(key, version))
	return r.Len(), r.Err()
}

func shapeOf(key Key, version int16) *shape {
	if !key.Known() || version < 0 || int(version) >= len(shapes[key]) {
		return nil
	}
	return shapes[key][version]
}

func (s *shape) walk(r *Reader, flexible bool) {
	switch {
	case s.fixed:
		r.Take(s.size)
	case s.kind == kindString && s.null:
		r.NullableString(flexible)
	case s.kind == kindString:
		r.String(flexible)
	case s.kind == kindBytes && s.null:
		r.NullableBytes(flexible)
	case s.kind == kindBytes:
		r.Bytes(flexible)
	case s.kind == kindArray:
		s.walkArray(r, flexible)
	case s.kind == kindStruct:
		s.walkStruct(r, flexible)
	}
}

func (s *shape) walkArray(r *Reader, flexible bool) {
	element := &s.parts[0]
	n := r.NullableArray(flexible, element.size)
	if n < 0 && !s.null {
		r.Fail(ErrNull)
	}
	if element.fixed && n > 0 {
		r.Take(n * element.size)
		return
	}
	for ; n > 0 && r.err == nil; n-- {
		element.walk(r, flexible)
	}
}

func (s *shape) walkStruct(r *Reader, flexible bool) {
	if s.null {
		// A byte: -1 for null, 1 for a struct. kmsg takes everything but -1 for a struct, Kafka everything below 0 for
		// null; where they disagree it is neither.
		switch present := r.Int8(); {
		case present == -1:
			return
		case present < 0:
			r.Fail(ErrLength)
		}
	}
	for i := range s.parts {
		if r.err != nil {
			return
		}
		s.parts[i].walk(r, flexible)
	}
	if flexible {
		r.SkipTags()
	}
}
