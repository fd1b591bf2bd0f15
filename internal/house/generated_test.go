package house

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestGenerated: whatever go generate writes is held against its source by a test. Either a test writes it when it is run with
// -update, and compares it otherwise, or a program does, which compares when it is run with -check.
func TestGenerated(t *testing.T) {
	for _, p := range packages(t) {
		var text strings.Builder
		for _, f := range p.files(true) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
		checks, faults := generateFaults(p.name(), text.String())
		for _, f := range faults {
			t.Error(f)
		}
		for _, check := range checks {
			cmd := exec.Command("go", "run", check, "-check")
			cmd.Dir = p.Dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %s", p.name(), out)
			}
		}
	}
}

var (
	generateLine = regexp.MustCompile(`(?m)^//go:generate (.*)$`)
	byTest       = regexp.MustCompile(`^go test -run (Test\w+) -update \.$`)
	byProgram    = regexp.MustCompile(`^go run (\./\w+)$`)
)

// generateFaults returns the programs to run with -check, and the lines that nothing checks.
func generateFaults(pkg, text string) (checks, faults []string) {
	for _, l := range generateLine.FindAllStringSubmatch(text, -1) {
		if m := byProgram.FindStringSubmatch(l[1]); m != nil {
			checks = append(checks, m[1])
			continue
		}
		m := byTest.FindStringSubmatch(l[1])
		if m == nil || !strings.Contains(text, "\nfunc "+m[1]+"(t *testing.T)") {
			faults = append(faults, fmt.Sprintf("%s: nothing checks what %q writes: let a test of that package write it with -update and compare it without", pkg, l[1]))
		}
	}
	return checks, faults
}

func TestGenerateFaults(t *testing.T) {
	const generate = "//go:" + "generate "
	checks, faults := generateFaults("x", "\n"+generate+"go run ./gen\n"+generate+"go test -run TestA -update .\n"+generate+
		"go test -run TestB -update .\n"+generate+"sh x.sh\n\nfunc TestA(t *testing.T) {\n")
	if len(checks) != 1 || checks[0] != "./gen" {
		t.Errorf("programs to check: %q", checks)
	}
	wantFaults(t, faults, []string{"TestB", "sh x.sh"})
}
