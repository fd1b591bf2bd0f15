package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type network struct{}

func (network) Listen(n, a string) (net.Listener, error) { return net.Listen(n, a) }
func (network) Dial(ctx context.Context, n, a string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, n, a)
}

func get(s *Server, method, host, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	return w
}

// TestAnswers: what is served, and in which words.
func TestAnswers(t *testing.T) {
	var recovery Recovery
	var sick error
	start := time.Unix(1000, 0)
	now := start
	s := New(Options{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "m 1\n") }),
		Ready:   func() Readiness { return recovery.At(now) },
		Healthy: func() error { return sick },
	})
	want := func(path string, code int, body string) {
		t.Helper()
		if w := get(s, "GET", "127.0.0.1:9644", path); w.Code != code || strings.TrimSpace(w.Body.String()) != body {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	want("/metrics", 200, "m 1")
	want("/healthz", 200, `{"healthy":true}`)
	want("/readyz", 503, `{"ready":false,"state":"starting","logs_recovered":0,"logs_total":0,"seconds_left":null}`)
	recovery.Progress(start, 0, 40)
	want("/readyz", 503, `{"ready":false,"state":"recovering","logs_recovered":0,"logs_total":40,"seconds_left":null}`)
	now = start.Add(2 * time.Second)
	recovery.Progress(now, 10, 40)
	want("/readyz", 503, `{"ready":false,"state":"recovering","logs_recovered":10,"logs_total":40,"seconds_left":6}`)
	recovery.Serving()
	want("/readyz", 200, `{"ready":true,"state":"ready","logs_recovered":10,"logs_total":40,"seconds_left":0}`)
	recovery.Stopping()
	want("/readyz", 503, `{"ready":false,"state":"stopping","logs_recovered":10,"logs_total":40,"seconds_left":null}`)
	sick = errors.New("no data directory is left")
	want("/healthz", 503, `{"healthy":false,"reason":"no data directory is left"}`)
}

func TestProfiles(t *testing.T) {
	s := New(Options{})
	for path, code := range map[string]int{"/": 200, "/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/heap": 200,
		"/debug/pprof/cmdline": 404, "/metrics": 404, "/nothing": 404} {
		if w := get(s, "GET", "localhost", path); w.Code != code {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := get(s, "POST", "localhost", "/healthz"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestNames: a page that points its own name at this machine is turned away.
func TestNames(t *testing.T) {
	s := New(Options{AllowedHosts: []string{"Metrics.Example"}})
	for host, code := range map[string]int{"localhost:9644": 200, "LOCALHOST": 200, "127.0.0.1:9644": 200, "[::1]:9644": 200, "[::1]": 200,
		"10.0.0.7:9644": 200, "metrics.example:9644": 200, "metrics.example.": 200,
		"evil.example": 403, "localhost.evil.example:9644": 403, "127.0.0.1.evil.example": 403, "": 403} {
		if w := get(s, "GET", host, "/healthz"); w.Code != code {
			t.Errorf("%q: %d", host, w.Code)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	s := New(Options{Network: network{}, Listen: []string{"127.0.0.1:0"}})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.Addresses()[0] + "/healthz")
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	taken := New(Options{Network: network{}, Listen: []string{"127.0.0.1:0", s.Addresses()[0]}})
	if err := taken.Start(); err == nil || !strings.Contains(err.Error(), "admin.listeners") || len(taken.Addresses()) != 0 {
		t.Errorf("a port that is taken: %v", err)
	}
	s.Stop(context.Background())
	if _, err := client.Get("http://" + s.Addresses()[0] + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}

// TestConnectionsAreBounded: one more than there are places is closed, and a place that is left can be taken.
func TestConnectionsAreBounded(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := bounded(raw, 1)
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := dial()
	defer first.Close()
	inside := <-accepted
	second := dial()
	defer second.Close()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("a connection too many was kept")
	}
	inside.Close()
	inside.Close()
	third := dial()
	defer third.Close()
	(<-accepted).Close()
	raw.Close()
	<-accepted
}
