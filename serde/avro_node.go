package serde

import (
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// avroNode is a type of an Avro schema with its names resolved: a type that is referred to is the same node everywhere.
type avroNode struct {
	kind        string   // null, boolean, ... record, enum, fixed, array, map, union
	name        string   // full name of records, enums and fixed
	aliases     []string // of those, as full names; one without a namespace also as it was written, which stands for any namespace
	logical     string
	scale       int // of a decimal
	size        int // of a fixed
	symbols     map[string]bool
	fallback    string // the symbol that a reader takes for those that it does not know
	hasFallback bool
	fields      []avroField
	places      map[string]int // of fields, by name
	items       *avroNode      // of an array and, its values, of a map
	branches    []*avroNode
}

type avroField struct {
	name       string
	aliases    []string
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

// field finds a field of a record; nil when there is none.
func (n *avroNode) field(name string) *avroField {
	if i, ok := n.places[name]; ok {
		return &n.fields[i]
	}
	return nil
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
func readAvroNode(schema *avro.Schema) (*avroNode, error) {
	// Built anew, the schema holds the definitions that came with its references.
	whole, err := schema.Root().Schema(avro.WithLaxNames(anyName))
	if err != nil {
		return nil, fmt.Errorf("the Avro schema cannot be read: %s", sentence(err.Error()))
	}
	g := avroGraph{names: map[string]*avroNode{}}
	var root *avroNode
	g.read(whole.Root(), "", &root)
	for _, l := range g.later {
		if *l.at = g.names[l.full]; *l.at == nil {
			*l.at = g.names[l.name]
		}
		if *l.at == nil {
			return nil, fmt.Errorf("the Avro schema cannot be read: nothing defines the type %s", l.name)
		}
	}
	return root, nil
}

type avroGraph struct {
	names map[string]*avroNode
	later []laterName
}

// laterName is the name of a type where the type goes, as it is written and in the namespace around it.
type laterName struct {
	name, full string
	at         **avroNode
}

func (g *avroGraph) read(s *avro.SchemaNode, space string, at **avroNode) {
	n := &avroNode{kind: s.Type, logical: s.LogicalType, scale: s.Scale, size: s.Size}
	*at = n
	switch s.Type {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string":
	case "record", "error", "enum", "fixed":
		g.define(s, n)
	case "array":
		g.read(s.Items, space, &n.items)
	case "map":
		g.read(s.Values, space, &n.items)
	case "union":
		n.branches = make([]*avroNode, len(s.Branches))
		for i := range s.Branches {
			g.read(&s.Branches[i], space, &n.branches[i])
		}
	default:
		g.later = append(g.later, laterName{s.Type, qualified(space, s.Type), at})
	}
}

func (g *avroGraph) define(s *avro.SchemaNode, n *avroNode) {
	n.name = qualified(s.Namespace, s.Name)
	g.names[n.name] = n
	if s.Type == "error" {
		n.kind = "record"
	}
	n.fallback, n.hasFallback = s.EnumDefault, s.HasEnumDefault
	n.symbols = map[string]bool{}
	for _, symbol := range s.Symbols {
		n.symbols[symbol] = true
	}
	space := ""
	if i := strings.LastIndexByte(n.name, '.'); i >= 0 {
		space = n.name[:i]
	}
	for _, alias := range s.Aliases {
		if n.aliases = append(n.aliases, alias); qualified(space, alias) != alias {
			n.aliases = append(n.aliases, qualified(space, alias))
		}
	}
	n.fields, n.places = make([]avroField, len(s.Fields)), make(map[string]int, len(s.Fields))
	for i := range s.Fields {
		f := &s.Fields[i]
		n.fields[i] = avroField{name: f.Name, aliases: f.Aliases, hasDefault: f.HasDefault}
		n.places[f.Name] = i
		g.read(&f.Type, space, &n.fields[i].node)
	}
}

func qualified(space, name string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}
