package broker

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// A disk that hangs: the producer is told in time, and what the host still does with the batch later hurts nobody.
func TestProduceTimesOut(t *testing.T) {
	n := newNode(t)
	n.create("t", 2)
	p := n.host.Partition("t", 0).(*testPartition)
	p.stuck.Store(true)
	req := produceRequest("t", 0, -1, records(t, batch.Options{}, "a"))
	req.TimeoutMillis = 500 // far longer than the other partition needs
	second := kmsg.NewProduceRequestTopicPartition()
	second.Partition, second.Records = 1, records(t, batch.Options{}, "b")
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
	parts := call[*kmsg.ProduceResponse](n, req, 9).Topics[0].Partitions
	if got := wire.ErrorCode(parts[0].ErrorCode); got != wire.RequestTimedOut {
		t.Errorf("the stuck partition: %v", got)
	}
	if got := wire.ErrorCode(parts[1].ErrorCode); got != wire.None {
		t.Errorf("the other partition: %v", got)
	}
	n.produce("t", 1, "life goes on")
	p.stuck.Store(false)
	p.flushed(p.l.EndOffset())
	if got := n.produce("t", 0, "c"); got != 1 {
		t.Errorf("offset %d", got)
	}
}

// A file that ends before the range that was promised: the frame's length is out, so the connection must end.
func TestShortSendEndsTheConnection(t *testing.T) {
	if !canWriteRaw {
		t.Skip("no sendfile here")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(100_000); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if nc, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			defer nc.Close()
			for b := make([]byte, 64<<10); ; {
				if _, err := nc.Read(b); err != nil {
					return
				}
			}
		}
	}()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var w rawWriter
	w.init(raw)
	if err := w.sendfile(f.Fd(), 0, 100_000); err != nil {
		t.Errorf("a whole range: %v", err)
	}
	if err := w.sendfile(f.Fd(), 50_000, 100_000); !errors.Is(err, errShortSend) {
		t.Errorf("a range beyond the end: %v", err)
	}
}

// exhausted is a network whose listener has no file handles left for a while.
type exhausted struct {
	env.Network
	accepts chan chan error
}

func (e exhausted) Listen(network, address string) (net.Listener, error) {
	ln, err := e.Network.Listen(network, address)
	return exhaustedListener{ln, e.accepts}, err
}

type exhaustedListener struct {
	net.Listener
	accepts chan chan error
}

func (l exhaustedListener) Accept() (net.Conn, error) {
	answer := make(chan error)
	l.accepts <- answer
	if err := <-answer; err != nil {
		return nil, err
	}
	return l.Listener.Accept()
}

func TestAcceptDoesNotSpinWithoutHandles(t *testing.T) {
	accepts := make(chan chan error)
	s := newStage(t, Options{}, Listener{Network: exhausted{env.Real().Network, accepts}})
	for range 5 {
		a := <-accepts
		a <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		select {
		case <-accepts:
			t.Fatal("accepts again before the clock has moved")
		default:
		}
		again := make(chan chan error, 1)
		go func() { again <- <-accepts }()
		for a = nil; a == nil; {
			s.clock.Advance(time.Second) // the pause is at most this long
			select {
			case a = <-again:
			default:
			}
		}
		go func() { accepts <- a }()
	}
	(<-accepts) <- nil
	c := s.dial()
	c.send(heartbeat(1, 0))
	if got := c.correlation(); got != 1 {
		t.Errorf("answer %d", got)
	}
	go func() {
		for a := range accepts {
			a <- net.ErrClosed
		}
	}()
}
