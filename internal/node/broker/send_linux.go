package broker

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// canWriteRaw: sockets are written by system calls of our own, so that a callback of the host can try without
// waiting, and files go out by sendfile with an explicit offset (the handle is shared between readers).
const canWriteRaw = true

const maxIovecs = 64

// rawWriter holds the arguments of the system calls, so that the closures that RawConn wants are made once.
type rawWriter struct {
	conn syscall.RawConn
	iov  [][]byte
	next int // pieces before it are sent
	n    int
	err  error

	flags   int
	mayWait bool

	src  int
	off  int64
	left int
	tryW func(fd uintptr) bool
	file func(fd uintptr) bool
}

func (w *rawWriter) init(conn syscall.RawConn) {
	w.conn = conn
	w.tryW, w.file = w.tryWrite, w.trySendfile
}

var errShortSend = errors.New("the file ended before the range that was promised")

// write sends iov and returns how much went. More announces a file behind it.
func (w *rawWriter) write(more, mayWait bool) (int, error) {
	w.flags = unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT
	if more {
		w.flags |= unix.MSG_MORE
	}
	w.n, w.err, w.mayWait = 0, nil, mayWait
	w.next = 0
	if err := w.conn.Write(w.tryW); err != nil {
		return w.n, err
	}
	return w.n, w.err
}

// tryWrite returns false to be called again once the socket takes more.
func (w *rawWriter) tryWrite(fd uintptr) bool {
	for {
		n, err := w.sendRest(int(fd))
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return !w.mayWait
		case err != nil:
			w.err = fmt.Errorf("send: %w", err)
			return true
		}
		w.n += n
		if w.skip(n); w.next == len(w.iov) {
			return true
		}
	}
}

func (w *rawWriter) sendRest(fd int) (int, error) {
	if w.next == len(w.iov)-1 && w.flags&unix.MSG_MORE == 0 {
		return unix.Write(fd, w.iov[w.next])
	}
	return unix.SendmsgBuffers(fd, w.iov[w.next:], nil, nil, w.flags)
}

// skip drops n sent bytes from the front.
func (w *rawWriter) skip(n int) {
	for w.next < len(w.iov) && n >= len(w.iov[w.next]) {
		n -= len(w.iov[w.next])
		w.next++
	}
	if n > 0 {
		w.iov[w.next] = w.iov[w.next][n:]
	}
}

// sendfile sends size bytes of a file from pos, waiting for the socket. A short send is an error: the length of the
// frame is out already, so only the end of the connection tells the client.
func (w *rawWriter) sendfile(src uintptr, pos int64, size int) error {
	w.src, w.off, w.left, w.err = int(src), pos, size, nil
	if err := w.conn.Write(w.file); err != nil {
		return err
	}
	return w.err
}

func (w *rawWriter) trySendfile(fd uintptr) bool {
	for w.left > 0 {
		n, err := unix.Sendfile(int(fd), w.src, &w.off, w.left)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil:
			w.err = fmt.Errorf("sendfile: %w", err)
			return true
		case n == 0:
			w.err = errShortSend
			return true
		}
		w.left -= n
	}
	return true
}
