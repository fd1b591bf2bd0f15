package schema

import "math"

// FitsAvroDefault tells whether a default value fits a type: for a union, any of its branches.
func FitsAvroDefault(t *AvroNode, v *Value) bool {
	var c defaultCheck
	return c.value(t, v)
}

// defaultCheck remembers its answers: a value in unions in unions would otherwise be tried once per path to it, and the defaults of a
// record inside itself would never end. While an answer is sought it is no.
type defaultCheck struct{ answers map[typedValue]bool }

type typedValue struct {
	t *AvroNode
	v *Value
}

func (c *defaultCheck) value(t *AvroNode, v *Value) bool {
	switch t.Kind {
	case AvroNull:
		return v.Kind == Null
	case AvroBoolean:
		return v.Kind == Bool
	case AvroInt:
		n, ok := v.Int64()
		return ok && n >= math.MinInt32 && n <= math.MaxInt32
	case AvroLong:
		_, ok := v.Int64()
		return ok
	case AvroFloat, AvroDouble:
		return v.Kind == Number || v.Kind == String && isNotFinite(v.Text)
	case AvroString, AvroBytes, AvroFixed, AvroEnum:
		return v.Kind == String
	}
	key := typedValue{t, v}
	if fits, ok := c.answers[key]; ok {
		return fits
	}
	if c.answers == nil {
		c.answers = map[typedValue]bool{}
	}
	c.answers[key] = false
	fits := c.nested(t, v)
	c.answers[key] = fits
	return fits
}

func (c *defaultCheck) nested(t *AvroNode, v *Value) bool {
	switch t.Kind {
	case AvroArray:
		return v.Kind == Array && all(v.Items, func(item *Value) bool { return c.value(t.Items, item) })
	case AvroMap:
		return v.Kind == Object && all(v.Members, func(m Member) bool { return c.value(t.Items, m.Value) })
	case AvroUnion:
		return !all(t.Branches, func(b *AvroNode) bool { return !c.value(b, v) })
	}
	return v.Kind == Object && all(t.Fields, func(f AvroField) bool {
		inner := v.Get(f.Name)
		if inner == nil {
			inner = f.Default
		}
		return inner != nil && c.value(f.Type, inner)
	})
}

func isNotFinite(text string) bool {
	return text == "NaN" || text == "Infinity" || text == "-Infinity"
}

func all[T any](list []T, ok func(T) bool) bool {
	for _, item := range list {
		if !ok(item) {
			return false
		}
	}
	return true
}
