package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress is one line on a terminal that is written over. A nil progress shows nothing.
type progress struct {
	w    io.Writer
	now  func() time.Time
	last time.Time
	wide int
}

const progressEvery = 200 * time.Millisecond

func newProgress(w io.Writer, now func() time.Time) *progress {
	return &progress{w: w, now: now, last: now()} // what takes no time needs no progress
}

func (p *progress) show(line func() string) {
	if p == nil {
		return
	}
	now := p.now()
	if now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	text := line()
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(0, p.wide-len(text))))
	p.wide = len(text)
}

func (p *progress) clear() {
	if p == nil || p.wide == 0 {
		return
	}
	fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.wide))
	p.wide = 0
}
