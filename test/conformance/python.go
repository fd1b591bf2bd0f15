package main

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
)

// confluent-kafka for Python: librdkafka of today.
func init() {
	register(
		Case{"python/codecs", true, func(t *T) { t.python("codecs") }},
		Case{"python/headers-and-timestamps", false, func(t *T) { t.python("headers") }},
		Case{"python/group-range", false, func(t *T) { t.python("group", "range") }},
		Case{"python/group-cooperative-sticky", false, func(t *T) { t.python("group", "cooperative-sticky") }},
		Case{"python/admin", false, func(t *T) { t.python("admin") }},
		Case{"python/errors", false, func(t *T) { t.python("errors") }},
		Case{"python/offsets-for-times", false, func(t *T) { t.python("times") }},
	)
}

//go:embed librdkafka.py
var script string

// python runs one function of librdkafka.py in a virtual environment that is made once.
func (t *T) python(what string, args ...string) {
	home, err := os.UserHomeDir()
	t.Must(err, "home")
	venv := filepath.Join(home, ".cache", "millrace", "python")
	python := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(filepath.Join(venv, "complete")); err != nil {
		t.Cmd("", "python3", "-m", "venv", venv)
		t.Cmd("", python, "-m", "pip", "-q", "install", "confluent-kafka==2.16.1")
		t.Must(os.WriteFile(filepath.Join(venv, "complete"), nil, 0o644), "marker")
	}
	out := t.Cmd("", python, append([]string{t.File("librdkafka.py", script), t.addr, t.Name("x"), what}, args...)...)
	if !strings.HasSuffix(strings.TrimSpace(out), "ok") {
		t.Fatalf("%s", out)
	}
}
