package wire

// The error codes of Kafka 4.3.1. GROUP_DELETION_FAILED (134) and what follows it belong to 4.4.
const (
	UnknownServerError                 ErrorCode = -1
	None                               ErrorCode = 0
	OffsetOutOfRange                   ErrorCode = 1
	CorruptMessage                     ErrorCode = 2
	UnknownTopicOrPartition            ErrorCode = 3
	InvalidFetchSize                   ErrorCode = 4
	LeaderNotAvailable                 ErrorCode = 5
	NotLeaderOrFollower                ErrorCode = 6
	RequestTimedOut                    ErrorCode = 7
	BrokerNotAvailable                 ErrorCode = 8
	ReplicaNotAvailable                ErrorCode = 9
	MessageTooLarge                    ErrorCode = 10
	StaleControllerEpoch               ErrorCode = 11
	OffsetMetadataTooLarge             ErrorCode = 12
	NetworkException                   ErrorCode = 13
	CoordinatorLoadInProgress          ErrorCode = 14
	CoordinatorNotAvailable            ErrorCode = 15
	NotCoordinator                     ErrorCode = 16
	InvalidTopicException              ErrorCode = 17
	RecordListTooLarge                 ErrorCode = 18
	NotEnoughReplicas                  ErrorCode = 19
	NotEnoughReplicasAfterAppend       ErrorCode = 20
	InvalidRequiredAcks                ErrorCode = 21
	IllegalGeneration                  ErrorCode = 22
	InconsistentGroupProtocol          ErrorCode = 23
	InvalidGroupID                     ErrorCode = 24
	UnknownMemberID                    ErrorCode = 25
	InvalidSessionTimeout              ErrorCode = 26
	RebalanceInProgress                ErrorCode = 27
	InvalidCommitOffsetSize            ErrorCode = 28
	TopicAuthorizationFailed           ErrorCode = 29
	GroupAuthorizationFailed           ErrorCode = 30
	ClusterAuthorizationFailed         ErrorCode = 31
	InvalidTimestamp                   ErrorCode = 32
	UnsupportedSaslMechanism           ErrorCode = 33
	IllegalSaslState                   ErrorCode = 34
	UnsupportedVersion                 ErrorCode = 35
	TopicAlreadyExists                 ErrorCode = 36
	InvalidPartitions                  ErrorCode = 37
	InvalidReplicationFactor           ErrorCode = 38
	InvalidReplicaAssignment           ErrorCode = 39
	InvalidConfig                      ErrorCode = 40
	NotController                      ErrorCode = 41
	InvalidRequest                     ErrorCode = 42
	UnsupportedForMessageFormat        ErrorCode = 43
	PolicyViolation                    ErrorCode = 44
	OutOfOrderSequenceNumber           ErrorCode = 45
	DuplicateSequenceNumber            ErrorCode = 46
	InvalidProducerEpoch               ErrorCode = 47
	InvalidTxnState                    ErrorCode = 48
	InvalidProducerIDMapping           ErrorCode = 49
	InvalidTransactionTimeout          ErrorCode = 50
	ConcurrentTransactions             ErrorCode = 51
	TransactionCoordinatorFenced       ErrorCode = 52
	TransactionalIDAuthorizationFailed ErrorCode = 53
	SecurityDisabled                   ErrorCode = 54
	OperationNotAttempted              ErrorCode = 55
	KafkaStorageError                  ErrorCode = 56
	LogDirNotFound                     ErrorCode = 57
	SaslAuthenticationFailed           ErrorCode = 58
	UnknownProducerID                  ErrorCode = 59
	ReassignmentInProgress             ErrorCode = 60
	DelegationTokenAuthDisabled        ErrorCode = 61
	DelegationTokenNotFound            ErrorCode = 62
	DelegationTokenOwnerMismatch       ErrorCode = 63
	DelegationTokenRequestNotAllowed   ErrorCode = 64
	DelegationTokenAuthorizationFailed ErrorCode = 65
	DelegationTokenExpired             ErrorCode = 66
	InvalidPrincipalType               ErrorCode = 67
	NonEmptyGroup                      ErrorCode = 68
	GroupIDNotFound                    ErrorCode = 69
	FetchSessionIDNotFound             ErrorCode = 70
	InvalidFetchSessionEpoch           ErrorCode = 71
	ListenerNotFound                   ErrorCode = 72
	TopicDeletionDisabled              ErrorCode = 73
	FencedLeaderEpoch                  ErrorCode = 74
	UnknownLeaderEpoch                 ErrorCode = 75
	UnsupportedCompressionType         ErrorCode = 76
	StaleBrokerEpoch                   ErrorCode = 77
	OffsetNotAvailable                 ErrorCode = 78
	MemberIDRequired                   ErrorCode = 79
	PreferredLeaderNotAvailable        ErrorCode = 80
	GroupMaxSizeReached                ErrorCode = 81
	FencedInstanceID                   ErrorCode = 82
	EligibleLeadersNotAvailable        ErrorCode = 83
	ElectionNotNeeded                  ErrorCode = 84
	NoReassignmentInProgress           ErrorCode = 85
	GroupSubscribedToTopic             ErrorCode = 86
	InvalidRecord                      ErrorCode = 87
	UnstableOffsetCommit               ErrorCode = 88
	ThrottlingQuotaExceeded            ErrorCode = 89
	ProducerFenced                     ErrorCode = 90
	ResourceNotFound                   ErrorCode = 91
	DuplicateResource                  ErrorCode = 92
	UnacceptableCredential             ErrorCode = 93
	InconsistentVoterSet               ErrorCode = 94
	InvalidUpdateVersion               ErrorCode = 95
	FeatureUpdateFailed                ErrorCode = 96
	PrincipalDeserializationFailure    ErrorCode = 97
	SnapshotNotFound                   ErrorCode = 98
	PositionOutOfRange                 ErrorCode = 99
	UnknownTopicID                     ErrorCode = 100
	DuplicateBrokerRegistration        ErrorCode = 101
	BrokerIDNotRegistered              ErrorCode = 102
	InconsistentTopicID                ErrorCode = 103
	InconsistentClusterID              ErrorCode = 104
	TransactionalIDNotFound            ErrorCode = 105
	FetchSessionTopicIDError           ErrorCode = 106
	IneligibleReplica                  ErrorCode = 107
	NewLeaderElected                   ErrorCode = 108
	OffsetMovedToTieredStorage         ErrorCode = 109
	FencedMemberEpoch                  ErrorCode = 110
	UnreleasedInstanceID               ErrorCode = 111
	UnsupportedAssignor                ErrorCode = 112
	StaleMemberEpoch                   ErrorCode = 113
	MismatchedEndpointType             ErrorCode = 114
	UnsupportedEndpointType            ErrorCode = 115
	UnknownControllerID                ErrorCode = 116
	UnknownSubscriptionID              ErrorCode = 117
	TelemetryTooLarge                  ErrorCode = 118
	InvalidRegistration                ErrorCode = 119
	TransactionAbortable               ErrorCode = 120
	InvalidRecordState                 ErrorCode = 121
	ShareSessionNotFound               ErrorCode = 122
	InvalidShareSessionEpoch           ErrorCode = 123
	FencedStateEpoch                   ErrorCode = 124
	InvalidVoterKey                    ErrorCode = 125
	DuplicateVoter                     ErrorCode = 126
	VoterNotFound                      ErrorCode = 127
	InvalidRegularExpression           ErrorCode = 128
	RebootstrapRequired                ErrorCode = 129
	StreamsInvalidTopology             ErrorCode = 130
	StreamsInvalidTopologyEpoch        ErrorCode = 131
	StreamsTopologyFenced              ErrorCode = 132
	ShareSessionLimitReached           ErrorCode = 133
)

// errorTable is indexed by code + 1. The last column is what to do about a code, for those that this node can answer.
var errorTable = [...]errorEntry{
	{"UNKNOWN_SERVER_ERROR", false, "the server met a condition it did not expect", "a defect of the node: its log says more; report it"},
	{"NONE", false, "no error", ""},
	{"OFFSET_OUT_OF_RANGE", false, "the offset lies outside the range the partition holds", "the records were deleted or never written: auto.offset.reset decides, or `millrace group reset`"},
	{"CORRUPT_MESSAGE", true, "a batch fails its checksum, has an impossible size, or breaks the format", "the batch was damaged on its way or made wrongly: the client sends it again; if it stays, look at the client"},
	{"UNKNOWN_TOPIC_OR_PARTITION", true, "this server does not host the topic partition", "create it (`millrace topic create`), check the spelling, or set auto.create.topics.enable"},
	{"INVALID_FETCH_SIZE", false, "the requested fetch size is not valid", ""},
	{"LEADER_NOT_AVAILABLE", true, "the partition has no leader at the moment", "nothing: the topic is being created, or its log directory is offline (/readyz, the node's log)"},
	{"NOT_LEADER_OR_FOLLOWER", true, "this broker is not the leader of the partition, or for a follower fetch not a replica of it", "nothing: the client asks for the leader again"},
	{"REQUEST_TIMED_OUT", true, "the request was not completed within its timeout", "nothing: the client sends it again. If it is frequent, the disk is too slow for the load, or request.timeout.ms too short"},
	{"BROKER_NOT_AVAILABLE", false, "the broker is not available", ""},
	{"REPLICA_NOT_AVAILABLE", true, "the replica is not available for the partition", ""},
	{"MESSAGE_TOO_LARGE", false, "the batch is larger than the topic accepts", "lower the producer's batch.size or max.request.size, or raise the topic's max.message.bytes"},
	{"STALE_CONTROLLER_EPOCH", false, "the controller has moved to another broker", ""},
	{"OFFSET_METADATA_TOO_LARGE", false, "the metadata of the committed offset is too large", "commit less metadata, or raise offset.metadata.max.bytes"},
	{"NETWORK_EXCEPTION", true, "the connection was closed before an answer came", ""},
	{"COORDINATOR_LOAD_IN_PROGRESS", true, "the coordinator is still loading its state", "nothing: it ends when the log of the coordinator is read"},
	{"COORDINATOR_NOT_AVAILABLE", true, "the coordinator is not available", "nothing, unless it stays: then the log of __consumer_offsets cannot be read, and the node's log says why"},
	{"NOT_COORDINATOR", true, "this broker is not the coordinator", "nothing: the client looks for the coordinator again"},
	{"INVALID_TOPIC_EXCEPTION", false, "the topic name is illegal or the topic may not be used this way", "1 to 249 of a-z, A-Z, 0-9, '.', '_', '-', not . or ..; internal topics are the broker's own"},
	{"RECORD_LIST_TOO_LARGE", false, "the batches of the request are larger than a segment", "send smaller batches, or raise the topic's segment.bytes"},
	{"NOT_ENOUGH_REPLICAS", true, "fewer replicas are in sync than the topic requires; nothing was appended", "lower min.insync.replicas of the topic, or start more brokers. From a topic whose schemas are checked it also says that the schema registry of the node is not open: the message says why"},
	{"NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "the records were appended, but fewer replicas are in sync than the topic requires", "as NOT_ENOUGH_REPLICAS. The records are in the log: an idempotent producer sends them again without a duplicate"},
	{"INVALID_REQUIRED_ACKS", false, "acks must be -1, 0 or 1", "set acks to 0, 1 or all"},
	{"ILLEGAL_GENERATION", false, "the generation is not the group's current one", "nothing: the consumer joins again. What it did not commit before comes a second time"},
	{"INCONSISTENT_GROUP_PROTOCOL", false, "the member's protocol type or protocols do not agree with the group's", "give all members of the group one assignment strategy in common, or another group.id"},
	{"INVALID_GROUP_ID", false, "the group id is not valid", "set group.id"},
	{"UNKNOWN_MEMBER_ID", false, "the group does not know this member", "nothing: the consumer joins again. If it is frequent, it polls too seldom: raise session.timeout.ms or max.poll.interval.ms"},
	{"INVALID_SESSION_TIMEOUT", false, "the session timeout lies outside the range the broker allows", "choose session.timeout.ms between the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"},
	{"REBALANCE_IN_PROGRESS", false, "the group is rebalancing; the member must rejoin", "nothing: the consumer joins again"},
	{"INVALID_COMMIT_OFFSET_SIZE", false, "the offsets of the commit do not fit into one batch", "commit fewer partitions or less metadata at once"},
	{"TOPIC_AUTHORIZATION_FAILED", false, "the principal may not access the topic", "give the principal the right to the topic"},
	{"GROUP_AUTHORIZATION_FAILED", false, "the principal may not access the group", "give the principal the right to the group"},
	{"CLUSTER_AUTHORIZATION_FAILED", false, "the principal may not do this to the cluster", "give the principal the right to the cluster"},
	{"INVALID_TIMESTAMP", false, "a record's timestamp lies outside the range the topic accepts", "correct the producer's clock, or change message.timestamp.after.max.ms or message.timestamp.before.max.ms of the topic"},
	{"UNSUPPORTED_SASL_MECHANISM", false, "the broker does not support this SASL mechanism", ""},
	{"ILLEGAL_SASL_STATE", false, "the request is not allowed in this state of the SASL exchange", ""},
	{"UNSUPPORTED_VERSION", false, "the broker does not support this version of the API", "use a client that asks for the supported versions (ApiVersions) first; compat.md lists them"},
	{"TOPIC_ALREADY_EXISTS", false, "a topic with this name exists already", "nothing, or another name. Names that differ in '.' and '_' only collide too"},
	{"INVALID_PARTITIONS", false, "the number of partitions is not valid", "ask for at least 1 partition, and for more than there are"},
	{"INVALID_REPLICATION_FACTOR", false, "the replication factor is below 1 or larger than the number of available brokers", "ask for at most as many replicas as there are brokers; -1 takes the default"},
	{"INVALID_REPLICA_ASSIGNMENT", false, "the replica assignment is not valid", "name existing brokers, each once, for consecutive partitions from 0"},
	{"INVALID_CONFIG", false, "the configuration is not valid", "the message names the setting and what it may be; config.md lists all"},
	{"NOT_CONTROLLER", true, "this node is not the active controller", "nothing: the node is starting or stopping. If it stays, the metadata log failed, and the node's log says why"},
	{"INVALID_REQUEST", false, "the request breaks the protocol or contradicts itself", "the message says what contradicts itself; usually a mistake of the program or its client library"},
	{"UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "the broker's message format does not support the request", ""},
	{"POLICY_VIOLATION", false, "the request breaks a policy of the cluster", "the message names the rule. For a disk that is almost full: delete records or topics, lower a retention, or add space"},
	{"OUT_OF_ORDER_SEQUENCE_NUMBER", false, "the producer's sequence number is not the expected next one", "a batch before this one is missing: an idempotent producer goes on by itself where it can, else it must be made anew"},
	{"DUPLICATE_SEQUENCE_NUMBER", false, "the producer's sequence number was used already", ""},
	{"INVALID_PRODUCER_EPOCH", false, "the producer's epoch is older than one already seen", "a newer producer has this producer id: close this one"},
	{"INVALID_TXN_STATE", false, "the transaction is not in a state that allows this", ""},
	{"INVALID_PRODUCER_ID_MAPPING", false, "the producer id is not the one that belongs to the transactional id", ""},
	{"INVALID_TRANSACTION_TIMEOUT", false, "the transaction timeout is larger than the broker allows", ""},
	{"CONCURRENT_TRANSACTIONS", true, "an earlier transaction of the producer is still being completed", ""},
	{"TRANSACTION_COORDINATOR_FENCED", false, "the marker was sent by a coordinator that is no longer current", ""},
	{"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "the principal may not use the transactional id", "remove transactional.id: there are no transactions yet"},
	{"SECURITY_DISABLED", false, "security features are disabled", ""},
	{"OPERATION_NOT_ATTEMPTED", false, "the broker did not try this part, because another part of the request failed", ""},
	{"KAFKA_STORAGE_ERROR", true, "the log directory of the partition failed", "a disk failed; its directory is offline until the node is started again. The node's log names it: check the disk first"},
	{"LOG_DIR_NOT_FOUND", false, "the broker has no such log directory", ""},
	{"SASL_AUTHENTICATION_FAILED", false, "SASL authentication failed", ""},
	{"UNKNOWN_PRODUCER_ID", false, "the partition has no state for the producer id", ""},
	{"REASSIGNMENT_IN_PROGRESS", false, "a reassignment of the partition is in progress", ""},
	{"DELEGATION_TOKEN_AUTH_DISABLED", false, "delegation tokens are not enabled", ""},
	{"DELEGATION_TOKEN_NOT_FOUND", false, "there is no such delegation token", ""},
	{"DELEGATION_TOKEN_OWNER_MISMATCH", false, "the principal is neither owner nor renewer of the token", ""},
	{"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "delegation tokens cannot be requested over this kind of connection", ""},
	{"DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "the principal may not act on delegation tokens", ""},
	{"DELEGATION_TOKEN_EXPIRED", false, "the delegation token has expired", ""},
	{"INVALID_PRINCIPAL_TYPE", false, "the principal type is not supported", ""},
	{"NON_EMPTY_GROUP", false, "the group still has members", "stop the group's members first"},
	{"GROUP_ID_NOT_FOUND", false, "there is no such group", "check the spelling; a group without members and offsets is forgotten"},
	{"FETCH_SESSION_ID_NOT_FOUND", true, "the broker does not know the fetch session", "nothing: the client begins a new session"},
	{"INVALID_FETCH_SESSION_EPOCH", true, "the epoch of the fetch session is not the expected one", "nothing: the client begins a new session"},
	{"LISTENER_NOT_FOUND", true, "the leader has no listener of the name the request came in on", "give every broker a listener of that name"},
	{"TOPIC_DELETION_DISABLED", false, "deleting topics is disabled", "set delete.topic.enable=true"},
	{"FENCED_LEADER_EPOCH", true, "the leader epoch of the request is older than the broker's", "nothing: the client reads the metadata again"},
	{"UNKNOWN_LEADER_EPOCH", true, "the leader epoch of the request is newer than the broker's", "nothing: the node learns of the epoch in a moment"},
	{"UNSUPPORTED_COMPRESSION_TYPE", false, "the client's version does not support the compression type", "compress with none, gzip, snappy, lz4 or zstd; a client older than zstd needs another codec"},
	{"STALE_BROKER_EPOCH", false, "the broker's epoch has been replaced by a newer registration", ""},
	{"OFFSET_NOT_AVAILABLE", true, "the new leader's high watermark has not caught up yet", "nothing: the client asks again"},
	{"MEMBER_ID_REQUIRED", false, "the member must join again with the member id it was given", "nothing: the client joins again with its id"},
	{"PREFERRED_LEADER_NOT_AVAILABLE", true, "the preferred leader is not available", ""},
	{"GROUP_MAX_SIZE_REACHED", false, "the group has as many members as it may have", "fewer members, or a larger group.max.size"},
	{"FENCED_INSTANCE_ID", false, "another member uses the same group instance id", "two consumers have one group.instance.id: give each its own"},
	{"ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "no replica that may lead is available", ""},
	{"ELECTION_NOT_NEEDED", true, "the partition needs no election", ""},
	{"NO_REASSIGNMENT_IN_PROGRESS", false, "no reassignment of the partition is in progress", ""},
	{"GROUP_SUBSCRIBED_TO_TOPIC", false, "members of the group are subscribed to the topic", "stop the members that read the topic before you delete its offsets"},
	{"INVALID_RECORD", false, "a record failed the broker's checks", "the message says what is wrong: a record without a key for a compacted topic, or, with confluent.value.schema.validation, one whose schema id is not registered under its subject (register it, or correct the serializer; schemas.md)"},
	{"UNSTABLE_OFFSET_COMMIT", true, "the partition has offsets of a transaction that has not ended", "nothing: the transaction ends, and the client asks again"},
	{"THROTTLING_QUOTA_EXCEEDED", true, "the quota is used up for now", ""},
	{"PRODUCER_FENCED", false, "a newer producer uses the same transactional id", ""},
	{"RESOURCE_NOT_FOUND", false, "there is no such resource", ""},
	{"DUPLICATE_RESOURCE", false, "the request names the same resource twice", ""},
	{"UNACCEPTABLE_CREDENTIAL", false, "the credential does not meet the requirements", ""},
	{"INCONSISTENT_VOTER_SET", false, "sender and receiver do not agree on the voters, or one of them is none", ""},
	{"INVALID_UPDATE_VERSION", false, "the version of the update is not valid", ""},
	{"FEATURE_UPDATE_FAILED", false, "the finalized features could not be updated", ""},
	{"PRINCIPAL_DESERIALIZATION_FAILURE", false, "the forwarded principal could not be read", ""},
	{"SNAPSHOT_NOT_FOUND", false, "there is no such snapshot", ""},
	{"POSITION_OUT_OF_RANGE", false, "the position lies outside the snapshot", ""},
	{"UNKNOWN_TOPIC_ID", true, "this server does not host the topic id", "nothing: the topic was deleted or made again, and the client reads the metadata again"},
	{"DUPLICATE_BROKER_REGISTRATION", false, "the broker id is registered by another live broker", ""},
	{"BROKER_ID_NOT_REGISTERED", false, "the broker id is not registered", "name a broker that exists; `millrace config get --cluster` asks for the default of all"},
	{"INCONSISTENT_TOPIC_ID", true, "the topic id of the log differs from that of the request", ""},
	{"INCONSISTENT_CLUSTER_ID", false, "the request came from a node of another cluster", ""},
	{"TRANSACTIONAL_ID_NOT_FOUND", false, "there is no such transactional id", ""},
	{"FETCH_SESSION_TOPIC_ID_ERROR", true, "the fetch session uses topic names where ids are needed, or ids where names are", "nothing: the client begins a new session"},
	{"INELIGIBLE_REPLICA", false, "the replica may not join the in-sync set", ""},
	{"NEW_LEADER_ELECTED", false, "the change of the partition made another replica its leader", ""},
	{"OFFSET_MOVED_TO_TIERED_STORAGE", false, "the offset is found in tiered storage only", ""},
	{"FENCED_MEMBER_EPOCH", false, "the coordinator has fenced the member's epoch; the member must rejoin", ""},
	{"UNRELEASED_INSTANCE_ID", false, "the group instance id is still held by another member", ""},
	{"UNSUPPORTED_ASSIGNOR", false, "the group does not support the assignor", ""},
	{"STALE_MEMBER_EPOCH", false, "the member must retry with its newest epoch", ""},
	{"MISMATCHED_ENDPOINT_TYPE", false, "the request was sent to an endpoint of the wrong type", "ask for brokers: use --bootstrap-server, not --bootstrap-controller"},
	{"UNSUPPORTED_ENDPOINT_TYPE", false, "this endpoint type is not supported", "ask for brokers"},
	{"UNKNOWN_CONTROLLER_ID", false, "the controller id is not known", ""},
	{"UNKNOWN_SUBSCRIPTION_ID", false, "the client's telemetry subscription is not the current one", ""},
	{"TELEMETRY_TOO_LARGE", false, "the client pushed more telemetry than the broker accepts", ""},
	{"INVALID_REGISTRATION", false, "the controller considers the broker's registration not valid", ""},
	{"TRANSACTION_ABORTABLE", false, "the transaction failed and must be aborted; the producer may go on afterwards", ""},
	{"INVALID_RECORD_STATE", false, "the record's state does not allow this acknowledgement", ""},
	{"SHARE_SESSION_NOT_FOUND", true, "the broker does not know the share session", ""},
	{"INVALID_SHARE_SESSION_EPOCH", true, "the epoch of the share session is not the expected one", ""},
	{"FENCED_STATE_EPOCH", false, "the share coordinator refused an old state epoch", ""},
	{"INVALID_VOTER_KEY", false, "the voter key does not match the receiving replica", ""},
	{"DUPLICATE_VOTER", false, "the voter is in the set of voters already", ""},
	{"VOTER_NOT_FOUND", false, "the voter is not in the set of voters", ""},
	{"INVALID_REGULAR_EXPRESSION", false, "the regular expression is not valid", ""},
	{"REBOOTSTRAP_REQUIRED", false, "the client's metadata is too old; it must start again from its bootstrap servers", ""},
	{"STREAMS_INVALID_TOPOLOGY", false, "the topology is not valid", ""},
	{"STREAMS_INVALID_TOPOLOGY_EPOCH", false, "the topology epoch is not valid", ""},
	{"STREAMS_TOPOLOGY_FENCED", false, "the topology epoch is older than the group's", ""},
	{"SHARE_SESSION_LIMIT_REACHED", true, "the broker has as many share sessions as it may have", ""},
}
