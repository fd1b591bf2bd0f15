package group

import "millrace/internal/kafka/wire"

// The commands of the machine and their replies. They say what Kafka's requests and responses say, in plain values;
// the broker converts. A command carries the API version where behaviour depends on it. A nil *string is Kafka's null.

// Join is JoinGroup, versions 0 to 9. In version 0 the rebalance timeout is the session timeout.
type Join struct {
	Version            int16
	Group              string
	MemberID           string
	InstanceID         *string
	ClientID           string
	ClientHost         string
	SessionTimeoutMs   int32
	RebalanceTimeoutMs int32
	ProtocolType       string
	Protocols          []Protocol
	Reason             string
}

// Protocol is one way of assigning partitions that a member can speak, in the member's order of preference.
type Protocol struct {
	Name     string
	Metadata []byte
}

// JoinReply ends a Join. Members is filled for the leader alone.
type JoinReply struct {
	Err            wire.ErrorCode
	Generation     int32
	ProtocolType   *string
	Protocol       *string
	Leader         string
	SkipAssignment bool
	MemberID       string
	Members        []JoinMember
}

// JoinMember is what the leader is told about one member.
type JoinMember struct {
	MemberID   string
	InstanceID *string
	Metadata   []byte
}

// Sync is SyncGroup, versions 0 to 5. Assignments is filled by the leader alone.
type Sync struct {
	Version      int16
	Group        string
	Generation   int32
	MemberID     string
	InstanceID   *string
	ProtocolType *string
	Protocol     *string
	Assignments  []Assignment
}

// Assignment is what the leader gives one member.
type Assignment struct {
	MemberID   string
	Assignment []byte
}

// SyncReply ends a Sync.
type SyncReply struct {
	Err          wire.ErrorCode
	ProtocolType *string
	Protocol     *string
	Assignment   []byte
}

// Heartbeat is Heartbeat, versions 0 to 4.
type Heartbeat struct {
	Group      string
	Generation int32
	MemberID   string
	InstanceID *string
}

// HeartbeatReply ends a Heartbeat.
type HeartbeatReply struct {
	Err wire.ErrorCode
}

// Leave is LeaveGroup, versions 0 to 5. Up to version 2 it names one member, whose error is the reply's error.
type Leave struct {
	Version int16
	Group   string
	Members []LeavingMember
}

// LeavingMember names a member by id, or a static member by instance id with an empty member id.
type LeavingMember struct {
	MemberID   string
	InstanceID *string
	Reason     string
}

// LeaveReply ends a Leave.
type LeaveReply struct {
	Err     wire.ErrorCode
	Members []LeftMember
}

// LeftMember is the outcome for one member of a Leave.
type LeftMember struct {
	MemberID   string
	InstanceID *string
	Err        wire.ErrorCode
}

// OffsetCommit is OffsetCommit, versions 2 to 10. The broker fills both Topic and TopicID wherever it knows them.
// RetentionMs is -1 where the client gave none (always, from version 5).
type OffsetCommit struct {
	Version     int16
	Group       string
	Generation  int32
	MemberID    string
	InstanceID  *string
	RetentionMs int64
	Topics      []CommitTopic
}

// CommitTopic is what an OffsetCommit says of one topic.
type CommitTopic struct {
	Topic      string
	TopicID    wire.UUID
	Partitions []CommitPartition
}

// CommitPartition is the position to remember for one partition. LeaderEpoch is -1 where the client gave none.
type CommitPartition struct {
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Metadata    *string
}

// OffsetCommitReply ends an OffsetCommit, topics and partitions in the order of the command.
type OffsetCommitReply struct {
	Topics []CommittedTopic
}

// CommittedTopic is the outcome for one topic.
type CommittedTopic struct {
	Topic      string
	TopicID    wire.UUID
	Partitions []PartitionError
}

// PartitionError is the outcome for one partition.
type PartitionError struct {
	Partition int32
	Err       wire.ErrorCode
}

// OffsetFetch is OffsetFetch, versions 1 to 10, for one group. All asks for every topic of the group.
type OffsetFetch struct {
	Version       int16
	Group         string
	MemberID      *string
	MemberEpoch   int32
	All           bool
	Topics        []FetchTopic
	RequireStable bool
}

// FetchTopic names partitions of one topic.
type FetchTopic struct {
	Topic      string
	TopicID    wire.UUID
	Partitions []int32
}

// OffsetFetchReply ends an OffsetFetch. With All, topics and partitions come sorted.
type OffsetFetchReply struct {
	Err    wire.ErrorCode
	Topics []FetchedTopic
}

// FetchedTopic holds the committed positions of one topic.
type FetchedTopic struct {
	Topic      string
	TopicID    wire.UUID
	Partitions []FetchedPartition
}

// FetchedPartition is a committed position; Offset is -1 where there is none.
type FetchedPartition struct {
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Err         wire.ErrorCode
}

// OffsetDelete is OffsetDelete, version 0.
type OffsetDelete struct {
	Group  string
	Topics []OffsetDeleteTopic
}

// OffsetDeleteTopic names partitions of one topic.
type OffsetDeleteTopic struct {
	Topic      string
	Partitions []int32
}

// OffsetDeleteReply ends an OffsetDelete.
type OffsetDeleteReply struct {
	Err    wire.ErrorCode
	Topics []OffsetDeletedTopic
}

// OffsetDeletedTopic is the outcome for one topic.
type OffsetDeletedTopic struct {
	Topic      string
	Partitions []PartitionError
}

// Describe is DescribeGroups, versions 0 to 6.
type Describe struct {
	Version int16
	Groups  []string
}

// DescribeReply ends a Describe, in the order of the command.
type DescribeReply struct {
	Groups []DescribedGroup
}

// DescribedGroup is one group as DescribeGroups shows it. Protocol and the members' metadata are known while the
// group is Stable.
type DescribedGroup struct {
	Err          wire.ErrorCode
	ErrMessage   *string
	Group        string
	State        string
	ProtocolType string
	Protocol     string
	Members      []DescribedMember
}

// DescribedMember is one member of a DescribedGroup.
type DescribedMember struct {
	MemberID   string
	InstanceID *string
	ClientID   string
	ClientHost string
	Metadata   []byte
	Assignment []byte
}

// List is ListGroups, versions 0 to 5: the groups of this partition. Empty filters let everything through.
type List struct {
	States []string
	Types  []string
}

// ListReply ends a List, sorted by group id.
type ListReply struct {
	Groups []ListedGroup
}

// ListedGroup is one group as ListGroups shows it.
type ListedGroup struct {
	Group        string
	ProtocolType string
	State        string
	Type         string
}

// Delete is DeleteGroups, versions 0 to 2.
type Delete struct {
	Groups []string
}

// DeleteReply ends a Delete.
type DeleteReply struct {
	Groups []DeletedGroup
}

// DeletedGroup is the outcome for one group.
type DeletedGroup struct {
	Group string
	Err   wire.ErrorCode
}

// TopicsDeleted tells that topics are gone, so that their offsets go too. It may come more than once.
type TopicsDeleted struct {
	Topics []DeletedTopic
}

// DeletedTopic is a topic that existed.
type DeletedTopic struct {
	Name string
	ID   wire.UUID
}

// TopicsDeletedReply answers a TopicsDeleted that carries a token. The tombstones may follow in later results.
type TopicsDeletedReply struct{}
