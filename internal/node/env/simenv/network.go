package simenv

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"

	"millrace/internal/node/env"
)

// Network is an in-memory network of named hosts. Host gives the network as one host sees it; the Network itself is
// the view of the host "localhost". Addresses are "name:port"; empty, wildcard and loopback names mean the caller.
//
// Cut stops the bytes between two hosts without an error, as a dead link does: they wait, dials wait, until Heal.
// Reset breaks the connections between two hosts. Nothing here starts a goroutine, and all waiting is on condition
// variables and timers, so that it works in a testing/synctest bubble.
type Network struct {
	mu        sync.Mutex
	changed   *sync.Cond // links or listeners changed
	listeners map[string]*listener
	cut       map[[2]string]bool
	conns     map[*conn]bool
	port      int
}

// NewNetwork makes a network with every link up.
func NewNetwork() *Network {
	n := &Network{listeners: map[string]*listener{}, cut: map[[2]string]bool{}, conns: map[*conn]bool{}, port: 40000}
	n.changed = sync.NewCond(&n.mu)
	return n
}

var _ env.Network = (*Network)(nil)

// Host is the network as the named host sees it.
func (n *Network) Host(name string) env.Network { return host{n, name} }

type host struct {
	n    *Network
	name string
}

func (n *Network) Listen(network, address string) (net.Listener, error) {
	return n.Host("localhost").Listen(network, address)
}

func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return n.Host("localhost").Dial(ctx, network, address)
}

// Cut stops all bytes between two hosts, in both directions.
func (n *Network) Cut(a, b string) { n.setCut(a, b, true) }

// Heal lets the bytes between two hosts flow again.
func (n *Network) Heal(a, b string) { n.setCut(a, b, false) }

func (n *Network) setCut(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
	n.changed.Broadcast()
}

// Reset breaks every connection between two hosts: both ends get ECONNRESET.
func (n *Network) Reset(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if c.from == a && c.to == b || c.from == b && c.to == a {
			c.reset = true
		}
	}
	n.changed.Broadcast()
}

func (h host) resolve(address string) (hostName, port string, err error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", err
	}
	switch ip := net.ParseIP(name); {
	case name == "", name == "localhost", ip != nil && (ip.IsLoopback() || ip.IsUnspecified()):
		name = h.name
	}
	return name, port, nil
}

func (h host) Listen(network, address string) (net.Listener, error) {
	name, port, err := h.resolve(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if name != h.name {
		return nil, &net.OpError{Op: "listen", Net: network, Err: fmt.Errorf("%s is not an address of host %s", address, h.name)}
	}
	n := h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" {
		n.port++
		port = strconv.Itoa(n.port)
	}
	key := net.JoinHostPort(name, port)
	if n.listeners[key] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr(key), Err: syscall.EADDRINUSE}
	}
	shown, _, _ := net.SplitHostPort(address)
	if shown == "" {
		shown = name
	}
	l := &listener{n: n, key: key, host: name, addr: addr(net.JoinHostPort(shown, port))}
	n.listeners[key] = l
	n.changed.Broadcast()
	return l, nil
}

// Dial connects to a listener. Over a cut link it waits until the link is healed or ctx is done.
func (h host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr(address), Err: err}
	}
	name, port, err := h.resolve(address)
	if err != nil {
		return fail(err)
	}
	n := h.n
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changed.Broadcast()
	})
	defer stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for ctx.Err() == nil && n.cut[[2]string{h.name, name}] {
		n.changed.Wait()
	}
	if ctx.Err() != nil {
		return fail(ctx.Err())
	}
	l := n.listeners[net.JoinHostPort(name, port)]
	if l == nil || len(l.backlog) >= 1024 {
		return fail(syscall.ECONNREFUSED)
	}
	n.port++
	local := addr(net.JoinHostPort(h.name, strconv.Itoa(n.port)))
	near, far := n.pair(h.name, name, local, addr(address))
	l.backlog = append(l.backlog, far)
	n.changed.Broadcast()
	return near, nil
}

type listener struct {
	n       *Network
	key     string
	host    string
	addr    addr
	backlog []*conn
	closed  bool
}

func (l *listener) Accept() (net.Conn, error) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for !l.closed && len(l.backlog) == 0 {
		l.n.changed.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	c := l.backlog[0]
	l.backlog = l.backlog[1:]
	return c, nil
}

func (l *listener) Close() error {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	delete(l.n.listeners, l.key)
	for _, c := range l.backlog {
		c.reset = true
		c.peer.reset = true
	}
	l.n.changed.Broadcast()
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
