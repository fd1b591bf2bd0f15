package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const recordSize = 1024

// measureLimit ends a measurement that does not come to its end by itself.
const measureLimit = 2 * time.Minute

// values are records that differ and do not compress; texts are such as applications send.
var values, texts = makeValues(), makeTexts()

func makeValues() [][]byte {
	rng := rand.NewChaCha8([32]byte{1})
	out := make([][]byte, 4096)
	for i := range out {
		out[i] = make([]byte, recordSize)
		rng.Read(out[i])
	}
	return out
}

func makeTexts() [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, 4096)
	for i := range out {
		b := []byte(`{"events":[`)
		for len(b) < recordSize {
			b = fmt.Appendf(b, `{"id":%d,"user":"user-%05d","amount":%d.%02d,"status":"%s"},`, rng.Int64N(1e12), rng.IntN(1e5), rng.IntN(1000), rng.IntN(100),
				[]string{"NEW", "PAID", "SENT", "DONE"}[rng.IntN(4)])
		}
		out[i] = b[:recordSize]
	}
	return out
}

// load says how records are produced.
type load struct {
	topic   string
	values  [][]byte
	bytes   int64
	limit   time.Duration // ends the load before its bytes are sent; 0: never
	options []kgo.Opt
}

// produceAll sends records as fast as they are taken and answers when all are acknowledged.
func (c *column) produceAll(l load) (sample, error) {
	client, err := c.client(append([]kgo.Opt{kgo.DefaultProduceTopic(l.topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(20000), kgo.ProducerLinger(5 * time.Millisecond), kgo.RequiredAcks(kgo.AllISRAcks())}, l.options...)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.ctx, measureLimit)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return nil, err
	}
	var failed atomic.Pointer[error]
	var acked atomic.Int64
	promise := func(r *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
			return
		}
		acked.Add(int64(len(r.Value)))
	}
	m := startMeter(c.broker.CPU)
	records := make([]kgo.Record, 0)
	for i, sent := 0, int64(0); sent < l.bytes && failed.Load() == nil && (l.limit == 0 || time.Since(m.began) < l.limit); i++ {
		if len(records) == 0 {
			records = make([]kgo.Record, 1024)
		}
		r := &records[0]
		records = records[1:]
		r.Value = l.values[i%len(l.values)]
		client.Produce(ctx, r, promise)
		sent += int64(len(r.Value))
	}
	var s sample
	if l.limit > 0 { // what is still buffered would take as long again; it leaves, but does not count
		s = m.throughput(acked.Load())
	}
	if err := client.Flush(ctx); err != nil {
		return nil, err
	}
	if l.limit == 0 {
		s = m.throughput(acked.Load())
	}
	s["resident MB"] = c.resident()
	if err := failed.Load(); err != nil {
		return nil, fmt.Errorf("produce to %s: %w", c.name, *err)
	}
	return s, nil
}

// warmUp moves data through both brokers: Kafka's compiler needs it, and fresh memory costs several times more than used.
func (b *bench) warmUp() error {
	return b.pair(0, func(c *column) error {
		for range 2 {
			topic, err := c.topic(4, unflushed)
			if err != nil {
				return err
			}
			s, err := c.produceAll(load{topic: topic, values: values, bytes: b.bytes})
			if err != nil {
				return err
			}
			b.progress("warm up %s: %s", c.name, s)
			if _, err := c.consumeAll(topic, b.bytes); err != nil {
				return err
			}
			if err := c.drop(topic); err != nil {
				return err
			}
		}
		return nil
	})
}

// once produces to a topic of its own.
func (c *column) once(row string, m mode, l load, partitions int32) error {
	topic, err := c.topic(partitions, m)
	if err != nil {
		return err
	}
	l.topic = topic
	s, err := c.produceAll(l)
	if err != nil {
		return err
	}
	c.add(row, c.name+" "+string(m), s)
	return c.drop(topic)
}

// produce is rows 1 to 3, which are the same runs in different ratios, and the second part of row 13.
func (b *bench) produce() error {
	for i := range b.pairs {
		for _, m := range b.modes(flushed, unflushed) {
			s, err := b.pipe.in(m, b.bytes)
			if err != nil {
				return err
			}
			b.add("1", "pipe "+string(m), s)
			if err := b.pair(i, func(c *column) error { return c.once("1", m, load{values: values, bytes: b.bytes}, 4) }); err != nil {
				return err
			}
		}
	}
	for _, c := range b.columns() {
		b.add("13", c.name+" loaded", sample{"resident MB": c.resident()})
	}
	return nil
}

// compressed is row 4: lz4 by the client.
func (b *bench) compressed() error {
	for i := range b.pairs {
		if err := b.reference("4"); err != nil {
			return err
		}
		if err := b.pair(i, func(c *column) error {
			m := flushed
			if c.kind == "kafka" {
				m = unflushed
			}
			return c.once("4", m, load{values: texts, bytes: b.bytes, options: []kgo.Opt{kgo.ProducerBatchCompression(kgo.Lz4Compression())}}, 4)
		}); err != nil {
			return err
		}
	}
	return nil
}

// partitions is row 6: 1,000 partitions, batches of 4 KiB, first unflushed, then flushed. An unmeasured burst comes first in
// every pair: Kafka maps its preallocated indexes, a memory that is taken back within seconds has to be read in again, and here
// one such fault costs 2.5 ms (read-ahead into a hole).
func (b *bench) partitions() error {
	names := map[*column]string{}
	for _, c := range b.columns() {
		topic, err := c.topic(1000, unflushed)
		if err != nil {
			return err
		}
		names[c] = topic
	}
	for i := range b.pairs {
		if err := b.reference("6"); err != nil {
			return err
		}
		if err := b.pair(i, func(c *column) error { return c.manyPartitions(names[c]) }); err != nil {
			return err
		}
	}
	return b.pair(0, func(c *column) error { return c.drop(names[c]) })
}

func (c *column) manyPartitions(topic string) error {
	// Four records fill a batch, and the next goes to the next partition.
	round := kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
		var n int
		return func(_ *kgo.Record, partitions int) int { n++; return n / 4 % partitions }
	})
	l := load{topic: topic, values: values, bytes: 12 << 20,
		options: []kgo.Opt{kgo.RecordPartitioner(round), kgo.ProducerBatchMaxBytes(4500), kgo.MaxBufferedRecords(6000)}}
	for _, m := range c.modes(unflushed, flushed) {
		if err := c.setFlushing(topic, m); err != nil {
			return err
		}
		if l.limit == 0 {
			if _, err := c.produceAll(l); err != nil {
				return err
			}
			l.bytes, l.limit = c.bytes, time.Duration(c.seconds)*time.Second
		}
		s, err := c.produceAll(l)
		if err != nil {
			return err
		}
		c.add("6", c.name+" "+string(m), s)
	}
	return nil
}
