package wire

// Header is what stands before every request:
//
//	key int16 | version int16 | correlation id int32 | client id: nullable string, never compact | tags, if flexible
type Header struct {
	Key           Key
	Version       int16
	CorrelationID int32
	ClientID      string // aliases the frame
	ClientIDNull  bool
	Body          []byte // aliases the frame
}

// ParseHeader reads the header of a frame without its length prefix. It does not judge key and version. The error is
// only for a frame that ends early; what came before is filled in.
func ParseHeader(frame []byte) (Header, error) {
	r := NewReader(frame)
	h := Header{Key: Key(r.Int16()), Version: r.Int16(), CorrelationID: r.Int32()}
	var ok bool
	h.ClientID, ok = r.NullableString(false)
	h.ClientIDNull = !ok
	if Flexible(h.Key, h.Version) {
		r.SkipTags()
	}
	h.Body = r.Rest()
	return h, r.Err()
}

// AppendRequestHeader writes a request header, for our own clients of the protocol and for tests.
func AppendRequestHeader(dst []byte, h Header) []byte {
	dst = AppendInt16(dst, int16(h.Key))
	dst = AppendInt16(dst, h.Version)
	dst = AppendInt32(dst, h.CorrelationID)
	if h.ClientIDNull {
		dst = AppendInt16(dst, -1)
	} else {
		dst = AppendString(dst, h.ClientID, false)
	}
	if Flexible(h.Key, h.Version) {
		dst = append(dst, 0)
	}
	return dst
}

// AppendResponseHeader writes the correlation id and, for a flexible version, no tags. ApiVersions never has tags
// here: its client does not know yet what the broker understands.
func AppendResponseHeader(dst []byte, k Key, version int16, correlationID int32) []byte {
	dst = AppendInt32(dst, correlationID)
	if k != ApiVersions && Flexible(k, version) {
		dst = append(dst, 0)
	}
	return dst
}
