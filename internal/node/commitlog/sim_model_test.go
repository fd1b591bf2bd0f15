package commitlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"millrace/internal/kafka/batch"
)

// modelBatch is one batch as the log must hold it.
type modelBatch struct {
	bytes   []byte
	h       batch.Header
	records []batch.Record // nil for markers
	marker  bool
	commit  bool
	coord   int32
	at      int64 // ms, when it was appended
}

func (b *modelBatch) time(r *batch.Record) int64 {
	if b.h.LogAppendTime() {
		return b.h.MaxTimestamp
	}
	return b.h.BaseTimestamp + r.TimestampDelta
}

// modelLog is what a log must be: plain slices, recomputed from the history where that is simplest.
type modelLog struct {
	history []modelBatch // everything accepted, from offset 0 on, also what retention and compaction removed since
	doubt   []modelBatch // an append that was interrupted: any whole batches of it, from the first on, may be there
	end     int64
	flushed int64 // the highest flushed end reported: nothing below may be lost
	start   int64 // nothing below may be served
	startTo int64 // an interrupted DeleteRecords or retention may have moved the start up to here
	cutTo   int64 // an interrupted truncation may have cut the log down to here; -1: none
	highest int64 // the high watermark
	visible int64 // the highest there ever was: nobody truncates below it
	epochs  []epochStart
	epoch   int32 // the newest that was forgotten

	cleanings []cleaning // compaction passes that may have had an effect
}

// cleaning is a compaction pass: what it was allowed to touch, and when it ran.
type cleaning struct {
	bound int64 // min(high watermark, last stable offset, start of the active segment)
	now   int64
}

func newModelLog() *modelLog { return &modelLog{cutTo: -1} }

// add puts an accepted batch at the end.
func (m *modelLog) add(b modelBatch) {
	m.history = append(m.history, b)
	m.end = b.h.NextOffset()
}

// cut is a truncation.
func (m *modelLog) cut(to int64) {
	m.end = min(m.end, to)
	for n := len(m.history); n > 0 && m.history[n-1].h.NextOffset() > m.end; n-- {
		m.history = m.history[:n-1]
	}
	m.flushed = min(m.flushed, m.end)
	m.highest = min(m.highest, m.end)
	for len(m.epochs) > 0 && m.epochs[len(m.epochs)-1].start >= m.end {
		m.epochs = m.epochs[:len(m.epochs)-1]
	}
}

func (m *modelLog) assign(epoch int32) {
	m.epochs = epochs(m.epochs).assign(epoch, m.end)
}

// forgetEpochs: a log without a record has no epochs, but its leaders do not go back.
func (m *modelLog) forgetEpochs() {
	m.epoch, m.epochs = max(m.epoch, m.latestEpoch()), nil
}

func (m *modelLog) latestEpoch() int32 { return epochs(m.epochs).latest() }

// containing is the index of the batch that holds an offset.
func (m *modelLog) containing(offset int64) int {
	i, _ := slices.BinarySearchFunc(m.history, offset, func(b modelBatch, o int64) int { return cmp.Compare(b.h.LastOffset(), o) })
	return i
}

// modelProducer is the state of one producer, from a replay of the history.
type modelProducer struct {
	epoch    int16
	coord    int32
	window   []modelWrite // the last five of this epoch
	txnFirst int64
}

type modelWrite struct {
	first, last int32
	base, end   int64
}

func (p *modelProducer) lastSequence() int32 {
	if len(p.window) == 0 {
		return -1
	}
	return p.window[len(p.window)-1].last
}

func (m *modelLog) producers() map[int64]*modelProducer {
	states := map[int64]*modelProducer{}
	for i := range m.history {
		applyToModel(states, &m.history[i])
	}
	return states
}

func applyToModel(states map[int64]*modelProducer, b *modelBatch) {
	if b.h.ProducerID < 0 {
		return
	}
	p := states[b.h.ProducerID]
	if p == nil {
		p = &modelProducer{epoch: -1, coord: -1, txnFirst: -1}
		states[b.h.ProducerID] = p
	}
	if p.epoch != b.h.ProducerEpoch {
		p.epoch, p.window = b.h.ProducerEpoch, nil
	}
	if b.marker {
		p.coord, p.txnFirst = b.coord, -1
		return
	}
	p.window = append(p.window, modelWrite{b.h.BaseSequence, b.h.LastSequence(), b.h.BaseOffset, b.h.LastOffset()})
	if len(p.window) > windowSize {
		p.window = p.window[1:]
	}
	if b.h.Transactional() && p.txnFirst < 0 {
		p.txnFirst = b.h.BaseOffset
	}
}

// modelTxn is a transaction of the history; marker is -1 while it is open.
type modelTxn struct {
	producer, first, marker int64
	aborted                 bool
}

func (m *modelLog) txns() []modelTxn {
	var all []modelTxn
	open := map[int64]int{}
	for i := range m.history {
		b := &m.history[i]
		at, isOpen := open[b.h.ProducerID]
		switch {
		case b.marker && isOpen:
			all[at].marker, all[at].aborted = b.h.LastOffset(), !b.commit
			delete(open, b.h.ProducerID)
		case !b.marker && b.h.Transactional() && !isOpen:
			open[b.h.ProducerID] = len(all)
			all = append(all, modelTxn{b.h.ProducerID, b.h.BaseOffset, -1, false})
		}
	}
	return all
}

func (m *modelLog) lastStable(hw int64) int64 {
	lso := hw
	for _, t := range m.txns() {
		if t.first < lso && (t.marker < 0 || t.marker >= hw) {
			lso = t.first
		}
	}
	return lso
}

// aborted lists what a read-committed reader of [from, to) needs.
func (m *modelLog) aborted(from, to int64) []modelTxn {
	return slices.DeleteFunc(m.txns(), func(t modelTxn) bool {
		return !t.aborted || t.marker < from || t.first >= to
	})
}

// verdict is what the log must say to a batch of a producer: nil, a refusal, or a duplicate.
func (p *modelProducer) verdict(h *batch.Header) (dup *modelWrite, refusal error) {
	if p == nil || h.ProducerID < 0 {
		return nil, nil
	}
	if h.ProducerEpoch < p.epoch {
		return nil, ErrInvalidProducerEpoch
	}
	if h.ProducerEpoch == p.epoch {
		for i, w := range p.window {
			if w.first == h.BaseSequence && w.last == h.LastSequence() {
				return &p.window[i], nil
			}
		}
	}
	want := int32(0)
	if h.ProducerEpoch == p.epoch && len(p.window) > 0 {
		want = batch.AddSequence(p.lastSequence(), 1)
	}
	if p.epoch >= 0 && h.BaseSequence != want {
		return nil, ErrOutOfOrderSequence
	}
	if p.txnFirst >= 0 && !h.Transactional() {
		return nil, ErrInvalidTxnState
	}
	return nil, nil
}

// view is the keyed content of a log as a read-committed reader sees it.
type view map[string]viewEntry

type viewEntry struct {
	offset    int64
	value     string
	tombstone bool
	at        int64
}

// committedView folds batches below end, skipping data of the given aborted transactions.
func committedView(batches []modelBatch, aborted []modelTxn, end int64) view {
	v := view{}
	for i := range batches {
		b := &batches[i]
		if b.marker || b.h.LastOffset() >= end || b.isAborted(aborted) {
			continue
		}
		for j := range b.records {
			r := &b.records[j]
			if r.Key == nil {
				continue
			}
			v[string(r.Key)] = viewEntry{b.h.BaseOffset + int64(r.OffsetDelta), string(r.Value), r.Value == nil, b.at}
		}
	}
	return v
}

func (b *modelBatch) isAborted(aborted []modelTxn) bool {
	return b.h.Transactional() && slices.ContainsFunc(aborted, func(t modelTxn) bool {
		return t.producer == b.h.ProducerID && t.first <= b.h.BaseOffset && b.h.LastOffset() < t.marker
	})
}

// settle takes over what a recovered log shows where the model allowed several outcomes, and refuses the rest.
func (m *modelLog) settle(start, end int64, killed bool) error {
	least := m.flushed
	if killed { // the page cache survives a process
		least = m.end
	}
	if m.cutTo >= 0 {
		least = min(least, m.cutTo)
	}
	whole := append(slices.Clone(m.history), m.doubt...)
	most := m.end
	if n := len(m.doubt); n > 0 {
		most = m.doubt[n-1].h.NextOffset()
	}
	if end < least || end > most {
		return fmt.Errorf("DUR-1: the log ends at %d, it must end in %d..%d (flushed %d)", end, least, most, m.flushed)
	}
	boundary := end == 0 || end == m.end || slices.ContainsFunc(whole, func(b modelBatch) bool { return b.h.NextOffset() == end })
	if !boundary && end != start {
		return fmt.Errorf("ORD-7: the log ends at %d, in the middle of a batch", end)
	}
	if start < m.start || start > max(m.start, m.startTo) {
		return fmt.Errorf("RET-2, ORD-10: the log starts at %d, it must start in %d..%d", start, m.start, max(m.start, m.startTo))
	}
	m.history, m.doubt, m.cutTo = whole, nil, -1
	m.end = most
	m.start, m.startTo = start, 0
	flushed := m.flushed
	m.cut(end)
	m.end, m.flushed = end, min(flushed, end)
	return nil
}

// compare reads the whole log and holds it against the model.
func (m *modelLog) compare(l *Log) error {
	got, err := readAll(l)
	if err != nil {
		return err
	}
	if len(m.cleanings) == 0 {
		return m.compareBytes(got)
	}
	return m.compareCleaned(l, got)
}

func (m *modelLog) compareBytes(got []modelBatch) error {
	want := m.history[m.containing(m.start):]
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("DUR-1: batch %d..%d is missing", want[i].h.BaseOffset, want[i].h.LastOffset())
		case i >= len(want):
			return fmt.Errorf("DUR-6: batch %d..%d was never accepted", got[i].h.BaseOffset, got[i].h.LastOffset())
		case !bytes.Equal(got[i].bytes, want[i].bytes):
			return fmt.Errorf("ORD-1: batch %d..%d differs from the accepted one %d..%d", got[i].h.BaseOffset, got[i].h.LastOffset(),
				want[i].h.BaseOffset, want[i].h.LastOffset())
		}
	}
	return nil
}

func readAll(l *Log) ([]modelBatch, error) {
	var all []modelBatch
	for at := l.StartOffset(); at < l.EndOffset(); {
		got, err := readSome(l, at, l.EndOffset(), 1<<20)
		if err != nil {
			return nil, fmt.Errorf("reading at %d of %d..%d: %w", at, l.StartOffset(), l.EndOffset(), err)
		}
		if len(got) == 0 {
			return all, nil // a compacted log may end in a gap
		}
		all = append(all, got...)
		at = got[len(got)-1].h.NextOffset()
	}
	return all, nil
}

func readSome(l *Log, from, below int64, maxBytes int) ([]modelBatch, error) {
	s, err := l.Read(from, below, maxBytes, true)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	b := make([]byte, s.Size())
	if err := s.ReadAt(b, 0); err != nil {
		return nil, err
	}
	return splitBatches(b)
}

func splitBatches(b []byte) ([]modelBatch, error) {
	var all []modelBatch
	for len(b) > 0 {
		h, err := batch.ParseHeader(b)
		if err != nil || h.Size() > len(b) {
			return nil, fmt.Errorf("ORD-7: %d bytes that are no whole batch: %v", len(b), err)
		}
		one := b[:h.Size():h.Size()]
		b = b[h.Size():]
		if !batch.CheckCRC(one) {
			return nil, fmt.Errorf("DUR-8: batch %d..%d was served with a wrong checksum", h.BaseOffset, h.LastOffset())
		}
		if n := len(all); n > 0 && h.BaseOffset < all[n-1].h.NextOffset() {
			return nil, fmt.Errorf("ORD-4: batch %d follows %d", h.BaseOffset, all[n-1].h.LastOffset())
		}
		mb, err := parseBatch(one)
		if err != nil {
			return nil, err
		}
		all = append(all, mb)
	}
	return all, nil
}

func parseBatch(b []byte) (modelBatch, error) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return modelBatch{}, err
	}
	mb := modelBatch{bytes: b, h: h, marker: h.Control()}
	recs, err := batch.Records(b, 1<<20)
	if err != nil {
		return mb, err
	}
	if !mb.marker {
		mb.records = recs
		return mb, nil
	}
	if len(recs) == 1 {
		kind, coord, err := batch.ParseControl(recs[0])
		if err != nil {
			return mb, err
		}
		mb.commit, mb.coord = kind == batch.ControlCommit, coord
	}
	return mb, nil
}

// compareState holds everything that is not batches against the model.
func (m *modelLog) compareState(l *Log) error {
	return errors.Join(m.compareEpochs(l), m.compareStable(l), m.compareAborted(l), m.compareProducers(l))
}

func (m *modelLog) compareEpochs(l *Log) error {
	if got := l.LatestEpoch(); got != m.latestEpoch() {
		return fmt.Errorf("ORD-8: latest epoch %d, want %d", got, m.latestEpoch())
	}
	for i, e := range m.epochs {
		end := m.end
		if i+1 < len(m.epochs) {
			end = m.epochs[i+1].start
		}
		if end <= m.start && i+1 < len(m.epochs) { // below the log start the log may know less
			continue
		}
		if ge, gend := l.EpochEnd(e.epoch); ge != e.epoch || gend != end {
			return fmt.Errorf("ORD-8: epoch %d ends at (%d, %d), want %d", e.epoch, ge, gend, end)
		}
	}
	return nil
}

func (m *modelLog) compareStable(l *Log) error {
	for _, hw := range []int64{m.highest, m.end} {
		want := m.lastStable(hw)
		if got := l.LastStable(hw); hw < m.visible && len(m.cleanings) > 0 && got >= want && got <= m.lastStable(m.visible) {
			continue // compacted up to a high watermark that was forgotten since: what lay below it was decided
		}
		if got := l.LastStable(hw); max(got, m.start) != max(want, m.start) { // what begins below the log start holds nothing back
			return fmt.Errorf("TXN-2: last stable offset under %d is %d, want %d", hw, got, want)
		}
	}
	return nil
}

func (m *modelLog) compareAborted(l *Log) error {
	got := l.AbortedTxns(m.start, m.end)
	want := m.aborted(m.start, m.end)
	for _, g := range got {
		if !slices.ContainsFunc(want, func(t modelTxn) bool {
			// An index made anew after compaction begins with the first batch that is left.
			begins := t.first == g.FirstOffset || len(m.cleanings) > 0 && t.first < g.FirstOffset
			return t.producer == g.ProducerID && begins && t.marker == g.LastOffset
		}) {
			return fmt.Errorf("TXN-1: aborted list has %+v, want %+v", g, want)
		}
	}
	if len(m.cleanings) == 0 && len(got) != len(want) {
		return fmt.Errorf("TXN-1: aborted list %+v, want %+v", got, want)
	}
	return nil
}

func (m *modelLog) compareProducers(l *Log) error {
	want := m.producers()
	got := l.Producers()
	for _, g := range got {
		p := want[g.ProducerID]
		if p == nil {
			return fmt.Errorf("IDM-1: producer %d has state, and wrote nothing", g.ProducerID)
		}
		if g.ProducerEpoch != p.epoch || g.LastSequence != p.lastSequence() || g.CurrentTxnFirstOffset != p.txnFirst {
			return fmt.Errorf("IDM-1: producer state %+v, want epoch %d sequence %d transaction %d", g, p.epoch, p.lastSequence(), p.txnFirst)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("IDM-1: %d producers have state, want %d", len(got), len(want))
	}
	return nil
}

// checkRead holds one answer of Read against the model: a run of whole batches from the one that contains from.
func (m *modelLog) checkRead(got []modelBatch, from, below int64, size int) error {
	at := m.containing(from)
	if len(m.cleanings) > 0 {
		return m.checkCleanedBatches(got)
	}
	if len(got) == 0 && m.history[at].h.NextOffset() <= below {
		return fmt.Errorf("ORD-4: nothing at %d below %d, batch %d..%d is there", from, below, m.history[at].h.BaseOffset, m.history[at].h.LastOffset())
	}
	total := 0
	for i := range got {
		want := &m.history[at+i]
		if !bytes.Equal(got[i].bytes, want.bytes) {
			return fmt.Errorf("ORD-1: read from %d: batch %d..%d, want %d..%d", from, got[i].h.BaseOffset, got[i].h.LastOffset(),
				want.h.BaseOffset, want.h.LastOffset())
		}
		if total += len(want.bytes); got[i].h.NextOffset() > below || i > 0 && total > size {
			return fmt.Errorf("ORD-6: read from %d below %d, at most %d bytes: got up to %d", from, below, size, got[i].h.LastOffset())
		}
	}
	return nil
}

// forTimestamp is the first record at or after a time; -1: none.
func (m *modelLog) forTimestamp(ts, below int64) (offset, at int64) {
	for i := range m.history {
		b := &m.history[i]
		if b.h.NextOffset() > below {
			break
		}
		for j := range b.records {
			o := b.h.BaseOffset + int64(b.records[j].OffsetDelta)
			if t := b.time(&b.records[j]); o >= m.start && t >= ts {
				return o, t
			}
		}
		if b.marker && b.h.BaseOffset >= m.start && b.h.MaxTimestamp >= ts {
			return b.h.BaseOffset, b.h.MaxTimestamp
		}
	}
	return -1, -1
}
