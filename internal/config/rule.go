package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rule is what a value must fulfil besides having its type. The zero Rule allows everything.
type Rule struct {
	// Text says it for people, as in "at least 1".
	Text  string
	check func(value string) error
}

// Valid judges a value: its type first, then its rule.
func (s *Setting) Valid(value string) error {
	if err := s.Type.valid(value); err != nil {
		return err
	}
	if s.Rule.check == nil {
		return nil
	}
	return s.Rule.check(strings.TrimSpace(value))
}

func (t Type) valid(value string) error {
	v := strings.TrimSpace(value)
	var err error
	switch t {
	case Boolean:
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return fmt.Errorf("%q is neither true nor false", value)
		}
	case Short:
		_, err = strconv.ParseInt(v, 10, 16)
	case Int:
		_, err = strconv.ParseInt(v, 10, 32)
	case Long:
		_, err = strconv.ParseInt(v, 10, 64)
	case Double:
		_, err = strconv.ParseFloat(v, 64)
	}
	if err != nil {
		return fmt.Errorf("%q is not a number of type %s", value, t)
	}
	return nil
}

// atLeast compares integers as integers and doubles as doubles.
func atLeast(low int64) Rule {
	return Rule{fmt.Sprintf("at least %d", low), func(v string) error {
		if below(v, low) {
			return fmt.Errorf("%s is too small: it must be at least %d", v, low)
		}
		return nil
	}}
}

func between(low, high float64) Rule {
	return Rule{fmt.Sprintf("%v to %v", low, high), func(v string) error {
		if f, _ := strconv.ParseFloat(v, 64); !(f >= low && f <= high) {
			return fmt.Errorf("%s is out of range: it must lie between %v and %v", v, low, high)
		}
		return nil
	}}
}

func below(v string, low int64) bool {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return n < low
	}
	f, err := strconv.ParseFloat(v, 64)
	return err != nil || !(f >= float64(low))
}

func oneOf(values ...string) Rule {
	slices.Sort(values)
	text := strings.Join(values, ", ")
	return Rule{text, func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("%q is not one of %s", v, text)
		}
		return nil
	}}
}

func oneOfFold(values ...string) Rule {
	slices.Sort(values)
	text := strings.Join(values, ", ")
	return Rule{text, func(v string) error {
		if !slices.ContainsFunc(values, func(o string) bool { return strings.EqualFold(o, v) }) {
			return fmt.Errorf("%q is not one of %s", v, text)
		}
		return nil
	}}
}

func listOf(values ...string) Rule {
	slices.Sort(values)
	text := strings.Join(values, ", ")
	return Rule{"a list of " + text, func(v string) error {
		seen := map[string]bool{}
		for _, item := range SplitList(v) {
			if !slices.Contains(values, item) {
				return fmt.Errorf("%q is not one of %s", item, text)
			}
			if seen[item] {
				return fmt.Errorf("%q is named twice", item)
			}
			seen[item] = true
		}
		return nil
	}}
}

func gzipLevel() Rule {
	return Rule{"1 to 9, or -1", func(v string) error {
		if n, _ := strconv.Atoi(v); n != -1 && (n < 1 || n > 9) {
			return fmt.Errorf("%s is out of range: it must lie between 1 and 9, or be -1", v)
		}
		return nil
	}}
}

// retention: a log that keeps records for no time at all would lose them before anybody reads them.
func retention() Rule {
	return Rule{"at least 1, or -1", func(v string) error {
		if n, _ := strconv.ParseInt(v, 10, 64); n == 0 || n < -1 {
			return fmt.Errorf("%s is out of range: it must be at least 1, or -1 to keep records for ever", v)
		}
		return nil
	}}
}

func throttledReplicas() Rule {
	return Rule{"* or a list of partition:broker", func(v string) error {
		items := SplitList(v)
		if len(items) == 1 && (items[0] == "*" || items[0] == "none") {
			return nil
		}
		for _, item := range items {
			p, b, ok := strings.Cut(item, ":")
			if _, err := strconv.ParseUint(p, 10, 31); !ok || err != nil {
				return fmt.Errorf("%q is not of the form partition:broker", item)
			}
			if _, err := strconv.ParseUint(b, 10, 31); err != nil {
				return fmt.Errorf("%q is not of the form partition:broker", item)
			}
		}
		return nil
	}}
}

func shareReset() Rule {
	return Rule{"latest, earliest, or by_duration:PnDTnHnMn.nS", func(v string) error {
		if v == "latest" || v == "earliest" || strings.HasPrefix(v, "by_duration:P") {
			return nil
		}
		return fmt.Errorf("%q is neither latest nor earliest nor by_duration: and an ISO duration", v)
	}}
}

func perAddress() Rule {
	return Rule{"a list of address:count", func(v string) error {
		for _, item := range SplitList(v) {
			i := strings.LastIndexByte(item, ':')
			if i <= 0 {
				return fmt.Errorf("%q is not of the form address:count", item)
			}
			if _, err := strconv.ParseUint(item[i+1:], 10, 31); err != nil {
				return fmt.Errorf("%q is not of the form address:count", item)
			}
		}
		return nil
	}}
}

func hostPorts() Rule {
	return Rule{"a list of host:port", func(v string) error {
		for _, item := range SplitList(v) {
			if _, _, err := splitHostPort(item); err != nil {
				return err
			}
		}
		return nil
	}}
}

// SplitList is a list value's items: comma-separated, trimmed. An empty value is an empty list.
func SplitList(v string) []string {
	if strings.TrimSpace(v) == "" {
		return nil
	}
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
