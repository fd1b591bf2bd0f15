package simenv

import (
	"io"
	"io/fs"
	"syscall"
)

type file struct {
	d      *Disk
	n      *node
	name   string
	gen    uint64
	closed bool
}

func (d *Disk) handle(n *node, name string) *file {
	n.open++
	return &file{d: d, n: n, name: name, gen: d.gen}
}

func (f *file) check() error {
	if f.closed {
		return &fs.PathError{Op: "file", Path: f.name, Err: fs.ErrClosed}
	}
	return nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return 0, err
	}
	if err := f.d.look(f.gen, OpRead, f.name); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathErr(OpRead, f.name, syscall.EINVAL)
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	k := copy(p, f.n.data[off:])
	if k < len(p) {
		return k, io.EOF
	}
	return k, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathErr(OpWrite, f.name, syscall.EINVAL)
	}
	how, err := f.d.change(f.gen, OpWrite, f.name)
	switch how {
	case none:
		return 0, err
	case some:
		p = p[:f.d.rng.IntN(len(p)+1)]
	}
	f.d.trace = mix(mix(f.d.trace, uint64(off)), checksum(p))
	want := len(p)
	p = p[:f.d.room(f.n, off, want)]
	f.d.write(f.n, p, off)
	if err == nil && len(p) < want {
		err = pathErr(OpWrite, f.name, syscall.ENOSPC)
	}
	return len(p), err
}

// room is how many of k bytes at off fit under the capacity.
func (d *Disk) room(n *node, off int64, k int) int {
	end := int(off) + k
	if d.used+blocks(max(end, len(n.data)))-blocks(len(n.data)) <= d.capacity {
		return k
	}
	limit := blocks(len(n.data)) + max(0, d.capacity-d.used)/blockSize*blockSize
	return int(min(int64(k), max(0, limit-off)))
}

func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return err
	}
	how, err := f.d.change(f.gen, OpSync, f.name)
	switch {
	case how != none:
		f.d.sync(f.n)
	case err != nil && !f.d.dead(f.gen):
		f.d.dropDirty(f.n)
	}
	return err
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return err
	}
	if size < 0 {
		return pathErr(OpTruncate, f.name, syscall.EINVAL)
	}
	how, err := f.d.change(f.gen, OpTruncate, f.name)
	if how == none {
		return err
	}
	f.d.trace = mix(f.d.trace, uint64(size))
	f.d.truncate(f.n, size)
	return err
}

func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return 0, err
	}
	if err := f.d.look(f.gen, OpStat, f.name); err != nil {
		return 0, err
	}
	return int64(len(f.n.data)), nil
}

// Fd has none to give: readers copy.
func (f *file) Fd() (uintptr, bool) { return 0, false }

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return err
	}
	f.closed = true
	if f.gen != f.d.gen {
		return nil // the kernel closed it when the process died
	}
	f.n.open--
	f.d.free(f.n)
	return nil
}
