package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A text rule forbids a pattern in the lines of some files.
type textRule struct {
	name    string
	in      func(path string) bool // relative to the module's directory
	pattern *regexp.Regexp
	reason  string
}

var textRules = []textRule{
	{"a node waits for events", func(p string) bool {
		return strings.HasPrefix(p, "internal/") && strings.HasSuffix(p, ".go")
	}, regexp.MustCompile(`\btime\.Sleep\(`),
		"code waits for an event or for env's clock, and tests advance the clock they gave: a sleep is either too short or too long"},
	{"no name says only that something exists", func(p string) bool { return strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_gen.go") },
		regexp.MustCompile(`^(type|func|func \(.*\)) \w*(Manager|Service|Helper|Impl|Utils?)\b`),
		"say what it is with a noun of Kafka's users: a log, a session, a listener"},
	{"what is missing is said", isCode, regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b[^\w]*(\w+\W*)?$`),
		"a mark without a word of what is missing helps nobody"},
	{"the project stands alone", func(p string) bool { return isCode(p) || strings.HasSuffix(p, ".md") },
		regexp.MustCompile("(^|[^\\w.$~])/(home|root|work|Users)/\\w"),
		"the repository makes sense to somebody who has nothing else"},
	{"no debug prints", func(p string) bool {
		return strings.HasPrefix(p, "internal/") && strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") && !strings.HasPrefix(p, "internal/kafka/record/gen/")
	}, regexp.MustCompile(`\bfmt\.Print(f|ln)?\(|^\s*println\(|\bspew\.|\blog\.Print`),
		"a node logs with slog, a verb writes to the writer that it was given"},
}

func isCode(p string) bool {
	return strings.HasSuffix(p, ".go") || strings.HasSuffix(p, ".sh") || p == "Makefile" || p == ".ci/run"
}

func TestText(t *testing.T) {
	for _, path := range sources(t) {
		if strings.HasPrefix(path, "internal/house/") {
			continue // it quotes what it forbids
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range textFaults(path, string(text)) {
			t.Error(fault)
		}
	}
}

func textFaults(path, text string) []string {
	var faults []string
	for _, r := range textRules {
		if !r.in(path) {
			continue
		}
		for i, l := range strings.Split(text, "\n") {
			if r.pattern.MatchString(l) {
				faults = append(faults, fmt.Sprintf("%s:%d: %q breaks the rule that %s: %s", path, i+1, strings.TrimSpace(l), r.name, r.reason))
			}
		}
	}
	return faults
}

// sources are the files of the module that people write, relative to its directory.
func sources(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "bin" || d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if p := filepath.ToSlash(rel); d.Type().IsRegular() && (isCode(p) || strings.HasSuffix(p, ".md")) {
			out = append(out, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTextFaults(t *testing.T) {
	cases := []struct{ path, text, fault string }{
		{"internal/node/x/a.go", "\ttime.Sleep(time.Second)", "waits for events"},
		{"internal/node/x/a_test.go", "\ttime.Sleep(1)", "waits for events"},
		{"test/crash/a.go", "\ttime.Sleep(1)", ""},
		{"internal/x/a.go", "type LogManager struct {", "says only that something exists"},
		{"internal/x/a.go", "func (b *Broker) doUtil() {", "says only that something exists"},
		{"internal/x/a.go", "func Utility() {", ""},
		{"internal/x/a.go", "// TODO", "what is missing"},
		{"internal/x/a.go", "// TODO: later", "what is missing"},
		{"internal/x/a.go", "// TODO: followers ask for their own epoch here", ""},
		{"HACKING.md", "see /home/me/notes.md", "stands alone"},
		{"HACKING.md", "see $HOME/work/x and node/work/y", ""},
		{"internal/x/a.go", "\tfmt.Println(x)", "debug prints"},
		{"internal/x/a.go", "\tfmt.Fprintln(w, x)", ""},
		{"internal/x/a_test.go", "\tfmt.Println(x)", ""},
	}
	for _, c := range cases {
		var parts []string
		if c.fault != "" {
			parts = []string{c.fault}
		}
		t.Run(c.text, func(t *testing.T) { wantFaults(t, textFaults(c.path, c.text), parts) })
	}
}
