package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	id      kadm.TopicID // of the topic that was opened; zero when the cluster knows no ids
	cluster string
	client  *kgo.Client // produces and administers
	reader  *kgo.Client

	missed int // how often in a row the cluster said that there is no such topic; owned by Follow
}

func openKafka(ctx context.Context, o Options) (*kafkaLog, error) {
	// A batch is written whole or not at all, so the records of one decision are flushed together.
	producer := append([]kgo.Opt{kgo.ClientID("millrace-registry"), kgo.ManualFlushing(), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(o.Timeout), kgo.ProducerBatchMaxBytes(batchLimit)}, o.Client...)
	client, err := kgo.NewClient(producer...)
	if err != nil {
		return nil, err
	}
	l := &kafkaLog{topic: o.Topic, client: client}
	if err := l.prepare(ctx, o); err != nil {
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
func (l *kafkaLog) prepare(ctx context.Context, o Options) error {
	k := kadm.NewClient(l.client)
	meta, err := k.Metadata(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("the cluster cannot be asked about topic %s: %w", l.topic, err)
	}
	l.cluster = meta.Cluster
	found := meta.Topics[l.topic]
	if errors.Is(found.Err, kerr.UnknownTopicOrPartition) {
		replicas := o.Replicas
		if replicas == 0 {
			replicas = min(3, len(meta.Brokers))
		}
		return l.create(ctx, k, int16(replicas))
	}
	if found.Err != nil {
		return fmt.Errorf("the topic %s cannot be used: %w", l.topic, found.Err)
	}
	if n := len(found.Partitions); n != 1 {
		return fmt.Errorf("the topic %s has %d partitions, but the schema registry needs a topic with one; name another topic", l.topic, n)
	}
	l.id = found.ID
	return l.compacted(ctx, k)
}

func (l *kafkaLog) create(ctx context.Context, k *kadm.Client, replicas int16) error {
	compact, largest := "compact", strconv.Itoa(batchLimit)
	settings := map[string]*string{"cleanup.policy": &compact, "max.message.bytes": &largest}
	made, err := k.CreateTopic(ctx, 1, replicas, settings, l.topic)
	if errors.Is(err, kerr.InvalidConfig) || errors.Is(err, kerr.PolicyViolation) { // a cluster that allows no such batches
		delete(settings, "max.message.bytes")
		made, err = k.CreateTopic(ctx, 1, replicas, settings, l.topic)
	}
	if err == nil {
		err = made.Err
	}
	if errors.Is(err, kerr.TopicAlreadyExists) { // somebody was faster
		if l.id, err = l.appear(ctx); err != nil {
			return err
		}
		return l.compacted(ctx, k)
	}
	if err != nil {
		return fmt.Errorf("the topic %s cannot be created: %w", l.topic, err)
	}
	l.id = made.ID
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

// present is the id of the topic now.
func (l *kafkaLog) present(ctx context.Context) (kadm.TopicID, error) {
	meta, err := kadm.NewClient(l.client).Metadata(ctx, l.topic)
	if err == nil {
		err = meta.Topics[l.topic].Err
	}
	if err != nil {
		return kadm.TopicID{}, fmt.Errorf("the cluster cannot be asked about topic %s: %w", l.topic, err)
	}
	return meta.Topics[l.topic].ID, nil
}

// appear waits for a topic that the controller knows already and the broker that was asked does not yet.
func (l *kafkaLog) appear(ctx context.Context) (kadm.TopicID, error) {
	for tries := 1; ; tries++ {
		id, err := l.present(ctx)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || tries == missedMost || ctx.Err() != nil {
			return id, err
		}
		pause(ctx, pollPause)
	}
}

// batchLimit is the largest batch, for the client and for a topic that is made: a text of the largest size (1 MiB) may get twice as long
// in a record, since quotes and backslashes are escaped, and metadata and rules come with it. A topic that was made by somebody else may
// take less, and refuses then what it does not take.
const batchLimit = 4 << 20

// recordLimit is the largest record that the client takes: its limit for a batch without what stands around the record.
const recordLimit = batchLimit - 1000

func (l *kafkaLog) Append(ctx context.Context, writer string, writes []state.Write) (int64, error) {
	for _, w := range writes {
		if len(w.Key)+len(w.Value) > recordLimit {
			return 0, ErrTooLarge // before any other of them is sent
		}
	}
	if err := l.settle(ctx); err != nil {
		return 0, err
	}
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

// settle waits until the client has given up what an earlier Append left in it when its time was over. Whatever is added while a record
// of another request waits there fails together with it, for that one's reason.
func (l *kafkaLog) settle(ctx context.Context) error {
	if l.client.BufferedProduceRecords() == 0 {
		return nil
	}
	return l.client.Flush(ctx)
}

// pollPause stands between two attempts to read a topic that cannot be read: some errors come back at once. A topic that is missing so
// often in a row was deleted; a broker that lags behind its cluster may say so for a moment.
const (
	pollPause  = 250 * time.Millisecond
	missedMost = 8
)

func (l *kafkaLog) Follow(ctx context.Context, take func([]Entry)) error {
	for next := int64(0); ; {
		fetched := l.reader.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fetched.IsClientClosed() {
			return errors.New("the client was closed")
		}
		entries := make([]Entry, 0, fetched.NumRecords())
		fetched.EachRecord(func(r *kgo.Record) { entries = append(entries, entry(r)) })
		if len(entries) > 0 {
			if entries[0].Offset < next {
				return l.replaced()
			}
			next, l.missed = entries[len(entries)-1].Offset+1, 0
			take(entries)
		}
		var failed error
		fetched.EachError(func(_ string, _ int32, err error) { failed = err })
		if failed == nil {
			continue
		}
		if err := l.unreadable(ctx, failed); err != nil {
			return err
		}
		pause(ctx, pollPause)
	}
}

// unreadable tells why the topic will never be read again, if that is so; otherwise it may be read later.
func (l *kafkaLog) unreadable(ctx context.Context, failed error) error {
	if lost := (*kgo.ErrDataLoss)(nil); errors.As(failed, &lost) {
		return failed
	}
	if !kerr.IsRetriable(failed) {
		return fmt.Errorf("topic %s cannot be read: %w", l.topic, failed)
	}
	now, err := l.present(ctx)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		l.missed = 0
	} else {
		l.missed++
	}
	switch {
	case l.missed >= missedMost:
		return fmt.Errorf("the topic %s was deleted", l.topic)
	case err == nil && l.id != (kadm.TopicID{}) && now != l.id:
		return l.replaced()
	}
	return nil
}

// replaced: what was read is not in the topic that has the name now.
func (l *kafkaLog) replaced() error {
	return fmt.Errorf("the topic %s was deleted and made again", l.topic)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
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
