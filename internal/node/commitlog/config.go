package commitlog

import "math"

// Config is what a topic says about its logs. A zero limit of size or time is taken literally; start from
// DefaultConfig.
type Config struct {
	SegmentBytes                                              int64
	SegmentMs, SegmentJitterMs                                int64
	IndexIntervalBytes, SegmentIndexBytes                     int
	RetentionMs, RetentionBytes                               int64 // -1: no limit
	MaxMessageBytes                                           int
	Compact, DeletePolicy                                     bool
	DeleteRetentionMs, MinCompactionLagMs, MaxCompactionLagMs int64
	MinCleanableRatio                                         float64
	FileDeleteDelayMs                                         int64
	FlushMessages, FlushMs                                    int64 // without effect while FlushBeforeAck
	FlushBeforeAck                                            bool
	ProducerIDExpirationMs                                    int64
	LogAppendTime                                             bool
}

// DefaultConfig is Kafka's, with our flush before the ack.
func DefaultConfig() Config {
	return Config{
		SegmentBytes: 1 << 30, SegmentMs: 7 * 24 * 3600 * 1000, IndexIntervalBytes: 4096, SegmentIndexBytes: 10 << 20,
		RetentionMs: 7 * 24 * 3600 * 1000, RetentionBytes: -1, MaxMessageBytes: 1048588, DeletePolicy: true,
		DeleteRetentionMs: 24 * 3600 * 1000, MaxCompactionLagMs: math.MaxInt64, MinCleanableRatio: 0.5,
		FileDeleteDelayMs: 60000, FlushMessages: math.MaxInt64, FlushMs: math.MaxInt64, FlushBeforeAck: true,
		ProducerIDExpirationMs: 24 * 3600 * 1000,
	}
}

// flushEachAppend: with flush.messages=1 Kafka flushes before the ack too.
func (c *Config) flushEachAppend() bool { return c.FlushBeforeAck || c.FlushMessages <= 1 }
