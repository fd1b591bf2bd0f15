package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
)

// A checkpoint file is the snapshot of an image, Kafka's to the byte. Its name holds the offset behind the last record
// that it stands for, and that record's epoch:
//
//	<20 digits of end offset>-<10 digits of epoch>.checkpoint
//
// Its content is a log of batches whose offsets begin at 0:
//
//	control batch   SNAPSHOT_HEADER, KRAFT_VERSION, KRAFT_VOTERS
//	batches         the records of Image.Snapshot
//	control batch   SNAPSHOT_FOOTER
//
// The footer is what tells a whole file from one that was cut off.

// CheckpointSuffix ends a checkpoint's name; PartSuffix is added while it is being written.
const (
	CheckpointSuffix = ".checkpoint"
	PartSuffix       = ".part"
)

// CheckpointName is the file name of a snapshot of everything below end.
func CheckpointName(end int64, epoch int32) string {
	return fmt.Sprintf("%020d-%010d%s", end, epoch, CheckpointSuffix)
}

// ParseCheckpointName reads the name of a finished checkpoint; ok is false for any other file.
func ParseCheckpointName(name string) (end int64, epoch int32, ok bool) {
	base, found := strings.CutSuffix(name, CheckpointSuffix)
	a, b, dash := strings.Cut(base, "-")
	if !found || !dash || len(a) != 20 || len(b) != 10 {
		return 0, 0, false
	}
	end, err1 := strconv.ParseInt(a, 10, 64)
	e, err2 := strconv.ParseInt(b, 10, 32)
	return end, int32(e), err1 == nil && err2 == nil && end >= 0 && e >= 0
}

// Types of the metadata log's control records.
const (
	LeaderChangeControl   int16 = 2
	SnapshotHeaderControl int16 = 3
	SnapshotFooterControl int16 = 4
	KRaftVersionControl   int16 = 5
	VotersControl         int16 = 6
)

// Section is one batch of a checkpoint: its records, and whether it is a control batch.
type Section struct {
	Control bool
	Records []machine.Record
}

// checkpointBytes bounds a batch of a checkpoint.
const checkpointBytes = 1 << 20

// Checkpoint gives the batches of a checkpoint, in order, until f fails. timestamp is that of the last record that the
// image has read, in milliseconds.
func (i *Image) Checkpoint(voters []record.VotersVoter, timestamp int64, f func(Section) error) error {
	if err := f(Section{true, checkpointHead(voters, timestamp)}); err != nil {
		return err
	}
	var s Section
	size := 0
	err := i.Snapshot(func(v []byte) error {
		s.Records = append(s.Records, machine.Record{Value: v})
		if size += len(v); size < checkpointBytes {
			return nil
		}
		full := s
		s, size = Section{}, 0
		return f(full)
	})
	if err != nil {
		return err
	}
	if len(s.Records) > 0 {
		if err := f(s); err != nil {
			return err
		}
	}
	return f(Section{true, []machine.Record{ControlRecord(SnapshotFooterControl, &record.SnapshotFooterRecord{})}})
}

func checkpointHead(voters []record.VotersVoter, timestamp int64) []machine.Record {
	return []machine.Record{
		ControlRecord(SnapshotHeaderControl, &record.SnapshotHeaderRecord{LastContainedLogTimestamp: timestamp}),
		ControlRecord(KRaftVersionControl, &record.KRaftVersionRecord{KRaftVersion: KRaftVersion}),
		ControlRecord(VotersControl, &record.VotersRecord{Voters: voters}),
	}
}

// LeaderChange is the record of the control batch that opens a leader epoch. Its message knows version 1 too, but Kafka
// reads every one at version 0, whatever its version field says.
func LeaderChange(leader int32, voters []record.LeaderChangeVoter) machine.Record {
	return ControlRecord(LeaderChangeControl, &record.LeaderChangeMessage{LeaderID: leader, Voters: voters, GrantingVoters: voters})
}

// ControlRecord frames one control record of the metadata log: key {version 0, type}, value the message at version 0.
func ControlRecord(kind int16, m interface {
	AppendTo(dst []byte, version int16) []byte
}) machine.Record {
	key := binary.BigEndian.AppendUint16(make([]byte, 2), uint16(kind))
	return machine.Record{Key: key, Value: m.AppendTo(nil, 0)}
}

// ErrCheckpoint marks a checkpoint that is damaged or cut off.
var ErrCheckpoint = errors.New("damaged metadata checkpoint")

// CheckpointReader rebuilds an image from the batches of a checkpoint.
type CheckpointReader struct {
	loader *Loader
	head   bool
	foot   bool

	// Timestamp and Voters are what the head said.
	Timestamp int64
	Voters    []record.VotersVoter
}

// NewCheckpointReader begins a checkpoint.
func NewCheckpointReader() *CheckpointReader { return &CheckpointReader{loader: NewLoader()} }

// Add reads the next batch.
func (r *CheckpointReader) Add(s Section) error {
	if r.foot {
		return fmt.Errorf("%w: something follows its footer", ErrCheckpoint)
	}
	for _, rec := range s.Records {
		if err := r.add(s.Control, rec); err != nil {
			return err
		}
	}
	return nil
}

func (r *CheckpointReader) add(control bool, rec machine.Record) error {
	if control {
		return r.control(rec)
	}
	if !r.head {
		return fmt.Errorf("%w: it does not begin with a header", ErrCheckpoint)
	}
	if err := r.loader.Add(rec.Value); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return nil
}

func (r *CheckpointReader) control(rec machine.Record) error {
	if len(rec.Key) < 4 {
		return fmt.Errorf("%w: a control record without a type", ErrCheckpoint)
	}
	m, err := record.ParseControlValue(int16(binary.BigEndian.Uint16(rec.Key[2:])), rec.Value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	switch m := m.(type) {
	case *record.SnapshotHeaderRecord:
		r.head, r.Timestamp = true, m.LastContainedLogTimestamp
	case *record.SnapshotFooterRecord:
		r.foot = true
	case *record.VotersRecord:
		r.Voters = m.Voters
	}
	return nil
}

// Image is what the checkpoint holds, at the end offset and epoch of its name.
func (r *CheckpointReader) Image(end int64, epoch int32) (*Image, error) {
	if !r.head || !r.foot {
		return nil, fmt.Errorf("%w: it was cut off", ErrCheckpoint)
	}
	return r.loader.Image(end-1, epoch), nil
}
