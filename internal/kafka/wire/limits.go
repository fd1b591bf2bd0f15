package wire

// The limits of reliability 5.3. A frame's length is compared with them before a byte of it is read.
const (
	MaxFrameUnauthenticated = 64 << 10
	MaxFrameProduce         = 100 << 20
	maxFrameLists           = 8 << 20
	maxFrameOther           = 1 << 20

	// DecodeFactor is what kmsg's decoding of a frame is charged, as a multiple of its length. After CheckShape the cost is in
	// proportion to what the frame holds: up to 25 times without tagged fields, about 80 where every element of a list carries
	// an unknown one, and 90 and 96 in DescribeTopicPartitions 0 and Metadata 9, whose elements are the smallest: hence
	// 100. Produce and Fetch are parsed here and cost less; see MaxProducePartitions.
	DecodeFactor = 100

	// MaxProducePartitions bounds the partitions of one Produce request. An entry takes 72 bytes of memory and as few
	// as 6 of the frame, so 100 MiB of empty entries would become 1.2 GiB.
	MaxProducePartitions = 1 << 17

	// maxString is the longest string that Kafka's protocol has, compact or not.
	maxString = 1<<15 - 1
)

// MaxFrame is the largest frame that an authenticated connection may send for an API.
func MaxFrame(k Key) int {
	switch k {
	case Produce:
		return MaxFrameProduce
	case Fetch, JoinGroup, SyncGroup, OffsetCommit, CreateTopics:
		return maxFrameLists
	}
	return maxFrameOther
}
