package commitlog

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/internal/kafka/wire"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenBytes holds each binary format against bytes written out by hand from Kafka's description of it.
func TestGoldenBytes(t *testing.T) {
	p := newProducer(0x0102030405060708)
	p.epoch, p.coordinatorEpoch, p.lastTimestamp, p.txnFirst = 3, 9, 0x11, 0x22
	p.window[0], p.n = written{lastSequence: 5, offsetDelta: 2, lastOffset: 0x33, timestamp: 0x11}, 1
	idle := newProducer(7)
	idle.epoch = 1
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"offset entry", "00000007 00001234", appendOffsetEntry(nil, 7, 0x1234)},
		{"time entry", "0000018bcfe56800 00000007", appendTimeEntry(nil, 1_700_000_000_000, 7)},
		{"aborted transaction", "0000 0000000000000001 0000000000000002 0000000000000003 0000000000000004",
			appendTxnEntry(nil, AbortedTxn{1, 2, 3, 4})},
		{"snapshot", `0001 9f684676 00000002
			0102030405060708 0003 00000005 0000000000000033 00000002 0000000000000011 00000009 0000000000000022
			0000000000000007 0001 ffffffff ffffffffffffffff 00000000 ffffffffffffffff ffffffff ffffffffffffffff`,
			appendSnapshot(nil, []producer{p, idle})},
	} {
		if want := unhex(t, c.want); !bytes.Equal(c.got, want) {
			t.Errorf("%s\n got %x\nwant %x", c.name, c.got, want)
		}
	}
}

func TestGoldenText(t *testing.T) {
	id, err := wire.ParseUUID("AAAAAAAAAAEAAAAAAAAAAg")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want, got string }{
		{"epochs", "0\n2\n0 0\n3 17\n", string(epochs{{0, 0}, {3, 17}}.text())},
		{"offsets", "0\n3\na 2 5\na 10 4\nb.c 0 9\n", string(offsetsText(map[partition]int64{{"b.c", 0}: 9, {"a", 10}: 4, {"a", 2}: 5}))},
		{"partition.metadata", "version: 0\ntopic_id: AAAAAAAAAAEAAAAAAAAAAg", string(partitionMetadata(id))},
		{"meta.properties", "#\ncluster.id=c\ndirectory.id=AAAAAAAAAAEAAAAAAAAAAg\nnode.id=4\nversion=1\n", string(metaProperties{"c", 4, id}.text())},
	} {
		if c.got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.name, c.got, c.want)
		}
	}
	m, err := parseMetaProperties([]byte("#\n#Mon Nov 23 10:00:00 UTC 2026\nnode.id=4\ndirectory.id=AAAAAAAAAAEAAAAAAAAAAg\nversion=1\ncluster.id=c\n"))
	if err != nil || m != (metaProperties{"c", 4, id}) {
		t.Errorf("meta.properties as Kafka writes it: %+v, %v", m, err)
	}
	if parsePartitionMetadata(partitionMetadata(id)) != id || !parsePartitionMetadata([]byte("version: 1\nx")).IsZero() {
		t.Error("partition.metadata does not come back")
	}
}

// TestFilesOfALog: the names and the sizes that an operator sees after a clean stop.
func TestFilesOfALog(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 700; c.IndexIntervalBytes = 100 })
	r.append(transactional(1, 0, 0, 1, 5))
	r.must(Coordinator, endMarker(false, 1, 0, 0, 6))
	for range 4 {
		r.append(plain(1, 100, 7))
	}
	r.log.SetHighWatermark(r.log.EndOffset())
	if err := r.dir.Close(12); err != nil {
		t.Fatal(err)
	}
	var names []string
	filepath.WalkDir(r.path, func(path string, e os.DirEntry, err error) error {
		if !e.IsDir() {
			name, _ := filepath.Rel(r.path, path)
			names = append(names, name)
		}
		return err
	})
	want := []string{
		".kafka_cleanshutdown", ".lock", "meta.properties", "recovery-point-offset-checkpoint", "replication-offset-checkpoint",
		"t-0/00000000000000000000.index", "t-0/00000000000000000000.log", "t-0/00000000000000000000.timeindex", "t-0/00000000000000000000.txnindex",
		"t-0/00000000000000000005.index", "t-0/00000000000000000005.log", "t-0/00000000000000000005.snapshot", "t-0/00000000000000000005.timeindex",
		"t-0/00000000000000000006.snapshot", "t-0/leader-epoch-checkpoint", "t-0/partition.metadata",
	}
	if !slices.Equal(names, want) {
		t.Errorf("files\n got %q\nwant %q", names, want)
	}
	for name, want := range map[string]string{
		".kafka_cleanshutdown": `{"version":0,"brokerEpoch":12}`, "recovery-point-offset-checkpoint": "0\n1\nt 0 6\n",
		"replication-offset-checkpoint": "0\n1\nt 0 6\n", "t-0/leader-epoch-checkpoint": "0\n1\n0 0\n",
	} {
		if b, _ := os.ReadFile(filepath.Join(r.path, name)); string(b) != want {
			t.Errorf("%s: %q", name, b)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]partition{"a-0": {"a", 0}, "__cluster_metadata-0": {"__cluster_metadata", 0}, "a-b-12": {"a-b", 12}, "a--1": {"a-", 1}} {
		if p, ok := parsePartition(name); !ok || p != want {
			t.Errorf("%s is %v, %v", name, p, ok)
		}
	}
	for _, name := range []string{"a", "-0", "a-", "a-01", "a-x", "a-0.0123-delete", "a-99999999999", "a-+1"} {
		if p, ok := parsePartition(name); ok {
			t.Errorf("%s is taken for %v", name, p)
		}
	}
	if base, ok := parseBase("00000000000000000012.log", logExt); !ok || base != 12 {
		t.Error(base, ok)
	}
	if _, ok := parseBase("12.log", logExt); ok {
		t.Error("a short name")
	}
}

func TestEpochs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e epochs
		at := map[int64]int32{} // offset -> epoch, the model
		end, epoch := int64(0), int32(0)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			epoch += rapid.Int32Range(0, 3).Draw(t, "rise")
			if epoch > e.latest() {
				e = e.assign(epoch, end)
			}
			for range rapid.IntRange(0, 3).Draw(t, "batches") {
				at[end] = e.latest()
				end++
			}
		}
		cut := rapid.Int64Range(0, end).Draw(t, "cut")
		e = e.cutEnd(cut)
		first := rapid.Int64Range(0, cut).Draw(t, "start")
		e = e.cutStart(first)
		for o := first; o < cut; o++ {
			if e.at(o) != at[o] {
				t.Fatalf("offset %d has epoch %d, not %d: %v", o, e.at(o), at[o], e)
			}
			if of, until := e.end(at[o], cut); of != at[o] || until <= o {
				t.Fatalf("epoch %d ends as %d at %d, after offset %d", at[o], of, until, o)
			}
		}
		if back, err := parseEpochs(e.text()); err != nil || !slices.Equal(back, e) {
			t.Fatalf("%v comes back as %v, %v", e, back, err)
		}
	})
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ranges
		var model [64]bool
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			from := rapid.Int64Range(0, 63).Draw(t, "from")
			to := rapid.Int64Range(from, 64).Draw(t, "to")
			r = r.add(from, to)
			for i := from; i < to; i++ {
				model[i] = true
			}
		}
		from := rapid.Int64Range(0, 63).Draw(t, "ask from")
		to := rapid.Int64Range(from, 64).Draw(t, "ask to")
		want := !slices.Contains(model[from:to], false)
		if r.covers(from, to) != want {
			t.Fatalf("%v covers [%d, %d): %v", r, from, to, !want)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	p := newProducer(4)
	f.Add(appendSnapshot(nil, nil))
	f.Add(appendSnapshot(nil, []producer{p, p}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseSnapshot(b)
		if err != nil {
			return
		}
		again, err := parseSnapshot(appendSnapshot(nil, list))
		if err != nil || !reflect.DeepEqual(list, again) && len(list) > 0 {
			t.Fatalf("%v comes back as %v, %v", list, again, err)
		}
	})
}

func FuzzIndexes(f *testing.F) {
	f.Add(appendOffsetEntry(appendOffsetEntry(nil, 3, 100), 9, 300), int64(1000))
	f.Add(appendTimeEntry(nil, 5, 1), int64(12))
	f.Add(appendTxnEntry(nil, AbortedTxn{1, 2, 3, 4}), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if checkOffsetIndex(b, size) == nil {
			for i := 0; i < len(b); i += offsetEntrySize {
				relative, position := parseOffsetEntry(b[i:])
				e, ok := searchEntries(b, offsetEntrySize, func(e []byte) bool { r, _ := parseOffsetEntry(e); return r <= relative })
				if _, p := parseOffsetEntry(e); !ok || p != position || int64(p) >= size {
					t.Fatalf("entry %d is not found", i/offsetEntrySize)
				}
			}
		}
		if all, err := parseTxnIndex(b); err == nil {
			var again []byte
			for _, a := range all {
				again = appendTxnEntry(again, a)
			}
			if !bytes.Equal(again, b) {
				t.Fatal("a transaction index does not come back")
			}
		}
		checkTimeIndex(b)
		trimZeros(b, offsetEntrySize)
		parseOffsets(b)
		parseEpochs(b)
		parseMetaProperties(b)
	})
}
