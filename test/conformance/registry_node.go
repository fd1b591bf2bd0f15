package main

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
)

// Node has two clients: @confluentinc/schemaregistry with serializers, and @kafkajs/confluent-schema-registry, which is older, knows no
// header, and writes Protobuf without message indexes, so that only it can read that.
func init() {
	for _, format := range formats {
		for _, position := range []string{"prefix", "header"} {
			register(Case{"registry-node/" + format + "-" + position, false, func(t *T) { t.registryNode("story", format, position) }})
		}
	}
	register(
		Case{"registry-node/references", false, func(t *T) { t.registryNode("references") }},
		Case{"registry-node/administers", false, func(t *T) { t.registryNode("administer") }},
		Case{"registry-kafkajs/avro", false, func(t *T) { t.registryNode("kafkajs-story", "avro") }},
		Case{"registry-kafkajs/json", false, func(t *T) { t.registryNode("kafkajs-story", "json") }},
		Case{"registry-kafkajs/protobuf", false, func(t *T) { t.registryNode("kafkajs-story", "protobuf") }},
		Case{"registry-kafkajs/references", false, func(t *T) { t.registryNode("kafkajs-references") }},
	)
}

//go:embed registry.js
var nodeScript string

func (t *T) registryNode(what string, args ...string) string {
	node, modules := t.nodeClients()
	cmd := exec.CommandContext(t.ctx, node, t.File("registry.js", nodeScript))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
	return t.registryClient(cmd, what, args...)
}
