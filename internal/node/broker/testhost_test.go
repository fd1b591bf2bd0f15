package broker

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"millrace/internal/core/group"
	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
)

// testHost is the least host that the broker's own tests need: real logs in a directory, a real controller and real
// group machines, but their records are kept in memory and nothing is committed anywhere.
type testHost struct {
	e      env.Env
	dir    *commitlog.Dir
	image  atomic.Pointer[meta.Image]
	parts  sync.Map // of partitionKey to *testPartition
	nextID atomic.Int64

	mu     sync.Mutex
	ctl    *meta.Controller
	token  machine.Token
	coords map[int32]*testCoordinator
}

type partitionKey struct {
	topic     string
	partition int32
}

// anySetting accepts every setting: what is valid is the controller's test.
type anySetting struct{}

func (anySetting) Known(int8, string, string) error                                 { return nil }
func (anySetting) Check(int8, string, string, string) error                         { return nil }
func (anySetting) CheckTogether(*meta.Image, int8, string, map[string]string) error { return nil }
func (anySetting) List(_ int8, name string) (isList bool, default_ string) {
	return name == "cleanup.policy", "delete"
}

func openHost(t testing.TB, e env.Env, s Settings, endpoints []Endpoint) Host {
	t.Helper()
	const cluster = "abcdefghijklmnopqrstuv"
	dir, err := commitlog.OpenDir(commitlog.DirOptions{Env: e, Path: t.TempDir(), ClusterID: cluster, NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Load(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close(1) })
	h := &testHost{e: e, dir: dir, coords: map[int32]*testCoordinator{}}
	h.ctl = meta.NewController(meta.Options{ClusterID: cluster, Settings: anySetting{}, Partitions: int32(s.Int("num.partitions")), ReplicationFactor: 1,
		NewID: func() wire.UUID { return wire.NewUUID(e.Random.Uint64(), e.Random.Uint64()) }})
	h.image.Store(h.ctl.Image())
	var at []meta.Endpoint
	for _, p := range endpoints {
		at = append(at, meta.Endpoint{Name: p.Name, Host: p.Host, Port: uint16(p.Port)})
	}
	var epoch int64
	h.Control(meta.Bootstrap{}, func(any, wire.ErrorCode) {})
	h.Control(meta.RegisterBroker{ID: 1, Incarnation: wire.NewUUID(1, 2), Endpoints: at, Features: meta.SupportedFeatures(), Dirs: []wire.UUID{dir.ID()}, PreviousEpoch: -1},
		func(reply any, _ wire.ErrorCode) {
			r, _ := replyAs[meta.RegisterBrokerReply](reply)
			epoch = r.Epoch
		})
	h.Control(meta.UnfenceBroker{ID: 1, Epoch: epoch}, func(any, wire.ErrorCode) {})
	return h
}

func (h *testHost) Image() *meta.Image                   { return h.image.Load() }
func (h *testHost) NodeID() int32                        { return 1 }
func (h *testHost) ClusterID() string                    { return h.dir.ClusterID() }
func (h *testHost) WaitImage(offset int64, ready func()) { ready() }

func (h *testHost) AllocateProducerID(done func(int64, wire.ErrorCode)) {
	done(h.nextID.Add(1), wire.None)
}

func (h *testHost) Dirs() []DirState {
	free, total := h.dir.Space()
	return []DirState{{Path: h.dir.Path(), ID: h.dir.ID(), Err: h.dir.Failed(), Free: free, Total: total}}
}

func (h *testHost) Partition(topic string, partition int32) Partition {
	if p, ok := h.parts.Load(partitionKey{topic, partition}); ok {
		return p.(*testPartition)
	}
	return nil
}

func (h *testHost) Control(body any, done func(any, wire.ErrorCode)) {
	h.mu.Lock()
	h.token++
	now := h.e.Clock.Now()
	r := h.ctl.Handle(now, machine.Command{Token: h.token, Body: body})
	if len(r.Records) > 0 {
		if err := h.ctl.Replay(machine.Batch{BaseOffset: h.ctl.Image().Offset() + 1, Timestamp: now.UnixMilli(), Records: r.Records}); err != nil {
			panic(err)
		}
	}
	h.ctl.Image().Topics(func(t *meta.Topic) bool {
		h.lead(t)
		return true
	})
	h.image.Store(h.ctl.Image())
	h.mu.Unlock()
	for _, reply := range r.Replies {
		done(reply.Body, wire.None)
	}
}

func (h *testHost) lead(t *meta.Topic) {
	for i := range t.Partitions {
		k := partitionKey{t.Name, int32(i)}
		if _, ok := h.parts.Load(k); ok {
			continue
		}
		l, err := h.dir.Create(t.Name, int32(i), t.ID, commitlog.DefaultConfig())
		if err != nil {
			panic(err)
		}
		p := &testPartition{l: l, epoch: t.Partitions[i].LeaderEpoch, watchers: map[*Watcher]bool{}}
		l.AssignEpoch(p.epoch)
		l.OnFlushed(p.flushed)
		h.parts.Store(k, p)
	}
}

// testCoordinator runs one group machine.
type testCoordinator struct {
	mu     sync.Mutex
	m      machine.Machine
	offset int64
	token  machine.Token
	wait   map[machine.Token]func(any, wire.ErrorCode)
}

func (h *testHost) Ask(_ string, partition int32, body any, done func(any, wire.ErrorCode)) {
	h.mu.Lock()
	c := h.coords[partition]
	if c == nil {
		s := group.DefaultSettings()
		s.InitialRebalanceDelay = 0
		c = &testCoordinator{wait: map[machine.Token]func(any, wire.ErrorCode){}}
		c.m = group.New(group.Options{Settings: s, NewMemberID: func() string { return fmt.Sprint(h.e.Random.Uint64()) }})
		c.m.Loaded(h.e.Clock.Now())
		h.coords[partition] = c
	}
	h.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token++
	c.wait[c.token] = done
	now := h.e.Clock.Now()
	r := c.m.Handle(now, machine.Command{Token: c.token, Body: body})
	if len(r.Records) > 0 {
		if err := c.m.Replay(machine.Batch{BaseOffset: c.offset, Timestamp: now.UnixMilli(), Records: r.Records}); err != nil {
			panic(err)
		}
		c.offset += int64(len(r.Records))
	}
	for _, reply := range r.Replies {
		if done := c.wait[reply.To]; done != nil {
			delete(c.wait, reply.To)
			go done(reply.Body, wire.None)
		}
	}
}

// testPartition leads one log; the high watermark is the flushed end.
type testPartition struct {
	l     *commitlog.Log
	epoch int32
	hw    atomic.Int64
	stuck atomic.Bool // the disk hangs: nothing is ever flushed

	mu       sync.Mutex
	pending  []pendingProduce
	watchers map[*Watcher]bool
}

type pendingProduce struct {
	end  int64
	done func(Produced)
	out  Produced
}

func (p *testPartition) flushed(end int64) {
	if p.stuck.Load() {
		return
	}
	p.hw.Store(end)
	p.l.SetHighWatermark(end)
	p.mu.Lock()
	var ready, later []pendingProduce
	for _, r := range p.pending {
		if r.end <= end {
			ready = append(ready, r)
		} else {
			later = append(later, r)
		}
	}
	p.pending = later
	woken := p.watchers
	p.watchers = map[*Watcher]bool{}
	p.mu.Unlock()
	for _, r := range ready {
		r.done(r.out)
	}
	for w := range woken {
		w.Wake()
	}
}

func (p *testPartition) Produce(r *Produce) {
	out := make([]commitlog.Appended, 1)
	p.mu.Lock()
	err := p.l.Append(env.Real().Clock.Now(), p.epoch, []commitlog.Append{{Batch: r.Batch, Header: r.Header}}, out)
	if err == nil {
		err = out[0].Err
	}
	if err != nil {
		p.mu.Unlock()
		code := wire.UnknownServerError
		if errors.Is(err, commitlog.ErrOutOfOrderSequence) {
			code = wire.OutOfOrderSequenceNumber
		}
		r.Done(Produced{Err: code, BaseOffset: -1, LogAppendTime: -1, LogStart: -1})
		return
	}
	answer := Produced{BaseOffset: out[0].BaseOffset, LogAppendTime: out[0].AppendTime, LogStart: p.l.StartOffset()}
	now := r.Acks != -1 || p.hw.Load() > out[0].LastOffset
	if !now {
		p.pending = append(p.pending, pendingProduce{out[0].LastOffset + 1, r.Done, answer})
	}
	p.mu.Unlock()
	p.l.RequestSync()
	if now {
		r.Done(answer)
	}
}

func (p *testPartition) Read(o ReadOptions) Read {
	hw := p.hw.Load()
	r := Read{HighWatermark: hw, LastStable: hw, LogStart: p.l.StartOffset(), DivergingEpoch: -1, DivergingEnd: -1}
	if r.Err = checkEpoch(p.State(), o.CurrentLeaderEpoch); r.Err != wire.None {
		return r
	}
	var err error
	if r.Records, err = p.l.Read(o.Offset, hw, o.MaxBytes, o.MinOne); err != nil {
		r.Err = wire.OffsetOutOfRange
	}
	return r
}

func (p *testPartition) Watch(w *Watcher) {
	p.mu.Lock()
	p.watchers[w] = true
	p.mu.Unlock()
}

func (p *testPartition) Unwatch(w *Watcher) {
	p.mu.Lock()
	delete(p.watchers, w)
	p.mu.Unlock()
}

func (p *testPartition) State() PartitionState {
	hw := p.hw.Load()
	return PartitionState{Leader: true, LeaderEpoch: p.epoch, HighWatermark: hw, LastStable: hw, LogStart: p.l.StartOffset(), LogEnd: p.l.EndOffset(), SizeBytes: p.l.SizeBytes(), Dir: p.l.Dir().ID()}
}

func (p *testPartition) OffsetForTimestamp(ts int64, _ bool) (int64, int64, int32, wire.ErrorCode) {
	switch ts {
	case -1:
		return p.hw.Load(), -1, p.epoch, wire.None
	case largestTimestamp:
		offset, found, epoch := p.l.MaxTimestamp()
		return offset, found, epoch, wire.None
	case -2, -4:
		return p.l.StartOffset(), -1, p.epoch, wire.None
	}
	return -1, -1, -1, wire.None
}

func (p *testPartition) EpochEnd(epoch, _ int32) (int32, int64, wire.ErrorCode) {
	e, end := p.l.EpochEnd(epoch)
	return e, end, wire.None
}

func (p *testPartition) DeleteRecords(before int64, done func(int64, wire.ErrorCode)) {
	if err := p.l.DeleteRecords(before); err != nil {
		done(-1, wire.KafkaStorageError)
		return
	}
	done(p.l.StartOffset(), wire.None)
}

func (p *testPartition) Producers() []commitlog.ProducerState { return p.l.Producers() }
