package checker

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Checker takes the events of one history in order and judges it at the end. Terms of the checks, for a key k: L(k) maps
// offsets to the values found there, by an acknowledged send or by any poll; ord(k) is L(k) by ascending offset without the
// gaps; R(k) holds what polls that succeeded delivered.
type Checker struct {
	values   []value
	byValue  table[int32] // value -> index in values + 1
	ops      []op
	byOp     table[int32] // operation -> index in ops + 1
	keys     map[int32]*key
	keyOrder []int32
	moved    map[int32][]int64 // index of a value -> its further offsets: only duplicates have any
	final    *op               // the final operation while it is under way
	report   Report
}

type value struct {
	value  int64
	offset int64 // the first found; -1: none
	key    int32
	op     int32
	// Index in ord(k), where the value stands at several offsets the smallest and the largest; -1 until known.
	earliest, latest int32

	seen bool // delivered by any poll
	read bool // delivered by a poll that succeeded: member of R(k)
	kept bool // delivered by the complete read at the end
}

type op struct {
	id      int64
	process int64
	kind    Kind // Invoke until completed
	proven  bool // a value of it was delivered, so it happened whatever was answered
}

type key struct {
	id       int32
	log      table[int32]      // offset -> index of the first value found there + 1
	conflict map[int64][]int32 // offset -> the further values found there
	final    bool
	end      int64
	complete bool // the history holds the polls of the complete read, which lie inside the final operation
	phantoms []Read
}

// New returns a checker of an empty history.
func New() *Checker {
	return &Checker{keys: map[int32]*key{}, moved: map[int32][]int64{}, report: Report{Counts: map[string]int{}}}
}

// Check judges a whole history.
func Check(history io.Reader) (*Report, error) {
	c, d := New(), NewDecoder(history)
	var e Event
	for {
		err := d.Next(&e)
		if errors.Is(err, io.EOF) {
			return c.Report(), nil
		}
		if err == nil {
			err = c.Add(&e)
		}
		if err != nil {
			return nil, err
		}
	}
}

// Add takes the next event. An error means that the history contradicts itself, which is a bug of the tester.
func (c *Checker) Add(e *Event) error {
	switch {
	case e.Kind == Note:
		c.report.Notes = append(c.report.Notes, NoteLine{At: e.At, What: e.Func, Detail: e.Detail})
		return nil
	case e.Kind == Invoke:
		return c.invoke(e)
	}
	return c.complete(e)
}

func (c *Checker) invoke(e *Event) error {
	slot := c.byOp.at(e.ID)
	if *slot != 0 {
		return fmt.Errorf("operation %d is invoked twice", e.ID)
	}
	c.ops = append(c.ops, op{id: e.ID, process: e.Process, kind: Invoke})
	*slot = int32(len(c.ops))
	if e.Func == "final" {
		c.final = &op{id: e.ID, process: e.Process}
	}
	c.report.Ops++
	for _, s := range e.Sends {
		at := c.byValue.at(s.Value)
		if *at != 0 {
			return fmt.Errorf("value %d is sent twice, the second time by operation %d: values must be unique", s.Value, e.ID)
		}
		c.values = append(c.values, value{value: s.Value, offset: -1, key: s.Key, op: int32(len(c.ops) - 1), earliest: -1})
		*at = int32(len(c.values))
		c.key(s.Key)
	}
	c.report.Sends += len(e.Sends)
	return nil
}

func (c *Checker) complete(e *Event) error {
	slot := *c.byOp.at(e.ID)
	if slot == 0 {
		return fmt.Errorf("operation %d completes without an invocation", e.ID)
	}
	o := &c.ops[slot-1]
	if o.kind != Invoke {
		return fmt.Errorf("operation %d completes twice", e.ID)
	}
	o.kind = e.Kind
	if e.Kind == OK {
		for _, s := range e.Sends {
			if err := c.acked(s); err != nil {
				return err
			}
		}
		for k, end := range e.Ends {
			c.key(k).final, c.key(k).end = true, end
		}
	}
	atEnd := c.final != nil && c.final.process == e.Process
	for _, r := range e.Reads {
		c.delivered(r, e.Kind == OK, atEnd)
	}
	if atEnd && c.final.id == e.ID {
		c.final = nil
	}
	c.report.Reads += len(e.Reads)
	return nil
}

func (c *Checker) key(id int32) *key {
	k := c.keys[id]
	if k == nil {
		k = &key{id: id, conflict: map[int64][]int32{}}
		c.keys[id] = k
		c.keyOrder = append(c.keyOrder, id)
	}
	return k
}

func (c *Checker) acked(s Send) error {
	i := *c.byValue.at(s.Value)
	if i == 0 {
		return fmt.Errorf("value %d is acknowledged and was never sent", s.Value)
	}
	c.report.Acked++
	if s.Offset >= 0 {
		c.place(c.key(s.Key), s.Offset, i-1)
	}
	return nil
}

func (c *Checker) delivered(r Read, ok, atEnd bool) {
	k := c.key(r.Key)
	i := *c.byValue.at(r.Value)
	if i == 0 || c.values[i-1].key != r.Key {
		k.phantoms = append(k.phantoms, r)
		return
	}
	v := &c.values[i-1]
	v.seen = true
	v.read = v.read || ok
	v.kept = v.kept || ok && atEnd
	k.complete = k.complete || ok && atEnd
	c.ops[v.op].proven = true
	c.place(k, r.Offset, i-1)
}

// place puts a value into L(k).
func (c *Checker) place(k *key, offset int64, i int32) {
	slot := k.log.at(offset)
	switch {
	case *slot == 0:
		*slot = i + 1
	case *slot != i+1 && !slices.Contains(k.conflict[offset], i):
		k.conflict[offset] = append(k.conflict[offset], i)
	}
	v := &c.values[i]
	switch {
	case v.offset < 0:
		v.offset = offset
	case v.offset != offset && !slices.Contains(c.moved[i], offset):
		c.moved[i] = append(c.moved[i], offset)
	}
}

// Report judges what was added so far.
func (c *Checker) Report() *Report {
	c.count()
	slices.Sort(c.keyOrder)
	lost := make([]bool, len(c.values))
	for _, id := range c.keyOrder {
		k := c.keys[id]
		c.phantom(k)
		c.inconsistent(k)
		c.lostWrites(k, lost)
		if !k.final {
			c.report.Unfinished = append(c.report.Unfinished, id)
		}
	}
	c.duplicates()
	c.aborted()
	c.unseen(lost)
	for _, l := range lost {
		if l {
			c.report.Lost++
		}
	}
	r := c.report
	r.Keys = len(c.keyOrder)
	return &r
}

func (c *Checker) count() {
	for i := range c.ops {
		switch c.ops[i].kind {
		case OK:
			c.report.OKs++
		case Fail:
			c.report.Fails++
		default:
			c.report.Infos++
		}
	}
}

// phantom is C1: a read value that nobody sent to this key.
func (c *Checker) phantom(k *key) {
	for _, r := range k.phantoms {
		c.find("C1", k, r.Offset, fmt.Sprintf("value %d was read at offset %d and nobody sent it to key %d", r.Value, r.Offset, k.id))
	}
}

// inconsistent is C2: two values at one offset.
func (c *Checker) inconsistent(k *key) {
	offsets := make([]int64, 0, len(k.conflict))
	for o := range k.conflict {
		offsets = append(offsets, o)
	}
	slices.Sort(offsets)
	for _, o := range offsets {
		text := fmt.Sprintf("offset %d holds %s", o, c.describe(*k.log.at(o)-1))
		for _, i := range k.conflict[o] {
			text += " and " + c.describe(i)
		}
		c.find("C2", k, o, text)
	}
}

// duplicates is C3: one value at two offsets.
func (c *Checker) duplicates() {
	if len(c.moved) == 0 {
		return
	}
	for i := range c.values {
		if more := c.moved[int32(i)]; len(more) > 0 {
			v := &c.values[i]
			all := append([]int64{v.offset}, more...)
			slices.Sort(all)
			c.find("C3", c.keys[v.key], all[len(all)-1], fmt.Sprintf("%s stands at offsets %v", c.describe(int32(i)), all))
		}
	}
}

// aborted is C4: a read value whose writer was told that it failed.
func (c *Checker) aborted() {
	for i := range c.values {
		if v := &c.values[i]; v.seen && c.ops[v.op].kind == Fail {
			c.find("C4", c.keys[v.key], v.offset, fmt.Sprintf("%s was read at offset %d, and its writer was told that it failed", c.describe(int32(i)), v.offset))
		}
	}
}

// lostWrites is C5: a value that happened, stands in ord(k) before the highest that was read, and was not read. Where values
// stand at several offsets the bound takes each at its earliest and the duty to be read each at its latest, so that only
// certain losses are reported.
func (c *Checker) lostWrites(k *key, lost []bool) {
	members := c.rank(k)
	bound := int32(-1)
	for _, i := range members {
		if v := &c.values[i]; v.read {
			bound = max(bound, v.earliest)
		}
	}
	for _, i := range members {
		v := &c.values[i]
		kind := c.ops[v.op].kind
		happened := kind == OK || kind != Fail && c.ops[v.op].proven
		if happened && !v.read && v.latest < bound {
			lost[i] = kind == OK
			c.find("C5", k, v.offset, fmt.Sprintf("%s is not in any complete read, and later offsets are", c.describe(i)))
		}
	}
}

// rank gives every value of L(k) its earliest and latest index in ord(k) and returns the values in order.
func (c *Checker) rank(k *key) (members []int32) {
	rank := int32(0)
	put := func(i int32) {
		v := &c.values[i]
		if v.earliest < 0 {
			v.earliest = rank
			members = append(members, i)
		}
		v.latest = rank
	}
	k.log.each(func(offset int64, first *int32) {
		if *first == 0 {
			return
		}
		put(*first - 1)
		for _, i := range k.conflict[offset] {
			put(i)
		}
		rank++
	})
	return members
}

// unseen is C6: an acknowledged value that the complete read at the end does not find, whoever has read it before.
func (c *Checker) unseen(lost []bool) {
	for i := range c.values {
		v := &c.values[i]
		k := c.keys[v.key]
		gone := !v.read || (k.complete || k.end == 0) && !v.kept
		if c.ops[v.op].kind == OK && gone && k.final {
			lost[i] = true
			c.find("C6", k, v.offset, fmt.Sprintf("%s is not found by the complete read, which went up to the end %d of the key", c.describe(int32(i)), k.end))
		}
	}
}
