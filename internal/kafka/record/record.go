// Package record has the records of Kafka's internal topics and of its metadata log as Go structs.
//
// The structs and their codecs are generated from schema.txt (go generate). A record whose fields have defaults other
// than zero must be made with its New function or SetDefaults: PartitionChangeRecord{} would make broker 0 the leader.
//
// A nullable string is a *string, a nullable struct a pointer, a nullable array or byte block a slice where nil is
// null. Reading copies: a record does not alias the bytes it came from.
package record

//go:generate go run ./gen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"millrace/internal/kafka/wire"
)

// ErrUnknown: a record number or version that this version of the software does not know. Test with errors.Is.
var ErrUnknown = errors.New("unknown record")

// message is what every generated record can do.
type message interface {
	SetDefaults()
	Versions() (first, last int16)
	AppendTo(dst []byte, version int16) []byte
	ReadFrom(src []byte, version int16) error
	readFrom(in *wire.Reader, version int16)
}

func has(m message, version int16) bool {
	first, last := m.Versions()
	return version >= first && version <= last
}

func mustHave(m message, name string, version int16) {
	if !has(m, version) {
		panic(fmt.Sprintf("record: %s has no version %d", name, version))
	}
}

func read(m message, name string, src []byte, version int16) error {
	if !has(m, version) {
		return fmt.Errorf("%w: %s version %d", ErrUnknown, name, version)
	}
	in := wire.NewReader(src)
	m.readFrom(&in, version)
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s version %d: %w", name, version, err)
	}
	return nil
}

func readString(in *wire.Reader, flexible bool) string { return strings.Clone(in.String(flexible)) }

func readNullableString(in *wire.Reader, flexible bool) *string {
	s, ok := in.NullableString(flexible)
	if !ok {
		return nil
	}
	s = strings.Clone(s)
	return &s
}

func readBytes(in *wire.Reader, flexible bool) []byte { return bytes.Clone(in.Bytes(flexible)) }

func readNullableBytes(in *wire.Reader, flexible bool) []byte {
	return bytes.Clone(in.NullableBytes(flexible))
}

func lengthOrNull[T any](s []T) int {
	if s == nil {
		return -1
	}
	return len(s)
}

// insertSize puts the size of a tagged field in front of its bytes, which begin at start.
func insertSize(dst []byte, start int) []byte {
	size := uint32(len(dst) - start)
	n := wire.UvarintSize(size)
	dst = append(dst, make([]byte, n)...)
	copy(dst[start+n:], dst[start:])
	binary.PutUvarint(dst[start:], uint64(size))
	return dst
}
