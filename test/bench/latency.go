package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"
)

// pacedSend sends n records at a rate and returns how long each took from the moment it was due: a client that falls behind
// is not allowed to hide it.
func pacedSend(ctx context.Context, client *kgo.Client, rate, n int, value func(due time.Time) []byte) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	var mu sync.Mutex
	var failed error
	delays := make([]time.Duration, 0, n)
	begin := time.Now()
	for i := 0; i < n; {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			// Go's own timers wake up on whole milliseconds when all else is idle.
			unix.Nanosleep(&unix.Timespec{Nsec: int64(min(max(wait, 200*time.Microsecond), time.Millisecond))}, nil)
			continue
		}
		i++
		client.Produce(ctx, &kgo.Record{Value: value(due)}, func(_ *kgo.Record, err error) {
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
			}
			delays = append(delays, took)
		})
	}
	if err := client.Flush(ctx); err != nil {
		return nil, err
	}
	return delays, failed
}

// paced measures one rate in one mode on a topic of its own.
func (c *column) paced(row, variant string, m mode, rate int, linger time.Duration) error {
	topic, err := c.topic(4, m)
	if err != nil {
		return err
	}
	client, err := c.client(kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(linger),
		kgo.MaxBufferedRecords(100000))
	if err != nil {
		return err
	}
	defer client.Close()
	next := 0
	value := func(time.Time) []byte { next++; return values[next%len(values)] }
	if _, err := pacedSend(c.ctx, client, rate, rate/2, value); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	meter := startPacedMeter(c.broker.CPU)
	delays, err := pacedSend(c.ctx, client, rate, rate*c.seconds, value)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	s := meter.throughput(int64(len(delays)) * recordSize).latencies(delays)
	s["resident MB"] = c.resident()
	c.add(row, variant, s)
	return c.drop(topic)
}

// steady is row 7: 100,000 records a second, linger 0.
func (b *bench) steady() error {
	for i := range b.pairs {
		if err := b.reference("7"); err != nil {
			return err
		}
		if err := b.pair(i, func(c *column) error {
			for _, m := range b.modes(flushed, unflushed) {
				if c.kind == "kafka" && m == flushed {
					continue
				}
				if err := c.paced("7", c.name+" "+string(m), m, 100_000, 0); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// steadyFlushed is row 8: 20,000 records a second, both flushed, linger 0 and 5 ms.
func (b *bench) steadyFlushed() error {
	for i := range b.pairs {
		if err := b.reference("8"); err != nil {
			return err
		}
		for name, linger := range map[string]time.Duration{"linger 0": 0, "linger 5": 5 * time.Millisecond} {
			if err := b.pair(i, func(c *column) error {
				return c.paced("8", c.name+" F "+name, flushed, 20_000, linger)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
