package serde

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/avro"
)

// The library resolves a reader's schema against a writer's as wholes: where one branch of a union, or one symbol, has no place in the
// reader, it refuses all that was ever written. The specification speaks of values: what does not fit is an error where it occurs. Pairs
// that the library refuses are therefore read here: a value is decoded as it was written, made over, encoded as the reader would have
// written it, and decoded again. That takes several times as long as what the library takes, and only such pairs pay it.
//
// The rules are the library's, so that a field does not change its meaning with what stands beside it: a union that begins with null has
// the default null; names match by their full names, a reader's aliases, or without their namespaces. Two things differ. A reader's union
// takes the first branch that reads the value, and not the first that looks like it. Decimals need the same scale, without which they
// would be other numbers, and not the same precision.

// madeOver makes of a payload of writer what this schema would have written, as the specification has it.
func (a *avroFormat) madeOver(writer *avroFormat, payload []byte) ([]byte, error) {
	var v any
	if err := writer.decodeWith(writer.bare, payload, &v, avro.TaggedUnions()); err != nil {
		return nil, err
	}
	r := avroResolver{steps: 10_000 + 100*len(payload)}
	v, no := r.value(a.root, writer.root, v)
	if no != nil {
		return nil, no.err()
	}
	b, err := a.bare.Encode(v)
	if err != nil {
		return nil, misfit(err)
	}
	return b, nil
}

// avroResolver bounds the work, since a value in unions in unions may be tried with every branch.
type avroResolver struct{ steps int }

// avroRefusal is where a value cannot be read, and why.
type avroRefusal struct{ at, cause string }

func refuse(format string, args ...any) *avroRefusal {
	return &avroRefusal{cause: fmt.Sprintf(format, args...)}
}

// in adds a step to the path on the way out.
func (no *avroRefusal) in(step string) *avroRefusal { return &avroRefusal{step + no.at, no.cause} }

func (no *avroRefusal) err() error {
	if at := strings.TrimPrefix(no.at, "."); at != "" {
		return fmt.Errorf("%w: at %s: %s", ErrMisfit, at, no.cause)
	}
	return fmt.Errorf("%w: %s", ErrMisfit, no.cause)
}

// value makes of a decoded value of the writer's type one that the encoder takes for the reader's. Both have the values of unions as nil
// or {branch: value}.
func (r *avroResolver) value(reader, writer *avroNode, v any) (any, *avroRefusal) {
	if r.steps--; r.steps < 0 {
		return nil, refuse("too many branches of the reader's unions were tried")
	}
	switch {
	case writer.kind == "union":
		return r.written(reader, writer, v)
	case reader.kind == "union":
		return r.union(reader, writer, v)
	case reader.kind != writer.kind:
		return promoted(reader, writer, v)
	case !reader.isCalled(writer) || reader.size != writer.size:
		return nil, strangerTo(reader, writer)
	case reader.isDecimal() && writer.isDecimal() && reader.scale != writer.scale:
		return nil, refuse("a decimal with %d digits behind the point, but the reader takes only one with %d", writer.scale, reader.scale)
	}
	switch reader.kind {
	case "record":
		return r.record(reader, writer, v)
	case "enum":
		return reader.symbol(v)
	case "array":
		return r.array(reader, writer, v)
	case "map":
		return r.entries(reader, writer, v)
	}
	return v, nil
}

// written takes the branch off a value of the writer's union.
func (r *avroResolver) written(reader, writer *avroNode, v any) (any, *avroRefusal) {
	name, inner := "null", v
	if tagged, ok := v.(map[string]any); ok && len(tagged) == 1 {
		for name, inner = range tagged {
		}
	}
	branch := writer.find(name)
	if branch == nil {
		return nil, refuse("a %T in a union", v)
	}
	return r.value(reader, branch, inner)
}

// union takes the first branch of the reader's union that reads the value: of those called as the writer's type is, of those called so
// without a namespace, of those that it is promoted to.
func (r *avroResolver) union(reader, writer *avroNode, v any) (any, *avroRefusal) {
	var first *avroRefusal
	for _, matches := range []func(b, w *avroNode) bool{(*avroNode).sameName, (*avroNode).sameShortName, (*avroNode).widens} {
		for _, b := range reader.branches {
			if !matches(b, writer) || b.size != writer.size {
				continue
			}
			out, no := r.value(b, writer, v)
			switch {
			case r.steps < 0:
				return nil, no
			case no != nil && first == nil:
				first = no
			case no == nil && b.kind == "null":
				return nil, nil
			case no == nil:
				return map[string]any{b.branch(): out}, nil
			}
		}
	}
	if first != nil {
		return nil, first
	}
	return nil, strangerTo(reader, writer)
}

// record leaves out fields that the writer does not have and that have a default, which the encoder knows.
func (r *avroResolver) record(reader, writer *avroNode, v any) (any, *avroRefusal) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, refuse("a %T in the record %s", v, writer.name)
	}
	out := make(map[string]any, len(reader.fields))
	for i := range reader.fields {
		f := &reader.fields[i]
		from, others := f.source(writer)
		switch {
		case others != nil:
			return nil, refuse("the writer's fields %s and %s are both read as it", from.name, others.name).in("." + f.name)
		case from == nil && f.hasDefault:
			continue
		case from == nil && f.node.beginsWithNull():
			out[f.name] = nil
			continue
		case from == nil:
			return nil, refuse("it was not written, and the reader has no default for it").in("." + f.name)
		}
		inner, no := r.value(f.node, from.node, m[from.name])
		if no != nil {
			return nil, no.in("." + f.name)
		}
		out[f.name] = inner
	}
	return out, nil
}

// source is the writer's field that a field takes its value from, and another one that it would take it from too.
func (f *avroField) source(writer *avroNode) (from, other *avroField) {
	from = writer.field(f.name)
	for _, alias := range f.aliases {
		switch found := writer.field(alias); {
		case from == nil:
			from = found
		case found != nil && found != from:
			return from, found
		}
	}
	return from, nil
}

func (n *avroNode) beginsWithNull() bool {
	return n.kind == "union" && len(n.branches) > 0 && n.branches[0].kind == "null"
}

func (n *avroNode) symbol(v any) (any, *avroRefusal) {
	symbol, ok := v.(string)
	switch {
	case ok && n.symbols[symbol]:
		return symbol, nil
	case ok && n.hasFallback && n.symbols[n.fallback]:
		return n.fallback, nil
	}
	return nil, refuse("the symbol %s, which the reader's enum %s does not have", symbol, n.name)
}

func (r *avroResolver) array(reader, writer *avroNode, v any) (any, *avroRefusal) {
	items, ok := v.([]any)
	if !ok {
		return nil, refuse("a %T in an array", v)
	}
	out := make([]any, len(items))
	for i, item := range items {
		var no *avroRefusal
		if out[i], no = r.value(reader.items, writer.items, item); no != nil {
			return nil, no.in("[" + strconv.Itoa(i) + "]")
		}
	}
	return out, nil
}

func (r *avroResolver) entries(reader, writer *avroNode, v any) (any, *avroRefusal) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, refuse("a %T in a map", v)
	}
	out := make(map[string]any, len(m))
	var first *avroRefusal
	for name, item := range m {
		inner, no := r.value(reader.items, writer.items, item)
		if no == nil {
			out[name] = inner
			continue
		}
		if no = no.in("." + name); first == nil || no.at < first.at { // the same words for the same record, whatever the map's order
			first = no
		}
	}
	return out, first
}

// sameName: nothing but kinds for types without a name, which all have the empty one.
func (n *avroNode) sameName(writer *avroNode) bool {
	return n.kind == writer.kind && (n.name == writer.name || slices.Contains(n.aliases, writer.name))
}

func (n *avroNode) sameShortName(writer *avroNode) bool {
	short := shortName(writer.name)
	return n.kind == writer.kind && (shortName(n.name) == short || slices.Contains(n.aliases, short))
}

func (n *avroNode) isCalled(writer *avroNode) bool {
	return n.sameName(writer) || n.sameShortName(writer)
}

func shortName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func (n *avroNode) isDecimal() bool {
	return n.logical == "decimal" && (n.kind == "bytes" || n.kind == "fixed")
}

// widens tells that values of the writer's type are promoted to this one.
func (n *avroNode) widens(writer *avroNode) bool {
	switch writer.kind {
	case "int":
		return n.kind == "long" || n.kind == "float" || n.kind == "double"
	case "long":
		return n.kind == "float" || n.kind == "double"
	case "float":
		return n.kind == "double"
	case "string":
		return n.kind == "bytes"
	case "bytes":
		return n.kind == "string"
	}
	return false
}

func promoted(reader, writer *avroNode, v any) (any, *avroRefusal) {
	if !reader.widens(writer) {
		return nil, strangerTo(reader, writer)
	}
	switch v := v.(type) {
	case int32:
		return number(reader.kind, v), nil
	case int64:
		return number(reader.kind, v), nil
	case float32:
		return float64(v), nil
	case string:
		return []byte(v), nil
	case []byte:
		return string(v), nil
	}
	return nil, refuse("a %T in the type %s", v, writer.kind)
}

func number[T int32 | int64](kind string, v T) any {
	switch kind {
	case "float":
		return float32(v)
	case "double":
		return float64(v)
	}
	return int64(v)
}

// strangerTo: the reader has no place for a type.
func strangerTo(reader, writer *avroNode) *avroRefusal {
	takes := reader.title()
	if reader.kind == "union" {
		var titles []string
		for _, b := range reader.branches {
			titles = append(titles, b.title())
		}
		if len(titles) > mostTitles {
			titles = append(titles[:mostTitles], "...")
		}
		takes = strings.Join(titles, ", ")
	}
	return refuse("%s, but the reader takes only %s", writer.title(), takes)
}

// mostTitles is how many branches of a union are told.
const mostTitles = 10

func (n *avroNode) title() string {
	switch {
	case n.kind == "fixed":
		return fmt.Sprintf("fixed %s of %d bytes", n.name, n.size)
	case n.name != "":
		return n.kind + " " + n.name
	}
	return n.kind
}
