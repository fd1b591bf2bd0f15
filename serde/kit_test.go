package serde_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/apps/registry"
	"millrace/serde"

	"github.com/twmb/franz-go/pkg/sr"
)

// A server is a real registry over a log in memory. It counts its requests and can be made to break off.
type server struct {
	*sr.Client
	requests atomic.Int64
	broken   atomic.Bool
	hold     atomic.Pointer[chan struct{}] // requests wait until it is closed
}

func newServer(t testing.TB) *server {
	t.Helper()
	at := func(time.Duration) <-chan time.Time {
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}
	r, err := registry.OpenLog(context.Background(), registry.NewMemory(), registry.Options{After: at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	s := &server{}
	h := r.Handler()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		s.requests.Add(1)
		if hold := s.hold.Load(); hold != nil {
			<-*hold
		}
		if s.broken.Load() {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, q)
	}))
	t.Cleanup(web.Close)
	if s.Client, err = sr.NewClient(sr.URLs(web.URL)); err != nil {
		t.Fatal(err)
	}
	return s
}

// add registers a schema and gives its id.
func (s *server) add(t testing.TB, subject string, schema sr.Schema) int {
	t.Helper()
	id, err := s.RegisterSchema(t.Context(), subject, schema, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ok[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func parse(t testing.TB, s sr.Schema) *serde.Schema {
	t.Helper()
	client, err := sr.NewClient(sr.URLs("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	return ok[*serde.Schema](t)(serde.New(client).Parse(t.Context(), s))
}
