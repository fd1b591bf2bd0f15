package compat

import (
	"slices"

	"millrace/internal/apps/registry/schema"

	"github.com/twmb/avro"
)

// avroExample builds a record that the reader cannot read and tries it out: the writer's codec must write it, and a decoder that
// follows the specification value by value must refuse it. The library is not asked: it refuses pairs of schemas rather than records,
// and fills in null where the specification demands a default.
func avroExample(reader, writer *schema.AvroSchema, w *avroWalk) *Example {
	m := avroMaker{walk: w, making: map[*schema.AvroNode]bool{}, breaking: map[avroPair]bool{}}
	value, ok := m.broken(avroPair{reader.Root, writer.Root})
	if !ok {
		return nil
	}
	why := avroRefusal(reader.Root, writer.Root, value, "")
	if why == "" {
		return nil
	}
	codec, err := writer.Codec()
	if err != nil {
		return nil
	}
	if _, err := codec.Encode(value); err != nil {
		return nil
	}
	text, err := codec.EncodeJSON(value, avro.TaggedUnions())
	if err != nil {
		return nil
	}
	return &Example{Record: string(text), Why: why}
}

// avroMaker builds values of a writer's types in the form that the codec takes: branches of a union stand in an object named after the
// branch.
type avroMaker struct {
	walk     *avroWalk
	size     int
	making   map[*schema.AvroNode]bool // records under construction: a type inside itself needs another branch
	breaking map[avroPair]bool
}

// room counts the parts of the record; a type that holds another twice, and that again, would fill the memory.
func (m *avroMaker) room() bool {
	m.size++
	return m.size <= exampleSize
}

// broken makes a value of the writer's type that the reader cannot read.
func (m *avroMaker) broken(p avroPair) (any, bool) {
	if !m.room() || m.breaking[p] || m.walk.settle(p) {
		return nil, false
	}
	m.breaking[p] = true
	defer delete(m.breaking, p)
	r, w := p.reader, p.writer
	switch {
	case w.Kind == schema.AvroUnion:
		return m.brokenBranch(r, w)
	case r.Kind == schema.AvroUnion:
		return m.brokenForAll(r, w)
	case r.Kind != w.Kind || r.Kind.Named() && !avroNamesMatch(r, w):
		return m.plain(w)
	}
	switch r.Kind {
	case schema.AvroEnum:
		return missingSymbols(r, w)[0], true
	case schema.AvroArray:
		item, ok := m.broken(avroPair{r.Items, w.Items})
		return []any{item}, ok
	case schema.AvroMap:
		item, ok := m.broken(avroPair{r.Items, w.Items})
		return map[string]any{"key": item}, ok
	case schema.AvroRecord:
		return m.brokenRecord(r, w)
	}
	return m.plain(w)
}

func (m *avroMaker) brokenBranch(r, w *schema.AvroNode) (any, bool) {
	for _, b := range w.Branches {
		if v, ok := m.broken(avroPair{r, b}); ok {
			return branchValue(b, v), true
		}
	}
	return nil, false
}

// brokenForAll looks for a value that none of the reader's branches takes: one that breaks the branch of its own kind does as a rule.
func (m *avroMaker) brokenForAll(r, w *schema.AvroNode) (any, bool) {
	for _, b := range r.Branches {
		if v, ok := m.broken(avroPair{b, w}); ok && avroRefusal(r, w, v, "") != "" {
			return v, true
		}
	}
	v, ok := m.plain(w)
	return v, ok && avroRefusal(r, w, v, "") != ""
}

func (m *avroMaker) brokenRecord(r, w *schema.AvroNode) (any, bool) {
	fields := newWriterFields(w)
	for i := range r.Fields {
		from := fields.of(&r.Fields[i])
		if len(from) > 1 || len(from) == 0 && r.Fields[i].Default == nil {
			return m.plain(w)
		}
		if len(from) == 0 {
			continue
		}
		v, ok := m.broken(avroPair{r.Fields[i].Type, from[0].Type})
		if !ok {
			continue
		}
		if record, ok := m.recordWith(w, from[0].Name, v); ok {
			return record, true
		}
	}
	return nil, false
}

// recordWith is a record whose one field is given.
func (m *avroMaker) recordWith(n *schema.AvroNode, name string, v any) (any, bool) {
	record := make(map[string]any, len(n.Fields))
	for _, f := range n.Fields {
		if f.Name == name {
			record[name] = v
			continue
		}
		inner, ok := m.plain(f.Type)
		if !ok {
			return nil, false
		}
		record[f.Name] = inner
	}
	return record, true
}

// plain makes the smallest value of a type: null where that is a branch, empty lists and maps.
func (m *avroMaker) plain(n *schema.AvroNode) (any, bool) {
	if !m.room() {
		return nil, false
	}
	switch n.Kind {
	case schema.AvroNull:
		return nil, true
	case schema.AvroBoolean:
		return true, true
	case schema.AvroInt:
		return int32(1), true
	case schema.AvroLong:
		return int64(1), true
	case schema.AvroFloat:
		return float32(1.5), true
	case schema.AvroDouble:
		return 1.5, true
	case schema.AvroBytes:
		return []byte("a"), true
	case schema.AvroString:
		return "a", true
	case schema.AvroFixed:
		return slices.Repeat([]byte("a"), min(n.Size, 1<<16)), n.Size <= 1<<16
	case schema.AvroArray:
		return []any{}, true
	case schema.AvroMap:
		return map[string]any{}, true
	case schema.AvroEnum:
		if len(n.Symbols) == 0 {
			return nil, false
		}
		return n.Symbols[0], true
	case schema.AvroUnion:
		return m.plainBranch(n)
	}
	if m.making[n] {
		return nil, false
	}
	m.making[n] = true
	defer delete(m.making, n)
	return m.recordWith(n, "", nil)
}

func (m *avroMaker) plainBranch(n *schema.AvroNode) (any, bool) {
	for _, b := range n.Branches {
		if b.Kind == schema.AvroNull {
			return nil, true
		}
	}
	for _, b := range n.Branches {
		if v, ok := m.plain(b); ok {
			return branchValue(b, v), true
		}
	}
	return nil, false
}

func branchValue(b *schema.AvroNode, v any) any {
	if b.Kind == schema.AvroNull {
		return nil
	}
	return map[string]any{b.FullName(): v}
}

// avroRefusal reads one value under the reader's type and says why that cannot be, or nothing when it can. It looks at the value that
// is there and at nothing else, and lets a reader's union take any branch that works: what it refuses no decoder reads.
func avroRefusal(r, w *schema.AvroNode, v any, path string) string {
	if w.Kind == schema.AvroUnion {
		b, inner := takenBranch(w, v)
		if b == nil {
			return ""
		}
		return avroRefusal(r, b, inner, path)
	}
	at := "at " + path
	if path == "" {
		at = "the record"
	}
	switch {
	case r.Kind == schema.AvroUnion:
		for _, b := range r.Branches {
			if avroRefusal(b, w, v, path) == "" {
				return ""
			}
		}
		return at + ": no branch of the reader's union takes " + article(w)
	case r.Kind != w.Kind && !avroPromotes(w.Kind, r.Kind):
		return at + ": the reader expects " + article(r) + " and finds " + article(w)
	case r.Kind != w.Kind:
		return ""
	case r.Kind.Named() && !avroNamesMatch(r, w):
		return at + ": the reader expects " + article(r) + " and finds " + article(w)
	}
	switch r.Kind {
	case schema.AvroFixed:
		if r.Size != w.Size {
			return at + ": the sizes of the fixed " + r.Name.String() + " differ"
		}
	case schema.AvroEnum:
		if symbol, _ := v.(string); slices.Contains(missingSymbols(r, w), symbol) {
			return at + ": the reader does not know the symbol " + symbol
		}
	case schema.AvroArray:
		for _, item := range v.([]any) {
			if why := avroRefusal(r.Items, w.Items, item, path+"[]"); why != "" {
				return why
			}
		}
	case schema.AvroMap:
		for _, item := range v.(map[string]any) {
			if why := avroRefusal(r.Items, w.Items, item, path+"{}"); why != "" {
				return why
			}
		}
	case schema.AvroRecord:
		return avroRecordRefusal(r, w, v.(map[string]any), path)
	}
	return ""
}

func avroRecordRefusal(r, w *schema.AvroNode, v map[string]any, path string) string {
	fields := newWriterFields(w)
	for i := range r.Fields {
		f := &r.Fields[i]
		from := fields.of(f)
		switch {
		case len(from) > 1:
			return "at " + path + "." + f.Name + ": several fields of the record match the reader's field"
		case len(from) == 0 && f.Default == nil:
			return "at " + path + "." + f.Name + ": the record has no such field and the reader no default for it"
		case len(from) == 1:
			if why := avroRefusal(f.Type, from[0].Type, v[from[0].Name], path+"."+f.Name); why != "" {
				return why
			}
		}
	}
	return ""
}

// takenBranch is the branch that a value of a union names.
func takenBranch(n *schema.AvroNode, v any) (*schema.AvroNode, any) {
	name := "null"
	if wrapped, ok := v.(map[string]any); ok {
		for name, v = range wrapped {
		}
	}
	for _, b := range n.Branches {
		if b.FullName() == name {
			return b, v
		}
	}
	return nil, nil
}
