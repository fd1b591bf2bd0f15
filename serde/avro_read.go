package serde

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fromJSON makes of JSON text what the encoder takes. It reads everything that avroWriter writes, and the JSON of the Avro
// specification: a union's value may stand plainly, and is then the first branch that it fits, or as {"branch": value}; timestamps and
// dates may be numbers. What a field's default says may be left out, and so may a nullable field. A field that the schema does not
// have is refused: mostly it is a slip of the pen.
func (n *avroNode) fromJSON(text []byte) (any, error) {
	v, err := readText(text)
	if err != nil {
		return nil, err
	}
	r := avroReader{steps: 1000 + 100*len(text)}
	return r.value(n, v, "")
}

// avroReader bounds the work, since a value in unions in unions is tried with every branch.
type avroReader struct{ steps int }

func (r *avroReader) value(n *avroNode, v any, at string) (any, error) {
	if r.steps--; r.steps < 0 {
		return nil, fmt.Errorf(`%w: too many branches of unions fit it: name them, as {"branch": value}`, ErrMisfit)
	}
	switch n.kind {
	case "null":
		if v != nil {
			return nil, wrong(at, v, "null")
		}
		return nil, nil
	case "union":
		return r.union(n, v, at)
	case "record":
		return r.recordValue(n, v, at)
	case "array":
		items, ok := v.([]any)
		if !ok {
			return nil, wrong(at, v, "a list")
		}
		out := make([]any, len(items))
		for i, item := range items {
			var err error
			if out[i], err = r.value(n.items, item, at+"["+strconv.Itoa(i)+"]"); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			return nil, wrong(at, v, "an object")
		}
		out := make(map[string]any, len(m))
		for _, name := range slices.Sorted(maps.Keys(m)) {
			var err error
			if out[name], err = r.value(n.items, m[name], within(at, name)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return n.scalar(v, at)
}

func (r *avroReader) recordValue(n *avroNode, v any, at string) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, wrong(at, v, "an object with the fields of "+n.name)
	}
	out := make(map[string]any, len(n.fields))
	used := 0
	for _, f := range n.fields {
		given, ok := m[f.name]
		if !ok {
			if !f.hasDefault && !f.node.takesNull() {
				return nil, fmt.Errorf("%w: the field %s of %s is missing", ErrMisfit, within(at, f.name), n.name)
			}
			if !f.hasDefault {
				out[f.name] = nil
			}
			continue // the encoder knows the default
		}
		used++
		var err error
		if out[f.name], err = r.value(f.node, given, within(at, f.name)); err != nil {
			return nil, err
		}
	}
	if used < len(m) {
		return nil, n.unknownField(m, at)
	}
	return out, nil
}

func (n *avroNode) unknownField(m map[string]any, at string) error {
	for _, f := range n.fields {
		delete(m, f.name)
	}
	name := slices.Sorted(maps.Keys(m))[0]
	return fmt.Errorf("%w: %s has no field %s", ErrMisfit, n.name, within(at, name))
}

func (n *avroNode) takesNull() bool {
	return n.kind == "null" || n.kind == "union" && n.find("null") != nil
}

// union tries {"branch": value} first and then the plain value. What is not null is handed to the encoder with its branch.
func (r *avroReader) union(n *avroNode, v any, at string) (any, error) {
	if v == nil && n.takesNull() {
		return nil, nil
	}
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		for name, inner := range m {
			branch := n.find(name)
			if branch == nil || branch.kind == "null" {
				break
			}
			out, err := r.value(branch, inner, within(at, name))
			if err == nil {
				return map[string]any{name: out}, nil
			}
		}
	}
	var first error
	for _, b := range n.branches {
		if b.kind == "null" {
			continue
		}
		out, err := r.value(b, v, at)
		if err == nil {
			return map[string]any{b.branch(): out}, nil
		}
		if first == nil {
			first = err
		}
	}
	if n.nullable() != nil && first != nil {
		return nil, first
	}
	names := make([]string, len(n.branches))
	for i, b := range n.branches {
		names[i] = b.branch()
	}
	return nil, wrong(at, v, "one of "+strings.Join(names, ", "))
}

func (n *avroNode) scalar(v any, at string) (any, error) {
	switch v := v.(type) {
	case bool:
		if n.kind == "boolean" {
			return v, nil
		}
	case json.Number:
		return n.number(v, at)
	case string:
		return n.fromString(v, at)
	}
	return nil, wrong(at, v, n.words())
}

func (n *avroNode) number(v json.Number, at string) (any, error) {
	switch n.kind {
	case "int":
		i, err := strconv.ParseInt(v.String(), 10, 32)
		if err != nil {
			return nil, wrong(at, v, "a whole number of 32 bits")
		}
		return int32(i), nil
	case "long":
		i, err := v.Int64()
		if err != nil {
			return nil, wrong(at, v, "a whole number of 64 bits")
		}
		return i, nil
	case "float":
		f, err := strconv.ParseFloat(v.String(), 32)
		if err != nil {
			return nil, wrong(at, v, "a number within the range of a float")
		}
		return float32(f), nil
	case "double":
		f, err := v.Float64()
		if err != nil {
			return nil, wrong(at, v, "a number within the range of a double")
		}
		return f, nil
	case "bytes", "fixed":
		if n.logical == "decimal" {
			return n.decimal(v.String(), at)
		}
	}
	return nil, wrong(at, v, n.words())
}

var notFinite = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}

func (n *avroNode) fromString(v, at string) (any, error) {
	switch n.kind {
	case "string":
		return v, nil
	case "enum":
		if !n.symbols[v] {
			return nil, wrong(at, v, "a symbol of the enum "+n.name)
		}
		return v, nil
	case "int", "long":
		return n.instant(v, at)
	case "float":
		if f, ok := notFinite[v]; ok {
			return float32(f), nil
		}
	case "double":
		if f, ok := notFinite[v]; ok {
			return f, nil
		}
	case "bytes", "fixed":
		if n.logical == "decimal" && isDecimal(v) {
			return n.decimal(v, at)
		}
		return n.bytes(v, at)
	}
	return nil, wrong(at, v, n.words())
}

func (n *avroNode) bytes(v, at string) (any, error) {
	out := make([]byte, 0, len(v))
	for _, c := range v {
		if c > 0xff {
			return nil, wrong(at, v, `bytes, each a character up to \u00ff`)
		}
		out = append(out, byte(c))
	}
	if n.kind == "fixed" && len(out) != n.size {
		return nil, wrong(at, v, fmt.Sprintf("%d bytes, each a character up to \\u00ff", n.size))
	}
	return out, nil
}

// instant reads a moment in the form of RFC 3339.
func (n *avroNode) instant(v, at string) (any, error) {
	i, ok := instants[n.logical]
	if !ok {
		return nil, wrong(at, v, n.words())
	}
	layout := time.RFC3339Nano
	switch {
	case n.logical == "date":
		layout = time.DateOnly
	case strings.HasPrefix(n.logical, "local-"):
		layout = "2006-01-02T15:04:05.999999999"
	}
	t, err := time.Parse(layout, v)
	if err != nil {
		return nil, wrong(at, v, fmt.Sprintf("a %s like %s", n.logical, i.layout))
	}
	perSecond := int64(time.Second / i.unit)
	if perSecond == 0 {
		return int32(t.Unix() / 86400), nil
	}
	if (t.Year() < 1678 || t.Year() > 2261) && i.unit == time.Nanosecond {
		return nil, wrong(at, v, "a moment between 1678 and 2261, which nanoseconds can count to")
	}
	return t.Unix()*perSecond + int64(t.Nanosecond())/int64(i.unit), nil
}

// isDecimal tells digits from the bytes of a decimal that are written as characters.
func isDecimal(v string) bool {
	digits := strings.TrimPrefix(v, "-")
	return len(v) <= maxDecimal && strings.Trim(digits, "0123456789.") == "" && strings.Trim(digits, ".") == digits &&
		strings.Count(digits, ".") <= 1 && digits != ""
}

// decimal makes the bytes of a number: two's complement, big-endian, as few as possible, or as many as the fixed has.
func (n *avroNode) decimal(v, at string) (any, error) {
	r, ok := new(big.Rat).SetString(v)
	if !ok || n.scale > maxDecimal || n.scale < 0 {
		return nil, wrong(at, v, "a decimal number")
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.scale)), nil)))
	if !r.IsInt() {
		return nil, wrong(at, v, fmt.Sprintf("a decimal number with at most %d digits behind the point", n.scale))
	}
	i := r.Num()
	size := n.size
	if n.kind == "bytes" {
		magnitude := i
		if i.Sign() < 0 {
			magnitude = new(big.Int).Not(i)
		}
		size = magnitude.BitLen()/8 + 1
	}
	out, ok := twosComplement(i, size)
	if !ok {
		return nil, wrong(at, v, fmt.Sprintf("a decimal number that fits %d bytes", size))
	}
	return out, nil
}

func twosComplement(i *big.Int, size int) ([]byte, bool) {
	limit := new(big.Int).Lsh(big.NewInt(1), uint(max(8*size-1, 0)))
	if i.Cmp(limit) >= 0 || i.Cmp(new(big.Int).Neg(limit)) < 0 {
		return nil, false
	}
	if i.Sign() < 0 {
		i = new(big.Int).Add(i, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return i.FillBytes(make([]byte, size)), true
}

// words says what a type wants, to a person.
func (n *avroNode) words() string {
	switch n.kind {
	case "boolean":
		return "true or false"
	case "int", "long":
		if i, ok := instants[n.logical]; ok {
			return "a " + n.logical + " like " + i.layout + ", or a whole number"
		}
		return "a whole number"
	case "float", "double":
		return "a number"
	case "string":
		return "a text in quotes"
	case "enum":
		return "a symbol of the enum " + n.name + ", in quotes"
	}
	if n.logical == "decimal" {
		return "a decimal number"
	}
	return `bytes as a text in quotes`
}

func wrong(at string, v any, want string) error {
	text, _ := json.Marshal(v)
	if len(text) > 60 {
		text = append([]byte(strings.ToValidUTF8(string(text[:60]), "")), "..."...)
	}
	if at == "" {
		return fmt.Errorf("%w: %s is not %s", ErrMisfit, text, want)
	}
	return fmt.Errorf("%w: %s is %s, not %s", ErrMisfit, at, text, want)
}

// within is the path to a member.
func within(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
