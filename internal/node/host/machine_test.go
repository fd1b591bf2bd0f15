package host

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/core/machine/toy"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

const ledgers = "__ledgers"

// bank is a node whose internal topic holds toy ledgers.
type bank struct {
	*rig
	gate *gate

	mu      sync.Mutex
	live    map[int32]*toy.Ledger // the newest of each partition
	made    int
	effects []toy.Deliver
	answer  time.Duration // how long a delivery takes; negative: it never comes
}

func newBank(t *testing.T, seed uint64) *bank {
	b := &bank{live: map[int32]*toy.Ledger{}}
	b.rig = newRig(t, seed, func(o *Options) {
		b.gate = &gate{Disk: o.Env.Disk}
		o.Env.Disk = b.gate
		o.Machines = map[string]func(int32) machine.Machine{ledgers: b.make}
		o.Perform = b.perform
	})
	b.open()
	b.create(ledgers, 2)
	synctest.Wait()
	return b
}

func (b *bank) make(partition int32) machine.Machine {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := toy.New()
	b.live[partition] = l
	b.made++
	return l
}

func (b *bank) perform(_ Machine, effect any, answer func(any)) {
	d := effect.(toy.Deliver)
	b.mu.Lock()
	b.effects = append(b.effects, d)
	after := b.answer
	b.mu.Unlock()
	switch {
	case after == 0:
		answer(toy.Delivered{Promise: d.Promise})
	case after > 0:
		simClock().AfterFunc(after, func() { answer(toy.Delivered{Promise: d.Promise}) })
	}
}

func (b *bank) performed() []toy.Deliver {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.effects)
}

// ledger is the newest machine of a partition once nothing moves any more.
func (b *bank) ledger(partition int32) *toy.Ledger {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live[partition]
}

type reply struct {
	body any
	code wire.ErrorCode
}

func (b *bank) begin(partition int32, body any) chan reply {
	c := make(chan reply, 1)
	b.h.Ask(ledgers, partition, body, func(body any, code wire.ErrorCode) { c <- reply{body, code} })
	return c
}

func (b *bank) end(partition int32, m Marker) chan reply {
	c := make(chan reply, 1)
	b.part(ledgers, partition).EndTransaction(m, func(code wire.ErrorCode) { c <- reply{nil, code} })
	return c
}

func (b *bank) ask(partition int32, body any) any {
	b.Helper()
	got := <-b.begin(partition, body)
	if got.code != wire.None {
		b.Fatalf("%+v: %v", body, got.code)
	}
	return got.body
}

func (b *bank) wantBalance(account string, settled, held int64) {
	b.Helper()
	want := toy.Balance{Account: account, Settled: settled, Held: held}
	if got := b.ask(0, toy.Read{Account: account}); got != want {
		b.Errorf("%+v, want %+v", got, want)
	}
}

// gate is a disk whose syncs of one file can be held up.
type gate struct {
	env.Disk
	mu   sync.Mutex
	held chan struct{}
	dir  string
}

func (g *gate) hold(dir string) (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := make(chan struct{})
	g.held, g.dir = held, dir
	return func() {
		g.mu.Lock()
		g.held = nil
		g.mu.Unlock()
		close(held)
	}
}

func (g *gate) Create(name string) (env.File, error) { return g.wrap(name, g.Disk.Create) }
func (g *gate) Open(name string) (env.File, error)   { return g.wrap(name, g.Disk.Open) }

func (g *gate) wrap(name string, open func(string) (env.File, error)) (env.File, error) {
	f, err := open(name)
	if err != nil || path.Ext(name) != ".log" {
		return f, err
	}
	return &gated{f, g, path.Base(path.Dir(name))}, nil
}

type gated struct {
	env.File
	g   *gate
	dir string
}

func (f *gated) Sync() error {
	f.g.mu.Lock()
	held := f.g.held
	if f.dir != f.g.dir {
		held = nil
	}
	f.g.mu.Unlock()
	if held != nil {
		<-held
	}
	return f.File.Sync()
}

// Replies, effects and reads wait until what they stand on is committed, and come in the order of the commands
// (decision 8; package machine, step 3).
func TestAMachineSpeaksOnlyOfWhatIsCommitted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.answer = -1
		b.ask(0, toy.Add{Account: "a", Amount: 1})
		release := b.gate.hold(ledgers + "-0")
		var mu sync.Mutex
		var order []string
		say := func(what string) func(any, wire.ErrorCode) {
			return func(body any, code wire.ErrorCode) {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, fmt.Sprint(what, body, code))
			}
		}
		b.h.Ask(ledgers, 0, toy.Add{Account: "a", Amount: 2}, say("add"))
		b.h.Ask(ledgers, 0, toy.Read{Account: "a"}, say("read"))
		b.h.Ask(ledgers, 0, toy.Order{Account: "a", Amount: 4}, say("order"))
		b.h.Ask(ledgers, 0, toy.Read{Account: "b"}, say("read"))
		pass(time.Minute)
		mu.Lock()
		if len(order) > 0 || len(b.performed()) > 0 {
			t.Errorf("before the commit: replies %v, effects %v", order, b.performed())
		}
		mu.Unlock()
		if l := b.ledger(0); l.Balance("a").Settled != 3 || l.Promises() != 1 {
			t.Errorf("the next command does not see what was appended:\n%s", l.Dump())
		}
		release()
		synctest.Wait()
		mu.Lock()
		want := fmt.Sprint([]string{fmt.Sprint("add", toy.Balance{Account: "a", Settled: 3}, wire.None), fmt.Sprint("read", toy.Balance{Account: "a", Settled: 3}, wire.None),
			fmt.Sprint("order", toy.Ordered{Promise: 0}, wire.None), fmt.Sprint("read", toy.Balance{Account: "b"}, wire.None)})
		if fmt.Sprint(order) != want || len(b.performed()) != 1 {
			t.Errorf("after the commit: %v, effects %v; want %s", order, b.performed(), want)
		}
		mu.Unlock()
		b.close()
	})
}

// An effect's answer comes back as a command, now or later; what was not answered is asked again after a load.
func TestEffectsAreDelivered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.ask(0, toy.Order{Account: "a", Amount: 5})
		b.wantBalance("a", 5, 0)
		b.answer = time.Minute
		b.ask(0, toy.Order{Account: "a", Amount: 7})
		b.wantBalance("a", 5, 0)
		pass(2 * time.Minute)
		b.wantBalance("a", 12, 0)
		b.answer = -1
		b.ask(0, toy.Order{Account: "a", Amount: 9})
		b.kill()
		b.answer = 0
		b.open()
		synctest.Wait()
		b.wantBalance("a", 21, 0)
		if l := b.ledger(0); l.Promises() != 0 {
			t.Errorf("promises are left:\n%s", l.Dump())
		}
		if got := b.performed(); len(got) != 4 || got[2] != got[3] {
			t.Errorf("effects: %v", got)
		}
		b.close()
	})
}

// Transactional writes of a machine count when a marker says so; the live machine hears of markers that it did not
// write, and one that is rebuilt from the log comes to the same state.
func TestMachinesHearOfMarkers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		p, q := machine.Producer{ID: 10}, machine.Producer{ID: 11, Epoch: 3}
		b.ask(0, toy.TxnAdd{Producer: p, Account: "a", Amount: 100})
		b.ask(0, toy.TxnAdd{Producer: q, Account: "a", Amount: 7})
		b.wantBalance("a", 0, 107)
		parked := b.begin(0, toy.Park{Account: "a", AtLeast: 100, For: time.Hour})
		if s := b.part(ledgers, 0).State(); s.LastStable != 0 || s.HighWatermark != 2 {
			t.Errorf("last stable offset under open transactions: %+v", s)
		}
		if got := <-b.end(0, Marker{Producer: p, Commit: true}); got.code != wire.None {
			t.Fatal(got.code)
		}
		if got := <-parked; got.code != wire.None || got.body.(toy.Woken).Why != toy.Reached {
			t.Errorf("the marker woke nobody: %+v", got)
		}
		b.wantBalance("a", 100, 7)
		if got := <-b.end(0, Marker{Producer: machine.Producer{ID: 11, Epoch: 2}}); got.code != wire.InvalidProducerEpoch {
			t.Errorf("a marker of an older epoch: %v", got.code)
		}
		b.wantBalance("a", 100, 7)
		b.kill()
		b.open()
		synctest.Wait()
		b.wantBalance("a", 100, 7)
		if got := <-b.end(0, Marker{Producer: q}); got.code != wire.None {
			t.Fatal(got.code)
		}
		b.wantBalance("a", 100, 0)
		was := b.ledger(0).Hash()
		b.close()
		b.open()
		if l := b.ledger(0); l.Hash() != was {
			t.Errorf("rebuilt as\n%s", l.Dump())
		}
		// A partition without a machine takes markers too.
		b.create("t", 1)
		got := make(chan wire.ErrorCode, 1)
		b.part("t", 0).EndTransaction(Marker{Producer: p, Commit: true}, func(code wire.ErrorCode) { got <- code })
		if code := <-got; code != wire.None {
			t.Error(code)
		}
		b.close()
	})
}

// Parked callers are answered by time, by others, and when the node stops.
func TestParkedReplies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		began := time.Now()
		late := b.begin(0, toy.Park{Account: "a", AtLeast: 1, For: 30 * time.Second})
		later := b.begin(0, toy.Park{Account: "a", AtLeast: 1, For: 20 * time.Second})
		if got := (<-later).body.(toy.Woken); got.Why != toy.TimedOut || time.Since(began) != 20*time.Second {
			t.Errorf("%+v after %v", got, time.Since(began))
		}
		if got := (<-late).body.(toy.Woken); got.Why != toy.TimedOut || time.Since(began) != 30*time.Second {
			t.Errorf("%+v after %v", got, time.Since(began))
		}
		freed := b.begin(0, toy.Park{Account: "a", AtLeast: 1, For: time.Hour})
		if got := b.ask(0, toy.Release{Account: "a"}); got != (toy.Released{Callers: 1}) {
			t.Errorf("%+v", got)
		}
		if got := (<-freed).body.(toy.Woken); got.Why != toy.Freed {
			t.Errorf("%+v", got)
		}
		parked := b.begin(0, toy.Park{Account: "a", AtLeast: 1, For: time.Hour})
		synctest.Wait()
		b.close()
		if got := <-parked; got.code != wire.NotCoordinator {
			t.Errorf("at the end: %+v", got)
		}
		if got := <-b.begin(0, toy.Read{Account: "a"}); got.code != wire.NotCoordinator {
			t.Errorf("after the end: %+v", got)
		}
	})
}

// A failed append drops the machine with everything that it held for callers; the one loaded next knows what the log
// knows.
func TestAFailedAppendDropsTheMachine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.ask(0, toy.Add{Account: "a", Amount: 3})
		was, made := b.ledger(0).Hash(), b.made
		parked := b.begin(0, toy.Park{Account: "a", AtLeast: 100, For: time.Hour})
		synctest.Wait()
		b.disk.Fail(simenv.Rule{Op: simenv.OpWrite, Path: "/a/" + ledgers + "-0/*.log", Err: syscall.ENOSPC})
		if got := <-b.begin(0, toy.Add{Account: "a", Amount: 100}); got.code != wire.NotCoordinator {
			t.Errorf("the command that could not be written: %+v", got)
		}
		if got := <-parked; got.code != wire.NotCoordinator {
			t.Errorf("the parked caller: %+v", got)
		}
		if l := b.ledger(0); l.Hash() != was || b.made != made+1 {
			t.Errorf("%d machines were made; the last is\n%s", b.made, l.Dump())
		}
		b.ask(0, toy.Add{Account: "a", Amount: 1})
		b.wantBalance("a", 4, 0)
		b.close()
	})
}

// A new leader epoch drops the machine too: somebody else may have led in between.
func TestANewEpochLoadsTheMachineAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.ask(0, toy.Add{Account: "a", Amount: 3})
		was, made := b.ledger(0).Hash(), b.made
		parked := b.begin(0, toy.Park{Account: "a", AtLeast: 100, For: time.Hour})
		synctest.Wait()
		if _, err := b.h.startLeading(); err != nil {
			t.Fatal(err)
		}
		if got := <-parked; got.code != wire.NotCoordinator {
			t.Errorf("the parked caller: %+v", got)
		}
		if l := b.ledger(0); l.Hash() != was || b.made != made+2 {
			t.Errorf("%d machines were made; the last is\n%s", b.made, l.Dump())
		}
		b.wantBalance("a", 3, 0)
		b.close()
	})
}

// A record that its own machine cannot replay does not get into the log.
func TestPoisonIsNotWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.ask(0, toy.Add{Account: "a", Amount: 3})
		end := b.part(ledgers, 0).log.EndOffset()
		if got := <-b.begin(0, toy.Poison{}); got.code != wire.NotCoordinator {
			t.Errorf("the command that makes poison: %+v", got)
		}
		synctest.Wait()
		if now := b.part(ledgers, 0).log.EndOffset(); now != end {
			t.Errorf("the log ends at %d, it was %d", now, end)
		}
		b.wantBalance("a", 3, 0)
		b.close()
	})
}

// A record that cannot be replayed takes its partition out of service, and nothing else (MET-4). The machine finds out that
// somebody else has written to its log as soon as it appends: its own records are not where it expected them.
func TestAPoisonedLogIsNotServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.ask(1, toy.Add{Account: "b", Amount: 1})
		r := toy.New().Handle(time.Now(), machine.Command{Body: toy.Poison{}}).Records[0]
		poison, err := batch.Build(nil, batch.Plain(0, 0, time.Now().UnixMilli()), []batch.Record{{Key: r.Key, Value: r.Value}})
		if err != nil {
			t.Fatal(err)
		}
		send(b.part(ledgers, 0), -1, poison)
		if got := <-b.begin(0, toy.Add{Account: "a", Amount: 1}); got.code != wire.NotCoordinator {
			t.Errorf("an append behind a stranger's: %+v", got)
		}
		synctest.Wait()
		for range 2 {
			if got := <-b.begin(0, toy.Read{Account: "a"}); got.code != wire.CoordinatorNotAvailable {
				t.Errorf("a poisoned ledger: %+v", got)
			}
			if d, _ := send(b.part(ledgers, 0), -1, values("x")); d.Err != wire.KafkaStorageError {
				t.Errorf("its partition: %+v", d)
			}
			b.ask(1, toy.Add{Account: "b", Amount: 1})
			b.close()
			b.open()
			synctest.Wait()
		}
		b.close()
	})
}

// A directory that fails tells everybody who waits at a machine on it.
func TestAFailedDirectoryTellsParkedCallers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		change := b.change
		b.close()
		b.change = func(o *Options) { change(o); o.Dirs = []string{"/a", "/b"} }
		b.open()
		b.create("t", 4)
		other := int32(slices.IndexFunc([]int32{0, 1, 2, 3}, func(i int32) bool { return b.part("t", i).log.Dir().Path() == "/b" }))
		b.delete(ledgers)
		b.create("filler", 1)
		b.create(ledgers, 2)
		synctest.Wait()
		at := int32(slices.IndexFunc([]int32{0, 1}, func(i int32) bool { return b.part(ledgers, i).log.Dir().Path() == "/b" }))
		if other < 0 || at < 0 {
			t.Fatal("nothing lies in /b")
		}
		parked := b.begin(at, toy.Park{Account: "a", AtLeast: 100, For: time.Hour})
		synctest.Wait()
		began := time.Now()
		b.disk.Fail(simenv.Rule{Op: simenv.OpSync, Path: fmt.Sprintf("/b/t-%d/*.log", other)})
		send(b.part("t", other), -1, values("x"))
		if got := <-parked; got.code != wire.NotCoordinator || time.Since(began) > time.Second {
			t.Errorf("%+v after %v", got, time.Since(began))
		}
		b.ask(1-at, toy.Add{Account: "a", Amount: 1})
		b.h.Close()
	})
}

// promise is what the ledger's callers know of one account: at least what was acknowledged, at most what was asked.
type promise struct{ least, most int64 }

// The ledger keeps its promises over stops, kills and power cuts at random places: a balance is never less than what
// was acknowledged nor more than what was asked, and a machine rebuilt from the log is the one that ran.
func TestLedgersKeepTheirPromises(t *testing.T) {
	seeds(t, 30, func(t *testing.T, seed uint64, rng *rand.Rand) {
		b := newBank(t, seed)
		b.answer = []time.Duration{0, time.Second, -1}[rng.IntN(3)]
		want := map[string]*promise{}
		for _, a := range []string{"a", "b", "c"} {
			want[a] = &promise{}
		}
		for round := range 6 {
			crash := rng.IntN(3) != 0
			if crash {
				b.disk.CrashAt(b.disk.Ops() + 1 + uint64(rng.IntN(60)))
			}
			for step := range 20 {
				b.trade(rng, want, int64(round*100+step))
			}
			var was string
			if !crash {
				was = b.ledger(0).Dump()
			}
			switch {
			case rng.IntN(2) == 0 && !crash:
				b.close()
			case rng.IntN(2) == 0:
				b.kill()
			default:
				b.cut([]float64{0, 0.5, 1}[rng.IntN(3)])
			}
			b.disk.ClearFaults()
			held := b.answer
			b.answer = -1
			b.open()
			if l := b.ledger(0); was != "" && l.Dump() != was {
				t.Fatalf("round %d: rebuilt as\n%sit ran as\n%s", round, l.Dump(), was)
			}
			b.audit(round, want)
			b.answer = held
		}
		// Every promise that is left is kept after one more load.
		b.kill()
		b.answer = 0
		b.open()
		if l := b.ledger(0); l.Promises() != 0 {
			t.Fatalf("promises are left:\n%s", l.Dump())
		}
		b.close()
	})
}

// trade sends one random command and notes what its answer promises.
func (b *bank) trade(rng *rand.Rand, want map[string]*promise, n int64) {
	if b.h.Partition(ledgers, 0) == nil {
		return
	}
	account := []string{"a", "b", "c"}[rng.IntN(3)]
	amount := int64(1 + rng.IntN(1000))
	w := want[account]
	switch rng.IntN(5) {
	case 0:
		b.begin(0, toy.Park{Account: account, AtLeast: 1 << 40, For: time.Hour})
	case 1: // delivered at some time, but at most once
		w.most += amount
		<-b.begin(0, toy.Order{Account: account, Amount: amount})
	case 2:
		p := machine.Producer{ID: n}
		commit := rng.IntN(2) == 0
		if commit {
			w.most += amount
		}
		if got := <-b.begin(0, toy.TxnAdd{Producer: p, Account: account, Amount: amount}); got.code != wire.None {
			return
		}
		if got := <-b.end(0, Marker{Producer: p, Commit: commit}); got.code == wire.None && commit {
			w.least += amount
		}
	default:
		w.most += amount
		if got := <-b.begin(0, toy.Add{Account: account, Amount: amount}); got.code == wire.None {
			w.least += amount
		}
	}
}

func (b *bank) audit(round int, want map[string]*promise) {
	b.Helper()
	for account, w := range want {
		got := b.ask(0, toy.Read{Account: account}).(toy.Balance).Settled
		if got < w.least || got > w.most {
			b.Fatalf("round %d: %s has %d, promised were %d to %d (DUR-1)", round, account, got, w.least, w.most)
		}
	}
}

// Topics that go away are told to every machine, and their callers wait for nothing.
func TestMachinesHearOfDeletedTopics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		change := b.change
		b.close()
		b.change = func(o *Options) {
			change(o)
			o.DeletedTopics = func(gone []*meta.Topic) any {
				var names []string
				for _, t := range gone {
					names = append(names, t.Name)
				}
				return toy.Add{Account: strings.Join(names, ","), Amount: 1}
			}
		}
		b.open()
		synctest.Wait()
		b.create("x", 1)
		b.delete("x")
		synctest.Wait()
		for i := range int32(2) {
			if got := b.ledger(i).Balance("x").Settled; got != 1 {
				t.Errorf("ledger %d heard of it %d times", i, got)
			}
		}
		b.close()
	})
}

// Commands that wait together are decided one after the other, each seeing the records of those before it, and appended as
// one batch; a transaction has a batch of its own between what came before it and after it.
func TestCommandsThatWaitTogetherShareABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBank(t, 1)
		b.ask(0, toy.Add{Account: "a", Amount: 1})
		p := b.part(ledgers, 0)
		start := p.log.EndOffset()
		r := b.h.runners[key{ledgers, 0}]
		r.mu.Lock() // nothing is taken before everything waits
		var answers []chan reply
		for _, c := range []any{toy.Add{Account: "a", Amount: 2}, toy.Add{Account: "a", Amount: 4}, toy.TxnAdd{Producer: machine.Producer{ID: 7}, Account: "a", Amount: 8},
			toy.Add{Account: "a", Amount: 16}, toy.Read{Account: "a"}} {
			answered := make(chan reply, 1)
			answers = append(answers, answered)
			r.queue = append(r.queue, question{c, func(body any, code wire.ErrorCode) { answered <- reply{body, code} }})
		}
		r.mu.Unlock()
		r.nudge()
		for i, c := range answers {
			if got := <-c; got.code != wire.None {
				t.Errorf("command %d: %+v", i, got)
			}
		}
		var counts []int32
		err := p.log.Each(start, p.log.EndOffset(), func(h batch.Header, _ []byte) error {
			counts = append(counts, h.Count)
			return nil
		})
		if err != nil || !slices.Equal(counts, []int32{2, 1, 1}) {
			t.Errorf("batches of %v records, %v; want 2, then the transaction's 1, then 1", counts, err)
		}
		b.wantBalance("a", 23, 8)
		b.close()
	})
}
