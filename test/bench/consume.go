package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeAll reads a topic from its start until n bytes of values have come.
func (c *column) consumeAll(topic string, n int64) (sample, error) {
	client, err := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	m := startMeter(c.broker.CPU)
	var got int64
	for got < n {
		f := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("consume from %s: %d of %d bytes came: %w", c.name, got, n, err)
		}
		f.EachRecord(func(r *kgo.Record) { got += int64(len(r.Value)) })
	}
	s := m.throughput(got)
	s["resident MB"] = c.resident()
	return s, nil
}

// consume is row 9: four times the usual volume, read from the page cache.
func (b *bench) consume() error {
	names := map[*column]string{}
	for _, c := range b.columns() {
		topic, err := c.topic(4, flushed)
		if err != nil {
			return err
		}
		names[c] = topic
		if _, err := c.produceAll(load{topic: topic, values: values, bytes: 4 * b.bytes}); err != nil {
			return err
		}
		if _, err := c.consumeAll(topic, 4*b.bytes); err != nil { // the first read of a range is checked
			return err
		}
	}
	for i := range b.pairs {
		s, err := b.pipe.out(4 * b.bytes)
		if err != nil {
			return err
		}
		b.add("9", "pipe out", s)
		if err := b.pair(i, func(c *column) error {
			s, err := c.consumeAll(names[c], 4*b.bytes)
			if err == nil {
				c.add("9", c.name, s)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return b.pair(0, func(c *column) error { return c.drop(names[c]) })
}

// fanOut is row 10: one producer at 20 MB/s and 32 consumers at the tail; ours flushed, Kafka as it comes.
func (b *bench) fanOut() error {
	for i := range b.pairs {
		if err := b.reference("10"); err != nil {
			return err
		}
		if err := b.pair(i, func(c *column) error {
			m := flushed
			if c.kind == "kafka" {
				m = unflushed
			}
			s, err := c.tail(32, 20_000_000/recordSize, m)
			if err == nil {
				c.add("10", c.name+" "+string(m), s)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// tail lets consumers follow a paced producer. A record carries the time at which it was due, the delivery's latency counts
// from there.
func (c *column) tail(consumers, rate int, m mode) (sample, error) {
	topic, err := c.topic(1, m)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	var delivered atomic.Int64
	var measuring atomic.Bool
	var all sync.WaitGroup
	delays := make([][]time.Duration, consumers)
	for i := range consumers {
		client, err := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMinBytes(1))
		if err != nil {
			return nil, err
		}
		defer client.Close()
		all.Go(func() {
			for ctx.Err() == nil {
				f := client.PollFetches(ctx)
				now := time.Now().UnixNano()
				f.EachRecord(func(r *kgo.Record) {
					if !measuring.Load() {
						return
					}
					delivered.Add(int64(len(r.Value)))
					if r.Offset%16 == 0 { // enough for a percentile
						delays[i] = append(delays[i], time.Duration(now-int64(binary.BigEndian.Uint64(r.Value))))
					}
				})
			}
		})
	}
	producer, err := c.client(kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	send := func(seconds int) error {
		_, err := pacedSend(c.ctx, producer, rate, seconds*rate, func(due time.Time) []byte {
			v := slices.Clone(values[0])
			binary.BigEndian.PutUint64(v, uint64(due.UnixNano()))
			return v
		})
		return err
	}
	if err := send(1); err != nil { // consumers find their place
		return nil, err
	}
	measuring.Store(true)
	meter := startPacedMeter(c.broker.CPU)
	if err := send(c.seconds); err != nil {
		return nil, err
	}
	s := meter.throughput(delivered.Load())
	measuring.Store(false)
	cancel()
	all.Wait()
	s.latencies(slices.Concat(delays...))
	s["resident MB"] = c.resident()
	return s, c.drop(topic)
}
