package wire

// The API keys of Kafka 4.3.1, named as kmsg names them. 4 to 7 were removed in Kafka 4.0 and stay reserved.
const (
	Produce                      Key = 0
	Fetch                        Key = 1
	ListOffsets                  Key = 2
	Metadata                     Key = 3
	LeaderAndISR                 Key = 4
	StopReplica                  Key = 5
	UpdateMetadata               Key = 6
	ControlledShutdown           Key = 7
	OffsetCommit                 Key = 8
	OffsetFetch                  Key = 9
	FindCoordinator              Key = 10
	JoinGroup                    Key = 11
	Heartbeat                    Key = 12
	LeaveGroup                   Key = 13
	SyncGroup                    Key = 14
	DescribeGroups               Key = 15
	ListGroups                   Key = 16
	SASLHandshake                Key = 17
	ApiVersions                  Key = 18
	CreateTopics                 Key = 19
	DeleteTopics                 Key = 20
	DeleteRecords                Key = 21
	InitProducerID               Key = 22
	OffsetForLeaderEpoch         Key = 23
	AddPartitionsToTxn           Key = 24
	AddOffsetsToTxn              Key = 25
	EndTxn                       Key = 26
	WriteTxnMarkers              Key = 27
	TxnOffsetCommit              Key = 28
	DescribeACLs                 Key = 29
	CreateACLs                   Key = 30
	DeleteACLs                   Key = 31
	DescribeConfigs              Key = 32
	AlterConfigs                 Key = 33
	AlterReplicaLogDirs          Key = 34
	DescribeLogDirs              Key = 35
	SASLAuthenticate             Key = 36
	CreatePartitions             Key = 37
	CreateDelegationToken        Key = 38
	RenewDelegationToken         Key = 39
	ExpireDelegationToken        Key = 40
	DescribeDelegationToken      Key = 41
	DeleteGroups                 Key = 42
	ElectLeaders                 Key = 43
	IncrementalAlterConfigs      Key = 44
	AlterPartitionAssignments    Key = 45
	ListPartitionReassignments   Key = 46
	OffsetDelete                 Key = 47
	DescribeClientQuotas         Key = 48
	AlterClientQuotas            Key = 49
	DescribeUserSCRAMCredentials Key = 50
	AlterUserSCRAMCredentials    Key = 51
	Vote                         Key = 52
	BeginQuorumEpoch             Key = 53
	EndQuorumEpoch               Key = 54
	DescribeQuorum               Key = 55
	AlterPartition               Key = 56
	UpdateFeatures               Key = 57
	Envelope                     Key = 58
	FetchSnapshot                Key = 59
	DescribeCluster              Key = 60
	DescribeProducers            Key = 61
	BrokerRegistration           Key = 62
	BrokerHeartbeat              Key = 63
	UnregisterBroker             Key = 64
	DescribeTransactions         Key = 65
	ListTransactions             Key = 66
	AllocateProducerIDs          Key = 67
	ConsumerGroupHeartbeat       Key = 68
	ConsumerGroupDescribe        Key = 69
	ControllerRegistration       Key = 70
	GetTelemetrySubscriptions    Key = 71
	PushTelemetry                Key = 72
	AssignReplicasToDirs         Key = 73
	ListConfigResources          Key = 74
	DescribeTopicPartitions      Key = 75
	ShareGroupHeartbeat          Key = 76
	ShareGroupDescribe           Key = 77
	ShareFetch                   Key = 78
	ShareAcknowledge             Key = 79
	AddRaftVoter                 Key = 80
	RemoveRaftVoter              Key = 81
	UpdateRaftVoter              Key = 82
	InitializeShareGroupState    Key = 83
	ReadShareGroupState          Key = 84
	WriteShareGroupState         Key = 85
	DeleteShareGroupState        Key = 86
	ReadShareGroupStateSummary   Key = 87
	StreamsGroupHeartbeat        Key = 88
	StreamsGroupDescribe         Key = 89
	DescribeShareGroupOffsets    Key = 90
	AlterShareGroupOffsets       Key = 91
	DeleteShareGroupOffsets      Key = 92
)

// neverFlexible is above every version.
const neverFlexible = 1<<15 - 1

// keyTable is indexed by key: Kafka's name, and the first version with compact lengths and tagged fields.
var keyTable = [...]keyEntry{
	{"Produce", 9},
	{"Fetch", 12},
	{"ListOffsets", 6},
	{"Metadata", 9},
	{"LeaderAndIsr", 4},
	{"StopReplica", 2},
	{"UpdateMetadata", 6},
	{"ControlledShutdown", 3},
	{"OffsetCommit", 8},
	{"OffsetFetch", 6},
	{"FindCoordinator", 3},
	{"JoinGroup", 6},
	{"Heartbeat", 4},
	{"LeaveGroup", 4},
	{"SyncGroup", 4},
	{"DescribeGroups", 5},
	{"ListGroups", 3},
	{"SaslHandshake", neverFlexible},
	{"ApiVersions", 3},
	{"CreateTopics", 5},
	{"DeleteTopics", 4},
	{"DeleteRecords", 2},
	{"InitProducerId", 2},
	{"OffsetForLeaderEpoch", 4},
	{"AddPartitionsToTxn", 3},
	{"AddOffsetsToTxn", 3},
	{"EndTxn", 3},
	{"WriteTxnMarkers", 1},
	{"TxnOffsetCommit", 3},
	{"DescribeAcls", 2},
	{"CreateAcls", 2},
	{"DeleteAcls", 2},
	{"DescribeConfigs", 4},
	{"AlterConfigs", 2},
	{"AlterReplicaLogDirs", 2},
	{"DescribeLogDirs", 2},
	{"SaslAuthenticate", 2},
	{"CreatePartitions", 2},
	{"CreateDelegationToken", 2},
	{"RenewDelegationToken", 2},
	{"ExpireDelegationToken", 2},
	{"DescribeDelegationToken", 2},
	{"DeleteGroups", 2},
	{"ElectLeaders", 2},
	{"IncrementalAlterConfigs", 1},
	{"AlterPartitionReassignments", 0},
	{"ListPartitionReassignments", 0},
	{"OffsetDelete", neverFlexible},
	{"DescribeClientQuotas", 1},
	{"AlterClientQuotas", 1},
	{"DescribeUserScramCredentials", 0},
	{"AlterUserScramCredentials", 0},
	{"Vote", 0},
	{"BeginQuorumEpoch", 1},
	{"EndQuorumEpoch", 1},
	{"DescribeQuorum", 0},
	{"AlterPartition", 0},
	{"UpdateFeatures", 0},
	{"Envelope", 0},
	{"FetchSnapshot", 0},
	{"DescribeCluster", 0},
	{"DescribeProducers", 0},
	{"BrokerRegistration", 0},
	{"BrokerHeartbeat", 0},
	{"UnregisterBroker", 0},
	{"DescribeTransactions", 0},
	{"ListTransactions", 0},
	{"AllocateProducerIds", 0},
	{"ConsumerGroupHeartbeat", 0},
	{"ConsumerGroupDescribe", 0},
	{"ControllerRegistration", 0},
	{"GetTelemetrySubscriptions", 0},
	{"PushTelemetry", 0},
	{"AssignReplicasToDirs", 0},
	{"ListConfigResources", 0},
	{"DescribeTopicPartitions", 0},
	{"ShareGroupHeartbeat", 0},
	{"ShareGroupDescribe", 0},
	{"ShareFetch", 0},
	{"ShareAcknowledge", 0},
	{"AddRaftVoter", 0},
	{"RemoveRaftVoter", 0},
	{"UpdateRaftVoter", 0},
	{"InitializeShareGroupState", 0},
	{"ReadShareGroupState", 0},
	{"WriteShareGroupState", 0},
	{"DeleteShareGroupState", 0},
	{"ReadShareGroupStateSummary", 0},
	{"StreamsGroupHeartbeat", 0},
	{"StreamsGroupDescribe", 0},
	{"DescribeShareGroupOffsets", 0},
	{"AlterShareGroupOffsets", 0},
	{"DeleteShareGroupOffsets", 0},
}
