package group

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Hash is a hash of what the log holds: equal for a machine that ran and one that was rebuilt from its records.
func (k *coordinator) Hash() string {
	h := sha256.New()
	k.durable.dump(h)
	return hex.EncodeToString(h.Sum(nil))
}

// Dump is the same as text, in one order.
func (k *coordinator) Dump() string {
	var b strings.Builder
	k.durable.dump(&b)
	return b.String()
}

func (d *durable) dump(w io.Writer) {
	for _, id := range sortedKeys(d.metadata) {
		fmt.Fprintf(w, "group %q %x\n", id, groupMetadata(id, d.metadata[id]).Value)
	}
	for _, id := range sortedKeys(d.offsets) {
		for _, t := range d.offsets[id].all() {
			for _, partition := range t.Partitions {
				v := d.offsets[id].committed[t.Topic][partition]
				fmt.Fprintf(w, "offset %q %s/%d %s\n", id, t.Topic, partition, v)
			}
		}
	}
	for _, producer := range sortedKeys(d.pending) {
		for _, id := range sortedKeys(d.offsets) {
			for _, p := range d.offsets[id].positions(id) {
				if v, ok := d.pending[producer][p]; ok {
					fmt.Fprintf(w, "pending %d %q %s/%d %s\n", producer, id, p.topic, p.partition, v)
				}
			}
		}
	}
	for _, id := range sortedKeys(d.foreign) {
		fmt.Fprintf(w, "foreign %q %x\n", id, sortedKeys(d.foreign[id]))
	}
}

func (v committed) String() string {
	return fmt.Sprintf("= %d epoch %d %q committed %dms expires %dms topic %s place %d",
		v.offset, v.leaderEpoch, v.metadata, v.commitMs, v.expireMs, v.topicID, v.at)
}
