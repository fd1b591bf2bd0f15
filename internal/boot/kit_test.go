package boot

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/config"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

var seed = flag.Uint64("boot.seed", 0, "seed of the simulated disk; 0 takes one from the clock and prints it")

// A computer is what a node stands on in these tests: a simulated disk, a network in memory, and the virtual clock of the
// bubble. It outlives the nodes that are started on it.
type computer struct {
	t       *testing.T
	disk    *simenv.Disk
	network *simenv.Network
	env     env.Env
	running map[*Node]bool
}

// onComputer runs a test in a bubble: time passes only when everybody waits, and no goroutine may be left at its end.
func onComputer(t *testing.T, test func(m *computer)) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d: go test ./internal/boot -run '^%s$' -boot.seed=%d", s, t.Name(), s)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		m := &computer{t: t, disk: simenv.NewDisk(s), network: simenv.NewNetwork(), running: map[*Node]bool{}}
		m.env = env.Env{Clock: env.Real().Clock, Disk: m.disk, Network: m.network, Random: simenv.NewRandom(s)}
		// A node that a failed test left behind would keep the bubble's time going for ever.
		t.Cleanup(func() {
			for n := range m.running {
				m.leave(n)
			}
		})
		test(m)
	})
}

// quick are settings that suit these tests.
var quick = []string{"log.dirs=/data", "listeners=PLAINTEXT://127.0.0.1:9092", "auto.create.topics.enable=true",
	"group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=3"}

func (m *computer) start(settings ...string) *Node {
	m.t.Helper()
	n, err := m.tryStart(settings...)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// startWith starts with options beside the settings.
func (m *computer) startWith(o Options, settings ...string) *Node {
	m.t.Helper()
	n, err := m.tryStartWith(o, settings...)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *computer) tryStart(settings ...string) (*Node, error) {
	m.t.Helper()
	return m.tryStartWith(Options{}, settings...)
}

func (m *computer) tryStartWith(o Options, settings ...string) (*Node, error) {
	m.t.Helper()
	s, err := load(append(append([]string{}, quick...), settings...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	o.Env, o.Settings, o.Version, o.Log = m.env, s, "1.2.3", slog.New(slog.DiscardHandler)
	o.Env.Disk = m.disk.Process()
	n, err := Start(o)
	if err == nil {
		m.running[n] = true
	}
	return n, err
}

func load(settings ...string) (*config.Static, error) {
	p, err := config.ParseOverrides(settings)
	if err != nil {
		return nil, err
	}
	s, _, err := config.Load(nil, nil, p)
	return s, err
}

func (m *computer) stop(n *Node) {
	m.t.Helper()
	delete(m.running, n)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		m.t.Fatal(err)
	}
}

// client is a franz-go client on this machine; the caller closes it.
func (m *computer) client(o ...kgo.Opt) *kgo.Client {
	m.t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return m.network.Dial(ctx, network, address)
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(dial), kgo.AllowAutoTopicCreation(),
		kgo.FetchMaxWait(500 * time.Millisecond), kgo.RequestTimeoutOverhead(20 * time.Second)}, o...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	return cl
}

// produce sends values to a topic, one after the other, each acknowledged.
func (m *computer) produce(topic string, values ...string) {
	m.t.Helper()
	cl := m.client()
	defer cl.Close()
	for _, v := range values {
		if err := cl.ProduceSync(m.context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// consume reads n records of a topic as a member of a group, commits and leaves.
func (m *computer) consume(group, topic string, n int) string {
	m.t.Helper()
	cl := m.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	var got []string
	for len(got) < n {
		f := cl.PollRecords(m.context(), n-len(got))
		if err := f.Err(); err != nil {
			m.t.Fatalf("after %v: %v", got, err)
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
		if err := cl.CommitRecords(m.context(), f.Records()...); err != nil {
			m.t.Fatal(err)
		}
	}
	return strings.Join(got, " ")
}

// admin does something with an admin client.
func (m *computer) admin(do func(k *kadm.Client) error) {
	m.t.Helper()
	cl := m.client()
	defer cl.Close()
	if err := do(kadm.NewClient(cl)); err != nil {
		m.t.Fatal(err)
	}
}

// context ends after a minute of the bubble's time.
func (m *computer) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	m.t.Cleanup(cancel)
	return ctx
}

// get asks the admin port.
func (m *computer) get(path string) (code int, body string) {
	m.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: m.network.Dial}
	resp, err := (&http.Client{Transport: transport}).Get("http://127.0.0.1:9644" + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metric is the value of one series.
func (m *computer) metric(series string) string {
	m.t.Helper()
	_, all := m.get("/metrics")
	for line := range strings.Lines(all) {
		if name, value, ok := strings.Cut(line, "} "); ok && name+"}" == series {
			return strings.TrimSpace(value)
		}
		if name, value, ok := strings.Cut(line, " "); ok && name == series {
			return strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("(no %s)", series)
}

// pass lets the bubble's time go by.
func (m *computer) pass(d time.Duration) {
	over := make(chan struct{})
	m.env.Clock.AfterFunc(d, func() { close(over) })
	<-over
}
