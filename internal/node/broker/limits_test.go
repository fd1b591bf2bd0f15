package broker

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/config"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// connect waits until the broker has taken the connection.
func (s *stage) connect(want int) *client {
	s.t.Helper()
	c := s.dial()
	s.until(func() bool { return s.Connections() == want })
	return c
}

// TestConnectionsArePaced: the burst comes at once, then one connection at a time.
func TestConnectionsArePaced(t *testing.T) {
	s := newStage(t, Options{Limits: Limits{ConnectionRate: 2}}, Listener{})
	for i := range 20 {
		s.connect(i + 1)
	}
	c := s.dial()
	c.send(heartbeat(1, 0))
	other := s.dial()
	other.send(heartbeat(2, 0))
	s.until(func() bool { return s.paused() == 1 })
	s.clock.Advance(499 * time.Millisecond)
	if n := s.Connections(); n != 20 {
		t.Fatalf("%d connections", n)
	}
	s.clock.Advance(time.Millisecond)
	if got := c.correlation(); got != 1 {
		t.Fatal(got)
	}
	s.until(func() bool { return s.paused() == 1 })
	if n := s.Connections(); n != 21 {
		t.Errorf("%d connections", n)
	}
	s.clock.Advance(time.Second)
	if got := other.correlation(); got != 2 {
		t.Fatal(got)
	}
}

// paused counts the listeners that wait for a permit.
func (s *stage) paused() int {
	return int(s.listeners[0].pausing.Load())
}

func TestLimitsAreRead(t *testing.T) {
	s := settings(t, "max.connection.creation.rate=7", "connection.failed.authentication.delay.ms=250", "queued.max.request.bytes=12345678",
		"socket.send.buffer.bytes=65536", "socket.receive.buffer.bytes=32768", "request.timeout.ms=1234", "offsets.commit.timeout.ms=4321",
		"connections.max.idle.ms=9876")
	b := New(Options{Env: env.Real(), Settings: s, Limits: Limits{Memory: 1 << 30}})
	b.Serve(noHost{})
	l := b.limits
	if b.connLimits().rate != 7 || l.failedDelay != 250*time.Millisecond || b.inFlight.limit != 12345678 || l.sendBuffer != 65536 ||
		l.receiveBuffer != 32768 || l.request != 1234*time.Millisecond || l.commit != 4321*time.Millisecond || l.idle != 9876*time.Millisecond {
		t.Errorf("%+v", l)
	}
	b = New(Options{Env: env.Real(), Settings: config.Defaults(), Limits: Limits{Memory: 1 << 30}})
	b.Serve(noHost{})
	if l := b.limits; l.sendBuffer != 0 || l.receiveBuffer != 0 || b.inFlight.limit != 1<<28 || b.connLimits().rate != 200 {
		t.Errorf("by default: %+v", l)
	}
}

// A sizedConn remembers what was asked of them.
type sizedConn struct {
	net.Conn
	read, write int
}

func (c *sizedConn) SetReadBuffer(n int) error  { c.read = n; return nil }
func (c *sizedConn) SetWriteBuffer(n int) error { c.write = n; return nil }

func TestSocketBuffersAreSet(t *testing.T) {
	for set, want := range map[string]int{"65536": 65536, "102400": 0, "-1": 0} {
		b := New(Options{Env: env.Real(), Settings: settings(t, "socket.send.buffer.bytes="+set, "socket.receive.buffer.bytes="+set)})
		c := &sizedConn{}
		b.size(c)
		if c.read != want || c.write != want {
			t.Errorf("%s: %d %d", set, c.read, c.write)
		}
	}
}

// TestFailedHandshakesWait: who fails again and again is kept out for longer each time; a plain listener of the same
// broker is not concerned, and one success forgives everything.
func TestFailedHandshakesWait(t *testing.T) {
	file, roots := pemFile(t)
	cfg, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"), env.Real().Clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, Options{}, Listener{TLS: cfg})
	fail := func(row int) {
		t.Helper()
		c := s.dial()
		c.send([]byte("GET / HTTP/1.1\r\n\r\n"))
		s.until(func() bool { return s.failures.row("127.0.0.1") == row })
		if n := s.Connections(); n != 1 {
			t.Errorf("%d connections: the end is not held back", n)
		}
		s.until(func() bool { s.clock.Advance(100 * time.Millisecond); return s.Connections() == 0 })
		c.ended()
	}
	good := func() error {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		if err != nil {
			return err
		}
		defer c.Close()
		c.Write(heartbeat(1, 0))
		_, err = readFrame(c)
		return err
	}
	fail(1)
	fail(2)
	if err := good(); err != nil {
		t.Fatalf("after two failures: %v", err)
	}
	s.until(func() bool { return s.Connections() == 0 })
	now := s.clock.Now()
	for range 4 {
		s.failures.add("127.0.0.1", now)
	}
	if err := good(); err == nil {
		t.Error("nobody was kept out")
	}
	s.clock.Advance(2 * time.Second)
	if err := good(); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	if n := s.failures.row("127.0.0.1"); n != 0 {
		t.Errorf("%d failures are not forgiven", n)
	}
	c := s.dial() // a health check: it opens and goes
	c.Close()
	s.until(func() bool { return s.Connections() == 0 })
	if n := s.failures.row("127.0.0.1"); n != 0 {
		t.Error("a connection without a byte counts as a failure")
	}
}

func TestFailuresBackOff(t *testing.T) {
	f, now := newFailures(), time.Unix(1_800_000_000, 0)
	var got []time.Duration
	for range 9 {
		f.add("a", now)
		got = append(got, f.wait("a", now))
	}
	for i, want := range []int{0, 0, 1, 2, 4, 8, 16, 30, 30} {
		if got[i] != time.Duration(want)*time.Second {
			t.Errorf("failure %d: %v, want %d s", i+1, got[i], want)
		}
	}
	if f.wait("b", now) != 0 || f.wait("a", now.Add(30*time.Second)) != 0 {
		t.Error("somebody waits who need not")
	}
	for i := range mostFailedAddress + 5 {
		f.add(string(rune(i)), now)
	}
	if len(f.byIP) > mostFailedAddress {
		t.Errorf("%d addresses are remembered", len(f.byIP))
	}
}

// TestOneConnectionHasItsShare of the request bytes in flight, so that another is served while it waits.
func TestOneConnectionHasItsShare(t *testing.T) {
	root := newBudget(400)
	share, other := root.share(100), root.share(100)
	if n, ok := share.take(300, nil); !ok || n != 300 {
		t.Fatal("one large request must pass", n, ok)
	}
	stop := make(chan struct{})
	close(stop)
	if _, ok := share.take(1, stop); ok {
		t.Error("a second request although the share is spent")
	}
	if _, ok := other.take(60, stop); !ok {
		t.Error("another connection has to wait")
	}
	if _, ok := other.take(50, stop); ok {
		t.Error("beyond its share")
	}
	if n, ok := newBudget(50).share(10).take(99, nil); n != 50 || !ok {
		t.Error("more than the whole budget", n, ok)
	}
	share.give(300)
	other.give(60)
	if root.inUse()+share.inUse()+other.inUse() != 0 {
		t.Error("not everything is given back")
	}
}

// TestAClientThatNeverReads: its next request is not taken while much waits for it, and when memory is short it goes.
func TestAClientThatNeverReads(t *testing.T) {
	s := newStage(t, Options{Limits: Limits{Memory: 32 << 20}}, Listener{})
	const answer = 900 << 10
	s.apis[wire.Heartbeat] = &API{Key: wire.Heartbeat, Min: 0, Max: 4, Handle: decoded(func(r *Request, req *kmsg.HeartbeatRequest) {
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.MemberAssignment = bytes.Repeat([]byte{1}, answer)
		r.Reply(resp)
	})}
	var deaf []*client
	for i := range 12 {
		c := s.connect(i + 1)
		c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		for n := range int32(40) {
			c.send(heartbeat(n, 0))
		}
		deaf = append(deaf, c)
	}
	s.until(func() bool { return s.unsentBytes() > 12*answer && s.settled() })
	if got := s.unsentBytes(); got > 12*(unsentBytes+2*answer) {
		t.Errorf("%d bytes wait for 12 clients", got)
	}
	// The kernel may still take a little, so it is not known which second is the tenth; the idle limit is far off.
	for end := s.clock.Now().Add(5 * time.Minute); s.Connections() > 0 && s.clock.Now().Before(end); {
		s.clock.Advance(time.Second)
		runtime.Gosched()
	}
	s.until(func() bool { return s.Connections() == 0 })
	if got := s.unsentBytes(); got != 0 {
		t.Errorf("%d bytes wait for nobody", got)
	}
	for _, c := range deaf {
		c.Close()
	}
}

func (s *stage) unsentBytes() (n int) {
	s.Broker.mu.Lock()
	defer s.Broker.mu.Unlock()
	for c := range s.conns {
		c.mu.Lock()
		n += c.unsent
		c.mu.Unlock()
	}
	return n
}

// settled: every reader waits for room.
func (s *stage) settled() bool {
	s.Broker.mu.Lock()
	defer s.Broker.mu.Unlock()
	for c := range s.conns {
		c.mu.Lock()
		full := c.unsent > unsentBytes
		c.mu.Unlock()
		if !full {
			return false
		}
	}
	return true
}

// TestRubbishOnBothKinds: TLS on a plain port and the other way round end the connection, with nothing kept.
func TestRubbishOnBothKinds(t *testing.T) {
	file, _ := pemFile(t)
	cfg, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"), env.Real().Clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := newStage(t, Options{}, Listener{}), newStage(t, Options{}, Listener{TLS: cfg})
	if _, err := tls.Dial("tcp", plain.addr, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("TLS was spoken on a plain port")
	}
	c := secure.dial()
	c.send(heartbeat(1, 0))
	secure.until(func() bool { return secure.failures.row("127.0.0.1") == 1 })
	secure.until(func() bool { secure.clock.Advance(100 * time.Millisecond); return secure.Connections() == 0 })
	c.ended()
	plain.until(func() bool { return plain.Connections() == 0 })
}

// row is how many failures in a row are remembered of an address.
func (f *failures) row(host string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.byIP[host]; one != nil {
		return one.inRow
	}
	return 0
}
