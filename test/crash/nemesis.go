package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"millrace/internal/checker"
)

// nemesis breaks the broker and brings it back, again and again.
func (c *crash) nemesis(h *checker.Writer) error {
	if c.action != "" {
		return c.breakAtPoints(h)
	}
	for c.broken < c.cycles {
		wait(c.ctx, c.runner.pause/2+time.Duration(c.rng.Int64N(int64(c.runner.pause))))
		if c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		c.broken++
		h.Note(c.name, map[string]any{"cycle": c.broken})
		if err := c.once(h); err != nil {
			return fmt.Errorf("cycle %d: %w", c.broken, err)
		}
	}
	return nil
}

func (c *crash) once(h *checker.Writer) error {
	switch {
	case c.scenario.pause:
		return c.stopForAWhile(h)
	case c.syncFails:
		return c.failSync(h)
	}
	if err := c.down(); err != nil {
		return err
	}
	began := time.Now()
	if err := c.start(""); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	h.Note("serves again", map[string]any{"after ms": time.Since(began).Milliseconds()})
	return nil
}

// down ends the broker without a word, and in a power cut what its disk has not flushed.
func (c *crash) down() error {
	if !c.power {
		c.broker.Kill()
		return nil
	}
	stopThreads(c.broker.PID())
	err := c.disk.cut()
	c.broker.Kill()
	return errors.Join(err, c.disk.detach(), c.disk.attach())
}

// stopThreads makes the processor lose its power with the disk: nothing that the process learns after the cut may reach a client.
// An ext4 that is shut down under an fdatasync may report it as done although nothing of it is on the device: once in 60 cuts with
// twenty files under flush, seen with a program of forty lines. A machine without power cannot.
func stopThreads(pid int) {
	syscall.Kill(pid, syscall.SIGSTOP)
	for range 1000 {
		if !runs(pid) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// runs tells whether a thread of a process is neither stopped nor inside a system call that a stop waits for.
func runs(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, t := range tasks {
		b, _ := os.ReadFile(t)
		_, rest, ok := strings.Cut(string(b), ") ")
		if ok && rest[0] != 'T' && rest[0] != 't' && rest[0] != 'D' && rest[0] != 'Z' && rest[0] != 'X' {
			return true
		}
	}
	return false
}

// stopped is how long a paused process stands still.
const stopped = 6 * time.Second

// stopForAWhile is the gray failure: connections stay open and nothing answers.
func (c *crash) stopForAWhile(h *checker.Writer) error {
	if err := syscall.Kill(c.broker.PID(), syscall.SIGSTOP); err != nil {
		return err
	}
	wait(c.ctx, stopped)
	h.Note("goes on", nil)
	return syscall.Kill(c.broker.PID(), syscall.SIGCONT)
}
