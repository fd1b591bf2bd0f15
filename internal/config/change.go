package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrReadOnly is what a change of a setting that is fixed at start wraps.
var ErrReadOnly = errors.New("it is read when the node starts: change the file and restart")

// ValidateTopic judges one topic setting as a client would set it.
func ValidateTopic(name, value string) error {
	row := LookupTopic(name)
	if row == nil {
		return unknown("topic", name, NearestTopic(name))
	}
	return validateChange(row, value)
}

// ValidateTopicValues judges what a topic ends up with: own holds the topic's own settings after the change, and
// every setting that is not among them has its inherited value.
func ValidateTopicValues(inherited Values, own map[string]string) error {
	for _, name := range sortedKeys(own) {
		if err := ValidateTopic(name, own[name]); err != nil {
			return err
		}
	}
	number := func(name string) int64 {
		if v, ok := own[name]; ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
		return inherited.Int64(name)
	}
	if low, high := number("min.compaction.lag.ms"), number("max.compaction.lag.ms"); low > high {
		return fmt.Errorf("min.compaction.lag.ms (%d) is larger than max.compaction.lag.ms (%d)", low, high)
	}
	return nil
}

// ValidateGroup judges one group setting.
func ValidateGroup(name, value string) error {
	row := LookupGroup(name)
	if row == nil {
		return unknown("group", name, nearest(dynamicGroupTable, name))
	}
	return validateChange(row, value)
}

// ValidateBroker judges one broker setting that is changed while nodes run, for one broker (perBroker) or as the
// default of all.
func ValidateBroker(name, value string, perBroker bool) error {
	row := Lookup(name)
	if row == nil {
		return unknown("broker", name, Nearest(name))
	}
	if err := ChangeableBroker(name, perBroker); err != nil {
		return err
	}
	return validateChange(row, value)
}

// ChangeableBroker tells whether a broker setting can be changed, or a change of it undone, while nodes run.
func ChangeableBroker(name string, perBroker bool) error {
	row := Lookup(name)
	if row == nil {
		return unknown("broker", name, Nearest(name))
	}
	one, all := row.Dynamic()
	if !one {
		return fmt.Errorf("%s cannot change while the node runs: %w", name, ErrReadOnly)
	}
	if !perBroker && !all {
		return fmt.Errorf("%s is set for one broker, not as the default of all: name the broker", name)
	}
	return nil
}

// validateChange: a setting that is not built may be set to what holds anyway; anything else would be a promise
// that nobody keeps.
func validateChange(row *Setting, value string) error {
	if row.Removed {
		return nil
	}
	if err := row.Valid(value); err != nil {
		return fmt.Errorf("%s=%s is refused: %w", row.Name, shown(row, value), err)
	}
	if (row.Class == NotYet || row.Class == Secures) && !strings.EqualFold(strings.TrimSpace(value), row.Default) {
		return fmt.Errorf("%s=%s is refused: it is not built yet, only %q is possible", row.Name, shown(row, value), row.Default)
	}
	return nil
}

func unknown(kind, name, near string) error {
	if near == "" {
		return fmt.Errorf("no %s setting is named %s", kind, name)
	}
	return fmt.Errorf("no %s setting is named %s: did you mean %s?", kind, name, near)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
