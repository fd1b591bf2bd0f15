package commitlog

import (
	"errors"
	"sync"
	"sync/atomic"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
)

// Log is the ordered batches of one partition on one disk.
//
// Locks, in the order they are taken: appender, flushing, mu. Only appender and flushing are held over I/O, and
// neither is ever wanted by a reader.
type Log struct {
	// Constant after construction.
	dir       *Dir
	partition partition
	id        wire.UUID

	path_ atomic.Pointer[string] // changes once, when the log is deleted

	appender sync.Mutex // Append, roll, TruncateTo, retention, swap: whoever changes the list of segments
	flushing sync.Mutex // one flush at a time
	loading  sync.Mutex // indexes are read for the first time

	state     atomic.Int32 // of the sync loop
	onFlushed atomic.Pointer[func(int64)]
	config    atomic.Pointer[Config]
	deleted   atomic.Bool

	start, end, flushed, highWatermark atomic.Int64
	nextStart                          atomic.Int64 // of the checkpoint that is being written; start follows

	run run // owned by the appender

	mu            sync.Mutex
	segments      []*segment
	dirty         []*segment // with bytes that were not synced
	newNames      bool       // a `.log` was created since the last sync of the log's directory
	newMetadata   bool       // partition.metadata was written and not synced
	nameTicket    int64      // of the log's own name in the directory; 0: durable
	producers     producers
	windowsFrom   int64 // windows of producers loaded from a snapshot may go back below this offset
	epochs        epochs
	epochsDirty   bool // memory is ahead of the checkpoint file
	marks         *marks
	recoveryPoint int64
	truncations   int64   // how often TruncateTo ran: a recovery point computed before one is void
	snapshots     []int64 // offsets of the snapshot files, rising
	unflushed     int64   // batches appended since the last flush, for flush.messages
	unflushedAt   int64   // wall clock ms of the first of them, for flush.ms
	damage        error   // why the log could not be loaded
}

// Topic is the topic's name.
func (l *Log) Topic() string { return l.partition.topic }

// Partition is the partition's number.
func (l *Log) Partition() int32 { return l.partition.index }

// ID is the topic id of partition.metadata, zero if that file was missing or could not be read.
func (l *Log) ID() wire.UUID { return l.id }

// Dir is the directory that holds the log.
func (l *Log) Dir() *Dir { return l.dir }

// Path is the log's own directory.
func (l *Log) Path() string { return *l.path_.Load() }

func (l *Log) Config() Config { return *l.config.Load() }

// FlushesBeforeAck is the setting of that name. While it holds, every append is to be followed by RequestSync.
func (l *Log) FlushesBeforeAck() bool { return l.config.Load().FlushBeforeAck }

func (l *Log) SetConfig(c Config) { l.config.Store(&c) }

// StartOffset is the first offset that may be read.
func (l *Log) StartOffset() int64 { return l.start.Load() }

// EndOffset is the offset that the next batch gets.
func (l *Log) EndOffset() int64 { return l.end.Load() }

// FlushedEnd: everything below it is on disk.
func (l *Log) FlushedEnd() int64 { return l.flushed.Load() }

// HighWatermark is the last one set, or after a start the one of the checkpoint, within the log.
func (l *Log) HighWatermark() int64 { return l.highWatermark.Load() }

// SetHighWatermark tells the log what readers can see: retention and the cleaner stay below it, and it is kept in
// the directory's checkpoint.
func (l *Log) SetHighWatermark(hw int64) {
	l.highWatermark.Store(hw)
	l.mu.Lock()
	l.producers.settle(min(hw, l.flushed.Load())) // the cleaner trusts no marker that a power cut can take
	l.mu.Unlock()
}

// LastStable is the last stable offset under a high watermark.
func (l *Log) LastStable(highWatermark int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producers.stable(highWatermark)
}

// SizeBytes is the size of all `.log` files.
func (l *Log) SizeBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, s := range l.segments {
		n += s.size
	}
	return n
}

// Err is why the log cannot be used: its data is damaged, it is deleted, or its directory is offline.
func (l *Log) Err() error {
	if err := l.dir.Failed(); err != nil {
		return err
	}
	if l.deleted.Load() {
		return ErrDeleted
	}
	return l.damage
}

// AssignEpoch starts a leader epoch at the end of the log. Its line is written before the first append in it.
func (l *Log) AssignEpoch(epoch int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch > l.epochs.latest() {
		l.epochs = l.epochs.assign(epoch, l.end.Load())
		l.epochsDirty = true
	}
}

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below the one asked for and its end offset, or -1, -1.
func (l *Log) EpochEnd(epoch int32) (int32, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.end(epoch, l.end.Load())
}

// LatestEpoch is the newest leader epoch, -1 if there is none.
func (l *Log) LatestEpoch() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.latest()
}

// EpochAt is the leader epoch at an offset, -1 if it is unknown.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.at(offset)
}

func (l *Log) active() *segment {
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}

// Each calls f with every whole batch that ends above from and below `below`, in order, checked against its CRC. The bytes
// are f's only during the call. It is how a machine replays its log.
func (l *Log) Each(from, below int64, f func(h batch.Header, b []byte) error) error {
	buf := make([]byte, 0, 1<<20)
	for from < below {
		s, err := l.Read(from, below, 1<<20, true)
		if err != nil {
			return err
		}
		if s.Size() == 0 {
			s.Release()
			return nil
		}
		buf = append(buf[:0], make([]byte, s.Size())...)
		err = s.ReadAt(buf, 0)
		s.Release()
		if err != nil {
			return err
		}
		for b := buf; len(b) > 0; {
			h, err := batch.ParseHeader(b)
			if err != nil {
				return errors.Join(ErrCorrupt, err)
			}
			if err := f(h, b[:h.Size()]); err != nil {
				return err
			}
			from, b = h.NextOffset(), b[h.Size():]
		}
	}
	return nil
}
