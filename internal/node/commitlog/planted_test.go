package commitlog

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestPlantedBugsAreFound builds this package with each planted bug and demands that the simulation fails: a simulation
// that finds nothing proves nothing.
func TestPlantedBugsAreFound(t *testing.T) {
	if testing.Short() || reportBeforeSync || keepCleanMarker {
		t.Skip("builds the package twice")
	}
	for _, tag := range []string{"bug_b1", "bug_b18"} {
		t.Run(tag, func(t *testing.T) {
			out, err := exec.Command("go", "test", "-tags", tag, "-run", "^TestSim$", "-sim.seeds=1500", ".").CombinedOutput()
			found := regexp.MustCompile(`seed \d+: .*`).Find(out)
			if err == nil || found == nil {
				t.Fatalf("the simulation does not find %s: %v\n%s", tag, err, out)
			}
			t.Logf("%s found: %s", tag, found)
		})
	}
}
