package broker

import (
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
)

// Host is what the broker asks of the node's host: the image, the partitions it hosts, and its machines.
type Host interface {
	Image() *meta.Image
	// Partition is nil for what is not hosted here; the image says why.
	Partition(topic string, partition int32) Partition
	// Control asks the metadata controller, Ask a coordinator on a partition of an internal topic. done is called
	// exactly once, on any goroutine, and must not block.
	Control(body any, done func(reply any, err wire.ErrorCode))
	Ask(topic string, partition int32, body any, done func(reply any, err wire.ErrorCode))
	// WaitImage calls ready once the published image has reached offset and its local leaders are ready.
	WaitImage(offset int64, ready func())
	AllocateProducerID(done func(id int64, err wire.ErrorCode))
	NodeID() int32
	ClusterID() string
	Dirs() []DirState
}

// Partition is a partition hosted here.
type Partition interface {
	// Produce appends; r.Done is called exactly once, on any goroutine.
	Produce(r *Produce)
	Read(o ReadOptions) Read
	// Watch calls w.Wake at most once, when the high watermark, the last stable offset or the leadership changed.
	Watch(w *Watcher)
	Unwatch(w *Watcher)
	State() PartitionState
	// OffsetForTimestamp takes the special timestamps of ListOffsets too.
	OffsetForTimestamp(timestamp int64, committed bool) (offset, found int64, epoch int32, err wire.ErrorCode)
	EpochEnd(epoch, current int32) (int32, int64, wire.ErrorCode)
	DeleteRecords(before int64, done func(logStart int64, err wire.ErrorCode))
	Producers() []commitlog.ProducerState
}
