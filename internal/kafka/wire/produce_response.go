package wire

// ProduceResponsePartition is the answer to one ProducePartition. A request with acks=0 gets no response at all.
type ProduceResponsePartition struct {
	Topic         string // 0-12
	TopicID       UUID   // 13+
	Partition     int32
	Err           ErrorCode
	BaseOffset    int64
	LogAppendTime int64         // 2+; -1 unless the topic uses LogAppendTime
	LogStart      int64         // 5+
	RecordErrors  []RecordError // 8+
	ErrorMessage  string        // 8+; empty is null
	LeaderID      int32         // 10+; -1: none
	LeaderEpoch   int32         // 10+; -1: none
}

// RecordError tells which record of a batch was refused. An empty message is null.
type RecordError struct {
	Index   int32
	Message string
}

const produceLeaders = 10

// AppendProduceResponse writes a response body. Neighbours with the same topic become one topic entry.
func AppendProduceResponse(dst []byte, version int16, parts []ProduceResponsePartition, throttleMs int32, nodes []NodeEndpoint) []byte {
	flexible := version >= produceFlexible
	runs := 0
	for i := 0; i < len(parts); i = produceRun(parts, i, version) {
		runs++
	}
	dst = AppendArrayLen(dst, runs, flexible)
	for i := 0; i < len(parts); {
		end := produceRun(parts, i, version)
		dst = appendTopic(dst, parts[i].Topic, parts[i].TopicID, version >= produceTopicIDs, flexible)
		dst = AppendArrayLen(dst, end-i, flexible)
		for ; i < end; i++ {
			dst = parts[i].append(dst, version, flexible)
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	if version >= 1 {
		dst = AppendInt32(dst, throttleMs)
	}
	if flexible {
		if version < produceLeaders {
			nodes = nil
		}
		dst = appendNodeEndpoints(dst, nodes)
	}
	return dst
}

// produceRun is the end of the neighbours that share parts[i]'s topic.
func produceRun(parts []ProduceResponsePartition, i int, version int16) int {
	end := i + 1
	for end < len(parts) && sameTopic(version >= produceTopicIDs, parts[i].Topic, parts[end].Topic, &parts[i].TopicID, &parts[end].TopicID) {
		end++
	}
	return end
}

func sameTopic(ids bool, a, b string, aID, bID *UUID) bool {
	if ids {
		return *aID == *bID
	}
	return a == b
}

func appendTopic(dst []byte, topic string, id UUID, ids, flexible bool) []byte {
	if ids {
		return AppendUUID(dst, id)
	}
	return AppendString(dst, topic, flexible)
}

func (p *ProduceResponsePartition) append(dst []byte, version int16, flexible bool) []byte {
	dst = AppendInt32(dst, p.Partition)
	dst = AppendInt16(dst, int16(p.Err))
	dst = AppendInt64(dst, p.BaseOffset)
	if version >= 2 {
		dst = AppendInt64(dst, p.LogAppendTime)
	}
	if version >= 5 {
		dst = AppendInt64(dst, p.LogStart)
	}
	if version >= 8 {
		dst = p.appendErrors(dst, flexible)
	}
	if !flexible {
		return dst
	}
	if version < produceLeaders || p.LeaderID == -1 && p.LeaderEpoch == -1 {
		return append(dst, 0)
	}
	return appendLeader(append(dst, 1), 0, p.LeaderID, p.LeaderEpoch)
}

func (p *ProduceResponsePartition) appendErrors(dst []byte, flexible bool) []byte {
	dst = AppendArrayLen(dst, len(p.RecordErrors), flexible)
	for _, e := range p.RecordErrors {
		dst = AppendInt32(dst, e.Index)
		dst = appendMessage(dst, e.Message, flexible)
		if flexible {
			dst = append(dst, 0)
		}
	}
	return appendMessage(dst, p.ErrorMessage, flexible)
}
