package commitlog

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"

	"millrace/internal/node/env/failpoint"
)

// Close stops the directory. When everything on it could be made durable the clean marker is written, last of all (L5),
// with the broker epoch that the next start reports. Nothing may append any more.
func (d *Dir) Close(brokerEpoch int64) error {
	d.mu.Lock()
	closed := d.closedOnce
	d.closedOnce = true
	d.mu.Unlock()
	if closed {
		return nil
	}
	d.cleaner.stop()
	d.loop.stop()
	logs := d.Logs()
	err := d.Failed()
	if err == nil {
		err = d.closeLogs(logs)
	}
	if err == nil {
		err = errors.Join(d.writeRecoveryPoints(), d.writeLogStarts(), d.writeHighWatermarks())
	}
	if err == nil {
		err = failpoint.Hit("marker.before-write")
	}
	if err == nil {
		content, _ := json.Marshal(cleanMarker{0, brokerEpoch})
		err = writeDurable(d.disk, filepath.Join(d.path, cleanMarkerFile), content)
	}
	if err == nil {
		err = failpoint.Hit("marker.after-write")
	}
	for _, l := range logs {
		l.letGo()
	}
	return errors.Join(err, d.lock.Close())
}

var errAbandoned = errors.New("abandoned")

// Abandon drops the directory without a word to the disk, as a kill would.
func (d *Dir) Abandon() {
	d.fail(errAbandoned)
	d.cleaner.stop()
	d.loop.stop()
	for _, l := range d.Logs() {
		l.letGo()
	}
	d.lock.Close()
}

func (d *Dir) closeLogs(logs []*Log) error {
	var (
		next    atomic.Int64
		mu      sync.Mutex
		errs    []error
		workers sync.WaitGroup
	)
	for range min(d.options.RecoveryThreads, len(logs)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(logs)); i = next.Add(1) - 1 {
				if err := logs[i].finishClean(); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// finishClean leaves a log on disk as a clean start wants it: all synced, indexes with their last time entry, producer
// states at the end, the recovery point there too. A log that was not written since it was loaded is left alone.
func (l *Log) finishClean() error {
	if l.damage != nil {
		return l.damage
	}
	if _, err := l.flush(); err != nil {
		return err
	}
	l.mu.Lock()
	active, untouched := l.active(), l.recoveryPoint == l.end.Load()
	l.mu.Unlock()
	if active == nil || untouched {
		return nil
	}
	if err := l.loadIndexes(active); err != nil {
		return err
	}
	l.mu.Lock()
	active.noteTime()
	l.mu.Unlock()
	return l.advanceRecoveryPoint()
}
