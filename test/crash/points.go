package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"millrace/internal/checker"
)

// failPoints are the names that the code hits, taken from the source: each must exist to be killed at.
func (r *runner) failPoints() ([]string, error) {
	if r.points != "" {
		return strings.Split(r.points, ","), nil
	}
	out, err := exec.Command("git", "grep", "-hoE", `failpoint\.Hit\("[^"]+"\)`, "--", "internal", ":!*_test.go").Output()
	if err != nil {
		return nil, fmt.Errorf("look for fail points: %w", err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// dieAt starts the broker so that it kills itself at a point, and waits until it did or a few seconds have passed: a point of
// compaction, say, may not be reached by this load, which is told and is no failure.
func (c *crash) dieAt(h *checker.Writer, point string) error {
	nth := 1 + c.rng.IntN(20)
	spec := fmt.Sprintf("%s=kill@%d", point, nth)
	if err := c.start(spec); err != nil {
		h.Note("died while starting", spec) // a point of recovery or of the start
		return nil
	}
	select {
	case <-c.broker.Exited():
		h.Note("died", spec)
	case <-time.After(4 * time.Second):
		h.Note("not reached", spec)
		fmt.Printf("      %s was not reached\n", spec)
		c.broker.Kill()
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	return nil
}
