package serde

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxNumber bounds the letters and the exponent of a number in JSON: a validator keeps numbers as exact fractions, and 1e1000000000 is
// one of a gigabyte.
const maxNumber = 1000

// checkText bounds how deep JSON text nests and how large its numbers are, before anything is made of it. Whether it is JSON at all,
// its reader says.
func checkText(text []byte) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '{' || c == '[':
			if depth++; depth > maxTextDepth {
				return fmt.Errorf("%w: it is nested more than %d levels deep", ErrMisfit, maxTextDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '-' || '0' <= c && c <= '9':
			from := i
			for i+1 < len(text) && strings.IndexByte("+-.eE0123456789", text[i+1]) >= 0 {
				i++
			}
			if err := checkNumber(string(text[from : i+1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNumber(text string) error {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	n, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
	if len(text) > maxNumber || exponent != "" && (err != nil || n > maxNumber || n < -maxNumber) {
		return fmt.Errorf("%w: a number has more than %d digits", ErrMisfit, maxNumber)
	}
	return nil
}

// maxTextOf is how long the JSON of a payload may be: names of fields are in the one and not in the other.
func maxTextOf(payload []byte) int { return 1<<20 + 100*len(payload) }

func tooLong(limit int) error {
	return fmt.Errorf("%w: as JSON it would be longer than %d bytes", ErrMisfit, limit)
}

// readText reads one JSON value, with numbers as they are written.
func readText(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return nil, fmt.Errorf("%w: it is no JSON: %s", ErrMisfit, sentence(err.Error()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is no JSON: more follows after the value", ErrMisfit)
	}
	return v, nil
}

// compact is JSON text without white space.
func compact(text []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil, fmt.Errorf("%w: it is no JSON: %s", ErrMisfit, sentence(err.Error()))
	}
	return out.Bytes(), nil
}
