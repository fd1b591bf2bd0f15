//go:build !linux

package broker

import (
	"errors"
	"syscall"
)

// canWriteRaw: only Linux has the system calls we use; elsewhere answers take the way of TLS.
const canWriteRaw = false

const maxIovecs = 1

type rawWriter struct{ iov [][]byte }

var errNotHere = errors.New("not on this system")

func (w *rawWriter) init(syscall.RawConn)                         {}
func (w *rawWriter) write(more, mayWait bool) (int, error)        { return 0, errNotHere }
func (w *rawWriter) sendfile(src uintptr, pos int64, n int) error { return errNotHere }
