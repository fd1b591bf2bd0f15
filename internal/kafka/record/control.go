package record

import (
	"fmt"

	"millrace/internal/kafka/wire"
)

// ParseControlValue reads the value of a control record of the metadata log by its type (2 to 6: LeaderChangeMessage,
// SnapshotHeaderRecord, SnapshotFooterRecord, KRaftVersionRecord, VotersRecord) and of a transaction marker (0, 1:
// EndTxnMarker). All begin with their version; only the marker's is not one of its fields.
func ParseControlValue(kind int16, value []byte) (any, error) {
	in := wire.NewReader(value)
	version := in.Int16()
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("the value of a control record: %w", err)
	}
	var m message
	switch kind {
	case 0, 1:
		// Later versions of the marker only add fields behind those of version 0.
		m, value, version = NewEndTxnMarker(), in.Rest(), 0
	case 2:
		m = NewLeaderChangeMessage()
	case 3:
		m = NewSnapshotHeaderRecord()
	case 4:
		m = NewSnapshotFooterRecord()
	case 5:
		m = NewKRaftVersionRecord()
	case 6:
		m = NewVotersRecord()
	default:
		return nil, fmt.Errorf("%w: control record %d", ErrUnknown, kind)
	}
	if err := m.ReadFrom(value, version); err != nil {
		return nil, err
	}
	return m, nil
}
