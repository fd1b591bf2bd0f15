package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/checker/load"
)

// franz-go, the Go client.
func init() {
	register(
		Case{"franz/codecs", true, franzCodecs},
		Case{"franz/headers-and-nulls", false, franzNulls},
		Case{"franz/group-range", true, func(t *T) { franzGroup(t, kgo.RangeBalancer()) }},
		Case{"franz/group-round-robin", false, func(t *T) { franzGroup(t, kgo.RoundRobinBalancer()) }},
		Case{"franz/group-sticky", false, func(t *T) { franzGroup(t, kgo.StickyBalancer()) }},
		Case{"franz/group-cooperative-sticky", false, func(t *T) { franzGroup(t, kgo.CooperativeStickyBalancer()) }},
		Case{"franz/group-static-members", false, franzStatic},
		Case{"franz/commit-and-resume", false, franzResume},
		Case{"franz/admin", false, franzAdmin},
		Case{"franz/list-and-delete", false, franzDeleteRecords},
		Case{"franz/large-records", false, franzLarge},
		Case{"franz/refusals", false, franzRefusals},
		Case{"franz/transactional-id", false, franzTransactional},
		Case{"franz/history", true, franzHistory},
	)
}

func (t *T) produce(topic string, n int, opts ...kgo.Opt) {
	c := t.Client(append(opts, kgo.DefaultProduceTopic(topic))...)
	var recs []*kgo.Record
	for i, line := range Lines(n) {
		recs = append(recs, &kgo.Record{Key: []byte(fmt.Sprint(i)), Value: []byte(line)})
	}
	t.Must(c.ProduceSync(t.ctx, recs...).FirstErr(), "produce")
}

// consume reads n records with a client of its own.
func (t *T) consume(topic string, n int, opts ...kgo.Opt) (recs []*kgo.Record) {
	c := t.Client(append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
	defer cancel()
	for len(recs) < n {
		f := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records after 20 s: %v", len(recs), n, f.Err())
		}
		recs = append(recs, f.Records()...)
	}
	return recs
}

func franzCodecs(t *T) {
	want := Lines(3000)
	for name, codec := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()} {
		topic := t.Topic(1)
		t.produce(topic, len(want), kgo.ProducerBatchCompression(codec))
		for i, rec := range t.consume(topic, len(want)) {
			if string(rec.Value) != want[i] || rec.Offset != int64(i) {
				t.Fatalf("%s: record %d is %q at %d", name, i, rec.Value, rec.Offset)
			}
		}
	}
}

func franzNulls(t *T) {
	topic := t.Topic(1)
	sent := []*kgo.Record{
		{Topic: topic},
		{Topic: topic, Key: []byte{}, Value: []byte{}},
		{Topic: topic, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "a", Value: nil}, {Key: "", Value: []byte{0, 255}}, {Key: "a", Value: []byte("again")}}},
		{Topic: topic, Value: []byte(strings.Repeat("\x00", 5000)), Timestamp: time.UnixMilli(1_500_000_000_001)},
	}
	t.Must(t.Client().ProduceSync(t.ctx, sent...).FirstErr(), "produce")
	for i, got := range t.consume(topic, len(sent)) {
		form := func(r *kgo.Record) string {
			return fmt.Sprintf("%v %v %d %d %q %d", r.Key == nil, r.Value == nil, len(r.Key), len(r.Value), r.Headers, r.Timestamp.UnixMilli())
		}
		t.Equal(form(got), form(sent[i]), fmt.Sprint("record ", i))
	}
}

// kgoGroup are the options of a consumer that commits what it has read.
func kgoGroup(group string) []kgo.Opt {
	return []kgo.Opt{kgo.ConsumerGroup(group), kgo.AutoCommitInterval(100 * time.Millisecond)}
}

// member is one consumer of a group and what it owns.
type member struct {
	client *kgo.Client
	mu     sync.Mutex
	owned  map[int32]bool
	read   map[string]int
	stop   context.CancelFunc
	done   chan struct{}
}

func (t *T) member(group, topic string, balancer kgo.GroupBalancer, opts ...kgo.Opt) *member {
	m := &member{owned: map[int32]bool{}, read: map[string]int{}, done: make(chan struct{})}
	set := func(own bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range parts[topic] {
				m.owned[p] = own
			}
		}
	}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(t.addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(200 * time.Millisecond), kgo.SessionTimeout(10 * time.Second),
		kgo.OnPartitionsAssigned(set(true)), kgo.OnPartitionsRevoked(set(false)), kgo.OnPartitionsLost(set(false))}, opts...)...)
	t.Must(err, "new member")
	m.client = client
	ctx, cancel := context.WithCancel(t.ctx)
	m.stop = cancel
	go m.poll(ctx)
	t.defers(m.leave)
	return m
}

func (m *member) poll(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		f := m.client.PollFetches(ctx)
		m.mu.Lock()
		f.EachRecord(func(r *kgo.Record) { m.read[fmt.Sprintf("%d/%d", r.Partition, r.Offset)]++ })
		m.mu.Unlock()
	}
}

func (m *member) leave() {
	m.stop()
	<-m.done
	m.client.Close()
}

func (m *member) owns() (out []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, own := range m.owned {
		if own {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// shared demands that members own all partitions between them, each one once and each member its share.
func shared(partitions int, members ...*member) error {
	seen := map[int32]int{}
	for _, m := range members {
		own := m.owns()
		if len(own) != partitions/len(members) {
			return fmt.Errorf("a member of %d owns %v of %d partitions", len(members), own, partitions)
		}
		for _, p := range own {
			seen[p]++
		}
	}
	if len(seen) != partitions {
		return fmt.Errorf("only %d of %d partitions have an owner", len(seen), partitions)
	}
	return nil
}

// franzGroup: one member owns all; a second comes and both share; the first goes and the second owns all. Nothing is skipped.
func franzGroup(t *T, balancer kgo.GroupBalancer) {
	topic, group := t.Topic(4), t.Name("g")
	t.produce(topic, 400)
	a := t.member(group, topic, balancer)
	t.Eventually(func() error { return shared(4, a) })
	b := t.member(group, topic, balancer)
	t.Eventually(func() error { return shared(4, a, b) })
	t.produce(topic, 400)
	t.Eventually(func() error { return allRead(800, a, b) })
	a.leave()
	t.Eventually(func() error { return shared(4, b) })
	t.produce(topic, 400)
	t.Eventually(func() error { return allRead(1200, a, b) })
	described, err := t.Admin().DescribeGroups(t.ctx, group)
	t.Must(err, "DescribeGroups")
	g := described[group]
	t.Equal(fmt.Sprint(g.State, g.ProtocolType, g.Protocol, len(g.Members)), fmt.Sprint("Stable", "consumer", balancer.ProtocolName(), 1), "the group as described")
}

func allRead(want int, members ...*member) error {
	all := map[string]bool{}
	for _, m := range members {
		m.mu.Lock()
		for k := range m.read {
			all[k] = true
		}
		m.mu.Unlock()
	}
	return same(len(all), want)
}

// franzStatic: a static member that goes and comes back within its session keeps its partitions, and nobody else moves.
func franzStatic(t *T) {
	topic, group := t.Topic(4), t.Name("g")
	start := func(id string) *member {
		return t.member(group, topic, kgo.RangeBalancer(), kgo.InstanceID(id))
	}
	a, b := start("a"), start("b")
	t.Eventually(func() error { return shared(4, a, b) })
	before := b.owns()
	generation := t.generation(group)
	b.leave() // a static member does not leave the group when its client is closed
	again := start("b")
	t.Eventually(func() error { return same(again.owns(), before) })
	t.Equal(a.owns() != nil && len(a.owns()) == 2, true, "the other member keeps its partitions")
	t.Equal(t.generation(group), generation, "generation")
	_, err := t.Admin().LeaveGroup(t.ctx, kadm.LeaveGroup(group).InstanceIDs("b"))
	t.Must(err, "LeaveGroup by instance id")
	t.Eventually(func() error { return same(len(a.owns()), 4) })
}

// generation of a group, from the committed metadata of its members' view.
func (t *T) generation(group string) string {
	described, err := t.Admin().DescribeGroups(t.ctx, group)
	t.Must(err, "DescribeGroups")
	var ids []string
	for _, m := range described[group].Members {
		id := ""
		if m.InstanceID != nil {
			id = *m.InstanceID
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return described[group].State + " " + strings.Join(ids, ",")
}

func franzResume(t *T) {
	topic, group := t.Topic(1), t.Name("g")
	t.produce(topic, 10)
	admin := t.Admin()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 7, LeaderEpoch: -1, Metadata: "note of seven"})
	t.Eventually(func() error { return admin.CommitAllOffsets(t.ctx, group, offsets) })
	fetched, err := admin.FetchOffsets(t.ctx, group)
	t.Must(err, "FetchOffsets")
	o, _ := fetched.Lookup(topic, 0)
	t.Equal(fmt.Sprintf("%d %s", o.At, o.Metadata), "7 note of seven", "committed")
	first := t.consume(topic, 3, kgo.ConsumerGroup(group), kgo.DisableAutoCommit())
	t.Equal(first[0].Offset, 7, "where the group goes on")
	lag, err := admin.Lag(t.ctx, group)
	t.Must(err, "Lag")
	t.Equal(lag[group].Lag.Total(), 3, "lag")
	_, err = admin.DeleteOffsets(t.ctx, group, kadm.TopicsSet{topic: {0: {}}})
	t.Must(err, "DeleteOffsets")
}

func franzAdmin(t *T) {
	admin := t.Admin()
	topic := t.Topic(2, "retention.ms=5000000")
	m, err := admin.Metadata(t.ctx, topic)
	t.Must(err, "Metadata")
	if len(m.Brokers) != 1 || m.Cluster == "" || m.Controller != m.Brokers[0].NodeID {
		t.Errorf("cluster id, one broker that is the controller wanted: %+v", m)
	}
	if (m.Topics[topic].ID == kadm.TopicID{}) {
		t.Errorf("the topic has no id")
	}
	cfg, err := admin.DescribeTopicConfigs(t.ctx, topic)
	t.Must(err, "DescribeTopicConfigs")
	found := map[string]string{}
	for _, c := range cfg[0].Configs {
		found[c.Key] = c.MaybeValue() + " " + c.Source.String()
	}
	t.Equal(found["retention.ms"], "5000000 DYNAMIC_TOPIC_CONFIG", "retention.ms")
	if len(found) < 25 {
		t.Errorf("a topic has some 33 settings, %d are described", len(found))
	}
	value := "6000000"
	_, err = admin.AlterTopicConfigs(t.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, topic)
	t.Must(err, "AlterTopicConfigs")
	t.Eventually(func() error {
		cfg, err := admin.DescribeTopicConfigs(t.ctx, topic)
		if err != nil {
			return err
		}
		for _, c := range cfg[0].Configs {
			if c.Key == "retention.ms" {
				return same(c.MaybeValue(), value)
			}
		}
		return fmt.Errorf("retention.ms is gone")
	})
	parts, err := admin.UpdatePartitions(t.ctx, 5, topic)
	t.Must(err, "UpdatePartitions")
	t.Must(parts.Error(), "UpdatePartitions")
	t.Eventually(func() error {
		m, err := admin.ListTopics(t.ctx, topic)
		if err != nil {
			return err
		}
		return same(len(m[topic].Partitions), 5)
	})
	dirs, err := admin.DescribeAllLogDirs(t.ctx, nil)
	t.Must(err, "DescribeAllLogDirs")
	for _, d := range dirs {
		t.Must(d.Error(), "DescribeAllLogDirs")
	}
	_, err = admin.ListGroups(t.ctx)
	t.Must(err, "ListGroups")
	_, err = admin.DescribeBrokerConfigs(t.ctx, m.Brokers[0].NodeID)
	t.Must(err, "DescribeBrokerConfigs")
	deleted, err := admin.DeleteTopics(t.ctx, topic)
	t.Must(err, "DeleteTopics")
	t.Must(deleted.Error(), "DeleteTopics")
	t.Eventually(func() error {
		names, err := admin.ListTopics(t.ctx)
		if err == nil && names.Has(topic) {
			err = fmt.Errorf("the topic is still there")
		}
		return err
	})
}

func franzDeleteRecords(t *T) {
	topic, admin := t.Topic(1), t.Admin()
	t.produce(topic, 100)
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 60, LeaderEpoch: -1})
	answers, err := admin.DeleteRecords(t.ctx, offsets)
	t.Must(err, "DeleteRecords")
	t.Equal(answers[topic][0].LowWatermark, 60, "low watermark")
	start, err := admin.ListStartOffsets(t.ctx, topic)
	t.Must(err, "ListStartOffsets")
	o, _ := start.Lookup(topic, 0)
	t.Equal(o.Offset, 60, "start offset")
	t.Equal(t.consume(topic, 40)[0].Offset, 60, "first record that is served (RET-2)")
}

// franzLarge: records near the limit, so that a response holds one batch larger than the bytes that were asked for (KIP-74).
func franzLarge(t *T) {
	topic := t.Topic(1)
	c := t.Client()
	for i := range 5 {
		rec := &kgo.Record{Topic: topic, Value: []byte(strings.Repeat(fmt.Sprint(i), 900_000))}
		t.Must(c.ProduceSync(t.ctx, rec).FirstErr(), "produce 900 kB")
	}
	for i, rec := range t.consume(topic, 5, kgo.FetchMaxPartitionBytes(1000), kgo.FetchMaxBytes(1000)) {
		if len(rec.Value) != 900_000 || rec.Value[0] != byte('0'+i) {
			t.Errorf("record %d has %d bytes", i, len(rec.Value))
		}
	}
}

// franzRefusals: what a producer and a consumer are told of what cannot be.
func franzRefusals(t *T) {
	small := t.Topic(1, "max.message.bytes=1000")
	c := t.Client(kgo.RecordRetries(3), kgo.ProducerBatchCompression(kgo.NoCompression()))
	err := c.ProduceSync(t.ctx, &kgo.Record{Topic: small, Value: make([]byte, 5000)}).FirstErr()
	t.Is(err, kerr.MessageTooLarge, "5,000 bytes where 1,000 are allowed")
	timed := t.Topic(1, "message.timestamp.before.max.ms=60000")
	err = c.ProduceSync(t.ctx, &kgo.Record{Topic: timed, Timestamp: time.Now().Add(-time.Hour), Value: []byte("x")}).FirstErr()
	t.Is(err, kerr.InvalidTimestamp, "a record one hour old")
	c = t.Client(kgo.UnknownTopicRetries(1))
	err = c.ProduceSync(t.ctx, &kgo.Record{Topic: t.Name("none"), Value: []byte("x")}).FirstErr()
	t.Is(err, kerr.UnknownTopicOrPartition, "a topic that is not there")
	c = t.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{small: {0: kgo.NewOffset().At(1000)}}), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	t.Is(c.PollFetches(t.ctx).Err(), kerr.OffsetOutOfRange, "an offset beyond the end")
}

// Is demands an error.
func (t *T) Is(got, want error, what string) {
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// transactions says whether the broker advertises them.
func (t *T) transactions() bool {
	_, high := t.versions(kmsg.AddPartitionsToTxn)
	return high >= 0
}

// franzTransactional: where transactions are not advertised, a client that wants one is refused for good within seconds, and
// does not repeat itself for ever.
func franzTransactional(t *T) {
	topic := t.Topic(1)
	c := t.Client(kgo.TransactionalID(t.Name("tx")), kgo.DefaultProduceTopic(topic), kgo.RecordDeliveryTimeout(30*time.Second))
	began := time.Now()
	err := c.BeginTransaction()
	if err == nil {
		err = c.ProduceSync(t.ctx, kgo.StringRecord("in a transaction")).FirstErr()
	}
	if err == nil {
		err = c.EndTransaction(t.ctx, kgo.TryCommit)
	}
	if t.transactions() {
		t.Must(err, "a transaction")
		t.Equal(string(t.consume(topic, 1, kgo.FetchIsolationLevel(kgo.ReadCommitted()))[0].Value), "in a transaction", "what was committed")
		return
	}
	if took := time.Since(began); err == nil || took > 10*time.Second {
		t.Errorf("after %v: %v, where a refusal is wanted within seconds", took, err)
	}
	t.note = fmt.Sprintf("refused: %v", err)
}

// franzHistory runs workload W1 and lets the checker judge it: `millrace verify` in small.
func franzHistory(t *T) {
	res, err := load.Run(t.ctx, load.Options{Bootstrap: t.addr, Duration: 4 * time.Second, TopicPrefix: t.Name("verify")})
	t.Must(err, "load")
	if !res.Valid() {
		t.Fatalf("seed %d, history %s\n%s\n%v", res.Seed, res.HistoryPath, res.Report, res.Damaged)
	}
	t.note = fmt.Sprintf("%d acknowledged, %d read, nothing found", res.Report.Acked, res.Report.Reads)
}
