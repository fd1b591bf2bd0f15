// Package commitlog keeps the batches of partitions on disk, in Kafka's on-disk format to the byte: segments with
// their offset, time and transaction indexes, producer snapshots, leader epochs and the checkpoints of a directory.
//
// A Dir is one log directory; it holds Logs, one per partition. A Log has one appender at a time and any number of
// readers, which work from published state: no lock is held while bytes move.
//
// What the package holds, cited by number in code and tests:
//
//	L1  A published offset names the same bytes for ever: bytes below the end offset are only cut by TruncateTo.
//	L2  The flushed end moves only after an fdatasync of every file that holds data below it, and, where a name is
//	    new, after a sync of the directories that hold the names. The end is captured before the fdatasync.
//	L3  A failed fsync is never retried: the directory is offline, and nothing on it is acked again.
//	L4  The recovery point never passes the flushed end, nor offsets whose index entries, aborted transactions or
//	    leader epochs are not durable. It is lowered, durably, before a truncation below it.
//	L5  The clean marker is removed durably before the first change, and written last.
//	L6  A stale producer snapshot (above the end of a shortened log) is gone durably before new data can reach it.
//	L7  A definite error leaves nothing behind: what was half written is cut off and the cut is synced before the
//	    error is returned.
package commitlog
