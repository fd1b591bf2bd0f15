package broker

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"millrace/internal/core/auth"
	"millrace/internal/metrics"
	"millrace/internal/node/env"
)

// Listener is one place where clients connect.
type Listener struct {
	// Name is Kafka's listener name. Answers that name brokers give the endpoints that they registered under it.
	Name string
	// Address is host:port; port 0 takes a free one. An empty host listens everywhere.
	Address string
	// AdvertisedHost and AdvertisedPort are what clients are told to connect to; empty and zero: as bound.
	AdvertisedHost string
	AdvertisedPort int32
	// AnswerAs names the listener whose endpoints are given in answers instead of this one's: the in-memory
	// listener of the process answers with inter-broker addresses.
	AnswerAs string
	// TLS, if set, is served: protocol SSL.
	TLS *tls.Config
	// Authenticator, if set, must accept a connection before it may do anything. Without one a connection speaks
	// for Principal.
	Authenticator auth.Authenticator
	// Principal of connections without authentication; the zero value is User:ANONYMOUS.
	Principal auth.Principal
	// Network replaces the host's: an in-memory listener.
	Network env.Network
	// Optional: Start goes on without it if the machine does not have the address.
	Optional bool
	// Unlimited: the limits on the number of connections do not hold here.
	Unlimited bool
}

type listener struct {
	Listener
	b  *Broker
	ln net.Listener

	metrics *metrics.Listener
	pausing atomic.Int32 // 1 while it waits for a permit
}

func (l *listener) principal() auth.Principal {
	if l.Principal == (auth.Principal{}) {
		return auth.Anonymous
	}
	return l.Principal
}

// answerAs is the name of the listener whose endpoints clients of this one are told.
func (l *listener) answerAs() string {
	if l.AnswerAs != "" {
		return l.AnswerAs
	}
	return l.Name
}

// advertise fills in what the settings left open, once bound.
func (l *listener) advertise() {
	host, port := "", int32(0)
	if tcp, ok := l.ln.Addr().(*net.TCPAddr); ok {
		host, port = tcp.IP.String(), int32(tcp.Port)
	}
	if l.AdvertisedHost == "" {
		l.AdvertisedHost = host
		if h, _, err := net.SplitHostPort(l.Address); err == nil && h != "" {
			l.AdvertisedHost = h
		}
	}
	if l.AdvertisedPort == 0 {
		l.AdvertisedPort = port
	}
}

// accept takes connections until the listener is closed. Out of handles it waits, longer each time, instead of
// spinning: the one waiting connection stays in the kernel's queue.
func (l *listener) accept() {
	pause := backoff{clock: l.b.clock, first: 5 * time.Millisecond, most: time.Second, stop: l.b.stopped}
	for {
		nc, err := l.ln.Accept()
		if err == nil {
			pause.reset()
			if !l.b.paced(l) {
				nc.Close()
				return
			}
			l.admit(nc)
			continue
		}
		if l.b.stopping.Load() || errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.b.log.Warn("out of file handles: new connections wait", "listener", l.Name)
		} else {
			l.b.log.Warn("accept failed", "listener", l.Name, "error", err)
		}
		if !pause.wait() {
			return
		}
	}
}

// admit serves the connection, or closes it if there are too many.
func (l *listener) admit(nc net.Conn) {
	if wait := l.failedBefore(nc); wait > 0 {
		l.metrics.Refused()
		nc.Close()
		return
	}
	l.b.size(nc)
	if l.TLS != nil {
		nc = tls.Server(nc, l.TLS)
	}
	c := newConn(l.b, l, nc)
	if reason := l.b.remember(c); reason != "" {
		l.metrics.Refused()
		l.b.log.Warn("connection refused", "listener", l.Name, "remote", c.host, "reason", reason)
		nc.Close()
		return
	}
	go c.serve()
}

// failedBefore is how long the other side has to stay away after handshakes that failed.
func (l *listener) failedBefore(nc net.Conn) time.Duration {
	if l.TLS == nil && l.Authenticator == nil || l.Unlimited {
		return 0
	}
	return l.b.failures.wait(hostOf(nc.RemoteAddr()), l.b.clock.Now())
}

// paceBurst is how many seconds' worth of connections may come at once after a rest, as Kafka's windows allow.
const paceBurst = 10

// paced waits until the rate of new connections allows another one; those behind it wait in the kernel's queue. It
// reports false if the broker stopped meanwhile.
func (b *Broker) paced(l *listener) bool {
	rate := float64(b.connLimits().rate)
	if l.Unlimited || rate < 0 {
		return true
	}
	if second := (&backoff{clock: b.clock, first: time.Second, most: time.Second, stop: b.stopped}); rate == 0 {
		return second.wait() && b.paced(l) // until somebody changes it
	}
	b.mu.Lock()
	wait := b.pace.Take(b.clock.Now(), rate, paceBurst*rate)
	b.mu.Unlock()
	if wait <= 0 {
		return true
	}
	pause := backoff{clock: b.clock, first: wait, most: wait, stop: b.stopped, begun: l.pausing.Add}
	defer l.pausing.Add(-1)
	return pause.wait()
}

// osSizes is Kafka's default for socket buffers, which stands in its stock file as well: here it means the same as -1,
// that the operating system sizes them as it goes, which no fixed size does better.
const osSizes = 102400

func socketBuffer(n int) int {
	if n <= 0 || n == osSizes {
		return 0
	}
	return n
}

func (b *Broker) size(nc net.Conn) {
	tcp, ok := nc.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	if !ok {
		return
	}
	if n := b.limits.receiveBuffer; n > 0 {
		tcp.SetReadBuffer(n) // a size the system does not like is the system's to choose
	}
	if n := b.limits.sendBuffer; n > 0 {
		tcp.SetWriteBuffer(n)
	}
}

// backoff waits longer after each failure in a row.
type backoff struct {
	clock       env.Clock
	first, most time.Duration
	stop        <-chan struct{}
	begun       func(int32) int32 // told once the timer runs
	next        time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// wait reports false if it was cut short.
func (b *backoff) wait() bool {
	b.next = min(max(b.next*2, b.first), b.most)
	over := make(chan struct{})
	var once sync.Once
	t := b.clock.AfterFunc(b.next, func() { once.Do(func() { close(over) }) })
	defer t.Stop()
	if b.begun != nil {
		b.begun(1)
	}
	select {
	case <-over:
		return true
	case <-b.stop:
		return false
	}
}
