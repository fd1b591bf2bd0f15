package commitlog

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// The sync loop of a directory: logs that want durability stand in a queue, and a number of workers flush them in
// parallel. A log is
//
//	idle -> queued -> syncing -> idle
//	                  syncing -> again -> queued
//
// A request while the log is syncing may have come after the end was captured, so it makes the log go round again.
const (
	idle int32 = iota
	queued
	syncing
	again
)

// Values of DirOptions.SyncWorkers without goroutines, for simulations.
const (
	Inline  = -1 // RequestSync syncs before it returns
	Stepped = -2 // SyncOnce serves what has been requested
)

type syncLoop struct {
	mu      sync.Mutex
	work    *sync.Cond
	queue   []*Log
	closed  bool
	inline  bool // no workers: the caller of RequestSync serves
	stepped bool // no workers: SyncOnce serves
	workers sync.WaitGroup
}

func (q *syncLoop) start(workers int) {
	q.inline, q.stepped = workers == Inline, workers == Stepped
	q.work = sync.NewCond(&q.mu)
	for range max(workers, 0) {
		q.workers.Go(q.serve)
	}
}

// stop lets the workers finish what is queued and waits for them.
func (q *syncLoop) stop() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.work.Broadcast()
	q.workers.Wait()
}

func (q *syncLoop) push(l *Log) {
	if q.inline {
		q.turn(l)
		return
	}
	q.mu.Lock()
	q.queue = append(q.queue, l)
	q.mu.Unlock()
	q.work.Signal()
}

func (q *syncLoop) pop() *Log {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.queue) == 0 {
		if q.closed {
			return nil
		}
		q.work.Wait()
	}
	l := q.queue[0]
	q.queue[0] = nil
	q.queue = q.queue[1:]
	return l
}

func (q *syncLoop) serve() {
	for l := q.pop(); l != nil; l = q.pop() {
		q.turn(l)
	}
}

func (q *syncLoop) turn(l *Log) {
	l.state.Store(syncing) // before the end is captured: see RequestSync
	if f := l.onFlushed.Load(); reportBeforeSync && f != nil {
		(*f)(l.end.Load())
	}
	if end, err := l.flush(); err == nil {
		if f := l.onFlushed.Load(); f != nil {
			(*f)(end)
		}
	}
	if !l.state.CompareAndSwap(syncing, idle) {
		l.state.Store(queued)
		q.push(l)
	}
}

// SyncOnce serves the requests that wait, in order, in a directory that was opened with Stepped.
func (d *Dir) SyncOnce() {
	q := &d.loop
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.mu.Unlock()
			return
		}
		l := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		q.turn(l)
	}
}

// RequestSync asks for durability of everything appended so far. The flushed end tells when it is reached.
func (l *Log) RequestSync() {
	for {
		switch l.state.Load() {
		case idle:
			if l.state.CompareAndSwap(idle, queued) {
				l.dir.loop.push(l)
				return
			}
		case syncing:
			if l.state.CompareAndSwap(syncing, again) {
				return
			}
		default:
			return
		}
	}
}

// OnFlushed sets what is called after each sync with the new flushed end, never under a lock.
func (l *Log) OnFlushed(f func(flushedEnd int64)) { l.onFlushed.Store(&f) }

// flushItem is a segment and how much of it a sync will cover.
type flushItem struct {
	segment *segment
	file    env.File
	size    int64
}

// flush makes the log durable up to its present end and returns that end (L2). A failure takes the directory offline.
func (l *Log) flush() (int64, error) {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if err := l.dir.Failed(); err != nil {
		return 0, err
	}
	if l.deleted.Load() {
		return 0, ErrDeleted
	}
	var room [4]flushItem
	items := room[:0]
	l.mu.Lock()
	end := l.end.Load()
	for _, s := range l.dirty {
		items = append(items, flushItem{s, s.pin, s.size})
	}
	names, metadata, ticket := l.newNames, l.newMetadata, l.nameTicket
	l.newNames, l.newMetadata = false, false
	l.unflushed = 0
	l.mu.Unlock()

	began := l.dir.options.Env.Clock.Now()
	if err := l.syncData(items); err != nil {
		return 0, l.dir.fail(fmt.Errorf("sync %s: %w", l.partition, err))
	}
	err := failpoint.Hit("sync.before-names")
	if err == nil {
		err = l.syncNames(names, metadata, ticket)
	}
	if err == nil {
		err = failpoint.Hit("sync.after")
	}
	if err != nil {
		return 0, l.dir.fail(fmt.Errorf("sync the names of %s: %w", l.partition, err))
	}
	l.dir.options.Metrics.Synced(l.dir.options.Env.Clock.Now().Sub(began))
	l.settleFlush(items, end)
	return end, nil
}

func (l *Log) syncData(items []flushItem) error {
	if err := failpoint.Hit("sync.before"); err != nil {
		return err
	}
	for _, i := range items {
		if err := i.file.Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) syncNames(names, metadata bool, ticket int64) error {
	disk := l.dir.disk
	if metadata {
		f, err := disk.Open(filepath.Join(l.Path(), partitionMetadataFile))
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			return err
		}
	}
	if names || metadata {
		if err := disk.SyncDir(l.Path()); err != nil {
			return err
		}
	}
	if ticket == 0 {
		return nil
	}
	if err := l.dir.syncNames(ticket); err != nil {
		return err
	}
	l.mu.Lock()
	l.nameTicket = 0
	l.mu.Unlock()
	return nil
}

// settleFlush moves the flushed end and lets handles go whose segments are clean.
func (l *Log) settleFlush(items []flushItem, end int64) {
	l.mu.Lock()
	kept := l.dirty[:0]
	var clean []*segment
	for _, i := range items {
		i.segment.synced = i.size
	}
	for _, s := range l.dirty {
		if s.synced < s.size {
			kept = append(kept, s)
			continue
		}
		s.dirty, s.pin = false, nil
		clean = append(clean, s)
	}
	clear(l.dirty[len(kept):])
	l.dirty = kept
	if end > l.flushed.Load() {
		l.flushed.Store(end)
	}
	l.mu.Unlock()
	for _, s := range clean {
		l.dir.handles.release(&s.data)
	}
}
