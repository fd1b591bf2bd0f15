package serde

import (
	"fmt"

	"github.com/twmb/avro"
)

// A Go type is older than the schema it is written with when the schema came from the registry. The library writes a struct only if it
// has every field of the schema, and fills the defaults of a schema into maps alone. Such a value is therefore written by the codec's own
// schema, read again as a map, and that is written. It takes several times as long as a struct that has all fields, and only values that
// the library refuses come here.

// avroShape is the Avro type that a Go struct has by itself; nil for other types, and where the struct alone does not say.
func avroShape[T any]() *avroNode {
	s, err := avro.SchemaFor[T]()
	if err != nil {
		return nil
	}
	n, err := readAvroNode(s)
	if err != nil {
		return nil
	}
	return n
}

// encodeFilled encodes a value of own, of which this schema has more fields. refused is what was said of the value as it is.
func (a *avroFormat) encodeFilled(own *avroFormat, shape *avroNode, v any, refused error) ([]byte, error) {
	if shape == nil {
		return nil, refused
	}
	gaps := avroGaps{seen: map[[3]*avroNode]bool{}}
	gaps.find(shape, own.root, a.root)
	switch {
	case !gaps.lacks:
		return nil, refused
	case gaps.left != "":
		return nil, fmt.Errorf("%w, and the codec's own schema, by which defaults could be filled in, does not have %s: bring that schema up to date",
			refused, gaps.left)
	}
	b, err := own.typed.Encode(v)
	if err != nil {
		return nil, refused
	}
	var fields any
	if _, err := own.typed.Decode(b, &fields); err != nil {
		return nil, refused
	}
	payload, err := a.encode(fields)
	if err != nil {
		return nil, fmt.Errorf("%w, nor does it fit with defaults filled in: bring the Go type up to date", refused)
	}
	return payload, nil
}

// avroGaps compares what a Go type has with the codec's own schema and the one to write with.
type avroGaps struct {
	lacks bool // the Go type lacks fields that are to be written
	// left is what the Go type has, is to be written, and own does not have. Its bytes do not hold it, and a default must not stand in for it.
	left string
	seen map[[3]*avroNode]bool
}

func (g *avroGaps) find(shape, own, to *avroNode) {
	shape, own, to = innermost(shape), innermost(own), innermost(to)
	at := [3]*avroNode{shape, own, to}
	if shape.kind != "record" || g.seen[at] {
		return
	}
	g.seen[at] = true
	if own.kind != "record" || to.kind != "record" {
		g.left = "all of " + shape.name // in a union of several types
		return
	}
	for i := range to.fields {
		g.lacks = g.lacks || shape.field(to.fields[i].name) == nil
	}
	for i := range shape.fields {
		f := &shape.fields[i]
		switch mine, theirs := own.field(f.name), to.field(f.name); {
		case theirs == nil:
		case mine == nil:
			g.left = "the field " + f.name
		default:
			g.find(f.node, mine.node, theirs.node)
		}
	}
}

// innermost takes off lists, maps, and the null of a union.
func innermost(n *avroNode) *avroNode {
	for {
		switch plain := n.nullable(); {
		case plain != nil:
			n = plain
		case n.items != nil:
			n = n.items
		default:
			return n
		}
	}
}
