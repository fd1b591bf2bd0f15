package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// httpConn is one kept connection to a schema registry, with one request in flight. It is written by hand: Go's client would take
// more of its core than the registry takes of its own.
type httpConn struct {
	conn net.Conn
	buf  []byte
}

func dialHTTP(addr string) (*httpConn, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &httpConn{conn: conn, buf: make([]byte, 64<<10)}, nil
}

func (h *httpConn) close() {
	if h != nil {
		h.conn.Close()
	}
}

var (
	headEnd = []byte("\r\n\r\n")
	success = []byte("HTTP/1.1 200 ")
	length  = []byte("\r\nContent-Length: ")
)

// ask sends a request and returns the body of its answer, which has to be 200. The body is good until the next one.
func (h *httpConn) ask(request []byte) (body []byte, err error) {
	if _, err := h.conn.Write(request); err != nil {
		return nil, err
	}
	got, end := 0, -1
	for end < 0 {
		n, err := h.conn.Read(h.buf[got:])
		if err != nil {
			return nil, err
		}
		got += n
		end = bytes.Index(h.buf[:got], headEnd)
	}
	head := h.buf[:end]
	at := bytes.Index(head, length)
	if at < 0 {
		return nil, fmt.Errorf("an answer without a length: %s", h.buf[:got])
	}
	digits, _, _ := bytes.Cut(head[at+len(length):], []byte("\r"))
	size, err := strconv.Atoi(string(digits))
	if err != nil {
		return nil, err
	}
	whole := end + len(headEnd) + size
	if whole > len(h.buf) {
		return nil, fmt.Errorf("an answer of %d bytes", whole)
	}
	if _, err := io.ReadFull(h.conn, h.buf[got:max(got, whole)]); err != nil {
		return nil, err
	}
	if body = h.buf[end+len(headEnd) : whole]; !bytes.HasPrefix(head, success) {
		return nil, fmt.Errorf("%s: %s", head[:min(len(head), 40)], body)
	}
	return body, nil
}

// What confluent-kafka for Python sends with every request.
const clientHeaders = "Host: 127.0.0.1\r\nAccept: application/vnd.schemaregistry.v1+json,application/vnd.schemaregistry+json,application/json\r\n" +
	"Confluent-Client-Version: python/2.12.0\r\nUser-Agent: python-httpx/0.28.1\r\nAccept-Encoding: identity\r\n"

func getRequest(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\n" + clientHeaders + "\r\n")
}

func postRequest(path string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\n%sContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: %d\r\n\r\n%s", path, clientHeaders, len(body), body)
}

// crowd is as many connections as serializers that start at once.
const crowd = 16

func dialCrowd(addr string) (conns []*httpConn, err error) {
	for range crowd {
		h, err := dialHTTP(addr)
		if err != nil {
			return conns, err
		}
		conns = append(conns, h)
	}
	return conns, nil
}

// askAll asks on all connections, each as soon as it was answered, and returns how long each request took.
func askAll(conns []*httpConn, requests [][]byte, d time.Duration) ([]time.Duration, error) {
	var wait sync.WaitGroup
	errs, delays := make([]error, len(conns)), make([][]time.Duration, len(conns))
	end := time.Now().Add(d)
	for i, h := range conns {
		wait.Go(func() {
			h.conn.SetDeadline(end.Add(30 * time.Second))
			last := time.Now()
			for k := i; last.Before(end) && errs[i] == nil; k += len(conns) {
				_, errs[i] = h.ask(requests[k%len(requests)])
				now := time.Now()
				delays[i] = append(delays[i], now.Sub(last))
				last = now
			}
		})
	}
	wait.Wait()
	var all []time.Duration
	for _, d := range delays {
		all = append(all, d...)
	}
	return all, errors.Join(errs...)
}

// askAtRate sends n requests at a rate, each on the connection that is free first, and returns how long each took from the moment it
// was due: one that waits for others counts its waiting.
func askAtRate(ctx context.Context, conns []*httpConn, requests [][]byte, rate, n int) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	type turn struct {
		request []byte
		due     time.Time
	}
	turns := make(chan turn, n)
	var wait sync.WaitGroup
	errs, delays := make([]error, len(conns)), make([][]time.Duration, len(conns))
	for i, h := range conns {
		wait.Go(func() {
			h.conn.SetDeadline(time.Now().Add(measureLimit))
			for t := range turns {
				if _, err := h.ask(t.request); err != nil {
					errs[i] = err
					cancel()
					return
				}
				delays[i] = append(delays[i], time.Since(t.due))
			}
		})
	}
	begin := time.Now()
	for i := 0; i < n && ctx.Err() == nil; {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			// As in pacedSend: Go's own timers wake up on whole milliseconds.
			unix.Nanosleep(&unix.Timespec{Nsec: int64(min(max(wait, 100*time.Microsecond), time.Millisecond))}, nil)
			continue
		}
		turns <- turn{requests[i%len(requests)], due}
		i++
	}
	close(turns)
	wait.Wait()
	var all []time.Duration
	for _, d := range delays {
		all = append(all, d...)
	}
	return all, errors.Join(append(errs, ctx.Err())...)
}
