package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/checker"
)

// consumer is one process of the history that reads all keys from their start, by assignment.
type consumer struct {
	*run
	process int
}

func (c *consumer) loop(ctx context.Context) {
	client, err := c.client(c.assigned())
	if err != nil {
		c.check(err)
		return
	}
	defer client.Close()
	for ctx.Err() == nil && c.failed() == nil {
		c.poll(ctx, client)
	}
}

func (r *run) assigned() kgo.Opt {
	all := map[string]map[int32]kgo.Offset{}
	for k := range r.Keys {
		topic, partition := r.place(k)
		if all[topic] == nil {
			all[topic] = map[int32]kgo.Offset{}
		}
		all[topic][partition] = kgo.NewOffset().AtStart()
	}
	return kgo.ConsumePartitions(all)
}

// poll records everything that one poll delivered. Errors of a fetch (a broker that is away) say nothing about the records
// beside them; the client goes on by itself.
func (c *consumer) poll(ctx context.Context, client *kgo.Client) []checker.Read {
	id, err := c.history.Invoke(c.process, "poll", nil, 1)
	if err != nil {
		c.check(err)
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	e := &checker.Event{ID: id, Process: int64(c.process), Kind: checker.OK, Func: "poll", Polls: 1}
	fetches := client.PollRecords(wait, 5000)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		key := c.key(p.Topic, p.Partition)
		for _, rec := range p.Records {
			value, err := readRecord(rec, key)
			if err != nil {
				c.damage("key %d offset %d: %v", key, rec.Offset, err)
				value = -1
			}
			e.Reads = append(e.Reads, checker.Read{Key: key, Offset: rec.Offset, Value: value})
		}
	})
	c.check(c.history.Complete(e))
	return e.Reads
}

// completeRead reads every key from its start to the end that it has now, with a new client.
func (r *run) completeRead() error {
	ctx, cancel := context.WithTimeout(r.ctx, r.FinalTimeout)
	defer cancel()
	ends, err := r.ends(ctx)
	if err != nil {
		return fmt.Errorf("the end offsets after the load: %w", err)
	}
	c := &consumer{run: r, process: 1 + r.Producers + r.Consumers}
	id, err := r.history.Invoke(c.process, "final", nil, 0)
	if err != nil {
		return err
	}
	reached := c.readUpTo(ctx, ends)
	e := &checker.Event{ID: id, Process: int64(c.process), Kind: checker.OK, Func: "final", Ends: reached}
	return r.history.Complete(e)
}

// ends asks until the cluster answers for every key.
func (r *run) ends(ctx context.Context) (map[int32]int64, error) {
	client, err := r.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for {
		ends, err := r.askEnds(ctx, admin)
		if err == nil {
			return ends, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (r *run) askEnds(ctx context.Context, admin *kadm.Client) (map[int32]int64, error) {
	listed, err := admin.ListEndOffsets(ctx, r.topics...)
	if err != nil {
		return nil, err
	}
	if err := listed.Error(); err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if key := r.key(o.Topic, o.Partition); key >= 0 && int(key) < r.Keys {
			ends[key] = o.Offset
		}
	})
	if len(ends) != r.Keys {
		return nil, fmt.Errorf("%d of %d partitions have an end", len(ends), r.Keys)
	}
	return ends, nil
}

// readUpTo polls until every key has been read to its end or the time is over, and returns the ends that were reached.
func (c *consumer) readUpTo(ctx context.Context, ends map[int32]int64) map[int32]int64 {
	reached, missing := map[int32]int64{}, map[int32]int64{}
	for k, end := range ends {
		if end == 0 {
			reached[k] = 0
		} else {
			missing[k] = end
		}
	}
	client, err := c.client(c.assigned())
	if err != nil {
		c.check(err)
		return reached
	}
	defer client.Close()
	for len(missing) > 0 && ctx.Err() == nil && c.failed() == nil {
		for _, read := range slices.Backward(c.poll(ctx, client)) {
			if end, open := missing[read.Key]; open && read.Offset >= end-1 {
				reached[read.Key] = end
				delete(missing, read.Key)
			}
		}
	}
	return reached
}
