package state

import (
	"maps"
	"slices"
)

// ConfigOf is what is set for exactly this subject or context. The default context and the global one always have settings: those
// that hold where nothing is set.
func (s *State) ConfigOf(subject string) (Config, bool) {
	name := settingsSubject(subject)
	c, ok := s.configs[name]
	if ok || name == "" || ParseName(name).Context == GlobalContext {
		if c.Level == "" {
			c.Level = s.level
		}
		return c, true
	}
	return Config{}, false
}

// ConfigInScope is what holds for a subject: its own settings over those of the default context; without own ones those of its
// context, then the global ones.
func (s *State) ConfigInScope(subject string) Config {
	name := settingsSubject(subject)
	var c Config
	if own, ok := s.configs[name]; ok && name != "" {
		c = s.configs[""].over(own)
	} else {
		c = firstOf(s.configs, scopes(name))
	}
	if c.Level == "" {
		c.Level = s.level
	}
	return c
}

// scopes are the places where a setting of a subject is looked for, nearest first.
func scopes(name string) []string {
	context := ParseName(name).Context
	return []string{name, ContextPrefix(context), ContextPrefix(GlobalContext)}
}

func firstOf[V any](settings map[string]V, names []string) (found V) {
	for _, name := range names {
		if v, ok := settings[name]; ok {
			return v
		}
	}
	return found
}

// The modes.
const (
	ReadWrite        = "READWRITE"
	ReadOnly         = "READONLY"
	ReadOnlyOverride = "READONLY_OVERRIDE"
	Import           = "IMPORT"
	Forward          = "FORWARD"
)

var modeNames = []string{ReadWrite, ReadOnly, ReadOnlyOverride, Import, Forward}

// ModeOf is the mode that is set for exactly this subject or context.
func (s *State) ModeOf(subject string) (string, bool) {
	name := settingsSubject(subject)
	m, ok := s.modes[name]
	if !ok && (name == "" || ParseName(name).Context == GlobalContext) {
		return ReadWrite, true
	}
	return m, ok
}

// ModeInScope is the mode that holds for a subject.
func (s *State) ModeInScope(subject string) string {
	if m := firstOf(s.modes, scopes(settingsSubject(subject))); m != "" {
		return m
	}
	return ReadWrite
}

func (s *State) writable(subject string) *Error {
	if m := s.ModeInScope(subject); m == ReadOnly || m == ReadOnlyOverride {
		return errorf(NotPermitted, "subject %q is read-only: its mode is %s", subject, m)
	}
	return nil
}

func importing(mode string) bool { return mode == Import || mode == Forward }

// NamedConfig and NamedMode are what is set for a subject, for a context (":.c:") or, with an empty name, for the default one.
type (
	NamedConfig struct {
		Subject string `json:"subject"`
		Config
	}
	NamedMode struct {
		Subject string `json:"subject"`
		Mode    string `json:"mode"`
	}
)

// Settings is everything that is set, by name: also for subjects that have no schema.
func (s *State) Settings() (configs []NamedConfig, modes []NamedMode) {
	for _, name := range slices.Sorted(maps.Keys(s.configs)) {
		configs = append(configs, NamedConfig{name, s.configs[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(s.modes)) {
		modes = append(modes, NamedMode{name, s.modes[name]})
	}
	return configs, modes
}
