package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"millrace/internal/kafka/batch"
)

func (r *rig) file(name string) string { return filepath.Join(r.path, "t-0", name) }

func (r *rig) bytesOf(name string) []byte {
	r.Helper()
	b, err := os.ReadFile(r.file(name))
	if err != nil {
		r.Fatal(err)
	}
	return b
}

func (r *rig) put(name string, b []byte) {
	r.Helper()
	if err := os.WriteFile(r.file(name), b, 0o644); err != nil {
		r.Fatal(err)
	}
}

const firstLog = "00000000000000000000.log"

// TestTornTail cuts the file within the last batch at every byte, and also replaces what follows by zeros or noise: the
// log ends before that batch, and goes on there.
func TestTornTail(t *testing.T) {
	r := newRig(t, func(c *Config) { c.IndexIntervalBytes = 50 })
	r.append(plain(2, 30, 5))
	r.append(idempotent(9, 0, 0, 2, 6))
	keep := len(r.bytesOf(firstLog))
	r.append(idempotent(9, 0, 2, 1, 7))
	whole := r.bytesOf(firstLog)
	r.dir.Abandon()
	for cut := keep; cut <= len(whole); cut++ {
		for _, tail := range [][]byte{nil, make([]byte, len(whole)-cut+7), bytes.Repeat([]byte{0xa5}, len(whole)-cut)} {
			if cut == len(whole) && len(tail) == 0 {
				continue
			}
			content := append(slices.Clone(whole[:cut]), tail...)
			r.put(firstLog, content)
			os.Remove(filepath.Join(r.path, recoveryPointFile)) // each round starts from nothing
			r.open()
			want := int64(4)
			if bytes.HasPrefix(content, whole) { // zeros may be just what is missing
				want = 5
			}
			r.wantEnd(want)
			if want == 4 && len(r.bytesOf(firstLog)) != keep {
				t.Fatalf("cut at %d: file was not cut to %d", cut, keep)
			}
			// The producer goes on where the log ends.
			if want == 4 {
				out := r.append(idempotent(9, 0, 2, 1, 7))
				if out[0].BaseOffset != 4 || out[0].Duplicate {
					t.Fatalf("cut at %d: %+v", cut, out)
				}
			}
			r.dir.Abandon()
		}
	}
	r.open()
}

// TestDamageBelowRecoveryPoint: what was synced does not end the log when it cannot be read.
func TestDamageBelowRecoveryPoint(t *testing.T) {
	r := newRig(t, nil)
	for range 10 {
		r.append(plain(1, 100, 5))
	}
	r.flush()
	if err := r.dir.checkpoint(); err != nil {
		t.Fatal(err)
	}
	r.dir.Abandon()
	b := r.bytesOf(firstLog)
	r.put(firstLog, b[:len(b)/2])
	r.open()
	if err := r.log.Err(); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a shortened log is served: %v, end %d", err, r.log.EndOffset())
	}
	if err := r.log.Append(r.now, 0, input(Client, plain(1, 1, 1)), make([]Appended, 1)); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	r.dir.Abandon()
	// A flipped bit in old data is found by the first read of it (DUR-8).
	flipped := slices.Clone(b)
	flipped[len(b)/2+70] ^= 1 // in the records of the sixth batch
	r.put(firstLog, flipped)
	r.open()
	r.wantEnd(10)
	_, err := r.log.Read(5, 10, 1<<20, true)
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("damaged bytes are served: %v", err)
	}
	s, err := r.log.Read(0, 10, 1<<20, true)
	if err != nil || s.Size() != len(b)/2/(len(b)/10)*(len(b)/10) {
		t.Fatalf("%d bytes, %v", s.Size(), err)
	}
	s.Release()
}

// TestIndexesAreRebuilt after damage of every kind, clean stop or not, and then are what they were.
func TestIndexesAreRebuilt(t *testing.T) {
	damage := map[string]func([]byte) []byte{
		"missing":   func([]byte) []byte { return nil },
		"empty":     func([]byte) []byte { return []byte{} },
		"half":      func(b []byte) []byte { return b[:len(b)/2+1] },
		"garbage":   func(b []byte) []byte { return bytes.Repeat([]byte{0x5a}, len(b)) },
		"zero tail": func(b []byte) []byte { return append(slices.Clone(b), make([]byte, 240)...) },
		"past":      func(b []byte) []byte { return append(slices.Clone(b), bytes.Repeat([]byte{0x7f}, 24)...) },
	}
	for name, change := range damage {
		for _, ext := range []string{indexExt, timeExt} {
			for _, clean := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s%s/clean=%v", name, ext, clean), func(t *testing.T) { rebuildIndex(t, ext, clean, name, change) })
			}
		}
	}
}

func rebuildIndex(t *testing.T, ext string, clean bool, name string, change func([]byte) []byte) {
	r := newRig(t, func(c *Config) { c.IndexIntervalBytes = 300; c.SegmentBytes = 4000 })
	for i := range 60 {
		r.append(plain(1, 100, 1000+int64(i)))
	}
	if err := r.dir.Close(1); err != nil {
		t.Fatal(err)
	}
	if !clean {
		os.Remove(filepath.Join(r.path, cleanMarkerFile))
		os.Remove(filepath.Join(r.path, recoveryPointFile))
	}
	logs, _ := filepath.Glob(r.file("*.log"))
	if len(logs) < 2 {
		t.Fatal("one segment only")
	}
	before := map[string][]byte{}
	for _, l := range logs {
		f := filepath.Base(l[:len(l)-4] + ext)
		before[f] = r.bytesOf(f)
		if b := change(before[f]); b == nil {
			os.Remove(r.file(f))
		} else {
			r.put(f, b)
		}
	}
	r.open()
	r.wantEnd(60)
	for i := range int64(60) {
		s, err := r.log.Read(i, i+1, 1, true)
		if err != nil || s.Size() == 0 {
			t.Fatalf("offset %d: %v", i, err)
		}
		s.Release()
		if o, ts, _, ok, err := r.log.OffsetForTimestamp(1000+i, 60); o != i || ts != 1000+i || !ok || err != nil {
			t.Fatalf("time %d is at %d, %d, %v, %v", 1000+i, o, ts, ok, err)
		}
	}
	if name == "zero tail" || name == "empty" && ext == indexExt {
		return // both are what an index may be, and stay
	}
	for f, want := range before {
		if got := r.bytesOf(f); !bytes.Equal(got, want) {
			t.Fatalf("%s has %d bytes, want %d", f, len(got), len(want))
		}
	}
}

// TestTrustedIndexes: entries below the recovery point are used, those above are made anew.
func TestTrustedIndexes(t *testing.T) {
	r := newRig(t, func(c *Config) { c.IndexIntervalBytes = 300 })
	for i := range 60 {
		r.append(plain(1, 100, 1000+int64(i)))
		if i == 40 {
			r.flush()
			if err := r.dir.checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.kill()
	r.wantEnd(60)
	r.log.mu.Lock()
	v := r.log.active().verified
	r.log.mu.Unlock()
	if v.covers(0, 100) {
		t.Fatal("the whole log was read")
	}
	if err := r.dir.Close(1); err != nil {
		t.Fatal(err)
	}
	index, times := r.bytesOf("00000000000000000000.index"), r.bytesOf("00000000000000000000.timeindex")
	r.open()
	s := r.log.active()
	if err := r.log.rebuildIndexes(s, s.size); err != nil {
		t.Fatal(err)
	}
	// The checkpoint's entry breaks the rhythm by nothing: both must be the same.
	if !bytes.Equal(index, r.bytesOf("00000000000000000000.index")) || !bytes.Equal(times, r.bytesOf("00000000000000000000.timeindex")) {
		t.Fatalf("indexes differ from rebuilt ones:\n%x\n%x\n%x\n%x", index, r.bytesOf("00000000000000000000.index"), times, r.bytesOf("00000000000000000000.timeindex"))
	}
}

// TestSnapshots: the newest usable one counts, a torn one does not, and none at all means that the log is read.
func TestSnapshots(t *testing.T) {
	newest := func(r *rig) string {
		list, _ := filepath.Glob(r.file("*" + snapshotExt))
		slices.Sort(list)
		return filepath.Base(list[len(list)-1])
	}
	for name, harm := range map[string]func(r *rig){
		"none harmed": func(*rig) {},
		"torn":        func(r *rig) { f := newest(r); b := r.bytesOf(f); r.put(f, b[:len(b)-3]) },
		"empty":       func(r *rig) { r.put(newest(r), nil) },
		"all gone": func(r *rig) {
			list, _ := filepath.Glob(r.file("*" + snapshotExt))
			for _, f := range list {
				os.Remove(f)
			}
		},
		"stale": func(r *rig) { r.put("00000000000000009999.snapshot", r.bytesOf(newest(r))) },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", name, clean), func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.SegmentBytes = 600 })
				for i := range int32(12) {
					r.append(idempotent(9, 0, i*2, 2, 5), idempotent(10, 3, i, 1, 6))
				}
				if err := r.dir.Close(1); err != nil {
					t.Fatal(err)
				}
				if !clean {
					os.Remove(filepath.Join(r.path, cleanMarkerFile))
				}
				harm(r)
				r.open()
				r.wantEnd(36)
				// IDM-4: each of the last five is still known, with its offset.
				for i := int32(7); i < 12; i++ {
					out := r.append(idempotent(9, 0, i*2, 2, 5))
					if !out[0].Duplicate || out[0].BaseOffset != int64(i)*3 {
						t.Fatalf("retry of batch %d: %+v", i, out[0])
					}
				}
				if out := r.try(Client, idempotent(9, 0, 12, 2, 5)); !errors.Is(out[0].Err, ErrOutOfOrderSequence) {
					t.Fatalf("sixth last batch: %+v", out[0])
				}
				if out := r.append(idempotent(10, 3, 12, 1, 5)); out[0].BaseOffset != 36 {
					t.Fatalf("next batch: %+v", out[0])
				}
				if _, err := os.Stat(r.file("00000000000000009999.snapshot")); err == nil {
					t.Fatal("the stale snapshot is still there")
				}
			})
		}
	}
}

func TestTruncate(t *testing.T) {
	for cut := int64(0); cut <= 40; cut++ {
		r := newRig(t, func(c *Config) { c.SegmentBytes = 1000; c.IndexIntervalBytes = 200 })
		for i := range int32(20) {
			if i == 10 {
				r.log.AssignEpoch(1)
			}
			out := make([]Appended, 1)
			if err := r.log.Append(r.now, i/10, input(Client, idempotent(9, 0, i*2, 2, 1000+int64(i))), out); err != nil || out[0].Err != nil {
				t.Fatal(err, out[0].Err)
			}
			if i == 15 {
				r.flush()
				if err := r.dir.checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := r.log.TruncateTo(cut); err != nil {
			t.Fatal(err)
		}
		end := cut / 2 * 2
		check := func() {
			t.Helper()
			r.wantEnd(end)
			for i, o := range r.offsets() {
				if o[0] != int64(i)*2 {
					t.Fatalf("cut at %d: batch %d at %d", cut, i, o[0])
				}
			}
			want := int32(0)
			if end > 20 {
				want = 1
			} else if end == 0 {
				want = -1
			}
			if got := r.log.LatestEpoch(); got != want {
				t.Fatalf("cut at %d: latest epoch %d, want %d", cut, got, want)
			}
		}
		check()
		if p := r.log.recoveryPointNow(); p > end {
			t.Fatalf("recovery point %d above the end %d", p, end)
		}
		r.kill()
		check()
		r.restart()
		check()
		out := make([]Appended, 1)
		if err := r.log.Append(r.now, 2, input(Client, idempotent(9, 0, int32(end), 2, 5)), out); err != nil || out[0].Err != nil || out[0].BaseOffset != end {
			t.Fatalf("cut at %d: %v, %+v", cut, err, out[0])
		}
		r.dir.Abandon()
	}
}

// TestCleanMarker: it does not outlive the first moment of a start (L5), so neither a truncation (B18).
func TestCleanMarker(t *testing.T) {
	r := newRig(t, nil)
	r.append(plain(5, 10, 5))
	r.append(plain(5, 10, 5))
	r.restart()
	if _, err := os.Stat(filepath.Join(r.path, cleanMarkerFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the marker is there while the directory is open: %v", err)
	}
	if err := r.log.TruncateTo(5); err != nil {
		t.Fatal(err)
	}
	r.kill()
	if r.dir.Clean() {
		t.Fatal("clean after a kill")
	}
	r.wantEnd(5)
}

func TestSwapIsFinished(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 500 })
	for range 12 {
		r.append(plain(1, 100, 5))
	}
	r.restart()
	r.log.mu.Lock()
	first, second := r.log.segments[0], r.log.segments[1]
	last := r.log.segments[2].base - 1
	r.log.mu.Unlock()
	// A cleaned segment that stands for the first two: the last batch of the second, offset kept.
	var kept []byte
	err := r.log.walkBytes(second, func(h batch.Header, b []byte) {
		if h.BaseOffset == last {
			kept = slices.Clone(b)
		}
	})
	if err != nil || kept == nil {
		t.Fatal(err)
	}
	if err := r.dir.Close(1); err != nil {
		t.Fatal(err)
	}
	r.put(baseName(first.base)+logExt+swapSuffix, kept)
	r.put(baseName(first.base)+timeExt+swapSuffix, appendTimeEntry(nil, 5, int32(last-first.base)))
	r.put(baseName(first.base)+indexExt+swapSuffix, nil)
	r.put(baseName(last+1)+logExt+cleanedSuffix, kept)
	r.open()
	r.wantEnd(12)
	if got := r.offsets(); got[0] != [2]int64{last, last} || int64(len(got)) != 12-last {
		t.Fatalf("%v", got)
	}
	if left, _ := filepath.Glob(r.file("*.swap")); len(left) != 0 {
		t.Fatal(left)
	}
	if left, _ := filepath.Glob(r.file("*.cleaned")); len(left) != 0 {
		t.Fatal(left)
	}
	if s, err := r.log.Read(0, 12, 1000, true); err != nil || s.Size() != len(kept) {
		t.Fatalf("a read from the compacted away start: %d bytes, %v", s.Size(), err)
	} else {
		s.Release()
	}
}

// walkBytes is walk with the bytes of each batch.
func (l *Log) walkBytes(s *segment, f func(h batch.Header, b []byte)) error {
	file, err := l.dir.handles.acquire(&s.data, false)
	if err != nil {
		return err
	}
	defer l.dir.handles.release(&s.data)
	sc := newScanner(file, 0, s.size, 4096)
	defer sc.close()
	for {
		h, at, err := sc.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := sc.whole(&h, at)
		if err != nil {
			return err
		}
		f(h, b)
	}
}
