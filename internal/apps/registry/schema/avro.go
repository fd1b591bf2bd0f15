package schema

import (
	"slices"
	"sync"

	"github.com/twmb/avro"
)

// AvroKind is what an Avro type is.
type AvroKind uint8

const (
	AvroNull AvroKind = iota
	AvroBoolean
	AvroInt
	AvroLong
	AvroFloat
	AvroDouble
	AvroBytes
	AvroString
	AvroRecord
	AvroEnum
	AvroFixed
	AvroArray
	AvroMap
	AvroUnion
)

var avroKindNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string",
	"record", "enum", "fixed", "array", "map", "union"}

func (k AvroKind) String() string { return avroKindNames[k] }

// Named tells whether types of the kind have a name.
func (k AvroKind) Named() bool { return k == AvroRecord || k == AvroEnum || k == AvroFixed }

// avroPrimitive is the primitive of that name.
func avroPrimitive(name string) (AvroKind, bool) {
	k := slices.Index(avroKindNames[:AvroRecord], name)
	return AvroKind(max(k, 0)), k >= 0
}

// AvroNode is a type of an Avro schema. Names are resolved: a type that is referred to is the same node everywhere, so a recursive
// schema is a graph with circles, and a walk has to remember where it has been.
type AvroNode struct {
	Kind     AvroKind
	Name     AvroName    // of named types
	Aliases  []AvroName  // of named types, as full names, each once
	Doc      *string     // of named types
	Fields   []AvroField // of a record
	IsError  bool        // a record declared as error
	Symbols  []string    // of an enum
	Default  *string     // of an enum
	Size     int         // of a fixed
	Items    *AvroNode   // of an array and, its values, of a map
	Branches []*AvroNode // of a union
	Logical  AvroLogical
	Props    []Member // everything else that was written, logicalType included, in order
}

// AvroField is a field of a record.
type AvroField struct {
	Name    string
	Aliases []string
	Doc     *string
	Type    *AvroNode
	Default *Value // nil when there is none; the JSON null is a Value
	Order   string // ascending, descending or ignore
	Props   []Member
}

// AvroName is a name in its namespace.
type AvroName struct{ Space, Base string }

// String is the full name.
func (n AvroName) String() string {
	if n.Space == "" {
		return n.Base
	}
	return n.Space + "." + n.Base
}

// AvroLogical is a logical type that fits the type it stands on; the name is empty when there is none or it does not fit, since Avro
// ignores what does not fit.
type AvroLogical struct {
	Name             string
	Precision, Scale int // of a decimal
}

// Field is the field of that name.
func (n *AvroNode) Field(name string) *AvroField {
	for i := range n.Fields {
		if n.Fields[i].Name == name {
			return &n.Fields[i]
		}
	}
	return nil
}

// FullName is the name that tells branches of a union apart: the full name of a named type, the kind of every other.
func (n *AvroNode) FullName() string {
	if n.Kind.Named() {
		return n.Name.String()
	}
	return n.Kind.String()
}

// AvroSchema is an Avro schema that was read.
type AvroSchema struct {
	Root  *AvroNode
	known map[string]bool // full names that the canonical text leaves as names: the top types of the references

	codecOnce sync.Once
	codec     *avro.Schema
	codecErr  error
}

func (a *AvroSchema) name() string {
	if a.Root.Kind == AvroRecord {
		return a.Root.Name.String()
	}
	return ""
}

func (a *AvroSchema) format(name string) string {
	known := a.known
	if name == "resolved" {
		known = nil
	}
	return string(printAvro(a.Root, known, false))
}

func (a *AvroSchema) normalized() string { return string(printAvro(a.Root, a.known, true)) }

// Codec is the compiled schema for reading and writing records. It is made on first use: a registry holds many schemas whose records
// it never reads.
func (a *AvroSchema) Codec() (*avro.Schema, error) {
	a.codecOnce.Do(func() {
		text := printAvroForCodec(a.Root)
		a.codec, a.codecErr = avro.Parse(string(text), avro.WithLaxNames(func(string) error { return nil }))
	})
	return a.codec, a.codecErr
}
