package commitlog

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env/failpoint"
)

// Recovery, assumptions first. Everything below the recovery point is on disk: batches, index entries, aborted
// transactions, leader epochs (L4). Above it a power cut may have left anything: any mix of old and new 512-byte
// sectors, files of any length, names or no names. So
//
//	below the recovery point  a batch that cannot be read is damage: the log is not served, and not shortened;
//	above it                  every batch is checked, the first bad one ends the log, the rest is cut off.
//
// After a clean stop the recovery point is the end of the log, and only the last few headers are read.

// Load recovers every partition found, in parallel. A log whose data is damaged is loaded but answers with an error.
func (d *Dir) Load(progress func(done, total int)) error {
	list, err := d.disk.List(d.path)
	if err != nil {
		return err
	}
	var found []partition
	for _, e := range list {
		if !e.IsDir() {
			continue
		}
		if strings.HasSuffix(e.Name(), deleteDirSuffix) {
			d.removeLater(filepath.Join(d.path, e.Name()), d.options.Env.Clock.Now())
		} else if p, ok := parsePartition(e.Name()); ok {
			found = append(found, p)
		}
	}
	if err := d.loadAll(found, progress); err != nil {
		return err
	}
	if err := failpoint.Hit("recover.before-checkpoint"); err != nil {
		return err
	}
	if d.clean || len(found) == 0 {
		return nil
	}
	if err := d.disk.SyncDir(d.path); err != nil { // a kill may have left names that no sync covers yet
		return d.fail(err)
	}
	return d.checkpoint()
}

func (d *Dir) loadAll(found []partition, progress func(done, total int)) error {
	var (
		next, done atomic.Int64
		mu         sync.Mutex
		errs       []error
		workers    sync.WaitGroup
	)
	for range min(d.options.RecoveryThreads, len(found)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(found)); i = next.Add(1) - 1 {
				l, err := d.loadLog(found[i])
				mu.Lock()
				if err != nil {
					errs = append(errs, fmt.Errorf("load %s: %w", found[i], err))
				} else {
					d.mu.Lock()
					d.logs[found[i]] = l
					d.mu.Unlock()
				}
				if n := done.Add(1); progress != nil {
					progress(int(n), len(found))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// recovery is the loading of one log.
type recovery struct {
	*Log
	clean     bool
	point     int64   // the recovery point
	snapshots []int64 // offsets of snapshot files, rising
	hw        int64   // the high watermark of the checkpoint
	replay    int64   // producer states are replayed at least from here: transaction indexes above it are incomplete
	changed   bool    // something was cut or removed, and has to be synced
}

func (d *Dir) loadLog(p partition) (*Log, error) {
	path := filepath.Join(d.path, p.String())
	l := d.newLog(p, path, d.options.Configure(p.topic))
	b, err := readWhole(d.disk, filepath.Join(path, partitionMetadataFile))
	if err != nil {
		return nil, err
	}
	l.id = parsePartitionMetadata(b)
	// A kill leaves names and content that no sync covers yet; the first flush must not rely on them (L2).
	l.newNames, l.newMetadata = !d.clean, !d.clean && b != nil
	d.mu.Lock()
	r := &recovery{Log: l, clean: d.clean, point: d.onDisk[recoveryPointFile][p]}
	l.start.Store(d.onDisk[logStartFile][p])
	hw := d.onDisk[highWatermarkFile][p]
	r.hw = hw
	d.mu.Unlock()
	l.recoveryPoint = r.point
	if err := r.run(); err != nil {
		if !errors.Is(err, ErrCorrupt) {
			return nil, err
		}
		d.log.Error("log is damaged below its recovery point and will not be served", "log", p.String(), "error", err)
		l.damage = fmt.Errorf("log %s: %w", p, err)
		l.highWatermark.Store(hw) // as all checkpoints: what they say of it stays
		return l, nil
	}
	l.highWatermark.Store(max(min(hw, l.end.Load()), l.start.Load()))
	return l, nil
}

func (r *recovery) run() error {
	if err := r.files(); err != nil {
		return err
	}
	if err := r.loadEpochs(); err != nil {
		return err
	}
	if len(r.segments) == 0 {
		r.setEnd(r.start.Load())
		return r.finish()
	}
	r.start.Store(max(r.start.Load(), r.segments[0].base))
	r.replay = r.point
	if err := r.findEnd(); err != nil {
		return err
	}
	if r.start.Load() > r.end.Load() {
		if err := r.restart(); err != nil {
			return err
		}
	}
	if err := r.loadAborted(); err != nil {
		return err
	}
	if err := r.loadProducers(); err != nil {
		return err
	}
	return r.finish()
}

func (r *recovery) setEnd(end int64) {
	r.end.Store(end)
	r.flushed.Store(end)
}

// files sorts out what lies in the directory: temporary files go, interrupted swaps are finished, the rest becomes
// segments and snapshots.
func (r *recovery) files() error {
	if err := r.finishSwaps(); err != nil {
		return err
	}
	list, err := r.dir.disk.List(r.Path())
	if err != nil {
		return err
	}
	have := map[int64]bool{}
	for _, e := range list {
		if base, ok := parseBase(e.Name(), logExt); ok {
			info, err := e.Info()
			if err != nil {
				return err
			}
			s := newSegment(r.Log, base)
			s.size, s.synced = info.Size(), info.Size()
			s.created = info.ModTime()
			r.segments = append(r.segments, s)
			have[base] = true
		} else if base, ok := parseBase(e.Name(), snapshotExt); ok {
			r.snapshots = append(r.snapshots, base)
		}
	}
	for _, e := range list { // an index without its log
		for _, ext := range []string{indexExt, timeExt, txnExt} {
			if base, ok := parseBase(e.Name(), ext); ok && !have[base] {
				if err := r.remove(e.Name()); err != nil {
					return err
				}
			}
		}
	}
	slices.SortFunc(r.segments, func(a, b *segment) int { return int(min(max(a.base-b.base, -1), 1)) })
	slices.Sort(r.snapshots)
	return r.dropEmpty()
}

// dropEmpty removes empty segments between others: a roll that failed half way has left them, and the log went on in the
// segment before.
func (r *recovery) dropEmpty() error {
	kept := r.segments[:0]
	for i, s := range r.segments {
		if i == 0 || i == len(r.segments)-1 || s.size > 0 {
			kept = append(kept, s)
			continue
		}
		r.changed = true
		if err := r.removeFiles(s); err != nil {
			return err
		}
	}
	r.segments = kept
	return nil
}

func (r *recovery) remove(name string) error {
	r.changed = true
	return r.dir.disk.Remove(filepath.Join(r.Path(), name))
}

// loadEpochs reads the leader epochs. If they cannot be read they are taken from the batches, all of them.
func (r *recovery) loadEpochs() error {
	b, err := readWhole(r.dir.disk, filepath.Join(r.Path(), epochsFile))
	if err != nil {
		return err
	}
	if len(b) > 0 {
		if r.epochs, err = parseEpochs(b); err == nil {
			return nil
		}
	}
	if b == nil && len(r.segments) == 0 {
		return nil
	}
	r.epochs = nil
	for _, s := range r.segments {
		err := r.walk(s, 0, s.size, func(h *batch.Header, _ int64) error {
			r.seeEpoch(h)
			return nil
		})
		if errors.Is(err, ErrCorrupt) {
			return nil // where this matters, findEnd meets it again
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) seeEpoch(h *batch.Header) {
	if h.LeaderEpoch > r.epochs.latest() {
		r.epochs = r.epochs.assign(h.LeaderEpoch, h.BaseOffset)
		r.epochsDirty = true
	}
}

// findEnd reads from the recovery point on: only headers after a clean stop, every byte otherwise.
func (r *recovery) findEnd() error {
	if r.clean {
		// What Kafka or we wrote last at a clean stop. A checkpoint that was lost does not make the log shorter.
		return r.cleanEnd()
	}
	first := max(r.floor(r.point), 0)
	for i := first; i < len(r.segments); i++ {
		s := r.segments[i]
		if i > first && s.base != r.end.Load() && (s.base > r.point || s.size == 0 && s.base < r.end.Load()) {
			// The end of the segment before was not synced, and is gone without a trace.
			before := r.segments[i-1]
			r.dir.log.Info("dropping segments after a gap", "log", r.partition.String(), "offset", r.end.Load(), "segment", s.base)
			return r.cut(i-1, before.size)
		}
		next, good, err := r.scan(s, i == first)
		if err != nil {
			return err
		}
		r.setEnd(next)
		if good < s.size {
			if next < r.point {
				return fmt.Errorf("%w: log ends at offset %d, it was synced to %d", ErrCorrupt, next, r.point)
			}
			r.dir.log.Info("cutting off a torn tail", "log", r.partition.String(), "offset", next, "bytes", s.size-good)
			return r.cut(i, good)
		}
	}
	if end := r.end.Load(); end < r.point {
		return fmt.Errorf("%w: log ends at offset %d, it was synced to %d", ErrCorrupt, end, r.point)
	}
	return nil
}

func (r *recovery) cleanEnd() error {
	s := r.active()
	end := s.base
	at := int64(0)
	if s.size > 0 {
		if err := r.loadIndexes(s); err != nil {
			return err
		}
		if s.offsets.last != nil {
			_, p := parseOffsetEntry(s.offsets.last)
			at = int64(p)
		}
	}
	err := r.walk(s, at, s.size, func(h *batch.Header, _ int64) error {
		end = h.NextOffset()
		return nil
	})
	if err != nil {
		return err
	}
	r.setEnd(end)
	r.point, r.replay = end, end
	return nil
}

// scan reads a segment that reaches above the recovery point, and rebuilds its indexes from there. It returns the
// offset after the last good batch and the position where it ends.
func (r *recovery) scan(s *segment, first bool) (next, good int64, err error) {
	next = s.base
	if first {
		if good, err = r.trustIndexes(s); err != nil {
			return 0, 0, err
		}
	}
	s.offsets.known = true
	f, err := r.dir.handles.acquire(&s.data, false)
	if err != nil {
		return 0, 0, err
	}
	defer r.dir.handles.release(&s.data)
	sc := newScanner(f, good, s.size, 256<<10)
	defer sc.close()
	interval := r.Config().IndexIntervalBytes
	checkedFrom := int64(-1)
	for {
		h, at, err := sc.next()
		if err == nil && (h.BaseOffset < next || h.LastOffset()-s.base > 1<<31-1) {
			err = fmt.Errorf("%w: offset %d after %d", ErrCorrupt, h.BaseOffset, next)
		}
		if err == nil && h.NextOffset() > r.point {
			var b []byte
			if b, err = sc.whole(&h, at); err == nil && !batch.CheckCRC(b) {
				err = fmt.Errorf("%w: wrong CRC at offset %d", ErrCorrupt, h.BaseOffset)
			}
			if checkedFrom < 0 {
				checkedFrom = at
			}
		}
		if err != nil && err != io.EOF && !errors.Is(err, ErrCorrupt) {
			return 0, 0, err
		}
		if err != nil {
			break
		}
		s.note(&h, at, interval)
		r.seeEpoch(&h)
		next, good = h.NextOffset(), at+int64(h.Size())
	}
	if checkedFrom >= 0 {
		s.verified = s.verified.add(checkedFrom, good)
	}
	return next, good, nil
}

// trustIndexes keeps the index entries below the recovery point and returns the position of the last one: what lies
// before it need not be read. It is 0 if the indexes do not hold what they should.
func (r *recovery) trustIndexes(s *segment) (int64, error) {
	offsets, err := readWhole(r.dir.disk, s.path(indexExt))
	if err != nil {
		return 0, err
	}
	times, err := readWhole(r.dir.disk, s.path(timeExt))
	if err != nil {
		return 0, err
	}
	onDisk := len(offsets) + len(times)
	offsets = offsets[:len(offsets)/offsetEntrySize*offsetEntrySize]
	times = times[:len(times)/timeEntrySize*timeEntrySize]
	for n := 0; n < len(offsets); n += offsetEntrySize {
		if relative, position := parseOffsetEntry(offsets[n:]); relative <= 0 && position <= 0 || s.base+int64(relative) >= r.point {
			offsets = offsets[:n]
		}
	}
	for n := 0; n < len(times); n += timeEntrySize {
		if timestamp, relative := parseTimeEntry(times[n:]); timestamp == 0 && relative == 0 || s.base+int64(relative) >= r.point {
			times = times[:n]
		}
	}
	if len(offsets)+len(times) < onDisk { // entries of what a truncation cut off must not stay in the files
		r.changed = true
	}
	if len(offsets) == 0 || len(times) == 0 {
		return 0, nil
	}
	err = errors.Join(checkOffsetIndex(offsets, s.size), checkTimeIndex(times), r.checkLastEntry(s, offsets, s.size))
	if errors.Is(err, ErrCorrupt) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if s.firstTime, err = r.firstTime(s, s.size); err != nil {
		return 0, err
	}
	s.offsets.set(len(offsets)/offsetEntrySize, offsets)
	s.times.set(len(times)/timeEntrySize, times)
	if s.times.last != nil {
		timestamp, relative := parseTimeEntry(s.times.last)
		s.largestTime, s.largestTimeAt = timestamp, s.base+int64(relative)
	}
	_, position := parseOffsetEntry(s.offsets.last)
	return int64(position), nil
}

// cut ends the log in segment i at a position: later segments go, and the cut is synced before anything is appended, so
// that bytes behind it cannot come back between new ones.
func (r *recovery) cut(i int, size int64) error {
	r.changed = true
	s := r.segments[i]
	for _, later := range r.segments[i+1:] {
		if err := r.removeFiles(later); err != nil {
			return err
		}
	}
	r.segments = r.segments[:i+1]
	f, err := r.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer r.dir.handles.release(&s.data)
	if err := errors.Join(f.Truncate(size), f.Sync()); err != nil {
		return err
	}
	s.size, s.synced = size, size
	return nil
}

// removeFiles removes a segment at once.
func (l *Log) removeFiles(s *segment) error {
	var errs []error
	for _, f := range s.files() {
		l.dir.handles.forget(f)
		errs = append(errs, ignoreMissing(l.dir.disk.Remove(f.path())))
	}
	return errors.Join(errs...)
}

// restart empties a log that ends below its start: the start was moved durably, the data above it was not synced.
func (r *recovery) restart() error {
	r.changed = true
	for _, s := range r.segments {
		if err := r.removeFiles(s); err != nil {
			return err
		}
	}
	r.segments = nil
	r.setEnd(r.start.Load())
	r.point, r.replay = r.end.Load(), r.end.Load()
	return nil
}

// loadAborted reads the transaction indexes into memory, up to where they are complete.
func (r *recovery) loadAborted() error {
	for _, s := range r.segments {
		b, err := readWhole(r.dir.disk, s.path(txnExt))
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		all, err := parseTxnIndex(b)
		if err != nil && s.base+1 <= r.replay {
			r.replay = s.base
		}
		for len(all) > 0 && all[len(all)-1].LastOffset >= r.replay {
			all = all[:len(all)-1]
		}
		s.aborted, s.abortedOnFile = all, len(all)
		if len(all)*txnEntrySize == len(b) {
			continue
		}
		r.changed = true
		if err := r.cutFile(&s.txns, int64(len(all))*txnEntrySize); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) cutFile(x *diskFile, size int64) error {
	f, err := r.dir.handles.acquire(x, false)
	if err != nil {
		return err
	}
	defer r.dir.handles.release(x)
	return errors.Join(f.Truncate(size), f.Sync()) // what was cut must not come back below a later recovery point
}

// loadProducers takes the newest usable snapshot and replays the headers behind it. Snapshots above the end of the log
// tell of batches that are gone: they are removed (L6).
func (r *recovery) loadProducers() error {
	end := r.end.Load()
	from := r.start.Load()
	if len(r.segments) > 0 {
		from = r.segments[0].base // also below the log start: a producer outlives its records (IDM-1)
	}
	used := false
	for i := len(r.snapshots) - 1; i >= 0; i-- {
		offset := r.snapshots[i]
		if offset > end {
			if err := r.remove(baseName(offset) + snapshotExt); err != nil {
				return err
			}
			r.snapshots = slices.Delete(r.snapshots, i, i+1)
			continue
		}
		if used || offset > r.replay {
			continue
		}
		b, err := readWhole(r.dir.disk, r.snapshotPath(offset))
		if err != nil {
			return err
		}
		list, err := parseSnapshot(b)
		if err != nil {
			r.dir.log.Warn("a producer snapshot is not used", "log", r.partition.String(), "offset", offset, "reason", err)
			if err := r.remove(baseName(offset) + snapshotExt); err != nil {
				return err
			}
			r.snapshots = slices.Delete(r.snapshots, i, i+1)
			continue
		}
		r.producers.load(list)
		from, used = offset, true
	}
	r.Log.snapshots = r.snapshots
	if used {
		r.windowsFrom = from
	}
	if err := r.findEnded(from, r.hw); err != nil {
		return err
	}
	return r.replayProducers(from)
}

// findEnded finds the transactions that ended before the snapshot at an offset was taken, which therefore does not tell of
// them, with a marker at or above the high watermark: they still hold back the last stable offset.
func (l *Log) findEnded(snapshot, hw int64) error {
	if hw >= snapshot || len(l.segments) == 0 {
		return nil
	}
	states, from, _, err := l.newestSnapshot(hw)
	if err != nil {
		return err
	}
	for i := max(l.floor(from), 0); i < len(l.segments) && l.segments[i].base < snapshot; i++ {
		if err := l.replaySegment(&states, l.segments[i], from, snapshot); err != nil {
			return err
		}
	}
	states.settle(hw)
	l.producers.ended = states.ended
	return nil
}

// replayProducers brings the producer states from an offset to the end of the log.
func (l *Log) replayProducers(from int64) error {
	end := l.end.Load()
	for i := max(l.floor(from), 0); i < len(l.segments) && from < end; i++ {
		if err := l.replaySegment(&l.producers, l.segments[i], from, end); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) replaySegment(states *producers, s *segment, from, below int64) error {
	f, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&s.data)
	at, err := l.position(s, f, s.size, from)
	if err != nil {
		return err
	}
	sc := newScanner(f, at, s.size, 32<<10)
	defer sc.close()
	for {
		h, at, err := sc.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.BaseOffset >= below {
			return nil
		}
		if h.BaseOffset < from || !h.HasProducer() {
			continue
		}
		if err := l.replayBatch(states, s, sc, &h, at); err != nil {
			return err
		}
	}
}

func (l *Log) replayBatch(states *producers, s *segment, sc *scanner, h *batch.Header, at int64) error {
	c := &l.run.changes
	c.reset()
	p := c.of(states, h.ProducerID)
	if !h.Control() {
		c.data(p, h, false)
		states.apply(c)
		return nil
	}
	b, err := sc.whole(h, at)
	if err != nil {
		return err
	}
	m, ok, err := parseMarker(b)
	if err != nil {
		return errors.Join(ErrCorrupt, err)
	}
	if !ok {
		return nil
	}
	c.end(p, h, m)
	for _, a := range states.apply(c) {
		if n := len(s.aborted); n == 0 || s.aborted[n-1].LastOffset < a.LastOffset {
			s.aborted = append(s.aborted, a)
		}
	}
	return nil
}

// finish makes what recovery changed durable and leaves the indexes right on disk.
func (r *recovery) finish() error {
	end := r.end.Load()
	if cut := r.epochs.cutEnd(end); len(cut) != len(r.epochs) {
		r.epochs, r.epochsDirty = cut, true
	}
	r.recoveryPoint = r.point
	r.windowsFrom = min(r.windowsFrom, end)
	if r.clean && !r.changed {
		return nil
	}
	if end == r.point && !r.changed {
		return r.syncActive()
	}
	for i := max(r.floor(r.point), 0); i < len(r.segments); i++ {
		if err := r.settle(r.segments[i]); err != nil {
			return err
		}
	}
	return r.dir.disk.SyncDir(r.Path())
}

// syncActive makes the size of the active segment durable. A truncation that a kill interrupted may have cut it without a
// sync, and what it cut off must not come back after this start has answered with the shorter log.
func (r *recovery) syncActive() error {
	if len(r.segments) == 0 {
		return nil
	}
	s := r.active()
	f, err := r.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer r.dir.handles.release(&s.data)
	return f.Sync()
}

// settle syncs a segment that reaches above the recovery point: what a kill has left in the page cache is good, but
// nobody has synced it yet.
func (r *recovery) settle(s *segment) error {
	f, err := r.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer r.dir.handles.release(&s.data)
	if err := f.Sync(); err != nil {
		return err
	}
	if !s.offsets.known {
		return nil
	}
	s.noteTime() // of the active segment too: its last entry may lie below the recovery point and was not trusted
	if err := r.spill(s, true); err != nil {
		return err
	}
	return r.syncIndexes(s)
}
