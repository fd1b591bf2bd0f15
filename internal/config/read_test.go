package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestImplementedMeansRead: a setting that the table calls implemented is asked for by name somewhere in the program;
// ssl.keystore.type need not be, for its one value is all that is possible.
func TestImplementedMeansRead(t *testing.T) {
	asked := namesAsked(t)
	for i := range brokerTable.rows {
		r := &brokerTable.rows[i]
		if r.Class != Implemented || r.Removed || readAs(r, asked) || r.Name == "ssl.keystore.type" {
			continue
		}
		t.Errorf("%s is called implemented, and nothing reads it: build it, or change its class", r.Name)
	}
}

// readAs: under its own name, its topic's, or the name that it is another spelling of.
func readAs(r *Setting, asked map[string]bool) bool {
	if asked[r.Name] || r.Topic != "" && asked[r.Topic] {
		return true
	}
	for first, names := range spellings {
		for _, s := range names {
			if s.name == r.Name && first != r.Name && readAs(Lookup(first), asked) {
				return true
			}
		}
	}
	return false
}

var quoted = regexp.MustCompile(`"([a-z][a-z0-9]*(?:\.[a-z0-9]+)+|listeners)"`)

// namesAsked are the dotted names in quotes in the program's sources, the table itself and tests left out.
func namesAsked(t *testing.T) map[string]bool {
	t.Helper()
	asked := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := filepath.Base(path)
		if d.IsDir() && (strings.HasPrefix(base, ".") && base != ".." || path == filepath.Join(root, "test")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") || filepath.Dir(path) == filepath.Join(root, "internal", "config") && strings.HasPrefix(base, "table_") {
			return nil
		}
		raw, err := os.ReadFile(path)
		for _, m := range quoted.FindAllStringSubmatch(string(raw), -1) {
			asked[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return asked
}
