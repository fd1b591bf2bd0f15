package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Property is one line of a properties file. Line counts from 1; 0 means that it does not come from a file.
type Property struct {
	Key, Value string
	Line       int
}

// Properties are settings in the order they were written. When a key comes twice, the last one counts.
type Properties []Property

// Get is the last value of a key.
func (p Properties) Get(key string) (string, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return "", false
}

// Map is every key with its last value.
func (p Properties) Map() map[string]string {
	m := make(map[string]string, len(p))
	for _, kv := range p {
		m[kv.Key] = kv.Value
	}
	return m
}

// ParseProperties reads the format of java.util.Properties:
//
//	key = value        the first unescaped =, : or blank ends the key; blanks around the separator do not count
//	# or ! begins a comment line; a backslash at the end of a line continues it, without the next line's indent
//	\t \n \r \f \uXXXX and \ before any other character stand for what they say
//
// A file that is not UTF-8 is read as Latin-1, as Java does.
func ParseProperties(r io.Reader) (Properties, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var out Properties
	for _, l := range logicalLines(text(raw)) {
		p, err := parseLine(l.text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		p.Line = l.number
		out = append(out, p)
	}
	return out, nil
}

func text(raw []byte) string {
	if utf8.Valid(raw) {
		return strings.TrimPrefix(string(raw), "\ufeff")
	}
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return string(runes)
}

type logicalLine struct {
	text   string
	number int
}

const blanks = " \t\f"

// logicalLines joins continued lines and drops comments and empty lines.
func logicalLines(s string) []logicalLine {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	var out []logicalLine
	var cur strings.Builder
	start, open := 0, false
	for i, line := range strings.Split(s, "\n") {
		line = strings.TrimLeft(line, blanks)
		if !open {
			if line == "" || line[0] == '#' || line[0] == '!' {
				continue
			}
			start = i + 1
		}
		open = continued(line)
		if open {
			line = line[:len(line)-1]
		}
		cur.WriteString(line)
		if !open {
			out = append(out, logicalLine{cur.String(), start})
			cur.Reset()
		}
	}
	if open && cur.Len() > 0 {
		out = append(out, logicalLine{cur.String(), start})
	}
	return out
}

// continued: an odd number of backslashes at the end.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func parseLine(line string) (Property, error) {
	end := keyEnd(line)
	rest := strings.TrimLeft(line[end:], blanks)
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], blanks)
	}
	key, err := unescape(line[:end])
	if err != nil {
		return Property{}, err
	}
	value, err := unescape(rest)
	return Property{Key: key, Value: value}, err
}

func keyEnd(line string) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':', ' ', '\t', '\f':
			return i
		}
	}
	return len(line)
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	var units []uint16
	flush := func() { b.WriteString(string(utf16.Decode(units))); units = units[:0] } // \uD83D\uDE00 is one character
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			flush()
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break
		}
		if s[i] == 'u' {
			u, err := hexUnit(s[i+1:])
			if err != nil {
				return "", err
			}
			units, i = append(units, u), i+4
			continue
		}
		flush()
		b.WriteByte(escaped(s[i]))
	}
	flush()
	return b.String(), nil
}

func escaped(c byte) byte {
	switch c {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	}
	return c
}

func hexUnit(s string) (uint16, error) {
	if len(s) < 4 {
		return 0, fmt.Errorf(`\u%s is cut off: four hexadecimal digits belong after \u`, s)
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	if err != nil {
		return 0, fmt.Errorf(`\u%s is no character: four hexadecimal digits belong after \u`, s[:4])
	}
	return uint16(n), nil
}

// ParseOverrides reads key=value flags.
func ParseOverrides(flags []string) (Properties, error) {
	var out Properties
	for _, f := range flags {
		key, value, ok := strings.Cut(f, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fmt.Errorf("%q is not of the form key=value", f)
		}
		out = append(out, Property{Key: key, Value: value})
	}
	return out, nil
}
