package boot

import (
	"strconv"

	"millrace/internal/config"
	"millrace/internal/core/meta"
	"millrace/internal/node/commitlog"
)

// LogConfig is what a topic's settings, with everything they inherit, mean for its logs.
func LogConfig(s *config.Static, image *meta.Image, topic string) commitlog.Config {
	v := topicValues(s, image, topic)
	c := commitlog.DefaultConfig()
	c.SegmentBytes = v.SegmentBytes()
	c.SegmentMs, c.SegmentJitterMs = v.Int64("segment.ms"), v.Int64("segment.jitter.ms")
	c.IndexIntervalBytes, c.SegmentIndexBytes = v.Int("index.interval.bytes"), v.Int("segment.index.bytes")
	c.RetentionMs, c.RetentionBytes = v.Int64("retention.ms"), v.Int64("retention.bytes")
	c.MaxMessageBytes = v.Int("max.message.bytes")
	c.Compact, c.DeletePolicy = false, false
	for _, p := range v.List("cleanup.policy") {
		c.Compact = c.Compact || p == "compact"
		c.DeletePolicy = c.DeletePolicy || p == "delete"
	}
	c.DeleteRetentionMs = v.Int64("delete.retention.ms")
	c.MinCompactionLagMs, c.MaxCompactionLagMs = v.Int64("min.compaction.lag.ms"), v.Int64("max.compaction.lag.ms")
	c.MinCleanableRatio = v.Float("min.cleanable.dirty.ratio")
	c.FileDeleteDelayMs = v.Int64("file.delete.delay.ms")
	c.FlushMessages, c.FlushMs = v.Int64("flush.messages"), v.Int64("flush.ms")
	c.FlushBeforeAck = v.Bool("flush.before.ack")
	cluster, own := brokerConfigs(s, image)
	c.ProducerIDExpirationMs = config.Broker(s, cluster, own).Int64("producer.id.expiration.ms")
	c.LogAppendTime = v.String("message.timestamp.type") == "LogAppendTime"
	return c
}

// topicValues are a topic's settings with everything they inherit.
func topicValues(s *config.Static, image *meta.Image, topic string) config.Values {
	cluster, own := brokerConfigs(s, image)
	return config.Topic(s, cluster, own, image.Config(meta.TopicResource, topic))
}

// brokerConfigs are what was changed while nodes run: for all brokers, and for this one.
func brokerConfigs(s *config.Static, image *meta.Image) (cluster, own map[string]string) {
	return image.Config(meta.BrokerResource, ""), image.Config(meta.BrokerResource, strconv.Itoa(int(s.NodeID())))
}
