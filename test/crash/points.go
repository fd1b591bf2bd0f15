package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"millrace/internal/checker"
	"millrace/internal/node/env/failpoint"
	"millrace/test/target"
)

// breakAtPoints starts the broker once or twice for each point, armed there, and goes on when it was broken. A point that is not
// reached is a finding: what nobody passes is not tried.
func (c *crash) breakAtPoints(h *checker.Writer) error {
	var only []string
	if c.only != "" {
		only = strings.Split(c.only, ",")
	}
	for _, p := range failpoint.Points {
		if p.When == failpoint.Never || only != nil && !slices.Contains(only, p.Name) {
			continue
		}
		if err := c.breakAtPoint(h, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	if err := c.down(); err != nil {
		return err
	}
	return c.start("")
}

// breakAtPoint breaks at a pass of a point. If it kills, then at the first pass, which is often while the broker starts, and at a
// later one.
func (c *crash) breakAtPoint(h *checker.Writer, p failpoint.Point) error {
	if c.action != "kill" {
		hit, err := c.breakAt(h, p, 1+c.rng.IntN(4))
		if !hit && err == nil {
			hit, err = c.breakAt(h, p, 1)
		}
		return c.mustReach(p, hit, err)
	}
	began := time.Now()
	hit, err := c.breakAt(h, p, 1)
	if err != nil {
		return err
	}
	later := 2
	if time.Since(began) < time.Second { // passed often
		later += c.rng.IntN(20)
	}
	again, err := c.breakAt(h, p, later)
	return c.mustReach(p, hit || again, err)
}

func (c *crash) mustReach(p failpoint.Point, hit bool, err error) error {
	if err == nil && !hit {
		c.found = append(c.found, "fail point "+p.Name+" was not reached")
	}
	return err
}

const (
	forPoint = 6 * time.Second        // to get to a point
	broken   = 700 * time.Millisecond // to go on after an error or beside a pause
)

// breakAt runs the broker until it has passed a point for the n-th time, and kills it. It tells whether it got there.
func (c *crash) breakAt(h *checker.Writer, p failpoint.Point, nth int) (hit bool, err error) {
	if err := c.down(); err != nil {
		return false, err
	}
	spec := fmt.Sprintf("%s=%s@%d", p.Name, c.action, nth)
	if p.When != failpoint.Load {
		spec = fmt.Sprintf("%s=%s", p.Name, c.action)
	}
	rounds := 1
	if p.When == failpoint.Stop {
		rounds = 2 // a clean stop, and the start after it
	}
	for range rounds {
		if hit || c.ctx.Err() != nil {
			break
		}
		if hit, err = c.runArmed(h, p, spec); err != nil {
			return false, err
		}
	}
	return hit, errors.Join(c.down(), c.ctx.Err())
}

func (c *crash) runArmed(h *checker.Writer, p failpoint.Point, spec string) (hit bool, err error) {
	c.broker.Kill() // if it stood still in the round before
	mark := "fail point " + p.Name + ":"
	before := c.logged(mark)
	if c.broker, err = target.Spawn(c.options(spec)); err != nil {
		return false, err
	}
	c.broken++
	if p.When == failpoint.Stop {
		go c.stopSoon(c.broker)
	}
	for end := time.Now().Add(forPoint); !hit && time.Now().Before(end) && c.ctx.Err() == nil; {
		select {
		case <-c.broker.Exited():
			end = time.Now()
		case <-time.After(10 * time.Millisecond):
		}
		hit = c.logged(mark) > before
	}
	h.Note(spec, map[string]any{"reached": hit})
	if hit && c.action != "kill" && !c.power {
		wait(c.ctx, broken)
	}
	return hit, nil
}

// stopSoon asks the broker to stop once it serves.
func (c *crash) stopSoon(b *target.Process) {
	if b.WaitReady(c.ctx) == nil {
		wait(c.ctx, 300*time.Millisecond)
		syscall.Kill(b.PID(), syscall.SIGTERM)
	}
}

// logged counts a text in what the broker printed.
func (c *crash) logged(text string) int {
	b, _ := os.ReadFile(c.broker.Log)
	return bytes.Count(b, []byte(text))
}
