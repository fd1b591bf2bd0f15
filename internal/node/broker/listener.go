package broker

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
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

// backoff waits longer after each failure in a row.
type backoff struct {
	clock       env.Clock
	first, most time.Duration
	stop        <-chan struct{}
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
	select {
	case <-over:
		return true
	case <-b.stop:
		return false
	}
}
