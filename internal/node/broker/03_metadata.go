// Metadata (key 3), versions 0-13
//
// Describes brokers and topics as a client of this listener reaches them. A topic that is asked for by name and does
// not exist is created if auto.create.topics.enable holds, the request allows it and the client may; the answer then
// waits until its leader is ready. Illegal names are INVALID_TOPIC_EXCEPTION. A topic named twice is described once.
// Needs Describe on each topic: without it a topic is left out of a list of all, and is TOPIC_AUTHORIZATION_FAILED by
// name. Creating needs Create.
//
//	v1   null asks for all topics (in v0 the empty list), controller, racks, internal flag
//	v2   cluster id
//	v4   the request says whether topics may be created; before it they may
//	v5   offline replicas
//	v7   leader epoch
//	v8   authorized operations
//	v9   flexible
//	v10  topic ids
//	v12  topics asked for by id
//	v13  top-level error

package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.Metadata, Min: 0, Max: 13, Handle: decoded(handleMetadata)})

func handleMetadata(r *Request, req *kmsg.MetadataRequest) {
	req.Topics = onceEach(req.Topics)
	missing, denied := r.creatable(req)
	if len(missing) == 0 {
		r.Reply(r.metadata(req, denied))
		return
	}
	r.create(missing, func(failed map[string]wire.ErrorCode) {
		maps.Copy(failed, denied)
		r.Reply(r.metadata(req, failed))
	})
}

// onceEach keeps the first of each name and id.
func onceEach(all []kmsg.MetadataRequestTopic) []kmsg.MetadataRequestTopic {
	type key struct {
		name string
		id   [16]byte
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(all, func(t kmsg.MetadataRequestTopic) bool {
		k := key{id: t.TopicID}
		if t.Topic != nil {
			k.name = *t.Topic
		}
		was := seen[k]
		seen[k] = true
		return was
	})
}

// creatable are the topics that the request creates by asking for them; denied are those that it may not create.
func (r *Request) creatable(req *kmsg.MetadataRequest) (names []string, denied map[string]wire.ErrorCode) {
	if r.b.noCreate || r.Version >= 4 && !req.AllowAutoTopicCreation || !r.b.brokerValues().Bool("auto.create.topics.enable") {
		return nil, nil
	}
	image := r.b.host.Image()
	denied = map[string]wire.ErrorCode{}
	for _, t := range req.Topics {
		if t.Topic == nil || *t.Topic == "" || image.Topic(*t.Topic) != nil || !legalTopic(*t.Topic) {
			continue
		}
		name := auth.Topic(*t.Topic)
		if isInternal(*t.Topic) && *t.Topic != offsetsTopic || !r.allowed(auth.Describe, name) {
			continue
		}
		if r.allowed(auth.Create, auth.Cluster) || r.allowed(auth.Create, name) {
			names = append(names, *t.Topic)
		} else {
			denied[*t.Topic] = wire.TopicAuthorizationFailed
		}
	}
	return names, denied
}

// create makes topics with the defaults, and calls then once their leaders are ready.
func (r *Request) create(names []string, then func(failed map[string]wire.ErrorCode)) {
	ask := meta.CreateTopics{}
	for _, name := range names {
		ask.Topics = append(ask.Topics, r.b.newTopic(name))
	}
	control(r, 0, ask, func(reply meta.CreateTopicsReply, code wire.ErrorCode) {
		failed := map[string]wire.ErrorCode{}
		for _, name := range names {
			if code != wire.None {
				failed[name] = wire.LeaderNotAvailable // the client asks again
			}
		}
		for _, t := range reply.Topics {
			if t.Err != wire.None && t.Err != wire.TopicAlreadyExists {
				failed[t.Name] = t.Err
				r.b.log.Warn("topic not created on demand", "topic", t.Name, "error", t.Err, "reason", t.Message)
			}
		}
		if code != wire.None {
			then(failed)
			return
		}
		r.shown(reply.Offset, func() { then(failed) })
	})
}

// newTopic is a topic as it is made without anybody saying how.
func (b *Broker) newTopic(name string) meta.NewTopic {
	if name == offsetsTopic {
		return b.newOffsetsTopic()
	}
	return meta.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
}

func (r *Request) metadata(req *kmsg.MetadataRequest, failed map[string]wire.ErrorCode) *kmsg.MetadataResponse {
	resp := kmsg.NewPtrMetadataResponse()
	image := r.b.host.Image()
	for _, n := range r.conn.l.nodes() {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port, b.Rack = n.ID, n.Host, n.Port, n.Rack
		resp.Brokers = append(resp.Brokers, b)
	}
	id := r.b.host.ClusterID()
	resp.ClusterID = &id
	resp.ControllerID = r.b.host.NodeID()
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = r.clusterOperations()
	}
	if all := req.Topics == nil || r.Version == 0 && len(req.Topics) == 0; all {
		image.Topics(func(t *meta.Topic) bool {
			if r.allowed(auth.Describe, auth.Topic(t.Name)) {
				resp.Topics = append(resp.Topics, r.describeTopic(t, req.IncludeTopicAuthorizedOperations))
			}
			return true
		})
		return resp
	}
	for i := range req.Topics {
		resp.Topics = append(resp.Topics, r.namedTopic(image, req, &req.Topics[i], failed))
	}
	return resp
}

// namedTopic answers for one topic of the request.
func (r *Request) namedTopic(image *meta.Image, req *kmsg.MetadataRequest, in *kmsg.MetadataRequestTopic, failed map[string]wire.ErrorCode) kmsg.MetadataResponseTopic {
	refuse := func(code wire.ErrorCode) kmsg.MetadataResponseTopic {
		t := kmsg.NewMetadataResponseTopic()
		t.ErrorCode, t.Topic, t.TopicID = int16(code), in.Topic, in.TopicID
		if t.Topic == nil && r.Version < 12 {
			t.Topic = new(string)
		}
		t.Partitions = []kmsg.MetadataResponseTopicPartition{}
		if in.Topic != nil {
			t.IsInternal = isInternal(*in.Topic)
		}
		return t
	}
	if r.Version < 12 && (in.Topic == nil || in.TopicID != [16]byte{}) {
		return refuse(wire.InvalidRequest)
	}
	if in.Topic == nil {
		t := image.TopicByID(in.TopicID)
		if t == nil || !r.allowed(auth.Describe, auth.Topic(t.Name)) {
			return refuse(wire.UnknownTopicID)
		}
		return r.describeTopic(t, req.IncludeTopicAuthorizedOperations)
	}
	if !r.allowed(auth.Describe, auth.Topic(*in.Topic)) {
		return refuse(wire.TopicAuthorizationFailed)
	}
	if t := image.Topic(*in.Topic); t != nil {
		return r.describeTopic(t, req.IncludeTopicAuthorizedOperations)
	}
	if code, ok := failed[*in.Topic]; ok {
		return refuse(code)
	}
	if !legalTopic(*in.Topic) {
		return refuse(wire.InvalidTopicException)
	}
	return refuse(wire.UnknownTopicOrPartition)
}

func (r *Request) describeTopic(in *meta.Topic, operations bool) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID, t.IsInternal = &in.Name, in.ID, isInternal(in.Name)
	if operations {
		t.AuthorizedOperations = r.operations(auth.Topic(in.Name))
	}
	t.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(in.Partitions))
	for i := range in.Partitions {
		p := &in.Partitions[i]
		out := kmsg.NewMetadataResponseTopicPartition()
		out.Partition, out.Leader, out.LeaderEpoch = int32(i), p.Leader, p.LeaderEpoch
		out.Replicas, out.ISR, out.OfflineReplicas = p.Replicas, p.ISR, r.b.offline(p)
		out.ErrorCode = int16(r.leaderError(p))
		t.Partitions = append(t.Partitions, out)
	}
	return t
}

// leaderError: a client can do nothing with a leader that this listener cannot name.
func (r *Request) leaderError(p *meta.Partition) wire.ErrorCode {
	if p.Leader < 0 {
		return wire.LeaderNotAvailable
	}
	if _, ok := r.conn.l.endpoint(p.Leader); ok {
		return wire.None
	}
	if r.Version >= 6 {
		return wire.ListenerNotFound
	}
	return wire.LeaderNotAvailable
}

// offline are the replicas whose broker is not there.
func (b *Broker) offline(p *meta.Partition) []int32 {
	image, out := b.host.Image(), []int32{}
	for _, id := range p.Replicas {
		if br := image.Broker(id); br == nil || br.Fenced {
			out = append(out, id)
		}
	}
	return out
}
