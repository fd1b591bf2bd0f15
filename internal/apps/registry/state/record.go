package state

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/internal/apps/registry/schema"
)

// Record is a record of the log.
type Record struct {
	Offset int64
	Time   int64 // milliseconds since 1970
	Key    []byte
	Value  []byte // nil is a tombstone
}

// Write is a record to be written; a nil value is a tombstone.
type Write struct{ Key, Value []byte }

// The types of keys.
const (
	keySchema  = "SCHEMA"
	keyConfig  = "CONFIG"
	keyMode    = "MODE"
	keyDelete  = "DELETE_SUBJECT"
	keyClear   = "CLEAR_SUBJECT"
	keyContext = "CONTEXT"
	keyNoop    = "NOOP"
)

// The keys as the present release of other registries writes them. The order of the fields is part of the format: compaction compares
// bytes. Field tags that are absent from older releases' keys are the reason why a logical key (keyOf) is not its bytes.
//
//	{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}
//	{"keytype":"CONFIG","subject":"s","magic":0}      no subject: the default context
//	{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}
//	{"keytype":"NOOP","context":".c","magic":0}       ours alone, see highest
type key struct {
	Type    string  `json:"keytype"`
	Subject *string `json:"subject,omitempty"`
	Version int     `json:"version,omitempty"`
	Tenant  string  `json:"tenant,omitempty"`
	Context string  `json:"context,omitempty"`
	Magic   int     `json:"magic"`
}

// IsKey tells whether bytes are a key that a registry, of whatever kind, may have written.
func IsKey(text []byte) bool {
	var k key
	return decodeKey(text, &k) == nil && k.Type != ""
}

// logicalKey is a key without what releases write differently.
type logicalKey struct {
	kind    string
	name    string // of the subject or the context
	version int
}

func (k key) logical() logicalKey {
	switch k.Type {
	case keyContext, keyNoop:
		return logicalKey{kind: k.Type, name: k.Context}
	case keySchema:
		return logicalKey{k.Type, deref(k.Subject), k.Version}
	}
	return logicalKey{kind: k.Type, name: deref(k.Subject)}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// bytes is the form in which this registry writes a key that it has not seen.
func (l logicalKey) bytes() []byte {
	k := key{Type: l.kind, Version: l.version}
	switch {
	case l.kind == keyContext:
		k.Tenant, k.Context = "default", l.name
	case l.kind == keyNoop:
		k.Context = l.name
	case l.kind == keySchema:
		k.Subject, k.Magic = &l.name, 1
	case l.name != "" || l.kind != keyConfig && l.kind != keyMode && l.kind != keyClear:
		k.Subject = &l.name
	}
	return marshal(k)
}

// isUsual tells whether a key is the form of bytes; it is false, too, for what is no schema and for a subject that may need escapes.
func (l logicalKey) isUsual(form []byte) bool {
	if l.kind != keySchema || l.version < 1 || strings.ContainsFunc(l.name, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return false
	}
	rest, ok := bytes.CutPrefix(form, []byte(`{"keytype":"SCHEMA","subject":"`))
	if !ok || len(rest) < len(l.name) || string(rest[:len(l.name)]) != l.name {
		return false
	}
	var room [64]byte
	end := append(strconv.AppendInt(append(room[:0], `","version":`...), int64(l.version), 10), `,"magic":1}`...)
	return bytes.Equal(rest[len(l.name):], end)
}

// schemaValue is the value of a SCHEMA record.
type schemaValue struct {
	Subject    string             `json:"subject"`
	Version    int                `json:"version"`
	ID         int                `json:"id"`
	MD5        string             `json:"md5,omitempty"`
	Type       schema.Type        `json:"schemaType,omitempty"`
	References []schema.Reference `json:"references,omitempty"`
	Metadata   *schema.Metadata   `json:"metadata,omitempty"`
	RuleSet    *schema.RuleSet    `json:"ruleSet,omitempty"`
	Text       string             `json:"schema"`
	Deleted    bool               `json:"deleted"`
}

func (v *Version) value() []byte {
	s := v.Schema()
	w := schemaValue{Subject: v.Subject, Version: v.Version, ID: v.ID, MD5: base64.StdEncoding.EncodeToString(v.Digest[:]),
		References: s.References, Metadata: s.Metadata, RuleSet: s.RuleSet, Text: s.Text, Deleted: v.Deleted}
	if s.TypeOrDefault() != schema.Avro {
		w.Type = s.Type
	}
	return marshal(w)
}

// schema is the schema of the value. AVRO is written by some releases and left away by others.
func (v schemaValue) schema() schema.Schema {
	return schema.Schema{Type: schema.Schema{Type: v.Type}.TypeOrDefault(), References: v.References, Metadata: v.Metadata,
		RuleSet: v.RuleSet, Text: v.Text}
}

type subjectVersionValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

type modeValue struct {
	Subject string `json:"subject,omitempty"`
	Mode    string `json:"mode"`
}

type contextValue struct {
	Tenant  string `json:"tenant"`
	Context string `json:"context"`
}

type subjectValue struct {
	Subject string `json:"subject,omitempty"`
}

// marshal writes JSON as Java does: no escapes for <, > and &.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("a record that cannot be written: %v", err)) // plain values of this package: an error of ours
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
