package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A record is one line of the table.
type record struct {
	message
	section string
	id      int // api key or record type; -1: none
	flex    int // first flexible version; never: none
	structs []*message
}

// A message is a record or a struct inside one.
type message struct {
	name     string // in Go
	versions span
	fields   []*field
	parent   *record
}

type field struct {
	name     string // in Go
	typ      string // without "[]"
	array    bool
	versions span // in which the field is there
	nullable bool
	tag      int // -1: not tagged
	def      string
	structOf *message // typ, if it is a struct
}

// span is a range of versions, both ends included.
type span struct{ from, to int }

const never = math.MaxInt16

// parser reads one line, token by token.
type parser struct {
	tokens []string
	rec    *record
}

var tokenPattern = regexp.MustCompile(`[{};·]|[^\s{};·]+`)

func parseSchema(text string) ([]*record, error) {
	var out []*record
	section := ""
	for i, line := range strings.Split(text, "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section, _, _ = strings.Cut(line[1:], "]")
		default:
			r, err := parseRecord(section, line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			out = append(out, r)
		}
	}
	nameStructs(out)
	return out, nil
}

var headPattern = regexp.MustCompile(`^(\w+)(?: \((\d+)\))? (v[\d-]+), flex (\d+\+|none)$`)

func parseRecord(section, line string) (*record, error) {
	head, body, ok := strings.Cut(line, ": ")
	m := headPattern.FindStringSubmatch(head)
	if !ok || m == nil {
		return nil, fmt.Errorf("no record begins with %q", head)
	}
	r := &record{section: section, id: -1, flex: never}
	r.name = goName(m[1])
	r.parent = r
	if m[2] != "" {
		r.id, _ = strconv.Atoi(m[2])
	}
	r.versions = parseSpan(m[3][1:], span{0, never})
	if m[4] != "none" {
		r.flex, _ = strconv.Atoi(strings.TrimSuffix(m[4], "+"))
	}
	if body == "(no fields)" {
		return r, nil
	}
	p := parser{tokens: tokenPattern.FindAllString(body, -1), rec: r}
	if err := p.fields(&r.message, "·"); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	for len(p.tokens) > 0 {
		if err := p.structDefinition(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return r, r.link()
}

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// fields reads fields up to the token that ends them, or the end of the line.
func (p *parser) fields(m *message, end string) error {
	for {
		f := &field{tag: -1, versions: m.versions}
		f.name = goName(p.next())
		f.typ = p.next()
		if f.typ == "" {
			return fmt.Errorf("%s: a field without a type", m.name)
		}
		if strings.HasPrefix(f.typ, "[]") {
			f.array = true
			f.typ = f.typ[2:]
		}
		m.fields = append(m.fields, f)
		for {
			t := p.next()
			if t == ";" {
				break
			}
			if t == end || t == "" {
				return nil
			}
			if err := p.attribute(f, t); err != nil {
				return fmt.Errorf("%s.%s: %w", m.name, f.name, err)
			}
		}
	}
}

var tagPattern = regexp.MustCompile(`^tag(\d+)(?:\(v(\d+)\+\))?$`)

func (p *parser) attribute(f *field, t string) error {
	switch {
	case t == "null":
		f.nullable = true
	case t == "{":
		m := &message{name: f.typ, versions: p.rec.versions, parent: p.rec}
		p.rec.structs = append(p.rec.structs, m)
		return p.fields(m, "}")
	case t[0] == '=':
		f.def = t[1:]
	case t[0] == 'v':
		f.versions = parseSpan(t[1:], p.rec.versions)
	case tagPattern.MatchString(t):
		m := tagPattern.FindStringSubmatch(t)
		f.tag, _ = strconv.Atoi(m[1])
		if m[2] != "" { // a field that is tagged only from a version on is there only from that version on
			f.versions = parseSpan(m[2]+"+", p.rec.versions)
		}
	default:
		return fmt.Errorf("%q is no attribute", t)
	}
	return nil
}

// structDefinition reads "struct Name { fields }".
func (p *parser) structDefinition() error {
	word, name, brace := p.next(), p.next(), p.next()
	if word != "struct" || brace != "{" {
		return fmt.Errorf("%q %q %q is no struct", word, name, brace)
	}
	m := &message{name: name, versions: p.rec.versions, parent: p.rec}
	p.rec.structs = append(p.rec.structs, m)
	if err := p.fields(m, "}"); err != nil {
		return err
	}
	if t := p.next(); t != "" && t != "·" {
		return fmt.Errorf("%q after a struct", t)
	}
	return nil
}

func parseSpan(s string, within span) span {
	from, to, ranged := strings.Cut(s, "-")
	out := span{to: within.to}
	out.from, _ = strconv.Atoi(strings.TrimSuffix(from, "+"))
	switch {
	case ranged:
		out.to, _ = strconv.Atoi(to)
	case !strings.HasSuffix(s, "+"):
		out.to = out.from
	}
	return out
}

// link finds the struct that each field names.
func (r *record) link() error {
	byName := map[string]*message{}
	for _, m := range r.structs {
		byName[m.name] = m
	}
	for _, m := range append([]*message{&r.message}, r.structs...) {
		for _, f := range m.fields {
			if scalars[f.typ] != nil {
				continue
			}
			if f.structOf = byName[f.typ]; f.structOf == nil {
				return fmt.Errorf("%s.%s: there is no type %q", m.name, f.name, f.typ)
			}
		}
	}
	return nil
}

// nameStructs gives a struct its own name if no other record has a struct (or is a record) of that name, and
// otherwise puts the record's name in front.
func nameStructs(records []*record) {
	count := map[string]int{}
	for _, r := range records {
		count[r.name]++
		for _, m := range r.structs {
			count[goName(m.name)]++
		}
	}
	for _, r := range records {
		for _, m := range r.structs {
			name := goName(m.name)
			if count[name] > 1 {
				name = stem(r.name) + name
			}
			m.name = name
		}
	}
}

func stem(name string) string {
	for _, suffix := range []string{"Record", "Value", "Message", "Data"} {
		if s, ok := strings.CutSuffix(name, suffix); ok {
			return s
		}
	}
	return name
}

var idPattern = regexp.MustCompile(`Id(s?)([A-Z]|$)`)

// goName is Kafka's name with a capital first letter, and ID for Id.
func goName(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	return idPattern.ReplaceAllString(s, "ID$1$2")
}
