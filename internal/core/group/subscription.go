package group

import "millrace/internal/kafka/record"

func (g *classic) isConsumer() bool {
	return g.protocolType != nil && *g.protocolType == consumerProtocol
}

// subscribes says whether offsets of the topic are in use. What the members read is known of consumers alone; where
// it is not known, a consumer group is taken to read everything.
func (g *classic) subscribes(topic string) bool {
	if g.topics == nil {
		return g.isConsumer()
	}
	return g.topics[topic]
}

// subscribedTopics reads the members' subscriptions; nil where there is nothing to read.
func (g *classic) subscribedTopics() map[string]bool {
	if !g.isConsumer() {
		return nil
	}
	topics := map[string]bool{}
	for _, m := range g.members {
		names, ok := topicsOf(m.metadata(g.protocol))
		if !ok {
			return nil
		}
		for _, name := range names {
			topics[name] = true
		}
	}
	return topics
}

// topicsOf reads the topics of a consumer's metadata: an int16 version, then a subscription, of which every version
// begins like version 0. ok is false for bytes that are none.
func topicsOf(metadata []byte) (names []string, ok bool) {
	if len(metadata) < 2 {
		return nil, false
	}
	var s record.ConsumerProtocolSubscription
	if s.ReadFrom(metadata[2:], 0) != nil {
		return nil, false
	}
	return s.Topics, true
}
