// CreateTopics (key 19), versions 2-7
//
// Creates topics through the controller and answers once their leaders are ready here. From v5 on the answer lists
// every setting of the topic with where its value comes from, as Java's AdminClient insists. Names of internal topics
// are refused. Needs Create on the cluster or on the topic; DescribeConfigs for the settings in the answer.
//
//	v4  -1 for partitions and replication factor: the broker's defaults
//	v5  flexible, settings in the answer
//	v7  topic ids

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/config"
	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.CreateTopics, Min: 2, Max: 7, Handle: decoded(handleCreateTopics)})

func handleCreateTopics(r *Request, req *kmsg.CreateTopicsRequest) {
	command := meta.CreateTopics{ValidateOnly: req.ValidateOnly}
	refused := map[int]refusedTopic{}
	count := map[string]int{}
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		if code, why := r.judgeNewTopic(t, count[t.Topic]); code != wire.None {
			refused[i] = refusedTopic{code, why}
			continue
		}
		command.Topics = append(command.Topics, newTopicOf(t))
	}
	if len(command.Topics) == 0 {
		r.Reply(r.createdTopics(req, refused, meta.CreateTopicsReply{}, wire.None))
		return
	}
	control(r, req.TimeoutMillis, command, func(reply meta.CreateTopicsReply, code wire.ErrorCode) {
		if code != wire.None {
			r.Reply(r.createdTopics(req, refused, reply, code))
			return
		}
		r.shown(reply.Offset, func() { r.Reply(r.createdTopics(req, refused, reply, code)) })
	})
}

type refusedTopic struct {
	code wire.ErrorCode
	why  string
}

func (r *Request) judgeNewTopic(t *kmsg.CreateTopicsRequestTopic, times int) (wire.ErrorCode, string) {
	switch {
	case times > 1:
		return wire.InvalidRequest, "Found multiple entries for this topic."
	case isInternal(t.Topic):
		return wire.InvalidRequest, "internal topics are created by the broker"
	case !r.allowed(auth.Create, auth.Cluster) && !r.allowed(auth.Create, auth.Topic(t.Topic)):
		return wire.TopicAuthorizationFailed, ""
	case !legalTopic(t.Topic):
		return wire.InvalidTopicException, "Topic name is illegal: it must have 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not be '.' or '..'"
	}
	return wire.None, ""
}

func newTopicOf(in *kmsg.CreateTopicsRequestTopic) meta.NewTopic {
	t := meta.NewTopic{Name: in.Topic, Partitions: in.NumPartitions, ReplicationFactor: in.ReplicationFactor}
	for _, a := range in.ReplicaAssignment {
		t.Assignments = append(t.Assignments, meta.Assignment{Partition: a.Partition, Replicas: a.Replicas})
	}
	for _, c := range in.Configs {
		t.Configs = append(t.Configs, meta.ConfigValue{Name: c.Name, Value: c.Value})
	}
	return t
}

// createdTopics answers in the order of the request; code speaks for every topic that was passed on.
func (r *Request) createdTopics(req *kmsg.CreateTopicsRequest, refused map[int]refusedTopic, reply meta.CreateTopicsReply, code wire.ErrorCode) *kmsg.CreateTopicsResponse {
	resp := kmsg.NewPtrCreateTopicsResponse()
	next := 0
	for i := range req.Topics {
		t := kmsg.NewCreateTopicsResponseTopic()
		t.Topic = req.Topics[i].Topic
		t.NumPartitions, t.ReplicationFactor = -1, -1
		if no, ok := refused[i]; ok {
			r.refuseTopic(&t, no.code, no.why)
		} else if code != wire.None || next >= len(reply.Topics) {
			r.refuseTopic(&t, max(code, wire.UnknownServerError), "")
		} else {
			r.createdTopic(&t, &reply.Topics[next])
			next++
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (r *Request) refuseTopic(t *kmsg.CreateTopicsResponseTopic, code wire.ErrorCode, why string) {
	t.ErrorCode, t.ErrorMessage = int16(code), explain(code, why)
	r.fail(code)
}

func (r *Request) createdTopic(t *kmsg.CreateTopicsResponseTopic, made *meta.CreatedTopic) {
	if made.Err != wire.None {
		r.refuseTopic(t, made.Err, made.Message)
		return
	}
	t.TopicID = made.ID
	if !r.allowed(auth.DescribeConfigs, auth.Topic(t.Topic)) {
		t.ConfigErrorCode = int16(wire.TopicAuthorizationFailed)
		return
	}
	t.NumPartitions, t.ReplicationFactor = made.Partitions, made.ReplicationFactor
	t.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	image := r.b.host.Image()
	for _, d := range config.DescribeTopic(r.b.settings, image.Config(brokerConfigs, ""), image.Config(brokerConfigs, r.b.nodeName()), made.Configs, nil) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.IsSensitive = d.Name, d.Value, d.ReadOnly, d.Source, d.Sensitive
		t.Configs = append(t.Configs, c)
	}
}
