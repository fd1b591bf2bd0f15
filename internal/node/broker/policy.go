package broker

import (
	"maps"
	"strings"
	"sync/atomic"

	"millrace/internal/config"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/batch"
	"millrace/internal/metrics"
)

// Settings are the node's: what files, environment and flags say. What was changed since is in the image.
type Settings = *config.Static

// Resource types of configs.
const (
	topicConfigs  int8 = 2
	brokerConfigs int8 = 4
	groupConfigs  int8 = 32
)

// topicPolicy is what Produce needs to know of a topic's settings.
type topicPolicy struct {
	maxMessageBytes     int
	compact             bool
	logAppendTime       bool
	codec               batch.Codec
	level               int
	beforeMax, afterMax int64
	metrics             *metrics.Topic
	schemas             []*schemaSide // nil: no schema check
}

// policyCache holds the policies of the topics produced to, for one image: another image begins anew.
type policyCache struct{ now atomic.Pointer[policySet] }

type policySet struct {
	image    *meta.Image
	policies map[string]*topicPolicy // never written after publication
}

func (c *policyCache) of(b *Broker, topic string) *topicPolicy {
	image := b.host.Image()
	set := c.now.Load()
	if set != nil && set.image == image {
		if p := set.policies[topic]; p != nil {
			return p
		}
	}
	topic = strings.Clone(topic) // the caller's aliases a frame
	p := b.topicPolicy(image, topic)
	if set != nil {
		p.keepVerdicts(set.policies[topic])
	}
	next := &policySet{image: image, policies: map[string]*topicPolicy{topic: p}}
	if set != nil && set.image == image {
		maps.Copy(next.policies, set.policies)
	}
	c.now.CompareAndSwap(set, next) // losing the race only means to build it again
	return p
}

// topicValues are a topic's effective settings.
func (b *Broker) topicValues(image *meta.Image, topic string) config.Values {
	return config.Topic(b.settings, image.Config(brokerConfigs, ""), image.Config(brokerConfigs, b.nodeName()), image.Config(topicConfigs, topic))
}

func (b *Broker) topicPolicy(image *meta.Image, topic string) *topicPolicy {
	v := b.topicValues(image, topic)
	counted := topic
	if image.Topic(topic) == nil { // deleted while a request was under way: its figures are gone and must not come back
		counted = metrics.Other
	}
	p := &topicPolicy{
		maxMessageBytes: v.Int("max.message.bytes"),
		logAppendTime:   v.String("message.timestamp.type") == "LogAppendTime",
		beforeMax:       v.Int64("message.timestamp.before.max.ms"),
		metrics:         b.metrics.Topic(counted),
		afterMax:        v.Int64("message.timestamp.after.max.ms"),
	}
	for _, how := range v.List("cleanup.policy") {
		p.compact = p.compact || how == "compact"
	}
	p.codec, p.level = codecOf(v)
	p.schemas = schemaSides(topic, v)
	return p
}

// codecOf reads compression.type and the level of that codec; zero lets the codec choose.
func codecOf(v config.Values) (batch.Codec, int) {
	switch v.String("compression.type") {
	case "uncompressed":
		return batch.None, 0
	case "gzip":
		return batch.Gzip, v.Int("compression.gzip.level")
	case "snappy":
		return batch.Snappy, 0
	case "lz4":
		return batch.LZ4, v.Int("compression.lz4.level")
	case "zstd":
		return batch.Zstd, v.Int("compression.zstd.level")
	}
	return codecOfProducer, 0
}
