package commitlog

import (
	"errors"
	"sync"

	"millrace/internal/node/env"
)

// handles is the bounded set of open files of one directory. A file is opened when it is first needed and stays
// open, idle, until the room is wanted. A file in use is never closed, so the bound gives way rather than a reader.
type handles struct {
	disk env.Disk
	max  int

	mu         sync.Mutex
	open       int
	head, tail *diskFile // idle files, least recently used first
}

// diskFile is one file of a segment: a name and perhaps an open handle. Its fields belong to handles.mu.
type diskFile struct {
	seg        *segment
	ext        string
	file       env.File
	refs       int
	gone       bool // no longer part of the log: closed with the last reference
	idle       bool
	prev, next *diskFile
}

func (f *diskFile) path() string { return f.seg.path(f.ext) }

// acquire opens f if need be, and holds it open until release. With create an absent file is made.
func (h *handles) acquire(f *diskFile, create bool) (env.File, error) {
	h.mu.Lock()
	if f.file != nil {
		h.unlink(f)
		f.refs++
		file := f.file
		h.mu.Unlock()
		return file, nil
	}
	if f.gone {
		h.mu.Unlock()
		return nil, ErrDeleted
	}
	h.mu.Unlock()

	file, err := h.openFile(f.path(), create)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	if f.gone && f.file == nil { // while it was opened: its name may be another segment's by now
		h.mu.Unlock()
		file.Close()
		return nil, ErrDeleted
	}
	spare := file
	if f.file == nil {
		f.file, spare = file, nil
		h.open++
	}
	h.unlink(f)
	f.refs++
	file = f.file
	victims := h.evict()
	h.mu.Unlock()
	if spare != nil { // another caller opened it at the same time
		victims = append(victims, spare)
	}
	closeAll(victims)
	return file, nil
}

func (h *handles) openFile(name string, create bool) (env.File, error) {
	if create {
		return h.disk.Create(name)
	}
	return h.disk.Open(name)
}

// hold takes one more reference on a file that the caller already holds.
func (h *handles) hold(f *diskFile) {
	h.mu.Lock()
	f.refs++
	h.mu.Unlock()
}

func (h *handles) release(f *diskFile) {
	h.mu.Lock()
	f.refs--
	var victims []env.File
	if f.refs == 0 {
		if f.gone {
			victims = append(victims, f.file)
			f.file = nil
			h.open--
		} else {
			h.push(f)
			victims = h.evict()
		}
	}
	h.mu.Unlock()
	closeAll(victims)
}

// forget drops f from the set: its handle is closed as soon as nobody holds it.
func (h *handles) forget(f *diskFile) {
	h.mu.Lock()
	f.gone = true
	var file env.File
	if f.refs == 0 && f.file != nil {
		h.unlink(f)
		file, f.file = f.file, nil
		h.open--
	}
	h.mu.Unlock()
	if file != nil {
		file.Close()
	}
}

func (h *handles) evict() []env.File {
	var victims []env.File
	for h.open > h.max && h.head != nil {
		f := h.head
		h.unlink(f)
		victims = append(victims, f.file)
		f.file = nil
		h.open--
	}
	return victims
}

func (h *handles) push(f *diskFile) {
	f.idle, f.prev, f.next = true, h.tail, nil
	if h.tail != nil {
		h.tail.next = f
	} else {
		h.head = f
	}
	h.tail = f
}

func (h *handles) unlink(f *diskFile) {
	if !f.idle {
		return
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		h.head = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		h.tail = f.prev
	}
	f.idle, f.prev, f.next = false, nil, nil
}

func closeAll(files []env.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// openCount is for tests and metrics.
func (h *handles) openCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}
