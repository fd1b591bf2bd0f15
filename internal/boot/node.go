// Package boot is the composition root: it alone knows every part, reads the settings, and joins host, broker and
// admin port into one node.
package boot

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"millrace/internal/config"
	"millrace/internal/core/group"
	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/metrics"
	"millrace/internal/node/admin"
	"millrace/internal/node/broker"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/host"
)

// offsetsTopic holds the group machines.
const offsetsTopic = "__consumer_offsets"

// Options say what a node is.
type Options struct {
	Env      env.Env
	Settings *config.Static
	Version  string
	Log      *slog.Logger
	Limits   broker.Limits
}

// Node is a running node.
type Node struct {
	o        Options
	host     *host.Host
	broker   *broker.Broker
	admin    *admin.Server
	recovery admin.Recovery
}

// Start brings a node up: directories recovered, listeners bound, the start registered, and only then clients served.
func Start(o Options) (*Node, error) {
	n := &Node{o: o}
	m := metrics.New(o.Version)
	if err := n.startAdmin(m); err != nil {
		return nil, err
	}
	if err := n.start(m); err != nil {
		n.Stop(context.Background())
		return nil, err
	}
	n.recovery.Serving()
	return n, nil
}

func (n *Node) startAdmin(m *metrics.Metrics) error {
	o := admin.Options{Network: n.o.Env.Network, Metrics: m.Handler(), Log: n.o.Log, Healthy: n.healthy,
		Ready: func() admin.Readiness { return n.recovery.At(n.o.Env.Clock.Now()) }}
	for _, a := range n.o.Settings.AdminListeners() {
		o.Listen = append(o.Listen, a.String())
	}
	n.admin = admin.New(o)
	return n.admin.Start()
}

func (n *Node) start(m *metrics.Metrics) error {
	s := n.o.Settings
	h, err := host.Open(n.hostOptions())
	if err != nil {
		return err
	}
	n.host = h
	listeners, err := broker.ListenersOf(s)
	if err != nil {
		return err
	}
	name, _ := os.Hostname()
	for i, l := range listeners {
		if l.AdvertisedHost == "" {
			if bound, _, err := net.SplitHostPort(l.Address); err == nil && bound == "" {
				listeners[i].AdvertisedHost = name
			}
		}
	}
	n.broker = broker.New(broker.Options{Env: n.o.Env, Settings: s, Listeners: listeners, Log: n.o.Log, Metrics: m, Limits: n.o.Limits})
	if err := n.broker.Listen(); err != nil {
		return err
	}
	var rack *string
	if v := s.String("broker.rack"); v != "" {
		rack = &v
	}
	if err := h.Register(endpoints(n.broker.Endpoints()), rack); err != nil {
		return err
	}
	n.broker.Serve(broker.Over(h))
	return n.broker.Start()
}

func endpoints(all []broker.Endpoint) (out []meta.Endpoint) {
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.Name] {
			continue
		}
		seen[e.Name] = true
		protocol := int16(0)
		if e.TLS {
			protocol = 1
		}
		out = append(out, meta.Endpoint{Name: e.Name, Host: e.Host, Port: uint16(e.Port), Protocol: protocol})
	}
	return out
}

func (n *Node) hostOptions() host.Options {
	s := n.o.Settings
	table := meta.Table{Static: s}
	groups := group.SettingsOf(s.Values)
	random := n.o.Env.Random
	newMemberID := func() string { return wire.NewUUID(random.Uint64(), random.Uint64()).String() }
	return host.Options{Env: n.o.Env, NodeID: s.NodeID(), Dirs: s.LogDirs(), Log: n.o.Log,
		Controller: table.Options(meta.Options{Partitions: int32(s.Int("num.partitions")), ReplicationFactor: int16(s.Int("default.replication.factor")),
			TopicDeletionDisabled: !s.Bool("delete.topic.enable")}),
		LogConfig: func(image *meta.Image, topic string) commitlog.Config { return LogConfig(s, image, topic) },
		MinISR:    table.MinISR,
		Machines: map[string]func(int32) machine.Machine{
			offsetsTopic: func(int32) machine.Machine {
				return group.New(group.Options{Settings: groups, NewMemberID: newMemberID})
			},
		},
		DeletedTopics: deletedTopics,
		Progress: func(done, total int) {
			n.recovery.Progress(n.o.Env.Clock.Now(), done, total)
		},
		Dir: commitlog.DirOptions{RecoveryThreads: s.Int("num.recovery.threads.per.data.dir"),
			RetentionInterval: s.Duration("log.retention.check.interval.ms")},
	}
}

func deletedTopics(gone []*meta.Topic) any {
	var all []group.DeletedTopic
	for _, t := range gone {
		all = append(all, group.DeletedTopic{Name: t.Name, ID: t.ID})
	}
	return group.TopicsDeleted{Topics: all}
}

func (n *Node) healthy() error {
	if n.host == nil {
		return nil
	}
	for _, d := range n.host.Dirs() {
		if d.Err == nil {
			return nil
		}
	}
	return fmt.Errorf("no log directory is left")
}

// Endpoints are where clients reach the node.
func (n *Node) Endpoints() []broker.Endpoint { return n.broker.Endpoints() }

// AdminAddresses are where the admin port listens.
func (n *Node) AdminAddresses() []string { return n.admin.Addresses() }

// Stop ends the node: no new requests, those in flight answered until ctx ends, everything flushed, and the clean
// marker written last.
func (n *Node) Stop(ctx context.Context) error {
	n.recovery.Stopping()
	var first error
	if n.broker != nil {
		first = n.broker.Stop(ctx)
	}
	if n.host != nil {
		if err := n.host.Close(); err != nil {
			first = err
		}
	}
	n.admin.Stop(ctx)
	return first
}

// Address is host:port of an endpoint.
func Address(e broker.Endpoint) string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// stopWithin is how long a stop waits for requests in flight.
const stopWithin = 10 * time.Second
