package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"millrace/internal/core/auth"
	"millrace/internal/core/quota"
	"millrace/internal/metrics"
	"millrace/internal/node/env"
)

// Options say what a broker serves, to whom and how much of it.
type Options struct {
	// Host runs the logs and machines. It may come later, through Serve.
	Host Host
	// Env gives clock and network. Required.
	Env env.Env
	// Settings are the node's effective settings. Required.
	Settings Settings
	// Listeners are opened by Start, in order.
	Listeners []Listener
	// Authorizer is asked by every API; nil allows everything.
	Authorizer auth.Authorizer
	// Schemas judge the records of topics whose schemas are checked; nil refuses them.
	Schemas Schemas
	// Quotas are asked by every answer; nil never throttles.
	Quotas quota.Limits
	// Log takes what an operator should see; nil is silent.
	Log *slog.Logger
	// Metrics take the figures; nil keeps them from everybody.
	Metrics *metrics.Metrics
	// Limits replace the defaults where they are not zero.
	Limits Limits
	// NoAutoCreate forbids creation of topics by Metadata whatever the setting says.
	NoAutoCreate bool
	// Protected says which topics may not be destroyed; nil means none.
	Protected Protected
}

// Limits bound what clients can take (reliability 5.3). Zero means the default; a negative one means none.
type Limits struct {
	Memory              int64 // of which a quarter may be requests in flight, and a quarter decoded requests
	ConnectionsPerIP    int   // default 1,000
	ConnectionRate      int   // a second, and ten times as many at once after a rest; default 200
	Connections         int   // default 10,000
	IdleConnection      time.Duration
	FetchSessions       int
	PooledBytes         int // default 64 MiB of unused buffers kept
	PoisonPooledBuffers bool
}

// limits in force.
type limits struct {
	frame            int           // socket.request.max.bytes
	idle             time.Duration // connections.max.idle.ms
	frameIdle        time.Duration // without a byte inside a frame
	frameTime        time.Duration // for a frame, and a second more for each 64 KiB
	handshake        time.Duration
	failedDelay      time.Duration // connection.failed.authentication.delay.ms
	sendBuffer       int           // socket.send.buffer.bytes; zero: the operating system's
	receiveBuffer    int           // socket.receive.buffer.bytes
	request          time.Duration // request.timeout.ms
	commit           time.Duration // offsets.commit.timeout.ms
	requestPartition int           // max.request.partition.size.limit
	fetchBytes       int           // fetch.max.bytes
	decompressed     int           // factor of max.message.bytes
}

// Broker serves the Kafka protocol.
type Broker struct {
	// Constant after construction.
	host       Host
	clock      env.Clock
	network    env.Network
	random     env.Random
	settings   Settings
	authorizer auth.Authorizer
	schemas    Schemas
	quotas     quota.Limits
	unlimited  bool // quotas never throttle
	log        *slog.Logger
	limits     limits
	apis       *apiTable
	pool       *bufferPool
	inFlight   *budget // bytes of requests read and not yet answered
	decoding   *budget // what kmsg may expand them to
	listeners  []*listener
	noCreate   bool
	protected  Protected

	metrics  counts
	sessions *sessionCache
	failures *failures
	fetches  sync.Pool // of *fetch, which keep a timer of this broker's clock
	produces sync.Pool // of *produceCall, which do so too
	policies policyCache
	asked    Limits                     // as given
	counted  atomic.Pointer[connLimits] // in force

	coarse   atomic.Int64 // the time of the last tick, in nanoseconds: for deadlines of seconds
	stopping atomic.Bool
	writers  atomic.Int64   // goroutines that write answers now
	woken    sync.WaitGroup // fetches that read again after they were parked
	stopped  chan struct{}  // closed when Stop begins

	mu    sync.Mutex
	pace  quota.Bucket // of new connections
	conns map[*conn]struct{}
	perIP map[string]int
	timer env.Timer
	empty chan struct{} // closed by the last connection that goes while stopping
}

// tickEvery is how often deadlines of connections are looked at.
const tickEvery = time.Second

// New makes a broker that does not listen yet.
func New(o Options) *Broker {
	b := &Broker{
		host: o.Host, clock: o.Env.Clock, network: o.Env.Network, random: o.Env.Random, settings: o.Settings,
		authorizer: o.Authorizer, schemas: o.Schemas, quotas: o.Quotas, log: o.Log, apis: &registered, noCreate: o.NoAutoCreate,
		protected: o.Protected,
		stopped:   make(chan struct{}), empty: make(chan struct{}),
		conns: map[*conn]struct{}{}, perIP: map[string]int{},
	}
	if b.authorizer == nil {
		b.authorizer = auth.AllowAll{}
	}
	if b.unlimited = b.quotas == nil; b.unlimited {
		b.quotas = quota.Unlimited{}
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.limit(o.Limits)
	b.metrics = newCounts(o.Metrics, b.apis)
	for _, l := range o.Listeners {
		b.listeners = append(b.listeners, &listener{Listener: l, b: b, metrics: b.metrics.Listener(l.Name)})
	}
	b.coarse.Store(b.clock.Now().UnixNano())
	return b
}

func (b *Broker) limit(l Limits) {
	memory := l.Memory
	if memory <= 0 {
		memory = memoryLimit()
	}
	b.inFlight, b.decoding = newBudget(memory/4), newBudget(memory/4)
	if n := b.settings.Int64("queued.max.request.bytes"); n > 0 {
		b.inFlight.limit = min(b.inFlight.limit, n)
	}
	b.pool = newBufferPool(orDefault(l.PooledBytes, 64<<20))
	b.pool.poison = l.PoisonPooledBuffers
	idle := b.settings.Duration("connections.max.idle.ms")
	b.limits = limits{
		frame:            b.settings.Int("socket.request.max.bytes"),
		idle:             orDefault(l.IdleConnection, idle),
		frameIdle:        10 * time.Second,
		frameTime:        30 * time.Second,
		handshake:        10 * time.Second,
		failedDelay:      b.settings.Duration("connection.failed.authentication.delay.ms"),
		sendBuffer:       socketBuffer(b.settings.Int("socket.send.buffer.bytes")),
		receiveBuffer:    socketBuffer(b.settings.Int("socket.receive.buffer.bytes")),
		request:          b.settings.Duration("request.timeout.ms"),
		commit:           b.settings.Duration("offsets.commit.timeout.ms"),
		requestPartition: b.settings.Int("max.request.partition.size.limit"),
		fetchBytes:       b.settings.Int("fetch.max.bytes"),
		decompressed:     16,
	}
	b.asked = l
	b.failures = newFailures()
	b.sessions = newSessionCache(orDefault(l.FetchSessions, b.settings.Int("max.incremental.fetch.session.cache.slots")), b.random)
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Listen binds the listeners without accepting, so that their addresses can be registered before anybody is served.
func (b *Broker) Listen() error {
	for _, l := range b.listeners {
		if l.ln != nil {
			continue
		}
		network := l.Network
		if network == nil {
			network = b.network
		}
		ln, err := network.Listen("tcp", b.addressOf(l))
		if err != nil && l.Optional && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
			b.log.Info("listener left out: this machine does not have the address", "listener", l.Name, "address", l.Address)
			continue
		}
		if err != nil {
			b.closeListeners()
			return fmt.Errorf("listener %s cannot open %s: %w", l.Name, l.Address, err)
		}
		l.ln = ln
		l.advertise()
	}
	return nil
}

// addressOf gives a listener that asked for a free port the one that an earlier address of the same name got.
func (b *Broker) addressOf(l *listener) string {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil || port != "0" {
		return l.Address
	}
	for _, o := range b.listeners {
		if o != l && o.Name == l.Name && o.ln != nil {
			if tcp, ok := o.ln.Addr().(*net.TCPAddr); ok {
				return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
			}
		}
	}
	return l.Address
}

// Serve tells the host, which may need the addresses that Listen has bound. It comes before Start.
func (b *Broker) Serve(h Host) { b.host = h }

// Start binds what Listen has not bound yet, and serves.
func (b *Broker) Start() error {
	if err := b.Listen(); err != nil {
		return err
	}
	b.mu.Lock()
	b.timer = b.clock.AfterFunc(tickEvery, b.tick)
	b.mu.Unlock()
	for _, l := range b.listeners {
		if l.ln != nil {
			go l.accept()
		}
	}
	return nil
}

// Endpoint is where one listener is reached.
type Endpoint struct {
	Name, Bound, Host string
	Port              int32
	TLS               bool
}

// Endpoints are the bound and advertised addresses, after Listen. A listener that is bound to two addresses comes
// twice, under one name.
func (b *Broker) Endpoints() (all []Endpoint) {
	for _, l := range b.listeners {
		if l.ln == nil {
			continue
		}
		all = append(all, Endpoint{l.Name, l.ln.Addr().String(), l.AdvertisedHost, l.AdvertisedPort, l.TLS != nil})
	}
	return all
}

// Stop accepts nothing more, lets requests in flight finish until ctx ends, and closes every connection. Parked
// fetches answer with what they have.
func (b *Broker) Stop(ctx context.Context) error {
	if b.stopping.Swap(true) {
		return nil
	}
	close(b.stopped)
	b.closeListeners()
	b.mu.Lock()
	if b.timer != nil {
		b.timer.Stop()
	}
	all := slices.Collect(maps.Keys(b.conns))
	if len(all) == 0 {
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	for _, c := range all {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
		c.hurry()
	}
	var err error
	select {
	case <-b.empty:
	case <-ctx.Done():
		err = errors.New("requests in flight did not finish in time")
	}
	for _, c := range all {
		c.close()
	}
	<-b.empty
	b.woken.Wait() // they read the host's logs, which are closed next
	return err
}

func (b *Broker) closeListeners() {
	for _, l := range b.listeners {
		if l.ln != nil {
			l.ln.Close()
		}
	}
}

// tick looks at the deadlines of all connections.
func (b *Broker) tick() {
	now := b.clock.Now().UnixNano()
	b.coarse.Store(now)
	b.mu.Lock()
	if b.stopping.Load() {
		b.mu.Unlock()
		return
	}
	late := map[*conn]string{}
	unread := map[*conn]bool{}
	unsent := 0
	for c := range b.conns {
		if reason := c.overdue(now); reason != "" {
			late[c] = reason
		}
		n, stuck := c.notRead()
		if unsent += n; stuck {
			unread[c] = true
		}
	}
	if int64(unsent) > b.inFlight.limit {
		for c := range unread {
			late[c] = "does not read its answers, and memory is short"
		}
	}
	b.timer.Reset(tickEvery)
	b.mu.Unlock()
	for c, reason := range late {
		b.log.Debug("connection closed", "listener", c.l.Name, "remote", c.host, "reason", reason)
		c.l.metrics.Expired()
		c.close()
	}
}

// remember counts a connection; the reason says why it may not stay.
func (b *Broker) remember(c *conn) string {
	limits := b.connLimits()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopping.Load() {
		return "stopping"
	}
	if !c.l.Unlimited {
		if limits.total >= 0 && len(b.conns) >= limits.total {
			return fmt.Sprintf("%d connections are open", len(b.conns))
		}
		most, special := limits.overrides[c.host]
		if !special {
			most = limits.perIP
		}
		if most >= 0 && b.perIP[c.host] >= most {
			return fmt.Sprintf("%d connections are open from this address", b.perIP[c.host])
		}
	}
	b.conns[c] = struct{}{}
	b.perIP[c.host]++
	c.l.metrics.Opened()
	return ""
}

func (b *Broker) forget(c *conn) {
	c.close()
	c.l.metrics.Closed()
	if c.leave != nil {
		c.leave()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
	if b.perIP[c.host]--; b.perIP[c.host] == 0 {
		delete(b.perIP, c.host)
	}
	if len(b.conns) == 0 && b.stopping.Load() {
		close(b.empty)
	}
}

// nodeName is this node as the name of a config resource.
func (b *Broker) nodeName() string { return strconv.Itoa(int(b.host.NodeID())) }

// Connections is how many are open.
func (b *Broker) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}
