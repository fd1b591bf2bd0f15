package boot

import (
	"math"
	"time"

	"millrace/internal/config"
	"millrace/internal/core/group"
	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/host"
)

// offsetsTopic holds the group machines.
const offsetsTopic = "__consumer_offsets"

func (n *Node) hostOptions() host.Options {
	s := n.o.Settings
	table := meta.Table{Static: s}
	return host.Options{Env: n.o.Env, NodeID: s.NodeID(), Dirs: s.LogDirs(), Log: n.o.Log, Metrics: n.metrics,
		Controller:    table.Options(meta.Options{}),
		LogConfig:     func(image *meta.Image, topic string) commitlog.Config { return LogConfig(s, image, topic) },
		MinISR:        table.MinISR,
		Machines:      map[string]func(int32) machine.Machine{offsetsTopic: n.newGroups},
		DeletedTopics: n.deletedTopics,
		Progress: func(dir string, done, total int) {
			n.recovery.Progress(n.o.Env.Clock.Now(), dir, done, total)
		},
		Dir:              dirOptions(s),
		SnapshotBytes:    s.Int64("metadata.log.max.record.bytes.between.snapshots"),
		SnapshotInterval: snapshotInterval(s),
	}
}

// snapshotInterval: Kafka's 0 means that time alone never makes a snapshot due.
func snapshotInterval(s *config.Static) time.Duration {
	if d := s.Duration("metadata.log.max.snapshot.interval.ms"); d > 0 {
		return d
	}
	return math.MaxInt64
}

// newGroups makes the group machine of one partition. It is made anew when a coordinator is loaded, with the settings
// of that moment.
func (n *Node) newGroups(int32) machine.Machine {
	random := n.o.Env.Random
	settings := group.SettingsOf(n.o.Settings.Values)
	settings.MaxBatchBytes = topicValues(n.o.Settings, n.host.Image(), offsetsTopic).Int("max.message.bytes")
	return group.New(group.Options{Settings: settings,
		NewMemberID: func() string { return wire.NewUUID(random.Uint64(), random.Uint64()).String() }})
}

// dirOptions are the settings of log directories that are read at start.
func dirOptions(s *config.Static) commitlog.DirOptions {
	return commitlog.DirOptions{
		RecoveryThreads:       s.Int("num.recovery.threads.per.data.dir"),
		RetentionInterval:     s.Duration("log.retention.check.interval.ms"),
		CleanerBackoff:        s.Duration("log.cleaner.backoff.ms"),
		HighWatermarkInterval: s.Duration("replica.high.watermark.checkpoint.interval.ms"),
		CheckpointInterval:    min(s.Duration("log.flush.offset.checkpoint.interval.ms"), s.Duration("log.flush.start.offset.checkpoint.interval.ms")),
	}
}

// deletedTopics makes the command that tells the groups that topics are gone, and takes their figures away.
func (n *Node) deletedTopics(gone []*meta.Topic) any {
	var all []group.DeletedTopic
	for _, t := range gone {
		n.metrics.DropTopic(t.Name)
		all = append(all, group.DeletedTopic{Name: t.Name, ID: t.ID})
	}
	return group.TopicsDeleted{Topics: all}
}
