package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/apps/registry"
)

// serveRegistry runs an empty registry in memory.
func serveRegistry(t testing.TB) (*registry.Registry, string) {
	t.Helper()
	at := make(chan time.Time)
	close(at) // nobody waits for another registry to object
	r, err := registry.OpenLog(t.Context(), registry.NewMemory(), registry.Options{Version: "1", After: func(time.Duration) <-chan time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.Handler())
	t.Cleanup(func() { server.Close(); r.Close() })
	return r, server.URL
}

// foreign makes a registry look like another one: without what only ours has, and without what came late to others.
func foreign(h http.Handler) http.Handler {
	late := regexp.MustCompile(`,?"(guid|ts|counterExample|deleted)":("[^"]*"|\d+|true|\{[^}]*\})`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") || strings.HasPrefix(r.URL.Path, "/schemas/guids/") {
			http.Error(w, "<html>no such page", http.StatusNotFound)
			return
		}
		query := r.URL.Query()
		query.Del("level")
		r.URL.RawQuery = query.Encode()
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		text := answer.Body.String()
		if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/versions") && strings.HasPrefix(text, `{"id":`) {
			text, _, _ = strings.Cut(text, ",")
			text += "}"
		}
		io.WriteString(w, strings.ReplaceAll(late.ReplaceAllString(text, ""), "{,", "{"))
	})
}

// TestSchemaStories runs testdata/schema/*.txt, each against registries of its own that are empty at the start: $REGISTRY, which all
// commands ask that name no other, $OTHER, and $FOREIGN, which is not one of ours. A line with $ in front is a command, what follows it is what it prints. The commands are
// millrace, with < FILE and > FILE, and cat > FILE <<END.
//
//	go test ./internal/apps/cli -run SchemaStories -update    writes down what the commands print
func TestSchemaStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/schema/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { tell(t, path) })
	}
}

func tell(t *testing.T, path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, main := serveRegistry(t)
	_, other := serveRegistry(t)
	theirs, _ := serveRegistry(t)
	strange := httptest.NewServer(foreign(theirs.Handler()))
	t.Cleanup(strange.Close)
	real := map[string]string{"$REGISTRY": main, "$OTHER": other, "$FOREIGN": strange.URL}
	t.Setenv("MILLRACE_REGISTRY", main)
	t.Chdir(t.TempDir())
	var told strings.Builder
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(lines); {
		if !strings.HasPrefix(lines[i], "$ ") {
			if strings.HasPrefix(lines[i], "#") {
				told.WriteString(lines[i] + "\n")
			}
			i++
			continue
		}
		command := lines[i][2:]
		told.WriteString(lines[i] + "\n")
		i++
		if file, ok := strings.CutPrefix(command, "cat > "); ok {
			file = strings.TrimSuffix(file, " <<END")
			begin := i
			for lines[i] != "END" {
				i++
			}
			content := strings.Join(lines[begin:i], "\n") + "\n"
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			told.WriteString(content + "END\n\n")
			i++
			continue
		}
		for name, address := range real {
			command = strings.ReplaceAll(command, name, address)
		}
		out := runLine(t, command)
		for name, address := range real {
			out = strings.ReplaceAll(out, address, name)
		}
		told.WriteString(out + "\n")
		for i < len(lines) && !strings.HasPrefix(lines[i], "$ ") && !strings.HasPrefix(lines[i], "# ") {
			i++
		}
	}
	got := strings.TrimRight(told.String(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(text), got); diff != "" && !*update {
		t.Errorf("%s (go test ./internal/apps/cli -run SchemaStories -update rewrites it):\n%s", filepath.Base(path), diff)
	}
}

// runLine runs one command as a shell would, and tells its exit code when it is not 0.
func runLine(t *testing.T, line string) string {
	t.Helper()
	words := shellWords(line)
	if words[0] != "millrace" {
		t.Fatalf("a story knows no command %s", words[0])
	}
	var out bytes.Buffer
	a := newApp(Hooks{Version: "1"})
	a.in, a.out, a.err = strings.NewReader(""), &out, &out
	words = words[1:]
	if n := len(words); n > 2 && (words[n-2] == ">" || words[n-2] == "<") {
		file := words[n-1]
		if words[n-2] == ">" {
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a.out = f
		} else {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a.in = f
		}
		words = words[:n-2]
	}
	if code := a.run(t.Context(), words); code != exitOK {
		fmt.Fprintf(&out, "exit %d\n", code)
	}
	return out.String()
}

// shellWords cuts a line at blanks that stand in no quotes.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
