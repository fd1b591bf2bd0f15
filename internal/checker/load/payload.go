package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The value of a record:
//
//	value 8 | key 4 | record time in ms 8 | crc32 of all else 4 | a pattern that the value decides
//
// The record's key is the value in decimal, its one header is "v" with the same. So a reader knows each byte it should get
// (reliability DUR-1) without asking the writer.
const payloadHead = 24

func makeRecord(topic string, partition int32, key int, value int64, size int, now time.Time) *kgo.Record {
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, uint64(value))
	binary.BigEndian.PutUint32(b[8:], uint32(key))
	binary.BigEndian.PutUint64(b[12:], uint64(now.UnixMilli()))
	for i := payloadHead; i < len(b); i++ {
		b[i] = byte(value*31 + int64(i)*7)
	}
	binary.BigEndian.PutUint32(b[20:], payloadCRC(b))
	name := strconv.AppendInt(nil, value, 10)
	return &kgo.Record{Topic: topic, Partition: partition, Key: name, Value: b, Timestamp: time.UnixMilli(now.UnixMilli()),
		Headers: []kgo.RecordHeader{{Key: "v", Value: name}}}
}

func payloadCRC(b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(b[:20]), crc32.IEEETable, b[payloadHead:])
}

// readRecord returns the value, or an error that says what is not as it was sent.
func readRecord(rec *kgo.Record, key int32) (int64, error) {
	b := rec.Value
	if len(b) < payloadHead || payloadCRC(b) != binary.BigEndian.Uint32(b[20:]) {
		return 0, fmt.Errorf("value of %d bytes does not have its checksum", len(b))
	}
	value := int64(binary.BigEndian.Uint64(b))
	name := strconv.AppendInt(nil, value, 10)
	ms := int64(binary.BigEndian.Uint64(b[12:]))
	switch {
	case int32(binary.BigEndian.Uint32(b[8:])) != key:
		return 0, fmt.Errorf("value %d was sent to key %d", value, binary.BigEndian.Uint32(b[8:]))
	case !bytes.Equal(rec.Key, name):
		return 0, fmt.Errorf("value %d has key %q", value, rec.Key)
	case len(rec.Headers) != 1 || rec.Headers[0].Key != "v" || !bytes.Equal(rec.Headers[0].Value, name):
		return 0, fmt.Errorf("value %d has headers %v", value, rec.Headers)
	case rec.Attrs.TimestampType() == 0 && rec.Timestamp.UnixMilli() != ms:
		return 0, fmt.Errorf("value %d was sent with time %d and has %d", value, ms, rec.Timestamp.UnixMilli())
	}
	return value, nil
}
