package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// position is where in a log somebody wants to be.
type position struct {
	kind positionKind
	n    int64     // an offset, or how many before the end
	at   time.Time // the first record from then on
}

type positionKind int

const (
	atBeginning positionKind = iota
	atEnd
	atOffset
	beforeEnd
	atTime
)

const positionHelp = `beginning, end, an offset, -N for the last N of each partition, a time (2026-01-31T12:00:00Z, 2026-01-31), or a time ago (15m, 2h, 3d)`

func parsePosition(s string, now time.Time) (position, error) {
	switch s {
	case "beginning", "start", "earliest":
		return position{kind: atBeginning}, nil
	case "end", "latest":
		return position{kind: atEnd}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if strings.HasPrefix(s, "-") {
			return position{kind: beforeEnd, n: -n}, nil
		}
		return position{kind: atOffset, n: n}, nil
	}
	if d, ok := parseAgo(s); ok {
		return position{kind: atTime, at: now.Add(-d)}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return position{kind: atTime, at: t}, nil
		}
	}
	return position{}, usagef("%q is no position: give %s", s, positionHelp)
}

// parseAgo knows days besides Go's units.
func parseAgo(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, true
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

// bounds are the first offset of a partition, the one after its last, and the one that a time stands for.
type bounds struct{ start, end, timed int64 }

// within makes an offset of a position. An offset outside of the log is an error unless clamp is set.
func (p position) within(b bounds, clamp bool) (int64, error) {
	switch p.kind {
	case atBeginning:
		return b.start, nil
	case atEnd:
		return b.end, nil
	case beforeEnd:
		return max(b.start, b.end-p.n), nil
	case atTime:
		if b.timed < 0 {
			return b.end, nil
		}
		return b.timed, nil
	}
	if (p.n < b.start || p.n > b.end) && !clamp {
		return 0, fmt.Errorf("there is no offset %d: the offsets go from %d to %d", p.n, b.start, b.end)
	}
	return min(max(p.n, b.start), b.end), nil
}

// partitionBounds asks for the bounds of every partition of the topics. committed leaves out open transactions.
func partitionBounds(ctx context.Context, k *kadm.Client, p position, committed bool, topics ...string) (map[string]map[int32]bounds, error) {
	starts, err := k.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	list := k.ListEndOffsets
	if committed {
		list = k.ListCommittedOffsets
	}
	ends, err := list(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var timed kadm.ListedOffsets
	if p.kind == atTime {
		if timed, err = k.ListOffsetsAfterMilli(ctx, p.at.UnixMilli(), topics...); err != nil {
			return nil, err
		}
	}
	return joinBounds(starts, ends, timed)
}

func joinBounds(starts, ends, timed kadm.ListedOffsets) (map[string]map[int32]bounds, error) {
	out := map[string]map[int32]bounds{}
	var first error
	starts.Each(func(s kadm.ListedOffset) {
		e, ok := ends.Lookup(s.Topic, s.Partition)
		if err := s.Err; err != nil || !ok || e.Err != nil {
			if err == nil {
				err = e.Err
			}
			if err != nil && first == nil {
				first = failed(fmt.Sprintf("topic %q", s.Topic), err, "")
			}
			return
		}
		b := bounds{start: s.Offset, end: e.Offset, timed: -1}
		if t, ok := timed.Lookup(s.Topic, s.Partition); ok && t.Err == nil {
			b.timed = t.Offset
		}
		if out[s.Topic] == nil {
			out[s.Topic] = map[int32]bounds{}
		}
		out[s.Topic][s.Partition] = b
	})
	return out, first
}
