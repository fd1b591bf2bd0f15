package broker

import (
	"strings"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

// absent is the code for a partition that this node does not host. One that it leads all the same has no log: its
// directory is lost, or the disk refused to make one. Logs are made before the image that tells of them is published.
func (b *Broker) absent(topic string, partition int32) wire.ErrorCode {
	t := b.host.Image().Topic(topic)
	if t == nil || partition < 0 || int(partition) >= len(t.Partitions) {
		return wire.UnknownTopicOrPartition
	}
	if t.Partitions[partition].Leader == b.host.NodeID() {
		return wire.KafkaStorageError
	}
	return wire.NotLeaderOrFollower
}

// endpoint is where clients of listener l reach a broker. A broker that has no endpoint under that name cannot be
// named to them.
func (l *listener) endpoint(id int32) (wire.NodeEndpoint, bool) {
	br := l.b.host.Image().Broker(id)
	if br == nil {
		return wire.NodeEndpoint{}, false
	}
	return l.endpointOf(br)
}

func (l *listener) endpointOf(br *meta.Broker) (wire.NodeEndpoint, bool) {
	if br.Fenced {
		return wire.NodeEndpoint{}, false
	}
	for _, e := range br.Endpoints {
		if strings.EqualFold(e.Name, l.answerAs()) {
			return wire.NodeEndpoint{ID: br.ID, Host: e.Host, Port: int32(e.Port), Rack: rackOf(br)}, true
		}
	}
	return wire.NodeEndpoint{}, false
}

func rackOf(br *meta.Broker) *string {
	if br.Rack == "" {
		return nil
	}
	return &br.Rack
}

// nodes are the brokers that clients of this listener can reach, in order of their ids.
func (l *listener) nodes() (all []wire.NodeEndpoint) {
	image := l.b.host.Image()
	for _, id := range image.BrokerIDs() {
		if n, ok := l.endpointOf(image.Broker(id)); ok {
			all = append(all, n)
		}
	}
	return all
}

// leaderHints collects the leaders that an answer names (KIP-951), each endpoint once.
type leaderHints struct{ nodes []wire.NodeEndpoint }

// add returns leader and epoch of a partition, -1 if there is none to tell.
func (h *leaderHints) add(r *Request, topic string, partition int32) (leader, epoch int32) {
	t := r.b.host.Image().Topic(topic)
	if t == nil || partition < 0 || int(partition) >= len(t.Partitions) {
		return -1, -1
	}
	p := &t.Partitions[partition]
	node, ok := r.conn.l.endpoint(p.Leader)
	if !ok {
		return -1, -1
	}
	for _, n := range h.nodes {
		if n.ID == node.ID {
			return p.Leader, p.LeaderEpoch
		}
	}
	h.nodes = append(h.nodes, node)
	return p.Leader, p.LeaderEpoch
}

// javaHash is String.hashCode of Java, over UTF-16 units: it says which partition a group lives on.
func javaHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r >= 0x10000 {
			r -= 0x10000
			h = 31*h + int32(0xd800+(r>>10))
			r = 0xdc00 + (r & 0x3ff)
		}
		h = 31*h + int32(r)
	}
	return h
}

// groupPartition is the partition of __consumer_offsets that a group lives on.
func groupPartition(group string, partitions int) int32 {
	return (javaHash(group) & 0x7fffffff) % int32(partitions)
}

// legalTopic is Kafka's rule for names. It is checked before a name becomes part of a path.
func legalTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
