package broker

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

// connectionShare is the part of all request bytes in flight that one connection may hold: a quarter. One request passes
// whatever its size.
const connectionShare = 4

// unsentBytes is how much memory of answers may wait for a client to read them; then its next request is not read.
const unsentBytes = 1 << 20

// pipelined is how many requests of one connection may be unanswered; then its reader stops reading.
const pipelined = 64

// A conn is one connection. Its life: (TLS) handshaking, then unauthenticated, then authenticated; a listener
// without an authenticator begins authenticated. Before that only ApiVersions is answered, and frames are small.
type conn struct {
	// Constant after construction.
	b        *Broker
	l        *listener
	nc       net.Conn
	raw      syscall.RawConn // set on plaintext TCP: answers are written without waiting, files sent by sendfile
	host     string
	dead     chan struct{} // closed with the connection
	inFlight *budget       // the connection's share of the broker's
	deadOnce sync.Once

	// Owned by the reader goroutine.
	authenticated bool
	principal     auth.Principal
	software      software
	leave         func() // takes software off the figures
	in            [4096]byte
	inR, inW      int

	// Written by the reader, read by the broker's tick.
	phase     atomic.Int32 // idle, framing, handshaking
	phaseFrom atomic.Int64 // when the phase began, coarse
	frameSize atomic.Int64
	lastRead  atomic.Int64 // last byte that came, coarse
	lastWrite atomic.Int64 // last byte that went, coarse
	reads     atomic.Int64 // system calls that brought bytes

	mutedUntil atomic.Int64

	mu       sync.Mutex
	room     sync.Cond // a slot is free, or the connection is gone
	ring     [pipelined]*Request
	head     uint64 // the oldest unanswered request
	tail     uint64
	writing  bool // one goroutine writes at a time: the one that set this
	unsent   int  // bytes of answers in memory
	closed   bool
	draining bool // close once everything is answered
	seenHead uint64
	seen     int // ticks that found head where it was, with answers waiting

	// Owned by the goroutine that set writing.
	out       outgoing
	lastSlots []*Request
}

type software struct{ name, version string }

const (
	phaseIdle int32 = iota
	phaseFraming
	phaseHandshaking
)

func newConn(b *Broker, l *listener, nc net.Conn) *conn {
	c := &conn{b: b, l: l, nc: nc, dead: make(chan struct{}), principal: l.principal(), authenticated: l.Authenticator == nil}
	c.room.L = &c.mu
	c.inFlight = b.inFlight.share(b.inFlight.limit / connectionShare)
	c.host = hostOf(nc.RemoteAddr())
	if tcp, ok := nc.(*net.TCPConn); ok && canWriteRaw {
		c.raw, _ = tcp.SyscallConn()
	}
	c.out.init(c)
	now := b.coarse.Load()
	c.lastRead.Store(now)
	c.lastWrite.Store(now)
	return c
}

func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// serve reads and dispatches until the connection ends.
func (c *conn) serve() {
	defer c.b.forget(c)
	if err := c.handshake(); err != nil {
		c.handshakeFailed(err)
		return
	}
	for {
		f, err := c.readFrame()
		if err != nil {
			c.readEnded(err)
			return
		}
		if !c.unmute() || !c.dispatch(f) {
			c.close()
			return
		}
	}
}

func (c *conn) handshake() error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	c.enter(phaseHandshaking, 0)
	defer c.enter(phaseIdle, 0)
	err := t.Handshake()
	if err == nil {
		c.b.failures.forgive(c.host)
	}
	return err
}

// handshakeFailed holds the end of the connection back for a moment, and remembers the address, unless the other side has
// just gone away, as health checks do.
func (c *conn) handshakeFailed(err error) {
	defer c.close()
	c.b.log.Debug("TLS handshake failed", "listener", c.l.Name, "remote", c.host, "error", err)
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || c.b.stopping.Load() {
		return
	}
	c.b.failures.add(c.host, c.b.clock.Now())
	c.rest(c.b.limits.failedDelay)
}

// rest reports false if the connection or the broker ended meanwhile.
func (c *conn) rest(d time.Duration) bool {
	over := make(chan struct{})
	t := c.b.clock.AfterFunc(d, func() { close(over) })
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-c.dead:
	case <-c.b.stopped:
	}
	return false
}

// readEnded closes, or lets what is in flight finish if the broker stops.
func (c *conn) readEnded(err error) {
	var bad badFrame
	if errors.As(err, &bad) {
		c.b.log.Warn("connection closed", "listener", c.l.Name, "remote", c.host, "reason", bad.Error())
		c.l.metrics.BadFrame()
	}
	if !c.b.stopping.Load() {
		c.close()
		return
	}
	c.mu.Lock()
	c.draining = true
	empty := c.head == c.tail
	c.mu.Unlock()
	if empty {
		c.close()
	}
	<-c.dead
}

func (c *conn) enter(phase int32, size int) {
	c.frameSize.Store(int64(size))
	c.phaseFrom.Store(c.b.coarse.Load())
	c.phase.Store(phase)
}

// badFrame is a protocol error that ends the connection.
type badFrame string

func (b badFrame) Error() string { return string(b) }

// A frame is a request as it came, without its length.
type frame struct {
	bytes []byte
	// pooled owns bytes if set; the handler of the API releases it. Otherwise the garbage collector does.
	pooled *buffer
	// charge was taken of the budget of bytes in flight; a pooled buffer gives its own back.
	budget *budget
	charge int64
}

const minFrame = 8 // key, version, correlation id

// readFrame reads the next request. The length is judged before a byte is allocated for it, and the memory is
// taken from the budget of all requests in flight, so a full broker stops reading.
func (c *conn) readFrame() (frame, error) {
	if c.inR == c.inW {
		c.enter(phaseIdle, 0)
	} else {
		c.enter(phaseFraming, 0)
	}
	if err := c.fill(4); err != nil {
		return frame{}, err
	}
	size := int(int32(binary.BigEndian.Uint32(c.in[c.inR:])))
	if size < minFrame || size > c.b.limits.frame {
		return frame{}, badFrame(fmt.Sprintf("frame of %d bytes is outside the limits", size))
	}
	if err := c.fill(4 + minFrame); err != nil {
		return frame{}, err
	}
	key := wire.Key(binary.BigEndian.Uint16(c.in[c.inR+4:]))
	if most := c.frameLimit(key); size > most {
		return frame{}, badFrame(fmt.Sprintf("%v frame of %d bytes is larger than %d", key, size, most))
	}
	charge, ok := c.inFlight.take(int64(size), c.dead)
	if !ok {
		return frame{}, net.ErrClosed
	}
	c.enter(phaseFraming, size) // the wait for memory was ours, not the client's
	c.readSome()
	f := c.newFrame(key, size, charge)
	c.inR += 4
	n := copy(f.bytes, c.in[c.inR:c.inW])
	c.inR += n
	if err := c.readBody(f.bytes[n:]); err != nil {
		c.b.drop(f)
		return frame{}, err
	}
	c.phase.Store(phaseIdle)
	return f, nil
}

func (c *conn) frameLimit(key wire.Key) int {
	if !c.authenticated {
		return wire.MaxFrameUnauthenticated
	}
	if key == wire.Produce {
		return min(wire.MaxFrameProduce, c.b.limits.frame)
	}
	most := min(wire.MaxFrame(key), c.b.limits.frame)
	if key != wire.Fetch {
		most = min(most, int(c.b.decoding.limit/wire.DecodeFactor))
	}
	return most
}

// newFrame makes room for a body. Produce and Fetch own pooled memory with a counted lifetime; what kmsg decodes
// aliases its frame for as long as somebody remembers it, so there the garbage collector decides.
func (c *conn) newFrame(key wire.Key, size int, charge int64) frame {
	if key == wire.Produce || key == wire.Fetch {
		p := c.b.pool.get(size)
		p.budget, p.charge = c.inFlight, charge
		return frame{bytes: p.b, pooled: p}
	}
	return frame{bytes: make([]byte, size), budget: c.inFlight, charge: charge}
}

// drop gives back a frame that no handler got.
func (b *Broker) drop(f frame) {
	if f.pooled != nil {
		f.pooled.release()
		return
	}
	f.budget.give(f.charge)
}

// fill reads until n bytes are buffered.
func (c *conn) fill(n int) error {
	for c.inW-c.inR < n {
		if c.inR > 0 {
			c.inW = copy(c.in[:], c.in[c.inR:c.inW])
			c.inR = 0
		}
		m, err := c.nc.Read(c.in[c.inW:])
		if m > 0 {
			c.inW += m
			c.readSome()
			if c.phase.Load() == phaseIdle {
				c.enter(phaseFraming, 0)
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) readBody(p []byte) error {
	for len(p) > 0 {
		n, err := c.nc.Read(p)
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		p = p[n:]
		c.readSome()
	}
	return nil
}

func (c *conn) readSome() {
	c.reads.Add(1)
	c.lastRead.Store(c.b.coarse.Load())
}

// dispatch hands a frame to its API. It reports false if the connection must end, as Kafka ends it: for keys and
// versions that are not served and for requests that cannot be parsed.
func (c *conn) dispatch(f frame) bool {
	h, err := wire.ParseHeader(f.bytes)
	if err != nil {
		c.b.drop(f)
		return c.refuse(fmt.Sprintf("unreadable request header: %v", err))
	}
	api := c.b.apis.find(h.Key)
	unknownVersion := api != nil && (h.Version < api.Min || h.Version > api.Max)
	if unknownVersion && api.Mismatch == nil || api == nil {
		c.b.drop(f)
		return c.refuse(fmt.Sprintf("%v version %d is not supported", h.Key, h.Version))
	}
	if !c.authenticated && !api.BeforeAuthentication {
		c.b.drop(f)
		return c.refuse(fmt.Sprintf("%v before authentication", h.Key))
	}
	r := newRequest(c, api, h, f)
	if !c.reserve(r) {
		c.b.drop(f)
		return false
	}
	handle := api.Handle
	if unknownVersion {
		handle = api.Mismatch
	}
	if err := handle(r); err != nil {
		return c.refuse(fmt.Sprintf("%v version %d cannot be parsed: %v", h.Key, h.Version, err))
	}
	return true
}

func (c *conn) refuse(reason string) bool {
	c.l.metrics.BadFrame()
	c.b.log.Warn("connection closed", "listener", c.l.Name, "remote", c.host, "client", c.software.name, "reason", reason)
	return false
}

// reserve takes the next slot of the ring, waiting while all are taken.
func (c *conn) reserve(r *Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for (c.tail-c.head == pipelined || c.unsent > unsentBytes) && !c.closed {
		c.room.Wait()
	}
	if c.closed {
		return false
	}
	c.ring[c.tail%pipelined] = r
	c.tail++
	return true
}

// complete marks r answered. If r is the oldest request, the caller writes it and every answered one behind it,
// unless somebody is at it already. A caller that must not wait (a callback of the host) says so: what does not
// fit into the socket's buffer is then written by a goroutine of its own.
func (c *conn) complete(r *Request, mayWait bool) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		r.discard()
		return
	}
	r.done = true
	c.unsent += r.inMemory()
	if c.writing || c.ring[c.head%pipelined] != r || c.head == c.tail {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.b.writers.Add(1)
	c.mu.Unlock()
	if !mayWait && c.raw == nil {
		go c.drain(true)
		return
	}
	c.drain(mayWait)
}

// drain writes answered requests, oldest first, until the oldest one is unanswered. The caller has set writing.
func (c *conn) drain(mayWait bool) {
	for c.collect() {
		if !c.send(mayWait) {
			go func() {
				c.send(true)
				c.retire()
				c.drain(true)
			}()
			return
		}
		c.retire()
	}
}

// collect takes the answers that can go now, or ends the writer's turn.
func (c *conn) collect() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.writing = false
		c.b.writers.Add(-1)
		c.reap()
		return false
	}
	for c.head+uint64(len(c.lastSlots)) != c.tail {
		r := c.ring[(c.head+uint64(len(c.lastSlots)))%pipelined]
		if !r.done {
			break
		}
		c.lastSlots = append(c.lastSlots, r)
		c.out.parts = append(c.out.parts, r.parts...)
	}
	if len(c.lastSlots) > 0 {
		return true
	}
	c.writing = false
	c.b.writers.Add(-1)
	return false
}

// send writes what was collected. It reports false if that would have to wait and mayWait forbids it; a failed
// connection counts as sent.
func (c *conn) send(mayWait bool) bool {
	done, err := c.out.write(mayWait)
	if err != nil {
		if !errors.Is(err, net.ErrClosed) {
			c.b.log.Debug("write failed", "remote", c.host, "error", err)
		}
		c.close()
		return true
	}
	return done
}

// retire frees the slots and the memory of what was sent.
func (c *conn) retire() {
	c.out.release()
	c.lastWrite.Store(c.b.coarse.Load())
	end := false
	c.mu.Lock()
	for i, r := range c.lastSlots {
		c.ring[(c.head+uint64(i))%pipelined] = nil
		c.unsent -= r.held
		end = end || r.closeAfter
	}
	c.head += uint64(len(c.lastSlots))
	end = end || c.draining && c.head == c.tail
	c.room.Signal()
	c.mu.Unlock()
	for i, r := range c.lastSlots {
		c.lastSlots[i] = nil
		r.free()
	}
	c.lastSlots = c.lastSlots[:0]
	if end {
		c.close()
	}
}

// close ends the connection; parked requests are told, so that they let go of what they hold.
func (c *conn) close() {
	c.deadOnce.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.room.Broadcast()
		cancels := c.parked()
		if !c.writing {
			c.reap()
		}
		c.mu.Unlock()
		close(c.dead)
		c.nc.Close()
		for _, cancel := range cancels {
			cancel()
		}
	})
}

// hurry makes parked requests answer with what they have.
func (c *conn) hurry() {
	c.mu.Lock()
	cancels := c.parked()
	c.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
}

// reap lets go of what the answers hold that will never be sent. mu is held, and nobody writes. Requests that are
// answered later find the connection closed and do it themselves.
func (c *conn) reap() {
	for i := c.head; i != c.tail; i++ {
		if r := c.ring[i%pipelined]; r != nil && r.done {
			c.ring[i%pipelined] = nil
			r.discard()
		}
	}
}

func (c *conn) parked() (cancels []func()) {
	for i := c.head; i != c.tail; i++ {
		if r := c.ring[i%pipelined]; r != nil && !r.done && r.cancel != nil {
			cancels = append(cancels, r.cancel)
		}
	}
	return cancels
}

// park says what ends the waiting of r early: the end of the connection. It reports false if that has come already.
func (c *conn) park(r *Request, cancel func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.cancel = cancel
	return !c.closed && !c.b.stopping.Load()
}

func (c *conn) gone() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// mute keeps the reader from taking the next request for a while: throttling, after the answer was given.
func (c *conn) mute(d time.Duration) {
	if d > 0 {
		c.mutedUntil.Store(c.b.clock.Now().Add(d).UnixNano())
	}
}

func (c *conn) unmute() bool {
	until := c.mutedUntil.Load()
	if until == 0 {
		return true
	}
	c.mutedUntil.Store(0)
	wait := time.Duration(until - c.b.clock.Now().UnixNano())
	if wait <= 0 {
		return true
	}
	return c.rest(wait)
}

// overdue tells why the connection must end at now, if it must.
func (c *conn) overdue(now int64) string {
	l := &c.b.limits
	since := func(t int64) time.Duration { return time.Duration(now - t) }
	from := c.phaseFrom.Load()
	switch c.phase.Load() {
	case phaseHandshaking:
		if since(from) > l.handshake {
			return "handshake took too long"
		}
	case phaseFraming:
		whole := l.frameTime + time.Duration(c.frameSize.Load())*time.Second/(64<<10)
		if (since(c.lastRead.Load()) > l.frameIdle || since(from) > whole) && !c.b.inFlight.waiting() {
			return "frame came too slowly"
		}
	}
	if l.idle > 0 && since(c.lastRead.Load()) > l.idle && since(c.lastWrite.Load()) > l.idle && !c.waitsForAnswer() {
		return "idle"
	}
	return ""
}

// notRead counts the memory of answers that wait to be sent, and tells whether none has gone for stuckTicks looks.
func (c *conn) notRead() (unsent int, stuck bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsent == 0 || c.head != c.seenHead {
		c.seenHead, c.seen = c.head, 0
		return c.unsent, false
	}
	c.seen++
	return c.unsent, c.seen >= stuckTicks
}

// stuckTicks is after how many seconds a client that reads nothing may be left alone.
const stuckTicks = 10

// waitsForAnswer: a request is in flight, and it is not the client that does not take its answer.
func (c *conn) waitsForAnswer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head != c.tail && !c.writing
}
