package wire

// FetchResponsePartition is the answer for one FetchPartition. The records themselves stay outside: RecordsSize bytes
// of them follow from wherever the caller has them.
type FetchResponsePartition struct {
	Topic            string // 4-12
	TopicID          UUID   // 13+
	Partition        int32
	Err              ErrorCode
	HighWatermark    int64
	LastStable       int64
	LogStart         int64                // 5+
	Aborted          []AbortedTransaction // nil is null, as for a reader of uncommitted records
	PreferredReplica int32                // 11+; -1: none
	DivergingEpoch   int32                // 12+; -1: none
	DivergingEnd     int64                // 12+
	LeaderID         int32                // 12+; -1: none
	LeaderEpoch      int32                // 12+; -1: none
	RecordsSize      int
}

// AbortedTransaction tells a reader of committed records to skip what the producer wrote from FirstOffset on, until
// its abort marker.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset int64
}

const fetchEndpoints = 16

// FetchWriter holds the bytes of a Fetch response around the records, so that these can be sent straight from a file:
//
//	piece 0 | records of partition 0 | piece 1 | records of partition 1 | ... | piece n
type FetchWriter struct {
	buf     []byte
	ends    []int
	pieces  [][]byte
	records int
}

// Reset appends a response body to dst. What dst held before, for instance the frame's length and the response header,
// becomes the beginning of the first piece. Neighbours with the same topic become one topic entry. The pieces of an earlier
// use are no longer valid if dst shares their memory, as with Bytes()[:0].
func (w *FetchWriter) Reset(dst []byte, version int16, throttleMs int32, err ErrorCode, sessionID int32, parts []FetchResponsePartition, nodes []NodeEndpoint) {
	flexible := version >= fetchFlexible
	w.ends = w.ends[:0]
	w.records = 0
	dst = AppendInt32(dst, throttleMs)
	if version >= 7 {
		dst = AppendInt16(dst, int16(err))
		dst = AppendInt32(dst, sessionID)
	}
	dst = w.appendTopics(dst, version, flexible, parts)
	if flexible {
		if version < fetchEndpoints {
			nodes = nil
		}
		dst = appendNodeEndpoints(dst, nodes)
	}
	w.buf = dst
	w.cut()
}

// Pieces are the protocol bytes between the sections of records: one more than there are partitions.
func (w *FetchWriter) Pieces() [][]byte { return w.pieces }

// Bytes is the memory of all pieces, one after the other.
func (w *FetchWriter) Bytes() []byte { return w.buf }

// Size is the length of the whole: all pieces, with what dst held, and all records.
func (w *FetchWriter) Size() int { return len(w.buf) + w.records }

func (w *FetchWriter) appendTopics(dst []byte, version int16, flexible bool, parts []FetchResponsePartition) []byte {
	runs := 0
	for i := 0; i < len(parts); i = fetchRun(parts, i, version) {
		runs++
	}
	dst = AppendArrayLen(dst, runs, flexible)
	for i := 0; i < len(parts); {
		end := fetchRun(parts, i, version)
		dst = appendTopic(dst, parts[i].Topic, parts[i].TopicID, version >= fetchTopicIDs, flexible)
		dst = AppendArrayLen(dst, end-i, flexible)
		for ; i < end; i++ {
			dst = parts[i].appendHead(dst, version, flexible)
			w.ends = append(w.ends, len(dst))
			w.records += parts[i].RecordsSize
			if flexible {
				dst = parts[i].appendTags(dst)
			}
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	return dst
}

// cut makes the pieces. It comes last, because the buffer moves while it grows.
func (w *FetchWriter) cut() {
	w.pieces = w.pieces[:0]
	start := 0
	for _, end := range w.ends {
		w.pieces = append(w.pieces, w.buf[start:end:end])
		start = end
	}
	w.pieces = append(w.pieces, w.buf[start:len(w.buf):len(w.buf)])
}

func fetchRun(parts []FetchResponsePartition, i int, version int16) int {
	end := i + 1
	for end < len(parts) && sameTopic(version >= fetchTopicIDs, parts[i].Topic, parts[end].Topic, &parts[i].TopicID, &parts[end].TopicID) {
		end++
	}
	return end
}

// appendHead writes a partition up to and with the length of its records.
func (p *FetchResponsePartition) appendHead(dst []byte, version int16, flexible bool) []byte {
	dst = AppendInt32(dst, p.Partition)
	dst = AppendInt16(dst, int16(p.Err))
	dst = AppendInt64(dst, p.HighWatermark)
	dst = AppendInt64(dst, p.LastStable)
	if version >= 5 {
		dst = AppendInt64(dst, p.LogStart)
	}
	dst = appendAborted(dst, p.Aborted, flexible)
	if version >= 11 {
		dst = AppendInt32(dst, p.PreferredReplica)
	}
	return AppendArrayLen(dst, p.RecordsSize, flexible)
}

func appendAborted(dst []byte, aborted []AbortedTransaction, flexible bool) []byte {
	if aborted == nil {
		return AppendArrayLen(dst, -1, flexible)
	}
	dst = AppendArrayLen(dst, len(aborted), flexible)
	for _, a := range aborted {
		dst = AppendInt64(dst, a.ProducerID)
		dst = AppendInt64(dst, a.FirstOffset)
		if flexible {
			dst = append(dst, 0)
		}
	}
	return dst
}

// appendTags writes tag 0, where the follower's log diverges, and tag 1, who leads.
func (p *FetchResponsePartition) appendTags(dst []byte) []byte {
	diverges := p.DivergingEpoch != -1
	leader := p.LeaderID != -1 || p.LeaderEpoch != -1
	count := byte(0)
	if diverges {
		count++
	}
	if leader {
		count++
	}
	dst = append(dst, count)
	if diverges {
		dst = append(dst, 0, 13)
		dst = AppendInt32(dst, p.DivergingEpoch)
		dst = AppendInt64(dst, p.DivergingEnd)
		dst = append(dst, 0)
	}
	if leader {
		dst = appendLeader(dst, 1, p.LeaderID, p.LeaderEpoch)
	}
	return dst
}
