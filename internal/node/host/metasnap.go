package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/core/quorum"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// Snapshots of the metadata are Kafka's checkpoint files, beside the segments of __cluster_metadata-0. The two newest
// stay, and the log from the older one on: when the newest turns out to be damaged, the older one and the log after it
// say the same.
//
// The order in which a new one takes its place, so that a crash anywhere leaves a start its way:
//
//	S1  <name>.checkpoint.part is written and synced, then renamed, then the directory is synced
//	S2  the quorum's anchor moves to the end of the older snapshot, durably
//	S3  the log's start moves there, durably
//	S4  checkpoint files that are neither of the two are removed
const (
	defaultSnapshotBytes    = 20 << 20
	defaultSnapshotInterval = time.Hour
	// snapshotAgain is how long a snapshot waits that the disk had no room for.
	snapshotAgain = time.Minute
)

// snapshots is what the loop knows of them.
type snapshots struct {
	kept      []quorum.Snapshot // durable and whole, oldest first; at most two
	bytes     int64             // of records applied since the last one
	last      time.Time         // when it was written, or the start
	timestamp int64             // of the last record applied
	notBefore time.Time
	writing   bool
	written   chan written
}

type written struct {
	snapshot quorum.Snapshot
	err      error
}

// foundSnapshot is a checkpoint file that was read whole.
type foundSnapshot struct {
	quorum.Snapshot
	image     *meta.Image
	timestamp int64
}

// loadSnapshot finds the newest snapshot that is whole and fits the log, and removes what a crash left half written. It
// is nil when the log has everything. A damaged snapshot is no reason to begin with less (MET-4).
func (m *metalog) loadSnapshot(s quorum.State, log []quorum.Info) (*foundSnapshot, error) {
	names, err := m.checkpoints()
	if err != nil {
		return nil, err
	}
	var why error
	for i := len(names) - 1; i >= 0; i-- {
		found, err := m.readSnapshot(names[i], s, log)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, meta.ErrCheckpoint) {
			return nil, fmt.Errorf("the metadata snapshot %s cannot be read, and the node does not start without it: %w", names[i], err)
		}
		m.h.o.Log.Warn("a metadata snapshot is not used", "file", filepath.Join(m.log.Path(), names[i]), "err", err)
		why = errors.Join(why, err)
	}
	if start := m.log.StartOffset(); start > 0 {
		if why == nil {
			why = errors.New("there is none")
		}
		return nil, fmt.Errorf("the metadata before offset %d is only in snapshots, and none in %s can be used (%w): the node does not start and deletes nothing; bring the file back",
			start, m.log.Path(), oneLine{why})
	}
	return nil, nil
}

// oneLine joins what errors.Join has put on lines of their own.
type oneLine struct{ error }

func (e oneLine) Error() string {
	var b []byte
	for _, c := range []byte(e.error.Error()) {
		if c == '\n' {
			b = append(b, "; "...)
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

func (e oneLine) Unwrap() error { return e.error }

// checkpoints lists the finished ones, oldest first.
func (m *metalog) checkpoints() (names []string, err error) {
	disk := m.h.o.Env.Disk
	list, err := disk.List(m.log.Path())
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if _, _, ok := meta.ParseCheckpointName(e.Name()); ok {
			names = append(names, e.Name())
		}
		if filepath.Ext(e.Name()) == meta.PartSuffix {
			if err := disk.Remove(filepath.Join(m.log.Path(), e.Name())); err != nil {
				return nil, err
			}
		}
	}
	return names, nil // the digits of a name sort as the offsets do
}

func (m *metalog) readSnapshot(name string, s quorum.State, log []quorum.Info) (*foundSnapshot, error) {
	end, epoch, _ := meta.ParseCheckpointName(name)
	if last := m.log.EndOffset(); end > last {
		return nil, fmt.Errorf("it ends at offset %d, but the log at %d: the log has lost what was acknowledged", end, last)
	}
	r, err := readCheckpoint(m.h.o.Env.Disk, filepath.Join(m.log.Path(), name))
	if err != nil {
		return nil, err
	}
	image, err := r.Image(end, epoch)
	if err != nil {
		return nil, err
	}
	var voters []int32
	for _, v := range r.Voters {
		voters = append(voters, v.VoterID)
	}
	snapshot, ok := quorum.Locate(s, log, end, epoch, voters)
	if !ok || end < m.log.StartOffset() {
		return nil, fmt.Errorf("%w: no batch of the log ends where it does", meta.ErrCheckpoint)
	}
	return &foundSnapshot{snapshot, image, r.Timestamp}, nil
}

// readCheckpoint reads a checkpoint file. Damage is an ErrCheckpoint, anything else the disk's error.
func readCheckpoint(disk env.Disk, path string) (*meta.CheckpointReader, error) {
	b, err := env.ReadFile(disk, path)
	if err != nil {
		return nil, err
	}
	r := meta.NewCheckpointReader()
	for len(b) > 0 {
		h, err := batch.ParseHeader(b)
		if err != nil || h.Size() > len(b) || !batch.CheckCRC(b[:h.Size()]) {
			return nil, fmt.Errorf("%w: batch %d bytes before its end", meta.ErrCheckpoint, len(b))
		}
		rs, err := batch.Records(b[:h.Size()], 1<<30)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", meta.ErrCheckpoint, err)
		}
		section := meta.Section{Control: h.Control()}
		for _, rec := range rs {
			section.Records = append(section.Records, machine.Record{Key: rec.Key, Value: rec.Value})
		}
		if err := r.Add(section); err != nil {
			return nil, err
		}
		b = b[h.Size():]
	}
	return r, nil
}

// begin continues from a snapshot.
func (m *metalog) begin(found *foundSnapshot) {
	m.snaps.last = m.h.o.Env.Clock.Now()
	if found == nil {
		return
	}
	m.snaps.kept = []quorum.Snapshot{found.Snapshot}
	m.snaps.timestamp = found.timestamp
	m.applied = found.Offset
	m.h.image.Store(found.image)
	m.log.SetHighWatermark(found.Offset)
}

// snapshot begins to write one when enough has changed since the last. The file is written beside the loop: an image
// never changes. A removal that was not carried out keeps its record out of snapshots, where nobody would find it again.
func (m *metalog) snapshot(now time.Time) {
	s := &m.snaps
	image := m.h.Image()
	switch {
	case s.writing || m.controller == nil || s.bytes == 0 || image.InTransaction() || m.h.logs.deleting.Load() > 0:
		return
	case s.bytes < m.h.o.SnapshotBytes && now.Sub(s.last) < m.h.o.SnapshotInterval, now.Before(s.notBefore):
		return
	}
	at, err := m.node.SnapshotAt(m.applied)
	if err != nil {
		m.h.o.Log.Warn("no snapshot of the metadata now", "err", err)
		s.notBefore = now.Add(snapshotAgain)
		return
	}
	s.writing, s.bytes, s.last = true, 0, now
	timestamp, voters := s.timestamp, m.voterRecords(at.Voters)
	m.h.done.Go(func() {
		err := writeCheckpoint(m.h.o.Env.Disk, m.log.Path(), image, at, voters, timestamp)
		s.written <- written{at, err}
		m.nudge()
	})
}

func (m *metalog) voterRecords(ids []int32) (out []record.VotersVoter) {
	for _, id := range ids {
		v := record.VotersVoter{VoterID: id, KRaftVersionFeature: record.KRaftVersionFeature{MaxSupportedVersion: meta.KRaftVersion}}
		if id == m.h.o.NodeID {
			v.VoterDirectoryID = m.log.Dir().ID()
		}
		out = append(out, v)
	}
	return out
}

// writeCheckpoint is S1.
func writeCheckpoint(disk env.Disk, dir string, image *meta.Image, at quorum.Snapshot, voters []record.VotersVoter, timestamp int64) error {
	name := filepath.Join(dir, meta.CheckpointName(at.Offset, int32(at.Term)))
	part := name + meta.PartSuffix
	err := writePart(disk, part, image, at, voters, timestamp)
	if err == nil {
		err = failpoint.Hit("meta.snapshot.before-rename")
	}
	if err == nil {
		err = disk.Rename(part, name)
	}
	if err != nil {
		disk.Remove(part) // room for others; else the next start does it
		return err
	}
	if err := failpoint.Hit("meta.snapshot.after-rename"); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

func writePart(disk env.Disk, part string, image *meta.Image, at quorum.Snapshot, voters []record.VotersVoter, timestamp int64) error {
	f, err := disk.Create(part)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(0); err != nil {
		return err
	}
	var offset, position int64
	err = image.Checkpoint(voters, timestamp, func(s meta.Section) error {
		o := batch.Plain(offset, int32(at.Term), timestamp)
		o.Control = s.Control
		b, err := batch.Build(nil, o, batchRecords(s.Records))
		if err != nil {
			return err
		}
		_, err = f.WriteAt(b, position)
		offset, position = offset+int64(len(s.Records)), position+int64(len(b))
		return err
	})
	if err != nil {
		return err
	}
	return f.Sync()
}

// snapshotted takes over a snapshot that was written: S2 to S4. Without room everything stays as it was.
func (m *metalog) snapshotted(now time.Time) error {
	var w written
	select {
	case w = <-m.snaps.written:
	default:
		return nil
	}
	s := &m.snaps
	s.writing = false
	if w.err == nil {
		m.node.Snapshotted(w.snapshot)
		s.kept = append(s.kept, w.snapshot)
		m.h.forget(w.snapshot.Offset)
		w.err = m.trim()
	}
	if errors.Is(w.err, commitlog.ErrNoSpace) {
		m.h.o.Log.Warn("there is no room for a snapshot of the metadata", "dir", m.log.Path())
		s.notBefore, s.bytes = now.Add(snapshotAgain), m.h.o.SnapshotBytes
		return nil
	}
	if w.err != nil {
		return fmt.Errorf("writing a snapshot of the metadata in %s: %w", m.log.Path(), w.err)
	}
	return nil
}

func (m *metalog) trim() error {
	s := &m.snaps
	if len(s.kept) < 2 {
		return nil
	}
	s.kept = s.kept[len(s.kept)-2:]
	from := s.kept[0].Offset
	if from > m.log.StartOffset() {
		state, err := m.node.Compact(from)
		if err != nil {
			return err
		}
		if err := m.write(state); err != nil {
			return err
		}
		if err := failpoint.Hit("meta.snapshot.before-trim"); err != nil {
			return err
		}
		if err := m.log.DeleteRecords(from); err != nil {
			return err
		}
	}
	return m.removeOld()
}

func (m *metalog) removeOld() error {
	names, err := m.checkpoints()
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, k := range m.snaps.kept {
		keep[meta.CheckpointName(k.Offset, int32(k.Term))] = true
	}
	for _, name := range names {
		if keep[name] {
			continue
		}
		if err := m.h.o.Env.Disk.Remove(filepath.Join(m.log.Path(), name)); err != nil && !env.NotExist(err) {
			return err
		}
	}
	return nil
}

// forget drops the removals that a snapshot covers: they were carried out before it was taken.
func (h *Host) forget(before int64) {
	for id, offset := range h.logs.removed { // each by itself
		if offset < before {
			delete(h.logs.removed, id)
		}
	}
}

func (h *Host) wasRemoved(id wire.UUID) bool {
	_, ok := h.logs.removed[id]
	return ok
}
