package meta

import (
	"slices"
	"strings"

	"millrace/internal/kafka/wire"
)

// MaxTopicName is the longest topic name: with "-<partition>" and a suffix it still fits a file name.
const MaxTopicName = 249

// metadataTopic is the name under which the metadata log lies on disk; no image holds it.
const metadataTopic = "__cluster_metadata"

// checkName says why a topic may not have a name.
func checkName(name string) *problem {
	switch {
	case name == "":
		return refuse(wire.InvalidTopicException, "A topic needs a name.")
	case name == "." || name == "..":
		return refuse(wire.InvalidTopicException, "A topic cannot be called %q.", name)
	case name == metadataTopic:
		return refuse(wire.InvalidRequest, "The topic %q is the metadata log's own and cannot be created.", name)
	case len(name) > MaxTopicName:
		return refuse(wire.InvalidTopicException, "The topic name has %d characters; at most %d are allowed.", len(name), MaxTopicName)
	}
	for i := range len(name) {
		if !legal(name[i]) {
			return refuse(wire.InvalidTopicException, "The topic name %q holds a character other than ASCII letters, digits, '.', '_' and '-'.", name)
		}
	}
	return nil
}

func legal(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// Metric names turn '.' into '_', so two topics that differ in nothing else would be counted as one.
func fold(name string) string { return strings.ReplaceAll(name, ".", "_") }

func foldIn(t tree[[]string], name string) tree[[]string] {
	if !strings.ContainsAny(name, "._") {
		return t
	}
	have, _ := t.get(fold(name))
	return t.put(fold(name), append(have[:len(have):len(have)], name))
}

func foldOut(t tree[[]string], name string) tree[[]string] {
	have, _ := t.get(fold(name))
	left := slices.DeleteFunc(slices.Clone(have), func(n string) bool { return n == name })
	if len(left) == 0 {
		return t.del(fold(name))
	}
	return t.put(fold(name), left)
}

// collides names an existing topic that differs from name in '.' and '_' only.
func (i *Image) collides(name string) (other string, found bool) {
	have, _ := i.folded.get(fold(name))
	for _, n := range have {
		if n != name {
			return n, true
		}
	}
	return "", false
}
