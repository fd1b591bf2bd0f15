package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// TestRestartKeepsEverything: topics, records, committed offsets, producer ids and the cluster's id outlive a stop.
func TestRestartKeepsEverything(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		cluster := n.host.ClusterID()
		m.produce("t", "a", "b", "c")
		if got := m.consume("g", "t", 2); got != "a b" {
			t.Errorf("before the stop: %q", got)
		}
		m.stop(n)

		n = m.start()
		if got := n.host.ClusterID(); got != cluster {
			t.Errorf("cluster %s became %s", cluster, got)
		}
		m.produce("t", "d")
		if got := m.consume("g", "t", 2); got != "c d" {
			t.Errorf("the group went on with %q", got)
		}
		if got := m.consume("another", "t", 4); got != "a b c d" {
			t.Errorf("the topic holds %q", got)
		}
		m.stop(n)
	})
}

// TestPowerCutKeepsTheAcknowledged: a machine that dies keeps what was acknowledged, and the next start serves it (DUR-1).
func TestPowerCutKeepsTheAcknowledged(t *testing.T) {
	for _, kept := range []float64{0, 0.5, 1} {
		onComputer(t, func(m *computer) {
			n := m.start()
			m.produce("t", "a", "b", "c")
			m.consume("g", "t", 2)
			m.disk.PowerCut(kept)
			m.leave(n)

			n = m.start()
			if got := m.consume("g", "t", 1); got != "c" {
				t.Errorf("with %v of the unsynced blocks the group went on with %q", kept, got)
			}
			m.stop(n)
		})
	}
}

// leave ends a node whose machine died under it.
func (m *computer) leave(n *Node) {
	delete(m.running, n)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	n.Stop(ctx)
}

// TestStopWithRequestsInFlight: long polls, members that wait for others, and producers at full speed do not hold a stop
// up, and what they were told is kept.
func TestStopWithRequestsInFlight(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start("group.initial.rebalance.delay.ms=60000")
		m.produce("t", "first")
		poller := m.client(kgo.ConsumeTopics("t"), kgo.FetchMaxWait(time.Minute), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
		member := m.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
		writer := m.client(kgo.RecordRetries(0))
		ctx, cancel := context.WithCancel(context.Background())
		var polling sync.WaitGroup
		for _, cl := range []*kgo.Client{poller, member} {
			polling.Go(func() { cl.PollFetches(ctx) })
		}
		acked := 0
		enough := make(chan struct{})
		polling.Go(func() {
			for i := 0; ; i++ {
				if writer.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr() != nil {
					return
				}
				if acked++; acked == 100 {
					close(enough)
				}
			}
		})
		<-enough
		began := m.env.Clock.Now()
		m.stop(n)
		if took := m.env.Clock.Now().Sub(began); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		cancel()
		for _, cl := range []*kgo.Client{poller, member, writer} {
			cl.Close()
		}
		polling.Wait()

		n = m.start()
		m.admin(func(k *kadm.Client) error {
			ends, err := k.ListEndOffsets(m.context(), "t")
			if got := ends["t"][0].Offset; got < int64(acked)+1 {
				t.Errorf("%d records were acknowledged, the topic holds %d", acked+1, got)
			}
			return err
		})
		m.stop(n)
	})
}

// A stuckDisk does not come back from a sync, or from opening a file of the topic slow, until a gate is opened.
type stuckDisk struct {
	env.Disk
	syncs, opens atomic.Pointer[chan struct{}] // nil: it works
}

func wait(gate *chan struct{}) {
	if gate != nil {
		<-*gate
	}
}

func (d *stuckDisk) SyncDir(name string) error { wait(d.syncs.Load()); return d.Disk.SyncDir(name) }

func (d *stuckDisk) Open(name string) (env.File, error) {
	if strings.HasPrefix(name, "/data/slow-0/") {
		wait(d.opens.Load())
	}
	return d.file(d.Disk.Open(name))
}

func (d *stuckDisk) Create(name string) (env.File, error) { return d.file(d.Disk.Create(name)) }

func (d *stuckDisk) file(f env.File, err error) (env.File, error) {
	if err != nil {
		return nil, err
	}
	return &stuckFile{f, d}, nil
}

type stuckFile struct {
	env.File
	d *stuckDisk
}

func (f *stuckFile) Sync() error { wait(f.d.syncs.Load()); return f.File.Sync() }

// TestStopWithAStuckDisk: a disk that never answers cannot keep a node from stopping within its deadline.
func TestStopWithAStuckDisk(t *testing.T) {
	onComputer(t, func(m *computer) {
		disk := &stuckDisk{Disk: m.disk}
		s, err := load(quick...)
		if err != nil {
			t.Fatal(err)
		}
		e := m.env
		e.Disk = disk
		n, err := Start(Options{Env: e, Settings: s})
		if err != nil {
			t.Fatal(err)
		}
		m.produce("t", "a")
		gate := make(chan struct{})
		disk.syncs.Store(&gate)
		cl := m.client(kgo.RecordRetries(0))
		sent := make(chan error, 1)
		cl.Produce(m.context(), &kgo.Record{Topic: "t", Value: []byte("b")}, func(_ *kgo.Record, err error) { sent <- err })
		synctest.Wait()
		began := m.env.Clock.Now()
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		err = n.Stop(ctx)
		cancel()
		if took := m.env.Clock.Now().Sub(began); took > stopWithin {
			t.Errorf("the stop took %v", took)
		}
		if err == nil || !strings.Contains(err.Error(), "the next start recovers") {
			t.Errorf("what it says of it: %v", err)
		}
		close(gate)
		cl.Close()
		if err := <-sent; err == nil {
			t.Error("a record that is not on disk was acknowledged (DUR-1)")
		}
	})
}

// TestReadiness: while logs are recovered the admin port answers how far it is, and clients are not let in.
func TestReadiness(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		for _, topic := range []string{"a", "b", "slow"} {
			m.produce(topic, "x")
		}
		m.disk.Kill()
		m.leave(n)

		disk, gate := &stuckDisk{Disk: m.disk}, make(chan struct{})
		disk.opens.Store(&gate)
		s, err := load(quick...)
		if err != nil {
			t.Fatal(err)
		}
		e := m.env
		e.Disk = disk
		started := make(chan *Node, 1)
		go func() {
			n, err := Start(Options{Env: e, Settings: s})
			if err != nil {
				t.Error(err)
			}
			started <- n
		}()
		synctest.Wait()
		code, body := m.get("/readyz")
		if code != 503 || !strings.Contains(body, `"state":"recovering"`) || !strings.Contains(body, `"logs_total":4`) {
			t.Errorf("/readyz: %d %s", code, body)
		}
		if got := m.metric(`kafka_log_logmanager_remaininglogstorecover{log_directory="/data"}`); got == "0" || got[0] == '(' {
			t.Errorf("logs that remain: %s", got)
		}
		if code, body := m.get("/healthz"); code != 200 {
			t.Errorf("/healthz: %d %s", code, body)
		}
		if c, err := m.network.Dial(m.context(), "tcp", "127.0.0.1:9092"); err == nil {
			c.Close()
			t.Error("clients are let in before it can serve")
		}
		close(gate)
		n = <-started
		if code, body := m.get("/readyz"); code != 200 || !strings.Contains(body, `"ready":true`) {
			t.Errorf("/readyz: %d %s", code, body)
		}
		m.stop(n)
	})
}

// TestStartsThatFail: one sentence that names the thing and the remedy, and nothing left behind: the same start
// succeeds once the cause is gone.
func TestStartsThatFail(t *testing.T) {
	type cause struct {
		name     string
		settings []string
		arrange  func(m *computer) (undo func())
		says     []string
	}
	other := func(settings ...string) func(m *computer) func() {
		return func(m *computer) func() {
			n := m.start(append([]string{"log.dirs=/other", "admin.listeners="}, settings...)...)
			return func() { m.stop(n) }
		}
	}
	faulty := func(r simenv.Rule) func(m *computer) func() {
		return func(m *computer) func() { m.disk.Fail(r); return m.disk.ClearFaults }
	}
	for _, c := range []cause{
		{"port taken", nil, other("listeners=PLAINTEXT://127.0.0.1:9092"), []string{"127.0.0.1:9092", "another program listens", "--port"}},
		{"admin port taken", nil, func(m *computer) func() {
			l, err := m.network.Listen("tcp", "127.0.0.1:9644")
			if err != nil {
				m.t.Fatal(err)
			}
			return func() { l.Close() }
		}, []string{"127.0.0.1:9644", "admin.listeners"}},
		{"directory in use", []string{"log.dirs=/other"}, other("listeners=PLAINTEXT://127.0.0.1:9192"), []string{"/other", "another millrace uses it"}},
		{"directory of another node", []string{"log.dirs=/other"}, func(m *computer) func() {
			other("node.id=7")(m)()
			return func() { m.disk.RemoveAll("/other") }
		}, []string{"/other", "it is node 7's, this is node 1"}},
		{"directory of another cluster", []string{"log.dirs=/data,/other"}, func(m *computer) func() {
			other()(m)()
			m.stop(m.start())
			return func() { m.disk.RemoveAll("/other") }
		}, []string{"/other", "another cluster or node"}},
		{"logs of nobody", nil, func(m *computer) func() {
			m.disk.Mkdir("/data/orders-0")
			return func() { m.disk.RemoveAll("/data") }
		}, []string{"/data", "orders-0", "log.dirs"}},
		{"unwritable", nil, faulty(simenv.Rule{Op: simenv.OpMkdir | simenv.OpCreate, Times: -1, Err: syscall.EACCES}), []string{"/data", "may not write", "log.dirs"}},
		{"read-only", nil, faulty(simenv.Rule{Op: simenv.OpMkdir | simenv.OpCreate, Times: -1, Err: syscall.EROFS}), []string{"/data", "may not write", "log.dirs"}},
		{"full disk", nil, faulty(simenv.Rule{Op: simenv.OpWrite, Times: -1, Err: syscall.ENOSPC}), []string{"/data", "make room"}},
		{"full disk, later", nil, faulty(simenv.Rule{Op: simenv.OpWrite, Nth: 3, Times: -1, Err: syscall.ENOSPC}), []string{"/data", "make room"}},
		{"disk fails", nil, faulty(simenv.Rule{Op: simenv.OpSync, Times: -1, Err: syscall.EIO}), []string{"/data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onComputer(t, func(m *computer) {
				undo := c.arrange(m)
				n, err := m.tryStart(c.settings...)
				if err == nil {
					m.stop(n)
					undo()
					t.Fatal("it started")
				}
				for _, s := range c.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q is not in: %v", s, err)
					}
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("more than one sentence: %v", err)
				}
				if _, err := m.disk.Stat("/data"); !env.NotExist(err) && strings.Contains(c.name, "port") {
					t.Errorf("it made its directory before it knew that it cannot serve: %v", err)
				}
				if _, err := m.disk.Stat("/data/.lock"); !env.NotExist(err) && c.name == "logs of nobody" {
					t.Errorf("it left a file in a directory that is not its own: %v", err)
				}
				undo()
				for _, address := range []string{"127.0.0.1:9092", "127.0.0.1:9644"} {
					if c, err := m.network.Dial(m.context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
						c.Close()
						t.Errorf("%s is still open", address)
					}
				}
				m.stop(m.start(c.settings...))
			})
		})
	}
}
