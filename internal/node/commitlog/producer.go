package commitlog

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"millrace/internal/kafka/batch"
)

// windowSize is how many batches of a producer are remembered: a retry of one of them is answered with the original
// offsets (IDM-4).
const windowSize = 5

// written is what is remembered of one batch of a producer.
type written struct {
	lastSequence, offsetDelta int32
	lastOffset, timestamp     int64
}

func (w written) firstSequence() int32 {
	first := int64(w.lastSequence) - int64(w.offsetDelta)
	if first < 0 { // sequences wrap from 2^31-1 to 0
		first += math.MaxInt32 + 1
	}
	return int32(first)
}

func (w written) firstOffset() int64 { return w.lastOffset - int64(w.offsetDelta) }

// producer is the state of one producer id in one log.
type producer struct {
	id               int64
	epoch            int16 // -1: none yet
	coordinatorEpoch int32
	lastTimestamp    int64
	txnFirst         int64 // first offset of the open transaction, -1: none
	n                int8
	short            bool // loaded from a snapshot, which keeps one batch: older ones of the window are in the log only
	window           [windowSize]written
}

func newProducer(id int64) producer {
	return producer{id: id, epoch: -1, coordinatorEpoch: -1, lastTimestamp: -1, txnFirst: -1}
}

func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return -1
	}
	return p.window[p.n-1].lastSequence
}

func (p *producer) duplicate(h *batch.Header) (written, bool) {
	if p.epoch == h.ProducerEpoch {
		for _, w := range p.window[:p.n] {
			if w.firstSequence() == h.BaseSequence && w.lastSequence == h.LastSequence() {
				return w, true
			}
		}
	}
	return written{}, false
}

func (p *producer) checkEpoch(epoch int16) error {
	if epoch < p.epoch {
		return fmt.Errorf("%w: producer %d has epoch %d, the batch %d", ErrInvalidProducerEpoch, p.id, p.epoch, epoch)
	}
	return nil
}

// checkSequence is Kafka's rule: a new epoch starts at 0, a known one goes on where it was, and a producer without
// state (all of its batches are gone) may start anywhere.
func (p *producer) checkSequence(h *batch.Header) error {
	if p.epoch < 0 {
		return nil
	}
	want := int32(0)
	if h.ProducerEpoch == p.epoch && p.n > 0 {
		want = nextSequence(p.lastSequence())
	}
	if h.BaseSequence != want {
		return fmt.Errorf("%w: producer %d epoch %d sent sequence %d, expected %d", ErrOutOfOrderSequence, p.id,
			h.ProducerEpoch, h.BaseSequence, want)
	}
	return nil
}

func nextSequence(last int32) int32 {
	if last == math.MaxInt32 {
		return 0
	}
	return last + 1
}

func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.n, p.short = epoch, 0, false
	}
}

func (p *producer) add(h *batch.Header) {
	p.setEpoch(h.ProducerEpoch)
	if p.n == windowSize {
		copy(p.window[:], p.window[1:])
		p.n--
	}
	last := h.LastSequence()
	if h.BaseSequence < 0 { // offsets committed in a transaction carry no sequence
		last = -1
	}
	p.window[p.n] = written{last, h.LastOffsetDelta, h.LastOffset(), h.MaxTimestamp}
	p.n++
	if p.n == windowSize {
		p.short = false
	}
	p.lastTimestamp = h.MaxTimestamp
}

// txnEvent is the begin or the end of a transaction in the order of the log.
type txnEvent struct {
	producer, first int64
	marker          int64 // offset of the marker, -1: the transaction begins
	aborted         bool
}

// marker is the content of a control batch that ends a transaction.
type marker struct {
	commit           bool
	coordinatorEpoch int32
	timestamp        int64
}

// changes is what a run of batches will change in the producer states once it is written.
type changes struct {
	index  map[int64]int
	list   []producer
	events []txnEvent
}

func (c *changes) reset() {
	clear(c.index)
	c.list, c.events = c.list[:0], c.events[:0]
}

// of returns the changed state of a producer, made from the present one when it is first asked for.
func (c *changes) of(states *producers, id int64) *producer {
	if i, ok := c.index[id]; ok {
		return &c.list[i]
	}
	p := newProducer(id)
	if now := states.all[id]; now != nil {
		p = *now
	}
	if c.index == nil {
		c.index = make(map[int64]int)
	}
	c.index[id] = len(c.list)
	c.list = append(c.list, p)
	return &c.list[len(c.list)-1]
}

// data notes a data batch whose offsets are final. strict is false for batches that a leader has judged before.
func (c *changes) data(p *producer, h *batch.Header, strict bool) error {
	if strict && p.txnFirst >= 0 && !h.Transactional() {
		return fmt.Errorf("%w: producer %d, transaction since offset %d", ErrInvalidTxnState, p.id, p.txnFirst)
	}
	p.add(h)
	if p.txnFirst < 0 && h.Transactional() {
		p.txnFirst = h.BaseOffset
		c.events = append(c.events, txnEvent{p.id, h.BaseOffset, -1, false})
	}
	return nil
}

// checkMarker: under the second transaction version the marker's epoch is above the current one, except when the
// marker is repeated after the transaction has ended.
func (p *producer) checkMarker(h *batch.Header, m marker, transactionVersion int16) error {
	stale := h.ProducerEpoch < p.epoch
	if transactionVersion >= 2 && h.ProducerEpoch == p.epoch {
		stale = p.txnFirst >= 0 && h.ProducerEpoch != math.MaxInt16
	}
	if stale {
		return fmt.Errorf("%w: producer %d has epoch %d, the marker %d", ErrInvalidProducerEpoch, p.id, p.epoch, h.ProducerEpoch)
	}
	if m.coordinatorEpoch < p.coordinatorEpoch {
		return fmt.Errorf("%w: producer %d: coordinator epoch %d after %d", ErrTxnCoordinatorFenced, p.id,
			m.coordinatorEpoch, p.coordinatorEpoch)
	}
	return nil
}

// end notes a marker. One without data before it ends nothing.
func (c *changes) end(p *producer, h *batch.Header, m marker) {
	p.setEpoch(h.ProducerEpoch)
	p.coordinatorEpoch, p.lastTimestamp = m.coordinatorEpoch, m.timestamp
	if p.txnFirst >= 0 {
		c.events = append(c.events, txnEvent{p.id, p.txnFirst, h.LastOffset(), !m.commit})
		p.txnFirst = -1
	}
}

// openTxn is a transaction without its marker; ended is one whose marker is not below the high watermark yet.
type openTxn struct{ first, producer int64 }
type endedTxn struct{ first, marker int64 }

// producers are the producer states of a log at its end offset.
type producers struct {
	all   map[int64]*producer
	open  []openTxn  // by first offset
	ended []endedTxn // by first offset
}

// apply makes changes real, and returns the aborted transactions among them.
func (s *producers) apply(c *changes) []AbortedTxn {
	for i := range c.list {
		p := &c.list[i]
		if now := s.all[p.id]; now != nil {
			*now = *p
			continue
		}
		if s.all == nil {
			s.all = make(map[int64]*producer)
		}
		fresh := *p
		s.all[p.id] = &fresh
	}
	var aborted []AbortedTxn
	for _, e := range c.events {
		if e.marker < 0 {
			s.begin(openTxn{e.first, e.producer})
			continue
		}
		s.open = slices.DeleteFunc(s.open, func(o openTxn) bool { return o.first == e.first && o.producer == e.producer })
		at, _ := slices.BinarySearchFunc(s.ended, e.first, func(x endedTxn, first int64) int { return cmp.Compare(x.first, first) })
		s.ended = slices.Insert(s.ended, at, endedTxn{e.first, e.marker})
		if e.aborted {
			stable := e.marker + 1
			if len(s.open) > 0 {
				stable = s.open[0].first
			}
			aborted = append(aborted, AbortedTxn{e.producer, e.first, e.marker, stable})
		}
	}
	return aborted
}

func (s *producers) begin(o openTxn) {
	at, _ := slices.BinarySearchFunc(s.open, o.first, func(x openTxn, first int64) int { return cmp.Compare(x.first, first) })
	s.open = slices.Insert(s.open, at, o)
}

// stable is the last stable offset under a high watermark: nothing at or above it belongs to an open transaction, or
// to one whose marker a reader cannot see yet.
func (s *producers) stable(highWatermark int64) int64 {
	lso := highWatermark
	if len(s.open) > 0 {
		lso = min(lso, s.open[0].first)
	}
	for _, e := range s.ended {
		if e.first >= lso {
			break
		}
		if e.marker >= highWatermark {
			return e.first
		}
	}
	return lso
}

// settle forgets ended transactions whose marker the high watermark has passed.
func (s *producers) settle(highWatermark int64) {
	if len(s.ended) > 0 {
		s.ended = slices.DeleteFunc(s.ended, func(e endedTxn) bool { return e.marker < highWatermark })
	}
}

// expire forgets producers that have been silent for too long and have no open transaction.
func (s *producers) expire(nowMs, expirationMs int64) {
	for id, p := range s.all {
		if p.txnFirst < 0 && nowMs-p.lastTimestamp >= expirationMs {
			delete(s.all, id)
		}
	}
}

// sorted lists the states by producer id.
func (s *producers) sorted() []producer {
	list := make([]producer, 0, len(s.all))
	for _, p := range s.all {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b producer) int { return cmp.Compare(a.id, b.id) })
	return list
}

// load takes the states of a snapshot.
func (s *producers) load(list []producer) {
	*s = producers{}
	for _, p := range list {
		if s.all == nil {
			s.all = make(map[int64]*producer)
		}
		s.all[p.id] = &p
		if p.txnFirst >= 0 {
			s.begin(openTxn{p.txnFirst, p.id})
		}
	}
}

// ProducerState is what DescribeProducers tells of a producer.
type ProducerState struct {
	ProducerID            int64
	ProducerEpoch         int16
	LastSequence          int32
	LastTimestamp         int64
	CoordinatorEpoch      int32
	CurrentTxnFirstOffset int64 // -1: no open transaction
}

// Producers lists the producers with state in the log, by id.
func (l *Log) Producers() []ProducerState {
	l.mu.Lock()
	list := l.producers.sorted()
	l.mu.Unlock()
	states := make([]ProducerState, len(list))
	for i := range list {
		p := &list[i]
		states[i] = ProducerState{p.id, p.epoch, p.lastSequence(), p.lastTimestamp, p.coordinatorEpoch, p.txnFirst}
	}
	return states
}
