package wire

// ProduceRequest is a Produce request, versions 0 to 13, with its topics flattened into partitions in the order of the
// request. Parse may be called again and again on one value; it then allocates nothing.
//
// Versions 0 to 2 carry the message sets of old and are read only so that each partition can be refused by name.
type ProduceRequest struct {
	TransactionalID *string // 3+
	Acks            int16
	TimeoutMs       int32
	Partitions      []ProducePartition

	transactionalID string
}

// ProducePartition is one partition's batch. Topic and Records alias the frame.
type ProducePartition struct {
	Topic       string // 0-12
	TopicID     UUID   // 13+
	Partition   int32
	Records     []byte
	RecordsNull bool
}

const (
	produceMax      = 13
	produceFlexible = 9
	produceTopicIDs = 13
)

// Reset forgets the last request and keeps the memory.
func (r *ProduceRequest) Reset() {
	clear(r.Partitions)
	*r = ProduceRequest{Partitions: r.Partitions[:0]}
}

// Parse reads the body of a request.
func (r *ProduceRequest) Parse(version int16, body []byte) error {
	r.Reset()
	if version < 0 || version > produceMax {
		return ErrVersion
	}
	flexible := version >= produceFlexible
	in := NewReader(body)
	if version >= 3 {
		if id, ok := in.NullableString(flexible); ok {
			r.transactionalID = id
			r.TransactionalID = &r.transactionalID
		}
	}
	r.Acks = in.Int16()
	r.TimeoutMs = in.Int32()
	for topics := in.Array(flexible, topicMinSize(flexible, version >= produceTopicIDs)); topics > 0; topics-- {
		r.parseTopic(&in, version, flexible)
		if in.err != nil {
			return in.err
		}
	}
	if flexible {
		in.SkipTags()
	}
	return in.err
}

func (r *ProduceRequest) parseTopic(in *Reader, version int16, flexible bool) {
	var topic string
	var id UUID
	if version >= produceTopicIDs {
		id = in.UUID()
	} else {
		topic = in.String(flexible)
	}
	n := in.Array(flexible, producePartitionMinSize(flexible))
	if n > MaxProducePartitions-len(r.Partitions) {
		in.Fail(ErrTooMany)
		return
	}
	for ; n > 0 && in.err == nil; n-- {
		p := ProducePartition{Topic: topic, TopicID: id, Partition: in.Int32()}
		p.Records = in.NullableBytes(flexible)
		p.RecordsNull = p.Records == nil
		if flexible {
			in.SkipTags()
		}
		r.Partitions = append(r.Partitions, p)
	}
	if flexible {
		in.SkipTags()
	}
}

// topicMinSize is the smallest topic entry of Produce and Fetch: a name or id, an array, tags.
func topicMinSize(flexible, ids bool) int {
	switch {
	case ids:
		return 16 + 1 + 1
	case flexible:
		return 1 + 1 + 1
	}
	return 2 + 4
}

func producePartitionMinSize(flexible bool) int {
	if flexible {
		return 4 + 1 + 1
	}
	return 4 + 4
}
