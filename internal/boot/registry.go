package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/registry"
	"millrace/internal/config"
	"millrace/internal/metrics"
	"millrace/internal/node/env"
)

// schemas is the schema registry inside a node: HTTP ports that are bound when the node starts, and the registry behind them, which is
// opened once the broker serves and opened again when it loses its topic. Kafka is served whatever becomes of it.
//
//	bind    the ports are bound; requests wait
//	open    the broker serves: the registry is opened, on the side
//	stop    requests under way end, then the registry does; the broker is stopped after it
type schemas struct {
	// Constant after construction.
	env       env.Env
	options   registry.Options
	addresses []config.Address

	// Set by bind.
	http    *http.Server
	bound   []net.Listener
	urls    []string
	serving sync.WaitGroup

	// Set by open.
	cancel  context.CancelFunc
	keeping sync.WaitGroup

	mu      sync.Mutex
	now     *registry.Registry // guarded by mu; nil while it is not open
	why     error              // guarded by mu; why it is not open, nil while that is tried for the first time
	changed chan struct{}      // guarded by mu; closed when now or why changes
	sets    int64              // guarded by mu; how often they have changed
}

func newSchemas(n *Node) *schemas {
	s := n.o.Settings
	a := &schemas{env: n.o.Env, addresses: s.RegistryListeners(), changed: make(chan struct{})}
	a.options = registry.Options{Topic: s.String("schema.registry.topic"), Logger: n.o.Log, Version: n.o.Version,
		Level:      strings.ToUpper(s.String("schema.compatibility.level")),
		FixedModes: !s.Bool("schema.registry.mode.mutability"), Body: s.Int64("schema.registry.request.max.bytes"),
		Timeout: s.Duration("schema.registry.request.timeout.ms"), ParseTimeout: s.Duration("schema.registry.parse.timeout.ms"), Now: n.o.Env.Clock.Now}
	if n.o.Authorizer != nil {
		a.options.Authorizer = subjects{n.o.Authorizer}
	}
	if len(a.addresses) > 0 {
		m := n.metrics.Schemas()
		a.options.Metrics = counted(m)
		m.Ask(func() metrics.SchemasState { now, _, _ := a.look(); return stateOf(now) })
	}
	return a
}

// bind binds every address, or none, and takes requests, which wait for open.
func (a *schemas) bind() error {
	a.http = registryServer(a)
	for _, address := range a.addresses {
		if err := a.bindAll(address); err != nil {
			a.closePorts()
			return explainRegistry(err)
		}
	}
	for _, l := range a.bound {
		a.serving.Go(func() {
			if err := a.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				a.options.Logger.Error("the schema registry's port stopped", "address", l.Addr().String(), "error", err)
			}
		})
	}
	return nil
}

// bindAll binds one entry of the settings: localhost is two addresses with one port, of which the machine may lack the second.
func (a *schemas) bindAll(address config.Address) error {
	for i, at := range address.Bind() {
		if at.Port == 0 {
			at.Port = address.Port // what the first one got
		}
		l, err := a.env.Network.Listen("tcp", at.String())
		if err != nil && i > 0 && addressMissing(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("the schema registry cannot listen on %s: %w", at, err)
		}
		a.bound = append(a.bound, l)
		if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
			address.Port, _ = strconv.Atoi(port)
		}
		if address.Host == "" {
			address.Host, _, _ = net.SplitHostPort(l.Addr().String())
		}
	}
	a.urls = append(a.urls, "http://"+address.String())
	return nil
}

// closePorts takes back what bind has done without serving it.
func (a *schemas) closePorts() {
	for _, l := range a.bound {
		l.Close()
	}
	a.bound, a.urls = nil, nil
}

// open opens the registry on the side, with a client that the options reach the cluster with.
func (a *schemas) open(client []kgo.Opt) {
	if len(a.bound) == 0 {
		return
	}
	a.options.Client = client
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.keeping.Go(func() { a.keep(ctx) })
}

// How long it waits before it tries again to open the registry: twice as long each time.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// keep keeps the registry open until ctx ends.
func (a *schemas) keep(ctx context.Context) {
	pause := firstRetry
	said := ""
	for ctx.Err() == nil {
		r, err := registry.Open(ctx, a.options)
		if err == nil {
			pause, said = firstRetry, ""
			a.set(r, nil)
			select {
			case <-r.Lost():
			case <-ctx.Done():
			}
			err = r.Healthy()
			a.set(nil, err)
			r.Close()
		} else if ctx.Err() == nil {
			a.set(nil, err)
			if text := err.Error(); text != said {
				a.options.Logger.Error("the schema registry is not open; Kafka is served all the same", "error", err)
				said = text
			}
		}
		a.pause(ctx, pause)
		pause = min(2*pause, lastRetry)
	}
}

func (a *schemas) pause(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	t := a.env.Clock.AfterFunc(d, func() { close(over) })
	defer t.Stop()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

func (a *schemas) set(r *registry.Registry, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now, a.why = r, why
	a.sets++
	close(a.changed)
	a.changed = make(chan struct{})
}

// ServeHTTP gives a request to the registry. While it is opened for the first time the request waits.
func (a *schemas) ServeHTTP(w http.ResponseWriter, h *http.Request) {
	began := a.env.Clock.Now()
	r, err := a.opened(h.Context())
	if err != nil {
		status := registry.Refuse(w, h, err)
		a.options.Metrics.Request(h.Method, notOpen, status, a.env.Clock.Now().Sub(began))
		return
	}
	r.Handler().ServeHTTP(w, h)
}

// notOpen is the route of requests that a registry which is not open could not answer.
const notOpen = "(not open)"

// opened is the registry, once it is open or known not to be.
func (a *schemas) opened(ctx context.Context) (*registry.Registry, error) {
	now, why, changed := a.look()
	if now != nil || why != nil {
		return now, why
	}
	ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	for ; ; now, why, changed = a.look() {
		if now != nil || why != nil {
			return now, why
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errors.New("the schema registry is still being opened; try again")
		}
	}
}

func (a *schemas) look() (now *registry.Registry, why error, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now, a.why, a.changed
}

// Healthy is nil while the registry works or is opened for the first time.
func (a *schemas) Healthy() error {
	now, why, _ := a.look()
	if now != nil {
		return now.Healthy()
	}
	return why
}

// protects says why the registry's topic may not be destroyed: the registry lives on it. While it could not be opened, somebody may have
// to, to make the topic right.
func (a *schemas) protects(topic string) string {
	if len(a.bound) == 0 || topic != a.options.Topic {
		return ""
	}
	if now, why, _ := a.look(); now == nil && why != nil {
		return ""
	}
	return "the topic " + topic + " holds the schemas of the schema registry that runs in this node (schema.registry.listeners)"
}

// stop lets requests under way end until ctx does, and closes the registry.
func (a *schemas) stop(ctx context.Context) {
	if a.http == nil {
		return
	}
	if now, why, _ := a.look(); now == nil && why == nil {
		a.set(nil, errors.New("the schema registry stops"))
	}
	if a.http.Shutdown(ctx) != nil {
		a.http.Close()
	}
	a.serving.Wait()
	if a.cancel != nil {
		a.cancel()
	}
	a.keeping.Wait()
}
