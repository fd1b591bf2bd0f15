package wire

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md")

func TestErrorPageIsFresh(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "errors.md")
	if *update {
		if err := os.WriteFile(path, []byte(ErrorPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != ErrorPage() {
		t.Errorf("docs/errors.md is not what the table says: run go generate ./internal/kafka/wire (%v)", err)
	}
}
