package meta

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"millrace/internal/kafka/wire"
)

// Delta is what differs between two images. Where a value has come or gone, Old or New is nil; both images are
// immutable, so the pointers stay good.
type Delta struct {
	Topics      []TopicChange  // by name; of two topics of one name, the one that has gone comes first
	Brokers     []BrokerChange // by id
	Configs     []Resource     // whose settings differ, by type and name
	Features    []string       // whose level differs, sorted
	ProducerIDs bool
}

// TopicChange is a topic created (Old nil), deleted (New nil) or changed. A topic deleted and created again under its
// name is two changes: the ids differ.
type TopicChange struct {
	Old, New   *Topic
	Partitions []PartitionChange // that differ, by id
}

// PartitionChange is a partition added (Old nil), gone (New nil) or changed.
type PartitionChange struct {
	Partition int32
	Old, New  *Partition
}

// BrokerChange is a broker registered (Old nil), unregistered (New nil) or changed.
type BrokerChange struct{ Old, New *Broker }

// Resource names a configuration resource.
type Resource struct {
	Type int8
	Name string
}

// Name and ID are those of the topic, before or after.
func (c TopicChange) Name() string  { return c.any().Name }
func (c TopicChange) ID() wire.UUID { return c.any().ID }
func (c TopicChange) any() *Topic   { return cmp.Or(c.New, c.Old) }

// Empty reports whether nothing differs.
func (d Delta) Empty() bool {
	return len(d.Topics) == 0 && len(d.Brokers) == 0 && len(d.Configs) == 0 && len(d.Features) == 0 && !d.ProducerIDs
}

// delta compares only what the edit has touched.
func (e *edit) delta(next *Image) Delta {
	var d Delta
	for id := range e.touchedTopics { // into a sort
		d.topic(e.old.TopicByID(id), next.TopicByID(id))
	}
	for id := range e.touchedBrokers { // into a sort
		d.broker(e.old.Broker(id), next.Broker(id))
	}
	for key := range e.touchedConfigs { // into a sort
		d.config(key, e.old, next)
	}
	if e.features {
		d.features(e.old, next)
	}
	d.ProducerIDs = e.old.producerID != next.producerID
	d.sort()
	return d
}

// Diff is what differs between any two images: what a node does that was away and continues from a snapshot. It takes
// time in proportion to both, but skips what they share.
func Diff(old, next *Image) Delta {
	var d Delta
	for t := range missing(old, next) {
		d.topic(t, nil)
	}
	next.Topics(func(t *Topic) bool {
		if was := old.TopicByID(t.ID); was != t {
			d.topic(was, t)
		}
		return true
	})
	for _, b := range old.Brokers() {
		if next.Broker(b.ID) == nil {
			d.broker(b, nil)
		}
	}
	for _, b := range next.Brokers() {
		d.broker(old.Broker(b.ID), b)
	}
	keys := map[string]bool{}
	collect := func(k string, _ map[string]string) bool { keys[k] = true; return true }
	old.configs.each("", collect)
	next.configs.each("", collect)
	for key := range keys { // into a sort
		d.config(key, old, next)
	}
	d.features(old, next)
	d.ProducerIDs = old.producerID != next.producerID
	d.sort()
	return d
}

func missing(old, next *Image) func(func(*Topic) bool) {
	return func(yield func(*Topic) bool) {
		old.Topics(func(t *Topic) bool { return next.TopicByID(t.ID) != nil || yield(t) })
	}
}

func (d *Delta) topic(old, next *Topic) {
	if old == next {
		return
	}
	c := TopicChange{Old: old, New: next}
	n := 0
	for _, t := range []*Topic{old, next} {
		if t != nil {
			n = max(n, len(t.Partitions))
		}
	}
	for i := range int32(n) {
		was, is := old.Partition(i), next.Partition(i)
		if was == nil || is == nil || !was.Equal(*is) {
			c.Partitions = append(c.Partitions, PartitionChange{i, was, is})
		}
	}
	if old == nil || next == nil || len(c.Partitions) > 0 {
		d.Topics = append(d.Topics, c)
	}
}

func (d *Delta) broker(old, next *Broker) {
	if old == next || old != nil && next != nil && old.Equal(*next) {
		return
	}
	d.Brokers = append(d.Brokers, BrokerChange{old, next})
}

func (d *Delta) config(key string, old, next *Image) {
	a, _ := old.configs.get(key)
	b, _ := next.configs.get(key)
	if maps.Equal(a, b) {
		return
	}
	typ, name := splitResourceKey(key)
	d.Configs = append(d.Configs, Resource{typ, name})
}

func (d *Delta) features(old, next *Image) {
	names := map[string]bool{}
	for f := range old.features { // into a sort
		names[f] = true
	}
	for f := range next.features { // into a sort
		names[f] = true
	}
	for f := range names { // into a sort
		if old.features[f] != next.features[f] {
			d.Features = append(d.Features, f)
		}
	}
}

func (d *Delta) sort() {
	slices.SortFunc(d.Topics, func(a, b TopicChange) int {
		if c := strings.Compare(a.Name(), b.Name()); c != 0 {
			return c
		}
		if (a.New == nil) != (b.New == nil) {
			return map[bool]int{true: -1, false: 1}[a.New == nil]
		}
		x, y := a.ID(), b.ID()
		return slices.Compare(x[:], y[:])
	})
	slices.SortFunc(d.Brokers, func(a, b BrokerChange) int { return cmp.Compare(a.id(), b.id()) })
	slices.SortFunc(d.Configs, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	slices.Sort(d.Features)
}

func (c BrokerChange) id() int32 { return cmp.Or(c.New, c.Old).ID }

// Equal compares all of two partitions.
func (p Partition) Equal(q Partition) bool {
	return p.Leader == q.Leader && p.LeaderEpoch == q.LeaderEpoch && p.PartitionEpoch == q.PartitionEpoch &&
		p.Recovery == q.Recovery && slices.Equal(p.Replicas, q.Replicas) && slices.Equal(p.ISR, q.ISR) &&
		slices.Equal(p.ELR, q.ELR) && slices.Equal(p.LastKnownELR, q.LastKnownELR) && slices.Equal(p.Adding, q.Adding) &&
		slices.Equal(p.Removing, q.Removing) && slices.Equal(p.Directories, q.Directories)
}

// Equal compares all of two brokers.
func (b Broker) Equal(c Broker) bool {
	return b.ID == c.ID && b.Epoch == c.Epoch && b.Incarnation == c.Incarnation && b.Rack == c.Rack && b.HasRack == c.HasRack &&
		b.Fenced == c.Fenced && b.Shutdown == c.Shutdown && slices.Equal(b.Endpoints, c.Endpoints) &&
		slices.Equal(b.Dirs, c.Dirs) && slices.Equal(b.Cordoned, c.Cordoned) && slices.Equal(b.Features, c.Features)
}
