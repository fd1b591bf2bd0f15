package serde

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// avroWriter writes decoded values as JSON of bounded length: a byte of a payload may stand for the longest of names.
type avroWriter struct{ limit int }

// value appends a decoded value as people read it: fields in the schema's order, map keys sorted, a nullable union as null or the
// plain value, any other union as {"branch": value}, timestamps and dates as in RFC 3339, decimals as their digits in quotes, bytes as
// text in which each character is a byte.
func (w avroWriter) value(n *avroNode, b []byte, v any) ([]byte, error) {
	if len(b) > w.limit {
		return nil, tooLong(w.limit)
	}
	switch n.kind {
	case "null":
		return append(b, "null"...), nil
	case "union":
		return w.union(n, b, v)
	case "record":
		return w.record(n, b, v)
	case "array":
		return w.array(n, b, v)
	case "map":
		return w.object(n, b, v)
	}
	return n.appendScalar(b, v)
}

func (w avroWriter) union(n *avroNode, b []byte, v any) ([]byte, error) {
	if v == nil {
		return append(b, "null"...), nil
	}
	tagged, ok := v.(map[string]any)
	if !ok || len(tagged) != 1 {
		return nil, n.strange(v)
	}
	for name, inner := range tagged {
		branch := n.find(name)
		if branch == nil {
			return nil, n.strange(v)
		}
		if plain := n.nullable(); plain != nil && !n.looksTagged(inner) {
			return w.value(plain, b, inner)
		}
		b = appendQuoted(append(b, '{'), name)
		b, err := w.value(branch, append(b, ':'), inner)
		return append(b, '}'), err
	}
	return b, nil
}

// looksTagged tells that a plain value would be read as {"branch": value}.
func (n *avroNode) looksTagged(v any) bool {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return false
	}
	for name := range m {
		return n.find(name) != nil
	}
	return false
}

func (w avroWriter) record(n *avroNode, b []byte, v any) ([]byte, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, n.strange(v)
	}
	b = append(b, '{')
	for i, f := range n.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, f.name), ':')
		var err error
		if b, err = w.value(f.node, b, m[f.name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (w avroWriter) array(n *avroNode, b []byte, v any) ([]byte, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, n.strange(v)
	}
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = w.value(n.items, b, item); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func (w avroWriter) object(n *avroNode, b []byte, v any) ([]byte, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, n.strange(v)
	}
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, name), ':')
		var err error
		if b, err = w.value(n.items, b, m[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (n *avroNode) appendScalar(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v), nil
	case int32:
		return n.appendInteger(b, int64(v)), nil
	case int64:
		return n.appendInteger(b, v), nil
	case float32:
		return appendFloat(b, float64(v), 32), nil
	case float64:
		return appendFloat(b, v, 64), nil
	case string:
		return appendQuoted(b, v), nil
	case []byte:
		return n.appendBytes(b, v), nil
	}
	return nil, n.strange(v)
}

func (n *avroNode) strange(v any) error {
	return fmt.Errorf("%w: the type %s holds a %T", ErrMisfit, n.branch(), v)
}

// instants are the logical types that count from 1970, with their unit and how a moment of theirs is written.
var instants = map[string]struct {
	unit   time.Duration
	layout string
}{
	"date":                   {24 * time.Hour, "2006-01-02"},
	"timestamp-millis":       {time.Millisecond, "2006-01-02T15:04:05.000Z"},
	"timestamp-micros":       {time.Microsecond, "2006-01-02T15:04:05.000000Z"},
	"timestamp-nanos":        {time.Nanosecond, "2006-01-02T15:04:05.000000000Z"},
	"local-timestamp-millis": {time.Millisecond, "2006-01-02T15:04:05.000"},
	"local-timestamp-micros": {time.Microsecond, "2006-01-02T15:04:05.000000"},
	"local-timestamp-nanos":  {time.Nanosecond, "2006-01-02T15:04:05.000000000"},
}

func (n *avroNode) appendInteger(b []byte, v int64) []byte {
	if i, ok := instants[n.logical]; ok {
		perSecond := int64(time.Second / i.unit)
		var at time.Time
		if perSecond == 0 {
			at = time.Unix(v*86400, 0)
		} else {
			seconds := v / perSecond
			at = time.Unix(seconds, (v-seconds*perSecond)*int64(i.unit))
		}
		if at = at.UTC(); at.Year() >= 1 && at.Year() <= 9999 { // others cannot be written that way
			return append(at.AppendFormat(append(b, '"'), i.layout), '"')
		}
	}
	return strconv.AppendInt(b, v, 10)
}

func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	case f != 0 && (math.Abs(f) < 1e-6 || math.Abs(f) >= 1e21):
		return strconv.AppendFloat(b, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits)
}

// maxDecimal bounds a decimal that is written in digits: that takes time with the square of its length.
const maxDecimal = 1 << 10

func (n *avroNode) appendBytes(b, v []byte) []byte {
	if n.logical == "decimal" && len(v) > 0 && len(v) <= maxDecimal && n.scale <= maxDecimal {
		return append(append(append(b, '"'), decimalText(v, n.scale)...), '"')
	}
	characters := make([]rune, len(v))
	for i, c := range v {
		characters[i] = rune(c)
	}
	return appendQuoted(b, string(characters))
}

// decimalText writes a big-endian two's complement number with that many digits behind the point.
func decimalText(v []byte, scale int) string {
	i := new(big.Int).SetBytes(v)
	if v[0]&0x80 != 0 {
		i.Sub(i, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	return new(big.Rat).SetFrac(i, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(scale)
}

// appendQuoted writes a text as JSON. Only what has to be escaped is.
func appendQuoted(b []byte, text string) []byte {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = text[i] >= ' ' && text[i] < 0x7f && text[i] != '"' && text[i] != '\\'
	}
	if plain {
		return append(append(append(b, '"'), text...), '"')
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(text) != nil { // a string can always be written
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte{'\n'})...)
}
