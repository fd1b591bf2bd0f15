package main

import (
	_ "embed"
	"os/exec"
)

// confluent-kafka for Python: its three serializers, the id in front of a record and in a header, and its registry client.
func init() {
	for _, format := range []string{"avro", "json", "protobuf", "nested"} {
		for _, position := range []string{"prefix", "header"} {
			register(Case{"registry-python/" + format + "-" + position, format == "avro", func(t *T) { t.registryPython("story", format, position) }})
		}
	}
	register(
		Case{"registry-python/references", false, func(t *T) { t.registryPython("references") }},
		Case{"registry-python/registers-nothing", false, func(t *T) { t.registryPython("latest") }},
		Case{"registry-python/subject-strategies", false, func(t *T) { t.registryPython("strategies") }},
		Case{"registry-python/administers", false, func(t *T) { t.registryPython("administer") }},
		Case{"registry-python/names-and-contexts", false, func(t *T) { t.registryPython("names") }},
	)
}

//go:embed registry.py
var registryScript string

func (t *T) registryPython(what string, args ...string) string {
	return t.registryClient(exec.CommandContext(t.ctx, t.venv(), t.File("registry.py", registryScript)), what, args...)
}
