package env

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Real is the operating system: package time, the files of this machine, TCP, and the kernel's random numbers.
func Real() Env {
	return Env{Clock: osClock{}, Disk: osDisk{}, Network: osNetwork{}, Random: osRandom{}}
}

type osClock struct{}

func (osClock) Now() time.Time { return time.Now() }

func (osClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

type osRandom struct{}

func (osRandom) Uint64() uint64 {
	var b [8]byte
	crand.Read(b[:]) // never fails: the runtime stops the process rather than return weak numbers
	return binary.LittleEndian.Uint64(b[:])
}

type osNetwork struct{}

func (osNetwork) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

func (osNetwork) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

type osDisk struct{}

func (osDisk) Open(name string) (File, error) { return openFile(name, os.O_RDWR) }

func (osDisk) Create(name string) (File, error) { return openFile(name, os.O_RDWR|os.O_CREATE) }

func openFile(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o644)
	if err != nil {
		return nil, err
	}
	return &osFile{f: f, fd: f.Fd()}, nil
}

func (osDisk) Mkdir(name string) error { return os.MkdirAll(name, 0o755) }

func (osDisk) Remove(name string) error { return os.Remove(name) }

func (osDisk) RemoveAll(name string) error { return os.RemoveAll(name) }

func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) List(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func (osDisk) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (osDisk) SyncDir(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (osDisk) Space(name string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// held are the locks of this process: flock is per open file, and a lock on a directory must also exclude a
// second node in the same process.
var held struct {
	mu    sync.Mutex
	names map[string]bool
}

func (osDisk) Lock(name string) (io.Closer, error) {
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.names[name] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if held.names == nil {
		held.names = make(map[string]bool)
	}
	held.names[name] = true
	return &osLock{f: f, name: name}, nil
}

type osLock struct {
	f    *os.File
	name string
}

func (l *osLock) Close() error {
	held.mu.Lock()
	defer held.mu.Unlock()
	delete(held.names, l.name)
	return l.f.Close()
}

// osFile keeps the descriptor beside the file: asking os.File for it takes a lock.
type osFile struct {
	f  *os.File
	fd uintptr
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *osFile) WriteAt(p []byte, off int64) (int, error) { return f.f.WriteAt(p, off) }

func (f *osFile) Close() error { return f.f.Close() }

func (f *osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.fd))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "fdatasync", Path: f.f.Name(), Err: err}
		}
	}
}

func (f *osFile) Truncate(size int64) error { return f.f.Truncate(size) }

func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) Fd() (uintptr, bool) { return f.fd, true }
