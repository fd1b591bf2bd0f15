// Package env is the outside of a node: clock, disk, network and random numbers, as small interfaces.
// Node code reaches the operating system only through an Env, so that a test can put a simulated disk
// (env/simenv), an in-memory network or a virtual clock in its place.
package env

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"time"
)

// Env is everything a node asks of its surroundings. All fields are set; Real returns the operating system's.
type Env struct {
	Clock   Clock
	Disk    Disk
	Network Network
	Random  Random
}

// Clock tells the time and calls back later. The real one is package time, which testing/synctest can virtualise.
type Clock interface {
	// Now is the wall clock with a monotonic reading.
	Now() time.Time
	// AfterFunc calls f in its own goroutine once d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending call of AfterFunc.
type Timer interface {
	// Stop reports whether it prevented the call.
	Stop() bool
	// Reset makes the timer fire d from now; it reports whether the timer had been pending.
	Reset(d time.Duration) bool
}

// Random is a source of random bits, safe for concurrent use.
type Random interface {
	Uint64() uint64
}

// Network listens and dials.
type Network interface {
	Listen(network, address string) (net.Listener, error)
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Disk is the part of a file system that a node uses. Paths are absolute or relative to the working directory.
//
// What is assumed of it, and simulated by simenv: a write is in the page cache when it returns and survives the
// death of the process; it survives a power cut only after Sync of that file returned nil. A new name, a removed
// name and a rename survive a power cut only after SyncDir of the directory that holds the name. Rename replaces
// atomically. A Sync that failed has dropped the pages it could not write: a second Sync proves nothing.
type Disk interface {
	// Open opens an existing file for reading and writing. The error is fs.ErrNotExist if it is not there.
	Open(name string) (File, error)
	// Create opens a file for reading and writing, creating it if absent; existing content stays.
	Create(name string) (File, error)
	// Mkdir makes the directory and its parents; an existing directory is no error.
	Mkdir(name string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// RemoveAll removes a tree; a missing one is no error.
	RemoveAll(name string) error
	// Rename replaces to with from.
	Rename(from, to string) error
	// List returns the entries of a directory in name order.
	List(name string) ([]fs.DirEntry, error)
	// Stat describes a file or directory.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
	// Lock takes an exclusive lock on a file, creating it. The error wraps ErrLocked if another holder has it.
	Lock(name string) (io.Closer, error)
	// Space tells the bytes that an unprivileged writer may still use, and the size of the file system.
	Space(name string) (free, total int64, err error)
}

// ErrLocked is wrapped by Disk.Lock when another process (or another node of this process) holds the lock.
var ErrLocked = errors.New("locked by another process")

// File is an open file. ReadAt and WriteAt are safe for concurrent use; a write past the end extends the file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the content and the size durable (fdatasync). It is never called again after an error.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
	// Fd is the descriptor for sendfile, valid until Close; ok is false where there is none (a simulated disk).
	Fd() (fd uintptr, ok bool)
}
