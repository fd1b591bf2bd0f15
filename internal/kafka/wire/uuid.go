package wire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// UUID is a topic id, directory id or incarnation id. Zero means none.
type UUID [16]byte

// MetadataTopicID is the topic id of __cluster_metadata.
var MetadataTopicID = UUID{15: 1}

// The values below 100 that Kafka gives a meaning where a log directory's id stands.
var (
	DirectoryMigrating  = UUID{}      // not known, or moving between brokers that know no directories
	DirectoryUnassigned = UUID{15: 1} // the broker has not chosen one yet
	DirectoryLost       = UUID{15: 2} // the directory is gone
)

// String is the 22 characters of unpadded base64url that Kafka prints.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// IsZero says whether the id is the one that means none.
func (u UUID) IsZero() bool { return u == UUID{} }

// MarshalText lets a UUID stand in JSON and in maps.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (u *UUID) UnmarshalText(text []byte) error {
	p, err := ParseUUID(string(text))
	if err == nil {
		*u = p
	}
	return err
}

// ParseUUID reads the 22-character form, with or without the padding that Java accepts.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	t := strings.TrimSuffix(s, "==")
	if len(t) != 22 {
		return u, fmt.Errorf("%q is not an id: it needs 22 characters of base64url", s)
	}
	if _, err := base64.RawURLEncoding.Decode(u[:], []byte(t)); err != nil {
		return UUID{}, fmt.Errorf("%q is not an id: it needs 22 characters of base64url", s)
	}
	return u, nil
}

// NewUUID makes a random id (version 4) of 16 random bytes. It never returns an id that Kafka reserves, nor one whose
// printed form begins with a dash, which command lines would take for an option.
func NewUUID(hi, lo uint64) UUID {
	var u UUID
	binary.BigEndian.PutUint64(u[:8], hi)
	binary.BigEndian.PutUint64(u[8:], lo)
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	if u[0]>>2 == 62 { // '-' in base64url
		u[0] &^= 0x80
	}
	return u
}
