package simenv

import (
	"fmt"
	"hash/crc32"
)

const (
	blockSize  = 4096
	sectorSize = 512
)

// A node is a file or a directory.
//
//	entries, data    as the running processes see them
//	durable, undo    what a power cut returns to: durable holds the synced names; undo holds, for each block changed
//	                 since the last sync, its synced content (shorter than a block where the file ended)
//
// N1: a block that is not in undo has its synced content in data (zeros where data is longer than synced).
// N2: a directory's entries = durable + pending applied in order.
type node struct {
	id  uint64
	dir bool

	entries map[string]*node
	durable map[string]*node
	pending []*dirOp

	data   []byte
	synced int64 // the durable size
	undo   map[int][]byte
	open   int
	linked bool
}

// dirOp is one change of names not yet made durable. from or to is empty for a create or a remove.
type dirOp struct {
	fromDir, toDir *node
	from, to       string
	n              *node
	done           bool
}

func (d *Disk) newNode(dir bool) *node {
	d.nextID++
	n := &node{id: d.nextID, dir: dir, linked: true}
	if dir {
		n.entries, n.durable = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (n *node) link(name string, child *node) {
	n.entries[name] = child
	n.pending = append(n.pending, &dirOp{toDir: n, to: name, n: child})
}

func (n *node) unlink(name string) {
	n.pending = append(n.pending, &dirOp{fromDir: n, from: name, n: n.entries[name]})
	delete(n.entries, name)
}

func move(fromDir *node, from string, toDir *node, to string, n *node) {
	op := &dirOp{fromDir: fromDir, from: from, toDir: toDir, to: to, n: n}
	delete(fromDir.entries, from)
	toDir.entries[to] = n
	fromDir.pending = append(fromDir.pending, op)
	if toDir != fromDir {
		toDir.pending = append(toDir.pending, op)
	}
}

// apply makes one change of names durable. When earlier changes were lost, the old name may hold another file by
// now, or none: then it stays as it is.
func (o *dirOp) apply() {
	if o.done {
		return
	}
	o.done = true
	if o.from != "" && o.fromDir.durable[o.from] == o.n {
		delete(o.fromDir.durable, o.from)
	}
	if o.to != "" {
		o.toDir.durable[o.to] = o.n
	}
}

func (n *node) syncEntries() {
	for _, op := range n.pending {
		op.apply()
	}
	n.pending = n.pending[:0]
}

// touch keeps the synced content of a block that is about to change.
func (d *Disk) touch(n *node, block int) {
	if _, dirty := n.undo[block]; dirty {
		return
	}
	if n.undo == nil {
		n.undo = map[int][]byte{}
	}
	start, end := block*blockSize, min((block+1)*blockSize, len(n.data))
	if start >= end {
		n.undo[block] = nil
		return
	}
	n.undo[block] = append(d.buffer(), n.data[start:end]...)
}

func (d *Disk) buffer() []byte {
	if k := len(d.spare); k > 0 {
		b := d.spare[k-1]
		d.spare = d.spare[:k-1]
		return b
	}
	return make([]byte, 0, blockSize)
}

func (d *Disk) forgetUndo(n *node) {
	for _, old := range n.undo {
		if cap(old) == blockSize && len(d.spare) < 64 {
			d.spare = append(d.spare, old[:0])
		}
	}
	clear(n.undo)
}

func (d *Disk) write(n *node, p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	end := int(off) + len(p)
	for b := int(off) / blockSize; b*blockSize < end; b++ {
		d.touch(n, b)
	}
	if end > len(n.data) {
		d.resize(n, end)
	}
	copy(n.data[off:], p)
}

func (d *Disk) truncate(n *node, size int64) {
	for b := int(size) / blockSize; b*blockSize < len(n.data); b++ {
		d.touch(n, b)
	}
	d.resize(n, int(size))
}

// resize cuts, or extends with zeros.
func (d *Disk) resize(n *node, size int) {
	d.used += blocks(size) - blocks(len(n.data))
	if size <= len(n.data) {
		n.data = n.data[:size]
		return
	}
	old := len(n.data)
	if size > cap(n.data) {
		grown := make([]byte, old, max(size, min(2*cap(n.data), cap(n.data)+1<<20)))
		copy(grown, n.data)
		n.data = grown
	}
	n.data = n.data[:size]
	clear(n.data[old:])
}

func blocks(size int) int64 { return int64(size+blockSize-1) / blockSize * blockSize }

func (d *Disk) sync(n *node) {
	d.forgetUndo(n)
	n.synced = int64(len(n.data))
}

// dropDirty is a failed sync: the pages are gone, reads see what the disk has; the size in memory stays, and the
// next sync finds nothing to write and succeeds.
func (d *Disk) dropDirty(n *node) {
	for b, old := range n.undo {
		restore(n.data, b, old)
		// What an unsynced truncation cut off is still on the disk, and only undo knows it.
		if b*blockSize+len(old) <= len(n.data) {
			delete(n.undo, b)
		}
	}
}

// restore puts old content into block b of data, with zeros where old is shorter.
func restore(data []byte, b int, old []byte) {
	if b*blockSize >= len(data) {
		return
	}
	dst := data[b*blockSize : min((b+1)*blockSize, len(data))]
	k := copy(dst, old)
	clear(dst[k:])
}

// release gives the blocks back once a file has neither a name nor a handle.
func (d *Disk) release(n *node) {
	n.linked = false
	d.free(n)
}

func (d *Disk) free(n *node) {
	if !n.linked && n.open == 0 && !n.dir {
		d.used -= blocks(len(n.data))
	}
}

func sizeText(n *node) string {
	if n.dir {
		return "/"
	}
	return fmt.Sprintf(" %d (synced %d, dirty blocks %d)", len(n.data), n.synced, len(n.undo))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint64 { return uint64(crc32.Checksum(b, castagnoli)) }

func mix(h, v uint64) uint64 { return (h^v)*0x9e3779b97f4a7c15 ^ h>>29 }
