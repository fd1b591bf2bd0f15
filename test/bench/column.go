package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/target"
)

// column is one broker of the comparison.
type column struct {
	*bench
	name   string // ours or kafka
	kind   string // millrace or kafka
	binary string // of millrace
	broker *target.Process
}

func (c *column) options(dir string) target.Options {
	// GOGC: this program's own setting is not the broker's.
	o := target.Options{Kind: c.kind, Binary: c.binary, Dir: filepath.Join(c.work, dir), Core: brokerCore, Env: []string{"GOGC=100"}}
	if c.kind == "kafka" {
		o.Overrides = map[string]string{
			"group.initial.rebalance.delay.ms": "0",   // dev has it so, and the first commit should not wait
			"log.segment.delete.delay.ms":      "100", // a deleted topic's directory stays for the broker's delay, not the topic's
		}
	}
	return o
}

func (c *column) start() (err error) {
	c.progress("start %s (%s)", c.name, c.kind)
	c.broker, err = target.Start(c.ctx, c.options(c.name))
	return err
}

func (c *column) stop() {
	if c.broker != nil {
		c.broker.Kill() // its data goes with the run
		c.broker = nil
	}
}

func (c *column) resident() float64 { return float64(c.broker.Resident()) / 1e6 }

// mode is how an acknowledgement relates to the disk: F flushed before it, U not.
type mode string

const (
	flushed   mode = "F"
	unflushed mode = "U"
)

// flushing is the topic setting of a mode: each broker's default needs none.
func (c *column) flushing(m mode) map[string]string {
	switch {
	case c.kind == "millrace" && m == unflushed:
		return map[string]string{"flush.before.ack": "false"}
	case c.kind == "kafka" && m == flushed:
		return map[string]string{"flush.messages": "1"}
	}
	return map[string]string{}
}

var topics atomic.Int64

// topic creates a topic in a mode; what is deleted later frees its disk at once.
func (c *column) topic(partitions int32, m mode) (string, error) {
	settings := c.flushing(m)
	settings["file.delete.delay.ms"] = "100"
	configs := map[string]*string{}
	for k, v := range settings {
		configs[k] = &v
	}
	name := fmt.Sprintf("bench-%d", topics.Add(1))
	client, err := c.client()
	if err != nil {
		return "", err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	answer, err := admin.CreateTopic(c.ctx, partitions, 1, configs, name)
	if err == nil {
		err = answer.Err
	}
	if err != nil {
		return "", fmt.Errorf("create topic on %s: %w", c.name, err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		listed, err := admin.ListEndOffsets(c.ctx, name)
		if err == nil {
			err = listed.Error()
		}
		if err == nil {
			return name, nil
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("topic on %s has no leaders: %w", c.name, err)
		}
	}
}

// setFlushing changes the mode of a topic that is there.
func (c *column) setFlushing(topic string, m mode) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	alter := kadm.AlterConfig{Op: kadm.SetConfig, Name: "flush.before.ack", Value: kadm.StringPtr(fmt.Sprint(m == flushed))}
	if c.kind == "kafka" {
		alter = kadm.AlterConfig{Op: kadm.SetConfig, Name: "flush.messages", Value: kadm.StringPtr(map[mode]string{flushed: "1", unflushed: "9223372036854775807"}[m])}
	}
	answers, err := kadm.NewClient(client).AlterTopicConfigs(c.ctx, []kadm.AlterConfig{alter}, topic)
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		return fmt.Errorf("set the flush mode on %s: %w", c.name, err)
	}
	time.Sleep(200 * time.Millisecond) // Kafka answers before its broker has the new value
	return nil
}

func (c *column) drop(topic string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err = kadm.NewClient(client).DeleteTopics(c.ctx, topic); err != nil {
		return err
	}
	if err := c.awaitDeletion(topic); err != nil {
		return err
	}
	c.calm()
	return nil
}

// awaitDeletion waits until the files of a topic are gone: freeing their pages, or worse writing them, must not fall into
// the next measurement.
func (c *column) awaitDeletion(topic string) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(c.work, c.name, topic+"-*"))
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s keeps %s", c.name, left[0])
		}
	}
}

func (c *column) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.broker.Addr()), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
}

// pair runs f for both brokers, the order alternating.
func (b *bench) pair(i int, f func(c *column) error) error {
	order := b.columns()
	if i%2 == 1 {
		slices.Reverse(order)
	}
	for _, c := range order {
		b.calm()
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}
