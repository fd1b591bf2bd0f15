package commitlog

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
	"millrace/internal/node/env/simenv"
)

// Test level 1d (row 1 of the test plan): a random history of everything a log directory can be asked to do, on a disk
// that dies anywhere, compared with a plain model. One seed is one history; it repeats exactly:
//
//	go test ./internal/node/commitlog -run TestSim$ -sim.seed=S -v
//
// and -sim.seeds=20000 is the long run.
var (
	simSeed    = flag.Uint64("sim.seed", 0, "run this one seed, and print its history")
	simSeeds   = flag.Int("sim.seeds", 1500, "number of seeds to run")
	simFirst   = flag.Uint64("sim.first", 1, "first seed to run")
	simWorkers = flag.Int("sim.workers", min(2, runtime.NumCPU()), "seeds run at the same time")
)

func TestSim(t *testing.T) {
	if *simSeed != 0 {
		if _, err := runSeed(*simSeed, os.Stdout); err != nil {
			t.Fatal(err)
		}
		return
	}
	seeds := *simSeeds
	if testing.Short() {
		seeds = min(seeds, 200)
	}
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range *simWorkers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(seeds) && failed.Load() < 3; i = next.Add(1) {
				seed := *simFirst + uint64(i) - 1
				if _, err := runSeed(seed, io.Discard); err != nil {
					failed.Add(1)
					t.Errorf("seed %d: %v\n\tgo test ./internal/node/commitlog -run 'TestSim$' -sim.seed=%d -v", seed, err, seed)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds in %v", seeds, time.Since(start).Round(time.Millisecond))
}

// TestSimRepeats runs seeds twice: the same operations, the same bytes on the disk.
func TestSimRepeats(t *testing.T) {
	for seed := *simFirst; seed < *simFirst+40; seed++ {
		a, _ := runSeed(seed, io.Discard)
		b, _ := runSeed(seed, io.Discard)
		if a != b {
			t.Fatalf("seed %d: two runs, two histories: something asks the clock, a map or a goroutine for its order", seed)
		}
	}
}

// sim is one history.
type sim struct {
	rng   *rand.Rand
	disk  *simenv.Disk
	clock *simenv.Clock
	out   io.Writer
	now   time.Time

	dir         *Dir
	options     DirOptions
	logs        []*simLog
	mix         []int // weights of the actions
	held        []heldSlice
	brokerEpoch int64
	clean       cleanStop
	faulty      bool // a rule may strike
	// The next two make a history independent of settings and losses.
	knowsWatermark bool // the host tells the high watermark again after a start
	valueLimit     int  // of the size of values; 0: what the segments hold
	step           int
}

// cleanStop is what the clean marker must say at the next start.
type cleanStop int

const (
	unclean cleanStop = iota
	stopped
	perhaps // the crash point lay inside Close
)

type simLog struct {
	topic  string
	id     wire.UUID
	config Config
	l      *Log // nil: not created, or lost before it was ever durable
	m      *modelLog

	deleting bool // the crash came during a deletion
}

// errCrash says that the disk died under an operation; errOffline that the directory refuses to go on.
var errCrash = errors.New("the machine died")

func runSeed(seed uint64, out io.Writer) (hash uint64, err error) {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 1)), disk: simenv.NewDisk(seed), clock: simenv.NewClock(time.Time{}), out: out}
	s.now = s.clock.Now()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in step %d: %v\n%s", s.step, r, debug.Stack())
		}
		hash = s.disk.Hash()
	}()
	s.configure(seed)
	if err := s.open(true); err != nil {
		return 0, fmt.Errorf("first open: %w", err)
	}
	for s.step = 1; s.step <= 60; s.step++ {
		if err := s.operation(); err != nil {
			return 0, fmt.Errorf("step %d: %w", s.step, err)
		}
	}
	s.mend()
	if err := s.reopen(); err != nil {
		return 0, fmt.Errorf("last reopen: %w", err)
	}
	return 0, nil
}

func (s *sim) logf(format string, args ...any) {
	if s.out != io.Discard {
		fmt.Fprintf(s.out, "%3d ops=%d "+format+"\n", append([]any{s.step, s.disk.Ops()}, args...)...)
	}
}

func (s *sim) pick(values ...int) int { return values[s.rng.IntN(len(values))] }
func (s *sim) seconds(values ...int) time.Duration {
	return time.Duration(s.pick(values...)) * time.Second
}
func (s *sim) chance(percent int) bool       { return s.rng.IntN(100) < percent }
func (s *sim) between(low, high int64) int64 { return low + s.rng.Int64N(high-low+1) }

func (s *sim) configure(seed uint64) {
	s.drawMix()
	s.directory()
	for i := range 1 + s.rng.IntN(2) {
		s.logs = append(s.logs, &simLog{topic: fmt.Sprintf("t%d", i), id: wire.NewUUID(seed+1, uint64(i)+1), m: newModelLog(), config: s.config()})
	}
	if s.chance(15) {
		s.disk.SetCapacity(int64(s.pick(60, 100, 200, 400)) << 10)
		s.faulty = true
	}
}

// slog lets the log's own words stand in the printed history.
func (s *sim) slog() *slog.Logger {
	if s.out == io.Discard {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(s.out, nil))
}

func (s *sim) directory() {
	s.options = DirOptions{
		Path: "/data", ClusterID: "cluster", NodeID: 1, Log: s.slog(),
		MaxOpenFiles: s.pick(1, 2, 8, 1000), RecoveryThreads: 1, SyncWorkers: Stepped, Reserve: 1,
		CheckpointInterval: s.seconds(1, 10, 100), CheckpointBytes: int64(s.pick(1000, 10_000, 1<<30)), HighWatermarkInterval: s.seconds(1, 5),
		RetentionInterval: s.seconds(1, 10), ProducerExpiryInterval: s.seconds(1, 10), CleanerBackoff: s.seconds(1, 1, 15),
	}
}

func (s *sim) config() Config {
	c := DefaultConfig()
	c.SegmentBytes = int64(s.pick(400, 1000, 1000, 3000, 12000, 1<<20))
	c.SegmentMs = int64(s.pick(3000, 60_000, 1<<30))
	c.IndexIntervalBytes = s.pick(0, 1, 100, 1000, 4096)
	c.SegmentIndexBytes = s.pick(24, 64, 4096, 10<<20)
	c.FlushBeforeAck = s.chance(70)
	c.FlushMessages = int64(s.pick(1, 5, 1<<30))
	c.FlushMs = int64(s.pick(0, 1000, 1<<30))
	c.FileDeleteDelayMs = int64(s.pick(0, 1000, 60_000))
	c.LogAppendTime = s.chance(10)
	c.ProducerIDExpirationMs = 1 << 50
	switch s.rng.IntN(6) {
	case 0:
		c.RetentionBytes = int64(s.pick(500, 2000, 8000))
	case 1:
		c.RetentionMs = int64(s.pick(0, 5000, 60_000))
	case 2, 3:
		c.Compact, c.DeletePolicy = true, s.chance(25)
		c.MinCleanableRatio = []float64{0, 0.2, 0.5}[s.rng.IntN(3)]
		c.DeleteRetentionMs = int64(s.pick(0, 5000, 60_000))
		c.MinCompactionLagMs = int64(s.pick(0, 0, 0, 10_000))
		c.MaxCompactionLagMs = int64(s.pick(5000, 1<<40))
	}
	return c
}

// open starts the node and holds every log against its model. killed tells what the last one may have lost.
func (s *sim) open(killed bool) error {
	s.options.Configure = func(topic string) Config { return s.logs[topic[1]-'0'].config }
	s.options.Env = env.Env{Clock: s.clock, Disk: s.disk.Process(), Random: simenv.NewRandom(s.rng.Uint64()), Network: nil}
	d, err := OpenDir(s.options)
	if err == nil {
		err = d.Load(nil)
	}
	if err != nil {
		return s.explain("open", err)
	}
	s.dir = d
	if s.clean != perhaps && !keepCleanMarker && d.Clean() != (s.clean == stopped) || d.Clean() && !keepCleanMarker && d.BrokerEpoch() != s.brokerEpoch {
		return fmt.Errorf("DUR-1: clean stop %v, broker epoch %d; the directory says %v, %d", s.clean == stopped, s.brokerEpoch, d.Clean(), d.BrokerEpoch())
	}
	s.clean = unclean
	for i, sl := range s.logs {
		if err := s.recovered(sl, killed); err != nil {
			s.logf("%s", strings.Join(s.disk.Tree(), "\n"))
			if sl.l != nil {
				sl.dump(s)
			}
			return fmt.Errorf("log %d: %w", i, err)
		}
	}
	return nil
}

func (s *sim) recovered(sl *simLog, killed bool) error {
	known := sl.l != nil
	sl.l = s.dir.Log(sl.topic, 0)
	if sl.l == nil && sl.deleting {
		sl.forget(s)
		return nil
	}
	sl.deleting = false
	if sl.l == nil {
		if known && (sl.m.flushed > 0 || sl.m.start > 0 || killed && sl.m.end > 0) {
			return fmt.Errorf("DUR-1: the log is gone, flushed %d", sl.m.flushed)
		}
		sl.m = newModelLog()
		return nil
	}
	if err := sl.l.Err(); err != nil {
		return fmt.Errorf("not usable after recovery: %w", err)
	}
	sl.l.SetConfig(sl.config)
	s.watch(sl)
	s.logf("recovered %s: start %d end %d hw %d; model start %d end %d flushed %d doubt %d", sl.topic, sl.l.StartOffset(), sl.l.EndOffset(),
		sl.l.HighWatermark(), sl.m.start, sl.m.end, sl.m.flushed, len(sl.m.doubt))
	before := sl.m.epochs
	if err := sl.m.settle(sl.l.StartOffset(), sl.l.EndOffset(), killed); err != nil {
		return err
	}
	// An epoch without a batch may or may not have been written.
	if n := len(before); n > len(sl.m.epochs) && before[n-1].start == sl.m.end && before[n-1].epoch == sl.l.LatestEpoch() {
		sl.m.epochs = append(sl.m.epochs, before[n-1])
	}
	if hw := sl.l.HighWatermark(); hw > sl.m.end {
		return fmt.Errorf("high watermark %d after recovery, end %d", hw, sl.m.end)
	}
	if s.knowsWatermark {
		sl.l.SetHighWatermark(sl.m.highest)
	}
	sl.m.highest = sl.l.HighWatermark()
	return s.verify(sl)
}

func (s *sim) verify(sl *simLog) error {
	if sl.l.StartOffset() != sl.m.start || sl.l.EndOffset() != sl.m.end {
		return fmt.Errorf("the log is %d..%d, want %d..%d", sl.l.StartOffset(), sl.l.EndOffset(), sl.m.start, sl.m.end)
	}
	if sl.m.start == sl.m.end && sl.l.LatestEpoch() < 0 { // nothing is left that an epoch could start with
		sl.m.forgetEpochs()
	}
	if sl.m.start == sl.m.end && sl.m.epochs == nil && sl.l.LatestEpoch() == sl.m.epoch { // or the file still knew it
		sl.m.assign(sl.m.epoch)
	}
	err := sl.m.compare(sl.l)
	if err == nil {
		err = sl.m.compareState(sl.l)
	}
	if err != nil {
		sl.dump(s)
	}
	return err
}

func (s *sim) watch(sl *simLog) {
	l, m := sl.l, sl.m
	l.OnFlushed(func(end int64) {
		if s.dir.Failed() != nil {
			panic("DUR-5: a flush was reported on a failed directory")
		}
		if end > m.end {
			panic(fmt.Sprintf("flushed end %d, end %d", end, m.end))
		}
		m.flushed = max(m.flushed, end)
	})
	if f := l.FlushedEnd(); f > l.EndOffset() {
		panic(fmt.Sprintf("flushed end %d, end %d", f, l.EndOffset()))
	}
}

// dump tells what the log keeps in memory, for the history of a failed seed.
func (sl *simLog) dump(s *sim) {
	for _, seg := range sl.l.segments {
		s.logf("segment %d: size %d synced %d offsets %d+%d times %d+%d known %v largest %d at %d first %d aborted %v", seg.base, seg.size, seg.synced,
			seg.offsets.n, len(seg.offsets.tail)/offsetEntrySize, seg.times.n, len(seg.times.tail)/timeEntrySize, seg.offsets.known,
			seg.largestTime, seg.largestTimeAt, seg.firstTime, seg.aborted)
	}
	for _, b := range sl.m.history {
		s.logf("batch %d..%d producer %d epoch %d sequence %d txn %v marker %v %v time %d..%d", b.h.BaseOffset, b.h.LastOffset(), b.h.ProducerID,
			b.h.ProducerEpoch, b.h.BaseSequence, b.h.Transactional(), b.marker, b.commit, b.h.BaseTimestamp, b.h.MaxTimestamp)
	}
}

// explain passes an error that nothing in this history can have caused.
func (s *sim) explain(what string, err error) error {
	s.logf("%s: %v", what, err)
	if s.disk.Down() || s.faulty {
		return errCrash
	}
	return fmt.Errorf("%s: %w", what, err)
}

// operation does one random thing. A crash under it, or a directory gone offline, is followed by a recovery.
func (s *sim) operation() error {
	s.now = s.now.Add(time.Duration(s.rng.IntN(3000)) * time.Millisecond)
	s.clock.Advance(s.now.Sub(s.clock.Now()))
	if s.chance(4) {
		s.disk.CrashAt(s.disk.Ops() + 1 + uint64(s.rng.IntN(25)))
	}
	if s.chance(2) {
		s.addRule()
	}
	armPoint(s)
	err := s.act()
	if s.faulty && (errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, failpoint.ErrInjected)) {
		err = errCrash
	}
	if errors.Is(err, errCrash) || err == nil && (s.disk.Down() || s.dir.Failed() != nil) {
		return s.crash()
	}
	return err
}

func (s *sim) addRule() {
	ops := []simenv.Op{simenv.OpRead, simenv.OpOpen, simenv.OpWrite, simenv.OpSync, simenv.OpSync, simenv.OpRename, simenv.OpCreate, simenv.OpRemove, simenv.OpTruncate, simenv.OpSyncDir}
	r := simenv.Rule{
		Op: ops[s.rng.IntN(len(ops))], Path: []string{"", "*.log", "*.index", "*.snapshot", "*checkpoint*", "*.txnindex"}[s.rng.IntN(6)],
		Nth: 1 + s.rng.IntN(4), Err: []error{syscall.EIO, syscall.ENOSPC}[s.rng.IntN(2)],
	}
	s.logf("rule %v %q n=%d %v", r.Op, r.Path, r.Nth, r.Err)
	s.disk.Fail(r)
	s.faulty = true
}

// armPoint lets a fail point strike, where the build has any; see sim_points_test.go.
var armPoint, disarmPoints = func(*sim) {}, func() {}

// mend takes all faults away.
func (s *sim) mend() {
	disarmPoints()
	s.disk.ClearFaults()
	s.disk.SetCapacity(1 << 40)
	s.faulty = false
}

// crash ends the process or the machine, and starts the node again; that may crash too.
func (s *sim) crash() error {
	onlyKills := true
	s.held = nil // with their process
	for {
		killed := s.rng.IntN(2) == 0
		keep := []float64{0, 0.5, 1}[s.rng.IntN(3)]
		onlyKills = onlyKills && killed && !s.faulty // after a failed sync the page cache no longer holds what was appended
		if killed {
			s.logf("kill")
			s.disk.Kill()
		} else {
			s.logf("power cut, %v kept", keep)
			s.disk.PowerCut(keep)
		}
		s.mend()
		if s.chance(15) {
			s.disk.CrashAt(s.disk.Ops() + 1 + uint64(s.rng.IntN(40)))
		}
		err := s.open(onlyKills)
		if errors.Is(err, errCrash) {
			if s.clean == stopped {
				s.clean = perhaps // it was removed, or not yet
			}
			continue
		}
		if err == nil && s.disk.Down() {
			continue
		}
		return err
	}
}

// reopen is a clean stop and start, sometimes with a power cut in between, which must change nothing.
func (s *sim) reopen() error {
	if err := s.release(true); err != nil {
		return err
	}
	s.brokerEpoch++
	s.logf("close, broker epoch %d", s.brokerEpoch)
	err := s.dir.Close(s.brokerEpoch)
	if err != nil || s.disk.Down() {
		if err := s.explain("close", err); !errors.Is(err, errCrash) {
			return err
		}
		s.clean = perhaps
		return s.crash()
	}
	s.clean = stopped
	for _, sl := range s.logs {
		sl.m.flushed = sl.m.end
	}
	switch {
	case s.chance(30):
		keep := []float64{0, 0.5, 1}[s.rng.IntN(3)]
		s.logf("power cut after a clean stop, %v kept", keep)
		s.disk.PowerCut(keep)
	case s.chance(50):
		s.disk.Kill()
	}
	err = s.open(true)
	if errors.Is(err, errCrash) || err == nil && s.disk.Down() {
		s.clean = perhaps
		return s.crash()
	}
	return err
}

// action is one kind of operation and how often it comes; each seed draws its own mix around these weights.
type action struct {
	weight int
	do     func(s *sim, sl *simLog) error
}

var actions = []action{
	{100, (*sim).append},
	{30, func(s *sim, _ *simLog) error { return s.sync() }},
	{12, (*sim).watermark},
	{10, (*sim).read},
	{6, (*sim).hold},
	{12, func(s *sim, _ *simLog) error { return s.tick() }},
	{5, (*sim).deleteRecords},
	{4, (*sim).truncate},
	{5, (*sim).assignEpoch},
	{5, (*sim).timestamps},
	{5, (*sim).verify},
	{1, (*sim).deleteLog},
	{4, func(s *sim, _ *simLog) error { return s.reopen() }},
	{7, func(s *sim, _ *simLog) error { return s.crash() }},
}

// drawMix makes some kinds frequent and others rare in this seed: rare combinations need a bias.
func (s *sim) drawMix() {
	for _, a := range actions {
		s.mix = append(s.mix, 1+a.weight*s.pick(0, 1, 2, 2, 4, 16)/2)
	}
}

func (s *sim) act() error {
	sl := s.logs[s.rng.IntN(len(s.logs))]
	if sl.l == nil {
		return s.create(sl)
	}
	total := 0
	for _, w := range s.mix {
		total += w
	}
	n := s.rng.IntN(total)
	for i, w := range s.mix {
		if n < w {
			return actions[i].do(s, sl)
		}
		n -= w
	}
	return nil
}

func (s *sim) assignEpoch(sl *simLog) error {
	sl.m.assign(max(sl.m.latestEpoch(), sl.m.epoch) + 1)
	s.logf("epoch %d of %s", sl.m.latestEpoch(), sl.topic)
	sl.l.AssignEpoch(sl.m.latestEpoch())
	return nil
}

// deleteLog: the topic is deleted, and another of the same name may come (RET-3).
func (s *sim) deleteLog(sl *simLog) error {
	s.logf("delete %s", sl.topic)
	s.release(true)
	if err := s.dir.Delete(sl.l); err != nil {
		sl.deleting = true
		return s.explain("delete", err)
	}
	sl.forget(s)
	return nil
}

func (sl *simLog) forget(s *sim) {
	sl.l, sl.m, sl.deleting = nil, newModelLog(), false
	sl.id = wire.NewUUID(s.rng.Uint64(), s.rng.Uint64())
}

// heldSlice is a range that a slow reader holds while the log goes on, rolls, is cleaned and loses its old segments.
type heldSlice struct {
	Slice
	bytes []byte
}

func (s *sim) hold(sl *simLog) error {
	if len(s.held) > 3 {
		return s.release(true)
	}
	if sl.m.end == sl.m.start {
		return nil
	}
	slice, err := sl.l.Read(s.between(sl.m.start, sl.m.end-1), sl.m.end, s.pick(1, 500, 1<<20), true)
	if err != nil {
		return s.explain("read", err)
	}
	h := heldSlice{slice, make([]byte, slice.Size())}
	if err := slice.ReadAt(h.bytes, 0); err != nil {
		return s.explain("read", err)
	}
	s.held = append(s.held, h)
	return nil
}

// release lets all slices go; while the process lives, their bytes are what they were (L1).
func (s *sim) release(alive bool) error {
	held := s.held
	s.held = nil
	for _, h := range held {
		if alive {
			now := make([]byte, len(h.bytes))
			if err := h.ReadAt(now, 0); err != nil {
				return s.explain("read of a held slice", err)
			}
			if !bytes.Equal(now, h.bytes) {
				return fmt.Errorf("DUR-7: a held slice changed")
			}
		}
		h.Release()
	}
	return nil
}

func (s *sim) create(sl *simLog) error {
	l, err := s.dir.Create(sl.topic, 0, sl.id, sl.config)
	if err != nil {
		return s.explain("create", err)
	}
	s.logf("create %s %+v", sl.topic, sl.config)
	sl.l, sl.m = l, newModelLog()
	s.watch(sl)
	return nil
}

func (s *sim) sync() error {
	s.logf("sync")
	s.dir.SyncOnce()
	if err := s.dir.Failed(); err != nil {
		return s.explain("sync", err)
	}
	return nil
}

func (s *sim) watermark(sl *simLog) error {
	top := sl.m.flushed
	if !sl.config.FlushBeforeAck {
		top = sl.m.end
	}
	if top > sl.m.highest {
		sl.m.highest = s.between(sl.m.highest, top)
		if s.chance(60) {
			sl.m.highest = top
		}
		s.logf("high watermark of %s %d", sl.topic, sl.m.highest)
		sl.m.visible = max(sl.m.visible, sl.m.highest)
		sl.l.SetHighWatermark(sl.m.highest)
	}
	return nil
}

func (s *sim) deleteRecords(sl *simLog) error {
	if sl.m.highest <= sl.m.start {
		return nil
	}
	before := s.between(sl.m.start, sl.m.highest)
	s.logf("delete records of %s before %d", sl.topic, before)
	if err := sl.l.DeleteRecords(before); err != nil {
		sl.m.startTo = before
		return s.explain("delete records", err)
	}
	sl.m.start = before
	if sl.l.StartOffset() != before {
		return fmt.Errorf("RET-2: start %d after deleting before %d", sl.l.StartOffset(), before)
	}
	return nil
}

func (s *sim) truncate(sl *simLog) error {
	first := sl.m.containing(sl.m.visible)
	if first >= len(sl.m.history) {
		return nil
	}
	at := sl.m.history[first+s.rng.IntN(len(sl.m.history)-first)].h.BaseOffset
	if at < sl.m.start || at < sl.m.visible {
		return nil
	}
	if err := s.release(true); err != nil { // their bytes may go now
		return err
	}
	s.logf("truncate %s to %d (end %d)", sl.topic, at, sl.m.end)
	if err := sl.l.TruncateTo(at); err != nil {
		sl.m.cutTo = at
		return s.explain("truncate", err)
	}
	sl.m.cut(at)
	if sl.l.EndOffset() != sl.m.end {
		return fmt.Errorf("end %d after truncation to %d", sl.l.EndOffset(), at)
	}
	return nil
}

// tick runs retention and compaction.
func (s *sim) tick() error {
	for _, sl := range s.logs {
		if sl.l != nil && sl.config.Compact {
			sl.m.cleanings = append(sl.m.cleanings, cleaning{sl.m.lastStable(sl.m.highest), s.now.UnixMilli()})
		}
	}
	before := s.starts()
	s.logf("tick")
	var lost error
	s.dir.Tick(s.now)
	for i, sl := range s.logs {
		if sl.l == nil {
			continue
		}
		// What was decided may be on disk although a crash kept it from being shown.
		if start := max(sl.l.StartOffset(), sl.l.nextStart.Load()); start != before[i] {
			s.logf("start of %s %d -> %d", sl.topic, before[i], start)
			if err := s.retained(sl, start); err != nil {
				return err
			}
			if s.disk.Down() || s.dir.Failed() != nil || s.faulty { // it may not have become durable
				sl.m.startTo = start
				lost = errCrash
			} else {
				sl.m.start = start
			}
		}
	}
	if err := s.dir.Failed(); err != nil {
		return s.explain("tick", err)
	}
	return lost
}

func (s *sim) starts() []int64 {
	starts := make([]int64, len(s.logs))
	for i, sl := range s.logs {
		if sl.l != nil {
			starts[i] = sl.l.StartOffset()
		}
	}
	return starts
}

// retained checks that retention took only what the rule allows (RET-1).
func (s *sim) retained(sl *simLog, start int64) error {
	c := &sl.config
	if start > sl.m.highest {
		return fmt.Errorf("RET-1: start %d above the high watermark %d", start, sl.m.highest)
	}
	if !c.DeletePolicy {
		return fmt.Errorf("RET-1: start moved to %d without retention", start)
	}
	var left int64
	for _, b := range sl.m.history[sl.m.containing(start):] {
		left += int64(len(b.bytes))
	}
	for _, b := range sl.m.history[sl.m.containing(sl.m.start):sl.m.containing(start)] {
		byTime := c.RetentionMs >= 0 && b.h.MaxTimestamp < s.now.UnixMilli()-c.RetentionMs
		bySize := c.RetentionBytes >= 0 && left >= c.RetentionBytes
		if !byTime && !bySize {
			return fmt.Errorf("RET-1: batch %d..%d of %d ms went, now %d, left %d bytes", b.h.BaseOffset, b.h.LastOffset(),
				b.h.MaxTimestamp, s.now.UnixMilli(), left)
		}
	}
	return nil
}

func (s *sim) read(sl *simLog) error {
	m := sl.m
	if m.end == m.start {
		return nil
	}
	from, below, size := s.between(m.start, m.end-1), s.between(m.start, m.end), s.pick(1, 100, 1000, 1<<20)
	if below <= from {
		below = m.end
	}
	got, err := readSome(sl.l, from, below, size)
	if err != nil {
		return s.explain("read", err)
	}
	return m.checkRead(got, from, below, size)
}

func (s *sim) timestamps(sl *simLog) error {
	m := sl.m
	if len(m.cleanings) > 0 || m.end == m.start {
		return nil
	}
	ts := s.now.UnixMilli() - int64(s.rng.IntN(100_000))
	below := m.end
	if at := m.containing(s.between(m.start, m.end)); at < len(m.history) {
		below = m.history[at].h.NextOffset()
	}
	wantOffset, wantTime := m.forTimestamp(ts, below)
	offset, at, _, found, err := sl.l.OffsetForTimestamp(ts, below)
	if err != nil {
		return s.explain("offset for timestamp", err)
	}
	if found != (wantOffset >= 0) || found && (offset != wantOffset || at != wantTime) {
		sl.dump(s)
		return fmt.Errorf("ORD-9: first offset at or after %d below %d: %d (%d) %v, want %d (%d)", ts, below, offset, at, found, wantOffset, wantTime)
	}
	return nil
}
