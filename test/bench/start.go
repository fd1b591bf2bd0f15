package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/target"
)

// starts is row 12: how long until the first API answer, and until a record of an existing topic is acknowledged and read back.
func (b *bench) starts() error {
	for _, c := range b.columns() { // once before, so that the directory is formatted and the topic exists
		if err := c.prepareStart(); err != nil {
			return err
		}
	}
	for i := range b.pairs {
		if err := b.pair(i, func(c *column) error {
			s, err := c.timedStart()
			if err == nil {
				c.add("12", c.name, s)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

const startTopic = "bench-start"

func (c *column) prepareStart() error {
	o := c.options(c.name + "-start")
	p, err := target.Start(c.ctx, o)
	if err != nil {
		return err
	}
	conn, err := target.Dial(p.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = startTopic, 1, 1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 10000, append(req.Topics, topic)
	if _, err := conn.Ask(req, 5); err != nil {
		return err
	}
	return p.Stop()
}

func (c *column) timedStart() (sample, error) {
	return c.timedStartOf(c.options(c.name+"-start"), 0)
}

// timedStartOf leaves the process idle for a while before its memory is read.
func (c *column) timedStartOf(o target.Options, idle time.Duration) (sample, error) {
	began := time.Now()
	p, err := target.Spawn(o)
	if err != nil {
		return nil, err
	}
	if err := p.WaitReady(c.ctx); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	ready := time.Since(began)
	defer p.Stop()
	conn, err := target.Dial(p.Addr())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for {
		err := roundTrip(conn)
		if err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
	back := time.Since(began)
	time.Sleep(idle)
	return sample{"ready ms": float64(ready.Microseconds()) / 1e3, "read back ms": float64(back.Microseconds()) / 1e3,
		"resident MB": float64(p.Resident()) / 1e6}, nil
}

// roundTrip produces a record and fetches it by the offset of its acknowledgement.
func roundTrip(conn *target.Conn) error {
	resp, err := conn.Ask(produceRequest(startTopic, make([]byte, 100)), 9)
	if err != nil {
		return err
	}
	acked := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(acked.ErrorCode); err != nil {
		return err
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = acked.BaseOffset, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = startTopic, append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch, req.Topics = 100, 1, 1<<20, -1, append(req.Topics, t)
	resp, err = conn.Ask(req, 12)
	if err != nil {
		return err
	}
	read := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(read.ErrorCode); err != nil {
		return err
	}
	if len(read.RecordBatches) == 0 {
		return fmt.Errorf("offset %d is acknowledged and not read", acked.BaseOffset)
	}
	return nil
}

// idle is the first part of row 13: resident memory three seconds after the start; and of a node of ours with 10,000 partitions
// that nobody uses, three seconds after it was started again with them.
func (b *bench) idle() error {
	time.Sleep(3 * time.Second)
	for _, c := range b.columns() {
		b.add("13", c.name+" idle", sample{"resident MB": c.resident()})
	}
	many := &column{bench: b, name: "many", kind: b.kind, binary: b.binary}
	if many.kind != "millrace" {
		return nil
	}
	defer many.stop()
	if err := many.start(); err != nil {
		return err
	}
	for range 10 { // a client may not wait longer than a request's timeout
		if _, err := many.topic(1000, flushed); err != nil {
			return err
		}
	}
	if err := many.broker.Stop(); err != nil {
		return err
	}
	if err := many.start(); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	b.add("13", "ours 10,000 partitions", sample{"resident MB": many.resident()})
	many.stop()
	return os.RemoveAll(filepath.Join(b.work, "many"))
}
