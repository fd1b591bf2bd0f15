package wire

import (
	_ "embed" // request_shapes.txt
	"fmt"
	"strconv"
	"strings"
)

//go:embed request_shapes.txt
var shapeText string

// shapes by key and version; nil where the table has none.
var shapes = readShapes(shapeText)

func readShapes(text string) (all [Keys][]*shape) {
	keys := map[string]Key{}
	for i := range keyTable {
		keys[keyTable[i].name] = Key(i)
	}
	for line := range strings.Lines(text) {
		head, fields, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || strings.HasPrefix(head, "#") {
			continue
		}
		name, versions, _ := strings.Cut(head, " ")
		key, known := keys[name]
		if !known {
			panic("request_shapes.txt: no API is called " + name)
		}
		tokens := strings.Fields(spaced.Replace(fields))
		first, last := versionRange(versions)
		all[key] = make([]*shape, last+1)
		for v := first; v <= last; v++ {
			p := shapeParser{tokens: tokens, version: v, flexible: Flexible(key, v), line: name}
			all[key][v] = p.message()
		}
	}
	return all
}

// spaced sets apart what is one token.
var spaced = strings.NewReplacer("{", " { ", "}", " } ", ";", " ; ", "[]", " [] ", "(", " ( ", ")", " ) ")

// shapeParser reads one line for one version: fields of other versions are read and left out.
type shapeParser struct {
	tokens   []string
	version  int16
	flexible bool
	line     string
}

func (p *shapeParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *shapeParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

// accept takes the next token if it is t.
func (p *shapeParser) accept(t string) bool {
	if p.peek() != t {
		return false
	}
	p.next()
	return true
}

func (p *shapeParser) message() *shape {
	s := p.fields()
	if len(p.tokens) > 0 {
		panic(p.wrong(p.peek()))
	}
	return &s
}

// fields reads the fields of a struct up to its end.
func (p *shapeParser) fields() shape {
	s := shape{kind: kindStruct, fixed: !p.flexible}
	if p.flexible {
		s.size = 1 // no tags
	}
	for {
		if f, present := p.field(); present {
			s.parts = append(s.parts, f)
			s.size += f.size
			s.fixed = s.fixed && f.fixed
		}
		if !p.accept(";") {
			return s
		}
	}
}

func (p *shapeParser) field() (s shape, present bool) {
	p.next() // the name
	s = p.typ()
	present = true
	if strings.HasPrefix(p.peek(), "v") {
		present = p.within(p.next())
	}
	if p.accept("null") {
		null := true
		if p.accept("(") {
			null = p.within(p.next())
			p.expect(")")
		}
		if null {
			s.mayBeNull()
		}
	}
	return s, present
}

// mayBeNull: a null string, array or bytes is as long as an empty one; a struct gets a byte of its own and may be
// nothing else.
func (s *shape) mayBeNull() {
	s.null, s.fixed = true, false
	if s.kind == kindStruct {
		s.size = 1
	}
}

func (p *shapeParser) typ() shape {
	switch t := p.next(); t {
	case "bool", "int8":
		return shape{size: 1, fixed: true}
	case "int16":
		return shape{size: 2, fixed: true}
	case "int32":
		return shape{size: 4, fixed: true}
	case "int64":
		return shape{size: 8, fixed: true}
	case "uuid":
		return shape{size: 16, fixed: true}
	case "string":
		return shape{kind: kindString, size: p.lengthSize(2)}
	case "bytes":
		return shape{kind: kindBytes, size: p.lengthSize(4)}
	case "[]":
		return shape{kind: kindArray, size: p.lengthSize(4), parts: []shape{p.typ()}}
	case "{":
		s := p.fields()
		p.expect("}")
		return s
	default:
		panic(p.wrong(t))
	}
}

func (p *shapeParser) lengthSize(fixed int) int {
	if p.flexible {
		return 1
	}
	return fixed
}

func (p *shapeParser) within(versions string) bool {
	first, last := versionRange(versions)
	return p.version >= first && p.version <= last
}

func (p *shapeParser) expect(t string) {
	if got := p.next(); got != t {
		panic(p.wrong(got))
	}
}

func (p *shapeParser) wrong(token string) string {
	return fmt.Sprintf("request_shapes.txt: %s: %q is not expected here", p.line, token)
}

// versionRange reads v3, v3+ and v3-5.
func versionRange(s string) (first, last int16) {
	low, high, found := strings.Cut(strings.TrimPrefix(s, "v"), "-")
	open := strings.HasSuffix(low, "+")
	a, err := strconv.ParseInt(strings.TrimSuffix(low, "+"), 10, 16)
	if err != nil || !strings.HasPrefix(s, "v") {
		panic("request_shapes.txt: versions " + s)
	}
	switch {
	case open:
		return int16(a), 1<<15 - 1
	case !found:
		return int16(a), int16(a)
	}
	b, err := strconv.ParseInt(high, 10, 16)
	if err != nil {
		panic("request_shapes.txt: versions " + s)
	}
	return int16(a), int16(b)
}
