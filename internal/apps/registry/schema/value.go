package schema

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ValueKind is what a JSON value is.
type ValueKind uint8

const (
	Null ValueKind = iota
	Bool
	Number
	String
	Array
	Object
)

var valueKindNames = [...]string{"null", "boolean", "number", "string", "array", "object"}

func (k ValueKind) String() string { return valueKindNames[k] }

// Value is a JSON value that remembers the order of its members and the letters of its numbers: both belong to a canonical form,
// and a float64 in between would change large numbers.
type Value struct {
	Kind    ValueKind
	Bool    bool
	Text    string // String: the decoded text; Number: the literal as written
	Items   []*Value
	Members []Member
	index   map[string]int // made for large objects only, so that Get stays cheap
}

// Member is one name and value of an object.
type Member struct {
	Name  string
	Value *Value
}

// indexFrom is the number of members from which an object keeps an index.
const indexFrom = 9

// Get is the member of that name, nil when there is none or v is no object.
func (v *Value) Get(name string) *Value {
	if v == nil || v.Kind != Object {
		return nil
	}
	if i := v.find(name); i >= 0 {
		return v.Members[i].Value
	}
	return nil
}

func (v *Value) find(name string) int {
	if v.index != nil {
		if i, ok := v.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range v.Members {
		if v.Members[i].Name == name {
			return i
		}
	}
	return -1
}

// set adds a member; of two members with one name the later wins at the place of the earlier.
func (v *Value) set(name string, value *Value) {
	if i := v.find(name); i >= 0 {
		v.Members[i].Value = value
		return
	}
	v.Members = append(v.Members, Member{name, value})
	if v.index != nil {
		v.index[name] = len(v.Members) - 1
	} else if len(v.Members) == indexFrom {
		v.index = make(map[string]int, 2*indexFrom)
		for i, m := range v.Members {
			v.index[m.Name] = i
		}
	}
}

// drop takes a member away.
func (v *Value) drop(name string) {
	if i := v.find(name); i >= 0 {
		v.Members = slices.Delete(v.Members, i, i+1)
		v.index = nil // Get looks through the members again
	}
}

// Str is the text of a string member, and whether there is one.
func (v *Value) Str(name string) (string, bool) {
	m := v.Get(name)
	if m == nil || m.Kind != String {
		return "", false
	}
	return m.Text, true
}

// IsInteger tells whether a number is written without fraction and exponent.
func (v *Value) IsInteger() bool {
	return v != nil && v.Kind == Number && !strings.ContainsAny(v.Text, ".eE")
}

// Int64 is the value of an integer that fits.
func (v *Value) Int64() (int64, bool) {
	if !v.IsInteger() {
		return 0, false
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return n, err == nil
}

// Plain is the value as encoding/json would give it with UseNumber, made by number for each number.
func (v *Value) Plain(number func(literal string) any) any {
	switch v.Kind {
	case Bool:
		return v.Bool
	case Number:
		return number(v.Text)
	case String:
		return v.Text
	case Array:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.Plain(number)
		}
		return items
	case Object:
		members := make(map[string]any, len(v.Members))
		for _, m := range v.Members {
			members[m.Name] = m.Value.Plain(number)
		}
		return members
	}
	return nil
}

// ParseValue reads one JSON value with at most depth levels of nesting.
func ParseValue(text string, depth int) (*Value, error) {
	return parseValue(text, depth, false)
}

// parseValue reads one JSON value; with comments it skips /* */ and // as Java's Avro parser does.
func parseValue(text string, depth int, comments bool) (*Value, error) {
	s := scanner{text: text, depth: depth, comments: comments}
	v, err := s.value()
	if err != nil {
		return nil, err
	}
	if err := s.space(); err != nil {
		return nil, err
	}
	if s.at < len(s.text) {
		return nil, s.fail("there is text after the end of the schema; remove it")
	}
	return v, nil
}

type scanner struct {
	text     string
	at       int
	depth    int // levels still allowed
	comments bool
}

func (s *scanner) fail(format string, args ...any) *Error {
	line := 1 + strings.Count(s.text[:min(s.at, len(s.text))], "\n")
	column := 1 + min(s.at, len(s.text)) - (1 + strings.LastIndexByte(s.text[:min(s.at, len(s.text))], '\n'))
	return invalidf(fmt.Sprintf("line %d, column %d", line, column), format, args...)
}

func (s *scanner) space() error {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.at++
		case c == '/' && s.comments:
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (s *scanner) comment() error {
	rest := s.text[s.at:]
	end := -1
	switch {
	case strings.HasPrefix(rest, "//"):
		if end = strings.IndexByte(rest, '\n'); end < 0 {
			end = len(rest)
		}
	case strings.HasPrefix(rest, "/*"):
		if end = strings.Index(rest[2:], "*/"); end >= 0 {
			end += 4
		}
	}
	if end < 0 {
		return s.fail("a comment has no end; close it with */")
	}
	s.at += end
	return nil
}

// next skips space and gives the next byte, 0 at the end.
func (s *scanner) next() (byte, error) {
	if err := s.space(); err != nil {
		return 0, err
	}
	if s.at >= len(s.text) {
		return 0, nil
	}
	return s.text[s.at], nil
}

func (s *scanner) value() (*Value, error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	switch {
	case c == '{' || c == '[':
		return s.nested(c)
	case c == '"':
		text, err := s.str()
		return &Value{Kind: String, Text: text}, err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 0 && s.at >= len(s.text):
		return nil, s.fail("the text ends where a JSON value should stand; complete it")
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.at += len(word)
			return &Value{Kind: wordKind(word), Bool: word == "true"}, nil
		}
	}
	return nil, s.fail("no JSON value begins with %q; names and texts need double quotes", firstRune(s.text[s.at:]))
}

func wordKind(word string) ValueKind {
	if word == "null" {
		return Null
	}
	return Bool
}

func firstRune(text string) string {
	r, _ := utf8.DecodeRuneInString(text)
	return string(r)
}

func (s *scanner) nested(open byte) (*Value, error) {
	if s.depth == 0 {
		e := s.fail("the schema is nested too deep; name inner types and refer to them")
		e.Kind = TooLarge
		return nil, e
	}
	s.depth--
	defer func() { s.depth++ }()
	s.at++
	if open == '[' {
		return s.array()
	}
	return s.object()
}

func (s *scanner) array() (*Value, error) {
	v := &Value{Kind: Array}
	for {
		c, err := s.next()
		if err != nil {
			return nil, err
		}
		if c == ']' && len(v.Items) == 0 {
			s.at++
			return v, nil
		}
		item, err := s.value()
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
		if done, err := s.separator(']'); done || err != nil {
			return v, err
		}
	}
}

func (s *scanner) object() (*Value, error) {
	v := &Value{Kind: Object}
	for {
		c, err := s.next()
		if err != nil {
			return nil, err
		}
		if c == '}' && len(v.Members) == 0 {
			s.at++
			return v, nil
		}
		if c != '"' {
			return nil, s.fail("a member's name in double quotes should stand here; mend the object")
		}
		name, err := s.str()
		if err != nil {
			return nil, err
		}
		if c, err = s.next(); err != nil {
			return nil, err
		}
		if c != ':' {
			return nil, s.fail("a colon should follow the name %q; add it", name)
		}
		s.at++
		member, err := s.value()
		if err != nil {
			return nil, err
		}
		v.set(name, member)
		if done, err := s.separator('}'); done || err != nil {
			return v, err
		}
	}
}

// separator reads the comma between values or the closing bracket.
func (s *scanner) separator(close byte) (done bool, err error) {
	c, err := s.next()
	if err != nil {
		return false, err
	}
	switch c {
	case ',':
		s.at++
		c, err = s.next()
		if err == nil && c == close {
			err = s.fail("a comma stands before %q; remove it", close)
		}
		return false, err
	case close:
		s.at++
		return true, nil
	}
	return false, s.fail("a comma or %q should stand here; mend the JSON", close)
}

func (s *scanner) number() (*Value, error) {
	begin := s.at
	digits := func() int {
		from := s.at
		for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
			s.at++
		}
		return s.at - from
	}
	if s.text[s.at] == '-' {
		s.at++
	}
	zero := s.at < len(s.text) && s.text[s.at] == '0'
	n := digits()
	ok := n > 0 && (!zero || n == 1)
	if ok && s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		ok = digits() > 0
	}
	if ok && s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		ok = digits() > 0
	}
	if !ok {
		return nil, s.fail("%q is no JSON number; write it as 12, -1.5 or 2e10", s.text[begin:s.at])
	}
	return &Value{Kind: Number, Text: s.text[begin:s.at]}, nil
}

// str reads a string; a half of a surrogate pair and bytes that are no UTF-8 become U+FFFD, as in encoding/json.
func (s *scanner) str() (string, error) {
	s.at++
	begin := s.at
	for s.at < len(s.text) && s.text[s.at] != '"' && s.text[s.at] != '\\' && s.text[s.at] >= ' ' {
		s.at++
	}
	if s.at < len(s.text) && s.text[s.at] == '"' {
		s.at++
		return strings.ToValidUTF8(s.text[begin:s.at-1], "\uFFFD"), nil
	}
	var b strings.Builder
	b.WriteString(s.text[begin:s.at])
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '"':
			s.at++
			return strings.ToValidUTF8(b.String(), "\uFFFD"), nil
		case c < ' ':
			return "", s.fail("a control character stands inside a text; write it as an escape such as \\n")
		case c == '\\':
			if err := s.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			s.at++
		}
	}
	return "", s.fail("a text has no closing quote; add it")
}

const plainEscapes = "\"\\/bfnrt"
const plainEscaped = "\"\\/\b\f\n\r\t"

func (s *scanner) escape(b *strings.Builder) error {
	s.at++
	if s.at >= len(s.text) {
		return s.fail("a text has no closing quote; add it")
	}
	c := s.text[s.at]
	if i := strings.IndexByte(plainEscapes, c); i >= 0 {
		b.WriteByte(plainEscaped[i])
		s.at++
		return nil
	}
	r, ok := s.hex()
	if !ok {
		return s.fail("\\%c is no escape of JSON; write the letter itself or \\u and four hexadecimal digits", c)
	}
	if utf16.IsSurrogate(r) && strings.HasPrefix(s.text[s.at:], "\\u") {
		back := s.at
		s.at++
		second, ok := s.hex()
		if pair := utf16.DecodeRune(r, second); ok && pair != utf8.RuneError {
			r = pair
		} else {
			s.at = back
		}
	}
	b.WriteRune(r) // a lone surrogate is written as U+FFFD
	return nil
}

// hex reads u and four hexadecimal digits.
func (s *scanner) hex() (rune, bool) {
	if s.at+5 > len(s.text) || s.text[s.at] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s.text[s.at+1:s.at+5], 16, 16)
	if err != nil {
		return 0, false
	}
	s.at += 5
	return rune(n), true
}

// valueStyle is how a value is written.
type valueStyle struct {
	sorted bool                // members by name
	number func(string) string // the letters of a number; nil keeps them
}

// Append writes the value without white space, members in their order, numbers as written.
func (v *Value) Append(dst []byte) []byte { return v.append(dst, valueStyle{}) }

// AppendSorted writes the value without white space and with the members of every object sorted by name.
func (v *Value) AppendSorted(dst []byte) []byte { return v.append(dst, valueStyle{sorted: true}) }

func (v *Value) append(dst []byte, style valueStyle) []byte {
	switch v.Kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.Bool)
	case Number:
		if style.number != nil {
			return append(dst, style.number(v.Text)...)
		}
		return append(dst, v.Text...)
	case String:
		return appendString(dst, v.Text)
	case Array:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.append(dst, style)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, m := range orderedMembers(v, style.sorted) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.Name), ':')
		dst = m.Value.append(dst, style)
	}
	return append(dst, '}')
}

func orderedMembers(v *Value, sorted bool) []Member {
	if !sorted {
		return v.Members
	}
	members := append([]Member(nil), v.Members...)
	sort.Slice(members, func(i, j int) bool { return members[i].Name < members[j].Name })
	return members
}

// appendString escapes what JSON demands and nothing else: the letters of every language stay as they are.
func appendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(text); i++ {
		c := text[i]
		if k := strings.IndexByte("\"\\\b\f\n\r\t", c); k >= 0 {
			dst = append(dst, '\\', "\"\\bfnrt"[k])
		} else if c < ' ' {
			dst = fmt.Appendf(dst, "\\u%04X", c)
		} else {
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// javaNumber writes a number as Java's Avro library does after reading it: integers of any size as they are, everything else as the
// shortest text of its double. A number too large for a double keeps its letters, since infinity is not what was written.
func javaNumber(literal string) string {
	if !strings.ContainsAny(literal, ".eE") {
		if literal == "-0" {
			return "0"
		}
		return literal
	}
	d, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(d, 0) {
		return literal
	}
	return javaDouble(d, 64)
}

// javaDouble is Double.toString and Float.toString: plain digits between 0.001 and ten million, one digit before the point and an
// exponent elsewhere, and always at least one digit after the point.
func javaDouble(d float64, bits int) string {
	if d == 0 {
		if math.Signbit(d) {
			return "-0.0"
		}
		return "0.0"
	}
	if abs := math.Abs(d); abs >= 1e-3 && abs < 1e7 {
		text := strconv.FormatFloat(d, 'f', -1, bits)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(d, 'e', -1, bits), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// Clone is a copy that shares nothing with v.
func (v *Value) Clone() *Value {
	if v == nil {
		return nil
	}
	c := &Value{Kind: v.Kind, Bool: v.Bool, Text: v.Text}
	for _, item := range v.Items {
		c.Items = append(c.Items, item.Clone())
	}
	for _, m := range v.Members {
		c.Members = append(c.Members, Member{m.Name, m.Value.Clone()})
	}
	return c
}
