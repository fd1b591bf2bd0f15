package boot

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/node/env"
)

var walkBlock = regexp.MustCompile("(?s)```(sh|text)\n(.*?)```")

// TestSchemaWalk pastes the five minutes of docs/schemas.md into a shell, beside a node with an empty directory, and compares what the page
// says that is printed.
func TestSchemaWalk(t *testing.T) {
	page, err := os.ReadFile("../../docs/schemas.md")
	if err != nil {
		t.Fatal(err)
	}
	var script, want []string
	for _, m := range walkBlock.FindAllStringSubmatch(string(page), -1) {
		if m[1] == "sh" {
			script, want = append(script, m[2]), append(want, "")
		} else {
			want[len(want)-1] = m[2]
		}
	}
	if len(script) < 5 {
		t.Fatalf("the page has %d blocks of commands", len(script))
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "millrace"), "millrace/cmd/millrace").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := load("log.dirs="+filepath.Join(dir, "data"), "listeners=PLAINTEXT://127.0.0.1:0", "admin.listeners=127.0.0.1:0",
		"schema.registry.listeners=http://127.0.0.1:0", "auto.create.topics.enable=true", "num.partitions=1")
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(Options{Env: env.Real(), Settings: s, Version: "1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop(context.Background())
	const end = "--- end of a block ---\n"
	shell := exec.Command("sh", "-c", strings.Join(script, "\nprintf '%s' '"+end+"'\n"))
	shell.Dir = dir
	shell.Env = append(os.Environ(), "MILLRACE_BOOTSTRAP="+n.Endpoints()[0].Bound, "MILLRACE_REGISTRY="+n.RegistryURLs()[0])
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	if err := shell.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	got := strings.Split(out.String(), end)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/schemas.md does not say what happens:\n%s", diff)
	}
}
