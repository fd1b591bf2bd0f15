package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/config"
	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// A stage is a broker whose APIs are the test's: what is tried here is frames, order and limits.
type stage struct {
	*Broker
	t     *testing.T
	clock *simenv.Clock
	addr  string

	mu     sync.Mutex
	parked []*Request
	came   chan *Request // every parked request
}

// nobody is an authenticator that nobody passes.
type nobody struct{}

func (nobody) Mechanisms() []string       { return nil }
func (nobody) Begin(string) auth.Exchange { return nil }

// noHost has an empty image and nothing else.
type noHost struct{ Host }

func (noHost) Image() *meta.Image { return meta.Empty() }
func (noHost) NodeID() int32      { return 1 }

func newStage(t *testing.T, o Options, l Listener) *stage {
	t.Helper()
	s := &stage{t: t, clock: simenv.NewClock(time.Unix(1_800_000_000, 0)), came: make(chan *Request, 1000)}
	real := env.Real()
	o.Env = env.Env{Clock: s.clock, Network: real.Network, Random: real.Random}
	o.Settings = config.Defaults()
	o.Limits.PoisonPooledBuffers = true
	if o.Limits.Memory == 0 {
		o.Limits.Memory = 1 << 30
	}
	l.Name, l.Address = "PLAINTEXT", "127.0.0.1:0"
	o.Listeners = []Listener{l}
	s.Broker = New(o)
	s.Serve(noHost{})
	s.apis = &apiTable{}
	// Heartbeat echoes its generation as the error code; DescribeGroups is parked until the test answers.
	s.apis[wire.Heartbeat] = &API{Key: wire.Heartbeat, Min: 0, Max: 4, Handle: decoded(func(r *Request, req *kmsg.HeartbeatRequest) {
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.ErrorCode = int16(req.Generation)
		r.Reply(resp)
	})}
	s.apis[wire.LeaveGroup] = &API{Key: wire.LeaveGroup, Min: 0, Max: 5, Handle: decoded(func(r *Request, req *kmsg.LeaveGroupRequest) {
		s.came <- r
	})}
	s.apis[wire.Produce] = &API{Key: wire.Produce, Min: 3, Max: 13, Handle: func(r *Request) error { r.answerNothing(); return nil }}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.addr = s.Endpoints()[0].Bound
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Stop(ctx)
	})
	return s
}

// answer ends a parked request.
func (s *stage) answer(r *Request, code int16) {
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.ErrorCode = code
	r.Reply(resp)
}

type client struct {
	net.Conn
	t *testing.T
}

func (s *stage) dial() *client {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs fails
	s.t.Cleanup(func() { nc.Close() })
	return &client{nc, s.t}
}

// request is a whole frame of a message of kmsg.
func request(req kmsg.Request, version int16, correlation int32) []byte {
	req.SetVersion(version)
	frame := wire.AppendRequestHeader(make([]byte, 4), wire.Header{Key: wire.Key(req.Key()), Version: version, CorrelationID: correlation, ClientID: "test"})
	frame = req.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

func heartbeat(correlation, generation int32) []byte {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Generation = generation
	return request(req, 4, correlation)
}

func leave(correlation int32) []byte { return request(kmsg.NewPtrLeaveGroupRequest(), 2, correlation) }

func (c *client) send(frames ...[]byte) {
	c.t.Helper()
	for _, f := range frames {
		if _, err := c.Write(f); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *client) frame() []byte {
	c.t.Helper()
	b, err := readFrame(c)
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	return b
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// correlation of the next answer.
func (c *client) correlation() int32 { return int32(binary.BigEndian.Uint32(c.frame())) }

// ended: the broker has closed the connection.
func (c *client) ended() {
	c.t.Helper()
	if b, err := readFrame(c); err == nil {
		c.t.Fatalf("got an answer of %d bytes, want the end of the connection", len(b))
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the connection is still open")
	}
}

func TestAnswersKeepTheOrderOfRequests(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	c := s.dial()
	c.send(leave(1), heartbeat(2, 0), leave(3), heartbeat(4, 0))
	first, third := <-s.came, <-s.came
	s.answer(third, 0)
	s.answer(first, 0)
	for want := int32(1); want <= 4; want++ {
		if got := c.correlation(); got != want {
			t.Fatalf("answer %d came, want %d", got, want)
		}
	}
}

func TestReaderStopsWhenTheRingIsFull(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	c := s.dial()
	for i := range int32(pipelined + 10) {
		c.send(leave(i))
	}
	var all []*Request
	for range pipelined {
		all = append(all, <-s.came)
	}
	select {
	case <-s.came:
		t.Fatal("a request beyond the ring was dispatched")
	default:
	}
	for _, r := range all {
		s.answer(r, 0)
	}
	for range 10 {
		s.answer(<-s.came, 0)
	}
	for i := range int32(pipelined + 10) {
		if got := c.correlation(); got != i {
			t.Fatalf("answer %d came, want %d", got, i)
		}
	}
}

func TestAnswersFromManyGoroutines(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	c := s.dial()
	const n = 2000
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	go func() {
		for {
			select {
			case r := <-s.came:
				go s.answer(r, 0)
			case <-over:
				return
			}
		}
	}()
	go func() {
		for i := range int32(n) {
			f := leave(i)
			if i%3 == 0 {
				f = heartbeat(i, 0)
			}
			if _, err := c.Write(f); err != nil {
				return
			}
		}
	}()
	for i := range int32(n) {
		if got := c.correlation(); got != i {
			t.Fatalf("answer %d came, want %d", got, i)
		}
	}
}

// A client that does not read its answers must not stop the goroutine that answers: it may be a sync loop.
func TestAnsweringDoesNotWaitForASlowReader(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	c := s.dial()
	big := make([]kmsg.LeaveGroupResponseMember, 1000)
	for i := range big {
		big[i].MemberID = fmt.Sprintf("%04000d", i)
	}
	for i := range int32(8) {
		c.send(request(kmsg.NewPtrLeaveGroupRequest(), 4, i))
	}
	for range 8 {
		resp := kmsg.NewPtrLeaveGroupResponse()
		resp.Members = big
		(<-s.came).Reply(resp) // 4 MB each; this would hang
	}
	for i := range int32(8) {
		if got := c.correlation(); got != i {
			t.Fatalf("answer %d came, want %d", got, i)
		}
	}
}

func sized(size uint32, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, size), rest...)
}

func TestHostileFrames(t *testing.T) {
	header := func(key, version int16) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		return append(binary.BigEndian.AppendUint16(b, uint16(version)), 0, 0, 0, 1)
	}
	cases := []struct {
		name  string
		bytes []byte
	}{
		{"negative length", sized(0xffffffff)},
		{"length zero", sized(0)},
		{"shorter than a header", sized(7)},
		{"longer than any frame", sized(200 << 20)},
		{"longer than this API's frames", sized(2<<20, header(12, 4)...)},
		{"produce beyond socket.request.max.bytes", sized(101<<20, header(0, 9)...)},
		{"unknown key", sized(8, header(999, 0)...)},
		{"negative key", sized(8, header(-1, 0)...)},
		{"key of another role", sized(8, header(52, 0)...)},
		{"version too new", sized(8, header(12, 5)...)},
		{"version negative", sized(8, header(12, -1)...)},
		{"client id longer than the frame", sized(10, append(header(12, 0), 0x7f, 0xff)...)},
		{"tags without end", sized(15, append(header(12, 4), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)...)},
		{"body missing", sized(10, append(header(12, 0), 0xff, 0xff)...)},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"TLS hello", []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0}},
	}
	s := newStage(t, Options{}, Listener{})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cl := s.dial()
			cl.t = t
			cl.send(c.bytes)
			cl.ended()
		})
	}
	c := s.dial()
	c.send(heartbeat(7, 0))
	if got := c.correlation(); got != 7 {
		t.Errorf("an honest client got %d", got)
	}
	if used := s.inFlight.inUse() + s.decoding.inUse(); used != 0 {
		t.Errorf("%d bytes of the budgets are not given back", used)
	}
}

func TestArrayBombIsChargedFirst(t *testing.T) {
	s := newStage(t, Options{Limits: Limits{Memory: 64 << 20}}, Listener{})
	// The decode budget is 16 MiB: no frame above 16 MiB / 80 may come.
	c := s.dial()
	c.send(sized(300<<10, 0, 12, 0, 4, 0, 0, 0, 1))
	c.ended()
}

func TestUnauthenticatedFramesAreSmall(t *testing.T) {
	s := newStage(t, Options{}, Listener{Authenticator: nobody{}})
	s.apis[wire.Heartbeat].BeforeAuthentication = true
	c := s.dial()
	c.send(heartbeat(1, 0))
	if got := c.correlation(); got != 1 {
		t.Fatalf("answer %d", got)
	}
	c.send(sized(wire.MaxFrameUnauthenticated+1, 0, 0, 0, 9, 0, 0, 0, 1))
	c.ended()
	c = s.dial()
	c.send(leave(1)) // not before authentication
	c.ended()
}

func TestSlowFramesEnd(t *testing.T) {
	cases := []struct {
		name  string
		sent  []byte
		steps int // seconds, with a byte sent before each if drip
		drip  bool
	}{
		{"silence inside a length", []byte{0, 0}, 12, false},
		{"silence inside a frame", sized(100, 0, 12, 0, 4), 12, false},
		{"a byte every second", sized(60_000, 0, 12, 0, 4, 0, 0, 0, 1), 33, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, Options{}, Listener{})
			cl := s.dial()
			cl.send(c.sent)
			s.until(func() bool { return s.framing() })
			for i := range c.steps {
				if c.drip && s.Connections() == 1 {
					before := s.frameBytes()
					cl.Write([]byte{0}) // it may be closed by now
					s.until(func() bool { return s.frameBytes() > before || s.Connections() == 0 })
				}
				s.clock.Advance(time.Second)
				if c.drip && i < 25 && s.Connections() == 0 {
					t.Fatalf("closed after %d s", i)
				}
			}
			cl.ended()
		})
	}
}

// framing: some connection is inside a frame.
func (s *stage) framing() bool {
	s.Broker.mu.Lock()
	defer s.Broker.mu.Unlock()
	for c := range s.conns {
		if c.phase.Load() == phaseFraming {
			return true
		}
	}
	return false
}

func (s *stage) frameBytes() (n int64) {
	s.Broker.mu.Lock()
	defer s.Broker.mu.Unlock()
	for c := range s.conns {
		n += c.reads.Load()
	}
	return n
}

// until waits for what another goroutine is about to do; real time only bounds the wait.
func (s *stage) until(cond func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); {
		if time.Now().After(end) {
			s.t.Fatal("it does not happen")
		}
		runtime.Gosched()
	}
}

func TestIdleConnectionsEndAndBusyOnesStay(t *testing.T) {
	s := newStage(t, Options{Limits: Limits{IdleConnection: time.Minute}}, Listener{})
	idle, busy := s.dial(), s.dial()
	busy.send(leave(1))
	r := <-s.came
	s.until(func() bool { return s.Connections() == 2 })
	for range 62 {
		s.clock.Advance(time.Second)
	}
	idle.ended()
	s.answer(r, 0)
	if got := busy.correlation(); got != 1 {
		t.Fatalf("answer %d", got)
	}
}

func TestConnectionCaps(t *testing.T) {
	s := newStage(t, Options{Limits: Limits{ConnectionsPerIP: 3}}, Listener{})
	var open []*client
	for i := range int32(3) {
		c := s.dial()
		c.send(heartbeat(i, 0))
		c.frame()
		open = append(open, c)
	}
	s.dial().ended()
	open[0].Close()
	s.until(func() bool { return s.Connections() == 2 })
	c := s.dial()
	c.send(heartbeat(9, 0))
	if got := c.correlation(); got != 9 {
		t.Fatalf("answer %d", got)
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	c, idle := s.dial(), s.dial()
	c.send(leave(1))
	r := <-s.came
	s.until(func() bool { return s.Connections() == 2 })
	stopped := make(chan error)
	go func() { stopped <- s.Stop(context.Background()) }()
	idle.ended()
	s.answer(r, 0)
	if got := c.correlation(); got != 1 {
		t.Fatalf("answer %d", got)
	}
	c.ended()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("still accepting")
	}
}

func TestStopHasADeadline(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	c := s.dial()
	c.send(leave(1))
	r := <-s.came
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(ctx); err == nil {
		t.Error("Stop says that everything finished")
	}
	s.answer(r, 0) // too late, and nobody is hurt
	c.ended()
}

func TestBudgetHoldsReadersBack(t *testing.T) {
	b := newBudget(100)
	if n, ok := b.take(80, nil); !ok || n != 80 {
		t.Fatal(n, ok)
	}
	got := make(chan int64)
	go func() { n, _ := b.take(500, nil); got <- n }() // more than there ever is: gets all
	for !b.waiting() {
		runtime.Gosched()
	}
	stop := make(chan struct{})
	close(stop)
	if _, ok := b.take(1, stop); ok {
		t.Error("overtook the one in front")
	}
	b.give(80)
	if n := <-got; n != 100 {
		t.Errorf("granted %d", n)
	}
	b.give(100)
	if b.inUse() != 0 {
		t.Errorf("%d in use", b.inUse())
	}
}

func TestBufferPoolKeepsWhatItMay(t *testing.T) {
	p := newBufferPool(1 << 20)
	a := p.get(700 << 10) // class of 1 MiB
	first := &a.b[0]
	a.release()
	if b := p.get(600 << 10); &b.b[0] != first {
		t.Error("the warm buffer was not reused")
	} else {
		b.retain()
		b.release()
		b.release()
	}
	c, d := p.get(1<<20), p.get(1<<20)
	c.release()
	d.release()
	if p.kept != 1<<20 {
		t.Errorf("keeps %d", p.kept)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second release went unnoticed")
		}
	}()
	d.release()
}

func TestPipeListener(t *testing.T) {
	p := &Pipe{}
	s := newStage(t, Options{}, Listener{})
	l := &listener{Listener: Listener{Name: "APPS", Network: p, Principal: auth.Principal{Type: "User", Name: "millrace"}}, b: s.Broker, metrics: s.metrics.Listener("APPS")}
	s.listeners = append(s.listeners, l)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	go l.accept()
	nc, err := p.Dial(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	nc.Write(heartbeat(5, 0))
	b, err := readFrame(nc)
	if err != nil || binary.BigEndian.Uint32(b) != 5 {
		t.Fatal(b, err)
	}
	nc.Close()
}

// FuzzFrames feeds bytes to a connection: whatever comes, the broker lives, gives everything back, and the next client
// is served.
func FuzzFrames(f *testing.F) {
	f.Add(heartbeat(1, 2))
	f.Add(append(heartbeat(1, 2), leave(3)...))
	f.Add(sized(0xffffffff))
	f.Add(sized(12, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0))
	var s *stage
	f.Fuzz(func(t *testing.T, in []byte) {
		if s == nil {
			s = newStage(&testing.T{}, Options{}, Listener{})
			go func() {
				for r := range s.came {
					s.answer(r, 0)
				}
			}()
		}
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(in)
		nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, nc)
		nc.Close()
		s.t = t
		s.until(func() bool { return s.Connections() == 0 && s.inFlight.inUse()+s.decoding.inUse() == 0 })
	})
}

// A client that goes away while its answers are being written must not keep the writer busy.
func TestWriterEndsWithTheConnection(t *testing.T) {
	s := newStage(t, Options{}, Listener{})
	for range 20 {
		c := s.dial()
		for i := range int32(4) {
			c.send(request(kmsg.NewPtrLeaveGroupRequest(), 4, i))
		}
		var all []*Request
		for range 4 {
			all = append(all, <-s.came)
		}
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Close()
		for _, r := range all {
			resp := kmsg.NewPtrLeaveGroupResponse()
			resp.Members = make([]kmsg.LeaveGroupResponseMember, 100_000)
			r.Reply(resp)
		}
	}
	s.until(func() bool { return s.Connections() == 0 && s.writers.Load() == 0 })
}
