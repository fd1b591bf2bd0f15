package commitlog

import (
	"fmt"
	"slices"
	"strings"
)

// epochStart says: from start on, batches carry epoch, until the next one starts.
type epochStart struct {
	epoch int32
	start int64
}

// epochs are the leader epochs of a log, rising in both fields.
type epochs []epochStart

// assign starts an epoch. Entries that it contradicts (a start at or above its own, an epoch at or above) go.
func (e epochs) assign(epoch int32, start int64) epochs {
	for len(e) > 0 && (e[len(e)-1].start >= start || e[len(e)-1].epoch >= epoch) {
		e = e[:len(e)-1]
	}
	return append(slices.Clip(e), epochStart{epoch, start})
}

func (e epochs) latest() int32 {
	if len(e) == 0 {
		return -1
	}
	return e[len(e)-1].epoch
}

// end returns the largest epoch at or below the one asked for, and where it ends; -1, -1 if the log cannot tell.
func (e epochs) end(epoch int32, logEnd int64) (int32, int64) {
	if epoch < 0 || epoch > e.latest() {
		return -1, -1
	}
	if epoch == e.latest() {
		return epoch, logEnd
	}
	higher := slices.IndexFunc(e, func(s epochStart) bool { return s.epoch > epoch })
	if higher == 0 { // older than everything known: it ends where the oldest known begins
		return epoch, e[0].start
	}
	return e[higher-1].epoch, e[higher].start
}

// at returns the epoch of the batch at an offset, -1 if it is unknown.
func (e epochs) at(offset int64) int32 {
	epoch := int32(-1)
	for _, s := range e {
		if s.start > offset {
			break
		}
		epoch = s.epoch
	}
	return epoch
}

// cutEnd drops epochs that start at or above the end.
func (e epochs) cutEnd(end int64) epochs {
	for len(e) > 0 && e[len(e)-1].start >= end {
		e = e[:len(e)-1]
	}
	return e
}

// cutStart drops epochs that end below the log start; the one that holds it now begins there.
func (e epochs) cutStart(start int64) epochs {
	last := -1
	for i, s := range e {
		if s.start <= start {
			last = i
		}
	}
	if last < 0 {
		return e
	}
	e = slices.Clone(e[last:])
	e[0].start = start
	return e
}

const epochsFile = "leader-epoch-checkpoint"

func (e epochs) text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "0\n%d\n", len(e))
	for _, s := range e {
		fmt.Fprintf(&b, "%d %d\n", s.epoch, s.start)
	}
	return []byte(b.String())
}

func parseEpochs(b []byte) (epochs, error) {
	lines, err := parseCheckpoint(b)
	if err != nil {
		return nil, err
	}
	var e epochs
	for _, line := range lines {
		var s epochStart
		if n, err := fmt.Sscanf(line, "%d %d", &s.epoch, &s.start); n != 2 || err != nil || s.epoch < 0 || s.start < 0 {
			return nil, fmt.Errorf("%w: leader epoch line %q", ErrCorrupt, line)
		}
		if len(e) > 0 && (s.epoch <= e.latest() || s.start < e[len(e)-1].start) {
			return nil, fmt.Errorf("%w: leader epoch line %q after %v", ErrCorrupt, line, e[len(e)-1])
		}
		e = append(e, s)
	}
	return e, nil
}
