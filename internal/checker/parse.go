package checker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Decoder reads a history line by line. It is written by hand because a history of a million operations has ten million
// numbers, of which encoding/json would make an interface value each.
type Decoder struct {
	r    *bufio.Reader
	line int
	long []byte // a line longer than the reader's buffer
}

// NewDecoder reads from r.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{r: bufio.NewReaderSize(r, 1<<20)} }

// Next reads one event into e, whose slices are reused. io.EOF ends the history; a last line without its newline is what a
// dying tester leaves, and is not there.
func (d *Decoder) Next(e *Event) error {
	line, err := d.readLine()
	if err != nil {
		return err
	}
	d.line++
	e.reset()
	p := parser{b: line}
	p.event(e)
	if p.err == nil && p.i != len(p.b) {
		p.fail("the end of the line")
	}
	if p.err != nil {
		return fmt.Errorf("history line %d: %w", d.line, p.err)
	}
	return nil
}

func (d *Decoder) readLine() ([]byte, error) {
	line, err := d.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		d.long = append(d.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = d.r.ReadSlice('\n')
			d.long = append(d.long, line...)
		}
		line = d.long
	}
	if err != nil {
		return nil, err
	}
	return line[:len(line)-1], nil
}

// parser reads the JSON of one line. After the first error every method does nothing.
type parser struct {
	b   []byte
	i   int
	err error
}

func (p *parser) fail(want string) {
	if p.err == nil {
		p.err = fmt.Errorf("column %d: want %s", p.i+1, want)
	}
	p.i = len(p.b)
}

func (p *parser) peek() byte {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\t' || p.b[p.i] == '\r') {
		p.i++
	}
	if p.i == len(p.b) {
		return 0
	}
	return p.b[p.i]
}

func (p *parser) expect(c byte) {
	if p.peek() != c {
		p.fail(string(c))
		return
	}
	p.i++
}

// list calls item for each element up to the closing byte; the opening one has been peeked at.
func (p *parser) list(open, end byte, item func()) {
	p.expect(open)
	if p.peek() == end {
		p.i++
		return
	}
	for p.err == nil {
		item()
		if p.peek() == ',' {
			p.i++
			continue
		}
		p.expect(end)
		return
	}
}

func (p *parser) int() int64 {
	p.peek()
	start := p.i
	negative := p.i < len(p.b) && p.b[p.i] == '-'
	if negative {
		p.i++
	}
	var v int64
	digits := p.i
	for p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] <= '9' && p.i-digits < 19 {
		v = v*10 + int64(p.b[p.i]-'0')
		p.i++
	}
	if p.i == digits || v < 0 {
		p.i = start
		p.fail("an integer")
		return 0
	}
	if negative {
		return -v
	}
	return v
}

func (p *parser) key() int32 {
	v := p.int()
	if int64(int32(v)) != v {
		p.fail("a key of 32 bits")
	}
	return int32(v)
}

// quotedKey reads a key that is the name of an object's member, with the colon behind it.
func (p *parser) quotedKey() int32 {
	k, err := strconv.ParseInt(p.string(), 10, 32)
	if err != nil {
		p.fail("a key in quotes")
	}
	p.expect(':')
	return int32(k)
}

func (p *parser) string() string {
	raw := p.raw()
	if len(raw) < 2 || raw[0] != '"' {
		p.fail("a string")
		return ""
	}
	for _, c := range raw {
		if c == '\\' {
			var s string
			if json.Unmarshal(raw, &s) != nil {
				p.fail("a string")
			}
			return s
		}
	}
	return string(raw[1 : len(raw)-1])
}

// raw returns the text of one JSON value without looking into it.
func (p *parser) raw() []byte {
	p.peek()
	start, depth := p.i, 0
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"':
			p.skipString()
		case c == '[' || c == '{':
			depth++
			p.i++
		case c == ']' || c == '}' || c == ',' || c == ':':
			if depth == 0 {
				return p.b[start:p.i]
			}
			if c == ']' || c == '}' {
				depth--
			}
			p.i++
		default:
			p.i++
		}
		if depth == 0 && p.i > start && (p.b[p.i-1] == '"' || p.b[p.i-1] == ']' || p.b[p.i-1] == '}') {
			return p.b[start:p.i]
		}
	}
	return p.b[start:p.i]
}

func (p *parser) skipString() {
	for p.i++; p.i < len(p.b); p.i++ {
		if p.b[p.i] == '\\' {
			p.i++
		} else if p.b[p.i] == '"' {
			p.i++
			return
		}
	}
	p.i = len(p.b)
	p.fail("the end of a string")
}

func (p *parser) event(e *Event) {
	if p.peek() != '{' {
		p.fail("an object")
		return
	}
	value, end := -1, 0
	p.list('{', '}', func() {
		name := p.string()
		p.expect(':')
		switch name {
		case "i":
			e.ID = p.int()
		case "p":
			e.Process = p.int()
		case "ns":
			e.At = p.int()
		case "t":
			e.Kind = p.kind()
		case "f":
			e.Func = p.string()
		case "v": // its form depends on t and f, which may follow
			p.peek()
			value = p.i
			p.raw()
			end = p.i
		case "att":
			e.Attempts = p.int()
		case "pid":
			e.ProducerID = p.int()
		case "epoch":
			e.Epoch = p.int()
		case "node":
			e.Node = p.int()
		case "reb":
			p.list('[', ']', func() { e.Rebalanced = append(e.Rebalanced, p.key()) })
		case "err":
			e.Err = p.string()
		default: // a later version of the format
			p.raw()
		}
	})
	if p.err == nil && e.Kind == 0 {
		p.fail(`"t"`)
	}
	if p.err == nil && value >= 0 {
		v := parser{b: p.b[:end], i: value}
		v.value(e)
		p.err = v.err
	}
}

func (p *parser) kind() Kind {
	name := p.string()
	for k, n := range kindNames {
		if n == name && n != "" {
			return Kind(k)
		}
	}
	p.fail("inv, ok, fail, info or nem")
	return 0
}

func (p *parser) value(e *Event) {
	switch {
	case e.Kind == Note:
		e.Detail = string(p.raw())
	case p.peek() == '{':
		e.Ends = map[int32]int64{}
		p.list('{', '}', func() { k := p.quotedKey(); e.Ends[k] = p.int() })
	default:
		p.list('[', ']', func() { p.micro(e) })
	}
}

// micro reads ["s",key,value], ["s",key,[offset,value]], ["p"] or ["p",{"key":[[offset,value],...]}].
func (p *parser) micro(e *Event) {
	p.expect('[')
	switch p.string() {
	case "s":
		p.expect(',')
		s := Send{Key: p.key(), Offset: -1}
		p.expect(',')
		if p.peek() == '[' {
			s.Offset, s.Value = p.pair()
		} else {
			s.Value = p.int()
		}
		e.Sends = append(e.Sends, s)
	case "p":
		e.Polls++
		if p.peek() == ',' {
			p.i++
			p.reads(e)
		}
	default:
		p.fail(`"s" or "p"`)
	}
	p.expect(']')
}

func (p *parser) reads(e *Event) {
	p.list('{', '}', func() {
		k := p.quotedKey()
		p.list('[', ']', func() {
			o, v := p.pair()
			e.Reads = append(e.Reads, Read{Key: k, Offset: o, Value: v})
		})
	})
}

func (p *parser) pair() (a, b int64) {
	p.expect('[')
	a = p.int()
	p.expect(',')
	b = p.int()
	p.expect(']')
	return a, b
}
