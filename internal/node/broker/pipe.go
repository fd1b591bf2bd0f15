package broker

import (
	"context"
	"net"
	"sync"
)

// Pipe is the network inside the process: apps dial the broker of their own node through it, without a socket. It is
// the Network of a Listener.
type Pipe struct {
	mu       sync.Mutex
	backlog  chan net.Conn
	shutdown chan struct{}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "in-process" }

// Listen opens the pipe; there is one listener.
func (p *Pipe) Listen(_, _ string) (net.Listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backlog, p.shutdown = make(chan net.Conn), make(chan struct{})
	return &pipeListener{backlog: p.backlog, shutdown: p.shutdown}, nil
}

// Dial connects to the listener, whatever the address.
func (p *Pipe) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	backlog, shutdown := p.backlog, p.shutdown
	p.mu.Unlock()
	if backlog == nil {
		return nil, net.ErrClosed
	}
	near, far := net.Pipe()
	select {
	case backlog <- far:
		return near, nil
	case <-shutdown:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeListener struct {
	backlog  chan net.Conn
	shutdown chan struct{}
	once     sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.shutdown:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.shutdown) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }
