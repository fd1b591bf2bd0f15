package simenv

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Op is a kind of disk operation; kinds can be or-ed together in a Rule.
type Op uint32

const (
	OpOpen Op = 1 << iota
	OpCreate
	OpMkdir
	OpRemove
	OpRename
	OpList
	OpStat
	OpSyncDir
	OpLock
	OpRead
	OpWrite
	OpSync
	OpTruncate
)

var opNames = []string{"open", "create", "mkdir", "remove", "rename", "list", "stat", "syncdir", "lock", "read", "write", "sync", "truncate"}

func (o Op) String() string {
	var names []string
	for i, name := range opNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Rule makes operations fail. The zero Nth means the first; Err nil means EIO.
type Rule struct {
	Op    Op
	Path  string // pattern of path.Match: on the last element, or on the whole path if it holds a slash; "" is any
	Nth   int    // fails the n-th matching operation, counted from 1 at the call of Fail
	Times int    // how many fail from there on: 0 is one, negative is for ever
	Err   error
}

type rule struct {
	Rule
	seen int
}

// Fail adds a rule. Rules stay until ClearFaults; Kill and PowerCut do not mend a disk.
func (d *Disk) Fail(r Rule) {
	if r.Err == nil {
		r.Err = syscall.EIO
	}
	r.Nth = max(r.Nth, 1)
	if r.Times == 0 {
		r.Times = 1
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = append(d.rules, &rule{Rule: r})
}

// ClearFaults removes all rules and the crash point.
func (d *Disk) ClearFaults() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules, d.crashAt = nil, 0
}

// Ops is the number of mutating operations so far, those that failed included.
func (d *Disk) Ops() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// CrashAt lets the disk die at mutating operation number n (the next one is Ops()+1). 0 takes it back.
func (d *Disk) CrashAt(n uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = n
}

// Down reports that the crash point was reached.
func (d *Disk) Down() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

// how much of an operation takes effect
type extent int

const (
	none extent = iota
	some        // a write only: a random prefix
	whole
)

func (d *Disk) dead(gen uint64) bool { return d.down || gen != always && gen != d.gen }

// look admits an operation that changes nothing.
func (d *Disk) look(gen uint64, op Op, name string) error {
	if d.dead(gen) {
		return pathErr(op, name, ErrDead)
	}
	return d.fault(op, name)
}

// change admits a mutating operation: it is numbered, may meet a rule or the crash point, and goes into the trace.
func (d *Disk) change(gen uint64, op Op, name string) (extent, error) {
	if d.dead(gen) {
		return none, pathErr(op, name, ErrDead)
	}
	d.ops++
	d.trace = mix(d.trace, uint64(op))
	d.note(name)
	if d.ops == d.crashAt {
		d.down = true
		return d.partOf(op), pathErr(op, name, ErrDead)
	}
	if err := d.fault(op, name); err != nil {
		if op == OpWrite {
			return extent(d.rng.IntN(2)), err
		}
		return none, err
	}
	return whole, nil
}

func (d *Disk) partOf(op Op) extent {
	how := extent(d.rng.IntN(3))
	if how == some && op != OpWrite {
		how = whole
	}
	return how
}

func (d *Disk) note(name string) { d.trace = mix(d.trace, checksum([]byte(name))) }

func (d *Disk) fault(op Op, name string) error {
	for _, r := range d.rules {
		if r.Op&op == 0 || !r.matches(name) {
			continue
		}
		r.seen++
		if r.seen >= r.Nth && (r.Times < 0 || r.seen < r.Nth+r.Times) {
			return pathErr(op, name, r.Err)
		}
	}
	return nil
}

func (r *rule) matches(name string) bool {
	if r.Path == "" {
		return true
	}
	if !strings.Contains(r.Path, "/") {
		name = path.Base(name)
	}
	ok, err := path.Match(r.Path, name)
	if err != nil {
		panic(fmt.Sprintf("simenv: rule path %q: %v", r.Path, err))
	}
	return ok
}

// Kill is the death of the process: handles die and locks go, every byte written stays.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.die()
}

func (d *Disk) die() {
	d.gen++
	d.down, d.crashAt = false, 0
	clear(d.locks)
	d.recount()
}

// recount forgets the blocks of files that only dead handles held.
func (d *Disk) recount() {
	d.used = 0
	walk("/", d.root, func(_ string, n *node) {
		n.open = 0
		d.used += blocks(len(n.data))
	})
}

// PowerCut is the death of the machine; keep is the share of what was not synced that survives: 0, 1 or between.
func (d *Disk) PowerCut(keep float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutDir(d.root, keep)
	d.die()
}

func (d *Disk) cutDir(n *node, keep float64) {
	d.cutEntries(n, keep)
	n.entries = maps.Clone(n.durable)
	for _, name := range sorted(n.entries) {
		child := n.entries[name]
		child.linked = true
		if child.dir {
			d.cutDir(child, keep)
		} else {
			d.cutFile(child, keep)
		}
	}
}

// cutEntries keeps a share of the unsynced changes of names: half of the time a prefix of them, as a journal does,
// else each by itself.
func (d *Disk) cutEntries(n *node, keep float64) {
	kept := len(n.pending)
	prefix := true
	if keep < 1 && kept > 0 {
		prefix = keep == 0 || d.rng.IntN(2) == 0
		kept = int(float64(kept+1) * min(1, 2*keep*d.rng.Float64()))
	}
	for i, op := range n.pending {
		if prefix && i < kept || !prefix && d.rng.Float64() < keep {
			op.apply()
		}
		op.done = true // decided, for the other directory of a rename too
	}
	n.pending = n.pending[:0]
}

func (d *Disk) cutFile(n *node, keep float64) {
	size := d.cutSize(n, keep)
	data := make([]byte, size)
	copy(data, n.data)
	for _, b := range sortedBlocks(n.undo) {
		d.cutBlock(n, data, b, keep)
	}
	if int64(size) > int64(len(n.data)) { // a lost truncation brings synced blocks back, all of them in undo (N1)
		d.used += blocks(size) - blocks(len(n.data))
	}
	n.data = data
	d.sync(n)
}

func (d *Disk) cutSize(n *node, keep float64) int {
	low, high := int(n.synced), len(n.data)
	switch {
	case keep == 0:
		return low
	case keep == 1 || low == high:
		return high
	}
	switch d.rng.IntN(3) {
	case 0:
		return low
	case 1:
		return high
	}
	if low > high {
		return []int{low, high}[d.rng.IntN(2)]
	}
	return low + d.rng.IntN(high-low)
}

func (d *Disk) cutBlock(n *node, data []byte, b int, keep float64) {
	switch {
	case keep == 1:
	case d.rng.Float64() >= keep:
		restore(data, b, n.undo[b])
	case d.rng.IntN(4) == 0:
		d.tear(data, b, n.undo[b])
	}
}

// tear lets each sector of a block be old or new.
func (d *Disk) tear(data []byte, b int, old []byte) {
	for s := 0; s < blockSize; s += sectorSize {
		start := b*blockSize + s
		if start >= len(data) {
			return
		}
		if d.rng.IntN(2) == 0 {
			continue
		}
		dst := data[start:min(start+sectorSize, len(data))]
		k := 0
		if s < len(old) {
			k = copy(dst, old[s:])
		}
		clear(dst[k:])
	}
}

func sortedBlocks(m map[int][]byte) []int {
	out := make([]int, 0, len(m))
	for b := range m {
		out = append(out, b)
	}
	slices.Sort(out)
	return out
}
