package boot

import (
	"millrace/internal/config"
	"millrace/internal/core/meta"
	"millrace/internal/node/commitlog"
)

// LogConfig is what a topic's settings, with everything they inherit, mean for its logs.
func LogConfig(s *config.Static, image *meta.Image, topic string) commitlog.Config {
	v := config.Topic(s, image.Config(meta.BrokerResource, ""), image.Config(meta.BrokerResource, itoa(s.NodeID())), image.Config(meta.TopicResource, topic))
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
	c.ProducerIDExpirationMs = s.Int64("producer.id.expiration.ms")
	c.LogAppendTime = v.String("message.timestamp.type") == "LogAppendTime"
	return c
}
