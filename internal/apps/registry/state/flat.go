package state

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// decodeKey and decodeSchema are json.Unmarshal. Nearly all records of a log are compact objects of texts, whole numbers and booleans,
// and a start reads all of them: those are read here, in a fifth of the time. Whatever is otherwise, broken or only unusual, is left to
// encoding/json, so that what a record says never depends on who reads it.
func decodeKey(text []byte, into *key) error {
	var k key
	var subject string
	known := flatObject(text, func(p *flat, name string) bool {
		switch name {
		case "keytype":
			return p.text(&k.Type)
		case "subject":
			k.Subject = &subject
			return p.text(&subject)
		case "version":
			return p.number(&k.Version)
		case "magic":
			return p.number(&k.Magic)
		}
		return false
	})
	if !known {
		return json.Unmarshal(text, into)
	}
	*into = k
	return nil
}

func decodeSchema(text []byte, into *schemaValue) error {
	var v schemaValue
	known := flatObject(text, func(p *flat, name string) bool {
		switch name {
		case "subject":
			return p.text(&v.Subject)
		case "version":
			return p.number(&v.Version)
		case "id":
			return p.number(&v.ID)
		case "md5":
			return p.text(&v.MD5)
		case "schemaType":
			return p.text((*string)(&v.Type))
		case "schema":
			return p.text(&v.Text)
		case "deleted":
			return p.boolean(&v.Deleted)
		}
		return false
	})
	if !known {
		return json.Unmarshal(text, into)
	}
	*into = v
	return nil
}

// flat is the rest of a JSON text. What it does not know it refuses.
type flat struct {
	rest []byte
	room []byte // for texts with escapes
}

// flatObject gives every field of an object without spaces to take, which reads its value. It is false when anything is refused.
func flatObject(text []byte, take func(p *flat, name string) bool) bool {
	p := &flat{rest: text}
	if !p.skip('{') {
		return false
	}
	for {
		end := bytes.IndexByte(p.rest, ':')
		if end < 2 || p.rest[0] != '"' || p.rest[end-1] != '"' {
			return false
		}
		name := string(p.rest[1 : end-1]) // compared only: one with an escape in it is none of ours
		p.rest = p.rest[end+1:]
		if !take(p, name) {
			return false
		}
		if p.skip('}') {
			return len(p.rest) == 0
		}
		if !p.skip(',') {
			return false
		}
	}
}

func (p *flat) skip(c byte) bool {
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// escaped are the letters that may follow a backslash, and what they stand for; code points in figures are refused.
var escaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *flat) text(into *string) bool {
	if !p.skip('"') {
		return false
	}
	p.room = p.room[:0]
	from := 0 // what lies between it and at is to be taken as it is
	for at := 0; at < len(p.rest); at++ {
		switch c := p.rest[at]; {
		case c == '"':
			raw := p.rest[from:at]
			if len(p.room) > 0 {
				p.room = append(p.room, raw...)
				raw = p.room
			}
			*into = string(raw)
			p.rest = p.rest[at+1:]
			return utf8.ValidString(*into)
		case c < ' ':
			return false
		case c == '\\':
			if at+1 == len(p.rest) || escaped[p.rest[at+1]] == 0 {
				return false
			}
			if p.room == nil {
				p.room = make([]byte, 0, len(p.rest))
			}
			p.room = append(append(p.room, p.rest[from:at]...), escaped[p.rest[at+1]])
			at++
			from = at + 1
		}
	}
	return false
}

func (p *flat) number(into *int) bool {
	digits := 0
	for digits < len(p.rest) && '0' <= p.rest[digits] && p.rest[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 9 || p.rest[0] == '0' && digits > 1 {
		return false
	}
	n, err := strconv.Atoi(string(p.rest[:digits]))
	*into, p.rest = n, p.rest[digits:]
	return err == nil
}

func (p *flat) boolean(into *bool) bool {
	for _, v := range []bool{true, false} {
		if rest, ok := bytes.CutPrefix(p.rest, strconv.AppendBool(nil, v)); ok {
			*into, p.rest = v, rest
			return true
		}
	}
	return false
}
