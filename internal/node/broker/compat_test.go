package broker

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/wire"
)

var update = flag.Bool("update", false, "write docs/compat.md")

const compatFile = "../../../docs/compat.md"

var (
	apiFile  = regexp.MustCompile(`^[0-9]{2}_[a-z_]+\.go$`)
	apiTitle = regexp.MustCompile(`^(\w+) \(key (\d+)\), versions? (\d+)(?:-(\d+))?(, advertised from 0)?$`)
)

// TestCompatPage holds docs/compat.md against the headers of the API files, and the headers against the handlers.
// go generate writes the page.
func TestCompatPage(t *testing.T) {
	files, err := filepath.Glob("[0-9][0-9]_*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var page strings.Builder
	page.WriteString(compatIntro)
	seen := map[wire.Key]bool{}
	for _, file := range files {
		if !apiFile.MatchString(file) {
			t.Errorf("%s: API files are named by key and API", file)
			continue
		}
		title, body := header(t, file)
		m := apiTitle.FindStringSubmatch(title)
		if m == nil {
			t.Errorf("%s: the first line %q is not of the form \"Name (key N), versions A-B\"", file, title)
			continue
		}
		seen[checkTitle(t, file, m)] = true
		fmt.Fprintf(&page, "\n## %s\n\n%s\n", title, body)
	}
	for k, a := range registered {
		if a != nil && !seen[wire.Key(k)] {
			t.Errorf("%v has no file of its own", a.Key)
		}
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(compatFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(compatFile, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(compatFile); err != nil || string(have) != page.String() {
		t.Errorf("docs/compat.md is not fresh (%v): run go generate ./internal/node/broker", err)
	}
}

const compatIntro = `# Kafka APIs that Millrace serves

Generated from the comments that head the API files in internal/node/broker: change those, then run go generate there.
Versions are those of Apache Kafka 4.3.1. What is not listed is not advertised in ApiVersions, and a request for it
ends the connection, as in Kafka.

Where Millrace differs from Kafka on purpose:

- A record batch is opaque. The broker checks the format, the checksum, sizes, counts and the timestamps in the batch
  header; it does not decode records to check them one by one, except null keys in compacted topics and where a topic
  sets a compression of its own.
- acks=all answers when the records are flushed to disk (topic setting flush.before.ack).
`

// header is the comment above the package clause: its first line, and the rest as Markdown.
func header(t *testing.T, file string) (title, body string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var doc *ast.CommentGroup
	if len(f.Comments) > 0 && f.Comments[0].Pos() < f.Package {
		doc = f.Comments[0]
	}
	if doc == nil {
		t.Fatalf("%s has no header", file)
	}
	if f.Doc != nil {
		t.Errorf("%s: leave a line between header and package clause, or it becomes the package's comment", file)
	}
	title, rest, _ := strings.Cut(doc.Text(), "\n")
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(rest), "\n") {
		if v, what, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && strings.HasPrefix(line, "\t") {
			line = fmt.Sprintf("- **%s** %s", v, strings.TrimSpace(what))
		}
		lines = append(lines, line)
	}
	return title, strings.Join(lines, "\n")
}

func checkTitle(t *testing.T, file string, m []string) wire.Key {
	var key, low, high int
	fmt.Sscan(m[2], &key)
	fmt.Sscan(m[3], &low)
	high = low
	if m[4] != "" {
		fmt.Sscan(m[4], &high)
	}
	a := registered.find(wire.Key(key))
	switch {
	case a == nil:
		t.Errorf("%s: key %d is not registered", file, key)
	case int(a.Min) != low || int(a.Max) != high || a.FromZero != (m[5] != ""):
		t.Errorf("%s: the header says %s, the handler serves %d-%d", file, m[0], a.Min, a.Max)
	case !strings.HasPrefix(file, fmt.Sprintf("%02d_", key)):
		t.Errorf("%s is the file of key %d", file, key)
	}
	return wire.Key(key)
}

// TestVersionsAreKnown: kmsg must know every version that is served, and kmsg's own newest ones are not ours.
func TestVersionsAreKnown(t *testing.T) {
	for _, a := range registered {
		if a == nil {
			continue
		}
		req := kmsg.RequestForKey(int16(a.Key))
		if req == nil || a.Max > req.MaxVersion() || a.Min > a.Max || a.Min < 0 {
			t.Errorf("%v: versions %d-%d, kmsg knows up to %v", a.Key, a.Min, a.Max, req)
		}
	}
	// Kafka 4.3.1's, where 4.4 has more.
	for k, want := range map[wire.Key]int16{wire.ApiVersions: 4, wire.DeleteGroups: 2} {
		if got := registered[k].Max; got != want {
			t.Errorf("%v: up to %d, Kafka 4.3.1 serves %d", k, got, want)
		}
	}
}
