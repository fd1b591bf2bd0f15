package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/checker"
)

// failSync makes every fsync of the broker fail for a second (strace, as on a disk that reports an error once and then looks
// healthy again). A failed fsync is never retried (DUR-5): from then on the directory is offline, and a produce must not be
// acknowledged until the broker has been started again.
func (c *crash) failSync(h *checker.Writer) error {
	if _, err := exec.LookPath("strace"); err != nil {
		if _, err := command("sh", "-c", "apt-get update -qq && apt-get install -y -qq strace"); err != nil {
			return err
		}
	}
	if err := c.createProbe(); err != nil {
		return err
	}
	if err := c.trace(time.Second, "-o", "/dev/null", "-e", "inject=fsync,fdatasync:error=EIO"); err != nil {
		return err
	}
	h.Note("fsync works again", nil)
	select {
	case <-c.broker.Exited():
		h.Note("the broker ended itself", nil)
	default:
		if err := c.mustBeOffline(); err != nil {
			return err
		}
	}
	c.broker.Kill()
	if err := c.start(""); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	return nil
}

// trace runs strace on the broker's flushes for a while.
func (c *crash) trace(d time.Duration, args ...string) error {
	args = append([]string{"-f", "-qq", "-p", strconv.Itoa(c.broker.PID()), "-e", "trace=fsync,fdatasync", "-e", "signal=none"}, args...)
	strace := exec.Command("strace", args...)
	if err := strace.Start(); err != nil {
		return err
	}
	wait(c.ctx, d)
	strace.Process.Signal(syscall.SIGINT) // detaches
	strace.Wait()
	return nil
}

// mustBeOffline asks what a directory owes after a failed fsync, now that the disk looks healthy again: no produce is acknowledged,
// the directory is reported, nothing is flushed any more.
func (c *crash) mustBeOffline() error {
	flushes := filepath.Join(c.dir, "flushes")
	asked := make(chan error, 1)
	go func() { asked <- c.askOffline() }()
	if err := errors.Join(c.trace(time.Second, "-o", flushes), <-asked); err != nil {
		return err
	}
	if b, _ := os.ReadFile(flushes); len(b) > 0 {
		return fmt.Errorf("flushed after a failed fsync (DUR-5): %s", b)
	}
	return nil
}

func (c *crash) askOffline() error {
	if code, err := rawProduce(c.broker, probe); err == nil && code == 0 {
		return errors.New("a produce was acknowledged after a failed fsync (DUR-5)")
	}
	conn, err := dial(c.broker.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := ask[*kmsg.DescribeLogDirsResponse](conn, kmsg.NewPtrDescribeLogDirsRequest(), 4)
	if err != nil {
		return fmt.Errorf("describe the log directories: %w", err)
	}
	for _, d := range r.Dirs {
		if !errors.Is(code(d.ErrorCode), kerr.KafkaStorageError) {
			return fmt.Errorf("a directory whose fsync failed is described with error %d (DUR-5)", d.ErrorCode)
		}
	}
	if len(r.Dirs) == 0 {
		return errors.New("no directory is described")
	}
	return nil
}

// probe is a topic apart from the load's: what is asked there is not in the history.
const probe = "probe"

func (c *crash) createProbe() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.broker.Addr()))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopics(c.ctx, 1, -1, nil, probe)
	return err
}
