package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/target"
)

// caller sends one request again and again on a connection of its own, each as soon as the last was answered. The request is
// encoded once; of an answer only the error code is looked at, whose place the first answer tells.
type caller struct {
	conn  net.Conn
	frame []byte
	at    int // where the answer has its error code, behind the size
}

// newCaller makes the first call, which is decoded whole. name and partition stand just before the error code.
func newCaller(addr string, req kmsg.Request, version int16, name string) (*caller, error) {
	conn, err := target.Dial(addr)
	if err != nil {
		return nil, err
	}
	c := &caller{conn: conn.Conn, frame: conn.Frame(req, version)}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn.SetDeadline(deadline.Add(10 * time.Second))
		code, err := c.first(conn, name)
		if err == nil && code == 0 {
			return c, nil
		}
		if err == nil {
			err = kerr.ErrorForCode(code)
		}
		if time.Now().After(deadline) || !kerr.IsRetriable(err) {
			return nil, err
		}
	}
}

func (c *caller) first(conn *target.Conn, name string) (int16, error) {
	if _, err := conn.Write(c.frame); err != nil {
		return 0, err
	}
	body, err := conn.ReadFrame()
	if err != nil {
		return 0, err
	}
	at := bytes.Index(body, []byte(name))
	if at < 0 {
		return 0, fmt.Errorf("the answer does not name %q: % x", name, body)
	}
	c.at = at + len(name) + 1 + 4 // the name, the number of partitions, the partition
	return int16(binary.BigEndian.Uint16(body[c.at:])), nil
}

func (c *caller) call(buf []byte) error {
	if _, err := c.conn.Write(c.frame); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, buf[:4]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(buf))
	if n > len(buf) || n < c.at+2 {
		return fmt.Errorf("an answer of %d bytes", n)
	}
	if _, err := io.ReadFull(c.conn, buf[:n]); err != nil {
		return err
	}
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(buf[c.at:])))
}

// callAll lets all callers call for a time and measures the broker.
func (c *column) callAll(callers []*caller, seconds int) (sample, error) {
	var wait sync.WaitGroup
	errs := make([]error, len(callers))
	delays := make([][]time.Duration, len(callers))
	meter := startMeter(c.broker.CPU)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for i, caller := range callers {
		wait.Go(func() {
			buf := make([]byte, 4096)
			caller.conn.SetDeadline(end.Add(30 * time.Second))
			for last := time.Now(); last.Before(end); {
				if errs[i] = caller.call(buf); errs[i] != nil {
					return
				}
				now := time.Now()
				delays[i] = append(delays[i], now.Sub(last))
				last = now
			}
		})
	}
	wait.Wait()
	took, cpu, client := meter.stop()
	var all []time.Duration
	for i := range callers {
		if errs[i] != nil {
			return nil, fmt.Errorf("%s: %w", c.name, errs[i])
		}
		all = append(all, delays[i]...)
	}
	s := sample{"requests/s": float64(len(all)) / took, "CPU us/request": cpu * 1e6 / float64(len(all)), "client %": client, "resident MB": c.resident()}
	return s.latencies(all), nil
}

func closeAll(callers []*caller) {
	for _, c := range callers {
		if c != nil {
			c.conn.Close()
		}
	}
}

const connections = 64

// requests is row 5: 64 connections with one record of 100 bytes in flight each, to one partition.
func (b *bench) requests() error {
	for i := range b.pairs {
		if err := b.reference("5"); err != nil {
			return err
		}
		for _, m := range b.modes(flushed, unflushed) {
			if err := b.pair(i, func(c *column) error { return c.smallRequests(m) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *column) smallRequests(m mode) error {
	topic, err := c.topic(1, m)
	if err != nil {
		return err
	}
	callers := make([]*caller, connections)
	defer closeAll(callers)
	for i := range callers {
		if callers[i], err = newCaller(c.broker.Addr(), produceRequest(topic, make([]byte, 100)), 9, topic); err != nil {
			return err
		}
	}
	s, err := c.callAll(callers, max(1, c.seconds*3/5))
	if err != nil {
		return err
	}
	c.add("5", c.name+" "+string(m), s)
	return c.drop(topic)
}

func produceRequest(topic string, value []byte) *kmsg.ProduceRequest {
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = target.Batch(value)
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 10000, append(req.Topics, t)
	return req
}

// commits is row 15: 64 clients, each committing an offset of a group of its own again and again.
func (b *bench) commits() error {
	for i := range b.pairs {
		if err := b.reference("15"); err != nil {
			return err
		}
		if err := b.pair(i, func(c *column) error {
			for _, m := range b.modes(flushed, unflushed) {
				if c.kind == "kafka" && m == flushed {
					continue
				}
				if err := c.committing(m); err != nil {
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

func (c *column) committing(m mode) error {
	if err := c.flushOffsets(m); err != nil {
		return err
	}
	topic, err := c.topic(1, unflushed)
	if err != nil {
		return err
	}
	callers := make([]*caller, connections)
	defer closeAll(callers)
	for i := range callers {
		group := fmt.Sprintf("bench-group-%d", i)
		if err := c.coordinator(group); err != nil {
			return err
		}
		if callers[i], err = newCaller(c.broker.Addr(), commitRequest(group, topic), 8, topic); err != nil {
			return err
		}
	}
	s, err := c.callAll(callers, max(1, c.seconds*3/5))
	if err != nil {
		return err
	}
	c.add("15", c.name+" "+string(m), s)
	return c.drop(topic)
}

// flushOffsets puts our offsets topic into a mode; Kafka's is never flushed before the answer.
func (c *column) flushOffsets(m mode) error {
	if c.kind != "millrace" {
		return nil
	}
	if err := c.coordinator("bench-group-0"); err != nil { // the topic exists from here on
		return err
	}
	value := fmt.Sprint(m == flushed)
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value, config.Op = "flush.before.ack", &value, kmsg.IncrementalAlterConfigOpSet
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.Configs = kmsg.ConfigResourceTypeTopic, "__consumer_offsets", append(resource.Configs, config)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resource)
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	resp, err := req.RequestWith(c.ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Resources[0].ErrorCode)
	}
	return err
}

// coordinator asks until a group's partition of the offsets topic is served.
func (c *column) coordinator(group string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{group}
	_, err = req.RequestWith(c.ctx, client)
	return err
}

func commitRequest(group, topic string) *kmsg.OffsetCommitRequest {
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch = 5, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.Topics = group, -1, append(req.Topics, t)
	return req
}
