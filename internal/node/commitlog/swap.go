package commitlog

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"millrace/internal/kafka/batch"
)

// An interrupted swap of the cleaner, as a start finds it. The cleaner writes a segment with `.cleaned`, renames its indexes
// to `.swap`, then its log, syncing the names after each step; a `.log.swap` therefore says that the new segment counts and
// is complete, and whatever of the old segments is still there goes. Without it the old segments count.

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// segmentFile splits the name of a segment's file from a suffix.
func segmentFile(name, suffix string) (base int64, ext string, ok bool) {
	name, ok = strings.CutSuffix(name, suffix)
	if !ok {
		return 0, "", false
	}
	for _, ext := range []string{logExt, indexExt, timeExt, txnExt, snapshotExt} {
		if base, ok := parseBase(name, ext); ok {
			return base, ext, true
		}
	}
	return 0, "", false
}

// finishSwaps removes temporary files, and finishes or drops an interrupted swap.
func (r *recovery) finishSwaps() error {
	list, err := r.dir.disk.List(r.Path())
	if err != nil {
		return err
	}
	swapped := map[int64]bool{}
	for _, e := range list {
		if base, ext, ok := segmentFile(e.Name(), swapSuffix); ok && ext == logExt {
			swapped[base] = true
		}
	}
	for _, e := range list {
		name := e.Name()
		_, _, isCleaned := segmentFile(name, cleanedSuffix)
		_, _, isDeleted := segmentFile(name, deletedSuffix)
		base, _, isSwap := segmentFile(name, swapSuffix)
		if isCleaned || isDeleted || isSwap && !swapped[base] || strings.HasSuffix(name, tmpSuffix) {
			if err := r.remove(name); err != nil {
				return err
			}
		}
	}
	if r.changed { // before the names are used again: nothing of them may come back
		if err := r.dir.disk.SyncDir(r.Path()); err != nil {
			return err
		}
	}
	for _, base := range slices.Sorted(maps.Keys(swapped)) {
		if err := r.finishSwap(base); err != nil {
			return err
		}
	}
	return nil
}

// finishSwap gives the cleaned segment at a base its name. The last batch of it ends where those end that it replaces. Its
// log comes last: until then a start does all this again. An index without `.swap` has its final name already.
func (r *recovery) finishSwap(base int64) error {
	end, err := r.swapEnd(base)
	if err != nil {
		return err
	}
	list, err := r.dir.disk.List(r.Path())
	if err != nil {
		return err
	}
	for _, e := range list {
		other, ext, ok := segmentFile(e.Name(), "")
		if ok && ext != snapshotExt && other > base && other < end {
			if err := r.remove(e.Name()); err != nil {
				return err
			}
		}
	}
	name := filepath.Join(r.Path(), baseName(base))
	for _, ext := range []string{indexExt, timeExt, txnExt} {
		if err := ignoreMissing(r.dir.disk.Rename(name+ext+swapSuffix, name+ext)); err != nil {
			return err
		}
	}
	if err := r.dir.disk.SyncDir(r.Path()); err != nil {
		return err
	}
	if err := r.dir.disk.Rename(name+logExt+swapSuffix, name+logExt); err != nil {
		return err
	}
	return r.dir.disk.SyncDir(r.Path())
}

// swapEnd is the offset after the last batch of a `.swap` segment.
func (r *recovery) swapEnd(base int64) (int64, error) {
	s := newSegment(r.Log, base)
	s.suffix = swapSuffix
	f, err := r.dir.handles.acquire(&s.data, false)
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	r.dir.handles.release(&s.data)
	next := base
	if err == nil {
		err = r.walk(s, 0, size, func(h *batch.Header, _ int64) error {
			next = h.NextOffset()
			return nil
		})
	}
	r.dir.handles.forget(&s.data)
	return next, err
}

// retire renames the files of segments that are no longer part of the log to `.deleted`; they go after
// file.delete.delay.ms. Readers that hold them read on.
func (l *Log) retire(old []*segment) {
	now := l.dir.options.Env.Clock.Now()
	due := now.Add(millis(l.Config().FileDeleteDelayMs))
	for _, s := range old {
		for _, f := range s.files() {
			l.dir.handles.forget(f)
			path := f.path()
			if err := l.dir.disk.Rename(path, path+deletedSuffix); err == nil {
				l.dir.removeLater(path+deletedSuffix, due)
			} else if ignoreMissing(err) != nil {
				l.dir.fail(err)
			}
		}
	}
}
