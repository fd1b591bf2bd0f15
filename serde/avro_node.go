package serde

import (
	"strings"

	"github.com/twmb/avro"
)

// avroNode is a type of an Avro schema with its names resolved: a type that is referred to is the same node everywhere.
type avroNode struct {
	kind     string // null, boolean, ... record, enum, fixed, array, map, union
	name     string // full name of records, enums and fixed
	logical  string
	scale    int // of a decimal
	size     int // of a fixed
	symbols  map[string]bool
	fields   []avroField
	items    *avroNode // of an array and, its values, of a map
	branches []*avroNode
}

type avroField struct {
	name       string
	node       *avroNode
	hasDefault bool
}

// branch is the name by which a union knows its branch.
func (n *avroNode) branch() string {
	if n.name != "" {
		return n.name
	}
	return n.kind
}

// nullable gives the only branch beside null.
func (n *avroNode) nullable() *avroNode {
	if n.kind != "union" || len(n.branches) != 2 {
		return nil
	}
	for i, b := range n.branches {
		if b.kind == "null" {
			return n.branches[1-i]
		}
	}
	return nil
}

func (n *avroNode) find(branch string) *avroNode {
	for _, b := range n.branches {
		if b.branch() == branch {
			return b
		}
	}
	return nil
}

// readAvroNode makes the graph of what the library found.
func readAvroNode(s *avro.SchemaNode) *avroNode {
	names := map[string]*avroNode{}
	var later []func() // names before their definition
	var read func(s *avro.SchemaNode, at **avroNode)
	read = func(s *avro.SchemaNode, at **avroNode) {
		n := &avroNode{kind: s.Type, logical: s.LogicalType, scale: s.Scale, size: s.Size}
		*at = n
		switch s.Type {
		case "null", "boolean", "int", "long", "float", "double", "bytes", "string":
		case "record", "error", "enum", "fixed":
			n.name = fullName(s)
			names[n.name] = n
			if s.Type == "error" {
				n.kind = "record"
			}
			n.symbols = map[string]bool{}
			for _, symbol := range s.Symbols {
				n.symbols[symbol] = true
			}
			n.fields = make([]avroField, len(s.Fields))
			for i := range s.Fields {
				f := &s.Fields[i]
				n.fields[i] = avroField{name: f.Name, hasDefault: f.HasDefault}
				read(&f.Type, &n.fields[i].node)
			}
		case "array":
			read(s.Items, &n.items)
		case "map":
			read(s.Values, &n.items)
		case "union":
			n.branches = make([]*avroNode, len(s.Branches))
			for i := range s.Branches {
				read(&s.Branches[i], &n.branches[i])
			}
		default:
			later = append(later, func() {
				if known := names[s.Type]; known != nil {
					*at = known
				}
			})
		}
	}
	var root *avroNode
	read(s, &root)
	for _, resolve := range later {
		resolve()
	}
	return root
}

func fullName(s *avro.SchemaNode) string {
	if s.Namespace == "" || strings.Contains(s.Name, ".") {
		return s.Name
	}
	return s.Namespace + "." + s.Name
}
