package state

import (
	"maps"
	"slices"
)

// ConfigOf is what is set for exactly this subject or context. The default context and the global one always have a level, the one that
// holds where nothing is set: clients ask them for it.
func (s *State) ConfigOf(subject string) (Config, bool) {
	name := settingsSubject(subject)
	c, ok := s.configs[name]
	if name == "" || ParseName(name).Context == GlobalContext {
		if c.Level == "" {
			c.Level = s.level
		}
		return c, true
	}
	return c, ok
}

// ConfigInScope is what holds for a subject: each setting from the nearest scope that makes it. An alias is of one subject alone.
func (s *State) ConfigInScope(subject string) Config {
	names := scopes(settingsSubject(subject))
	c := Config{Level: s.level}
	for _, name := range slices.Backward(names) {
		c = c.over(s.configs[name])
	}
	own := s.configs[names[0]]
	c.Alias, c.AliasForDeks = own.Alias, own.AliasForDeks
	return c
}

// scopes are the places where a setting of a subject is looked for, nearest first: itself, its context, and what is set for all
// contexts. What is set without a name is the default context's, and no other's.
func scopes(name string) []string {
	context := ParseName(name).Context
	return slices.Compact([]string{name, ContextPrefix(context), ContextPrefix(GlobalContext)})
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
