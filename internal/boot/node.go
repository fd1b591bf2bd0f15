// Package boot is the composition root: it alone knows every part, reads the settings, and joins host, broker, admin
// port and apps into one node.
package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/config"
	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/metrics"
	"millrace/internal/node/admin"
	"millrace/internal/node/broker"
	"millrace/internal/node/env"
	"millrace/internal/node/host"
)

// Options say what a node is.
type Options struct {
	Env      env.Env
	Settings *config.Static
	Version  string
	Log      *slog.Logger
	Limits   broker.Limits
	// Authorizer is asked about every request to the broker and to the schema registry; nil allows everything.
	Authorizer auth.Authorizer
}

// Node is a running node.
type Node struct {
	// Constant after construction.
	o       Options
	metrics *metrics.Metrics
	pipe    *broker.Pipe

	// Set by Start in this order; what was reached is taken down by Stop.
	admin   *admin.Server
	schemas *schemas
	host    *host.Host
	broker  *broker.Broker
	client  *kgo.Client // of the apps, through the pipe

	// What HTTP requests look at while Start is under way.
	opened   atomic.Pointer[host.Host]
	recovery recovery
}

// Kafka's numbers for the state of a broker.
const (
	stateStarting   = 1
	stateRecovering = 2
	stateRunning    = 3
	stateStopping   = 6
)

// Start brings a node up: ports tried, directories recovered, listeners bound, the start registered, and only then
// clients served. A start that fails leaves nothing open.
func Start(o Options) (*Node, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{o: o, metrics: metrics.New(o.Version), pipe: &broker.Pipe{}}
	n.metrics.State.Set(stateStarting)
	n.metrics.LogDirs(n.logDirs)
	n.schemas = newSchemas(n)
	if err := n.startAdmin(); err != nil {
		return nil, err
	}
	if err := n.start(); err != nil {
		stop, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if after := n.Stop(stop); after != nil { // most often for the same reason
			o.Log.Info("taking down a start that failed", "err", after)
		}
		return nil, err
	}
	n.metrics.State.Set(stateRunning)
	n.recovery.Serving()
	return n, nil
}

func (n *Node) startAdmin() error {
	s := n.o.Settings
	o := admin.Options{Network: n.o.Env.Network, Metrics: n.metrics.Handler(), Log: n.o.Log, Healthy: n.healthy, Apps: n.apps,
		AllowedHosts: s.List("admin.allowed.hosts"), Ready: func() admin.Readiness { return n.recovery.At(n.o.Env.Clock.Now()) }}
	for _, a := range s.AdminListeners() {
		o.Listen = append(o.Listen, a.String())
	}
	n.admin = admin.New(o)
	return explainAdmin(n.admin.Start())
}

func (n *Node) start() error {
	s := n.o.Settings
	listeners, err := broker.ListenersOf(s, n.o.Env.Clock, n.o.Log)
	if err != nil {
		return err
	}
	if err := n.tryPorts(listeners); err != nil {
		return err
	}
	if err := n.schemas.bind(); err != nil {
		return err
	}
	n.metrics.State.Set(stateRecovering)
	if n.host, err = host.Open(n.hostOptions()); err != nil {
		n.host = nil
		return explain(err)
	}
	n.observeHost()
	n.broker = broker.New(broker.Options{Env: n.o.Env, Settings: s, Listeners: append(listeners, n.inProcess()), Log: n.o.Log,
		Metrics: n.metrics, Limits: n.o.Limits, Schemas: n.schemaCheck(), Protected: n.schemas.protects, Authorizer: n.o.Authorizer})
	if err := n.broker.Listen(); err != nil {
		return explainPort(err)
	}
	var rack *string
	if v := s.String("broker.rack"); v != "" {
		rack = &v
	}
	if err := n.host.Register(advertised(n.Endpoints()), rack); err != nil {
		return explain(err)
	}
	n.broker.Serve(broker.Over(n.host))
	if err := n.broker.Start(); err != nil {
		return err
	}
	n.metrics.Broker(n.broker.Usage)
	return n.startApps()
}

// tryPorts opens and closes every address, so that a port that is taken is told at once: before a recovery that may be
// long, and before an empty directory is formatted.
func (n *Node) tryPorts(listeners []broker.Listener) error {
	for _, l := range listeners {
		if _, port, err := net.SplitHostPort(l.Address); err != nil || port == "0" {
			continue
		}
		ln, err := n.o.Env.Network.Listen("tcp", l.Address)
		switch {
		case err == nil:
			ln.Close()
		case l.Optional && addressMissing(err):
		default:
			return explainPort(fmt.Errorf("listener %s cannot open %s: %w", l.Name, l.Address, err))
		}
	}
	return nil
}

// advertised are the endpoints that the metadata shall tell, one for each listener.
func advertised(all []broker.Endpoint) (out []meta.Endpoint) {
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.Name] {
			continue
		}
		seen[e.Name] = true
		protocol := config.Plaintext
		if e.TLS {
			protocol = config.SSL
		}
		out = append(out, meta.Endpoint{Name: e.Name, Host: e.Host, Port: uint16(e.Port), Protocol: int16(protocol)})
	}
	return out
}

func (n *Node) healthy() error {
	h := n.opened.Load()
	if h == nil {
		return nil
	}
	return h.Err() // it names the metadata directory; the node can do without any other
}

// apps tells what is wrong with each app.
func (n *Node) apps() map[string]error {
	if len(n.schemas.addresses) == 0 {
		return nil
	}
	return map[string]error{"schema registry": n.schemas.Healthy()}
}

// Endpoints are where clients reach the node.
func (n *Node) Endpoints() (all []broker.Endpoint) {
	for _, e := range n.broker.Endpoints() {
		if e.Name != inProcessName {
			all = append(all, e)
		}
	}
	return all
}

// RegistryURLs are where the schema registry is served.
func (n *Node) RegistryURLs() []string { return n.schemas.urls }

// AdminAddresses are where the admin port listens.
func (n *Node) AdminAddresses() []string { return n.admin.Addresses() }

// stopWithin is how long a stop may take; half of it is for the requests in flight.
const stopWithin = 20 * time.Second

// Stop ends the node: no new requests, those in flight answered for half of the time that ctx leaves, everything
// flushed, and the clean marker written last. A disk that does not answer keeps the node no longer than ctx: then the
// next start recovers, as after a crash.
func (n *Node) Stop(ctx context.Context) error {
	n.recovery.Stopping()
	n.metrics.State.Set(stateStopping)
	var first error
	requests, cancel := context.WithTimeout(ctx, n.half(ctx))
	defer cancel()
	n.schemas.stop(requests)
	if n.client != nil {
		n.client.Close()
	}
	if n.broker != nil {
		first = n.broker.Stop(requests)
	}
	if n.host != nil {
		first = errors.Join(first, within(ctx, n.host.Close))
	}
	n.admin.Stop(ctx)
	return first
}

func (n *Node) half(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return stopWithin
	}
	return deadline.Sub(n.o.Env.Clock.Now()) / 2
}

func within(ctx context.Context, closeAll func() error) error {
	closed := make(chan error, 1)
	go func() { closed <- closeAll() }()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return errors.New("the disk did not answer in time, so this was no clean stop: the next start recovers the logs")
	}
}

// Address is host:port of an endpoint.
func Address(e broker.Endpoint) string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }
