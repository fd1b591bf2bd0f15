package commitlog

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"millrace/internal/node/env/failpoint"
)

const deleteDirSuffix = "-delete"

func millis(ms int64) time.Duration { return time.Duration(min(ms, 1<<40)) * time.Millisecond }

// Delete takes a log out of the directory: it is renamed to `<topic>-<partition>.<uuid>-delete` at once, durably, and its
// files go after file.delete.delay.ms. Readers that hold a Slice read on.
func (d *Dir) Delete(l *Log) error {
	to := filepath.Join(d.path, d.renamed(l.partition, deleteDirSuffix))
	if taken, err := d.takeOut(l, to); !taken || err != nil {
		return err
	}
	d.removeLater(to, d.options.Env.Clock.Now().Add(millis(l.Config().FileDeleteDelayMs)))
	return nil
}

// takeOut renames the log's directory, durably, and forgets the log. It is false if that was done before.
func (d *Dir) takeOut(l *Log, to string) (taken bool, err error) {
	l.appender.Lock()
	defer l.appender.Unlock()
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if l.deleted.Swap(true) {
		return false, nil
	}
	err = failpoint.Hit("log.delete.before-rename")
	if err == nil {
		err = d.disk.Rename(l.Path(), to)
	}
	if err != nil {
		l.deleted.Store(false)
		return false, d.broken("take out "+l.partition.String(), err)
	}
	d.mu.Lock()
	delete(d.logs, l.partition)
	d.mu.Unlock()
	l.letGo()
	err = failpoint.Hit("log.delete.after-rename")
	if err == nil {
		err = d.disk.SyncDir(d.path)
	}
	if err != nil {
		return false, d.fail(err)
	}
	return true, nil
}

// letGo closes the log's files as soon as nobody reads them.
func (l *Log) letGo() {
	l.mu.Lock()
	pinned := l.dirty
	l.dirty = nil
	for _, s := range pinned {
		s.dirty, s.pin = false, nil
	}
	segments := l.segments
	l.mu.Unlock()
	for _, s := range pinned {
		l.dir.handles.release(&s.data)
	}
	for _, s := range segments {
		for _, f := range s.files() {
			l.dir.handles.forget(f)
		}
	}
}

// renamed is a name for a log's directory that no partition has. It keeps within 255 bytes by cutting the topic's name,
// as Kafka does.
func (d *Dir) renamed(p partition, suffix string) string {
	unique := fmt.Sprintf("%016x%016x", d.random.Uint64(), d.random.Uint64())
	suffix = fmt.Sprintf("-%d.%s%s", p.index, unique, suffix)
	topic := p.topic
	if most := 255 - len(suffix); len(topic) > most {
		topic = strings.TrimSuffix(topic[:most], ".")
	}
	return topic + suffix
}
