//go:build failpoint

package commitlog

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"millrace/internal/node/env/failpoint"
)

// logPoints are the fail points of this package.
func logPoints() (names []string) {
	for _, p := range failpoint.Points {
		switch head, _, _ := strings.Cut(p.Name, "."); head {
		case "log", "snapshot", "sync", "checkpoint", "recover", "marker", "retention", "clean":
			names = append(names, p.Name)
		}
	}
	return names
}

// TestSimAtFailPoints is TestSim with steps that fail by themselves: at every fail point of the package an error must leave a log
// that a start brings back with all that was acknowledged (DUR-5). The points are global, so seeds run one after the other.
func TestSimAtFailPoints(t *testing.T) {
	names := logPoints()
	drawn := slices.Clone(names)
	for _, name := range names {
		if strings.HasPrefix(name, "clean.") || strings.HasPrefix(name, "retention.") { // passed rarely
			drawn = append(drawn, slices.Repeat([]string{name}, 9)...)
		}
	}
	armPoint = func(s *sim) {
		if !s.chance(10) {
			return
		}
		var specs []string
		for range 4 {
			specs = append(specs, fmt.Sprintf("%s=error@%d", drawn[s.rng.IntN(len(drawn))], s.pick(1, 1, 2)))
		}
		spec := strings.Join(specs, ";")
		s.logf("arm %s", spec)
		s.faulty = true
		if err := failpoint.Arm(spec); err != nil {
			panic(err)
		}
	}
	disarmPoints = func() { failpoint.Arm("") }
	defer func() { armPoint, disarmPoints = func(*sim) {}, func() {} }()
	out := io.Discard
	if *simSeeds == 1 {
		out = os.Stdout
	}
	for seed := *simFirst; seed < *simFirst+uint64(*simSeeds); seed++ {
		if _, err := runSeed(seed, out); err != nil {
			t.Fatalf("seed %d: %v\n\tgo test -tags failpoint ./internal/node/commitlog -run TestSimAtFailPoints -sim.first=%d -sim.seeds=1 -v", seed, err, seed)
		}
	}
	for _, name := range names {
		t.Logf("%-30s struck %d times", name, failpoint.Struck(name))
		if failpoint.Struck(name) == 0 && *simSeeds > 1000 {
			t.Errorf("%s was never struck", name)
		}
	}
}
