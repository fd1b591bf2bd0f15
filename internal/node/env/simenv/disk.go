package simenv

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"millrace/internal/node/env"
)

// ErrDead is the error of every operation of a process that was killed, or whose machine lost power.
var ErrDead = errors.New("simulated process is dead")

// Disk is a simulated file system of one machine. It implements env.Disk for a process that is alive at the time
// of each call; Process gives the view of one process, which dies with the next Kill or PowerCut.
type Disk struct {
	mu       sync.Mutex
	rng      *rand.Rand
	root     *node
	nextID   uint64
	gen      uint64 // number of deaths: handles and views of an older generation are dead
	down     bool   // a crash point was reached; Kill or PowerCut brings the disk up again
	locks    map[string]uint64
	lockSeq  uint64
	capacity int64
	used     int64 // blocks held by files that are linked or open
	rules    []*rule
	ops      uint64 // mutating operations so far
	crashAt  uint64 // 0: never
	trace    uint64
	spare    [][]byte // buffers for the old content of dirty blocks
}

// NewDisk makes an empty disk with a durable root directory "/".
func NewDisk(seed uint64) *Disk {
	d := &Disk{rng: rand.New(rand.NewPCG(seed, 0x6d696c6c72616365)), locks: map[string]uint64{}, capacity: 1 << 40}
	d.root = d.newNode(true)
	return d
}

var _ env.Disk = (*Disk)(nil)

// always is the generation of calls made on the Disk itself: they are by whoever is alive.
const always = ^uint64(0)

// Process is the disk as one process sees it: after the next Kill or PowerCut every call fails with ErrDead. A test
// that leaves goroutines of a dead node behind needs it.
func (d *Disk) Process() env.Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return process{d, d.gen}
}

type process struct {
	d   *Disk
	gen uint64
}

func (p process) Open(name string) (env.File, error)               { return p.d.open(p.gen, name) }
func (p process) Create(name string) (env.File, error)             { return p.d.create(p.gen, name) }
func (p process) Mkdir(name string) error                          { return p.d.mkdir(p.gen, name) }
func (p process) Remove(name string) error                         { return p.d.remove(p.gen, name) }
func (p process) RemoveAll(name string) error                      { return p.d.removeAll(p.gen, name) }
func (p process) Rename(from, to string) error                     { return p.d.rename(p.gen, from, to) }
func (p process) List(name string) ([]fs.DirEntry, error)          { return p.d.list(p.gen, name) }
func (p process) Stat(name string) (fs.FileInfo, error)            { return p.d.stat(p.gen, name) }
func (p process) SyncDir(name string) error                        { return p.d.syncDir(p.gen, name) }
func (p process) Lock(name string) (io.Closer, error)              { return p.d.lock(p.gen, name) }
func (p process) Space(name string) (free, total int64, err error) { return p.d.space(p.gen, name) }

func (d *Disk) Open(name string) (env.File, error)               { return d.open(always, name) }
func (d *Disk) Create(name string) (env.File, error)             { return d.create(always, name) }
func (d *Disk) Mkdir(name string) error                          { return d.mkdir(always, name) }
func (d *Disk) Remove(name string) error                         { return d.remove(always, name) }
func (d *Disk) RemoveAll(name string) error                      { return d.removeAll(always, name) }
func (d *Disk) Rename(from, to string) error                     { return d.rename(always, from, to) }
func (d *Disk) List(name string) ([]fs.DirEntry, error)          { return d.list(always, name) }
func (d *Disk) Stat(name string) (fs.FileInfo, error)            { return d.stat(always, name) }
func (d *Disk) SyncDir(name string) error                        { return d.syncDir(always, name) }
func (d *Disk) Lock(name string) (io.Closer, error)              { return d.lock(always, name) }
func (d *Disk) Space(name string) (free, total int64, err error) { return d.space(always, name) }

// SetCapacity limits the bytes that files may hold, in whole 4 KiB blocks.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

func (d *Disk) open(gen uint64, name string) (env.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.look(gen, OpOpen, name); err != nil {
		return nil, err
	}
	n, err := d.find(OpOpen, name)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, pathErr(OpOpen, name, syscall.EISDIR)
	}
	return d.handle(n, name), nil
}

func (d *Disk) create(gen uint64, name string) (env.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.parent(OpCreate, name)
	if err == nil && dir.entries[base] != nil {
		if err := d.look(gen, OpOpen, name); err != nil {
			return nil, err
		}
		if dir.entries[base].dir {
			return nil, pathErr(OpCreate, name, syscall.EISDIR)
		}
		return d.handle(dir.entries[base], name), nil
	}
	part, fault := d.change(gen, OpCreate, name)
	if part == none {
		return nil, fault
	}
	if err != nil {
		return nil, err
	}
	n := d.newNode(false)
	dir.link(base, n)
	if fault != nil {
		return nil, fault
	}
	return d.handle(n, name), nil
}

func (d *Disk) mkdir(gen uint64, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	cur, at := d.root, "/"
	for _, part := range split(name) {
		at = path.Join(at, part)
		next := cur.entries[part]
		if next == nil {
			how, fault := d.change(gen, OpMkdir, at)
			if how == none {
				return fault
			}
			next = d.newNode(true)
			cur.link(part, next)
			if fault != nil {
				return fault
			}
		}
		if !next.dir {
			return pathErr(OpMkdir, at, syscall.ENOTDIR)
		}
		cur = next
	}
	return d.look(gen, OpStat, name)
}

func (d *Disk) remove(gen uint64, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.removeLocked(gen, name)
}

func (d *Disk) removeLocked(gen uint64, name string) error {
	if d.dead(gen) {
		return pathErr(OpRemove, name, ErrDead)
	}
	dir, base, err := d.parent(OpRemove, name)
	if err != nil {
		return err
	}
	if dir.entries[base] == nil {
		return pathErr(OpRemove, name, fs.ErrNotExist)
	}
	n := dir.entries[base]
	if n.dir && len(n.entries) > 0 {
		return pathErr(OpRemove, name, syscall.ENOTEMPTY)
	}
	how, fault := d.change(gen, OpRemove, name)
	if how == none {
		return fault
	}
	dir.unlink(base)
	d.release(n)
	return fault
}

func (d *Disk) removeAll(gen uint64, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.removeTree(gen, path.Clean("/"+name))
}

func (d *Disk) removeTree(gen uint64, name string) error {
	n, err := d.find(OpRemove, name)
	if err != nil {
		return d.look(gen, OpStat, name)
	}
	if n.dir {
		for _, child := range sorted(n.entries) {
			if err := d.removeTree(gen, path.Join(name, child)); err != nil {
				return err
			}
		}
	}
	return d.removeLocked(gen, name)
}

func (d *Disk) rename(gen uint64, from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead(gen) {
		return pathErr(OpRename, from, ErrDead)
	}
	fromDir, fromBase, err := d.parent(OpRename, from)
	if err != nil {
		return err
	}
	toDir, toBase, err := d.parent(OpRename, to)
	if err != nil {
		return err
	}
	n, old := fromDir.entries[fromBase], toDir.entries[toBase]
	switch {
	case n == nil:
		return pathErr(OpRename, from, fs.ErrNotExist)
	case n == old:
		return d.look(gen, OpStat, from)
	case old != nil && (old.dir != n.dir || len(old.entries) > 0):
		return pathErr(OpRename, to, fs.ErrExist)
	}
	how, fault := d.change(gen, OpRename, from)
	d.note(to)
	if how == none {
		return fault
	}
	move(fromDir, fromBase, toDir, toBase, n)
	if old != nil {
		d.release(old)
	}
	return fault
}

func (d *Disk) list(gen uint64, name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.look(gen, OpList, name); err != nil {
		return nil, err
	}
	n, err := d.find(OpList, name)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, pathErr(OpList, name, syscall.ENOTDIR)
	}
	out := make([]fs.DirEntry, 0, len(n.entries))
	for _, child := range sorted(n.entries) {
		out = append(out, n.entries[child].info(child))
	}
	return out, nil
}

func (d *Disk) stat(gen uint64, name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.look(gen, OpStat, name); err != nil {
		return nil, err
	}
	n, err := d.find(OpStat, name)
	if err != nil {
		return nil, err
	}
	return n.info(path.Base(name)), nil
}

func (d *Disk) syncDir(gen uint64, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead(gen) {
		return pathErr(OpSyncDir, name, ErrDead)
	}
	n, err := d.find(OpSyncDir, name)
	if err != nil {
		return err
	}
	how, fault := d.change(gen, OpSyncDir, name)
	if how == none {
		return fault
	}
	n.syncEntries()
	return fault
}

func (d *Disk) lock(gen uint64, name string) (io.Closer, error) {
	f, err := d.create(gen, name)
	if err != nil {
		return nil, err
	}
	name = path.Clean("/" + name)
	h := d.hold(name, f)
	if h == nil {
		f.Close()
		return nil, pathErr(OpLock, name, env.ErrLocked)
	}
	return h, nil
}

func (d *Disk) hold(name string, f env.File) *held {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] != 0 {
		return nil
	}
	d.lockSeq++
	d.locks[name] = d.lockSeq
	return &held{d, name, d.lockSeq, f}
}

type held struct {
	d    *Disk
	name string
	seq  uint64
	f    env.File
}

func (h *held) Close() error {
	h.d.mu.Lock()
	if h.d.locks[h.name] == h.seq {
		delete(h.d.locks, h.name)
	}
	h.d.mu.Unlock()
	return h.f.Close()
}

func (d *Disk) space(gen uint64, name string) (free, total int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.look(gen, OpStat, name); err != nil {
		return 0, 0, err
	}
	return max(0, d.capacity-d.used), d.capacity, nil
}

// ReadFile gives a file's current content: for looking at what a dead process left.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(OpOpen, name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.data), nil
}

// Tree lists every file with its size, for messages of failed tests.
func (d *Disk) Tree() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	walk("/", d.root, func(name string, n *node) { out = append(out, name+sizeText(n)) })
	return out
}

// Hash sums up names and contents as they are now: two runs of one seed must agree on it.
func (d *Disk) Hash() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.trace
	walk("/", d.root, func(name string, n *node) { h = mix(mix(h, checksum([]byte(name))), checksum(n.data)) })
	return h
}

func (d *Disk) find(op Op, name string) (*node, error) {
	cur := d.root
	for rest := strings.TrimPrefix(name, "/"); rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if part == "" || part == "." {
			continue
		}
		if cur = cur.entries[part]; cur == nil {
			return nil, pathErr(op, name, fs.ErrNotExist)
		}
	}
	return cur, nil
}

func (d *Disk) parent(op Op, name string) (*node, string, error) {
	dir, base := path.Split(strings.TrimSuffix(name, "/"))
	n, err := d.find(op, dir)
	if err != nil {
		return nil, "", pathErr(op, name, fs.ErrNotExist)
	}
	if !n.dir {
		return nil, "", pathErr(op, name, syscall.ENOTDIR)
	}
	return n, base, nil
}

func split(name string) []string {
	return strings.FieldsFunc(path.Clean("/"+name), func(r rune) bool { return r == '/' })
}

func pathErr(op Op, name string, err error) error {
	return &fs.PathError{Op: op.String(), Path: name, Err: err}
}

func sorted(m map[string]*node) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func walk(name string, n *node, f func(string, *node)) {
	f(name, n)
	for _, child := range sorted(n.entries) {
		walk(path.Join(name, child), n.entries[child], f)
	}
}

type info struct {
	name string
	n    *node
	size int64
}

func (n *node) info(name string) info { return info{name, n, int64(len(n.data))} }

func (i info) Name() string               { return i.name }
func (i info) Size() int64                { return i.size }
func (i info) ModTime() time.Time         { return time.Time{} }
func (i info) IsDir() bool                { return i.n.dir }
func (i info) Sys() any                   { return nil }
func (i info) Type() fs.FileMode          { return i.Mode().Type() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) Mode() fs.FileMode {
	if i.n.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
