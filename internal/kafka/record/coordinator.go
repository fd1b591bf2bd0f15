package record

import (
	"fmt"

	"millrace/internal/kafka/wire"
)

// The records of the coordinators' topics have a key and a value that both begin with an int16: in the key it is the
// type of the record, in the value the version of the message that follows. A null value is a tombstone.

// Appender is every record of this package.
type Appender interface {
	AppendTo(dst []byte, version int16) []byte
}

// AppendKey writes a key: the type, then the message. Keys have one version, 0.
func AppendKey(dst []byte, recordType int16, key Appender) []byte {
	return key.AppendTo(wire.AppendInt16(dst, recordType), 0)
}

// AppendValue writes a value: the version, then the message.
func AppendValue(dst []byte, version int16, value Appender) []byte {
	return value.AppendTo(wire.AppendInt16(dst, version), version)
}

// ParseOffsetsKey reads a key of __consumer_offsets: a pointer to OffsetCommitKey, GroupMetadataKey... The error wraps
// ErrUnknown for a type that is not known.
func ParseOffsetsKey(key []byte) (any, error) { return parseKey(newOffsetsKey, key) }

// ParseOffsetsValue reads the value that belongs to a key of this type: nil for a null value.
func ParseOffsetsValue(recordType int16, value []byte) (any, error) {
	return parseValue(newOffsetsValue, recordType, value)
}

// ParseTxnKey reads a key of __transaction_state.
func ParseTxnKey(key []byte) (any, error) { return parseKey(newTransactionKey, key) }

// ParseTxnValue reads a value of __transaction_state.
func ParseTxnValue(recordType int16, value []byte) (any, error) {
	return parseValue(newTransactionValue, recordType, value)
}

// ParseShareKey reads a key of __share_group_state.
func ParseShareKey(key []byte) (any, error) { return parseKey(newShareKey, key) }

// ParseShareValue reads a value of __share_group_state.
func ParseShareValue(recordType int16, value []byte) (any, error) {
	return parseValue(newShareValue, recordType, value)
}

// Type is the int16 at the beginning of a key.
func Type(key []byte) (int16, error) {
	in := wire.NewReader(key)
	t := in.Int16()
	return t, in.Err()
}

func parseKey(make func(int16) message, key []byte) (any, error) {
	t, err := Type(key)
	if err != nil {
		return nil, fmt.Errorf("a record's key: %w", err)
	}
	m := make(t)
	if m == nil {
		return nil, fmt.Errorf("%w: type %d", ErrUnknown, t)
	}
	if err := m.ReadFrom(key[2:], 0); err != nil {
		return nil, err
	}
	return m, nil
}

func parseValue(make func(int16) message, recordType int16, value []byte) (any, error) {
	m := make(recordType)
	if m == nil {
		return nil, fmt.Errorf("%w: type %d", ErrUnknown, recordType)
	}
	if value == nil {
		return nil, nil
	}
	in := wire.NewReader(value)
	version := in.Int16()
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("a record's value: %w", err)
	}
	if err := m.ReadFrom(in.Rest(), version); err != nil {
		return nil, err
	}
	return m, nil
}
