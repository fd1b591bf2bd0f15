package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
	strace := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-p", strconv.Itoa(c.broker.PID()), "-e", "trace=fsync,fdatasync",
		"-e", "inject=fsync,fdatasync:error=EIO")
	if err := strace.Start(); err != nil {
		return err
	}
	time.Sleep(time.Second)
	strace.Process.Signal(syscall.SIGINT) // detaches
	strace.Wait()
	h.Note("fsync works again", nil)
	select {
	case <-c.broker.Exited():
		h.Note("the broker ended itself", nil)
	default:
		if code, err := rawProduce(c.broker, probe); err == nil && code == 0 {
			return errors.New("a produce was acknowledged after a failed fsync (DUR-5)")
		}
	}
	c.broker.Kill()
	if err := c.start(""); err != nil {
		return fmt.Errorf("start again: %w", err)
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
