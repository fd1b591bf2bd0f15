package simenv

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// connect gives both ends of a connection from host a to host b.
func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Host("b").Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	near, err = n.Host("a").Dial(context.Background(), "tcp", "b:"+port)
	must(t, err)
	far, err = l.Accept()
	must(t, err)
	return near, far
}

func TestConnCarriesBytesAndEnds(t *testing.T) {
	near, far := connect(t, NewNetwork())
	go func() {
		io.WriteString(near, strings.Repeat("x", 3*sendBuffer))
		near.Close()
	}()
	got, err := io.ReadAll(far)
	if len(got) != 3*sendBuffer || err != nil {
		t.Fatal(len(got), err)
	}
	if _, err := far.Write([]byte("y")); !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	if _, err := near.Read(nil); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}

func TestDeadlinesInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t, NewNetwork())
		start := time.Now()
		far.SetReadDeadline(start.Add(time.Minute))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Fatal(err, time.Since(start))
		}
		far.SetReadDeadline(time.Time{})
		near.Write([]byte("z"))
		if k, err := far.Read(make([]byte, 5)); k != 1 || err != nil {
			t.Fatal(k, err)
		}
		near.SetWriteDeadline(time.Now().Add(time.Second))
		k, err := near.Write(make([]byte, 2*sendBuffer))
		var timeout net.Error
		if k != sendBuffer || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatal(k, err)
		}
	})
}

func TestCutAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		near, far := connect(t, n)
		n.Cut("a", "b")
		near.Write([]byte("held"))
		got := make(chan string, 1)
		go func() {
			p := make([]byte, 10)
			k, _ := far.Read(p)
			got <- string(p[:k])
		}()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := n.Host("a").Dial(ctx, "tcp", "b:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		select {
		case s := <-got:
			t.Fatalf("%q crossed a cut link", s)
		default:
		}
		n.Heal("b", "a")
		if s := <-got; s != "held" {
			t.Fatal(s)
		}
		if _, err := n.Host("a").Dial(context.Background(), "tcp", "b:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		n.Reset("a", "b")
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
	})
}

func TestListenerAddresses(t *testing.T) {
	n := NewNetwork()
	l, err := n.Listen("tcp", "127.0.0.1:9092")
	must(t, err)
	if _, err := n.Listen("tcp", "localhost:9092"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	if _, err := n.Host("other").Listen("tcp", ":9092"); err != nil {
		t.Fatal("another host has its own ports:", err)
	}
	must(t, l.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}

func TestClockRunsTimersInOrder(t *testing.T) {
	c := NewClock(time.Time{})
	start := c.Now()
	var got []string
	note := func(s string) func() { return func() { got = append(got, s+" "+c.Now().Sub(start).String()) } }
	c.AfterFunc(3*time.Second, note("c"))
	c.AfterFunc(time.Second, func() { note("a")(); c.AfterFunc(time.Second, note("b")) })
	stopped := c.AfterFunc(time.Second, note("never"))
	if !stopped.Stop() || stopped.Stop() {
		t.Fatal("Stop")
	}
	moved := c.AfterFunc(time.Hour, note("moved"))
	moved.Reset(3 * time.Second)
	c.Advance(10 * time.Second)
	if s := strings.Join(got, ", "); s != "a 1s, b 2s, c 3s, moved 3s" {
		t.Fatal(s)
	}
	if c.Now().Sub(start) != 10*time.Second {
		t.Fatal(c.Now())
	}
}

func TestRandomRepeats(t *testing.T) {
	a, b := NewRandom(5), NewRandom(5)
	for range 10 {
		if a.Uint64() != b.Uint64() {
			t.Fatal("not the same")
		}
	}
}
