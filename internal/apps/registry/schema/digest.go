package schema

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Digest is the key under which the content of a schema is known: equal content, equal id.
type Digest [md5.Size]byte

// Digest is the MD5 over the schema as it stands; take it of the canonical or the normalized schema, never of raw text. The bytes, with
// no separator between them unless shown:
//
//	text in UTF-8
//	per reference, in their order:  name, subject, version (4 bytes, big endian)
//	if there is metadata:           1, then per tag path its path and tags, per property its name and value, the sensitive names
//	if there are rules:             1, then the migration, domain and encoding rules, then enableAt
//	  per rule:                     name doc kind mode type tags (param name, value)... expr onSuccess onFailure, 1 if disabled
//
// Maps and sets go in sorted order. This is the order that the clients' own classes use to make a GUID, so the same content has the
// same GUID in every registry. The type is not part of it: a text is a schema of one type only.
func (s Schema) Digest() Digest {
	h := md5.New()
	text := func(parts ...string) {
		for _, p := range parts {
			io.WriteString(h, p)
		}
	}
	text(s.Text)
	for _, r := range s.References {
		text(r.Name, r.Subject)
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(int32(r.Version))))
	}
	if s.Metadata != nil {
		h.Write([]byte{1})
		s.Metadata.digest(text)
	}
	if s.RuleSet != nil {
		h.Write([]byte{1})
		s.RuleSet.digest(text)
	}
	return Digest(h.Sum(nil))
}

func (m *Metadata) digest(text func(...string)) {
	for _, path := range sortedKeys(m.Tags) {
		text(path)
		text(NewSet(m.Tags[path]...)...)
	}
	for _, name := range sortedKeys(m.Properties) {
		text(name, m.Properties[name])
	}
	text(NewSet(m.Sensitive...)...)
}

func (r *RuleSet) digest(text func(...string)) {
	for _, rules := range [][]Rule{r.MigrationRules, r.DomainRules, r.EncodingRules} {
		for _, rule := range rules {
			rule.digest(text)
		}
	}
	text(r.EnableAt)
}

func (r Rule) digest(text func(...string)) {
	text(r.Name, r.Doc, r.Kind, r.Mode, r.Type)
	text(NewSet(r.Tags...)...)
	for _, name := range sortedKeys(r.Params) {
		text(name, r.Params[name])
	}
	text(r.Expr, r.OnSuccess, r.OnFailure)
	if r.Disabled {
		text("\x01")
	}
}

// GUID is the digest in the letters of a UUID; no bit of it is changed to mark a version.
func (d Digest) GUID() string {
	x := hex.EncodeToString(d[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// ParseGUID reads a GUID, with or without its dashes.
func ParseGUID(text string) (Digest, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != md5.Size {
		return Digest{}, fmt.Errorf("%q is no GUID; write 32 hexadecimal digits", text)
	}
	return Digest(b), nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func itoa(n int) string { return strconv.Itoa(n) }

// javaLength is the length of a text in UTF-16 units.
func javaLength(text string) int { return len(utf16.Encode([]rune(text))) }
