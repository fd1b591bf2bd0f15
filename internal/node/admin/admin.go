// Package admin is a node's HTTP port for what the Kafka protocol cannot say: metrics, health, readiness and profiles.
// It only reads. It listens on loopback unless the settings say otherwise, answers only to names it knows, so that a
// web page cannot reach it by pointing a name of its own at this machine, and bounds time and connections.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"sync"
	"time"

	"millrace/internal/node/env"
)

// Options say what an admin port serves and where.
type Options struct {
	// Network opens the port. Required.
	Network env.Network
	// Listen holds host:port addresses; empty serves nowhere.
	Listen []string
	// AllowedHosts are names it answers to besides localhost and addresses.
	AllowedHosts []string
	// Metrics serves /metrics; nil answers 404.
	Metrics http.Handler
	// Ready tells how far the start is. Nil means ready.
	Ready func() Readiness
	// Healthy returns what is wrong beyond repair, such as no data directory left. Nil means healthy.
	Healthy func() error
	// Apps tells of each app in the node what is wrong with it, nil if nothing is. It is shown beside the node's own health and does not
	// change it: Kafka is served without them, and a restart of the node would mend nothing.
	Apps func() map[string]error
	// Log takes what an operator should see; nil is silent.
	Log *slog.Logger
}

// Readiness answers /readyz.
type Readiness struct {
	Ready bool `json:"ready"`
	// State is starting, recovering, ready or stopping.
	State         string `json:"state"`
	LogsRecovered int    `json:"logs_recovered"`
	LogsTotal     int    `json:"logs_total"`
	// SecondsLeft estimates the rest of the recovery; null while nothing is known.
	SecondsLeft *float64 `json:"seconds_left"`
}

const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	answerTimeout  = 30 * time.Second
	idleTimeout    = 60 * time.Second
	profileTimeout = 2 * time.Minute
	maxConnections = 64
	maxHeader      = 16 << 10
)

// Server is a running admin port.
type Server struct {
	o    Options
	http *http.Server

	listeners []net.Listener // set by Start
	serving   sync.WaitGroup
}

// New makes an admin port that does not listen yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o}
	s.http = &http.Server{
		Handler: s.guard(s.routes()), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Start opens every address, or none.
func (s *Server) Start() error {
	for _, address := range s.o.Listen {
		l, err := s.o.Network.Listen("tcp", address)
		if err != nil {
			s.closeAll()
			return fmt.Errorf("the admin port cannot listen on %s (admin.listeners): %w", address, err)
		}
		s.listeners = append(s.listeners, bounded(l, maxConnections))
	}
	for _, l := range s.listeners {
		s.serving.Go(func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				s.o.Log.Error("the admin port stopped", "address", l.Addr().String(), "error", err)
			}
		})
	}
	return nil
}

// Addresses is where it listens; a port that was 0 has its number.
func (s *Server) Addresses() []string {
	var out []string
	for _, l := range s.listeners {
		out = append(out, l.Addr().String())
	}
	return out
}

// Stop waits for answers that are under way until ctx ends, then cuts them off.
func (s *Server) Stop(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.serving.Wait()
}

func (s *Server) closeAll() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	if s.o.Metrics != nil {
		mux.Handle("GET /metrics", s.o.Metrics)
	}
	// Not /debug/pprof/cmdline: a command line may hold a password.
	mux.HandleFunc("GET /debug/pprof/{$}", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		mux.Handle("GET /debug/pprof/"+name, pprof.Handler(name))
	}
	return mux
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, "Millrace admin port\n\n/metrics       for Prometheus\n/healthz       is this process well\n/readyz        does it serve, and how far is it\n/debug/pprof/  profiles\n")
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	type answer struct {
		Healthy bool              `json:"healthy"`
		Reason  string            `json:"reason,omitempty"`
		Apps    map[string]string `json:"apps,omitempty"` // ok, or what is wrong
	}
	apps := s.apps()
	if s.o.Healthy != nil {
		if err := s.o.Healthy(); err != nil {
			writeJSON(w, http.StatusServiceUnavailable, answer{Reason: err.Error(), Apps: apps})
			return
		}
	}
	writeJSON(w, http.StatusOK, answer{Healthy: true, Apps: apps})
}

func (s *Server) apps() map[string]string {
	if s.o.Apps == nil {
		return nil
	}
	all := map[string]string{}
	for name, err := range s.o.Apps() {
		all[name] = "ok"
		if err != nil {
			all[name] = err.Error()
		}
	}
	return all
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	r := Readiness{Ready: true, State: "ready"}
	if s.o.Ready != nil {
		r = s.o.Ready()
	}
	code := http.StatusOK
	if !r.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, r)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v) // the caller may have gone; there is nobody to tell
}

// guard lets in only names it knows, bounds the time of an answer, and tells browsers to keep out.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if !s.allowed(r.Host) {
			http.Error(w, "the admin port does not answer to this name: use an address or localhost, or add the name to admin.allowed.hosts", http.StatusForbidden)
			return
		}
		limit := answerTimeout
		if strings.HasPrefix(r.URL.Path, "/debug/pprof/") {
			limit = profileTimeout
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit)) // not supported only by test recorders
		next.ServeHTTP(w, r)
	})
}

// allowed: an address cannot be rebound to another machine by whoever owns a name, so every address is let in.
func (s *Server) allowed(hostPort string) bool {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" {
		return true
	}
	for _, name := range s.o.AllowedHosts {
		if host == strings.ToLower(name) {
			return true
		}
	}
	return false
}
