// Package host runs the logs, replicas and machines of one node against an env. It owns the log directories, drives
// the metadata quorum, publishes the image, leads the partitions that the image gives this node, and runs the
// coordinator machines on the internal partitions it leads.
package host

import (
	"cmp"
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
	// Perform carries out an effect of a machine, once what asked for it is committed. It must not block; the answer, if
	// there is one, goes back to the machine as a command that nobody waits for. Effects are asked for again after every
	// load, so they may come more than once.
	Perform func(m Machine, effect any, answer func(body any))
	// DeletedTopics makes the command that tells a machine that topics are gone; nil: nobody is told.
	DeletedTopics func(gone []*meta.Topic) any
	// A snapshot of the metadata is written after so many bytes of records (zero: 20 MiB) or, if anything has changed, so
	// much time (zero: an hour).
	SnapshotBytes    int64
	SnapshotInterval time.Duration
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
	dirs      []*commitlog.Dir // those that the start could use; the first holds the metadata
	broken    []DirState       // the others
	clusterID string
	meta      *metalog
	image     atomic.Pointer[meta.Image]

	// Constant after Open.
	incarnation wire.UUID // of this start

	mu      sync.RWMutex // and for what follows, up to the blank line
	parts   map[key]*Partition
	runners map[key]*runner
	waits   []imageWait

	missing map[key]bool // partitions whose log may lie in a directory that this start did not find

	epoch atomic.Int64 // of this broker's registration
	lost  []wire.UUID  // directories of the last registration that are gone; set before the first command is answered
	logs  logsKnown    // owned by the metadata loop

	ids    producerIDs
	closed sync.Once
	stop   chan struct{}
	done   sync.WaitGroup
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
	h := &Host{o: o, parts: map[key]*Partition{}, runners: map[key]*runner{}, stop: make(chan struct{}),
		missing: map[key]bool{}, logs: logsKnown{removed: map[wire.UUID]int64{}, wanting: map[key]bool{}}}
	h.epoch.Store(-1)
	h.o.SnapshotBytes = cmp.Or(h.o.SnapshotBytes, defaultSnapshotBytes)
	h.o.SnapshotInterval = cmp.Or(h.o.SnapshotInterval, defaultSnapshotInterval)
	if h.o.Perform == nil {
		h.o.Perform = h.cannotPerform
	}
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

// Ended is closed when the node cannot go on; Err then says why in one sentence. Close is still to be called.
func (h *Host) Ended() <-chan struct{} { return h.meta.ended }

// Err is why the node cannot go on, nil while it can and after Close.
func (h *Host) Err() error {
	select {
	case <-h.meta.ended:
		if !errors.Is(h.meta.err, errClosed) {
			return h.meta.err
		}
	default:
	}
	return nil
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
		if a.code == wire.NotController && h.meta.closing() {
			<-h.meta.ended // then it is known why
		}
		if err := h.Err(); err != nil {
			return r, err
		}
		if a.code != wire.None {
			return r, fmt.Errorf("the metadata controller: %w", a.code)
		}
		return a.reply.(R), nil
	case <-h.meta.ended:
		return r, h.meta.err
	}
}

// Register enters this start of the node in the metadata: features on a fresh cluster, a new broker epoch, then a new
// leader epoch for every partition it leads. When it returns, every partition that this node leads may be served.
func (h *Host) Register(endpoints []meta.Endpoint, rack *string) error {
	if _, err := control[meta.BootstrapReply](h, meta.Bootstrap{}); err != nil {
		return err
	}
	epoch, err := h.register(endpoints, rack)
	if err != nil {
		return err
	}
	h.epoch.Store(epoch)
	if err := failpoint.Hit("start.after-registration"); err != nil {
		return err
	}
	r, err := control[meta.BrokerReply](h, meta.UnfenceBroker{ID: h.o.NodeID, Epoch: epoch})
	if err != nil {
		return err
	}
	if r.Err != wire.None {
		return fmt.Errorf("unfencing node %d: %w: %s", h.o.NodeID, r.Err, r.Message)
	}
	offset, err := h.startLeading()
	if err != nil {
		return err
	}
	if up, ok := meta.Raise(h.Image(), meta.SupportedFeatures()); ok {
		r, err := control[meta.UpdateFeaturesReply](h, up)
		if err != nil {
			return err
		}
		if r.Err != wire.None {
			return fmt.Errorf("finalizing the features of this release: %w: %s", r.Err, r.Message)
		}
		offset = max(offset, r.Offset)
	}
	ready := make(chan struct{})
	h.WaitImage(offset, func() { close(ready) })
	select {
	case <-ready:
		return nil
	case <-h.meta.ended:
		return h.meta.err
	}
}

func (h *Host) register(endpoints []meta.Endpoint, rack *string) (epoch int64, err error) {
	previous := int64(-1)
	for _, d := range h.dirs {
		previous = max(previous, d.BrokerEpoch())
	}
	reg, err := control[meta.RegisterBrokerReply](h, meta.RegisterBroker{ID: h.o.NodeID, Incarnation: h.incarnation, ClusterID: h.clusterID, Endpoints: endpoints,
		Features: meta.SupportedFeatures(), Rack: rack, Dirs: h.registeredDirs(), PreviousEpoch: previous})
	if err != nil {
		return -1, err
	}
	if reg.Err != wire.None {
		return -1, fmt.Errorf("registration of node %d: %w: %s", h.o.NodeID, reg.Err, reg.Message)
	}
	return reg.Epoch, nil
}

func (h *Host) startLeading() (offset int64, err error) {
	cmd := meta.StartLeading{Broker: h.o.NodeID, Epoch: h.epoch.Load()}
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
func (h *Host) Close() (err error) {
	h.closed.Do(func() { err = h.close() })
	return err
}

func (h *Host) close() error {
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
	var errs []error
	for _, d := range h.dirs {
		errs = append(errs, d.Close(h.epoch.Load()))
	}
	return errors.Join(errs...)
}
