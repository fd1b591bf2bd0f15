package commitlog

import (
	"errors"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"
)

// ticks are when each piece of housekeeping was last done.
type ticks struct {
	checkpoint, highWatermarks, retention, expiry time.Time
	bytes                                         int64 // of all logs at the last checkpoint
}

// due tells whether an interval has passed since *last, and notes the time if so. The first call only notes it.
func due(last *time.Time, now time.Time, interval time.Duration) bool {
	if last.IsZero() {
		*last = now
		return false
	}
	if now.Sub(*last) < interval {
		return false
	}
	*last = now
	return true
}

// Tick does the housekeeping that is due. The host calls it about once a second, from one goroutine.
func (d *Dir) Tick(now time.Time) {
	if d.Failed() != nil {
		return
	}
	d.removeDue(now)
	d.flushDue(now)
	var errs []error
	if due(&d.ticking.highWatermarks, now, d.options.HighWatermarkInterval) {
		errs = append(errs, d.writeHighWatermarks())
	}
	if due(&d.ticking.retention, now, d.options.RetentionInterval) {
		errs = append(errs, d.retain(now))
	}
	if due(&d.ticking.expiry, now, d.options.ProducerExpiryInterval) {
		d.expireProducers(now)
	}
	if due(&d.ticking.checkpoint, now, d.options.CheckpointInterval) {
		errs = append(errs, d.checkpoint())
	} else if d.appendedMuch(now) {
		d.ticking.checkpoint = now
		errs = append(errs, d.checkpointFlushed())
	}
	if err := errors.Join(errs...); err != nil && d.Failed() == nil {
		d.log.Warn("housekeeping of a log directory was not finished", "path", d.path, "error", err)
	}
	d.cleaner.tick(d, now)
}

// appendedMuch keeps the part of the log that a recovery has to read short. Checkpoints have syncs of their own, so they do
// not follow each other closely.
func (d *Dir) appendedMuch(now time.Time) bool {
	total := d.appended.Load()
	if total-d.ticking.bytes < d.options.CheckpointBytes || now.Sub(d.ticking.checkpoint) < d.options.CheckpointInterval/6 {
		return false
	}
	d.ticking.bytes = total
	return true
}

// flushDue is flush.ms, for topics that do not flush before the ack.
func (d *Dir) flushDue(now time.Time) {
	var wanted []*Log
	d.mu.Lock()
	for _, l := range d.logs {
		if c := l.config.Load(); !c.FlushBeforeAck && c.FlushMs < math.MaxInt64 {
			wanted = append(wanted, l)
		}
	}
	d.mu.Unlock()
	slices.SortFunc(wanted, byName)
	for _, l := range wanted {
		l.mu.Lock()
		late := l.unflushed > 0 && now.UnixMilli()-l.unflushedAt >= l.config.Load().FlushMs
		l.mu.Unlock()
		if late {
			l.RequestSync()
		}
	}
}

// retain runs retention over all logs: first all new starts are made durable together and move, and the recovery points with
// their producer snapshots pass them, then the segments go.
func (d *Dir) retain(now time.Time) error {
	var errs []error
	logs := d.Logs()
	for _, l := range logs {
		if _, err := l.retain(now); err != nil {
			errs = append(errs, err)
		}
	}
	if err := d.writeLogStarts(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, l := range logs {
		l.moveStart(l.nextStart.Load())
		if l.Err() == nil && l.recoveryPointNow() < l.start.Load() {
			errs = append(errs, l.advanceRecoveryPoint())
		}
	}
	if err := d.writeRecoveryPoints(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, l := range logs {
		errs = append(errs, l.dropBelowStart())
	}
	return errors.Join(errs...)
}

// Retain runs a retention round now.
func (d *Dir) Retain(now time.Time) error { return d.retain(now) }

func (d *Dir) expireProducers(now time.Time) {
	for _, l := range d.Logs() {
		l.appender.Lock()
		l.mu.Lock()
		l.producers.expire(now.UnixMilli(), l.config.Load().ProducerIDExpirationMs)
		l.mu.Unlock()
		l.appender.Unlock()
	}
}

// checkpoint advances the recovery points and writes them with the log starts.
func (d *Dir) checkpoint() error { return d.checkpointLogs(func(*Config) bool { return true }) }

// checkpointFlushed leaves out the logs that do not flush before the ack: advancing them would flush them.
func (d *Dir) checkpointFlushed() error { return d.checkpointLogs((*Config).flushEachAppend) }

func (d *Dir) checkpointLogs(wanted func(*Config) bool) error {
	var errs []error
	for _, l := range d.Logs() {
		if l.Err() == nil && wanted(l.config.Load()) {
			errs = append(errs, l.advanceRecoveryPoint())
		}
	}
	errs = append(errs, d.writeRecoveryPoints(), d.writeLogStarts())
	return errors.Join(errs...)
}

// advanceRecoveryPoint moves the recovery point to the present end, after what recovery will not read again is durable:
// batches, index entries, aborted transactions, and the producer states there (L4). The point lies where the snapshot was
// taken: a start cannot use one above the point, and what lies between an older one and the point may be gone.
func (l *Log) advanceRecoveryPoint() error {
	l.appender.Lock()
	l.mu.Lock()
	point, truncations := l.end.Load(), l.truncations
	if point == l.recoveryPoint || len(l.segments) == 0 {
		l.mu.Unlock()
		l.appender.Unlock()
		return nil
	}
	active, epochsDirty := l.active(), l.epochsDirty
	l.mu.Unlock()
	err := l.loadIndexes(active)
	if err == nil {
		l.mu.Lock()
		active.noteTime() // or the largest time would be known to a file that nobody syncs any more
		l.mu.Unlock()
		err = errors.Join(l.spill(active, true), l.takeSnapshot())
	}
	if err == nil && epochsDirty {
		err = l.writeEpochs()
	}
	var changed []*segment
	if err == nil {
		l.mu.Lock()
		for _, s := range l.segments {
			if s.indexesDirty {
				s.indexesDirty = false
				changed = append(changed, s)
			}
		}
		l.mu.Unlock()
	}
	l.appender.Unlock()
	if err != nil {
		return l.dir.broken("checkpoint of "+l.partition.String(), err)
	}
	for _, s := range changed {
		if err := l.syncIndexes(s); err != nil {
			if l.gone(s) {
				continue
			}
			return l.dir.fail(err)
		}
	}
	if err := l.flushNow(); err != nil {
		return ignoreDeleted(err)
	}
	if err := l.dir.disk.SyncDir(l.Path()); err != nil && !l.deleted.Load() {
		return l.dir.fail(err)
	}
	l.mu.Lock()
	if l.truncations == truncations {
		l.recoveryPoint = max(l.recoveryPoint, point)
	}
	l.mu.Unlock()
	l.tidySnapshots()
	return nil
}

// flushNow is what a sync worker does for a log.
func (l *Log) flushNow() error {
	end, err := l.flush()
	if f := l.onFlushed.Load(); err == nil && f != nil {
		(*f)(end)
	}
	return err
}

func ignoreDeleted(err error) error {
	if errors.Is(err, ErrDeleted) {
		return nil
	}
	return err
}

// durablePoint is the recovery point that a start would find.
func (l *Log) durablePoint() int64 {
	l.dir.mu.Lock()
	defer l.dir.mu.Unlock()
	return l.dir.onDisk[recoveryPointFile][l.partition]
}

// gone: the segment was removed in the meantime, so its indexes need no sync.
func (l *Log) gone(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.segments {
		if x == s {
			return l.deleted.Load()
		}
	}
	return true
}

func (d *Dir) writeRecoveryPoints() error {
	return d.writeCheckpoint(recoveryPointFile, func(l *Log) int64 { return l.recoveryPointNow() })
}

func (d *Dir) writeLogStarts() error {
	return d.writeCheckpoint(logStartFile, func(l *Log) int64 { return max(l.start.Load(), l.nextStart.Load()) })
}

func (d *Dir) writeHighWatermarks() error {
	return d.writeCheckpoint(highWatermarkFile, func(l *Log) int64 { return l.highWatermark.Load() })
}

// writeCheckpoint writes one checkpoint file if it would change.
func (d *Dir) writeCheckpoint(name string, of func(*Log) int64) error {
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	logs := d.Logs()
	offsets := make(map[partition]int64, len(logs))
	for _, l := range logs {
		if offset := of(l); offset > 0 {
			offsets[l.partition] = offset
		}
	}
	return d.saveCheckpoint(name, offsets)
}

func (d *Dir) saveCheckpoint(name string, offsets map[partition]int64) error {
	if err := d.Failed(); err != nil {
		return err
	}
	d.mu.Lock()
	same := maps.Equal(d.onDisk[name], offsets)
	d.mu.Unlock()
	if same {
		return nil
	}
	if err := writeDurable(d.disk, filepath.Join(d.path, name), offsetsText(offsets)); err != nil {
		return d.broken("write "+name, err)
	}
	d.mu.Lock()
	d.onDisk[name] = offsets
	d.mu.Unlock()
	return nil
}

// forgetCheckpoints removes the lines that an earlier log of the same name has left, before a new one takes the name:
// its bytes must not be trusted below the old one's recovery point, nor hidden below its start.
func (d *Dir) forgetCheckpoints(p partition) error {
	d.checkpointing.Lock()
	defer d.checkpointing.Unlock()
	for _, name := range []string{recoveryPointFile, logStartFile, highWatermarkFile, cleanerFile} {
		d.mu.Lock()
		_, stale := d.onDisk[name][p]
		var offsets map[partition]int64
		if stale {
			offsets = maps.Clone(d.onDisk[name])
		}
		d.mu.Unlock()
		if !stale {
			continue
		}
		delete(offsets, p)
		if name == cleanerFile {
			d.mu.Lock()
			delete(d.cleanedTo, p)
			d.mu.Unlock()
		}
		if err := d.saveCheckpoint(name, offsets); err != nil {
			return err
		}
	}
	return nil
}
