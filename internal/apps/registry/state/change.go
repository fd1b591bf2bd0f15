package state

import (
	"maps"
	"slices"
	"strings"
)

// SetConfig decides a change of settings; the reply is all that is set then.
func (s *State) SetConfig(subject string, change ConfigChange) ([]Write, Config, *Error) {
	if !validSubject(subject, true) {
		return nil, Config{}, errorf(InvalidSubject, "%q cannot be the name of a subject", subject)
	}
	name := settingsSubject(subject)
	c, err := change.over(s.configs[name])
	if err != nil {
		return nil, c, err
	}
	if err := s.writable(name); err != nil {
		return nil, c, err
	}
	return s.puts(logicalKey{kind: keyConfig, name: name}, marshal(configValue{name, c})), c, nil
}

// DeleteConfig decides to unset all settings of a subject or context; the reply is what was set.
func (s *State) DeleteConfig(subject string) ([]Write, Config, *Error) {
	name := settingsSubject(subject)
	old, ok := s.ConfigOf(name)
	if !ok {
		return nil, old, errorf(SubjectNotFound, "subject %q has no settings of its own", subject)
	}
	if err := s.writable(name); err != nil {
		return nil, old, err
	}
	if _, set := s.configs[name]; !set {
		return nil, old, nil
	}
	return s.tombstones(logicalKey{kind: keyConfig, name: name}), old, nil
}

// SetMode decides a change of mode; an empty mode unsets it. An import begins on empty ground unless it is forced: no live schema may
// be in its scope, and softly deleted ones are taken away for good.
func (s *State) SetMode(r Rules, subject, mode string, force bool) ([]Write, *Error) {
	if !validSubject(subject, true) {
		return nil, errorf(InvalidSubject, "%q cannot be the name of a subject", subject)
	}
	name := settingsSubject(subject)
	mode = strings.ToUpper(mode)
	if mode != "" && !slices.Contains(modeNames, mode) {
		return nil, errorf(InvalidMode, "there is no mode %q; use one of %s", mode, strings.Join(modeNames, ", "))
	}
	if mode == Forward && ParseName(name) != (Name{GlobalContext, ""}) {
		return nil, errorf(InvalidMode, "mode FORWARD is for all contexts together; set it for %q", ContextPrefix(GlobalContext))
	}
	if r.FixedModes {
		return nil, errorf(NotPermitted, "modes cannot be changed in this registry")
	}
	var writes []Write
	if mode == Import && s.ModeInScope(name) != Import && !force {
		cleared, err := s.emptyGround(name)
		if err != nil {
			return nil, err
		}
		writes = cleared
	}
	l := logicalKey{kind: keyMode, name: name}
	if mode == "" {
		if _, set := s.modes[name]; !set {
			return writes, nil
		}
		return append(writes, s.tombstones(l)...), nil
	}
	return append(writes, s.puts(l, marshal(modeValue{name, mode}))...), nil
}

func (s *State) emptyGround(scope string) ([]Write, *Error) {
	var writes []Write
	for _, subject := range s.inScope(scope) {
		writes = append(writes, s.keepHighest(ParseName(subject).Context)...)
		for _, v := range slices.Backward(s.subjects[subject]) {
			if !v.Deleted {
				return nil, errorf(NotPermitted, "an import needs empty ground, but subject %q has schemas; delete it first or use force=true", subject)
			}
			if err := s.unreferenced(v, true, subject); err != nil {
				return nil, err
			}
			writes = append(writes, s.tombstones(logicalKey{keySchema, subject, v.Version})...)
		}
	}
	return append(writes, s.puts(logicalKey{kind: keyClear, name: scope}, marshal(subjectValue{scope}))...), nil
}

// DeleteMode decides to unset a mode, and with recursive those of all subjects in the context too; the reply is the mode that was set,
// empty when there was none.
func (s *State) DeleteMode(r Rules, subject string, recursive bool) ([]Write, string, *Error) {
	name := settingsSubject(subject)
	old, ok := s.ModeOf(name)
	if !ok && !recursive {
		return nil, "", errorf(SubjectNotFound, "subject %q has no mode of its own", subject)
	}
	if r.FixedModes {
		return nil, "", errorf(NotPermitted, "modes cannot be changed in this registry")
	}
	names := []string{name}
	if n := ParseName(name); recursive && n.Subject == "" {
		for _, other := range slices.Sorted(maps.Keys(s.modes)) {
			if o := ParseName(other); o.Context == n.Context && o.Subject != "" {
				names = append(names, other)
			}
		}
	}
	var writes []Write
	for _, n := range names {
		if _, set := s.modes[n]; set {
			writes = append(writes, s.tombstones(logicalKey{kind: keyMode, name: n})...)
		}
	}
	return writes, old, nil
}
