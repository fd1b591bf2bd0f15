package serde

import "encoding/binary"

// Values of some types take no bytes: null, a fixed of none, a record of such. In a list there can be any number of them, and a few
// bytes of a stranger would become gigabytes. So where a schema has such a type outside of unions, where each value takes at least the
// byte that names its branch, values are counted before they are made.

// mayTakeNothing tells that a schema has a type, not directly in a union, whose values take no bytes.
func (n *avroNode) mayTakeNothing(seen map[*avroNode]bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	switch n.kind {
	case "null":
		return true
	case "fixed":
		return n.size == 0
	case "array", "map":
		return n.items.mayTakeNothing(seen)
	case "union":
		for _, b := range n.branches {
			if b.kind != "null" && b.mayTakeNothing(seen) {
				return true
			}
		}
	case "record":
		for _, f := range n.fields {
			if f.node.mayTakeNothing(seen) {
				return true
			}
		}
		return len(n.fields) == 0
	}
	return false
}

// maxValues is how many values a payload may hold: more than anybody writes.
func maxValues(payload []byte) int { return 10_000 + 20*len(payload) }

// measure walks over a payload and counts its values.
type measure struct {
	rest   []byte
	values int // that are left
	depth  int
	failed bool // the payload is not what the schema says, which is for the decoder to tell
}

// tooMany tells that a payload holds more values than its length allows.
func (n *avroNode) tooMany(payload []byte) bool {
	m := measure{rest: payload, values: maxValues(payload)}
	m.value(n)
	return m.values < 0
}

func (m *measure) value(n *avroNode) {
	m.values--
	m.depth++
	if m.depth > maxTextDepth {
		m.failed = true
	}
	defer func() { m.depth-- }()
	if m.over() {
		return
	}
	switch n.kind {
	case "boolean":
		m.skip(1)
	case "int", "long", "enum":
		m.long()
	case "float":
		m.skip(4)
	case "double":
		m.skip(8)
	case "bytes", "string":
		m.skip(m.long())
	case "fixed":
		m.skip(int64(n.size))
	case "record":
		for _, f := range n.fields {
			m.value(f.node)
		}
	case "union":
		if i := m.long(); i >= 0 && i < int64(len(n.branches)) {
			m.value(n.branches[i])
		} else {
			m.failed = true
		}
	case "array", "map":
		m.blocks(n)
	}
}

func (m *measure) over() bool { return m.failed || m.values < 0 }

func (m *measure) blocks(n *avroNode) {
	for !m.over() {
		count := m.long()
		if count == 0 {
			return
		}
		if count < 0 {
			m.long() // the size of the block
			count = -count
		}
		for ; count != 0 && !m.over(); count-- {
			if n.kind == "map" {
				m.skip(m.long())
			}
			m.value(n.items)
		}
	}
}

func (m *measure) long() int64 {
	v, n := binary.Varint(m.rest)
	if n <= 0 {
		m.failed = true
		return 0
	}
	m.rest = m.rest[n:]
	return v
}

func (m *measure) skip(n int64) {
	if n < 0 || n > int64(len(m.rest)) {
		m.failed = true
		return
	}
	m.rest = m.rest[n:]
}
