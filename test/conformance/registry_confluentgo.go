package main

import (
	"os"
	"os/exec"
	"path/filepath"
)

// confluent-kafka-go with its registry client and serializers: a program in a module of its own, built here.
func init() {
	for _, format := range formats {
		for _, position := range []string{"prefix", "header"} {
			register(Case{"registry-confluentgo/" + format + "-" + position, false, func(t *T) { t.registryConfluentGo("story", format, position) }})
		}
	}
	register(
		Case{"registry-confluentgo/references", false, func(t *T) { t.registryConfluentGo("references") }},
		Case{"registry-confluentgo/administers", false, func(t *T) { t.registryConfluentGo("administer") }},
	)
}

func (t *T) registryConfluentGo(what string, args ...string) string {
	return t.registryClient(exec.CommandContext(t.ctx, t.confluentGo()), what, args...)
}

// confluentGo is the program, built once a run; Go's cache makes that quick from the second run on.
func (t *T) confluentGo() string {
	binary := filepath.Join(t.work, "confluentgo")
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	err := t.shell("CGO_ENABLED=1 go build -C test/conformance/confluentgo -o '" + binary + "' .")
	t.must(err, "confluent-kafka-go", "it needs a C compiler, such as that of the package gcc with libc6-dev, and the modules of its go.mod")
	return binary
}
