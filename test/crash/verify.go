package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// verifyFinds runs `millrace verify` as a person would, first straight at the broker and then through a tamperer that hides one
// acknowledged batch from every reader: the first must be content, the second must say what was lost, with exit code 4.
func (c *crash) verifyFinds() error {
	out, exit, err := c.verify()
	if err != nil {
		return err
	}
	if exit != 0 || !strings.Contains(out, "Every promise was kept") {
		return fmt.Errorf("verify finds fault with a sound broker, exit code %d:\n%s", exit, out)
	}
	c.tamper.hide.Store(true)
	if out, exit, err = c.verify(); err != nil {
		return err
	}
	what := c.tamper.hidden()
	if what == "" {
		return errors.New("the tamperer saw no batch to hide")
	}
	for _, want := range []string{"C5", "C6", "lost"} {
		if exit != foundExit || !strings.Contains(out, want) {
			return fmt.Errorf("verify does not say %s, exit code %d, although %s was hidden:\n%s", want, exit, what, out)
		}
	}
	fmt.Printf("ok    %-20s on %s: content with the broker, and with %s hidden from readers exit code %d and\n%s", c.name, c.kind, what, exit, indent(firstLines(out, 3)))
	return nil
}

// foundExit is the exit code of `millrace verify` when a promise was broken.
const foundExit = 4

func (c *crash) verify() (out string, exit int, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	b, err := exec.CommandContext(ctx, c.binary, "verify", "--bootstrap", c.tamper.Addr().String(), "--duration", "3s").CombinedOutput()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Exited() {
		return string(b), ended.ExitCode(), nil
	}
	return string(b), 0, err
}

func firstLines(s string, n int) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(lines[:min(n, len(lines))], "")
}

func indent(s string) string {
	return "      " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n      ") + "\n"
}
