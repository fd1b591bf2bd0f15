package batch

import "encoding/binary"

// The types of control records. A transaction marker is a batch of its own with one of them; the others stand in the
// metadata log only.
const (
	ControlAbort          int16 = 0
	ControlCommit         int16 = 1
	ControlLeaderChange   int16 = 2
	ControlSnapshotHeader int16 = 3
	ControlSnapshotFooter int16 = 4
	ControlKRaftVersion   int16 = 5
	ControlKRaftVoters    int16 = 6
)

// ControlRecord is a control record: its key is the version 0 and the type.
func ControlRecord(kind int16, value []byte) Record {
	key := binary.BigEndian.AppendUint16(make([]byte, 0, 4), 0)
	return Record{Key: binary.BigEndian.AppendUint16(key, uint16(kind)), Value: value}
}

// EndTxnMarker is a whole batch: the marker that ends the transaction of o's producer. The producer id, epoch,
// offset, leader epoch and timestamp are o's.
func EndTxnMarker(commit bool, coordinatorEpoch int32, o Options) []byte {
	kind := ControlAbort
	if commit {
		kind = ControlCommit
	}
	o.Codec, o.Transactional, o.Control, o.BaseSequence = None, true, true, -1
	value := binary.BigEndian.AppendUint16(make([]byte, 0, 6), 0)
	value = binary.BigEndian.AppendUint32(value, uint32(coordinatorEpoch))
	b, err := Build(nil, o, []Record{ControlRecord(kind, value)})
	if err != nil {
		panic(err) // one small record always fits
	}
	return b
}

// ParseControl reads a record of a control batch. The epoch of the coordinator is -1 unless the record is a
// transaction marker. Types that are not known are returned as they are; a reader passes over them.
func ParseControl(r Record) (kind int16, coordinatorEpoch int32, err error) {
	if len(r.Key) < 4 || int16(binary.BigEndian.Uint16(r.Key)) < 0 {
		return 0, -1, corrupt("the key of its control record has %d bytes", len(r.Key))
	}
	kind = int16(binary.BigEndian.Uint16(r.Key[2:]))
	if kind != ControlAbort && kind != ControlCommit {
		return kind, -1, nil
	}
	if len(r.Value) < 6 {
		return kind, -1, corrupt("the value of its marker has %d bytes", len(r.Value))
	}
	return kind, int32(binary.BigEndian.Uint32(r.Value[2:])), nil
}
