package quorum

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// testBatch is a batch as far as the quorum looks: 61 bytes of header, then a payload.
func testBatch(records int, isControl bool, payload string) []byte {
	b := make([]byte, batchHeader, batchHeader+len(payload))
	binary.BigEndian.PutUint32(b[deltaAt:], uint32(records-1))
	if isControl {
		binary.BigEndian.PutUint16(b[attributesAt:], controlBit)
	}
	return append(b, payload...)
}

func votersBatch(ids []int32) []byte {
	b := testBatch(1, true, "V")
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return b
}

func votersOf(b []byte) (out []int32, err error) {
	if len(b) <= batchHeader || b[batchHeader] != 'V' {
		return nil, fmt.Errorf("no voters batch")
	}
	for _, c := range b[batchHeader+1:] {
		out = append(out, int32(c))
	}
	return out, nil
}

func leaderChange(leader, epoch int32, voters []int32) []byte {
	return testBatch(1, true, fmt.Sprintf("L%d in %d of %v", leader, epoch, voters))
}

func testConfig(id int32, voters ...int32) Config {
	return Config{ID: id, Voters: voters, LeaderChange: leaderChange, VotersOf: votersOf, CacheBytes: 300}
}

// disk is what one voter has made durable.
type disk struct {
	state   []byte // the quorum-state file
	batches []diskBatch
	snap    Snapshot
	content []string // of the snapshot: what was applied below its offset
}

type diskBatch struct {
	info Info
	b    []byte
}

func (d *disk) Batch(base int64) ([]byte, error) {
	for _, x := range d.batches {
		if x.info.Base == base {
			return x.b, nil
		}
	}
	return nil, fmt.Errorf("no batch at %d", base)
}

func (d *disk) start() (Start, error) {
	s := Start{State: Fresh(), Snapshot: d.snap}
	if d.state != nil {
		var err error
		if s.State, err = DecodeState(d.state); err != nil {
			return s, err
		}
	}
	for _, x := range d.batches {
		s.Log = append(s.Log, x.info)
	}
	if d.snap.Offset > 0 { // as from a checkpoint's name and content
		snap, ok := Locate(s.State, s.Log, d.snap.Offset, int32(d.snap.Term), d.snap.Voters)
		if !ok {
			return s, fmt.Errorf("the snapshot at %d is not to be located", d.snap.Offset)
		}
		if s.Snapshot = snap; snap.Index != d.snap.Index {
			return s, fmt.Errorf("snapshot located at index %d, was %d", snap.Index, d.snap.Index)
		}
	}
	if s.MustReset() {
		d.batches, s.Log = nil, nil
	}
	return s, nil
}

func (d *disk) append(e Entry) error {
	d.batches = slices.DeleteFunc(d.batches, func(x diskBatch) bool { return x.info.Base >= e.Base })
	end := d.snap.Offset
	if n := len(d.batches); n > 0 {
		end = d.batches[n-1].info.End
	}
	if e.Base != end {
		return fmt.Errorf("batch at %d appended to a log that ends at %d", e.Base, end)
	}
	d.batches = append(d.batches, diskBatch{e.Info, slices.Clone(e.Batch)})
	return nil
}

func (d *disk) dropBelow(logStart int64) {
	d.batches = slices.DeleteFunc(d.batches, func(x diskBatch) bool { return x.info.Base < logStart })
}
