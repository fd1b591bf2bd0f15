package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// How the segments of a group give way to the cleaned one, B being its base offset, which is the first segment's. The
// last batch of the cleaned segment ends where the group ends (F4), so the file alone tells what it replaces.
//
//	S1  B.log.cleaned and its indexes are written and synced
//	S2  index files: .cleaned -> .swap, then sync the directory
//	S3  B.log.cleaned -> B.log.swap, then sync the directory       <- from here on the new segment counts
//	S4  remove the files of the other segments of the group; index files: .swap -> final; sync the directory
//	S5  B.log.swap -> B.log, then sync the directory
//
// A start finds one of these, whatever share of the unsynced names survived, because each step is synced before the next:
//
//	B.log.swap is there      S4 and S5 are done again. An index file that is not .swap any more has its final name already.
//	B.log.swap is not there  the old segments count, or S5 was reached and there is nothing else left; .cleaned and .swap
//	                         files are removed.
//
// A segment without a transaction index replaces one that had it by an empty file, removed after S5.

var indexExts = []string{indexExt, timeExt, txnExt}

// cleanGroup writes the cleaned segment of a group and puts it in place.
func (l *Log) cleanGroup(c *cleaner, group []sealed, f *batchFilter, config *Config) error {
	last, err := l.lastBatch(group)
	if err != nil || last < 0 {
		return err
	}
	fresh := newSegment(l, group[0].base)
	fresh.suffix = cleanedSuffix
	f.txns.retained = func(a AbortedTxn) { fresh.aborted = append(fresh.aborted, a) }
	err = l.writeCleaned(c, fresh, group, last, f, config)
	if err == nil {
		err = l.swap(fresh, group)
	}
	if err == nil {
		return nil
	}
	// Before S3 nothing has changed; what is left is also removed at the next start.
	for _, ext := range append(indexExts, logExt) {
		for _, suffix := range []string{cleanedSuffix, swapSuffix} {
			if l.dir.Failed() == nil {
				l.dir.disk.Remove(filepath.Join(l.Path(), baseName(fresh.base)+ext+suffix))
			}
		}
	}
	return err
}

// writeCleaned is S1. last is the base offset of the group's last batch.
func (l *Log) writeCleaned(c *cleaner, fresh *segment, group []sealed, last int64, f *batchFilter, config *Config) error {
	out, err := l.dir.disk.Create(fresh.path(logExt))
	if err != nil {
		return l.dir.broken("compact "+l.partition.String(), err)
	}
	defer out.Close()
	w := cleanedWriter{l: l, file: out, s: fresh, interval: config.IndexIntervalBytes}
	if err := out.Truncate(0); err != nil {
		return l.dir.broken("compact "+l.partition.String(), err)
	}
	for _, s := range group {
		err := l.eachBatch(c, s, func(h *batch.Header, b []byte) error {
			w.buf = f.filter(w.buf, h, b, h.BaseOffset == last)
			return w.flush(false)
		})
		if err != nil {
			return err
		}
	}
	if err := w.flush(true); err != nil {
		return err
	}
	fresh.noteTime()
	if err := out.Sync(); err != nil {
		return l.dir.broken("compact "+l.partition.String(), err)
	}
	return l.writeCleanedIndexes(fresh, group)
}

// lastBatch is the base offset of the last batch of a group; -1: there is none.
func (l *Log) lastBatch(group []sealed) (int64, error) {
	last := int64(-1)
	for i := len(group) - 1; i >= 0 && last < 0; i-- {
		err := l.walk(group[i].segment, 0, group[i].size, func(h *batch.Header, _ int64) error {
			last = h.BaseOffset
			return nil
		})
		if err != nil {
			return last, err
		}
	}
	return last, nil
}

// writeCleanedIndexes writes and syncs the index files beside the cleaned log.
func (l *Log) writeCleanedIndexes(fresh *segment, group []sealed) error {
	var txns []byte
	for _, a := range fresh.aborted {
		txns = appendTxnEntry(txns, a)
	}
	content := [][]byte{fresh.offsets.tail, fresh.times.tail, txns}
	for i, ext := range indexExts {
		if ext == txnExt && txns == nil && !l.exists(group[0].segment, txnExt) {
			continue
		}
		if err := writeWhole(l.dir.disk, fresh.path(ext), content[i], true); err != nil {
			return l.dir.broken("compact "+l.partition.String(), err)
		}
	}
	return nil
}

func (l *Log) exists(s *segment, ext string) bool {
	_, err := l.dir.disk.Stat(s.path(ext))
	return err == nil
}

// cleanedWriter collects kept batches and appends them to the cleaned log.
type cleanedWriter struct {
	l        *Log
	file     env.File
	s        *segment
	interval int
	buf      []byte
}

func (w *cleanedWriter) flush(force bool) error {
	if !force && len(w.buf) < cleanerWriteBuffer || len(w.buf) == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(w.buf, w.s.size); err != nil {
		return w.l.dir.broken("compact "+w.l.partition.String(), err)
	}
	for b := w.buf; len(b) > 0; {
		h, err := batch.ParseHeader(b)
		if err != nil {
			return err
		}
		w.s.note(&h, w.s.size, w.interval)
		w.s.size += int64(h.Size())
		b = b[h.Size():]
	}
	w.buf = w.buf[:0]
	return nil
}

// swap is S2 to S5, unless the group is no longer part of the log.
func (l *Log) swap(fresh *segment, group []sealed) error {
	l.appender.Lock()
	defer l.appender.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if !l.holds(group) {
		return errors.New("segments were removed meanwhile")
	}
	disk, dir := l.dir.disk, l.Path()
	err := failpoint.Hit("clean.before-swap")
	if err == nil {
		err = renameIndexes(disk, dir, fresh.base, cleanedSuffix, swapSuffix)
	}
	if err == nil {
		err = disk.SyncDir(dir)
	}
	if err == nil {
		err = failpoint.Hit("clean.after-indexes")
	}
	name := filepath.Join(dir, baseName(fresh.base)+logExt)
	if err == nil {
		err = disk.Rename(name+cleanedSuffix, name+swapSuffix)
	}
	if err != nil {
		return l.dir.broken("swap a compacted segment of "+l.partition.String(), err)
	}
	// From here on an error leaves the files between two states, which the next start sorts out.
	err = failpoint.Hit("clean.after-swap")
	if err == nil {
		err = l.finishCleaned(fresh, group)
	}
	if err != nil {
		return l.dir.fail(fmt.Errorf("swap a compacted segment of %s: %w", l.partition, err))
	}
	return nil
}

// finishCleaned publishes the new segment once its name .swap is durable, and gives it its final name. Its files are held open
// meanwhile, so that no reader asks for a name that is just changing.
func (l *Log) finishCleaned(fresh *segment, group []sealed) error {
	if err := l.dir.disk.SyncDir(l.Path()); err != nil {
		return err
	}
	fresh.suffix = swapSuffix
	held := []*diskFile{&fresh.data, &fresh.offsets.diskFile, &fresh.times.diskFile}
	for i, f := range held {
		if _, err := l.dir.handles.acquire(f, false); err != nil {
			held = held[:i]
			break
		}
	}
	l.putInPlace(fresh, group)
	var others []int64
	for _, s := range group[1:] {
		others = append(others, s.base)
	}
	err := finishSwap(l.dir.disk, l.Path(), fresh.base, others)
	l.mu.Lock()
	fresh.suffix = ""
	l.mu.Unlock()
	for _, f := range held {
		l.dir.handles.release(f)
	}
	return err
}

func (l *Log) holds(group []sealed) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.segments, group[0].segment)
	if at < 0 || at+len(group) >= len(l.segments) {
		return false
	}
	for i, s := range group {
		if l.segments[at+i] != s.segment || s.dirty || l.segments[at+i].size != s.size {
			return false
		}
	}
	return true
}

// finishSwap is S4 and S5, for a running log and for a start.
func finishSwap(disk env.Disk, dir string, base int64, others []int64) error {
	for _, o := range others {
		for _, ext := range append([]string{logExt}, indexExts...) {
			if err := disk.Remove(filepath.Join(dir, baseName(o)+ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := renameIndexes(disk, dir, base, swapSuffix, ""); err != nil {
		return err
	}
	if err := disk.SyncDir(dir); err != nil {
		return err
	}
	if err := failpoint.Hit("clean.before-final"); err != nil {
		return err
	}
	name := filepath.Join(dir, baseName(base)+logExt)
	if err := disk.Rename(name+swapSuffix, name); err != nil {
		return err
	}
	if err := failpoint.Hit("clean.after-final"); err != nil {
		return err
	}
	if err := disk.SyncDir(dir); err != nil {
		return err
	}
	txns := filepath.Join(dir, baseName(base)+txnExt)
	if info, err := disk.Stat(txns); err == nil && info.Size() == 0 {
		return disk.Remove(txns)
	}
	return nil
}

func renameIndexes(disk env.Disk, dir string, base int64, from, to string) error {
	for _, ext := range indexExts {
		name := filepath.Join(dir, baseName(base)+ext)
		if err := disk.Rename(name+from, name+to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// putInPlace puts the cleaned segment into the list in place of its group. Handles on the old files close with their last
// reader; a reader that comes with an old segment in hand is told ErrDeleted and looks again.
func (l *Log) putInPlace(fresh *segment, group []sealed) {
	l.mu.Lock()
	at := slices.Index(l.segments, group[0].segment)
	fresh.synced, fresh.created = fresh.size, group[len(group)-1].created
	fresh.offsets.set(fresh.offsets.count(), fresh.offsets.tail)
	fresh.times.set(fresh.times.count(), fresh.times.tail)
	fresh.offsets.known = true
	fresh.verified = fresh.verified.add(0, fresh.size)
	fresh.abortedOnFile = len(fresh.aborted)
	l.segments = slices.Concat(l.segments[:at], []*segment{fresh}, l.segments[at+len(group):])
	l.mu.Unlock()
	for _, s := range group {
		for _, f := range s.files() {
			l.dir.handles.forget(f)
		}
	}
}
