package commitlog

import "slices"

// ranges is a sorted list of disjoint byte ranges [from, to). It forgets the smallest rather than grow long: what is
// forgotten is only verified once more.
type ranges []span

type span struct{ from, to int64 }

const maxRanges = 32

func (r ranges) covers(from, to int64) bool {
	i, _ := slices.BinarySearchFunc(r, from, func(s span, v int64) int {
		if s.to <= v {
			return -1
		}
		return 1
	})
	return from >= to || i < len(r) && r[i].from <= from && to <= r[i].to
}

func (r ranges) add(from, to int64) ranges {
	if from >= to {
		return r
	}
	first := slices.IndexFunc(r, func(s span) bool { return s.to >= from })
	if first < 0 {
		return append(r, span{from, to}).trim()
	}
	end := first
	for end < len(r) && r[end].from <= to {
		from, to = min(from, r[end].from), max(to, r[end].to)
		end++
	}
	return slices.Replace(r, first, end, span{from, to}).trim()
}

func (r ranges) trim() ranges {
	if len(r) <= maxRanges {
		return r
	}
	smallest := 0
	for i, s := range r {
		if s.to-s.from < r[smallest].to-r[smallest].from {
			smallest = i
		}
	}
	return slices.Delete(r, smallest, smallest+1)
}

// cut drops everything at or after to.
func (r ranges) cut(to int64) ranges {
	var kept ranges
	for _, s := range r {
		if s.from < to {
			kept = append(kept, span{s.from, min(s.to, to)})
		}
	}
	return kept
}
