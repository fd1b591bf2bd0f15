package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"

	"millrace/test/target"
)

// diskFull fills the file system of the data directory through the broker (LIV-3): producing ends with an error, reading and
// deleting go on, nothing acknowledged is lost, and when space is back producing works again without a restart.
func (c *crash) diskFull() error {
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.broker.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordDeliveryTimeout(5*time.Second), kgo.AllowIdempotentProduceCancellation())
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopics(ctx, 1, -1, map[string]*string{"file.delete.delay.ms": kadm.StringPtr("0")}, "filler", "kept"); err != nil {
		return err
	}
	send := func(topic string) (int64, error) {
		r := &kgo.Record{Topic: topic, Value: make([]byte, 900_000)}
		err := client.ProduceSync(ctx, r).FirstErr()
		return r.Offset, err
	}
	acked := 0
	for ; acked < 2000; acked++ {
		if _, err = send("filler"); err != nil {
			break
		}
	}
	if err == nil {
		return fmt.Errorf("%d records of 900 kB went onto a disk of 256 MiB", acked)
	}
	code, rawErr := rawProduce(c.broker, "filler")
	if rawErr != nil {
		return fmt.Errorf("a produce on the full disk, byte by byte: %w", rawErr)
	}
	if code == 0 {
		return errors.New("a produce of 900 kB is acknowledged on the full disk")
	}
	var left unix.Statfs_t
	if err := unix.Statfs(c.disk.mount, &left); err != nil {
		return err
	}
	free := int64(left.Bavail) * left.Bsize >> 20
	if free < leastReserve {
		return fmt.Errorf("only %d MiB are left when a produce is refused: the reserve is used up", free)
	}
	if n, err := c.readAll(ctx, "filler"); err != nil || n < acked {
		return fmt.Errorf("%d of %d acknowledged records are read from the full disk: %v", n, acked, err)
	}
	var below kadm.Offsets
	below.AddOffset("filler", 0, 10, -1)
	if answers, err := admin.DeleteRecords(ctx, below); err != nil || answers.Error() != nil {
		return fmt.Errorf("delete records on the full disk: %w", errors.Join(err, answers.Error()))
	}
	if _, err := admin.DeleteTopics(ctx, "filler"); err != nil {
		return fmt.Errorf("delete a topic on the full disk: %w", err)
	}
	began := time.Now()
	for {
		if _, err = send("kept"); err == nil {
			break
		}
		if time.Since(began) > 30*time.Second {
			return fmt.Errorf("30 s after space came back a produce still fails: %w", err)
		}
	}
	fmt.Printf("ok    %-20s %d records of 900 kB, then %s with %d MiB left; all read; records and a topic deleted, and producing again after %.1fs without a restart\n",
		c.name, acked, kerr.ErrorForCode(code).Error(), free, time.Since(began).Seconds())
	return nil
}

// leastReserve is what must be left of a reserve of 64 MiB, in MiB: checkpoints and indexes use it.
const leastReserve = 60

// rawProduce asks once, without a client's retries.
func rawProduce(b *target.Process, topic string) (int16, error) {
	conn, err := target.Dial(b.Addr())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = target.Batch(make([]byte, 900_000))
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 5000, append(req.Topics, t)
	resp, err := conn.Ask(req, 9)
	if err != nil {
		return 0, err
	}
	return resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil
}

func (c *crash) readAll(ctx context.Context, topic string) (n int, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.broker.Addr()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	end, _ := listed.Lookup(topic, 0)
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for next := int64(0); next < end.Offset; {
		f := client.PollFetches(wait)
		if wait.Err() != nil {
			return n, fmt.Errorf("stuck at offset %d of %d: %w", next, end.Offset, wait.Err())
		}
		f.EachRecord(func(r *kgo.Record) { n++; next = r.Offset + 1 })
	}
	return n, nil
}
