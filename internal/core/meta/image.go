package meta

import (
	"strconv"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// Recovery states of a partition's leader.
const (
	Recovered  int8 = 0
	Recovering int8 = 1
)

// Types of configuration resources, as DescribeConfigs numbers them.
const (
	TopicResource         int8 = 2
	BrokerResource        int8 = 4 // name "" is the cluster-wide default
	BrokerLoggerResource  int8 = 8
	ClientMetricsResource int8 = 16
	GroupResource         int8 = 32
)

// Names of features.
const (
	MetadataVersionFeature = "metadata.version"
	KRaftVersionFeature    = "kraft.version"
)

// Levels that this binary finalizes.
const (
	MetadataVersion int16 = 30 // 4.3-IV0
	KRaftVersion    int16 = 1
)

// Image is the cluster's metadata at one offset. It is immutable: nothing reachable from it may be written, and it is
// passed by pointer between goroutines without a lock. The zero offset of an image that has read nothing is -1.
type Image struct {
	offset int64
	epoch  int32

	topics  tree[*Topic]            // by name
	names   tree[string]            // topic id, as 16 bytes, to name
	folded  tree[[]string]          // names that hold '.' or '_', by their folded form
	configs tree[map[string]string] // by resourceKey; the maps are never written
	brokers tree[*Broker]           // by brokerKey

	features   map[string]int16 // never written
	producerID int64            // the first producer id not yet given to any block

	// kept holds, by a key of its kind, the last record of what this version stores and snapshots but does not act
	// on yet: quotas, credentials, ACLs, delegation tokens, controllers. Dropping them would lose a user's data.
	kept tree[record.Metadata]

	// transaction is set between BeginTransactionRecord and its end: records that must not show yet.
	transaction *transaction
}

// transaction collects the records of a metadata transaction.
type transaction struct {
	records []record.Metadata
}

// Topic is one topic. Index i of Partitions is partition i.
type Topic struct {
	Name       string
	ID         wire.UUID
	Partitions []Partition
}

// Partition is one partition as the controller last recorded it. Replicas[0] is the preferred leader.
type Partition struct {
	Replicas, ISR, ELR, LastKnownELR, Adding, Removing []int32
	Directories                                        []wire.UUID // one for each replica; zero: not assigned
	Leader, LeaderEpoch, PartitionEpoch                int32
	Recovery                                           int8
}

// Broker is one registered broker.
type Broker struct {
	ID          int32
	Epoch       int64 // the metadata offset of its registration
	Incarnation wire.UUID
	Endpoints   []Endpoint
	Rack        string
	HasRack     bool
	Fenced      bool
	Shutdown    bool // in controlled shutdown
	Dirs        []wire.UUID
	Cordoned    []wire.UUID // directories that take no new replicas
	Features    []FeatureRange
}

// Endpoint is one listener of a broker. Protocol is Kafka's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
type Endpoint struct {
	Name, Host string
	Port       uint16
	Protocol   int16
}

// FeatureRange is what a broker supports of one feature.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// Active reports whether the broker may lead and take new replicas.
func (b *Broker) Active() bool { return b != nil && !b.Fenced && !b.Shutdown }

// Empty is the image that has read nothing.
func Empty() *Image { return &Image{offset: -1, epoch: -1} }

// Offset is the offset of the last record in the image, -1 when it has read nothing.
func (i *Image) Offset() int64 { return i.offset }

// Epoch is the leader epoch of the last record in the image, -1 when it has read nothing.
func (i *Image) Epoch() int32 { return i.epoch }

// Topic returns the topic of that name, or nil.
func (i *Image) Topic(name string) *Topic {
	t, _ := i.topics.get(name)
	return t
}

// TopicByID returns the topic of that id, or nil.
func (i *Image) TopicByID(id wire.UUID) *Topic {
	name, ok := i.names.get(string(id[:]))
	if !ok {
		return nil
	}
	return i.Topic(name)
}

// Partition returns one partition, or nil.
func (i *Image) Partition(topic string, partition int32) *Partition {
	return i.Topic(topic).Partition(partition)
}

// Partition returns one partition of the topic, or nil; a nil topic has none.
func (t *Topic) Partition(partition int32) *Partition {
	if t == nil || partition < 0 || int(partition) >= len(t.Partitions) {
		return nil
	}
	return &t.Partitions[partition]
}

// Topics calls f for every topic in the order of names until f returns false.
func (i *Image) Topics(f func(*Topic) bool) { i.TopicsFrom("", f) }

// TopicsFrom is Topics, beginning with the first name not below from.
func (i *Image) TopicsFrom(from string, f func(*Topic) bool) {
	i.topics.each(from, func(_ string, t *Topic) bool { return f(t) })
}

// TopicNames returns all names, sorted.
func (i *Image) TopicNames() []string {
	out := make([]string, 0, i.topics.len())
	i.Topics(func(t *Topic) bool { out = append(out, t.Name); return true })
	return out
}

// TopicCount is the number of topics.
func (i *Image) TopicCount() int { return i.topics.len() }

// Broker returns a registered broker, or nil.
func (i *Image) Broker(id int32) *Broker {
	b, _ := i.brokers.get(brokerKey(id))
	return b
}

// Brokers returns all registered brokers in the order of their ids.
func (i *Image) Brokers() []*Broker {
	out := make([]*Broker, 0, i.brokers.len())
	i.brokers.each("", func(_ string, b *Broker) bool { out = append(out, b); return true })
	return out
}

// BrokerIDs returns the ids of all registered brokers, ascending.
func (i *Image) BrokerIDs() []int32 {
	out := make([]int32, 0, i.brokers.len())
	for _, b := range i.Brokers() {
		out = append(out, b.ID)
	}
	return out
}

// Config returns what is set dynamically on a resource, nil when nothing is. The map must not be written.
func (i *Image) Config(resourceType int8, name string) map[string]string {
	m, _ := i.configs.get(resourceKey(resourceType, name))
	return m
}

// ConfigResources returns the names of the resources of a type that have anything set, sorted.
func (i *Image) ConfigResources(resourceType int8) []string {
	var out []string
	i.configs.each(resourceKey(resourceType, ""), func(k string, _ map[string]string) bool {
		typ, name := splitResourceKey(k)
		if typ != resourceType {
			return false
		}
		out = append(out, name)
		return true
	})
	return out
}

// Features returns the finalized levels, kraft.version among them once the cluster is bootstrapped. The map must not
// be written. kraft.version has no metadata record: the quorum's control records carry it.
func (i *Image) Features() map[string]int16 { return i.features }

// FeaturesEpoch grows with every change of the finalized features: it is the image's offset, as Kafka has it.
func (i *Image) FeaturesEpoch() int64 { return i.offset }

// Bootstrapped reports whether the cluster's first records have been written.
func (i *Image) Bootstrapped() bool { return i.features[MetadataVersionFeature] != 0 }

// NextProducerID is the first producer id that no broker has been given.
func (i *Image) NextProducerID() int64 { return i.producerID }

// brokerKey orders by id: ids are never negative.
func brokerKey(id int32) string {
	return string([]byte{byte(uint32(id) >> 24), byte(uint32(id) >> 16), byte(uint32(id) >> 8), byte(uint32(id))})
}

func resourceKey(resourceType int8, name string) string {
	return string([]byte{byte(resourceType)}) + name
}

func splitResourceKey(k string) (int8, string) { return int8(k[0]), k[1:] }

// String names the partition state in test output and logs.
func (p Partition) String() string {
	return "leader " + strconv.Itoa(int(p.Leader)) + " epoch " + strconv.Itoa(int(p.LeaderEpoch))
}
