package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/wire"
)

// checkEpoch fences a client that knows an older leader epoch than we do, or a newer one.
func checkEpoch(s PartitionState, current int32) wire.ErrorCode {
	switch {
	case !s.Leader:
		return wire.NotLeaderOrFollower
	case current >= 0 && current < s.LeaderEpoch:
		return wire.FencedLeaderEpoch
	case current > s.LeaderEpoch:
		return wire.UnknownLeaderEpoch
	}
	return wire.None
}

// readable is the end of what a consumer may see.
func readable(s PartitionState, committed bool) int64 {
	if committed {
		return s.LastStable
	}
	return s.HighWatermark
}

// largestTimestamp asks ListOffsets for the record with the largest timestamp.
const largestTimestamp = -3

// offsetFor finds what ListOffsets asks for.
func offsetFor(p Partition, timestamp int64, committed bool) located {
	offset, found, epoch, code := p.OffsetForTimestamp(timestamp, committed)
	if timestamp == largestTimestamp && offset >= readable(p.State(), committed) {
		return located{code: code, offset: -1, timestamp: -1, epoch: -1} // nobody may have seen it yet
	}
	return located{code: code, offset: offset, timestamp: found, epoch: epoch}
}

// epochEnd is the end of the largest epoch not above the one asked for.
func epochEnd(p Partition, epoch, current int32) (int32, int64, wire.ErrorCode) {
	return p.EpochEnd(epoch, current)
}

// activeProducers lists what a log remembers of producers.
func activeProducers(p Partition) []kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
	all := []kmsg.DescribeProducersResponseTopicPartitionActiveProducer{}
	for _, s := range p.Producers() {
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch, a.LastSequence = s.ProducerID, int32(s.ProducerEpoch), s.LastSequence
		a.LastTimestamp, a.CoordinatorEpoch, a.CurrentTxnStartOffset = s.LastTimestamp, s.CoordinatorEpoch, s.CurrentTxnFirstOffset
		all = append(all, a)
	}
	return all
}
