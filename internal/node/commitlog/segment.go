package commitlog

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/node/env"
)

const (
	logExt      = ".log"
	indexExt    = ".index"
	timeExt     = ".timeindex"
	txnExt      = ".txnindex"
	snapshotExt = ".snapshot"

	deletedSuffix = ".deleted"
	cleanedSuffix = ".cleaned"
	swapSuffix    = ".swap"
	tmpSuffix     = ".tmp"
)

func baseName(offset int64) string { return fmt.Sprintf("%020d", offset) }

// parseBase reads the offset of a file name of twenty digits and an extension.
func parseBase(name, ext string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ext)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

// segment is a run of batches in one `.log` file with its indexes. Everything but base and log belongs to the
// log's mu; sizes only grow, except under TruncateTo.
type segment struct {
	log    *Log
	base   int64
	suffix string // ".deleted" once it waits for deletion

	data    diskFile
	offsets entries
	times   entries
	txns    diskFile

	size   int64 // published bytes
	synced int64 // bytes known to be on disk

	pin     env.File // held open while size > synced, so that the fdatasync has the handle that wrote
	dirty   bool     // in log.dirty
	created time.Time

	// Read from the indexes when first needed; offsets.known says that they are.
	largestTime     int64 // -1: no batch with a timestamp
	largestTimeAt   int64 // last offset of the batch that holds it
	firstTime       int64 // max timestamp of the first batch: segment.ms counts from it; -1: none
	sinceIndexEntry int64 // bytes appended since the last offset entry

	aborted       []AbortedTxn // always in memory: a read-committed reader must never miss one
	abortedOnFile int
	indexesDirty  bool // index files hold bytes that were not synced yet

	jitter   int64
	verified ranges // of the file whose checksums were seen to be right since the start
}

func newSegment(l *Log, base int64) *segment {
	s := &segment{log: l, base: base, largestTime: -1, firstTime: -1, largestTimeAt: base}
	s.data = diskFile{seg: s, ext: logExt}
	s.txns = diskFile{seg: s, ext: txnExt}
	s.offsets = entries{diskFile: diskFile{seg: s, ext: indexExt}, width: offsetEntrySize}
	s.times = entries{diskFile: diskFile{seg: s, ext: timeExt}, width: timeEntrySize}
	return s
}

func (s *segment) path(ext string) string {
	return filepath.Join(s.log.Path(), baseName(s.base)+ext+s.suffix)
}

func (s *segment) files() []*diskFile {
	return []*diskFile{&s.data, &s.offsets.diskFile, &s.times.diskFile, &s.txns}
}

// note takes a batch at position into account: largest timestamp and index entries. The rule and its order are
// Kafka's: the timestamp counts first, the entry names the batch that crossed the interval.
func (s *segment) note(h *batch.Header, position int64, interval int) {
	last := h.LastOffset()
	if position == 0 {
		s.firstTime = h.MaxTimestamp
	}
	if h.MaxTimestamp > s.largestTime {
		s.largestTime, s.largestTimeAt = h.MaxTimestamp, last
	}
	if s.sinceIndexEntry > int64(interval) {
		s.offsets.add(appendOffsetEntry(nil, int32(last-s.base), int32(position)))
		s.noteTime()
		s.sinceIndexEntry = 0
	}
	s.sinceIndexEntry += int64(h.Size())
}

// noteTime adds a time entry if the largest timestamp has grown since the last one.
func (s *segment) noteTime() {
	lastTime := int64(-1)
	if s.times.last != nil {
		lastTime, _ = parseTimeEntry(s.times.last)
	}
	if s.largestTime > lastTime {
		s.times.add(appendTimeEntry(nil, s.largestTime, int32(s.largestTimeAt-s.base)))
	}
}

// full tells whether the segment, with pending bytes more than it has, must be rolled before a batch of size bytes that
// ends at lastOffset.
func (s *segment) full(c *Config, now time.Time, pending, size int64, lastOffset, maxTimestamp int64) bool {
	maxEntries := c.SegmentIndexBytes / offsetEntrySize
	maxTimes := c.SegmentIndexBytes/timeEntrySize - 1
	have := s.size + pending
	return have > c.SegmentBytes-size && have > 0 ||
		have > 0 && s.waited(now, maxTimestamp) > c.SegmentMs-s.jitter ||
		s.offsets.count() >= max(maxEntries, 1) || s.times.count() >= max(maxTimes, 1) ||
		lastOffset-s.base > 1<<31-1
}

// waited is the age that segment.ms is compared with: between first and newest batch if they have timestamps.
func (s *segment) waited(now time.Time, maxTimestamp int64) int64 {
	if s.firstTime >= 0 {
		return maxTimestamp - s.firstTime
	}
	return now.Sub(s.created).Milliseconds()
}
