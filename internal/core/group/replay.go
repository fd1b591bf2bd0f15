package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
)

// The types of the keys of __consumer_offsets that this package writes. Types 3 to 23 belong to groups of newer
// kinds; their keys begin with the group id too.
const (
	legacyOffsetKey = 0
	offsetKey       = 1
	groupKey        = 2
	lastForeignKey  = 23
)

// Replay applies one batch. A type of record from the future is left alone, as Kafka does; a record of a known type
// that cannot be read is an error.
func (k *coordinator) Replay(b machine.Batch) error {
	if b.Marker != nil {
		if b.Producer != nil {
			k.durable.end(b.Producer.ID, b.Marker.Commit)
		}
		return nil
	}
	for i, r := range b.Records {
		if err := k.replay(b, int64(i), r); err != nil {
			return fmt.Errorf("record %d of the batch at offset %d: %w", i, b.BaseOffset, err)
		}
	}
	return nil
}

func (k *coordinator) replay(b machine.Batch, i int64, r machine.Record) error {
	if len(r.Key) < 2 {
		return errors.New("the key has no type")
	}
	switch typ := int16(binary.BigEndian.Uint16(r.Key)); {
	case typ == legacyOffsetKey || typ == offsetKey:
		return k.replayOffset(b, i, r)
	case typ == groupKey:
		return k.replayGroup(b, r)
	case typ > groupKey && typ <= lastForeignKey:
		return k.replayForeign(r)
	}
	return nil
}

// replayOffset takes the position in the batch as the record's place in the log. After compaction that may be less
// than its offset, but the order of any two records stays, which is all that is compared.
func (k *coordinator) replayOffset(b machine.Batch, i int64, r machine.Record) error {
	p, err := parsePosition(r.Key)
	if err != nil {
		return err
	}
	if r.Value == nil {
		k.durable.remove(p)
		return nil
	}
	v, err := parseCommitted(r)
	if err != nil {
		return err
	}
	v.at = b.BaseOffset + i
	if b.Producer != nil {
		k.durable.hold(b.Producer.ID, p, v)
	} else {
		k.durable.put(p, v)
	}
	if k.loaded && k.groups[p.group] == nil && k.durable.foreign[p.group] == nil {
		k.groups[p.group] = newClassic(p.group)
	}
	return nil
}

func (k *coordinator) replayGroup(b machine.Batch, r machine.Record) error {
	id, err := parseGroupKey(r.Key)
	if err != nil {
		return err
	}
	if r.Value == nil {
		delete(k.durable.metadata, id)
		k.forget(id)
		return nil
	}
	v, err := parseGroupValue(r.Value)
	if err != nil {
		return err
	}
	k.durable.metadata[id] = v
	// While the machine runs, Handle has already moved the group; what only the record makes true is an assignment.
	if g := k.groups[id]; g != nil && g.state == CompletingRebalance && g.generation == v.Generation {
		g.adopt(assignmentsOf(v), b.Timestamp)
	}
	return nil
}

func assignmentsOf(v *record.GroupMetadataValue) map[string][]byte {
	out := make(map[string][]byte, len(v.Members))
	for _, m := range v.Members {
		out[m.MemberID] = m.Assignment
	}
	return out
}

// forget drops a group that is deleted. It was Empty: of its timers only those of ids given and not used are set.
func (k *coordinator) forget(id string) {
	if g := k.groups[id]; g != nil {
		for _, pending := range sortedKeys(g.pending) {
			k.removePending(g, pending)
		}
		delete(k.groups, id)
	}
}

// replayForeign notes that a group of a newer kind exists as long as any record of it does.
func (k *coordinator) replayForeign(r machine.Record) error {
	rest := r.Key[2:]
	if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
		return errors.New("the key has no group id")
	}
	id := string(rest[2 : 2+int(binary.BigEndian.Uint16(rest))])
	keys := k.durable.foreign[id]
	if r.Value == nil {
		delete(keys, string(r.Key))
		if len(keys) == 0 {
			delete(k.durable.foreign, id)
		}
		return nil
	}
	if keys == nil {
		keys = map[string]struct{}{}
		k.durable.foreign[id] = keys
	}
	keys[string(r.Key)] = struct{}{}
	return nil
}
