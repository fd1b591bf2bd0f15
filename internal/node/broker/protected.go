package broker

import (
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/config"
	"millrace/internal/core/meta"
)

// Protected says why nobody may destroy a topic just now: the sentence that an attempt is told, "" when anybody may. An app of this
// node that keeps its state in a topic asks for it. The refusal is POLICY_VIOLATION, Kafka's code for a request that is valid and that
// this cluster does not want: clients show the sentence and do not try again.
//
// Reading and writing such a topic is as free as any other, and so are its settings but for the one that would forget and the one that
// would let nothing be written any more.
type Protected func(topic string) (why string)

func (b *Broker) whyProtected(topic string) string {
	if b.protected == nil {
		return ""
	}
	return b.protected(topic)
}

// forgetting says why a protected topic may not get this cleanup.policy.
func (b *Broker) forgetting(topic, policy string) string {
	if why := b.whyProtected(topic); why != "" && !slices.Equal(config.SplitList(policy), []string{"compact"}) {
		return why + ": its cleanup.policy has to stay compact, or what it holds would be forgotten"
	}
	return ""
}

const (
	cleanupPolicy = "cleanup.policy"
	maxMessage    = "max.message.bytes"
)

// protectedMessage is the least max.message.bytes of a protected topic.
const protectedMessage = 1 << 20

// stifling says why a protected topic may not get this max.message.bytes. What is no number is refused elsewhere.
func (b *Broker) stifling(topic string, value *string) string {
	why := b.whyProtected(topic)
	if why == "" || value == nil {
		return ""
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(*value), 10, 64); err != nil || n >= protectedMessage {
		return ""
	}
	return why + ": its max.message.bytes has to be 1048576 at least, or what it keeps could not be written"
}

// forgetfulSet judges settings that replace all that a resource has.
func (b *Broker) forgetfulSet(kind int8, topic string, configs []kmsg.AlterConfigsRequestResourceConfig) string {
	if kind != topicConfigs {
		return ""
	}
	policy := b.inheritedPolicy(b.host.Image())
	for _, c := range configs {
		if c.Name == cleanupPolicy && c.Value != nil {
			policy = *c.Value
		}
		if c.Name != maxMessage {
			continue
		}
		if why := b.stifling(topic, c.Value); why != "" {
			return why
		}
	}
	return b.forgetting(topic, policy)
}

// forgetfulOps judges single changes of a resource's settings by what they lead to.
func (b *Broker) forgetfulOps(kind int8, topic string, ops []kmsg.IncrementalAlterConfigsRequestResourceConfig) string {
	if kind != topicConfigs {
		return ""
	}
	image := b.host.Image()
	policy := b.topicValues(image, topic).List(cleanupPolicy)
	changed := false
	for _, c := range ops {
		if c.Name == maxMessage && c.Op == kmsg.IncrementalAlterConfigOpSet {
			if why := b.stifling(topic, c.Value); why != "" {
				return why
			}
		}
		if c.Name != cleanupPolicy {
			continue
		}
		changed = true
		var items []string
		if c.Value != nil {
			items = config.SplitList(*c.Value)
		}
		switch c.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			policy = items
		case kmsg.IncrementalAlterConfigOpDelete:
			policy = config.SplitList(b.inheritedPolicy(image))
		case kmsg.IncrementalAlterConfigOpAppend:
			policy = slices.Concat(policy, items)
		case kmsg.IncrementalAlterConfigOpSubtract:
			policy = slices.DeleteFunc(policy, func(p string) bool { return slices.Contains(items, p) })
		}
	}
	slices.Sort(policy)
	if !changed {
		return ""
	}
	return b.forgetting(topic, strings.Join(slices.Compact(policy), ","))
}

// inheritedPolicy is the cleanup.policy of a topic that has none of its own.
func (b *Broker) inheritedPolicy(image *meta.Image) string {
	return config.Topic(b.settings, image.Config(brokerConfigs, ""), image.Config(brokerConfigs, b.nodeName()), nil).String(cleanupPolicy)
}
