// Package failpoint names the instants at which a crash is interesting, so that a test of the real binary can die,
// pause or fail exactly there. Without the build tag "failpoint" Hit is empty and costs nothing; release builds
// have none.
//
// With the tag, the environment variable MILLRACE_FAILPOINT arms points, separated by ";":
//
//	name=action        at the first hit
//	name=action@n      at the n-th hit
//
// Actions: kill (the process ends at once, as by SIGKILL), pause (the goroutine stops for ever: the rest of the
// process goes on), error (Hit returns ErrInjected once; the caller treats it as the failure of the step it stands
// at).
//
// Names, by the package that hits them ("before" and "after" stand around the step of that name):
//
//	log.append.before-write      batches are accepted by the producer state, nothing is written
//	log.append.after-write       written to the segment, not indexed, not synced
//	log.roll.after-create        the new segment file exists, its name is not durable
//	log.truncate.before          a truncation is decided
//	log.truncate.after           files are cut, checkpoints still name the old end
//	log.recover.before-serve     all logs are recovered, none is served
//	sync.before                  a log is about to be synced
//	sync.after                   synced, nobody has been told
//	checkpoint.before-rename     X.tmp is written and synced
//	checkpoint.after-rename      renamed, the directory is not synced
//	snapshot.before-rename       a producer snapshot is written, not yet in place
//	marker.before-remove         start: the clean marker was read and still lies there
//	marker.before-write          stop: everything is flushed, the clean marker is not written
//	clean.before-swap            compaction: .cleaned files are complete and synced
//	clean.after-swap             compaction: the first .swap name exists
//	clean.before-delete          compaction: the new segment is in place, old ones not yet removed
//	meta.append.before-sync      a metadata entry is written, not synced
//	meta.snapshot.before-rename  a metadata snapshot is written, not yet in place
//	produce.before-ack           a flushed batch is about to be acknowledged
//
// A point is a literal name at its call; TestNamesAreDocumented holds calls and this list together.
package failpoint
