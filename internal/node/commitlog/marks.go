package commitlog

// marks remember where batches begin that are likely to be asked for next: the ends of the last appends and of the last
// reads. A consumer that reads on, and the high watermark that follows the end, are found without an index.
type marks struct {
	next int
	list [16]mark
}

type mark struct {
	offset   int64 // a batch boundary
	segment  *segment
	position int64
}

// mark notes a batch boundary. The caller holds mu.
func (l *Log) mark(offset int64, s *segment, position int64) {
	if l.marks == nil {
		l.marks = new(marks)
	}
	m := l.marks
	m.list[m.next] = mark{offset, s, position}
	m.next = (m.next + 1) % len(m.list)
}

// marked finds a boundary. The caller holds mu.
func (l *Log) marked(offset int64, s *segment) (int64, bool) {
	if l.marks == nil {
		return 0, false
	}
	for i := range l.marks.list {
		if m := &l.marks.list[i]; m.offset == offset && m.segment == s {
			return m.position, true
		}
	}
	return 0, false
}
