package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// The offset checkpoints of a directory are text: a version line `0`, the number of lines, then `topic partition offset`.
const (
	recoveryPointFile = "recovery-point-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	highWatermarkFile = "replication-offset-checkpoint"
	cleanerFile       = "cleaner-offset-checkpoint"
)

// partition names a log inside a directory.
type partition struct {
	topic string
	index int32
}

func (p partition) String() string { return p.topic + "-" + strconv.Itoa(int(p.index)) }

// parsePartition splits `<topic>-<partition>`.
func parsePartition(name string) (partition, bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return partition{}, false
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name[i+1:] {
		return partition{}, false
	}
	return partition{name[:i], int32(n)}, true
}

// parseCheckpoint returns the lines of a checkpoint file whose version and count are right.
func parseCheckpoint(b []byte) ([]string, error) {
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" {
		return nil, fmt.Errorf("%w: checkpoint without version 0", ErrCorrupt)
	}
	n, err := strconv.Atoi(lines[1])
	if err != nil || n != len(lines)-2 {
		return nil, fmt.Errorf("%w: checkpoint of %d lines says %q", ErrCorrupt, len(lines)-2, lines[1])
	}
	return lines[2:], nil
}

func parseOffsets(b []byte) (map[partition]int64, error) {
	lines, err := parseCheckpoint(b)
	if err != nil {
		return nil, err
	}
	offsets := make(map[partition]int64, len(lines))
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("%w: checkpoint line %q", ErrCorrupt, line)
		}
		index, err1 := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil || index < 0 || offset < 0 {
			return nil, fmt.Errorf("%w: checkpoint line %q", ErrCorrupt, line)
		}
		offsets[partition{f[0], int32(index)}] = offset
	}
	return offsets, nil
}

func offsetsText(offsets map[partition]int64) []byte {
	names := make([]partition, 0, len(offsets))
	for p := range offsets {
		names = append(names, p)
	}
	slices.SortFunc(names, func(a, b partition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.index, b.index))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "0\n%d\n", len(names))
	for _, p := range names {
		fmt.Fprintf(&b, "%s %d %d\n", p.topic, p.index, offsets[p])
	}
	return []byte(b.String())
}

// writeDurable replaces a small file: written beside it, synced, renamed over it, the name synced.
func writeDurable(d env.Disk, name string, content []byte) error {
	if err := writeWhole(d, name+tmpSuffix, content, true); err != nil {
		return err
	}
	if err := failpoint.Hit("checkpoint.before-rename"); err != nil {
		return err
	}
	if err := d.Rename(name+tmpSuffix, name); err != nil {
		return err
	}
	if err := failpoint.Hit("checkpoint.after-rename"); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

// writeWhole gives a file this content and nothing else.
func writeWhole(d env.Disk, name string, content []byte, sync bool) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(content, 0)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readWhole reads a small file; it is nil, without error, if the file is not there.
func readWhole(d env.Disk, name string) ([]byte, error) {
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); int64(n) < size {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return b, nil
}
