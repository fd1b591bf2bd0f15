package commitlog

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// keyMap remembers the highest offset of each key in the dirty part of a log, in bounded memory: 16 bytes of the
// key's SHA-256 and the offset, in open addressing. Two keys that agree in 128 bits would lose one of them, so the
// hash must be one for which nobody can make such a pair.
//
// K1: every keyed record of committed data between the first dirty offset and last is in the map.
type keyMap struct {
	slots []keySlot
	used  int
	limit int   // slots that may be filled
	last  int64 // -1: nothing mapped
}

type keySlot struct {
	hi, lo uint64
	next   int64 // offset + 1; 0 is an empty slot
}

const keySlotBytes = 24

// reset makes room for the given number of keys, in at most maxBytes.
func (m *keyMap) reset(keys int, maxBytes int) {
	want := max(1, min(keys+keys/8+1, maxBytes/keySlotBytes))
	if want > cap(m.slots) {
		m.slots = make([]keySlot, want)
	}
	m.slots = m.slots[:want]
	clear(m.slots)
	m.used, m.limit, m.last = 0, max(1, want*9/10), -1
}

func hashKey(key []byte) (hi, lo uint64) {
	sum := sha256.Sum256(key)
	return binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])
}

// find gives the slot that holds the key, or the empty one where it belongs.
func (m *keyMap) find(hi, lo uint64) *keySlot {
	at, _ := bits.Mul64(hi, uint64(len(m.slots)))
	for {
		s := &m.slots[at]
		if s.next == 0 || s.hi == hi && s.lo == lo {
			return s
		}
		if at++; at == uint64(len(m.slots)) {
			at = 0
		}
	}
}

// put notes that key occurs at offset; offsets come in rising order. It reports false when the map is full.
func (m *keyMap) put(key []byte, offset int64) bool {
	hi, lo := hashKey(key)
	s := m.find(hi, lo)
	if s.next == 0 {
		if m.used >= m.limit {
			return false
		}
		m.used++
	}
	*s = keySlot{hi, lo, offset + 1}
	return true
}

// offset is the highest mapped offset of key, -1 when it is not mapped.
func (m *keyMap) offset(key []byte) int64 { return m.find(hashKey(key)).next - 1 }
