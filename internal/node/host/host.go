// Package host runs the logs, replicas and machines of one node against an env. It owns the log directories, drives
// the metadata quorum, publishes the image, leads the partitions that the image gives this node, and runs the
// coordinator machines on the internal partitions it leads.
package host

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/metrics"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// Options say what a host runs.
type Options struct {
	Env    env.Env
	NodeID int32
	// Dirs are the log directories; the metadata log is in the first.
	Dirs []string
	// Controller are the controller's settings; the host fills in Image, ClusterID and NewID.
	Controller meta.Options
	// LogConfig tells a topic's log settings, MinISR its min.insync.replicas, under an image.
	LogConfig func(image *meta.Image, topic string) commitlog.Config
	MinISR    func(image *meta.Image, topic string) int
	// Machines makes the coordinator machine of a partition of an internal topic.
	Machines map[string]func(partition int32) machine.Machine
	// DeletedTopics makes the command that tells a machine that topics are gone; nil: nobody is told.
	DeletedTopics func(gone []*meta.Topic) any
	// Progress hears of the recovery of a directory's logs, from any goroutine.
	Progress func(dir string, done, total int)
	Log      *slog.Logger
	Metrics  *metrics.Metrics     // nil: nothing is counted
	Dir      commitlog.DirOptions // limits and intervals; Env, Path, ClusterID and NodeID are the host's
}

// DirState is one log directory.
type DirState struct {
	Path        string
	ID          wire.UUID
	Err         error // not nil: offline
	Free, Total int64
}

// Host is one node's.
type Host struct {
	o         Options
	dirs      []*commitlog.Dir
	clusterID string
	meta      *metalog
	image     atomic.Pointer[meta.Image]

	mu          sync.RWMutex
	parts       map[key]*Partition
	runners     map[key]*runner
	waits       []imageWait
	epoch       int64     // of this broker's registration
	incarnation wire.UUID // of this start

	ids  producerIDs
	stop chan struct{}
	done sync.WaitGroup
}

type key struct {
	topic     string
	partition int32
}

type imageWait struct {
	offset int64
	ready  func()
}

// Open locks, formats or recovers the directories and starts the metadata quorum. Nothing is served until Register.
func Open(o Options) (*Host, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Host{o: o, epoch: -1, parts: map[key]*Partition{}, runners: map[key]*runner{}, stop: make(chan struct{})}
	h.image.Store(meta.Empty())
	h.incarnation = h.newID()
	if err := h.openDirs(); err != nil {
		h.abandon()
		return nil, err
	}
	m, err := openMetalog(h)
	if err != nil {
		h.abandon()
		return nil, err
	}
	h.meta = m
	h.done.Add(2)
	go func() { defer h.done.Done(); m.run() }()
	go func() { defer h.done.Done(); h.keepHouse() }()
	return h, nil
}

func (h *Host) openDirs() error {
	for _, path := range h.o.Dirs {
		id, err := commitlog.ReadClusterID(h.o.Env.Disk, path)
		if err != nil {
			return err
		}
		if h.clusterID == "" {
			h.clusterID = id
		}
	}
	if h.clusterID == "" {
		h.clusterID = h.newID().String()
	}
	for _, path := range h.o.Dirs {
		do := h.o.Dir
		do.Env, do.Path, do.ClusterID, do.NodeID, do.Log = h.o.Env, path, h.clusterID, h.o.NodeID, h.o.Log
		if h.o.Metrics != nil {
			do.Metrics = h.o.Metrics.Dir(path)
		}
		d, err := commitlog.OpenDir(do)
		if err != nil {
			return err
		}
		h.dirs = append(h.dirs, d)
		d.OnFail(func(err error) { h.o.Log.Error("log directory is offline", "dir", d.Path(), "err", err); h.failed(d) })
	}
	return h.loadDirs()
}

// loadDirs recovers all directories at once: each is a disk of its own.
func (h *Host) loadDirs() error {
	errs := make([]error, len(h.dirs))
	var loading sync.WaitGroup
	for i, d := range h.dirs {
		loading.Go(func() {
			errs[i] = d.Load(func(done, total int) {
				if h.o.Progress != nil {
					h.o.Progress(d.Path(), done, total)
				}
			})
		})
	}
	loading.Wait()
	return errors.Join(errs...)
}

func (h *Host) abandon() {
	for _, d := range h.dirs {
		d.Abandon()
	}
}

func (h *Host) newID() wire.UUID {
	return wire.NewUUID(h.o.Env.Random.Uint64(), h.o.Env.Random.Uint64())
}

// keepHouse ticks the directories once a second.
func (h *Host) keepHouse() {
	beat := make(chan struct{}, 1)
	t := h.o.Env.Clock.AfterFunc(time.Second, func() { beat <- struct{}{} })
	defer t.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-beat:
			for _, d := range h.dirs {
				d.Tick(h.o.Env.Clock.Now())
			}
			t.Reset(time.Second)
		}
	}
}

// Image is the latest published metadata.
func (h *Host) Image() *meta.Image { return h.image.Load() }

// NodeID is this node's.
func (h *Host) NodeID() int32 { return h.o.NodeID }

// Controls tells whether the metadata controller of this node decides.
func (h *Host) Controls() bool { return h.meta.leads.Load() }

// ClusterID is the cluster's.
func (h *Host) ClusterID() string { return h.clusterID }

// Dirs describes the log directories.
func (h *Host) Dirs() []DirState {
	var all []DirState
	for _, d := range h.dirs {
		free, total := d.Space()
		all = append(all, DirState{d.Path(), d.ID(), d.Failed(), free, total})
	}
	return all
}

// Partition is nil for what is not hosted here; the image says why.
func (h *Host) Partition(topic string, partition int32) *Partition {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.parts[key{topic, partition}]
}

// Partitions lists the partitions hosted here, in no order.
func (h *Host) Partitions() []*Partition {
	h.mu.RLock()
	defer h.mu.RUnlock()
	all := make([]*Partition, 0, len(h.parts))
	for _, p := range h.parts {
		all = append(all, p)
	}
	return all
}

// Control asks the metadata controller. done is called exactly once, on any goroutine, and must not block.
func (h *Host) Control(body any, done func(reply any, err wire.ErrorCode)) { h.meta.ask(body, done) }

// Ask asks the coordinator machine on a partition of an internal topic; done as in Control.
func (h *Host) Ask(topic string, partition int32, body any, done func(reply any, err wire.ErrorCode)) {
	h.mu.RLock()
	r := h.runners[key{topic, partition}]
	h.mu.RUnlock()
	if r == nil {
		done(nil, wire.NotCoordinator)
		return
	}
	r.ask(body, done)
}

// WaitImage calls ready once the published image has reached offset and its local leaders are ready.
func (h *Host) WaitImage(offset int64, ready func()) {
	h.mu.Lock()
	if h.image.Load().Offset() < offset {
		h.waits = append(h.waits, imageWait{offset, ready})
		h.mu.Unlock()
		return
	}
	h.mu.Unlock()
	ready()
}

// control asks the controller and waits for what it says.
func control[R any](h *Host, body any) (r R, err error) {
	type answer struct {
		reply any
		code  wire.ErrorCode
	}
	c := make(chan answer, 1)
	h.Control(body, func(reply any, code wire.ErrorCode) { c <- answer{reply, code} })
	select {
	case a := <-c:
		if a.code != wire.None {
			return r, fmt.Errorf("the metadata controller: %w", a.code)
		}
		return a.reply.(R), nil
	case <-h.meta.ended:
		return r, fmt.Errorf("the metadata quorum has stopped: %w", h.meta.err)
	}
}

// Register enters this start of the node in the metadata: features on a fresh cluster, a new broker epoch, then a new
// leader epoch for every partition it leads. When it returns, every partition that this node leads may be served.
func (h *Host) Register(endpoints []meta.Endpoint, rack *string) error {
	if _, err := control[meta.BootstrapReply](h, meta.Bootstrap{}); err != nil {
		return err
	}
	var ids []wire.UUID
	previous := int64(-1)
	for _, d := range h.dirs {
		ids = append(ids, d.ID())
		previous = max(previous, d.BrokerEpoch())
	}
	reg, err := control[meta.RegisterBrokerReply](h, meta.RegisterBroker{ID: h.o.NodeID, Incarnation: h.incarnation, ClusterID: h.clusterID, Endpoints: endpoints,
		Features: meta.SupportedFeatures(), Rack: rack, Dirs: ids, PreviousEpoch: previous})
	if err != nil {
		return err
	}
	if reg.Err != wire.None {
		return fmt.Errorf("registration of node %d: %w: %s", h.o.NodeID, reg.Err, reg.Message)
	}
	h.epoch = reg.Epoch
	if err := failpoint.Hit("start.after-registration"); err != nil {
		return err
	}
	if _, err := control[meta.BrokerReply](h, meta.UnfenceBroker{ID: h.o.NodeID, Epoch: h.epoch}); err != nil {
		return err
	}
	offset, err := h.startLeading()
	if err != nil {
		return err
	}
	if up, ok := meta.Raise(h.Image(), meta.SupportedFeatures()); ok {
		h.Control(up, func(any, wire.ErrorCode) {})
	}
	ready := make(chan struct{})
	h.WaitImage(offset, func() { close(ready) })
	<-ready
	return nil
}

func (h *Host) startLeading() (offset int64, err error) {
	cmd := meta.StartLeading{Broker: h.o.NodeID, Epoch: h.epoch}
	for {
		r, err := control[meta.StartLeadingReply](h, cmd)
		if err != nil {
			return 0, err
		}
		if r.Err != wire.None {
			return 0, fmt.Errorf("taking the lead of partitions: %w: %s", r.Err, r.Message)
		}
		if !r.More {
			return r.Offset, nil
		}
		cmd.After = r.After
	}
}

// Close stops machines and quorum and closes the directories cleanly.
func (h *Host) Close() error {
	close(h.stop)
	h.meta.close()
	h.done.Wait()
	h.mu.Lock()
	runners := h.runners
	h.runners = map[key]*runner{}
	h.mu.Unlock()
	for _, r := range runners {
		r.close()
	}
	for _, p := range h.Partitions() {
		p.resign(wire.NotLeaderOrFollower)
	}
	var first error
	for _, d := range h.dirs {
		if err := d.Close(h.epoch); err != nil && first == nil {
			first = err
		}
	}
	return first
}
