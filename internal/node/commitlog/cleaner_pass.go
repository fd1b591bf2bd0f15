package commitlog

import (
	"cmp"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"millrace/internal/kafka/batch"
)

var errCleanerStopped = errors.New("the directory is being closed")

// clean compacts what w allows and returns the offset up to which the log is clean now.
func (l *Log) clean(c *cleaner, w cleanWork, now time.Time) (int64, error) {
	segments := l.inactive()
	for len(segments) > 0 && segments[len(segments)-1].next > w.bound {
		segments = segments[:len(segments)-1]
	}
	if len(segments) == 0 {
		return w.first, nil
	}
	last, err := l.lastRecords(segments)
	if err != nil {
		return 0, err
	}
	aborted := l.abortedIn(segments[0].base, w.bound)
	if err := l.mapKeys(c, segments, w, aborted); err != nil {
		return 0, err
	}
	to := c.keys.last + 1
	if to <= w.first {
		return 0, errors.New("the key map cannot hold the keys of one batch")
	}
	config := l.config.Load()
	f := &batchFilter{
		keys: &c.keys, txns: newCleanedTxns(aborted), producers: last,
		now: now.UnixMilli(), deleteRetention: config.DeleteRetentionMs, maxDecompressed: cleanerDecompress,
	}
	for _, group := range groupSegments(segments, to, config) {
		if err := l.cleanGroup(c, group, f, config); err != nil {
			return 0, err
		}
	}
	l.tidySnapshots()
	return to, nil
}

// abortedIn lists the aborted transactions with records in [from, to) by first offset.
func (l *Log) abortedIn(from, to int64) []AbortedTxn {
	all := slices.Clone(l.AbortedTxns(from, to))
	slices.SortFunc(all, func(a, b AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return all
}

// mapKeys fills the key map from the dirty part, until that ends or the map is full (K1).
func (l *Log) mapKeys(c *cleaner, segments []sealed, w cleanWork, aborted []AbortedTxn) error {
	dirty := segments
	for len(dirty) > 0 && dirty[0].next <= w.first {
		dirty = dirty[1:]
	}
	records := 0
	for _, s := range dirty {
		err := l.walk(s.segment, 0, s.size, func(h *batch.Header, _ int64) error {
			records += int(max(0, h.Count))
			return nil
		})
		if err != nil {
			return err
		}
	}
	c.keys.reset(records, cleanerKeyBytes)
	txns := newCleanedTxns(aborted)
	for _, s := range dirty {
		full := false
		err := l.eachBatch(c, s, func(h *batch.Header, b []byte) error {
			if !c.keys.note(h, b, txns, w.first) {
				full = true
				return errStop
			}
			return nil
		})
		if full || err != nil {
			return err
		}
		c.keys.last = max(c.keys.last, s.next-1)
	}
	return nil
}

// note maps the keys of one batch; false says that the map is full, and the batch not in it as a whole.
func (m *keyMap) note(h *batch.Header, b []byte, txns *cleanedTxns, first int64) bool {
	switch {
	case h.Control():
		if commit, isMarker := endsTransaction(b); isMarker {
			txns.marker(h.ProducerID, h.LastOffset(), commit)
		}
	case !txns.data(h.ProducerID, h.LastOffset(), h.Transactional()) && h.LastOffset() >= first:
		full := false
		// A batch that cannot be decoded has no keys for us and stays as it is (F6).
		batch.Each(b, cleanerDecompress, func(r batch.Record) error {
			if r.Key != nil && !m.put(r.Key, h.BaseOffset+int64(r.OffsetDelta)) {
				full = true
				return errStop
			}
			return nil
		})
		if full {
			return false
		}
	}
	m.last = max(m.last, h.LastOffset())
	return true
}

// eachBatch calls f with every whole batch of a segment. A batch whose checksum is wrong stops the pass: compacting
// damaged bytes would hide the damage (DUR-8).
func (l *Log) eachBatch(c *cleaner, s sealed, f func(h *batch.Header, b []byte) error) error {
	file, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&s.data)
	sc := newScanner(file, 0, s.size, cleanerReadAhead)
	defer sc.close()
	for !c.stopped.Load() {
		h, at, err := sc.next()
		if err == io.EOF {
			return nil
		}
		var b []byte
		if err == nil {
			b, err = sc.whole(&h, at)
		}
		if err == nil && !batch.CheckCRC(b) {
			err = errors.Join(ErrCorrupt, errors.New("wrong CRC at offset "+baseName(h.BaseOffset)))
		}
		if err == nil {
			err = f(&h, b)
		}
		if err == errStop {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errCleanerStopped
}

// lastRecords finds the newest batch, and where it matters the newest marker, of each live producer in the segments.
func (l *Log) lastRecords(segments []sealed) (map[int64]lastRecord, error) {
	l.mu.Lock()
	live := make(map[int64]bool, len(l.producers.all))
	for id := range l.producers.all { // order-free
		live[id] = true
	}
	l.mu.Unlock()
	last := make(map[int64]lastRecord, len(live))
	epochs := make(map[int64]int16, len(live))
	for _, s := range segments {
		err := l.walk(s.segment, 0, s.size, func(h *batch.Header, _ int64) error {
			if !live[h.ProducerID] {
				return nil
			}
			r, known := last[h.ProducerID]
			switch {
			case !h.Control():
				r = lastRecord{h.LastOffset(), -1}
			case !known:
				r = lastRecord{-1, h.LastOffset()}
			case h.ProducerEpoch > epochs[h.ProducerID] || r.marker >= 0:
				r.marker = h.LastOffset()
			}
			last[h.ProducerID], epochs[h.ProducerID] = r, h.ProducerEpoch
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// groupSegments puts neighbours together that fit into one segment, so that small remains do not pile up. Segments at or
// above to were not mapped and stay.
func groupSegments(segments []sealed, to int64, c *Config) [][]sealed {
	var groups [][]sealed
	var size int64
	for _, s := range segments {
		if s.base >= to {
			break
		}
		n := len(groups)
		fits := n > 0 && size+s.size <= c.SegmentBytes && s.next-1-groups[n-1][0].base <= math.MaxInt32
		if !fits {
			groups, size = append(groups, nil), 0
			n++
		}
		groups[n-1] = append(groups[n-1], s)
		size += s.size
	}
	return groups
}
