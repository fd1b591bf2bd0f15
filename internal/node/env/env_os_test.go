package env

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

func TestRealDisk(t *testing.T) {
	d, dir := Real().Disk, t.TempDir()
	name := filepath.Join(dir, "a")
	if _, err := d.Open(name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Open of nothing: %v", err)
	}
	f, err := d.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("hello"), 3); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), d.SyncDir(dir), f.Truncate(6)); err != nil {
		t.Fatal(err)
	}
	if size, err := f.Size(); size != 6 || err != nil {
		t.Fatalf("size %d, %v", size, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = d.Create(name); err != nil { // existing content stays
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 3)
	if _, err := f.ReadAt(b, 3); err != nil || string(b) != "hel" {
		t.Fatalf("%q, %v", b, err)
	}
	free, total, err := d.Space(dir)
	if err != nil || free <= 0 || total < free {
		t.Fatalf("space %d of %d, %v", free, total, err)
	}
}

func TestRealLock(t *testing.T) {
	d, name := Real().Disk, filepath.Join(t.TempDir(), ".lock")
	held, err := d.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(name); !errors.Is(err, ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := d.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
