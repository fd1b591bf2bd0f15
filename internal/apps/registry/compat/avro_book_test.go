package compat

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The Avro specification's section on schema resolution, read for the oracle alone. One addition is Java's: named types match by their
// names without the namespace too. Of a reader's union the first branch with the writer's full name is taken, then any that resolves
// with the same name or kind, then one that the writer's type is promoted to.

var errUnresolved = errors.New("cannot be resolved")

// bookType is a type as the text has it.
type bookType struct {
	kind     string
	name     string
	aliases  []string
	fields   []bookField
	symbols  []string
	fallback string // the default symbol
	size     int
	items    *bookType
	branches []*bookType
}

type bookField struct {
	name       string
	aliases    []string
	typ        *bookType
	hasDefault bool
}

func openBook(text string) (*bookType, error) {
	v, err := unmarshal(text)
	if err != nil {
		return nil, err
	}
	b := bookOpener{names: map[string]*bookType{}}
	b.open(v, "") // finds all names: a type may be referred to before it is defined
	b.err = nil
	t := b.open(v, "")
	return t, b.err
}

type bookOpener struct {
	names map[string]*bookType
	err   error
}

func (b *bookOpener) open(v any, space string) *bookType {
	switch x := v.(type) {
	case string:
		if slices.Contains([]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}, x) {
			return &bookType{kind: x}
		}
		for _, name := range []string{inSpace(x, space), x} { // a name means one without a namespace where there is none inside
			if t := b.names[name]; t != nil {
				return t
			}
		}
		b.err = fmt.Errorf("%q is not defined", x)
		return &bookType{kind: "null"}
	case []any:
		t := &bookType{kind: "union"}
		for _, branch := range x {
			t.branches = append(t.branches, b.open(branch, space))
		}
		return t
	}
	m := v.(map[string]any)
	kind, ok := m["type"].(string)
	if !ok {
		return b.open(m["type"], space)
	}
	t := &bookType{kind: kind}
	switch kind {
	case "array":
		t.items = b.open(m["items"], space)
	case "map":
		t.items = b.open(m["values"], space)
	case "record", "enum", "fixed":
		return b.named(kind, m, space)
	default:
		return b.open(kind, space)
	}
	return t
}

func inSpace(name, space string) string {
	if strings.Contains(name, ".") || space == "" {
		return name
	}
	return space + "." + name
}

func (b *bookOpener) named(kind string, m map[string]any, space string) *bookType {
	name := m["name"].(string)
	if own, ok := m["namespace"].(string); ok {
		space = own
	}
	name, space = inSpace(name, space), ""
	t := b.names[name]
	if t == nil {
		t = &bookType{}
		b.names[name] = t
	}
	*t = bookType{kind: kind, name: name}
	if i := strings.LastIndexByte(t.name, '.'); i >= 0 {
		space = t.name[:i]
	}
	for _, alias := range texts(m["aliases"]) {
		t.aliases = append(t.aliases, inSpace(alias, space))
	}
	t.symbols = texts(m["symbols"])
	t.fallback, _ = m["default"].(string)
	if n, ok := m["size"].(json.Number); ok {
		size, _ := n.Int64()
		t.size = int(size)
	}
	fields, _ := m["fields"].([]any)
	for _, f := range fields {
		f := f.(map[string]any)
		_, has := f["default"]
		t.fields = append(t.fields, bookField{f["name"].(string), texts(f["aliases"]), b.open(f["type"], space), has})
	}
	return t
}

func texts(v any) (list []string) {
	items, _ := v.([]any)
	for _, item := range items {
		list = append(list, item.(string))
	}
	return list
}

// bookBytes is a record being read.
type bookBytes struct{ b []byte }

func decodeByBook(reader, writer *bookType, record []byte) error {
	in := &bookBytes{record}
	if err := in.read(reader, writer); err != nil {
		return err
	}
	if len(in.b) > 0 {
		return fmt.Errorf("%d bytes are left", len(in.b))
	}
	return nil
}

func (in *bookBytes) take(n int) ([]byte, error) {
	if n < 0 || n > len(in.b) {
		return nil, errors.New("the record is too short")
	}
	taken := in.b[:n]
	in.b = in.b[n:]
	return taken, nil
}

func (in *bookBytes) long() (int, error) {
	n, size := binary.Varint(in.b)
	if size <= 0 {
		return 0, errors.New("no number")
	}
	in.b = in.b[size:]
	return int(n), nil
}

// read reads one value of the writer under the reader's type. A nil reader passes over it.
func (in *bookBytes) read(r, w *bookType) error {
	if w.kind == "union" {
		i, err := in.long()
		if err != nil || i < 0 || i >= len(w.branches) {
			return fmt.Errorf("branch %d: %w", i, err)
		}
		return in.read(r, w.branches[i])
	}
	if r != nil && r.kind == "union" {
		if r = r.branchFor(w, 5); r == nil {
			return fmt.Errorf("no branch for %s: %w", w.kind, errUnresolved)
		}
	}
	if r != nil && !r.takes(w) {
		return fmt.Errorf("%s %s from %s %s: %w", r.kind, r.name, w.kind, w.name, errUnresolved)
	}
	switch w.kind {
	case "null":
		return nil
	case "boolean":
		_, err := in.take(1)
		return err
	case "int", "long":
		_, err := in.long()
		return err
	case "float":
		_, err := in.take(4)
		return err
	case "double":
		_, err := in.take(8)
		return err
	case "fixed":
		_, err := in.take(w.size)
		return err
	case "bytes", "string":
		n, err := in.long()
		if err == nil {
			_, err = in.take(n)
		}
		return err
	case "enum":
		return in.readEnum(r, w)
	case "array", "map":
		return in.readBlocks(r, w)
	}
	return in.readRecord(r, w)
}

func (in *bookBytes) readEnum(r, w *bookType) error {
	i, err := in.long()
	if err != nil || i < 0 || i >= len(w.symbols) {
		return fmt.Errorf("symbol %d: %w", i, err)
	}
	if r != nil && !slices.Contains(r.symbols, w.symbols[i]) && !slices.Contains(r.symbols, r.fallback) {
		return fmt.Errorf("symbol %s: %w", w.symbols[i], errUnresolved)
	}
	return nil
}

func (in *bookBytes) readBlocks(r, w *bookType) error {
	for {
		n, err := in.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 {
			n = -n
			if _, err := in.long(); err != nil {
				return err
			}
		}
		for range n {
			if w.kind == "map" {
				if err := in.read(nil, &bookType{kind: "string"}); err != nil {
					return err
				}
			}
			var items *bookType
			if r != nil {
				items = r.items
			}
			if err := in.read(items, w.items); err != nil {
				return err
			}
		}
	}
}

func (in *bookBytes) readRecord(r, w *bookType) error {
	from := map[string]*bookType{} // the writer's field -> the type that it is read as
	if r != nil {
		for _, f := range r.fields {
			sources := slices.Clone(f.aliases)
			sources = slices.DeleteFunc(append(sources, f.name), func(name string) bool { return w.field(name) == nil })
			switch {
			case len(sources) == 0 && !f.hasDefault, len(slices.Compact(sources)) > 1:
				return fmt.Errorf("field %s of %s: %w", f.name, r.name, errUnresolved)
			case len(sources) > 0:
				from[sources[0]] = f.typ
			}
		}
	}
	for _, f := range w.fields {
		if err := in.read(from[f.name], f.typ); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func (t *bookType) field(name string) *bookField {
	for i := range t.fields {
		if t.fields[i].name == name {
			return &t.fields[i]
		}
	}
	return nil
}

// takes tells whether a reader's type matches a writer's, without looking inside.
func (t *bookType) takes(w *bookType) bool {
	switch {
	case t.kind == w.kind && t.name != "":
		return (t.name == w.name || lastPart(t.name) == lastPart(w.name) || slices.Contains(t.aliases, w.name)) && t.size == w.size
	case t.kind == w.kind:
		return true
	}
	return t.promotes(w)
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func (t *bookType) promotes(w *bookType) bool {
	return strings.Contains(" int>long int>float int>double long>float long>double float>double string>bytes bytes>string ", " "+w.kind+">"+t.kind+" ")
}

// branchFor is the branch of a reader's union that a writer's type is read as.
func (t *bookType) branchFor(w *bookType, depth int) *bookType {
	for _, fits := range []func(b *bookType) bool{
		func(b *bookType) bool { return b.kind == w.kind && b.name == w.name && b.size == w.size },
		func(b *bookType) bool { return b.kind == w.kind && b.takes(w) && b.wouldRead(w, depth) },
		func(b *bookType) bool { return b.kind == w.kind && b.takes(w) },
		func(b *bookType) bool { return b.promotes(w) },
	} {
		if i := slices.IndexFunc(t.branches, fits); i >= 0 {
			return t.branches[i]
		}
	}
	return nil
}

// wouldRead tells whether the inside fits too, down to a depth.
func (t *bookType) wouldRead(w *bookType, depth int) bool {
	switch {
	case depth == 0:
		return true
	case w.kind == "union":
		return !slices.ContainsFunc(w.branches, func(b *bookType) bool { return !t.wouldRead(b, depth-1) })
	case t.kind == "union":
		b := t.branchFor(w, depth-1)
		return b != nil && b.wouldRead(w, depth-1)
	case !t.takes(w):
		return false
	case t.items != nil && w.items != nil:
		return t.items.wouldRead(w.items, depth-1)
	}
	for _, f := range t.fields {
		from := w.field(f.name)
		for _, alias := range f.aliases {
			if from == nil {
				from = w.field(alias)
			}
		}
		if from == nil && !f.hasDefault || from != nil && !f.typ.wouldRead(from.typ, depth-1) {
			return false
		}
	}
	return true
}

// write writes a value given in Avro's JSON encoding.
func (t *bookType) write(b []byte, v any) ([]byte, error) {
	wrong := fmt.Errorf("%v is no %s", v, t.kind)
	switch t.kind {
	case "null":
		if v != nil {
			return nil, wrong
		}
		return b, nil
	case "boolean":
		x, ok := v.(bool)
		if !ok {
			return nil, wrong
		}
		if x {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case "int", "long":
		n, _ := v.(json.Number)
		i, err := n.Int64()
		return binary.AppendVarint(b, i), err
	case "float", "double":
		n, _ := v.(json.Number)
		f, err := n.Float64()
		if t.kind == "float" {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f))), err
		}
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(f)), err
	case "union":
		return t.writeBranch(b, v)
	case "array", "map":
		return t.writeBlocks(b, v)
	case "record":
		return t.writeRecord(b, v)
	}
	text, ok := v.(string)
	if !ok {
		return nil, wrong
	}
	return t.writeText(b, text)
}

func (t *bookType) writeText(b []byte, text string) ([]byte, error) {
	switch t.kind {
	case "string":
		return append(binary.AppendVarint(b, int64(len(text))), text...), nil
	case "enum":
		i := slices.Index(t.symbols, text)
		if i < 0 {
			return nil, fmt.Errorf("no symbol %s", text)
		}
		return binary.AppendVarint(b, int64(i)), nil
	}
	var raw []byte
	for _, c := range text {
		raw = append(raw, byte(c))
	}
	if t.kind == "fixed" {
		if len(raw) != t.size {
			return nil, fmt.Errorf("%d bytes, not %d", len(raw), t.size)
		}
		return append(b, raw...), nil
	}
	return append(binary.AppendVarint(b, int64(len(raw))), raw...), nil
}

func (t *bookType) writeBranch(b []byte, v any) ([]byte, error) {
	wanted, inner := "null", v
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		for wanted, inner = range m {
		}
	}
	for i, branch := range t.branches {
		if branch.kind == wanted && branch.name == "" || branch.name == wanted {
			return branch.write(binary.AppendVarint(b, int64(i)), inner)
		}
	}
	return nil, fmt.Errorf("no branch %s", wanted)
}

func (t *bookType) writeBlocks(b []byte, v any) (_ []byte, err error) {
	items, isList := v.([]any)
	entries, isMap := v.(map[string]any)
	if isList != (t.kind == "array") || isMap != (t.kind == "map") {
		return nil, fmt.Errorf("%v is no %s", v, t.kind)
	}
	if n := len(items) + len(entries); n > 0 {
		b = binary.AppendVarint(b, int64(n))
	} else {
		return append(b, 0), nil
	}
	for _, item := range items {
		if b, err = t.items.write(b, item); err != nil {
			return nil, err
		}
	}
	for name, item := range entries {
		b = append(binary.AppendVarint(b, int64(len(name))), name...)
		if b, err = t.items.write(b, item); err != nil {
			return nil, err
		}
	}
	return append(b, 0), nil
}

func (t *bookType) writeRecord(b []byte, v any) (_ []byte, err error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != len(t.fields) {
		return nil, fmt.Errorf("%v is no %s", v, t.name)
	}
	for _, f := range t.fields {
		inner, ok := m[f.name]
		if !ok {
			return nil, fmt.Errorf("no field %s", f.name)
		}
		if b, err = f.typ.write(b, inner); err != nil {
			return nil, err
		}
	}
	return b, nil
}
