package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/target"
)

// writer is the only producer of a topic of one partition, idempotent, one batch of one record at a time; a batch without answer is
// sent again until it has one. So record n stands at offset n, whatever happens between.
type writer struct {
	l          *ledger
	topic      string
	id         int64
	opened     bool
	next       int32
	key, value []byte // of the batch that has no answer yet
	waiting    bool
}

var errWrongOffset = errors.New("another offset than expected")

func (w *writer) acked() int64 { return int64(w.next) - 1 }

func (w *writer) open(c *caller, config map[string]string) error {
	if w.opened {
		return nil
	}
	if err := c.create(w.topic, config); err != nil {
		return err
	}
	id, err := c.producerID()
	w.id, w.opened = id, err == nil
	return err
}

// put appends a record, after the one that still waits.
func (w *writer) put(c *caller, key, value []byte) (offset int64, err error) {
	if w.waiting {
		if err := w.retry(c); err != nil {
			return -1, err
		}
	}
	w.key, w.value, w.waiting = key, value, true
	return int64(w.next), w.retry(c)
}

// retry sends the waiting batch.
func (w *writer) retry(c *caller) error {
	offset, err := w.send(c, w.next, w.key, w.value)
	switch {
	case errors.Is(err, kerr.OutOfOrderSequenceNumber), errors.Is(err, kerr.UnknownProducerID), errors.Is(err, kerr.InvalidProducerEpoch):
		w.l.find("%s refuses sequence %d, the next after all that was acknowledged: %v (IDM-1)", w.topic, w.next, err)
		return err
	case err != nil:
		return err
	case offset != int64(w.next):
		w.l.find("%s answers sequence %d with offset %d (IDM-1, DUR-1)", w.topic, w.next, offset)
		return errWrongOffset
	}
	w.waiting = false
	w.next++
	return nil
}

func (w *writer) send(c *caller, sequence int32, key, value []byte) (offset int64, err error) {
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = target.BatchOf(target.Producer{ID: w.id, Epoch: 0, Sequence: sequence}, key, value)
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = w.topic, append(t.Partitions, p)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 10_000, append(req.Topics, t)
	r, err := ask[*kmsg.ProduceResponse](c, req, 9)
	if err != nil {
		return -1, err
	}
	a := r.Topics[0].Partitions[0]
	return a.BaseOffset, code(a.ErrorCode)
}

// retriesPage sends batches a second time and deletes records: a duplicate of one of the last five batches has the offset of the
// original, over restarts and after its segment is gone (IDM-1, IDM-4); the log start never goes back and nothing below it is
// served (RET-2, ORD-10).
type retriesPage struct {
	l     *ledger
	w     writer
	rng   *rand.Rand
	start register
}

func (p *retriesPage) turn(c *caller) error {
	if err := p.w.open(c, map[string]string{"segment.ms": "300", "file.delete.delay.ms": "100"}); err != nil {
		return err
	}
	for range 4 {
		if _, err := p.w.put(c, nil, []byte("sent twice")); err != nil {
			return err
		}
	}
	if err := p.again(c); err != nil {
		return err
	}
	if p.rng.IntN(5) == 0 {
		if err := p.deleteRecords(c); err != nil {
			return err
		}
	}
	return p.check(c)
}

// again sends one of the last five batches a second time.
func (p *retriesPage) again(c *caller) error {
	sequence := p.w.next - 1 - int32(p.rng.IntN(int(min(5, p.w.next))))
	offset, err := p.w.send(c, sequence, nil, []byte("sent twice"))
	switch {
	case errors.Is(err, kerr.OutOfOrderSequenceNumber), errors.Is(err, kerr.DuplicateSequenceNumber):
		p.l.find("%s refuses the second send of sequence %d, the next is %d: %v (IDM-4)", p.w.topic, sequence, p.w.next, err)
		return err
	case err != nil:
		return err
	case offset != int64(sequence):
		p.l.find("the second send of sequence %d of %s is answered with offset %d (IDM-4)", sequence, p.w.topic, offset)
	}
	return nil
}

func (p *retriesPage) deleteRecords(c *caller) error {
	p.start.tried = max(p.start.tried, p.w.acked()+1-int64(p.rng.IntN(3)*2)) // often all that is there
	q := kmsg.NewDeleteRecordsRequestTopicPartition()
	q.Offset = p.start.tried
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic, t.Partitions = p.w.topic, append(t.Partitions, q)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis, req.Topics = 10_000, append(req.Topics, t)
	r, err := ask[*kmsg.DeleteRecordsResponse](c, req, 1)
	if err == nil {
		err = code(r.Topics[0].Partitions[0].ErrorCode)
	}
	if err == nil {
		p.start.acked = p.start.tried
	}
	return err
}

func (p *retriesPage) check(c *caller) error {
	start, err := c.offset(p.w.topic, -2)
	if err != nil {
		return err
	}
	p.start.read(p.l, "the log start of "+p.w.topic+" (RET-2)", start)
	end, err := c.offset(p.w.topic, -1)
	if err != nil {
		return err
	}
	if most := p.w.acked() + 2; end < p.w.acked()+1 || end > most { // one batch may be without an answer
		p.l.find("%s ends at %d, %d batches were acknowledged (DUR-1, IDM-1)", p.w.topic, end, p.w.next)
	}
	if p.start.acked == 0 {
		return nil
	}
	if err := c.fetchError(p.w.topic, p.start.acked-1); err == nil {
		p.l.find("%s serves offset %d, its start is %d (RET-2)", p.w.topic, p.start.acked-1, p.start.acked)
	} else if !errors.Is(err, kerr.OffsetOutOfRange) {
		return err
	}
	return nil
}

// fetchError is what a fetch at an offset is told.
func (c *caller) fetchError(topic string, offset int64) error {
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, 1000
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.Topics = 1000, append(req.Topics, t)
	r, err := ask[*kmsg.FetchResponse](c, req, 11)
	if err == nil {
		err = code(r.ErrorCode)
	}
	if err != nil {
		return err
	}
	return code(r.Topics[0].Partitions[0].ErrorCode)
}

// compactPage updates the keys of a compacted topic: a reader from its start finds the last value of every key, at rising offsets
// (CMP-1).
type compactPage struct {
	l     *ledger
	w     writer
	rng   *rand.Rand
	acked map[string]string
	turns int
}

const compactKeys = 40

func (p *compactPage) turn(c *caller) error {
	config := map[string]string{"cleanup.policy": "compact", "segment.ms": "300", "min.cleanable.dirty.ratio": "0.01", "file.delete.delay.ms": "100"}
	if err := p.w.open(c, config); err != nil {
		return err
	}
	for range 10 {
		key, value := strconv.Itoa(p.rng.IntN(compactKeys)), strconv.Itoa(int(p.w.next))
		if p.w.waiting {
			key, value = string(p.w.key), string(p.w.value)
			if err := p.w.retry(c); err != nil {
				return err
			}
		} else if _, err := p.w.put(c, []byte(key), []byte(value)); err != nil {
			return err
		}
		p.acked[key] = value
	}
	if p.turns++; p.turns%10 != 0 {
		return nil
	}
	return p.check(c)
}

func (p *compactPage) check(c *caller) error {
	if p.w.waiting {
		key, value := string(p.w.key), string(p.w.value)
		if err := p.w.retry(c); err != nil {
			return err
		}
		p.acked[key] = value
	}
	got, err := p.read()
	if err != nil {
		return err
	}
	for key, value := range p.acked {
		if got[key] != value {
			p.l.find("%s: key %s was last set to %q and a reader finds %q (CMP-1)", p.w.topic, key, value, got[key])
		}
	}
	return nil
}

// read builds the map as a new reader would.
func (p *compactPage) read() (map[string]string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.l.addr), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.w.topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	got, last := map[string]string{}, int64(-1)
	for last < p.w.acked() { // the last record is never compacted away
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Offset <= last {
				p.l.find("%s: offset %d comes after %d (ORD-4)", p.w.topic, r.Offset, last)
			}
			last = r.Offset
			got[string(r.Key)] = string(r.Value)
		})
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s was read up to offset %d, its last is %d: %w", p.w.topic, last, p.w.acked(), ctx.Err())
		}
	}
	return got, nil
}
