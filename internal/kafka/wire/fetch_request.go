package wire

import "math"

// FetchRequest is a Fetch request, versions 4 to 18, with its topics flattened into partitions in the order of the
// request. Parse may be called again and again on one value; it then allocates nothing.
type FetchRequest struct {
	ReplicaID    int32 // -1: a consumer; a field up to 14, tag 1 from 15
	ReplicaEpoch int64 // 15+; -1: none
	MaxWaitMs    int32
	MinBytes     int32
	MaxBytes     int32
	Isolation    int8  // 1: read committed
	SessionID    int32 // 7+; 0: none
	SessionEpoch int32 // 7+; -1: no session
	Partitions   []FetchPartition
	Forgotten    []ForgottenPartition // 7+
	RackID       string               // 11+
	ClusterID    *string              // 12+, tag 0

	clusterID string
}

// FetchPartition is one partition to read. Topic aliases the frame.
type FetchPartition struct {
	Topic              string // 4-12
	TopicID            UUID   // 13+
	Partition          int32
	CurrentLeaderEpoch int32 // 9+; -1: do not check
	FetchOffset        int64
	LastFetchedEpoch   int32 // 12+; -1: none
	LogStart           int64 // 5+; of a follower
	MaxBytes           int32
	ReplicaDirectory   UUID  // 17+, tag 0
	HighWatermark      int64 // 18+, tag 1; the largest int64: the follower does not tell
	FlushedEnd         int64 // tag 100, ours: how far the follower's log is on disk; absent means FetchOffset
}

// ForgottenPartition leaves the fetch session.
type ForgottenPartition struct {
	Topic     string // 7-12
	TopicID   UUID   // 13+
	Partition int32
}

// FlushedEndTag is the tagged field in which a Millrace follower reports its flushed end.
const FlushedEndTag = 100

const (
	fetchMin      = 4
	fetchMax      = 18
	fetchFlexible = 12
	fetchTopicIDs = 13
)

// Reset forgets the last request and keeps the memory.
func (r *FetchRequest) Reset() {
	clear(r.Partitions)
	clear(r.Forgotten)
	*r = FetchRequest{ReplicaID: -1, ReplicaEpoch: -1, SessionEpoch: -1, Partitions: r.Partitions[:0], Forgotten: r.Forgotten[:0]}
}

// Parse reads the body of a request.
func (r *FetchRequest) Parse(version int16, body []byte) error {
	r.Reset()
	if version < fetchMin || version > fetchMax {
		return ErrVersion
	}
	flexible := version >= fetchFlexible
	in := NewReader(body)
	if version <= 14 {
		r.ReplicaID = in.Int32()
	}
	r.MaxWaitMs = in.Int32()
	r.MinBytes = in.Int32()
	r.MaxBytes = in.Int32()
	r.Isolation = in.Int8()
	if version >= 7 {
		r.SessionID = in.Int32()
		r.SessionEpoch = in.Int32()
	}
	for topics := in.Array(flexible, topicMinSize(flexible, version >= fetchTopicIDs)); topics > 0 && in.err == nil; topics-- {
		r.parseTopic(&in, version, flexible)
	}
	if version >= 7 {
		for topics := in.Array(flexible, topicMinSize(flexible, version >= fetchTopicIDs)); topics > 0 && in.err == nil; topics-- {
			r.parseForgotten(&in, version, flexible)
		}
	}
	if version >= 11 {
		r.RackID = in.String(flexible)
	}
	if flexible {
		r.parseTags(&in, version)
	}
	return in.err
}

func (r *FetchRequest) parseTopic(in *Reader, version int16, flexible bool) {
	topic, id := parseTopicName(in, version >= fetchTopicIDs, flexible)
	for n := in.Array(flexible, fetchPartitionMinSize(version)); n > 0 && in.err == nil; n-- {
		p := FetchPartition{
			Topic: topic, TopicID: id, Partition: in.Int32(),
			CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStart: -1, HighWatermark: math.MaxInt64,
		}
		if version >= 9 {
			p.CurrentLeaderEpoch = in.Int32()
		}
		p.FetchOffset = in.Int64()
		p.FlushedEnd = p.FetchOffset
		if version >= 12 {
			p.LastFetchedEpoch = in.Int32()
		}
		if version >= 5 {
			p.LogStart = in.Int64()
		}
		p.MaxBytes = in.Int32()
		if flexible {
			p.parseTags(in, version)
		}
		r.Partitions = append(r.Partitions, p)
	}
	if flexible {
		in.SkipTags()
	}
}

func parseTopicName(in *Reader, ids, flexible bool) (string, UUID) {
	if ids {
		return "", in.UUID()
	}
	return in.String(flexible), UUID{}
}

func (p *FetchPartition) parseTags(in *Reader, version int16) {
	for n := in.TagCount(); n > 0 && in.err == nil; n-- {
		tag, value := in.Tag()
		switch {
		case tag == 0 && version >= 17:
			p.ReplicaDirectory = value.UUID()
		case tag == 1 && version >= 18:
			p.HighWatermark = value.Int64()
		case tag == FlushedEndTag:
			p.FlushedEnd = value.Int64()
		}
		if value.err != nil {
			in.Fail(value.err)
		}
	}
}

func (r *FetchRequest) parseForgotten(in *Reader, version int16, flexible bool) {
	topic, id := parseTopicName(in, version >= fetchTopicIDs, flexible)
	for n := in.Array(flexible, 4); n > 0 && in.err == nil; n-- {
		r.Forgotten = append(r.Forgotten, ForgottenPartition{Topic: topic, TopicID: id, Partition: in.Int32()})
	}
	if flexible {
		in.SkipTags()
	}
}

func (r *FetchRequest) parseTags(in *Reader, version int16) {
	for n := in.TagCount(); n > 0 && in.err == nil; n-- {
		tag, value := in.Tag()
		switch {
		case tag == 0:
			if id, ok := value.NullableString(true); ok {
				r.clusterID = id
				r.ClusterID = &r.clusterID
			}
		case tag == 1 && version >= 15:
			r.ReplicaID = value.Int32()
			r.ReplicaEpoch = value.Int64()
			value.SkipTags()
		}
		if value.err != nil {
			in.Fail(value.err)
		}
	}
}

// fetchPartitionMinSize: partition, offset and size always; the leader's epoch from 9, the log start from 5, the last
// epoch and tags from 12.
func fetchPartitionMinSize(version int16) int {
	size := 4 + 8 + 4
	if version >= 5 {
		size += 8
	}
	if version >= 9 {
		size += 4
	}
	if version >= 12 {
		size += 4 + 1
	}
	return size
}
