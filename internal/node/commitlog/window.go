package commitlog

import (
	"slices"

	"millrace/internal/kafka/batch"
)

// fillLimit bounds how far back the log is searched for the windows of producers loaded from a snapshot. A retry comes
// within the delivery timeout of its producer; what lies further back is not waited for.
const fillLimit = 256 << 20

// prepend puts older batches before the window, as many as there is room for.
func (p *producer) prepend(older []written) {
	if p.n > 0 {
		first := p.window[0].lastOffset
		older = slices.DeleteFunc(slices.Clone(older), func(w written) bool { return w.lastOffset >= first })
	}
	room := windowSize - int(p.n)
	older = older[max(0, len(older)-room):]
	copy(p.window[len(older):], p.window[:p.n])
	copy(p.window[:], older)
	p.n += int8(len(older))
}

// fillWindows rebuilds the windows of all producers that a snapshot left short, from the headers in the log. It runs when
// the first retry asks for it, so that a start does not read the log. The appender calls it. If a stretch cannot be read,
// the next retry tries again.
func (l *Log) fillWindows() (complete bool) {
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	below := l.windowsFrom
	l.mu.Unlock()
	older := make(map[int64][]written)
	for id, p := range l.producers.all {
		if p.short {
			older[id] = nil
		}
	}
	budget := int64(fillLimit)
	for i := len(segments) - 1; i >= 0 && budget > 0; i-- {
		if segments[i].base < below {
			budget -= segments[i].size
			if !l.collectWindows(segments[i], below, older) {
				return false
			}
		}
	}
	l.mu.Lock()
	for id, found := range older {
		p := l.producers.all[id]
		p.prepend(found)
		p.short = false
	}
	l.mu.Unlock()
	return true
}

// collectWindows puts the batches of one segment before those that were found in later ones.
func (l *Log) collectWindows(s *segment, below int64, older map[int64][]written) bool {
	here := make(map[int64][]written)
	err := l.walk(s, 0, s.size, func(h *batch.Header, _ int64) error {
		p := l.producers.all[h.ProducerID]
		if _, wanted := older[h.ProducerID]; !wanted || h.Control() || h.ProducerEpoch != p.epoch || h.BaseOffset >= below {
			return nil
		}
		w := append(here[h.ProducerID], written{h.LastSequence(), h.LastOffsetDelta, h.LastOffset(), h.MaxTimestamp})
		here[h.ProducerID] = w[max(0, len(w)-windowSize):]
		return nil
	})
	if err != nil {
		l.dir.log.Warn("producer windows could not be completed", "log", l.partition.String(), "error", err)
		return false
	}
	for id, found := range here {
		all := append(found, older[id]...)
		older[id] = all[max(0, len(all)-windowSize):]
	}
	return true
}
