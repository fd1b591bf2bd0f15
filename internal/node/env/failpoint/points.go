package failpoint

// Point is one named instant.
type Point struct {
	Name string
	At   string // what is true there
	When When
}

// When says what makes a single node pass a point.
type When string

const (
	Load  When = "load"  // clients write, commit, create and delete
	Start When = "start" // it starts after a kill
	Stop  When = "stop"  // it is stopped cleanly, or starts after a clean stop
	Never When = "never" // only a follower does this; simulated histories pass it
)

// Points are all points, by the package that hits them.
var Points = []Point{
	{"log.create.after-mkdir", "the directory of a new log exists, partition.metadata does not", Load},
	{"log.append.before-write", "batches are accepted by the producer state, nothing is written", Load},
	{"log.append.after-write", "written to the segment, not visible, not indexed, not synced", Load},
	{"log.roll.after-create", "the new segment file exists, its name is not durable and nothing is in it", Load},
	{"snapshot.before-write", "indexes are written, the producer snapshot is not", Load},
	{"snapshot.after-write", "a producer snapshot is written and synced, its name is not", Load},
	{"sync.before", "a log is about to be synced", Load},
	{"sync.before-names", "the data of a log is synced, new names are not", Load},
	{"sync.after", "all is synced, the flushed end has not moved and nobody has been told", Load},
	{"checkpoint.before-rename", "a small file is written and synced beside the old one", Load},
	{"checkpoint.after-rename", "it is renamed over the old one, the directory is not synced", Load},
	{"recover.before-checkpoint", "start: all logs are recovered, no recovery point says so and none is served", Start},
	{"marker.before-remove", "start: the clean marker was read and still lies there", Stop},
	{"marker.after-remove", "start: the clean marker is gone, not durably", Stop},
	{"marker.before-write", "stop: everything is flushed, the clean marker is not written", Stop},
	{"marker.after-write", "stop: the clean marker lies there, the process still runs", Stop},
	{"log.delete.before-rename", "a deletion is committed, the log still has its name", Load},
	{"log.delete.after-rename", "the log is called -delete, not durably", Load},
	{"log.start.before-durable", "DeleteRecords has decided a log start, the checkpoint does not say so and nobody is shown it", Load},
	{"retention.before-retire", "log start and recovery point are durable, the segments below still have their names", Load},
	{"retention.before-remove", "files called .deleted or -delete are about to go", Load},
	{"clean.before-swap", "compaction: .cleaned files are complete and synced (S1)", Load},
	{"clean.after-indexes", "compaction: index files are called .swap, the log is not (S2)", Load},
	{"clean.after-swap", "compaction: the log is called .swap, not durably (S3)", Load},
	{"clean.before-final", "compaction: old segments are gone, the log is still called .swap (S4)", Load},
	{"clean.after-final", "compaction: the log has its final name, not durably (S5)", Load},
	{"clean.before-checkpoint", "compaction of a log is done, its checkpoint does not say so", Load},
	{"log.truncate.before", "the recovery point is lowered, nothing is cut", Never},
	{"log.truncate.before-snapshots", "segments are cut, snapshots above the cut are not removed", Never},
	{"log.truncate.after", "all is cut", Never},

	{"start.after-registration", "start: the broker epoch is committed, leader epochs are not", Start},
	{"meta.state.before-save", "a vote or term is decided and not on disk", Start},
	{"meta.state.after-save", "it is on disk and nobody has acted on it", Start},
	{"meta.append.before-write", "the controller has decided, nothing is written", Load},
	{"meta.append.before-sync", "a metadata entry is written, not synced", Load},
	{"meta.append.after-sync", "it is synced, not applied", Load},
	{"meta.apply.before-publish", "it is committed, the logs do not follow it yet", Load},
	{"meta.snapshot.before-rename", "the part file of a snapshot is synced, its name is not there", Load},
	{"meta.snapshot.after-rename", "a snapshot has its name, not durably, and nothing rests on it", Load},
	{"meta.snapshot.before-trim", "the anchor is at the older snapshot, the log still begins before it", Load},
	{"meta.publish.before-image", "logs are made, led or deleted, the image is the old one", Load},
	{"meta.reply.before", "the image is published, the caller is not answered", Load},
	{"group.append.before", "a coordinator has decided, nothing is written", Load},
	{"group.append.after", "its records are written, not replayed", Load},
	{"group.reply.before", "its records are committed, the caller is not answered", Load},
	{"ids.before-use", "a block of producer ids is committed, none was given away", Load},
	{"produce.before-ack", "the high watermark covers a batch, its producer is not answered", Load},
}

func known(name string) bool {
	for _, p := range Points {
		if p.Name == name {
			return true
		}
	}
	return false
}
