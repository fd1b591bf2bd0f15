// FindCoordinator (key 10), versions 0-6
//
// Names the broker that leads the partition of __consumer_offsets on which a group lives: the Java hash of its id
// modulo the partitions. The topic is created when it is missing, and the answer waits until its leader is ready. Keys of
// transactions are refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which clients do not repeat, keys of share
// groups with INVALID_REQUEST: there are neither yet. Needs Describe on the group.
//
//	v1  key type, error message
//	v3  flexible
//	v4  several keys at once
//	v6  share groups

package broker

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.FindCoordinator, Min: 0, Max: 6, Handle: decoded(handleFindCoordinator)})

const (
	groupCoordinator       int8 = 0
	transactionCoordinator int8 = 1
)

func handleFindCoordinator(r *Request, req *kmsg.FindCoordinatorRequest) {
	if r.Version < 4 {
		req.CoordinatorKeys = []string{req.CoordinatorKey}
	}
	if req.CoordinatorType != groupCoordinator || len(req.CoordinatorKeys) == 0 || r.b.host.Image().Topic(offsetsTopic) != nil {
		r.Reply(r.coordinators(req, nil))
		return
	}
	r.create([]string{offsetsTopic}, func(failed map[string]wire.ErrorCode) { r.Reply(r.coordinators(req, failed)) })
}

func (r *Request) coordinators(req *kmsg.FindCoordinatorRequest, failed map[string]wire.ErrorCode) *kmsg.FindCoordinatorResponse {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	resp.NodeID = -1
	for _, key := range req.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		node, code, why := r.coordinator(req.CoordinatorType, key, failed)
		if code == wire.None {
			c.NodeID, c.Host, c.Port = node.ID, node.Host, node.Port
		}
		c.ErrorCode, c.ErrorMessage = int16(code), explain(code, why)
		r.fail(code)
		resp.Coordinators = append(resp.Coordinators, c)
	}
	if r.Version < 4 {
		c := &resp.Coordinators[0]
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode, resp.ErrorMessage = c.NodeID, c.Host, c.Port, c.ErrorCode, c.ErrorMessage
	}
	return resp
}

func (r *Request) coordinator(kind int8, key string, failed map[string]wire.ErrorCode) (n wire.NodeEndpoint, code wire.ErrorCode, why string) {
	switch {
	case kind == transactionCoordinator:
		r.noTransactions(key)
		return n, wire.TransactionalIDAuthorizationFailed, "transactions are not supported by this broker"
	case kind != groupCoordinator:
		return n, wire.InvalidRequest, fmt.Sprintf("coordinators of type %d are not supported by this broker", kind)
	case !r.allowed(auth.Describe, auth.Group(key)):
		return n, wire.GroupAuthorizationFailed, ""
	}
	t := r.b.host.Image().Topic(offsetsTopic)
	if t == nil || len(failed) > 0 {
		return n, wire.CoordinatorNotAvailable, ""
	}
	p := &t.Partitions[groupPartition(key, len(t.Partitions))]
	n, ok := r.conn.l.endpoint(p.Leader)
	if p.Leader < 0 || !ok {
		return n, wire.CoordinatorNotAvailable, ""
	}
	return n, wire.None, ""
}

// newOffsetsTopic is __consumer_offsets as the settings want it.
func (b *Broker) newOffsetsTopic() meta.NewTopic {
	v := b.brokerValues()
	set := func(name, value string) meta.ConfigValue { return meta.ConfigValue{Name: name, Value: &value} }
	return meta.NewTopic{
		Name: offsetsTopic, Internal: true,
		Partitions:        int32(v.Int("offsets.topic.num.partitions")),
		ReplicationFactor: int16(v.Int("offsets.topic.replication.factor")),
		Configs: []meta.ConfigValue{
			set("cleanup.policy", "compact"),
			set("compression.type", "producer"),
			set("segment.bytes", strconv.FormatInt(v.Int64("offsets.topic.segment.bytes"), 10)),
		},
	}
}
