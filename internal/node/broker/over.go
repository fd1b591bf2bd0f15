package broker

import "millrace/internal/node/host"

// What the broker and the host speak of.
type (
	DirState       = host.DirState
	Produce        = host.Produce
	Produced       = host.Produced
	ReadOptions    = host.ReadOptions
	Read           = host.Read
	Watcher        = host.Watcher
	PartitionState = host.PartitionState
)

// Over is the broker's view of the node's host.
func Over(h *host.Host) Host { return hosted{h} }

type hosted struct{ *host.Host }

// Partition keeps a partition that is not hosted here a nil interface.
func (h hosted) Partition(topic string, partition int32) Partition {
	if p := h.Host.Partition(topic, partition); p != nil {
		return p
	}
	return nil
}
