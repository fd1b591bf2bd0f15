package commitlog

import (
	"errors"
	"testing"

	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// slowOpen is a disk on which something happens while a file is opened.
type slowOpen struct {
	env.Disk
	meanwhile func()
}

func (d slowOpen) Open(name string) (env.File, error) {
	d.meanwhile()
	return d.Disk.Open(name)
}

// TestFileThatGoesWhileItIsOpened: the cleaner forgets a segment and gives its name to the compacted one between a reader's look at
// the segment and its open. The reader must not read the new file as the old one (DUR-8).
func TestFileThatGoesWhileItIsOpened(t *testing.T) {
	disk := simenv.NewDisk(1)
	if err := writeWhole(disk, "/00000000000000000000.log", []byte("compacted"), true); err != nil {
		t.Fatal(err)
	}
	h := &handles{max: 4}
	l := &Log{}
	root := "/"
	l.path_.Store(&root)
	s := newSegment(l, 0)
	h.disk = slowOpen{disk, func() { h.forget(&s.data) }}
	if _, err := h.acquire(&s.data, false); !errors.Is(err, ErrDeleted) {
		t.Fatalf("a segment that was forgotten while it was opened: %v", err)
	}
	if h.openCount() != 0 || s.data.file != nil {
		t.Fatal("its file stays open")
	}
}
