package batch

import (
	"errors"
	"io"
)

// sink appends what an encoder writes.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

const firstRead = 4 << 10

// readLimited appends what r gives to dst, at most limit bytes. The memory doubles as it fills, up to the limit and
// one byte, which is there to see that there is more.
func readLimited(dst []byte, r io.Reader, hint, limit int) ([]byte, error) {
	start := len(dst)
	for {
		if len(dst) == cap(dst) || cap(dst)-start == 0 {
			dst = grow(dst, start, hint, limit+1)
		}
		room := min(cap(dst), start+limit+1)
		n, err := r.Read(dst[len(dst):room])
		dst = dst[:len(dst)+n]
		if len(dst)-start > limit {
			return dst[:start], ErrLimit
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst[:start], corrupt("its records do not decompress: %v", err)
		}
	}
}

// grow gives dst room for more, at least doubling what was decoded, with at most limit bytes after start.
func grow(dst []byte, start, hint, limit int) []byte {
	want := max(2*(len(dst)-start), hint, firstRead)
	want = min(want, limit)
	bigger := make([]byte, len(dst), start+want)
	copy(bigger, dst)
	return bigger
}
