package record

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"
)

// Whatever reads as a record is written again as bytes that read as the same record, and takes no more memory than a
// multiple of its bytes.
func FuzzRecords(f *testing.F) {
	records := all()
	r := seeded(f)
	for i, m := range records {
		_, last := m.Versions()
		m.SetDefaults()
		fill(r, reflect.ValueOf(m).Elem(), false)
		f.Add(uint8(i), last, m.AppendTo(nil, last))
	}
	f.Fuzz(func(t *testing.T, which uint8, version int16, src []byte) {
		m := fresh(records[int(which)%len(records)])
		if err := m.ReadFrom(src, version); err != nil {
			return
		}
		b := m.AppendTo(nil, version)
		again := fresh(m)
		if err := again.ReadFrom(b, version); err != nil {
			t.Fatalf("%s v%d: %v", name(m), version, err)
		}
		if !bytes.Equal(again.AppendTo(nil, version), b) {
			t.Fatalf("%s v%d: %+v, again %+v", name(m), version, m, again)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add(AppendMetadata(nil, &TopicRecord{Name: "t"}, 0))
	f.Add(AppendMetadata(nil, NewPartitionRecord(), 2))
	f.Fuzz(func(t *testing.T, value []byte) {
		m, version, err := ParseMetadata(value)
		if err != nil {
			return
		}
		again, v, err := ParseMetadata(AppendMetadata(nil, m, version))
		if err != nil || v != version || !bytes.Equal(m.AppendTo(nil, version), again.AppendTo(nil, version)) {
			t.Fatal(m, again, v, err)
		}
	})
}

// An array that claims to be long costs nothing, and the densest arrays no more than DecodeFactor allows.
func TestMemoryIsBounded(t *testing.T) {
	for _, m := range all() {
		_, last := m.Versions()
		for _, fillByte := range []byte{0x00, 0x01, 0x02, 0x7f, 0x80, 0xff} {
			for _, head := range [][]byte{nil, {0xff, 0xff, 0x03}, {0x80, 0x80, 0x04}, {0, 0, 0xff, 0}} {
				src := append(bytes.Clone(head), bytes.Repeat([]byte{fillByte}, 64<<10)...)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_ = m.ReadFrom(src, last)
				runtime.ReadMemStats(&after)
				if used := after.TotalAlloc - before.TotalAlloc; used > 80*uint64(len(src)) {
					t.Errorf("%s v%d: %d bytes of memory for %d of %x", name(m), last, used, len(src), fillByte)
				}
			}
		}
	}
}
