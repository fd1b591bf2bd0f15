package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestPackageComments demands one comment for every package, directly above a package clause: a blank line between the two loses it.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		files := map[string]string{}
		for _, f := range p.files(false) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			files[f] = string(text)
		}
		if fault := commentFault(p.name(), files); fault != "" {
			t.Error(fault)
		}
	}
}

func commentFault(pkg string, files map[string]string) string {
	const reason = "a newcomer reads these first, and ARCHITECTURE.md takes its table from them: " +
		"write `// Package NAME ...` directly above one package clause (`// NAME ...` for a program)"
	var found []string
	for name, text := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err.Error()
		}
		if f.Doc == nil || buildLinesOnly(f.Doc) {
			continue
		}
		found = append(found, name)
		want := "Package " + f.Name.Name + " "
		if f.Name.Name == "main" {
			continue
		}
		if !strings.HasPrefix(f.Doc.Text(), want) {
			return fmt.Sprintf("%s: the comment of package %s does not begin with %q: %s", name, pkg, want, reason)
		}
	}
	if len(found) != 1 {
		return fmt.Sprintf("package %s has %d comments %v, not one: %s", pkg, len(found), found, reason)
	}
	return ""
}

func buildLinesOnly(g *ast.CommentGroup) bool { return strings.TrimSpace(g.Text()) == "" }

func TestCommentFault(t *testing.T) {
	const good = "// Package x is.\npackage x\n"
	cases := []struct {
		name, fault string
		files       map[string]string
	}{
		{"one", "", map[string]string{"a.go": good, "b.go": "package x\n"}},
		{"none", "0 comments", map[string]string{"a.go": "package x\n"}},
		{"two", "2 comments", map[string]string{"a.go": good, "b.go": good}},
		{"a blank line", "0 comments", map[string]string{"a.go": "// Package x is.\n\npackage x\n"}},
		{"a build line above", "", map[string]string{"a.go": good, "b.go": "//go:build linux\n\npackage x\n"}},
		{"a directive only", "0 comments", map[string]string{"a.go": "//go:debug x=1\npackage x\n"}},
		{"another name", "does not begin", map[string]string{"a.go": "// Package y is.\npackage x\n"}},
		{"a program", "", map[string]string{"a.go": "// Millrace does.\npackage main\n"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := commentFault("x", c.files)
			if (got == "") != (c.fault == "") || !strings.Contains(got, c.fault) {
				t.Errorf("got %q, want %q in it", got, c.fault)
			}
		})
	}
}
