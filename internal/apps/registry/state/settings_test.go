package state

import "testing"

// Each setting comes from the nearest scope that makes it, and what is set without a name is the default context's alone.
func TestInheritance(t *testing.T) {
	l := newLog()
	l.set(t, "", `{"compatibility":"FORWARD","normalize":true,"alias":"nobody"}`)
	l.set(t, ":.team:", `{"compatibility":"NONE"}`)
	l.set(t, ":.team:flip", `{"compatibilityGroup":"g"}`)
	l.set(t, ":.__GLOBAL:", `{"validateFields":true,"compatibility":"FULL"}`)
	l.set(t, "own", `{"compatibilityGroup":"g"}`)
	l.set(t, ":.bare:s", `{"compatibilityGroup":"g"}`)
	for subject, want := range map[string]struct {
		level, group string
		normalize    bool
	}{
		"":            {"FORWARD", "", true},
		"s":           {"FORWARD", "", true},
		"own":         {"FORWARD", "g", true},
		":.team:":     {"NONE", "", false},
		":.team:s":    {"NONE", "", false},
		":.team:flip": {"NONE", "g", false},
		":.bare:s":    {"FULL", "g", false},
		":.other:s":   {"FULL", "", false},
	} {
		c := l.state.ConfigInScope(subject)
		if c.Level != want.level || c.Group != want.group || on(c.Normalize, false) != want.normalize || !on(c.ValidateFields, false) {
			t.Errorf("%q: %s", subject, marshal(c))
		}
		if c.Alias != "" && subject != "" {
			t.Errorf("%q inherits an alias", subject)
		}
	}
	if c, ok := l.state.ConfigOf(":.team:flip"); !ok || c.Level != "" {
		t.Errorf("a level that is not its own: %s", marshal(c))
	}
}

func TestModesOfContexts(t *testing.T) {
	l := newLog()
	mode := func(scope, mode string) {
		writes, err := l.state.SetMode(l.rules, scope, mode, false)
		wantCode(t, err, 0)
		l.append(writes)
	}
	want := func(subject, mode string) {
		t.Helper()
		if got := l.state.ModeInScope(subject); got != mode {
			t.Errorf("%q: %s, want %s", subject, got, mode)
		}
	}
	mode("", ReadOnly)
	want("s", ReadOnly)
	want(":.team:s", ReadWrite)
	mode("", "")
	mode(":.__GLOBAL:", ReadOnly)
	want("s", ReadOnly)
	want(":.team:s", ReadOnly)
	mode(":.team:", ReadWrite)
	want(":.team:s", ReadWrite)
	want("s", ReadOnly)
}
