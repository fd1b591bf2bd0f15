package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"millrace/internal/apps/cli"
	"millrace/internal/apps/registry"
	"millrace/internal/metrics"
)

// runRegistry runs a schema registry beside a cluster until ctx ends.
func runRegistry(ctx context.Context, version string, o cli.RegistryOptions, out io.Writer) error {
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return explainRegistry(fmt.Errorf("the schema registry cannot listen on %s: %w", o.Listen, err))
	}
	defer l.Close()
	m, scrape := metrics.NewSchemas(version)
	r, err := registry.Open(ctx, registry.Options{Client: o.Client, Topic: o.Topic, Replicas: o.Replicas, Logger: logger(), Version: version,
		Level: o.Level, FixedModes: o.FixedModes, Timeout: o.Timeout, ParseTimeout: o.ParseTimeout, Body: o.Body, Metrics: counted(m)})
	if err != nil {
		return err
	}
	defer r.Close()
	m.Ask(func() metrics.SchemasState { return stateOf(r) })
	if err := r.Settled(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "millrace %s, schema registry\n  registry http://%s (also /health, /metrics)\n", version, l.Addr())
	return serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, h *http.Request) {
		if h.URL.Path == "/metrics" { // no path of the REST interface
			scrape.ServeHTTP(w, h)
			return
		}
		r.Handler().ServeHTTP(w, h)
	}))
}

// registryServer bounds what a connection may cost. A subject is part of the path, hence the room for headers. Nobody has to log in, so
// pages of other sites are kept from changing anything through the browser of somebody who can reach the port.
func registryServer(h http.Handler) *http.Server {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error_code":403,"message":"a page of another site may not change schemas"}`)
	}))
	return &http.Server{Handler: guard.Handler(h), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 64 << 10}
}

// serveHTTP serves until ctx ends, then lets requests under way end.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := registryServer(h)
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := s.Shutdown(within); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
