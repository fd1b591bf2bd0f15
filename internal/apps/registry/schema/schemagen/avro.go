package schemagen

import (
	"math"
	"strings"

	"millrace/internal/apps/registry/schema"

	"pgregory.net/rapid"
)

var avroPrimitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

// avroMaker remembers the named types that a schema has defined so far.
type avroMaker struct {
	t     *rapid.T
	names map[string]*schema.Value // full name -> definition
	order []string                 // names that a type may refer to
	open  []string                 // records around the place at hand
	next  int
}

func avroSchema(t *rapid.T) *schema.Value {
	m := avroMaker{t: t, names: map[string]*schema.Value{}}
	if chance(t, 85, "record at top") {
		return m.record(3, "")
	}
	return m.node(2, "", false)
}

// node makes a type; space is the namespace around it.
func (m *avroMaker) node(depth int, space string, inUnion bool) *schema.Value {
	kind := rapid.IntRange(0, 11).Draw(m.t, "kind of type")
	switch {
	case depth > 0 && kind == 0:
		return m.record(depth-1, space)
	case kind == 1:
		return m.enum(space)
	case kind == 2:
		return m.fixed(space)
	case depth > 0 && kind == 3:
		return object("type", str("array"), "items", m.node(depth-1, space, false))
	case depth > 0 && kind == 4:
		return object("type", str("map"), "values", m.node(depth-1, space, false))
	case depth > 0 && kind <= 6 && !inUnion:
		return m.union(depth-1, space)
	case kind == 7 && len(m.open) > 0 && !inUnion && chance(m.t, 40, "recursive"):
		return m.recursion(space)
	case kind == 7 && len(m.order) > 0:
		if name := rapid.SampledFrom(m.order).Draw(m.t, "name"); reachable(name, space) {
			return str(name)
		}
	case kind == 8:
		return m.logical()
	}
	return m.primitive()
}

// recursion refers to a record around, from a place that a value can leave empty.
func (m *avroMaker) recursion(space string) *schema.Value {
	name := rapid.SampledFrom(m.open).Draw(m.t, "record around")
	if !reachable(name, space) {
		return m.primitive()
	}
	return pick(m.t, "recursion", list(str("null"), str(name)), object("type", str("array"), "items", str(name)),
		object("type", str("map"), "values", str(name)))
}

// reachable tells whether a full name means itself inside a namespace: one without a namespace means another type there.
func reachable(name, space string) bool { return space == "" || strings.Contains(name, ".") }

func (m *avroMaker) primitive() *schema.Value {
	kind := rapid.SampledFrom(avroPrimitives).Draw(m.t, "primitive")
	if chance(m.t, 10, "properties") {
		return object("type", str(kind), pick(m.t, "property", "z", "a", "note"), num(1), "m", object("y", null(), "x", literal("1.50")))
	}
	return str(kind)
}

func (m *avroMaker) logical() *schema.Value {
	switch rapid.IntRange(0, 3).Draw(m.t, "logical type") {
	case 0:
		return object("type", str("bytes"), "logicalType", str("decimal"), "precision", num(9), "scale", num(pick(m.t, "scale", 0, 2)))
	case 1:
		return object("type", str("int"), "logicalType", str("date"))
	case 2:
		return object("logicalType", str("uuid"), "type", str("string"))
	}
	return object("type", str("long"), "logicalType", str("timestamp-millis"), "x", boolean(true))
}

func (m *avroMaker) name(letter, space string) (base, inner string, v *schema.Value) {
	base = letter + itoa(m.next)
	m.next++
	v = object()
	if chance(m.t, 20, "own namespace") {
		space = pick(m.t, "namespace", "n", "n.m", "o")
		put(v, "namespace", str(space))
	}
	put(v, "name", str(base))
	return base, space, v
}

func (m *avroMaker) define(space, base string, v *schema.Value) {
	full := fullName(space, base)
	m.names[full] = v
	m.order = append(m.order, full)
}

func fullName(space, base string) string {
	return schema.AvroName{Space: space, Base: base}.String()
}

func (m *avroMaker) decorate(v *schema.Value) {
	if chance(m.t, 15, "documented") {
		put(v, "doc", str(pick(m.t, "doc", "", "what it is", "größer \"1\"")))
	}
	if chance(m.t, 10, "aliased") {
		put(v, "aliases", list(str("o.Old"+itoa(m.next)), str("Older"+itoa(m.next))))
	}
	if chance(m.t, 10, "with a property") {
		put(v, "owner", object("b", num(2), "a", list(str("x"), null())))
	}
}

func (m *avroMaker) enum(space string) *schema.Value {
	base, inner, v := m.name("E", space)
	put(v, "type", str("enum"))
	var symbols []*schema.Value
	for i := range rapid.IntRange(1, 4).Draw(m.t, "symbols") {
		symbols = append(symbols, str(string(rune('A'+i))))
	}
	put(v, "symbols", list(symbols...))
	if chance(m.t, 30, "default symbol") {
		put(v, "default", symbols[0])
	}
	m.decorate(v)
	m.define(inner, base, v)
	return v
}

func (m *avroMaker) fixed(space string) *schema.Value {
	base, inner, v := m.name("F", space)
	put(v, "type", str("fixed"))
	put(v, "size", num(rapid.IntRange(0, 4).Draw(m.t, "size")))
	m.decorate(v)
	m.define(inner, base, v)
	return v
}

func (m *avroMaker) record(depth int, space string) *schema.Value {
	base, inner, v := m.name("R", space)
	put(v, "type", str("record"))
	m.decorate(v)
	fields := list()
	put(v, "fields", fields)
	m.open = append(m.open, fullName(inner, base))
	for i := range rapid.IntRange(0, 4).Draw(m.t, "fields") {
		fields.Items = append(fields.Items, m.field(string(rune('a'+i)), depth, inner))
	}
	m.open = m.open[:len(m.open)-1]
	m.define(inner, base, v)
	if chance(m.t, 20, "recursive") {
		self := str(fullName(inner, base))
		next := pick(m.t, "recursion", list(str("null"), self), object("type", str("array"), "items", self))
		fields.Items = append(fields.Items, object("name", str("next"), "type", next))
	}
	return v
}

func (m *avroMaker) field(name string, depth int, space string) *schema.Value {
	f := object("name", str(name))
	kind := m.node(depth, space, false)
	put(f, "type", kind)
	if chance(m.t, 40, "default") {
		if d := m.defaultOf(kind, space, 3); d != nil {
			put(f, "default", d)
		}
	}
	if chance(m.t, 10, "order") {
		put(f, "order", str(pick(m.t, "order of field", "ascending", "descending", "ignore")))
	}
	if chance(m.t, 10, "field alias") {
		put(f, "aliases", list(str("old_"+name)))
	}
	if chance(m.t, 10, "field doc") {
		put(f, "doc", str("about "+name))
	}
	return f
}

func (m *avroMaker) union(depth int, space string) *schema.Value {
	u := list()
	seen := map[string]bool{}
	if chance(m.t, 60, "nullable") {
		u.Items = append(u.Items, str("null"))
		seen["null"] = true
	}
	for range rapid.IntRange(1, 3).Draw(m.t, "branches") {
		known := len(m.order)
		b := m.node(depth, space, true)
		if key := m.branchKey(b, space); !seen[key] {
			seen[key] = true
			u.Items = append(u.Items, b)
		} else {
			m.order = m.order[:known] // what the branch defined goes with it
		}
	}
	return u
}

// branchKey is what must be unlike in the branches of a union.
func (m *avroMaker) branchKey(v *schema.Value, space string) string {
	if v.Kind == schema.String {
		return v.Text
	}
	kind, _ := v.Str("type")
	name, named := v.Str("name")
	if !named {
		return kind
	}
	if own, ok := v.Str("namespace"); ok {
		space = own
	}
	return fullName(space, name)
}

// defaultOf makes a default for a type, nil when that would go on too long. A union takes one of its first branch.
func (m *avroMaker) defaultOf(v *schema.Value, space string, depth int) *schema.Value {
	if depth == 0 {
		return nil
	}
	kind := v.Text
	switch v.Kind {
	case schema.Array:
		return m.defaultOf(v.Items[0], space, depth)
	case schema.Object:
		kind, _ = v.Str("type")
	default:
		if def := m.names[v.Text]; def != nil {
			return m.defaultOf(def, space, depth-1)
		}
	}
	switch kind {
	case "null":
		return null()
	case "boolean":
		return boolean(rapid.Bool().Draw(m.t, "boolean"))
	case "int", "long":
		return num(rapid.IntRange(-3, 100).Draw(m.t, "integer"))
	case "float", "double":
		return literal(pick(m.t, "number", "0", "1.5", "-2.0", "1e10", "0.1"))
	case "string", "bytes":
		return str(pick(m.t, "text", "", "x", "é"))
	case "enum":
		return v.Get("symbols").Items[0]
	case "fixed":
		size, _ := v.Get("size").Int64()
		return str("abcd"[:size])
	case "array":
		if inner := m.defaultOf(v.Get("items"), space, depth-1); inner != nil && rapid.Bool().Draw(m.t, "an element") {
			return list(inner)
		}
		return list()
	case "map":
		if inner := m.defaultOf(v.Get("values"), space, depth-1); inner != nil && rapid.Bool().Draw(m.t, "an entry") {
			return object("k", inner, "b", inner)
		}
		return object()
	case "record":
		return m.defaultRecord(v, space, depth)
	}
	return nil
}

func (m *avroMaker) defaultRecord(v *schema.Value, space string, depth int) *schema.Value {
	d := object()
	for _, f := range v.Get("fields").Items {
		inner := m.defaultOf(f.Get("type"), space, depth-1)
		if inner == nil {
			return nil
		}
		name, _ := f.Str("name")
		put(d, name, inner)
	}
	return d
}

func avroPair(t *rapid.T) Pair {
	old := avroSchema(t)
	p := Pair{Old: textOf(schema.Avro, old)}
	if chance(t, 10, "another schema") {
		p.New, p.Changes = textOf(schema.Avro, avroSchema(t)), []string{"another schema"} // types have the same few names
		return p
	}
	now := old
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		next := now.Clone()
		what := changeAvro(t, next)
		if what != "" && valid(textOf(schema.Avro, next)) {
			now = next
			p.Changes = append(p.Changes, what)
		}
	}
	p.New = textOf(schema.Avro, now)
	return p
}

// avroSlots are all places of types, outermost first.
func avroSlots(v *schema.Value) []*schema.Value {
	slots := []*schema.Value{v}
	switch v.Kind {
	case schema.Array:
		for _, b := range v.Items {
			slots = append(slots, avroSlots(b)...)
		}
	case schema.Object:
		for _, name := range []string{"items", "values"} {
			if inner := v.Get(name); inner != nil {
				slots = append(slots, avroSlots(inner)...)
			}
		}
		if fields := v.Get("fields"); fields != nil {
			for _, f := range fields.Items {
				slots = append(slots, avroSlots(f.Get("type"))...)
			}
		}
	}
	return slots
}

// changeAvro changes one place and says what it did; an empty text means that the change found no place.
func changeAvro(t *rapid.T, top *schema.Value) string {
	slots := avroSlots(top)
	at := slots[rapid.IntRange(0, len(slots)-1).Draw(t, "place")]
	if fields := at.Get("fields"); fields != nil {
		return changeAvroRecord(t, at, fields)
	}
	kind, _ := at.Str("type")
	if at.Kind == schema.String {
		kind = at.Text
	}
	switch {
	case at.Kind == schema.Array:
		return changeAvroUnion(t, at)
	case kind == "enum":
		return changeAvroEnum(t, at)
	case kind == "fixed":
		put(at, "size", num(rapid.IntRange(0, 4).Draw(t, "size")))
		return "size of a fixed"
	}
	return changeAvroPlain(t, at, kind)
}

func changeAvroPlain(t *rapid.T, at *schema.Value, kind string) string {
	was := at.Clone()
	switch rapid.IntRange(0, 3).Draw(t, "change of type") {
	case 0:
		*at = *list(str("null"), was)
		return "made nullable"
	case 1:
		*at = *str(pick(t, "promotion", "int", "long", "float", "double", "string", "bytes"))
		return "type " + kind + " changed to " + at.Text
	case 2:
		*at = *object("type", str("array"), "items", was)
		return "wrapped in an array"
	}
	*at = *str(rapid.SampledFrom(avroPrimitives).Draw(t, "primitive"))
	return "type " + kind + " changed to " + at.Text
}

func changeAvroUnion(t *rapid.T, at *schema.Value) string {
	i := rapid.IntRange(0, max(len(at.Items)-1, 0)).Draw(t, "branch")
	switch rapid.IntRange(0, 3).Draw(t, "change of union") {
	case 0:
		at.Items = append(at.Items, str(rapid.SampledFrom(avroPrimitives).Draw(t, "primitive")))
		return "branch added"
	case 1:
		if len(at.Items) > 1 {
			at.Items = append(at.Items[:i:i], at.Items[i+1:]...)
			return "branch removed"
		}
	case 2:
		if len(at.Items) > 0 {
			*at = *at.Items[i]
			return "union replaced by a branch"
		}
	}
	if len(at.Items) > 1 {
		at.Items[0], at.Items[i] = at.Items[i], at.Items[0]
		return "branches swapped"
	}
	return ""
}

func changeAvroEnum(t *rapid.T, at *schema.Value) string {
	symbols := at.Get("symbols")
	switch rapid.IntRange(0, 3).Draw(t, "change of enum") {
	case 0:
		symbols.Items = append(symbols.Items, str("X"))
		return "symbol added"
	case 1:
		if len(symbols.Items) > 1 {
			symbols.Items = symbols.Items[:len(symbols.Items)-1]
			return "symbol removed"
		}
	case 2:
		put(at, "default", symbols.Items[0])
		return "default symbol"
	}
	return renameAvro(t, at)
}

func renameAvro(t *rapid.T, at *schema.Value) string {
	old, _ := at.Str("name")
	if rapid.Bool().Draw(t, "namespace only") {
		put(at, "namespace", str("moved"))
		return "type moved to another namespace"
	}
	put(at, "name", str(old+"x"))
	if rapid.Bool().Draw(t, "with an alias") {
		put(at, "aliases", list(str(old)))
		return "type renamed with an alias"
	}
	return "type renamed"
}

func changeAvroRecord(t *rapid.T, at, fields *schema.Value) string {
	i := rapid.IntRange(0, max(len(fields.Items)-1, 0)).Draw(t, "field")
	what := rapid.IntRange(0, 6).Draw(t, "change of record")
	if what == 0 || len(fields.Items) == 0 {
		f := object("name", str("new"+itoa(len(fields.Items))), "type", str(pick(t, "type of the new field", "int", "string")))
		words := "field added"
		if kind, _ := f.Str("type"); rapid.Bool().Draw(t, "with a default") {
			put(f, "default", map[string]*schema.Value{"int": num(7), "string": str("d")}[kind])
			words = "field added with a default"
		}
		fields.Items = append(fields.Items, f)
		return words
	}
	f := fields.Items[i]
	name, _ := f.Str("name")
	switch what {
	case 1, 2:
		fields.Items = append(fields.Items[:i:i], fields.Items[i+1:]...)
		return "field removed"
	case 3:
		put(f, "name", str(name+"_renamed"))
		if rapid.Bool().Draw(t, "with an alias") {
			put(f, "aliases", list(str(name)))
			return "field renamed with an alias"
		}
		return "field renamed"
	case 4:
		if f.Get("default") != nil {
			drop(f, "default")
			return "default removed"
		}
	case 5:
		return renameAvro(t, at)
	}
	fields.Items[0], fields.Items[i] = fields.Items[i], fields.Items[0]
	return "fields swapped"
}

// AvroValue makes a value of a type as the codec takes it. Branches of a union are wrapped in a map from the branch's name. A type
// that holds itself without a way out has no value: what is made of it does not encode.
func AvroValue(n *schema.AvroNode) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		rapid.Bool().Draw(t, "some randomness") // a record without fields would draw none, which rapid does not allow
		return avroValue(t, n, 6)
	})
}

// avroValue makes lists and maps empty and unions null when the depth is used up, so that recursive types end.
func avroValue(t *rapid.T, n *schema.AvroNode, depth int) any {
	if depth < -8 {
		return struct{}{}
	}
	switch n.Kind {
	case schema.AvroNull:
		return nil
	case schema.AvroBoolean:
		return rapid.Bool().Draw(t, "boolean")
	case schema.AvroInt:
		return rapid.OneOf(rapid.Int32(), rapid.Just(int32(math.MaxInt32)), rapid.Just(int32(math.MinInt32))).Draw(t, "int")
	case schema.AvroLong:
		return rapid.OneOf(rapid.Int64(), rapid.Just(int64(math.MaxInt64)), rapid.Just(int64(math.MinInt64))).Draw(t, "long")
	case schema.AvroFloat:
		return rapid.Float32().Draw(t, "float")
	case schema.AvroDouble:
		return rapid.Float64().Draw(t, "double")
	case schema.AvroBytes:
		return rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "bytes")
	case schema.AvroString:
		return rapid.StringN(0, 4, 16).Draw(t, "string")
	case schema.AvroEnum:
		if len(n.Symbols) == 0 {
			return ""
		}
		return rapid.SampledFrom(n.Symbols).Draw(t, "symbol")
	case schema.AvroFixed:
		return rapid.SliceOfN(rapid.Byte(), n.Size, n.Size).Draw(t, "fixed")
	}
	return avroNested(t, n, depth)
}

func avroNested(t *rapid.T, n *schema.AvroNode, depth int) any {
	size := 0
	if depth > 0 && n.Kind != schema.AvroUnion && n.Kind != schema.AvroRecord {
		size = rapid.IntRange(0, 2).Draw(t, "size")
	}
	switch n.Kind {
	case schema.AvroArray:
		items := make([]any, size)
		for i := range items {
			items[i] = avroValue(t, n.Items, depth-1)
		}
		return items
	case schema.AvroMap:
		entries := map[string]any{}
		for i := range size {
			entries["k"+itoa(i)] = avroValue(t, n.Items, depth-1)
		}
		return entries
	case schema.AvroUnion:
		return avroBranch(t, n, depth)
	}
	record := map[string]any{}
	for _, f := range n.Fields {
		record[f.Name] = avroValue(t, f.Type, depth-1)
	}
	return record
}

func avroBranch(t *rapid.T, n *schema.AvroNode, depth int) any {
	b := n.Branches[rapid.IntRange(0, len(n.Branches)-1).Draw(t, "branch")]
	for _, other := range n.Branches {
		if depth <= 0 && other.Kind == schema.AvroNull {
			return nil
		}
	}
	if b.Kind == schema.AvroNull {
		return nil
	}
	return map[string]any{b.FullName(): avroValue(t, b, depth-1)}
}
