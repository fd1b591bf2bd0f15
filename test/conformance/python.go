package main

import (
	_ "embed"
	"os/exec"
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
		Case{"python/group-static-members", false, func(t *T) { t.python("static") }},
		Case{"python/refusals", false, func(t *T) { t.python("refusals") }},
		Case{"python/transactional-id", false, pythonTransactional},
	)
}

//go:embed librdkafka.py
var script string

// python runs one function of librdkafka.py in a virtual environment that is made once, and returns what it printed.
func (t *T) python(what string, args ...string) string {
	out := t.wait(exec.CommandContext(t.ctx, t.venv(), t.script(what, args...)...), "")
	said, done := strings.CutSuffix(strings.TrimSpace(out), "ok")
	if !done {
		t.Fatalf("%s", out)
	}
	return said
}

func (t *T) script(what string, args ...string) []string {
	return append([]string{t.File("librdkafka.py", script), t.addr, t.Name("x"), what}, args...)
}

func pythonTransactional(t *T) {
	advertised := "no"
	if t.transactions() {
		advertised = "yes"
	}
	lines := strings.Split(strings.TrimSpace(t.python("transactional", advertised)), "\n")
	t.note = lines[len(lines)-1] // behind librdkafka's own log
}
