package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env/simenv"
)

// fill appends n batches of one record, a second apart.
func (r *rig) fill(n int) {
	r.Helper()
	for range n {
		r.append(plain(1, 100, r.now.UnixMilli()))
		r.now = r.now.Add(time.Second)
	}
	r.flush()
	r.log.SetHighWatermark(r.log.EndOffset())
}

func TestRetentionByTime(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 500; c.RetentionMs = 10_000; c.FileDeleteDelayMs = 5000 })
	r.fill(20)
	r.log.SetHighWatermark(8) // nothing above it goes
	if err := r.dir.Retain(r.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s := r.log.StartOffset(); s == 0 || s > 8 {
		t.Fatalf("log starts at %d", s)
	}
	r.log.SetHighWatermark(20)
	if err := r.dir.Retain(r.now); err != nil {
		t.Fatal(err)
	}
	first := r.log.StartOffset()
	if first < 6 || first > 10 { // the last 10 s are kept, and what shares a segment with them
		t.Fatalf("log starts at %d", first)
	}
	if _, err := r.log.Read(first-1, 20, 1000, true); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Fatal(err)
	}
	if got := r.offsets(); got[0][0] != first || len(got) != int(20-first) {
		t.Fatalf("%v from %d", got, first)
	}
	r.kill()
	if r.log.StartOffset() != first {
		t.Fatalf("log starts at %d after a kill, not %d", r.log.StartOffset(), first)
	}
	r.log.SetHighWatermark(20)
	if err := r.dir.Retain(r.now.Add(time.Hour)); err != nil { // also the active segment
		t.Fatal(err)
	}
	r.wantEnd(20)
	if r.log.StartOffset() != 20 || r.log.SizeBytes() != 0 {
		t.Fatalf("start %d, %d bytes", r.log.StartOffset(), r.log.SizeBytes())
	}
	r.kill()
	r.wantEnd(20)
	if out := r.append(plain(1, 1, 1)); out[0].BaseOffset != 20 {
		t.Fatalf("%+v", out)
	}
	r.dir.Tick(time.Now().Add(time.Hour)) // what was retired is removed
	if left, _ := filepath.Glob(r.file("*" + deletedSuffix)); len(left) != 0 {
		t.Fatal(left)
	}
}

func TestRetentionBySize(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 500; c.RetentionBytes = 1500; c.RetentionMs = -1 })
	r.fill(30)
	if err := r.dir.Retain(r.now); err != nil {
		t.Fatal(err)
	}
	if n := r.log.SizeBytes(); n < 1500 || n > 2000 {
		t.Fatalf("%d bytes are kept", n)
	}
}

// TestStartIsDurableBeforeItIsShown: a reader that has seen a log start must never see a lower one, also after a crash (ORD-10).
func TestStartIsDurableBeforeItIsShown(t *testing.T) {
	r, disk := simRig(t, DefaultConfig(), Inline)
	r.append(plain(10, 10, 5))
	r.log.RequestSync()
	r.log.SetHighWatermark(10)
	disk.Fail(simenv.Rule{Op: simenv.OpRename, Err: syscall.ENOSPC})
	if err := r.log.DeleteRecords(5); !errors.Is(err, ErrNoSpace) {
		t.Fatal(err)
	}
	if start := r.log.StartOffset(); start != 0 {
		t.Fatalf("the log start is shown as %d, and no disk knows of it", start)
	}
	if err := r.log.DeleteRecords(5); err != nil || r.log.StartOffset() != 5 {
		t.Fatal(err, r.log.StartOffset())
	}
}

func TestDeleteRecords(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 500 })
	r.fill(20)
	if err := r.log.DeleteRecords(21); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Fatal(err)
	}
	slice, err := r.log.Read(0, 20, 200, true) // a reader that holds old data reads on
	if err != nil {
		t.Fatal(err)
	}
	if err := r.log.DeleteRecords(9); err != nil {
		t.Fatal(err)
	}
	for _, again := range []func(){func() {}, r.kill, r.restart} {
		again()
		if s := r.log.StartOffset(); s != 9 {
			t.Fatalf("log starts at %d", s)
		}
		if _, err := r.log.Read(8, 20, 1000, true); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Fatal(err)
		}
		if got := r.offsets(); got[0][0] != 9 {
			t.Fatalf("%v", got)
		}
	}
	if err := r.dir.Retain(r.now); err != nil {
		t.Fatal(err)
	}
	if gone, _ := filepath.Glob(r.file("*" + deletedSuffix)); len(gone) == 0 {
		t.Fatal("no segment was retired")
	}
	if err := slice.ReadAt(make([]byte, slice.Size()), 0); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

// TestRecreatedTopic shows nothing of the old one (RET-3), and nothing of its checkpoints.
func TestRecreatedTopic(t *testing.T) {
	r := newRig(t, nil)
	r.fill(20)
	if err := r.log.DeleteRecords(10); err != nil {
		t.Fatal(err)
	}
	if err := r.dir.checkpoint(); err != nil {
		t.Fatal(err)
	}
	old := r.log
	if err := r.dir.Delete(old); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Read(10, 20, 100, true); !errors.Is(err, ErrDeleted) {
		t.Fatal(err)
	}
	if err := old.Append(r.now, 0, input(Client, plain(1, 1, 1)), make([]Appended, 1)); !errors.Is(err, ErrDeleted) {
		t.Fatal(err)
	}
	old.RequestSync() // harmless
	fresh := wire.NewUUID(5, 6)
	l, err := r.dir.Create("t", 0, fresh, r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.log = l
	r.append(plain(1, 10, 5))
	r.kill()
	r.wantEnd(1)
	if r.log.StartOffset() != 0 || r.log.ID() != fresh {
		t.Fatalf("start %d, id %v", r.log.StartOffset(), r.log.ID())
	}
	left := func() (n int) {
		list, _ := os.ReadDir(r.path)
		for _, e := range list {
			if strings.HasSuffix(e.Name(), deleteDirSuffix) {
				n++
			}
		}
		return n
	}
	if left() != 1 {
		t.Fatal("the deleted log is not there")
	}
	r.dir.Tick(time.Now().Add(time.Hour))
	if left() != 0 {
		t.Fatal("the deleted log is still there")
	}
}

func TestDeletedNameFits(t *testing.T) {
	r := newRig(t, nil)
	name := r.dir.renamed(partition{strings.Repeat("x", 249), 100000}, deleteDirSuffix)
	if len(name) > 255 || !strings.HasSuffix(name, deleteDirSuffix) {
		t.Fatalf("%d bytes: %s", len(name), name)
	}
}
