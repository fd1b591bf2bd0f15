package broker

import (
	"encoding/binary"
	"fmt"
	"math"

	"millrace/internal/kafka/batch"
)

// Where a record says which schema it was written with. The last header wins over what the key or value begins with:
//
//	prefix   key or value: 00 | id (int32)  | [Protobuf: message indexes] | payload
//	header   __key_schema_id or __value_schema_id:
//	         01 | GUID (16 bytes) | [Protobuf: message indexes]
//	         00 | id (int32)      | [Protobuf: message indexes]
//
// The message indexes are zigzag varints, a count and as many indexes; the count 0 stands for the first message, [0].
const (
	magicID   = 0
	magicGUID = 1

	// mostIndexes: messages do not nest deeper in a schema that the registry takes.
	mostIndexes = 64
	// mostIndexBytes: an int32 takes no more.
	mostIndexBytes = 5
)

// idOf finds what a record says, from its magic byte on. Without an id there is a refusal, or, for a null key or value, none:
// a tombstone has no schema (and Kafka Connect, Streams and compaction need tombstones).
func (s *schemaSide) idOf(r *batch.Raw) (id []byte, refusal string) {
	data := r.Value
	if s.key {
		data = r.Key
	}
	if data == nil {
		return nil, ""
	}
	if header, found := r.LastHeader(s.header()); found {
		if len(header) == 0 || header[0] > magicGUID || len(header) < idSize(header) {
			return nil, fmt.Sprintf("the header %s holds %s, not a schema id: 0 and 4 bytes of id, or 1 and 16 bytes of GUID", s.header(), start(header))
		}
		return header, ""
	}
	if len(data) < 1+4 || data[0] != magicID {
		return nil, fmt.Sprintf("it begins with %s, not with a schema id (0 and 4 bytes); produce it with a serializer of the schema registry, or set %s=false on the topic",
			start(data), s.setting())
	}
	return data, ""
}

const noIndexes = "the id is of a Protobuf schema, but no message indexes follow it; produce it with a Protobuf serializer of the schema registry"

// start shows what stands in the place of a schema id.
func start(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("% x", b[:min(len(b), 1+4)])
}

// idSize is how long the id is that begins with this magic byte.
func idSize(id []byte) int {
	if id[0] == magicGUID {
		return 1 + 16
	}
	return 1 + 4
}

// indexesSize is how many bytes the message indexes take that b begins with.
func indexesSize(b []byte) (size int, ok bool) {
	count, size := binary.Varint(b)
	if size <= 0 || size > mostIndexBytes || count < 0 || count > mostIndexes {
		return 0, false
	}
	for range count {
		index, n := binary.Varint(b[size:])
		if n <= 0 || n > mostIndexBytes || index < 0 || index > math.MaxInt32 {
			return 0, false
		}
		size += n
	}
	return size, true
}

// messageIndexes are the indexes in b, which indexesSize has measured; nil when there are none to read.
func messageIndexes(b []byte) (indexes []int) {
	if len(b) == 0 {
		return nil
	}
	count, n := binary.Varint(b)
	if count == 0 {
		return []int{0}
	}
	for range count {
		b = b[n:]
		var index int64
		index, n = binary.Varint(b)
		indexes = append(indexes, int(index))
	}
	return indexes
}
