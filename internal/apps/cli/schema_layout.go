package cli

import (
	"bytes"
	"encoding/json"
	"strings"
)

// lineWidth is how much of a schema stands on one line.
const lineWidth = 100

// laidOut is a schema's text for people: JSON with what is short on one line, but each of several fields on its own, in the order and with the
// very numbers and strings of the text; anything else as it is.
func laidOut(kind, text string) string {
	if kind == "PROTOBUF" {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	var out strings.Builder
	layOut(&out, parseLayout(&jsonText{b.String()}), 0, 0)
	return out.String()
}

// jsonText is compact JSON that is valid, read from the front.
type jsonText struct{ rest string }

// jsonNode is a value: a scalar with its text, or a list whose items have keys if it is an object.
type jsonNode struct {
	scalar string
	open   byte
	keys   []string
	items  []jsonNode
}

func parseLayout(t *jsonText) jsonNode {
	open := t.rest[0]
	if open != '{' && open != '[' {
		return jsonNode{scalar: t.scalar()}
	}
	n := jsonNode{open: open}
	for t.rest = t.rest[1:]; t.rest[0] != open+2; { // both brackets close two letters after they open
		if t.rest[0] == ',' {
			t.rest = t.rest[1:]
		}
		if open == '{' {
			n.keys = append(n.keys, t.scalar())
			t.rest = t.rest[1:] // the colon
		}
		n.items = append(n.items, parseLayout(t))
	}
	t.rest = t.rest[1:]
	return n
}

// scalar takes a string, number or word.
func (t *jsonText) scalar() string {
	end := 1
	if t.rest[0] == '"' {
		for t.rest[end] != '"' {
			if t.rest[end] == '\\' {
				end++
			}
			end++
		}
		end++
	} else if end = strings.IndexAny(t.rest, ",]}"); end < 0 {
		end = len(t.rest)
	}
	s := t.rest[:end]
	t.rest = t.rest[end:]
	return s
}

// layOut writes a node; used is what stands before it on its line.
func layOut(out *strings.Builder, n jsonNode, depth, used int) {
	if line := n.line(); n.open == 0 || len(n.items) == 0 || depth > 0 && !n.tall() && 2*depth+used+len(line) <= lineWidth {
		out.WriteString(line)
		return
	}
	out.WriteByte(n.open)
	for i, item := range n.items {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + strings.Repeat("  ", depth+1))
		key := ""
		if n.open == '{' {
			key = n.keys[i] + ": "
		}
		out.WriteString(key)
		layOut(out, item, depth+1, len(key))
	}
	out.WriteString("\n" + strings.Repeat("  ", depth))
	out.WriteByte(n.open + 2)
}

// tall: several objects stand in it, or a list of nothing but objects; these are what changes from version to version.
func (n jsonNode) tall() bool {
	objects, tall := 0, false
	for _, item := range n.items {
		if item.open == '{' {
			objects++
		}
		tall = tall || item.tall()
	}
	return tall || objects > 1 || n.open == '[' && objects > 0 && objects == len(n.items)
}

// line is a node on one line.
func (n jsonNode) line() string {
	if n.open == 0 {
		return n.scalar
	}
	var b strings.Builder
	b.WriteByte(n.open)
	for i, item := range n.items {
		if i > 0 {
			b.WriteString(", ")
		}
		if n.open == '{' {
			b.WriteString(n.keys[i] + ": ")
		}
		b.WriteString(item.line())
	}
	b.WriteByte(n.open + 2)
	return b.String()
}
