package record

import (
	"fmt"

	"millrace/internal/kafka/wire"
)

// Metadata is a record of the metadata log.
type Metadata interface {
	APIKey() int16
	AppendTo(dst []byte, version int16) []byte
	ReadFrom(src []byte, version int16) error
}

// metadataFrame is the version of what stands before each record of the metadata log.
const metadataFrame = 1

// AppendMetadata writes the value of a record of the metadata log:
//
//	frame version uvarint = 1 | number uvarint | version uvarint | message
func AppendMetadata(dst []byte, m Metadata, version int16) []byte {
	dst = wire.AppendUvarint(dst, metadataFrame)
	dst = wire.AppendUvarint(dst, uint32(m.APIKey()))
	dst = wire.AppendUvarint(dst, uint32(version))
	return m.AppendTo(dst, version)
}

// ParseMetadata reads the value of a record of the metadata log. The error wraps ErrUnknown for a frame, a number or a
// version that came after Kafka 4.3. Unlike other records, bytes that follow are an error: what is not understood here
// must not be passed over.
func ParseMetadata(value []byte) (Metadata, int16, error) {
	in := wire.NewReader(value)
	frame, key, version := in.Uvarint(), in.Uvarint(), in.Uvarint()
	if err := in.Err(); err != nil {
		return nil, 0, fmt.Errorf("the frame of a metadata record: %w", err)
	}
	if frame != metadataFrame {
		return nil, 0, fmt.Errorf("%w: metadata frame version %d", ErrUnknown, frame)
	}
	if key > 1<<15-1 || version > 1<<15-1 {
		return nil, 0, fmt.Errorf("%w: metadata record %d version %d", ErrUnknown, key, version)
	}
	m := NewMetadata(int16(key))
	if m == nil || !has(m.(message), int16(version)) {
		return nil, 0, fmt.Errorf("%w: metadata record %d version %d", ErrUnknown, key, version)
	}
	m.(message).readFrom(&in, int16(version))
	if err := in.Err(); err != nil {
		return nil, 0, fmt.Errorf("metadata record %d version %d: %w", key, version, err)
	}
	if in.Len() > 0 {
		return nil, 0, fmt.Errorf("metadata record %d version %d: %d bytes follow it", key, version, in.Len())
	}
	return m, int16(version), nil
}
