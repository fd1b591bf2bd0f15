package meta

import "millrace/internal/kafka/wire"

// The commands of the controller. Each is the Body of a machine.Command and is answered by the type of its name with
// Reply behind it. A reply that carries an Offset tells the metadata offset at which the outcome shows: a caller that
// wants to see its own change waits until the published image has reached it. A command that changed nothing gives
// the offset of what it looked at.

// Bootstrap writes the first records of a fresh cluster: the finalized features. On an image that has them it does
// nothing. Answered by BootstrapReply.
type Bootstrap struct{}

// BootstrapReply answers Bootstrap.
type BootstrapReply struct{ Offset int64 }

// CreateTopics makes topics. Each topic stands or falls alone.
type CreateTopics struct {
	Topics       []NewTopic
	ValidateOnly bool
}

// NewTopic is a topic to create. Partitions and ReplicationFactor are -1 for the configured default; with Assignments
// both must be -1.
type NewTopic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Assignments       []Assignment
	Configs           []ConfigValue
	// Internal marks a topic that a broker makes for itself: its replication factor is lowered to the number of
	// registered brokers instead of being refused.
	Internal bool
}

// Assignment places one partition's replicas, the preferred leader first.
type Assignment struct {
	Partition int32
	Replicas  []int32
}

// ConfigValue is one setting. A nil value asks for the default.
type ConfigValue struct {
	Name  string
	Value *string
}

// CreateTopicsReply answers CreateTopics, topic by topic in the order of the request.
type CreateTopicsReply struct {
	Topics []CreatedTopic
	Offset int64
}

// CreatedTopic is what became of one NewTopic. ID, Partitions, ReplicationFactor and Configs are set on success, and
// by ValidateOnly too (except ID).
type CreatedTopic struct {
	Name              string
	ID                wire.UUID
	Err               wire.ErrorCode
	Message           string
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string // what the request set
}

// DeleteTopics removes topics by name or by id.
type DeleteTopics struct{ Topics []TopicRef }

// TopicRef names a topic by exactly one of Name and ID.
type TopicRef struct {
	Name string
	ID   wire.UUID
}

// DeleteTopicsReply answers DeleteTopics in the order of the request.
type DeleteTopicsReply struct {
	Topics []DeletedTopic
	Offset int64
}

// DeletedTopic is what became of one TopicRef; where the topic was found, both Name and ID are set.
type DeletedTopic struct {
	Name    string
	ID      wire.UUID
	Err     wire.ErrorCode
	Message string
}

// CreatePartitions adds partitions to topics.
type CreatePartitions struct {
	Topics       []MorePartitions
	ValidateOnly bool
}

// MorePartitions asks for Count partitions in all. Assignments, when not nil, places each new partition in order.
type MorePartitions struct {
	Topic       string
	Count       int32
	Assignments [][]int32
}

// CreatePartitionsReply answers CreatePartitions in the order of the request.
type CreatePartitionsReply struct {
	Topics []TopicResult
	Offset int64
}

// TopicResult is the outcome for one topic.
type TopicResult struct {
	Topic   string
	Err     wire.ErrorCode
	Message string
}

// Operations of IncrementalAlterConfigs.
const (
	OpSet      int8 = 0
	OpDelete   int8 = 1
	OpAppend   int8 = 2
	OpSubtract int8 = 3
)

// IncrementalAlterConfigs changes single settings of resources. Each resource stands or falls alone.
type IncrementalAlterConfigs struct {
	Resources    []ConfigOps
	ValidateOnly bool
}

// ConfigOps is what to change on one resource.
type ConfigOps struct {
	Type int8
	Name string
	Ops  []ConfigOp
}

// ConfigOp is one operation on one setting.
type ConfigOp struct {
	Name  string
	Op    int8
	Value *string
}

// AlterConfigs replaces all settings of resources by those given.
type AlterConfigs struct {
	Resources    []ConfigSet
	ValidateOnly bool
}

// ConfigSet is the whole of one resource's settings.
type ConfigSet struct {
	Type    int8
	Name    string
	Configs []ConfigValue
}

// AlterConfigsReply answers IncrementalAlterConfigs and AlterConfigs in the order of the request.
type AlterConfigsReply struct {
	Resources []ResourceResult
	Offset    int64
}

// ResourceResult is the outcome for one resource.
type ResourceResult struct {
	Type    int8
	Name    string
	Err     wire.ErrorCode
	Message string
}

// RegisterBroker enters a broker that has just started. Incarnation is new for every start of the process: with
// the same one the command may be repeated. The broker is fenced until it asks otherwise.
type RegisterBroker struct {
	ID          int32
	Incarnation wire.UUID
	ClusterID   string // "" is not checked
	Endpoints   []Endpoint
	Features    []FeatureRange
	Rack        *string
	Dirs        []wire.UUID
	Cordoned    []wire.UUID
	// PreviousEpoch is the broker epoch of the clean-shutdown marker that the broker found, -1 without one.
	PreviousEpoch int64
}

// RegisterBrokerReply answers RegisterBroker. Clean tells that PreviousEpoch proved a clean shutdown.
type RegisterBrokerReply struct {
	Err     wire.ErrorCode
	Message string
	Epoch   int64
	Clean   bool
	Offset  int64
}

// UnfenceBroker lets a registered broker lead and be placed on. FenceBroker takes its leaderships away.
// UnregisterBroker forgets a broker that is fenced.
type (
	UnfenceBroker struct {
		ID    int32
		Epoch int64
	}
	FenceBroker struct {
		ID    int32
		Epoch int64
	}
	UnregisterBroker struct{ ID int32 }
)

// BrokerReply answers UnfenceBroker, FenceBroker and UnregisterBroker.
type BrokerReply struct {
	Err     wire.ErrorCode
	Message string
	Offset  int64
}

// BrokerHeartbeat is a broker's sign of life with what it wants.
type BrokerHeartbeat struct {
	ID    int32
	Epoch int64
	// MetadataOffset is how far the broker has read: it is unfenced once it has read its own registration.
	MetadataOffset int64
	WantFence      bool
	WantShutdown   bool
}

// BrokerHeartbeatReply answers BrokerHeartbeat.
type BrokerHeartbeatReply struct {
	Err            wire.ErrorCode
	Message        string
	CaughtUp       bool
	Fenced         bool
	ShouldShutdown bool
	Offset         int64
}

// StartLeading gives every partition that the broker leads, or that has no leader and may be led by it, a new leader
// epoch: a broker sends it after its registration and serves no partition before the last of these records is
// committed. One command writes at most ElectBatch records: while More is true it is sent again with the reply's After.
type StartLeading struct {
	Broker int32
	Epoch  int64 // of the broker
	After  Cursor
}

// ElectBatch bounds the partitions of one StartLeading.
const ElectBatch = 10_000

// Cursor is a place in the order of (topic name, partition). The zero cursor is before everything.
type Cursor struct {
	Topic     string
	Partition int32 // the next partition to look at
}

// StartLeadingReply answers StartLeading. Offset covers everything up to and with this command.
type StartLeadingReply struct {
	Err       wire.ErrorCode
	Message   string
	Elections int
	More      bool
	After     Cursor
	Offset    int64
}

// Kinds of election.
const (
	PreferredElection int8 = 0
	UncleanElection   int8 = 1
)

// ElectLeaders elects the preferred leader, or with UncleanElection any live replica where there is no leader.
// With Partitions nil it looks at every partition, and the reply holds those only that an election could be needed for.
type ElectLeaders struct {
	Type       int8
	Partitions []TopicPartition
}

// TopicPartition names one partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// ElectLeadersReply answers ElectLeaders.
type ElectLeadersReply struct {
	Partitions []PartitionResult
	Offset     int64
}

// PartitionResult is the outcome for one partition.
type PartitionResult struct {
	Topic     string
	Partition int32
	Err       wire.ErrorCode
	Message   string
}

// ProducerIDBlock is how many producer ids one block holds.
const ProducerIDBlock = 1000

// AllocateProducerIDs gives a broker the next block of producer ids, which nobody is ever given again (IDM-3).
type AllocateProducerIDs struct {
	Broker int32
	Epoch  int64
}

// AllocateProducerIDsReply answers AllocateProducerIDs: the ids First to First+Count-1, usable from Offset on.
type AllocateProducerIDsReply struct {
	Err     wire.ErrorCode
	Message string
	First   int64
	Count   int32
	Offset  int64
}

// Types of a feature update.
const (
	Upgrade         int8 = 1
	SafeDowngrade   int8 = 2
	UnsafeDowngrade int8 = 3
)

// UpdateFeatures finalizes other feature levels: all of them or none.
type UpdateFeatures struct {
	Updates      []FeatureUpdate
	ValidateOnly bool
}

// FeatureUpdate asks for one level; level 0 takes the feature away.
type FeatureUpdate struct {
	Name  string
	Level int16
	Type  int8
}

// UpdateFeaturesReply answers UpdateFeatures. Err and Message speak for the whole request, Features for each.
type UpdateFeaturesReply struct {
	Err      wire.ErrorCode
	Message  string
	Features []FeatureResult
	Offset   int64
}

// FeatureResult is the outcome for one feature.
type FeatureResult struct {
	Name    string
	Err     wire.ErrorCode
	Message string
}

// AlterPartition is a leader's proposal of another in-sync set. The command carries several partitions of one leader.
type AlterPartition struct {
	Broker     int32
	Epoch      int64 // of the broker
	Partitions []NewISR
}

// NewISR proposes an in-sync set for one partition.
type NewISR struct {
	TopicID        wire.UUID
	Partition      int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []ISRMember
	Recovery       int8
}

// ISRMember is one replica with the broker epoch that the leader knows it by, -1 for not known.
type ISRMember struct {
	Broker int32
	Epoch  int64
}

// AlterPartitionReply answers AlterPartition in the order of the request.
type AlterPartitionReply struct {
	Err        wire.ErrorCode
	Message    string
	Partitions []AlteredPartition
	Offset     int64
}

// AlteredPartition is the outcome for one partition; without error it holds the state that the controller recorded.
type AlteredPartition struct {
	TopicID   wire.UUID
	Partition int32
	Err       wire.ErrorCode
	Message   string
	State     Partition
}
