package commitlog

import (
	"fmt"
	"path/filepath"

	"millrace/internal/kafka/wire"
)

const strayDirSuffix = "-stray"

// Adopt gives a log whose partition.metadata was missing or damaged the topic id that the metadata names. The caller
// knows that the directory belongs to that topic, and that nobody else uses the log yet. It is durable with the next sync.
func (l *Log) Adopt(id wire.UUID) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if !l.id.IsZero() {
		return fmt.Errorf("log %s belongs to the topic id %s", l.partition, l.id)
	}
	if err := writeWhole(l.dir.disk, filepath.Join(l.Path(), partitionMetadataFile), partitionMetadata(id), false); err != nil {
		return l.dir.broken("name "+l.partition.String(), err)
	}
	l.mu.Lock()
	l.id, l.newMetadata = id, true
	l.mu.Unlock()
	return nil
}

// SetAside takes a log out of the directory and keeps its files, under `<topic>-<partition>.<uuid>-stray`: nobody has said
// that they may go, but the name is wanted.
func (d *Dir) SetAside(l *Log) (path string, err error) {
	path = filepath.Join(d.path, d.renamed(l.partition, strayDirSuffix))
	_, err = d.takeOut(l, path)
	return path, err
}
