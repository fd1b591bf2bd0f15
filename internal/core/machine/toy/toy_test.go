package toy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"millrace/internal/core/machine"
)

// bench runs a ledger over a log in memory, as the contract says.
type bench struct {
	l       *Ledger
	now     time.Time
	log     []machine.Batch
	replies []machine.Reply
	effects []machine.Effect
}

func newBench() *bench {
	b := &bench{l: New(), now: time.UnixMilli(0)}
	b.take(b.l.Loaded(b.now))
	return b
}

func (b *bench) ask(t machine.Token, body any) {
	b.take(b.l.Handle(b.now, machine.Command{Token: t, Body: body}))
}

func (b *bench) take(r machine.Result) {
	if len(r.Records) > 0 {
		b.append(machine.Batch{Producer: r.Producer, Records: r.Records})
	}
	b.replies = append(b.replies, r.Replies...)
	b.effects = append(b.effects, r.Effects...)
}

func (b *bench) append(batch machine.Batch) {
	batch.BaseOffset = int64(len(b.log))
	b.log = append(b.log, batch)
	if err := b.l.Replay(batch); err != nil {
		panic(err)
	}
}

func (b *bench) tick() {
	if at := b.l.Deadline(); !at.IsZero() && !at.After(b.now) {
		b.ask(0, machine.Tick{})
	}
}

func (b *bench) said(t *testing.T, want ...machine.Reply) {
	t.Helper()
	if !reflect.DeepEqual(b.replies, want) {
		t.Fatalf("replies\n %+v\nwant\n %+v", b.replies, want)
	}
	b.replies = nil
}

func replayed(log []machine.Batch) *Ledger {
	l := New()
	for _, batch := range log {
		if err := l.Replay(batch); err != nil {
			panic(err)
		}
	}
	return l
}

func TestHandleChangesNothingDurable(t *testing.T) {
	b := newBench()
	b.ask(1, Add{"a", 5})
	before := b.l.Dump()
	for _, body := range []any{Add{"a", 1}, TxnAdd{machine.Producer{ID: 1}, "a", 2}, Order{"a", 3}, Poison{}, Read{"a"}} {
		if b.l.Handle(b.now, machine.Command{Token: 2, Body: body}); b.l.Dump() != before {
			t.Fatalf("%T changed what the log did not say", body)
		}
	}
}

func TestParkedCallers(t *testing.T) {
	b := newBench()
	b.ask(1, Park{"a", 10, time.Minute})
	b.ask(2, Park{"a", 5, time.Second})
	b.ask(3, Park{"b", 1, time.Hour})
	b.ask(4, Add{"a", 7})
	b.said(t, machine.Reply{To: 4, Body: Balance{"a", 7, 0}})
	b.tick()
	b.said(t, machine.Reply{To: 2, Body: Woken{Balance{"a", 7, 0}, Reached}})
	b.now = b.now.Add(time.Minute)
	b.tick()
	b.said(t, machine.Reply{To: 1, Body: Woken{Balance{"a", 7, 0}, TimedOut}})
	b.ask(5, Release{"b"})
	b.said(t, machine.Reply{To: 3, Body: Woken{Balance{"b", 0, 0}, Freed}}, machine.Reply{To: 5, Body: Released{1}})
	if !b.l.Deadline().IsZero() {
		t.Fatal("a deadline with nobody waiting")
	}
}

func TestTransactions(t *testing.T) {
	b := newBench()
	p := machine.Producer{ID: 9, Epoch: 1}
	b.ask(1, TxnAdd{p, "a", 5})
	b.ask(2, Park{"a", 5, time.Minute})
	b.ask(3, Read{"a"})
	b.said(t, machine.Reply{To: 1, Body: Balance{"a", 0, 0}}, machine.Reply{To: 3, Body: Balance{"a", 0, 5}})
	b.append(machine.Batch{Producer: &p, Marker: &machine.Marker{Commit: true}})
	b.tick()
	b.said(t, machine.Reply{To: 2, Body: Woken{Balance{"a", 5, 0}, Reached}})
	b.ask(4, TxnAdd{p, "a", 7})
	b.append(machine.Batch{Producer: &p, Marker: &machine.Marker{}})
	b.replies = nil
	b.ask(5, Read{"a"})
	b.said(t, machine.Reply{To: 5, Body: Balance{"a", 5, 0}})
}

func TestEffects(t *testing.T) {
	b := newBench()
	b.ask(1, Order{"a", 5})
	b.ask(2, Order{"b", 6})
	want := []machine.Effect{Deliver{0, "a", 5}, Deliver{1, "b", 6}}
	if !reflect.DeepEqual(b.effects, want) {
		t.Fatalf("effects %+v", b.effects)
	}
	b.ask(0, Delivered{0})
	b.ask(0, Delivered{0})
	if got := replayed(b.log).Loaded(b.now).Effects; !reflect.DeepEqual(got, want[1:]) {
		t.Fatalf("a load asks for %+v", got)
	}
	if b.l.Balance("a").Settled != 5 || b.l.Promises() != 1 {
		t.Fatal(b.l.Dump())
	}
}

func TestPoison(t *testing.T) {
	l := New()
	r := l.Handle(time.UnixMilli(0), machine.Command{Token: 1, Body: Poison{}})
	if err := l.Replay(machine.Batch{Records: r.Records}); !errors.Is(err, ErrPoison) {
		t.Fatal(err)
	}
}

// TestReplayEqualsRun: whatever happened, the log alone gives the same ledger.
func TestReplayEqualsRun(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := newBench()
		for i := range 100 {
			account, p := fmt.Sprint(rng.IntN(3)), machine.Producer{ID: int64(rng.IntN(3))}
			switch rng.IntN(7) {
			case 0:
				b.ask(machine.Token(i+1), Add{account, int64(rng.IntN(9))})
			case 1:
				b.ask(machine.Token(i+1), TxnAdd{p, account, int64(rng.IntN(9))})
			case 2:
				b.append(machine.Batch{Producer: &p, Marker: &machine.Marker{Commit: rng.IntN(2) == 0}})
			case 3:
				b.ask(machine.Token(i+1), Order{account, 1})
			case 4:
				b.ask(0, Delivered{int64(rng.IntN(5))})
			case 5:
				b.ask(machine.Token(i+1), Park{account, int64(rng.IntN(50)), time.Second})
			case 6:
				b.now = b.now.Add(time.Second)
				b.tick()
			}
			if again := replayed(b.log); again.Hash() != b.l.Hash() {
				t.Fatalf("seed %d, step %d:\n%s\nreplayed:\n%s\nrepeat: go test ./internal/core/machine/toy -run ReplayEqualsRun", seed, i, b.l.Dump(), again.Dump())
			}
		}
	}
}
