package main

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// calm waits until the disk answers small syncs quickly again. Files that were deleted are discarded by the device for a while,
// and what somebody else wrote is written back: whoever syncs next would pay for it, whoever does not sync would not.
func (b *bench) calm() {
	const (
		quick = 2 * time.Millisecond
		inRow = 20
		most  = 15 * time.Second
	)
	f, err := os.Create(filepath.Join(b.work, "calm"))
	if err != nil {
		return
	}
	defer f.Close()
	block := make([]byte, 4096)
	for end, good := time.Now().Add(most), 0; good < inRow && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		began := time.Now()
		f.WriteAt(block, 0)
		unix.Fdatasync(int(f.Fd()))
		if good++; time.Since(began) > quick {
			good = 0
		}
	}
}
