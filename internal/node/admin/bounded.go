package admin

import (
	"net"
	"sync"
)

// bounded closes connections beyond max at once, so that a scraper gone wrong cannot take every file handle.
func bounded(l net.Listener, max int) net.Listener {
	return &boundedListener{Listener: l, places: make(chan struct{}, max)}
}

type boundedListener struct {
	net.Listener
	places chan struct{}
}

func (b *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case b.places <- struct{}{}:
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { <-b.places })}, nil
		default:
			c.Close()
		}
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
