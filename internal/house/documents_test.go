package house

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the package table of ARCHITECTURE.md")

const (
	tableBegin = "<!-- packages -->\n"
	tableEnd   = "<!-- end of packages -->\n"
)

// TestPackageTable holds the table in ARCHITECTURE.md against the package comments and the import table. go generate writes it.
func TestPackageTable(t *testing.T) {
	path := filepath.Join(root, "ARCHITECTURE.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fresh, ok := withTable(string(page), packageTable(packages(t)))
	if !ok {
		t.Fatalf("ARCHITECTURE.md has no place for the package table between %q and %q", tableBegin, tableEnd)
	}
	if *update {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != fresh {
		t.Error("the package table of ARCHITECTURE.md is not what the package comments say: run go generate ./internal/house")
	}
}

func withTable(page, table string) (string, bool) {
	head, rest, ok := strings.Cut(page, tableBegin)
	_, tail, ok2 := strings.Cut(rest, tableEnd)
	return head + tableBegin + table + tableEnd + tail, ok && ok2
}

func packageTable(list []listed) string {
	may := map[string]string{}
	for _, l := range table {
		may[place(l.pkg)] = l.ours
	}
	var b strings.Builder
	b.WriteString("\n| package | what it is | may import, of ours |\n|---|---|---|\n")
	for _, p := range list {
		name := strings.TrimPrefix(p.name(), "internal/")
		_, what, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(p.Doc, "Package "), "Command "), " ")
		imports := strings.ReplaceAll(may[p.name()], " ", ", ")
		if imports == "*" {
			imports = "everyone"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, what, imports)
	}
	b.WriteString("\n")
	return b.String()
}

// TestWalkthroughs holds file and function names of ARCHITECTURE.md against the code.
func TestWalkthroughs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	faults, functions := walkthroughFaults(string(page), filepath.Join(root, "internal"))
	for _, f := range faults {
		t.Error(f)
	}
	if functions < 40 {
		t.Errorf("only %d functions were looked up: are the walkthroughs still tables of file, function, step?", functions)
	}
}

var (
	walkthroughRow = regexp.MustCompile("(?m)^\\| `([\\w/]+\\.go)` \\| (`[^|]*`) \\|")
	codeSpan       = regexp.MustCompile("`([^`]+)`")
)

func walkthroughFaults(page, dir string) (faults []string, functions int) {
	for _, row := range walkthroughRow.FindAllStringSubmatch(page, -1) {
		declared, err := functionsOfPackage(filepath.Join(dir, row[1]))
		if err != nil {
			faults = append(faults, fmt.Sprintf("ARCHITECTURE.md walks through %s: %v", row[1], err))
			continue
		}
		for _, f := range codeSpan.FindAllStringSubmatch(row[2], -1) {
			functions++
			if !slices.Contains(declared, f[1]) {
				faults = append(faults, fmt.Sprintf("ARCHITECTURE.md walks through %s of %s, which is not there any more: tell the step anew", f[1], row[1]))
			}
		}
	}
	return faults, functions
}

// functionsOfPackage lists the functions of the file's package, methods as Type.method, provided that the file exists: where
// within its package a function stands may change without a word.
func functionsOfPackage(path string) (names []string, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				names = append(names, functionName(fn))
			}
		}
	}
	return names, nil
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	if s, ok := typ.(*ast.StarExpr); ok {
		typ = s.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// TestLinks follows the relative links and the paths of the repository that the documents name.
func TestLinks(t *testing.T) {
	for _, path := range sources(t) {
		if !strings.HasSuffix(path, ".md") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range linkFaults(path, string(text), func(p string) bool { _, err := os.Stat(filepath.Join(root, p)); return err == nil }) {
			t.Error(fault)
		}
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	repoPath = regexp.MustCompile("`((?:internal|cmd|test|docs)/[\\w./-]+)`|\\b(docs/[\\w/-]+\\.(?:md|svg))\\b")
)

func linkFaults(path, text string, exists func(string) bool) []string {
	var faults []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if to := filepath.Join(filepath.Dir(path), m[1]); !exists(to) {
			faults = append(faults, fmt.Sprintf("%s links to %s, which does not exist", path, to))
		}
	}
	for _, m := range repoPath.FindAllStringSubmatch(text, -1) {
		if to := strings.TrimSuffix(m[1]+m[2], "/..."); !generatedLater[to] && !exists(to) {
			faults = append(faults, fmt.Sprintf("%s names %s, which does not exist", path, to))
		}
	}
	return faults
}

// generatedLater are documents that a run of the bench writes.
var generatedLater = map[string]bool{"docs/bench.md": true, "docs/bench.svg": true}

// TestFormatPages demands a page that names every kind of file that a data directory holds.
func TestFormatPages(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/formats/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, fault := range formatFaults(all.String()) {
		t.Error(fault)
	}
}

// onDisk are the names of files in a data directory.
var onDisk = strings.Fields(`.lock meta.properties .kafka_cleanshutdown recovery-point-offset-checkpoint log-start-offset-checkpoint
	replication-offset-checkpoint cleaner-offset-checkpoint leader-epoch-checkpoint partition.metadata .log .index .timeindex .txnindex
	.snapshot .checkpoint quorum-state -delete .deleted .cleaned .swap .tmp __consumer_offsets __cluster_metadata`)

func formatFaults(pages string) []string {
	var faults []string
	for _, name := range onDisk {
		if !strings.Contains(pages, name) {
			faults = append(faults, fmt.Sprintf("no page in docs/formats tells of %s", name))
		}
	}
	return faults
}

func TestDocumentFaults(t *testing.T) {
	row := "| `house/load_test.go` | `listed.files`, `listed.gone` | x |\n| `house/gone.go` | `f` | x |\n"
	got, n := walkthroughFaults(row, filepath.Join(root, "internal"))
	if n != 2 {
		t.Errorf("looked up %d functions, not 2", n)
	}
	wantFaults(t, got, []string{"listed.gone of house/load_test.go", "house/gone.go: "})

	text := "[a](b.md) [c](gone.md#x) [w](https://example.org/z.md) `internal/here` `internal/gone.go` docs/gone.md docs/bench.md"
	exists := func(p string) bool { return p == "docs/b.md" || p == "internal/here" }
	wantFaults(t, linkFaults("docs/a.md", text, exists), []string{"links to docs/gone.md", "names internal/gone.go", "names docs/gone.md"})

	if len(formatFaults("")) != len(onDisk) {
		t.Error("no page, and not every file is missed")
	}

	p := listed{ImportPath: "millrace/internal/core/machine", Doc: "Package machine is a contract."}
	if _, ok := withTable("no place", ""); ok {
		t.Error("a table without a place")
	}
	if page, ok := withTable("a\n"+tableBegin+"old"+tableEnd+"b", packageTable([]listed{p})); !ok || strings.Contains(page, "old") ||
		!strings.Contains(page, "| core/machine | is a contract. |  |\n") || !strings.HasSuffix(page, "b") {
		t.Errorf("the table is %q", page)
	}
}
