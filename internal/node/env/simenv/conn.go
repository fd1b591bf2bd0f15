package simenv

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// sendBuffer is how many bytes a writer may be ahead of its reader.
const sendBuffer = 256 << 10

// conn is one end of a connection. All fields are guarded by the network's mutex; what one end writes lies in its
// out buffer until the other end reads it, so that a cut link simply keeps it there.
type conn struct {
	n             *Network
	from, to      string
	local, remote addr
	peer          *conn
	out           []byte
	finished      bool // no more writes will come: closed, or CloseWrite
	closed        bool
	reset         bool
	read, write   deadline
}

func (n *Network) pair(from, to string, local, remote addr) (near, far *conn) {
	near = &conn{n: n, from: from, to: to, local: local, remote: remote}
	far = &conn{n: n, from: to, to: from, local: remote, remote: local, peer: near}
	near.peer = far
	n.conns[near], n.conns[far] = true, true
	return near, far
}

func (c *conn) linkCut() bool { return c.n.cut[[2]string{c.from, c.to}] }

func (c *conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

func (c *conn) broken(op string, d *deadline) error {
	switch {
	case c.closed:
		return c.fail(op, net.ErrClosed)
	case c.reset:
		return c.fail(op, syscall.ECONNRESET)
	case d.passed:
		return c.fail(op, os.ErrDeadlineExceeded)
	}
	return nil
}

func (c *conn) Read(p []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for {
		if err := c.broken("read", &c.read); err != nil {
			return 0, err
		}
		if !c.linkCut() && len(c.peer.out) > 0 || len(p) == 0 {
			k := copy(p, c.peer.out)
			c.peer.consume(k)
			return k, nil
		}
		if !c.linkCut() && c.peer.finished {
			return 0, io.EOF
		}
		c.n.changed.Wait()
	}
}

func (c *conn) consume(k int) {
	if k == len(c.out) {
		c.out = c.out[:0]
	} else {
		c.out = c.out[k:]
	}
	if k > 0 {
		c.n.changed.Broadcast()
	}
}

func (c *conn) Write(p []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	sent := 0
	for {
		if err := c.broken("write", &c.write); err != nil {
			return sent, err
		}
		if c.finished || c.peer.closed && !c.linkCut() {
			return sent, c.fail("write", syscall.EPIPE)
		}
		if room := sendBuffer - len(c.out); room > 0 {
			k := min(room, len(p)-sent)
			c.out = append(c.out, p[sent:sent+k]...)
			sent += k
			c.n.changed.Broadcast()
		}
		if sent == len(p) {
			return sent, nil
		}
		c.n.changed.Wait()
	}
}

// CloseWrite tells the other end that no more comes; reading goes on.
func (c *conn) CloseWrite() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.finished = true
	c.n.changed.Broadcast()
	return nil
}

func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.closed, c.finished = true, true
	c.read.stop()
	c.write.stop()
	delete(c.n.conns, c)
	c.n.changed.Broadcast()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.read, &c.write)
}
func (c *conn) SetReadDeadline(t time.Time) error  { return c.setDeadlines(t, &c.read) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.write) }

func (c *conn) setDeadlines(t time.Time, ds ...*deadline) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	for _, d := range ds {
		d.set(c.n, t)
	}
	c.n.changed.Broadcast()
	return nil
}

// deadline is package time's clock on purpose: a bubble of testing/synctest makes it virtual.
type deadline struct {
	passed bool
	epoch  int // a timer that fires after it was replaced finds another epoch
	timer  *time.Timer
}

func (d *deadline) stop() {
	d.epoch++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(n *Network, t time.Time) {
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.passed = true
		return
	}
	epoch := d.epoch
	d.timer = time.AfterFunc(left, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if d.epoch == epoch {
			d.passed = true
			n.changed.Broadcast()
		}
	})
}
