package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Values reads settings by their Kafka name, as the type they have. Asking for a name that the table does not know,
// or as another type, is a mistake in the program and panics.
type Values struct {
	row func(name string) *Setting
	get func(name string) (string, bool)
}

// Topic resolves every setting of one topic.
func Topic(s *Static, clusterDefault, broker, topic map[string]string) Values {
	return Values{LookupTopic, func(name string) (string, bool) {
		v, chain := TopicValue(s, clusterDefault, broker, topic, name)
		return v, len(chain) > 0
	}}
}

// Broker resolves every setting of one broker, with what was changed while it runs.
func Broker(s *Static, clusterDefault, broker map[string]string) Values {
	return Values{Lookup, func(name string) (string, bool) {
		v, set, _ := BrokerValue(s, clusterDefault, broker, name)
		return v, set
	}}
}

func (v Values) value(name string, types ...Type) (string, bool) {
	row := v.row(name)
	if row == nil {
		panic(fmt.Sprintf("config: no setting is named %q", name))
	}
	for _, t := range types {
		if row.Type == t {
			s, ok := v.get(name)
			return strings.TrimSpace(s), ok
		}
	}
	panic(fmt.Sprintf("config: %s is of type %s", name, row.Type))
}

// Has reports whether there is a value, be it a default.
func (v Values) Has(name string) bool {
	_, ok := v.get(name)
	return ok
}

// Int is a short or int; zero when there is no value.
func (v Values) Int(name string) int {
	s, _ := v.value(name, Short, Int)
	n, _ := strconv.Atoi(s)
	return n
}

// Int64 is any whole number; zero when there is no value.
func (v Values) Int64(name string) int64 {
	s, _ := v.value(name, Short, Int, Long)
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Bool is a boolean; false when there is no value.
func (v Values) Bool(name string) bool {
	s, _ := v.value(name, Boolean)
	return strings.EqualFold(s, "true")
}

// Float is a double, or any whole number as one.
func (v Values) Float(name string) float64 {
	s, _ := v.value(name, Double, Short, Int, Long)
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// String is a value of any type as it was written, "" when there is none.
func (v Values) String(name string) string {
	row := v.row(name)
	if row == nil {
		panic(fmt.Sprintf("config: no setting is named %q", name))
	}
	s, _ := v.get(name)
	return s
}

// List is a list's items.
func (v Values) List(name string) []string {
	s, _ := v.value(name, List)
	return SplitList(s)
}

// Duration is a number in the unit its name ends with. What is too long for a time.Duration is the longest one, and
// a negative number stays negative.
func (v Values) Duration(name string) time.Duration {
	unit := unitOf(name)
	if unit == 0 {
		panic(fmt.Sprintf("config: the name %s does not tell a unit of time", name))
	}
	n := v.Int64(name)
	if n > int64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	if n < 0 {
		return -unit
	}
	return time.Duration(n) * unit
}

func unitOf(name string) time.Duration {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "ms", "millis":
		return time.Millisecond
	case "seconds", "secs":
		return time.Second
	case "minutes":
		return time.Minute
	case "hours":
		return time.Hour
	}
	return 0
}

// SegmentBytes is the size of a topic's segments: internal.segment.bytes, which tests may set smaller than anybody
// else, beats segment.bytes.
func (v Values) SegmentBytes() int64 {
	if v.Has("internal.segment.bytes") {
		return v.Int64("internal.segment.bytes")
	}
	return v.Int64("segment.bytes")
}
