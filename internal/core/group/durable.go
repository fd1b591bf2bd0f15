package group

import (
	"cmp"
	"slices"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// durable is what the log holds.
type durable struct {
	// metadata is the last recorded metadata of each classic group.
	metadata map[string]*record.GroupMetadataValue
	offsets  map[string]*groupOffsets
	// pending holds the offsets of open transactions, by producer id, until the marker comes.
	pending map[int64]map[position]committed
	// foreign holds the living keys of groups of newer kinds (record types 3 and up), by group.
	foreign map[string]map[string]struct{}
}

// position names the place of a committed offset.
type position struct {
	group, topic string
	partition    int32
}

type topicPartition struct {
	topic     string
	partition int32
}

// committed is a committed offset.
type committed struct {
	offset      int64
	leaderEpoch int32
	metadata    string
	commitMs    int64
	expireMs    int64 // -1: by the group's retention
	topicID     wire.UUID
	// at is where in the log it stands, in the order of the log: a transaction's offset, applied at its marker, must
	// not overwrite one that was committed after it.
	at int64
}

// groupOffsets are the offsets of one group.
type groupOffsets struct {
	committed map[string]map[int32]committed
	// open tells the producers whose open transactions hold an offset of the partition.
	open map[topicPartition]map[int64]struct{}
}

func newDurable() durable {
	return durable{
		metadata: map[string]*record.GroupMetadataValue{},
		offsets:  map[string]*groupOffsets{},
		pending:  map[int64]map[position]committed{},
		foreign:  map[string]map[string]struct{}{},
	}
}

// groupIDs are the classic groups that exist: recorded, or known by their offsets.
func (d *durable) groupIDs() []string {
	ids := make([]string, 0, len(d.metadata)+len(d.offsets))
	for id := range d.metadata {
		ids = append(ids, id)
	}
	for id := range d.offsets {
		if d.metadata[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.DeleteFunc(ids, func(id string) bool { return d.foreign[id] != nil })
}

func (d *durable) of(group string) *groupOffsets {
	o := d.offsets[group]
	if o == nil {
		o = &groupOffsets{committed: map[string]map[int32]committed{}, open: map[topicPartition]map[int64]struct{}{}}
		d.offsets[group] = o
	}
	return o
}

// put commits an offset.
func (d *durable) put(p position, v committed) {
	o := d.of(p.group)
	if o.committed[p.topic] == nil {
		o.committed[p.topic] = map[int32]committed{}
	}
	o.committed[p.topic][p.partition] = v
}

// hold keeps an offset for the end of its producer's transaction.
func (d *durable) hold(producer int64, p position, v committed) {
	if d.pending[producer] == nil {
		d.pending[producer] = map[position]committed{}
	}
	d.pending[producer][p] = v
	o, tp := d.of(p.group), topicPartition{p.topic, p.partition}
	if o.open[tp] == nil {
		o.open[tp] = map[int64]struct{}{}
	}
	o.open[tp][producer] = struct{}{}
}

// end applies or forgets what a producer's transaction held.
func (d *durable) end(producer int64, commit bool) {
	held := d.pending[producer]
	delete(d.pending, producer)
	for p, v := range held { // order-free: each position is settled on its own
		d.release(producer, p)
		old, ok := d.lookup(p)
		if commit && (!ok || v.at > old.at) {
			d.put(p, v)
		}
		d.tidy(p.group)
	}
}

func (d *durable) release(producer int64, p position) {
	o, tp := d.offsets[p.group], topicPartition{p.topic, p.partition}
	if o == nil {
		return
	}
	delete(o.open[tp], producer)
	if len(o.open[tp]) == 0 {
		delete(o.open, tp)
	}
}

// remove forgets an offset: committed, and held by any transaction.
func (d *durable) remove(p position) {
	o, tp := d.offsets[p.group], topicPartition{p.topic, p.partition}
	if o == nil {
		return
	}
	delete(o.committed[p.topic], p.partition)
	if len(o.committed[p.topic]) == 0 {
		delete(o.committed, p.topic)
	}
	for producer := range o.open[tp] { // order-free: deletions
		delete(d.pending[producer], p)
		if len(d.pending[producer]) == 0 {
			delete(d.pending, producer)
		}
	}
	delete(o.open, tp)
	d.tidy(p.group)
}

// tidy drops a group's offsets when none is left.
func (d *durable) tidy(group string) {
	if o := d.offsets[group]; o != nil && len(o.committed) == 0 && len(o.open) == 0 {
		delete(d.offsets, group)
	}
}

func (d *durable) lookup(p position) (committed, bool) {
	o := d.offsets[p.group]
	if o == nil {
		return committed{}, false
	}
	v, ok := o.committed[p.topic][p.partition]
	return v, ok
}

func (o *groupOffsets) has(tp topicPartition) bool {
	if o == nil {
		return false
	}
	_, ok := o.committed[tp.topic][tp.partition]
	return ok || len(o.open[tp]) > 0
}

// positions lists where the group has offsets, committed or held, sorted.
func (o *groupOffsets) positions(group string) []position {
	if o == nil {
		return nil
	}
	var out []position
	for topic, partitions := range o.committed {
		for partition := range partitions {
			out = append(out, position{group, topic, partition})
		}
	}
	for tp := range o.open {
		if _, ok := o.committed[tp.topic][tp.partition]; !ok {
			out = append(out, position{group, tp.topic, tp.partition})
		}
	}
	slices.SortFunc(out, comparePositions)
	return out
}

func comparePositions(a, b position) int {
	return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}
