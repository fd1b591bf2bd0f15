package target

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is one connection on which requests of any version are sent as they are and answered in order.
type Conn struct {
	net.Conn
	next int32
}

// Dial opens a connection.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c}, nil
}

// Frame is a request with its size and header, as it goes over the wire.
func (c *Conn) Frame(req kmsg.Request, version int16) []byte {
	req.SetVersion(version)
	c.next++
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("millrace-test")).AppendRequest(nil, req, c.next)
}

// ReadFrame reads one answer without its size.
func (c *Conn) ReadFrame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > 100<<20 {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(c, body)
	return body, err
}

// Ask sends a request at a version and returns its answer.
func (c *Conn) Ask(req kmsg.Request, version int16) (kmsg.Response, error) {
	frame := c.Frame(req, version)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write(frame); err != nil {
		return nil, err
	}
	body, err := c.ReadFrame()
	if err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != c.next {
		return nil, fmt.Errorf("answer %d to request %d", got, c.next)
	}
	body = body[4:]
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if resp.IsFlexible() && req.Key() != int16(kmsg.ApiVersions) {
		if len(body) == 0 || body[0] != 0 {
			return nil, fmt.Errorf("a flexible answer begins with an empty tag section, this one with % x", body[:min(4, len(body))])
		}
		body = body[1:]
	}
	return resp, resp.ReadFrom(body)
}
