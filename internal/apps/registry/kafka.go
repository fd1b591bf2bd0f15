package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/registry/state"
)

// writerHeader carries the signature of who wrote a record. Other registries do not look at headers.
const writerHeader = "millrace-registry"

// kafkaLog is the Log on a cluster.
type kafkaLog struct {
	topic   string
	cluster string
	client  *kgo.Client // produces and administers
	reader  *kgo.Client
}

func openKafka(ctx context.Context, o Options) (*kafkaLog, error) {
	// A batch is written whole or not at all, so the records of one decision are flushed together.
	producer := append([]kgo.Opt{kgo.ClientID("millrace-registry"), kgo.ManualFlushing(), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(o.Timeout)}, o.Client...)
	client, err := kgo.NewClient(producer...)
	if err != nil {
		return nil, err
	}
	l := &kafkaLog{topic: o.Topic, client: client}
	if err := l.prepare(ctx); err != nil {
		client.Close()
		return nil, err
	}
	consumer := append([]kgo.Opt{kgo.ClientID("millrace-registry"), kgo.FetchMinBytes(1),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.Topic: {0: kgo.NewOffset().AtStart()}})}, o.Client...)
	if l.reader, err = kgo.NewClient(consumer...); err != nil {
		client.Close()
		return nil, err
	}
	return l, nil
}

// prepare makes the topic, or looks at the one that is there: a topic that forgets schemas would make data unreadable.
func (l *kafkaLog) prepare(ctx context.Context) error {
	k := kadm.NewClient(l.client)
	meta, err := k.Metadata(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("the cluster cannot be asked about topic %s: %w", l.topic, err)
	}
	l.cluster = meta.Cluster
	found := meta.Topics[l.topic]
	if errors.Is(found.Err, kerr.UnknownTopicOrPartition) {
		return l.create(ctx, k, int16(min(3, len(meta.Brokers))))
	}
	if found.Err != nil {
		return fmt.Errorf("the topic %s cannot be used: %w", l.topic, found.Err)
	}
	if n := len(found.Partitions); n != 1 {
		return fmt.Errorf("the topic %s has %d partitions, but the schema registry needs a topic with one; name another topic", l.topic, n)
	}
	return l.compacted(ctx, k)
}

func (l *kafkaLog) create(ctx context.Context, k *kadm.Client, replicas int16) error {
	compact := "compact"
	made, err := k.CreateTopic(ctx, 1, replicas, map[string]*string{"cleanup.policy": &compact}, l.topic)
	if err == nil {
		err = made.Err
	}
	if errors.Is(err, kerr.TopicAlreadyExists) { // somebody was faster
		return l.compacted(ctx, k)
	}
	if err != nil {
		return fmt.Errorf("the topic %s cannot be created: %w", l.topic, err)
	}
	return nil
}

func (l *kafkaLog) compacted(ctx context.Context, k *kadm.Client) error {
	configs, err := k.DescribeTopicConfigs(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("the settings of topic %s cannot be read: %w", l.topic, err)
	}
	found, err := configs.On(l.topic, nil)
	if err == nil {
		err = found.Err
	}
	if err != nil {
		return fmt.Errorf("the settings of topic %s cannot be read: %w", l.topic, err)
	}
	for _, c := range found.Configs {
		if c.Key == "cleanup.policy" && c.MaybeValue() != "compact" {
			return fmt.Errorf("the topic %s has cleanup.policy=%s and would forget schemas; set cleanup.policy=compact", l.topic, c.MaybeValue())
		}
	}
	return nil
}

func (l *kafkaLog) Append(ctx context.Context, writer string, writes []state.Write) (int64, error) {
	var last int64
	var failed error
	for _, w := range writes {
		r := &kgo.Record{Topic: l.topic, Partition: 0, Key: w.Key, Value: w.Value,
			Headers: []kgo.RecordHeader{{Key: writerHeader, Value: []byte(writer)}}}
		l.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil && failed == nil {
				failed = err
			}
			last = max(last, r.Offset)
		})
	}
	if err := l.client.Flush(ctx); err != nil { // returns after the callbacks, unless ctx ended
		return 0, err
	}
	if errors.Is(failed, kerr.MessageTooLarge) || errors.Is(failed, kerr.RecordListTooLarge) {
		return 0, ErrTooLarge
	}
	return last, failed
}

func (l *kafkaLog) End(ctx context.Context) (int64, error) {
	ends, err := kadm.NewClient(l.client).ListEndOffsets(ctx, l.topic)
	if err != nil {
		return 0, err
	}
	end, found := ends.Lookup(l.topic, 0)
	if !found {
		return 0, fmt.Errorf("topic %s has no partition 0 any more", l.topic)
	}
	return end.Offset, end.Err
}

func (l *kafkaLog) Follow(ctx context.Context, take func([]Entry)) error {
	for {
		fetched := l.reader.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fetched.IsClientClosed() {
			return errors.New("the client was closed")
		}
		var failed error
		fetched.EachError(func(_ string, _ int32, err error) { failed = err })
		if lost := (*kgo.ErrDataLoss)(nil); errors.As(failed, &lost) {
			return failed
		}
		if failed != nil && !kerr.IsRetriable(failed) {
			return fmt.Errorf("topic %s cannot be read: %w", l.topic, failed)
		}
		entries := make([]Entry, 0, fetched.NumRecords())
		fetched.EachRecord(func(r *kgo.Record) { entries = append(entries, entry(r)) })
		if len(entries) > 0 {
			take(entries)
		}
	}
}

func entry(r *kgo.Record) Entry {
	e := Entry{Record: state.Record{Offset: r.Offset, Time: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}}
	for _, h := range r.Headers {
		if h.Key == writerHeader {
			e.Writer = strings.Clone(string(h.Value))
		}
	}
	return e
}

func (l *kafkaLog) ClusterID() string { return l.cluster }

func (l *kafkaLog) Close() {
	l.client.Close()
	l.reader.Close()
}
