package serde

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Part is a part of a record that has a schema of its own.
type Part bool

const (
	Value Part = false
	Key   Part = true
)

func (p Part) String() string {
	if p == Key {
		return "key"
	}
	return "value"
}

// header is the name of the record header that carries a part's id.
func (p Part) header() string {
	if p == Key {
		return "__key_schema_id"
	}
	return "__value_schema_id"
}

func (p Part) of(r *kgo.Record) []byte {
	if p == Key {
		return r.Key
	}
	return r.Value
}

func (p Part) set(r *kgo.Record, b []byte) {
	if p == Key {
		r.Key = b
	} else {
		r.Value = b
	}
}

// ID is what a record says of its schema: a number in front of the payload, or in a header mostly a GUID.
//
//	in front   00 | number, 4 bytes, big endian | indexes of a Protobuf message | payload
//	in header  01 | GUID, 16 bytes              | indexes of a Protobuf message            the payload stands alone
//	in header  00 | number, 4 bytes, big endian | indexes of a Protobuf message            the payload stands alone
type ID struct {
	Number int    // in the registry's context; 0 when there is a GUID
	GUID   string // like 8be4df61-93ca-11d2-aa0d-00e098032b8c
	Header bool   // it stood in a header
}

func (id ID) String() string {
	if id.GUID != "" {
		return "schema GUID " + id.GUID
	}
	return fmt.Sprintf("schema id %d", id.Number)
}

const (
	magicNumber = 0
	magicGUID   = 1
)

// FindID gives the id that a part of a record carries. A null carries none. A value that is not in the wire format carries none either,
// unless it happens to begin with a zero byte: then the number is whatever follows.
func FindID(r *kgo.Record, part Part) (ID, bool) {
	b := part.of(r)
	if b == nil {
		return ID{}, false
	}
	h := lastHeader(r, part)
	if h != nil {
		b = h.Value
	} else if len(b) == 0 || b[0] != magicNumber { // most values without a schema end here, and quickly
		return ID{}, false
	}
	id, _, err := readID(b)
	id.Header = h != nil
	return id, err == nil
}

// lastHeader is the header that carries a part's id: the last one counts.
func lastHeader(r *kgo.Record, part Part) *kgo.RecordHeader {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == part.header() {
			return &r.Headers[i]
		}
	}
	return nil
}

// split takes a part of a record apart. after is what follows the id: the indexes of a Protobuf message, and behind them the payload
// unless the id stood in a header.
func split(r *kgo.Record, part Part) (id ID, after, payload []byte, err error) {
	b := part.of(r)
	if b == nil {
		return ID{}, nil, nil, ErrNull
	}
	if h := lastHeader(r, part); h != nil {
		id, after, err := readID(h.Value)
		if err != nil {
			return ID{}, nil, nil, fmt.Errorf("%w: its header %s holds %d bytes that are none", ErrNoID, h.Key, len(h.Value))
		}
		id.Header = true
		return id, after, b, nil
	}
	if len(b) > 0 && b[0] != magicNumber {
		return ID{}, nil, nil, fmt.Errorf("%w: its first byte is %d, not 0; write it with a schema serializer or read it without a schema", ErrNoID, b[0])
	}
	id, after, err = readID(b)
	if err != nil && len(b) >= 5 {
		return ID{}, nil, nil, fmt.Errorf("%w: it begins with zeros, and no schema has the id 0", ErrNoID)
	}
	if err != nil {
		return ID{}, nil, nil, fmt.Errorf("%w: it has only %d bytes; write it with a schema serializer or read it without a schema", ErrNoID, len(b))
	}
	return id, after, after, nil
}

var errNoID = errors.New("no id")

func readID(b []byte) (ID, []byte, error) {
	switch {
	case len(b) >= 5 && b[0] == magicNumber && binary.BigEndian.Uint32(b[1:]) != 0:
		return ID{Number: int(binary.BigEndian.Uint32(b[1:]))}, b[5:], nil
	case len(b) >= 17 && b[0] == magicGUID:
		return ID{GUID: formatGUID([16]byte(b[1:17]))}, b[17:], nil
	}
	return ID{}, nil, errNoID
}

// join writes a payload with its schema's id into a part of a record.
func join(r *kgo.Record, part Part, s *Schema, index []int, payload []byte, inHeader bool) error {
	r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == part.header() })
	if !inHeader {
		if s.ID == 0 {
			return fmt.Errorf("%s: its number is not known, which a prefix needs: write with InHeader, or choose the schema by its number", s)
		}
		b := make([]byte, 0, 5+8+len(payload))
		b = binary.BigEndian.AppendUint32(append(b, magicNumber), uint32(s.ID))
		part.set(r, append(appendIndex(b, index), payload...))
		return nil
	}
	guid, err := parseGUID(s.GUID)
	if err != nil {
		return fmt.Errorf("%s: the registry gave no GUID, which a header needs: leave InHeader out", s)
	}
	b := append([]byte{magicGUID}, guid[:]...)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: part.header(), Value: appendIndex(b, index)})
	if payload == nil {
		payload = []byte{} // null would be a tombstone
	}
	part.set(r, payload)
	return nil
}

// appendIndex writes the path to a Protobuf message: a count and that many indexes, as zig-zag varints. The first message of a file,
// which is what nearly everybody writes, is a single zero. Other formats have no path: nil.
func appendIndex(b []byte, index []int) []byte {
	if index == nil {
		return b
	}
	if len(index) == 1 && index[0] == 0 {
		return append(b, 0)
	}
	b = binary.AppendVarint(b, int64(len(index)))
	for _, i := range index {
		b = binary.AppendVarint(b, int64(i))
	}
	return b
}

// maxMessageDepth bounds the path to a Protobuf message.
const maxMessageDepth = 64

func readIndex(b []byte) (index []int, rest []byte, err error) {
	n, b, err := readIndexNumber(b)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		return []int{0}, b, nil
	}
	if n > maxMessageDepth {
		return nil, nil, fmt.Errorf("%w: the message is said to lie %d levels deep", ErrMisfit, n)
	}
	index = make([]int, n)
	for i := range index {
		if index[i], b, err = readIndexNumber(b); err != nil {
			return nil, nil, err
		}
	}
	return index, b, nil
}

func readIndexNumber(b []byte) (int, []byte, error) {
	v, n := binary.Varint(b)
	if n <= 0 || v < 0 || v > 1<<20 {
		return 0, nil, fmt.Errorf("%w: the indexes of the Protobuf message are cut off or no numbers", ErrMisfit)
	}
	return int(v), b[n:], nil
}

func formatGUID(g [16]byte) string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func parseGUID(text string) (g [16]byte, err error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return g, errNoID
	}
	_, err = hex.Decode(g[:], []byte(text[:8]+text[9:13]+text[14:18]+text[19:23]+text[24:]))
	return g, err
}
