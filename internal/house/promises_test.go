package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPromises: a number that code or documents cite is explained in docs/promises.md, for a number alone explains nothing.
func TestPromises(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/promises.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources(t) {
		if strings.HasPrefix(path, "internal/house/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range promiseFaults(path, string(text), string(page)) {
			t.Error(fault)
		}
	}
}

var promiseNumber = regexp.MustCompile(`\b(?:DUR|ORD|IDM|TXN|GRP|CMP|RET|MET|REG|CON|LIV|EOS|UPG)-\d+\b|\breliability (T\d+)\b`)

func promiseFaults(path, text, page string) []string {
	var faults []string
	for _, m := range promiseNumber.FindAllStringSubmatch(text, -1) {
		number := m[0]
		if m[1] != "" {
			number = m[1]
		}
		fault := fmt.Sprintf("%s cites %s, which docs/promises.md does not explain", path, number)
		if !strings.Contains(page, "\n| "+number+" |") && !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	return faults
}

func TestPromiseFaults(t *testing.T) {
	got := promiseFaults("x.go", "// DUR-1, DUR-11 and reliability T5 hold; T6 is a test (LIV-2, LIV-2)", "\n| DUR-1 | x |\n| T6 | x |")
	wantFaults(t, got, []string{"cites DUR-11", "cites T5", "cites LIV-2"})
}
