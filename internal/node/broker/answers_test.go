package broker

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
)

// What Kafka 4.3.1 answers to what a client should not have sent. Every test here runs on the real host.

func is(t *testing.T, what string, got int16, want wire.ErrorCode) {
	t.Helper()
	if wire.ErrorCode(got) != want {
		t.Errorf("%s: %v, want %v", what, wire.ErrorCode(got), want)
	}
}

// withheld refuses operations on resources, by "operation name".
type withheld map[auth.Operation]string

func (w withheld) Authorize(_ auth.Principal, _ string, op auth.Operation, r auth.Resource) bool {
	return w[op] == "" || w[op] != r.Name
}

// A swappable authorizer can be exchanged while requests ask it.
type swappable struct {
	now atomic.Pointer[auth.Authorizer]
}

func (s *swappable) set(a auth.Authorizer) { s.now.Store(&a) }

func (s *swappable) Authorize(p auth.Principal, host string, op auth.Operation, r auth.Resource) bool {
	return (*s.now.Load()).Authorize(p, host, op, r)
}

func TestListOffsetsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 2)
	n.produce("t", 0, "a", "b")
	req := kmsg.NewPtrListOffsetsRequest()
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = "t"
	add := func(partition int32, timestamp int64) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = partition, timestamp
		topic.Partitions = append(topic.Partitions, p)
	}
	for _, ts := range []int64{-1, -2, -3, -4, -5, -6, -7, 0} {
		add(0, ts)
	}
	ask := func(version int16) []kmsg.ListOffsetsResponseTopicPartition {
		req.Topics = []kmsg.ListOffsetsRequestTopic{topic}
		return call[*kmsg.ListOffsetsResponse](n, req, version).Topics[0].Partitions
	}
	for _, p := range ask(11) {
		is(t, "a partition that stands twice", p.ErrorCode, wire.InvalidRequest)
		if p.Offset != -1 || p.Timestamp != -1 {
			t.Errorf("%+v", p)
		}
	}
	for _, c := range []struct {
		timestamp int64
		version   int16
		code      wire.ErrorCode
		offset    int64
	}{
		{-1, 11, wire.None, 2}, {-2, 11, wire.None, 0}, {-3, 11, wire.None, 0}, {-4, 11, wire.None, 0}, {-5, 11, wire.None, -1},
		{-6, 11, wire.None, -1}, {-7, 11, wire.UnsupportedVersion, -1}, {-6, 10, wire.UnsupportedVersion, -1},
		{-5, 8, wire.UnsupportedVersion, -1}, {-4, 7, wire.UnsupportedVersion, -1}, {-3, 6, wire.UnsupportedVersion, -1},
		{0, 1, wire.None, 0}, {time.Now().Add(time.Hour).UnixMilli(), 7, wire.None, -1},
	} {
		topic.Partitions = nil
		add(0, c.timestamp)
		p := ask(c.version)[0]
		is(t, "timestamp", p.ErrorCode, c.code)
		if p.Offset != c.offset {
			t.Errorf("timestamp %d in version %d: offset %d, want %d", c.timestamp, c.version, p.Offset, c.offset)
		}
	}
	topic.Partitions = nil
	add(1, -3) // nothing there: no largest timestamp
	add(7, -1)
	add(-1, -1)
	got := ask(11)
	if got[0].ErrorCode != 0 || got[0].Offset != -1 {
		t.Errorf("%+v", got[0])
	}
	is(t, "no such partition", got[1].ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "negative partition", got[2].ErrorCode, wire.UnknownTopicOrPartition)
	topic.Partitions = nil
	add(0, -1)
	topic.Partitions[0].CurrentLeaderEpoch = 99
	is(t, "an epoch that is yet to come", ask(11)[0].ErrorCode, wire.UnknownLeaderEpoch)
}

func TestMetadataAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	if got := call[*kmsg.MetadataResponse](n, metadataOf("t", "t", "t"), 9).Topics; len(got) != 1 {
		t.Errorf("a topic named three times is described %d times", len(got))
	}
	id := call[*kmsg.MetadataResponse](n, metadataOf("t"), 12).Topics[0].TopicID
	for _, version := range []int16{10, 11} {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}}
		got := call[*kmsg.MetadataResponse](n, req, version).Topics[0]
		is(t, "by id before version 12", got.ErrorCode, wire.InvalidRequest)
		if got.Topic == nil {
			t.Error("a null name before version 12")
		}
	}
	req := metadataOf("t")
	req.IncludeClusterAuthorizedOperations = true
	n.authorizer.(*swappable).set(withheld{auth.Describe: auth.Cluster.Name})
	if got := call[*kmsg.MetadataResponse](n, req, 9); got.AuthorizedOperations != 0 {
		t.Errorf("operations without the right to see them: %d", got.AuthorizedOperations)
	}
	n.authorizer.(*swappable).set(auth.AllowAll{})
	if got := call[*kmsg.MetadataResponse](n, req, 9); got.AuthorizedOperations <= 0 {
		t.Errorf("operations: %d", got.AuthorizedOperations)
	}
	if got := call[*kmsg.MetadataResponse](n, metadataOf("t"), 9); got.AuthorizedOperations != -2147483648 {
		t.Errorf("operations nobody asked for: %d", got.AuthorizedOperations)
	}
	n.authorizer.(*swappable).set(cannotCreate{})
	is(t, "without the right to create", call[*kmsg.MetadataResponse](n, metadataOf("new"), 9).Topics[0].ErrorCode, wire.TopicAuthorizationFailed)
}

type cannotCreate struct{}

func (cannotCreate) Authorize(_ auth.Principal, _ string, op auth.Operation, _ auth.Resource) bool {
	return op != auth.Create
}

func TestDescribeClusterAnswers(t *testing.T) {
	n := newRealNode(t)
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeClusterAuthorizedOperations = true
	n.authorizer.(*swappable).set(withheld{auth.Describe: auth.Cluster.Name})
	if got := call[*kmsg.DescribeClusterResponse](n, req, 2); got.ClusterAuthorizedOperations != 0 || len(got.Brokers) != 1 {
		t.Errorf("%+v", got)
	}
	req.EndpointType = 2
	is(t, "controllers", call[*kmsg.DescribeClusterResponse](n, req, 1).ErrorCode, wire.MismatchedEndpointType)
	req.EndpointType = 9
	is(t, "nonsense", call[*kmsg.DescribeClusterResponse](n, req, 1).ErrorCode, wire.UnsupportedEndpointType)
}

func TestInitProducerIDAnswers(t *testing.T) {
	n := newRealNode(t)
	ask := func(id int64, epoch int16) *kmsg.InitProducerIDResponse {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.ProducerID, req.ProducerEpoch = id, epoch
		return call[*kmsg.InitProducerIDResponse](n, req, 4)
	}
	is(t, "an id without an epoch", ask(7, -1).ErrorCode, wire.InvalidRequest)
	is(t, "an epoch without an id", ask(-1, 7).ErrorCode, wire.InvalidRequest)
	first, second := ask(-1, -1), ask(7, 3)
	if first.ErrorCode != 0 || second.ErrorCode != 0 || first.ProducerID == second.ProducerID || second.ProducerEpoch != 0 {
		t.Errorf("%+v %+v", first, second)
	}
}

func TestOffsetDeleteAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.coordinator("g")
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = "g"
	topic := kmsg.NewOffsetDeleteRequestTopic()
	topic.Topic = "t"
	topic.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}, {Partition: 5}}
	req.Topics = append(req.Topics, topic)
	is(t, "no such group", call[*kmsg.OffsetDeleteResponse](n, req, 0).ErrorCode, wire.GroupIDNotFound)
	n.commit("g", "t", 0, 1)
	got := call[*kmsg.OffsetDeleteResponse](n, req, 0)
	is(t, "offset delete", got.ErrorCode, wire.None)
	codes := map[int32]int16{}
	for _, topic := range got.Topics {
		for _, p := range topic.Partitions {
			codes[p.Partition] = p.ErrorCode
		}
	}
	is(t, "a partition that is there", codes[0], wire.None)
	is(t, "a partition that is not", codes[5], wire.UnknownTopicOrPartition)
}

// coordinator makes sure that groups can be served.
func (n *node) coordinator(group string) {
	n.t.Helper()
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{group}
	if got := call[*kmsg.FindCoordinatorResponse](n, find, 4).Coordinators[0]; got.ErrorCode != 0 {
		n.t.Fatal(wire.ErrorCode(got.ErrorCode))
	}
	// The partitions may still be loading, which clients wait for as well.
	n.until(func() bool {
		return call[*kmsg.ListGroupsResponse](n, kmsg.NewPtrListGroupsRequest(), 4).ErrorCode == 0
	})
}

func (n *node) commit(group, topic string, partition int32, offset int64) {
	n.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	if got := call[*kmsg.OffsetCommitResponse](n, req, 8).Topics[0].Partitions[0]; got.ErrorCode != 0 {
		n.t.Fatal(wire.ErrorCode(got.ErrorCode))
	}
}

func TestGroupListsAnswer(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.coordinator("g")
	n.commit("g", "t", 0, 1)
	list := kmsg.NewPtrListGroupsRequest()
	n.authorizer.(*swappable).set(withheld{auth.Describe: "g"})
	if got := call[*kmsg.ListGroupsResponse](n, list, 4).Groups; len(got) != 1 {
		t.Errorf("Describe on the cluster shows %d groups", len(got))
	}
	n.authorizer.(*swappable).set(describesNothing{})
	if got := call[*kmsg.ListGroupsResponse](n, list, 4).Groups; len(got) != 0 {
		t.Errorf("without any right: %d groups", len(got))
	}
	n.authorizer.(*swappable).set(auth.AllowAll{})
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Groups = []string{"g", "g", "none"}
	got := call[*kmsg.DeleteGroupsResponse](n, del, 2).Groups
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	is(t, got[0].Group, got[0].ErrorCode, wire.None)
	is(t, got[1].Group, got[1].ErrorCode, wire.GroupIDNotFound)
}

type describesNothing struct{}

func (describesNothing) Authorize(_ auth.Principal, _ string, op auth.Operation, _ auth.Resource) bool {
	return op != auth.Describe
}

func TestDescribeTopicPartitionsCursor(t *testing.T) {
	n := newRealNode(t)
	n.create("a", 1)
	n.create("b", 2)
	ask := func(cursor string, partition int32, topics ...string) *kmsg.DescribeTopicPartitionsResponse {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		for _, name := range topics {
			req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
		}
		req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: cursor, Partition: partition}
		return call[*kmsg.DescribeTopicPartitionsResponse](n, req, 0)
	}
	for what, got := range map[string]*kmsg.DescribeTopicPartitionsResponse{"a cursor that is not asked for": ask("c", 0, "a", "b"), "a negative cursor": ask("b", -1, "a", "b")} {
		if len(got.Topics) != 2 {
			t.Errorf("%s: %+v", what, got)
		}
		for _, topic := range got.Topics {
			is(t, what, topic.ErrorCode, wire.InvalidRequest)
		}
	}
	if got := ask("aa", 3); len(got.Topics) != 1 || *got.Topics[0].Topic != "b" || len(got.Topics[0].Partitions) != 2 {
		t.Errorf("a cursor between the topics: %+v", got.Topics)
	}
	if got := ask("b", 1, "b", "zz"); len(got.Topics) != 2 || len(got.Topics[0].Partitions) != 1 {
		t.Errorf("the second partition on: %+v", got.Topics)
	} else {
		is(t, "no such topic", got.Topics[1].ErrorCode, wire.UnknownTopicOrPartition)
	}
}

func TestDeleteTopicsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	id := call[*kmsg.MetadataResponse](n, metadataOf("t"), 12).Topics[0].TopicID
	name, none := "t", "none"
	ask := func(topics ...kmsg.DeleteTopicsRequestTopic) []kmsg.DeleteTopicsResponseTopic {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Topics = topics
		return call[*kmsg.DeleteTopicsResponse](n, req, 6).Topics
	}
	is(t, "name and id", ask(kmsg.DeleteTopicsRequestTopic{Topic: &name, TopicID: id})[0].ErrorCode, wire.InvalidRequest)
	is(t, "neither", ask(kmsg.DeleteTopicsRequestTopic{})[0].ErrorCode, wire.InvalidRequest)
	is(t, "unknown name", ask(kmsg.DeleteTopicsRequestTopic{Topic: &none})[0].ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "unknown id", ask(kmsg.DeleteTopicsRequestTopic{TopicID: [16]byte{1}})[0].ErrorCode, wire.UnknownTopicID)
	for _, got := range ask(kmsg.DeleteTopicsRequestTopic{Topic: &name}, kmsg.DeleteTopicsRequestTopic{TopicID: id}) {
		is(t, "one topic by both", got.ErrorCode, wire.InvalidRequest)
	}
	is(t, "by id", ask(kmsg.DeleteTopicsRequestTopic{TopicID: id})[0].ErrorCode, wire.None)
	off := newRealNode(t, "delete.topic.enable=false")
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{"t"}
	is(t, "deletion is off", call[*kmsg.DeleteTopicsResponse](off, req, 5).Topics[0].ErrorCode, wire.TopicDeletionDisabled)
	is(t, "deletion is off, version 2", call[*kmsg.DeleteTopicsResponse](off, req, 2).Topics[0].ErrorCode, wire.InvalidRequest)
}

func TestCreateTopicsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("a.b", 1)
	str := func(s string) *string { return &s }
	for _, c := range []struct {
		what string
		code wire.ErrorCode
		bend func(*kmsg.CreateTopicsRequestTopic)
	}{
		{"exists", wire.TopicAlreadyExists, func(t *kmsg.CreateTopicsRequestTopic) { t.Topic = "a.b" }},
		{"collides", wire.InvalidTopicException, func(t *kmsg.CreateTopicsRequestTopic) { t.Topic = "a_b" }},
		{"no partitions", wire.InvalidPartitions, func(t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = 0 }},
		{"negative partitions", wire.InvalidPartitions, func(t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = -2 }},
		{"no replicas", wire.InvalidReplicationFactor, func(t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 0 }},
		{"more replicas than brokers", wire.InvalidReplicationFactor, func(t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 2 }},
		{"the metadata log", wire.InvalidRequest, func(t *kmsg.CreateTopicsRequestTopic) { t.Topic = "__cluster_metadata" }},
		{"unknown setting", wire.InvalidConfig, func(t *kmsg.CreateTopicsRequestTopic) {
			t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "no.such", Value: str("1")}}
		}},
		{"bad value", wire.InvalidConfig, func(t *kmsg.CreateTopicsRequestTopic) {
			t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: str("soon")}}
		}},
		{"null value", wire.InvalidConfig, func(t *kmsg.CreateTopicsRequestTopic) {
			t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
		}},
		{"assignment and count", wire.InvalidRequest, func(t *kmsg.CreateTopicsRequestTopic) { assign(t, 0, 1) }},
		{"assignment with a gap", wire.InvalidReplicaAssignment, func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			assign(t, 1, 1)
		}},
		{"assignment to nobody", wire.InvalidReplicaAssignment, func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			assign(t, 0)
		}},
		{"assignment twice to one", wire.InvalidReplicaAssignment, func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			assign(t, 0, 1, 1)
		}},
		{"assignment to a stranger", wire.InvalidReplicaAssignment, func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			assign(t, 0, 9)
		}},
		{"assignment", wire.None, func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			assign(t, 0, 1)
		}},
	} {
		for _, only := range []bool{true, false} {
			req := kmsg.NewPtrCreateTopicsRequest()
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new", 1, 1
			c.bend(&topic)
			req.Topics, req.ValidateOnly = append(req.Topics, topic), only
			got := call[*kmsg.CreateTopicsResponse](n, req, 5).Topics[0]
			is(t, c.what, got.ErrorCode, c.code)
			if c.code != wire.None && (got.ErrorMessage == nil || *got.ErrorMessage == "") {
				t.Errorf("%s: no message", c.what)
			}
		}
	}
}

func assign(t *kmsg.CreateTopicsRequestTopic, partition int32, replicas ...int32) {
	t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: partition, Replicas: replicas})
}

func TestCreatePartitionsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 2)
	n.coordinator("g")
	ask := func(topic string, count int32, only bool, assignment []kmsg.CreatePartitionsRequestTopicAssignment) int16 {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.ValidateOnly = only
		req.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: topic, Count: count, Assignment: assignment}}
		return call[*kmsg.CreatePartitionsResponse](n, req, 3).Topics[0].ErrorCode
	}
	is(t, "no such topic", ask("none", 3, false, nil), wire.UnknownTopicOrPartition)
	is(t, "fewer", ask("t", 1, false, nil), wire.InvalidPartitions)
	is(t, "as many", ask("t", 2, false, nil), wire.InvalidPartitions)
	is(t, "an empty assignment", ask("t", 3, false, []kmsg.CreatePartitionsRequestTopicAssignment{}), wire.InvalidReplicaAssignment)
	is(t, "an assignment to a stranger", ask("t", 3, false, []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{4}}}), wire.InvalidReplicaAssignment)
	is(t, "the groups' topic", ask(offsetsTopic, 8, false, nil), wire.InvalidTopicException)
	is(t, "tried only", ask("t", 3, true, nil), wire.None)
	if got := call[*kmsg.MetadataResponse](n, metadataOf("t"), 9).Topics[0].Partitions; len(got) != 2 {
		t.Errorf("validate only made %d partitions", len(got))
	}
	is(t, "one more", ask("t", 3, false, []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}), wire.None)
	n.produce("t", 2, "its leader is ready at once")
}

func alteration(kind int8, resource string, ops ...kmsg.IncrementalAlterConfigsRequestResourceConfig) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceType(kind), ResourceName: resource, Configs: ops}}
	return req
}

func op(name string, op int8, value string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
	return kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: kmsg.IncrementalAlterConfigOp(op), Value: &value}
}

func TestAlterConfigsAnswers(t *testing.T) {
	const set, del, add, subtract = 0, 1, 2, 3
	n := newRealNode(t)
	n.create("t", 1)
	null := op("retention.ms", set, "")
	null.Value = nil
	for _, c := range []struct {
		what string
		req  *kmsg.IncrementalAlterConfigsRequest
		code wire.ErrorCode
	}{
		{"set", alteration(2, "t", op("retention.ms", set, "1000")), wire.None},
		{"append", alteration(2, "t", op("cleanup.policy", add, "compact")), wire.None},
		{"append again", alteration(2, "t", op("cleanup.policy", add, "compact")), wire.None},
		{"subtract", alteration(2, "t", op("cleanup.policy", subtract, "delete")), wire.None},
		{"delete", alteration(2, "t", op("retention.ms", del, "")), wire.None},
		{"delete what is not set", alteration(2, "t", op("retention.ms", del, "")), wire.None},
		{"append to a number", alteration(2, "t", op("retention.ms", add, "1")), wire.InvalidConfig},
		{"unknown operation", alteration(2, "t", op("retention.ms", 9, "1")), wire.InvalidRequest},
		{"null", alteration(2, "t", null), wire.InvalidRequest},
		{"the same setting twice", alteration(2, "t", op("retention.ms", set, "1"), op("retention.ms", set, "2")), wire.InvalidRequest},
		{"unknown setting", alteration(2, "t", op("no.such", set, "1")), wire.InvalidConfig},
		{"bad value", alteration(2, "t", op("retention.ms", set, "soon")), wire.InvalidConfig},
		{"unknown topic", alteration(2, "none", op("retention.ms", set, "1")), wire.UnknownTopicOrPartition},
		{"no topic", alteration(2, "", op("retention.ms", set, "1")), wire.InvalidRequest},
		{"this broker", alteration(4, "1", op("log.retention.ms", set, "1000")), wire.None},
		{"all brokers", alteration(4, "", op("log.retention.ms", set, "1000")), wire.None},
		{"another broker", alteration(4, "7", op("log.retention.ms", set, "1000")), wire.InvalidRequest},
		{"no broker id", alteration(4, "x", op("log.retention.ms", set, "1000")), wire.InvalidRequest},
		{"fixed at start", alteration(4, "1", op("log.dirs", set, "/x")), wire.InvalidRequest},
		{"bad value for a broker", alteration(4, "1", op("log.retention.ms", set, "soon")), wire.InvalidRequest},
		{"a logger", alteration(8, "1", op("root", set, "DEBUG")), wire.InvalidConfig},
		{"a logger of no broker", alteration(8, "", op("root", set, "DEBUG")), wire.InvalidRequest},
		{"a logger of another broker", alteration(8, "7", op("root", set, "DEBUG")), wire.InvalidRequest},
		{"client metrics", alteration(16, "m", op("interval.ms", set, "1000")), wire.InvalidRequest},
		{"group", alteration(32, "g", op("consumer.session.timeout.ms", set, "45000")), wire.None},
		{"group without a name", alteration(32, "", op("consumer.session.timeout.ms", set, "50000")), wire.InvalidRequest},
		{"unknown resource type", alteration(3, "x", op("a", set, "b")), wire.InvalidRequest},
	} {
		got := call[*kmsg.IncrementalAlterConfigsResponse](n, c.req, 1).Resources[0]
		if is(t, c.what, got.ErrorCode, c.code); c.code != wire.None && (got.ErrorMessage == nil || *got.ErrorMessage == "") {
			t.Errorf("%s: no message", c.what)
		}
	}
	if got := n.setting("t", "cleanup.policy"); *got.Value != "compact" || got.Source != 1 {
		t.Errorf("%+v", got)
	}
	twice := alteration(2, "t", op("retention.ms", set, "1"))
	twice.Resources = append(twice.Resources, twice.Resources[0])
	for _, got := range call[*kmsg.IncrementalAlterConfigsResponse](n, twice, 1).Resources {
		is(t, "a resource twice", got.ErrorCode, wire.InvalidRequest)
	}
	only := alteration(2, "t", op("retention.ms", set, "99"))
	only.ValidateOnly = true
	is(t, "tried only", call[*kmsg.IncrementalAlterConfigsResponse](n, only, 1).Resources[0].ErrorCode, wire.None)
	if got := n.setting("t", "retention.ms"); *got.Value == "99" {
		t.Error("validate only changed a setting")
	}
	legacy := kmsg.NewPtrAlterConfigsRequest()
	value := "2000"
	legacy.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: 2, ResourceName: "t", Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}}},
		{ResourceType: 4, ResourceName: "7"}, {ResourceType: 8, ResourceName: "1"}}
	got := call[*kmsg.AlterConfigsResponse](n, legacy, 1).Resources
	is(t, "legacy", got[0].ErrorCode, wire.None)
	is(t, "legacy, another broker", got[1].ErrorCode, wire.InvalidRequest)
	is(t, "legacy, a logger", got[2].ErrorCode, wire.InvalidRequest)
	if got := n.setting("t", "cleanup.policy"); *got.Value != "delete" {
		t.Errorf("AlterConfigs left %+v", got)
	}
}

// setting describes one of a topic's.
func (n *node) setting(topic, name string) kmsg.DescribeConfigsResponseResourceConfig {
	n.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = true
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: topic, ConfigNames: []string{name}}}
	got := call[*kmsg.DescribeConfigsResponse](n, req, 4).Resources[0]
	if got.ErrorCode != 0 || len(got.Configs) != 1 {
		n.t.Fatalf("%+v", got)
	}
	return got.Configs[0]
}

func TestDescribeConfigsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	ask := func(kind int8, name string) kmsg.DescribeConfigsResponseResource {
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceType(kind), ResourceName: name}}
		got := call[*kmsg.DescribeConfigsResponse](n, req, 4).Resources[0]
		if got.ErrorCode != 0 && (got.ErrorMessage == nil || *got.ErrorMessage == "") {
			t.Errorf("%d %q: no message", kind, name)
		}
		if int8(got.ResourceType) != kind || got.ResourceName != name {
			t.Errorf("asked for %d %q, got %+v", kind, name, got)
		}
		return got
	}
	for _, c := range []struct {
		kind  int8
		name  string
		code  wire.ErrorCode
		least int
	}{
		{2, "t", wire.None, 20}, {2, "none", wire.UnknownTopicOrPartition, 0}, {2, "a/b", wire.InvalidTopicException, 0},
		{4, "1", wire.None, 100}, {4, "", wire.None, 0}, {4, "7", wire.InvalidRequest, 0}, {4, "x", wire.InvalidRequest, 0},
		{8, "1", wire.None, 0}, {8, "", wire.InvalidRequest, 0}, {8, "7", wire.InvalidRequest, 0},
		{16, "", wire.InvalidRequest, 0}, {16, "m", wire.InvalidRequest, 0},
		{32, "g", wire.None, 5}, {32, "", wire.InvalidRequest, 0}, {3, "x", wire.InvalidRequest, 0},
	} {
		got := ask(c.kind, c.name)
		is(t, c.name, got.ErrorCode, c.code)
		if len(got.Configs) < c.least {
			t.Errorf("%d %q: %d settings", c.kind, c.name, len(got.Configs))
		}
		for _, s := range got.Configs {
			if s.Documentation == nil || *s.Documentation == "" || s.ConfigType == 0 || s.Source < 1 {
				t.Errorf("%d %q: %+v", c.kind, c.name, s)
			}
			if s.IsSensitive && s.Value != nil {
				t.Errorf("%s shows a secret", s.Name)
			}
		}
	}
	call[*kmsg.IncrementalAlterConfigsResponse](n, alteration(4, "", op("log.retention.ms", 0, "111")), 1)
	call[*kmsg.IncrementalAlterConfigsResponse](n, alteration(4, "1", op("log.retention.ms", 0, "222")), 1)
	call[*kmsg.IncrementalAlterConfigsResponse](n, alteration(2, "t", op("retention.ms", 0, "333")), 1)
	var chain []string
	for _, s := range n.setting("t", "retention.ms").ConfigSynonyms {
		value := "null"
		if s.Value != nil {
			value = *s.Value
		}
		chain = append(chain, s.Name+"="+value+"/"+s.Source.String())
	}
	want := "retention.ms=333/DYNAMIC_TOPIC_CONFIG log.retention.ms=222/DYNAMIC_BROKER_CONFIG log.retention.ms=111/DYNAMIC_DEFAULT_BROKER_CONFIG log.retention.hours=168/DEFAULT_CONFIG"
	if got := strings.Join(chain, " "); got != want {
		t.Errorf("synonyms %s\nwant     %s", got, want)
	}
}

func TestDescribeProducersAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	b := records(t, batch.Options{ProducerID: 5, ProducerEpoch: 2, BaseSequence: 0}, "a", "b")
	is(t, "produce", call[*kmsg.ProduceResponse](n, produceRequest("t", 0, -1, b), 9).Topics[0].Partitions[0].ErrorCode, wire.None)
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{0, 3}}, {Topic: "a/b", Partitions: []int32{0}}, {Topic: "none", Partitions: []int32{0}}}
	got := call[*kmsg.DescribeProducersResponse](n, req, 0).Topics
	p := got[0].Partitions[0]
	if len(p.ActiveProducers) != 1 || p.ActiveProducers[0].ProducerID != 5 || p.ActiveProducers[0].ProducerEpoch != 2 ||
		p.ActiveProducers[0].LastSequence != 1 || p.ActiveProducers[0].CurrentTxnStartOffset != -1 {
		t.Errorf("%+v", p)
	}
	is(t, "no such partition", got[0].Partitions[1].ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "illegal name", got[1].Partitions[0].ErrorCode, wire.InvalidTopicException)
	is(t, "no such topic", got[2].Partitions[0].ErrorCode, wire.UnknownTopicOrPartition)
}

func TestDeleteRecordsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.create("compacted", 1, "cleanup.policy=compact")
	n.coordinator("g")
	n.produce("t", 0, "a", "b", "c")
	ask := func(topic string, partition int32, offset int64) kmsg.DeleteRecordsResponseTopicPartition {
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.TimeoutMillis = 10_000
		req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}}}}
		return call[*kmsg.DeleteRecordsResponse](n, req, 2).Topics[0].Partitions[0]
	}
	is(t, "beyond the end", ask("t", 0, 4).ErrorCode, wire.OffsetOutOfRange)
	is(t, "negative", ask("t", 0, -2).ErrorCode, wire.OffsetOutOfRange)
	is(t, "no such partition", ask("t", 1, 0).ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "no such topic", ask("none", 0, 0).ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "compacted", ask("compacted", 0, 0).ErrorCode, wire.PolicyViolation)
	is(t, "internal", ask(offsetsTopic, 0, 0).ErrorCode, wire.InvalidTopicException)
	for _, c := range []struct{ offset, low int64 }{{2, 2}, {1, 2}, {-1, 3}} {
		if got := ask("t", 0, c.offset); got.ErrorCode != 0 || got.LowWatermark != c.low {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

func TestListConfigResourcesAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	ask := func(version int16, types ...int8) (code int16, names []string) {
		req := kmsg.NewPtrListConfigResourcesRequest()
		req.ResourceTypes = types
		got := call[*kmsg.ListConfigResourcesResponse](n, req, version)
		for _, r := range got.ConfigResources {
			names = append(names, string(rune('0'+r.Type))+r.Name)
		}
		slices.Sort(names)
		return got.ErrorCode, names
	}
	if code, names := ask(1); code != 0 || !slices.Equal(names, []string{"2t", "41", "81"}) {
		t.Error(code, names)
	}
	if code, names := ask(1, 2); code != 0 || !slices.Equal(names, []string{"2t"}) {
		t.Error(code, names)
	}
	if code, names := ask(1, 2, 77); wire.ErrorCode(code) != wire.UnsupportedVersion || len(names) != 0 {
		t.Error(code, names)
	}
	if code, names := ask(0); code != 0 || len(names) != 0 {
		t.Error(code, names)
	}
}

func TestOffsetForLeaderEpochAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.produce("t", 0, "a", "b")
	ask := func(topic string, partition, current, epoch int32) kmsg.OffsetForLeaderEpochResponseTopicPartition {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{Partition: partition, CurrentLeaderEpoch: current, LeaderEpoch: epoch}}}}
		return call[*kmsg.OffsetForLeaderEpochResponse](n, req, 4).Topics[0].Partitions[0]
	}
	if got := ask("t", 0, -1, 0); got.ErrorCode != 0 || got.LeaderEpoch != 0 || got.EndOffset != 2 {
		t.Errorf("%+v", got)
	}
	if got := ask("t", 0, -1, 9); got.ErrorCode != 0 || got.LeaderEpoch != -1 || got.EndOffset != -1 {
		t.Errorf("an epoch that never was: %+v", got)
	}
	is(t, "newer than the leader", ask("t", 0, 9, 0).ErrorCode, wire.UnknownLeaderEpoch)
	is(t, "no such partition", ask("t", 1, -1, 0).ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "no such topic", ask("none", 0, -1, 0).ErrorCode, wire.UnknownTopicOrPartition)
}

func TestDescribeLogDirsAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 2)
	n.create("u", 1)
	n.produce("t", 1, "a")
	req := kmsg.NewPtrDescribeLogDirsRequest()
	all := call[*kmsg.DescribeLogDirsResponse](n, req, 4)
	if len(all.Dirs) != 1 || len(all.Dirs[0].Topics) != 2 || len(all.Dirs[0].Topics[0].Partitions) != 2 || all.Dirs[0].TotalBytes <= 0 || all.Dirs[0].UsableBytes <= 0 {
		t.Fatalf("%+v", all)
	}
	if got := all.Dirs[0].Topics[0].Partitions[1]; got.Size == 0 || got.OffsetLag != 0 || got.IsFuture {
		t.Errorf("%+v", got)
	}
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
	if got := call[*kmsg.DescribeLogDirsResponse](n, req, 4); len(got.Dirs) != 1 || len(got.Dirs[0].Topics) != 0 {
		t.Errorf("no topics asked for: %+v", got)
	}
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "t", Partitions: []int32{1, 1, 9}}, {Topic: "t", Partitions: []int32{1}}}
	if got := call[*kmsg.DescribeLogDirsResponse](n, req, 4); len(got.Dirs[0].Topics) != 1 || len(got.Dirs[0].Topics[0].Partitions) != 1 {
		t.Errorf("one partition asked for thrice: %+v", got.Dirs[0].Topics)
	}
}

func TestFindCoordinatorAnswers(t *testing.T) {
	n := newRealNode(t)
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys, req.CoordinatorType = []string{"x"}, 1
	got := call[*kmsg.FindCoordinatorResponse](n, req, 4).Coordinators[0]
	is(t, "transactions", got.ErrorCode, wire.TransactionalIDAuthorizationFailed)
	if got.NodeID != -1 || got.Port != -1 || got.Host != "" {
		t.Errorf("%+v", got)
	}
	req.CoordinatorType = 2
	is(t, "share groups", call[*kmsg.FindCoordinatorResponse](n, req, 6).Coordinators[0].ErrorCode, wire.InvalidRequest)
	req.CoordinatorKey, req.CoordinatorType = "x", 1
	old := call[*kmsg.FindCoordinatorResponse](n, req, 2)
	is(t, "transactions in version 2", old.ErrorCode, wire.TransactionalIDAuthorizationFailed)
	if old.NodeID != -1 || old.Port != -1 || old.ErrorMessage == nil {
		t.Errorf("%+v", old)
	}
}

func TestTransactionalBatchesAnswer(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	b := records(t, batch.Options{ProducerID: 5, ProducerEpoch: 0, BaseSequence: 0, Transactional: true}, "a")
	got := call[*kmsg.ProduceResponse](n, produceRequest("t", 0, -1, b), 9).Topics[0].Partitions[0]
	is(t, "a transactional batch without a transactional id", got.ErrorCode, wire.TransactionalIDAuthorizationFailed)
}

func TestOffsetFetchAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.coordinator("g")
	n.commit("g", "t", 0, 5)
	req := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = "g"
	group.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0, 7}}, {Topic: "none", Partitions: []int32{0}}}
	none := kmsg.NewOffsetFetchRequestGroup()
	none.Group = "nobody"
	req.Groups = append(req.Groups, group, none)
	got := call[*kmsg.OffsetFetchResponse](n, req, 8).Groups
	p := got[0].Topics[0].Partitions
	if p[0].Offset != 5 || p[1].Offset != -1 || p[1].ErrorCode != 0 || got[0].Topics[1].Partitions[0].Offset != -1 || got[1].ErrorCode != 0 || len(got[1].Topics) != 0 {
		t.Errorf("%+v", got)
	}
	req.Groups = []kmsg.OffsetFetchRequestGroup{group}
	req.Groups[0].Topics = []kmsg.OffsetFetchRequestGroupTopic{{TopicID: [16]byte{1}, Partitions: []int32{0}}}
	is(t, "unknown id", call[*kmsg.OffsetFetchResponse](n, req, 10).Groups[0].Topics[0].Partitions[0].ErrorCode, wire.UnknownTopicID)
}

func TestOffsetCommitAnswers(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.coordinator("g")
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	for _, name := range []string{"t", "none"} {
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = name
		for _, i := range []int32{0, 9} {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset = i, 1
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
	}
	got := call[*kmsg.OffsetCommitResponse](n, req, 8).Topics
	is(t, "there", got[0].Partitions[0].ErrorCode, wire.None)
	is(t, "no such partition", got[0].Partitions[1].ErrorCode, wire.UnknownTopicOrPartition)
	is(t, "no such topic", got[1].Partitions[0].ErrorCode, wire.UnknownTopicOrPartition)
	req.Generation, req.MemberID = 4, "m"
	is(t, "a member of no group", call[*kmsg.OffsetCommitResponse](n, req, 8).Topics[0].Partitions[0].ErrorCode, wire.UnknownMemberID)
	req.Generation, req.MemberID = -1, ""
	req.Topics = req.Topics[:1]
	req.Topics[0].TopicID, req.Topics[0].Topic = [16]byte{1}, ""
	is(t, "unknown id", call[*kmsg.OffsetCommitResponse](n, req, 10).Topics[0].Partitions[0].ErrorCode, wire.UnknownTopicID)
}
