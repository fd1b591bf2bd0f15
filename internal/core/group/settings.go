package group

import (
	"time"

	"millrace/internal/config"
)

// Settings are the broker settings that groups obey.
type Settings struct {
	// MinSession and MaxSession bound a member's session timeout: group.min.session.timeout.ms,
	// group.max.session.timeout.ms.
	MinSession, MaxSession time.Duration
	// InitialRebalanceDelay is how long an empty group waits for more members before its first generation, extended
	// by each join up to the rebalance timeout: group.initial.rebalance.delay.ms.
	InitialRebalanceDelay time.Duration
	// MaxSize bounds the members of a group: group.max.size. Zero: no bound.
	MaxSize int
	// OffsetMetadataMax bounds the metadata of an offset, in characters: offset.metadata.max.bytes.
	OffsetMetadataMax int
	// OffsetsRetention is offsets.retention.minutes, RetentionCheck offsets.retention.check.interval.ms.
	OffsetsRetention, RetentionCheck time.Duration
	// MaxBatchBytes bounds the records of one result, as max.message.bytes of __consumer_offsets does: a larger
	// commit is refused, a longer clean-up is done in parts. Zero: no bound.
	MaxBatchBytes int
}

// SettingsOf reads the settings from the broker's.
func SettingsOf(v config.Values) Settings {
	return Settings{
		MinSession:            v.Duration("group.min.session.timeout.ms"),
		MaxSession:            v.Duration("group.max.session.timeout.ms"),
		InitialRebalanceDelay: v.Duration("group.initial.rebalance.delay.ms"),
		MaxSize:               v.Int("group.max.size"),
		OffsetMetadataMax:     v.Int("offset.metadata.max.bytes"),
		OffsetsRetention:      v.Duration("offsets.retention.minutes"),
		RetentionCheck:        v.Duration("offsets.retention.check.interval.ms"),
		MaxBatchBytes:         v.Int("message.max.bytes"),
	}
}

// DefaultSettings are Kafka's defaults.
func DefaultSettings() Settings {
	return Settings{
		MinSession:            6 * time.Second,
		MaxSession:            30 * time.Minute,
		InitialRebalanceDelay: 3 * time.Second,
		OffsetMetadataMax:     4096,
		OffsetsRetention:      7 * 24 * time.Hour,
		RetentionCheck:        10 * time.Minute,
		MaxSize:               1<<31 - 1,
		MaxBatchBytes:         1048588,
	}
}
