// Package toy is a machine small enough to see through, with a use for everything that the machine contract offers. A
// host is tried with it; nothing else uses it.
//
// It is a ledger: accounts with balances. Durable, and changed by Replay alone: balances, amounts held by open
// transactions until their marker comes, and promises, which are effects that were asked for and not yet answered.
// Volatile: callers that wait for a balance. The log is a list of changes, so its topic must not be compacted.
//
//	Add      one record; the reply is the new balance
//	Read     no record; the reply must wait for what was appended before it
//	Park     no reply until the balance is reached, a Release comes, or its time is over (Deadline, Tick)
//	Release  one caller's command answers others, in one result
//	TxnAdd   a record of a producer's transaction: held until the marker, which the host appends, commits or aborts it
//	Order    a record and an effect; the host performs the effect by sending back Delivered, with token zero, and
//	         Loaded asks again for what is still promised
//	Poison   a record that cannot be replayed: the host must take the partition offline
package toy

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"millrace/internal/core/machine"
)

// Add adds to an account. The reply is a Balance.
type Add struct {
	Account string
	Amount  int64
}

// Read asks for a Balance.
type Read struct{ Account string }

// Park waits until the balance is at least AtLeast, at most For long. The reply is a Woken.
type Park struct {
	Account string
	AtLeast int64
	For     time.Duration
}

// Release wakes all who wait for an account. The reply, a Released, comes after theirs.
type Release struct{ Account string }

// TxnAdd adds to an account within the producer's open transaction. The reply is a Balance that does not count it yet.
type TxnAdd struct {
	Producer machine.Producer
	Account  string
	Amount   int64
}

// Order promises an amount, to be added when it is delivered. The reply is an Ordered.
type Order struct {
	Account string
	Amount  int64
}

// Delivered answers a Deliver effect. It may come more than once.
type Delivered struct{ Promise int64 }

// Poison appends a record that no Replay can read. Nobody is answered: the append must end the machine.
type Poison struct{}

// Balance is what an account has: settled, and held by open transactions.
type Balance struct {
	Account       string
	Settled, Held int64
}

// Woken is the end of a Park.
type Woken struct {
	Balance Balance
	Why     Why
}

// Why a Park ended.
type Why string

// The reasons for which a Park ends.
const (
	Reached  Why = "reached"
	Freed    Why = "released"
	TimedOut Why = "timed out"
)

// Released counts those whom a Release woke.
type Released struct{ Callers int }

// Ordered tells the number of the promise.
type Ordered struct{ Promise int64 }

// Deliver is the effect of an Order: whoever performs it sends Delivered to the machine.
type Deliver struct {
	Promise int64
	Account string
	Amount  int64
}

// ErrPoison is what Replay returns for a record that cannot be read.
var ErrPoison = errors.New("poison")

// Ledger is the machine.
type Ledger struct {
	// changed by Replay alone
	settled  map[string]int64
	held     map[int64]map[string]int64
	promises map[int64]Deliver
	next     int64 // number of the next promise
	replayed int64 // records and markers seen

	// volatile
	loaded  bool
	waiting []waiter // by deadline
	// changed collects the accounts that a replay changed, whose waiters look again at the next command or tick.
	changed []string
}

type waiter struct {
	token   machine.Token
	account string
	atLeast int64
	until   time.Time
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{settled: map[string]int64{}, held: map[int64]map[string]int64{}, promises: map[int64]Deliver{}}
}

// Handle decides a command. A command of no known kind is a mistake of the test that sends it.
func (l *Ledger) Handle(now time.Time, c machine.Command) machine.Result {
	var r machine.Result
	// Whoever waits for a balance that was replayed since is answered first: in the order of the log.
	l.wake(&r)
	switch body := c.Body.(type) {
	case machine.Tick:
		l.expire(now, &r)
	case Add:
		r.Records = []machine.Record{addRecord(body.Account, body.Amount)}
		b := l.Balance(body.Account)
		b.Settled += body.Amount
		answer(&r, c.Token, b)
	case Read:
		answer(&r, c.Token, l.Balance(body.Account))
	case TxnAdd:
		r.Producer = &body.Producer
		r.Records = []machine.Record{addRecord(body.Account, body.Amount)}
		answer(&r, c.Token, l.Balance(body.Account))
	case Park:
		l.park(now, c.Token, body, &r)
	case Release:
		l.release(c.Token, body, &r)
	case Order:
		l.order(c.Token, body, &r)
	case Delivered:
		if d, ok := l.promises[body.Promise]; ok {
			r.Records = []machine.Record{deliveredRecord(d)}
		}
	case Poison:
		r.Records = []machine.Record{{Key: []byte{poisonKind}, Value: []byte{}}}
	default:
		panic(fmt.Sprintf("toy: unknown command %T", body))
	}
	return r
}

func answer(r *machine.Result, to machine.Token, body any) {
	if to != 0 {
		r.Replies = append(r.Replies, machine.Reply{To: to, Body: body})
	}
}

func (l *Ledger) park(now time.Time, t machine.Token, p Park, r *machine.Result) {
	if b := l.Balance(p.Account); b.Settled >= p.AtLeast {
		answer(r, t, Woken{b, Reached})
		return
	}
	w := waiter{t, p.Account, p.AtLeast, now.Add(p.For)}
	i, _ := slices.BinarySearchFunc(l.waiting, w, func(a, b waiter) int {
		if a.until.After(b.until) {
			return 1
		}
		return -1
	})
	l.waiting = slices.Insert(l.waiting, i, w)
}

// wake answers those whose balance a replay has reached since the last command.
func (l *Ledger) wake(r *machine.Result) {
	for _, account := range l.changed {
		b := l.Balance(account)
		l.answerWaiting(r, Reached, func(w waiter) bool { return w.account == account && b.Settled >= w.atLeast })
	}
	l.changed = nil
}

func (l *Ledger) release(t machine.Token, c Release, r *machine.Result) {
	n := l.answerWaiting(r, Freed, func(w waiter) bool { return w.account == c.Account })
	answer(r, t, Released{n})
}

func (l *Ledger) expire(now time.Time, r *machine.Result) {
	l.answerWaiting(r, TimedOut, func(w waiter) bool { return !w.until.After(now) })
}

func (l *Ledger) answerWaiting(r *machine.Result, why Why, which func(waiter) bool) int {
	before := len(l.waiting)
	l.waiting = slices.DeleteFunc(l.waiting, func(w waiter) bool {
		if !which(w) {
			return false
		}
		answer(r, w.token, Woken{l.Balance(w.account), why})
		return true
	})
	return before - len(l.waiting)
}

func (l *Ledger) order(t machine.Token, o Order, r *machine.Result) {
	d := Deliver{Promise: l.next, Account: o.Account, Amount: o.Amount}
	r.Records = []machine.Record{orderRecord(d)}
	r.Effects = []machine.Effect{d}
	answer(r, t, Ordered{d.Promise})
}

// Replay applies one batch.
func (l *Ledger) Replay(b machine.Batch) error {
	l.replayed += int64(max(len(b.Records), 1))
	if b.Marker != nil {
		l.end(b.Producer.ID, b.Marker.Commit)
		return nil
	}
	for i, r := range b.Records {
		if err := l.replay(b.Producer, r); err != nil {
			return fmt.Errorf("record %d of the batch at offset %d: %w", i, b.BaseOffset, err)
		}
	}
	return nil
}

func (l *Ledger) replay(p *machine.Producer, r machine.Record) error {
	kind, account, number, amount, err := parse(r)
	switch {
	case err != nil:
		return err
	case kind == addKind && p != nil:
		if l.held[p.ID] == nil {
			l.held[p.ID] = map[string]int64{}
		}
		l.held[p.ID][account] += amount
	case kind == addKind:
		l.settle(account, amount)
	case kind == orderKind:
		l.promises[number] = Deliver{number, account, amount}
		l.next = max(l.next, number+1)
	case kind == deliveredKind:
		// A second delivery, decided before the first was replayed, counts nothing.
		if _, ok := l.promises[number]; ok {
			delete(l.promises, number)
			l.settle(account, amount)
		}
	}
	return nil
}

func (l *Ledger) settle(account string, amount int64) {
	l.settled[account] += amount
	if l.loaded {
		l.changed = append(l.changed, account)
	}
}

func (l *Ledger) end(producer int64, commit bool) {
	held := l.held[producer]
	delete(l.held, producer)
	if !commit {
		return
	}
	for _, account := range sortedKeys(held) {
		l.settle(account, held[account])
	}
}

// Loaded asks again for every promise that is not kept.
func (l *Ledger) Loaded(time.Time) machine.Result {
	l.loaded = true
	var r machine.Result
	for _, number := range sortedKeys(l.promises) {
		r.Effects = append(r.Effects, l.promises[number])
	}
	return r
}

// Deadline is when the first waiter's time is over, or the past as long as waiters have a replay to look at: a marker
// is appended without a command, and a tick brings its news.
func (l *Ledger) Deadline() time.Time {
	if len(l.changed) > 0 && len(l.waiting) > 0 {
		return time.UnixMilli(0)
	}
	if len(l.waiting) == 0 {
		return time.Time{}
	}
	return l.waiting[0].until
}

// Balance is the account as the log has it now, committed or not. It is for tests; a caller sends Read.
func (l *Ledger) Balance(account string) Balance {
	b := Balance{Account: account, Settled: l.settled[account]}
	for _, held := range l.held { // order-free: a sum
		b.Held += held[account]
	}
	return b
}

// Promises is how many effects are asked for and not answered.
func (l *Ledger) Promises() int { return len(l.promises) }

// Hash is equal for a ledger that ran and one that was rebuilt from its log.
func (l *Ledger) Hash() string {
	h := fnv.New128a()
	l.dump(h)
	return hex.EncodeToString(h.Sum(nil))
}

// Dump is the durable state as text, in one order.
func (l *Ledger) Dump() string {
	var b strings.Builder
	l.dump(&b)
	return b.String()
}

func (l *Ledger) dump(w io.Writer) {
	for _, account := range sortedKeys(l.settled) {
		fmt.Fprintf(w, "%s has %d\n", account, l.settled[account])
	}
	for _, producer := range sortedKeys(l.held) {
		for _, account := range sortedKeys(l.held[producer]) {
			fmt.Fprintf(w, "producer %d holds %d for %s\n", producer, l.held[producer][account], account)
		}
	}
	for _, number := range sortedKeys(l.promises) {
		fmt.Fprintf(w, "promise %d of %d for %s\n", number, l.promises[number].Amount, l.promises[number].Account)
	}
	fmt.Fprintf(w, "next promise %d, %d replayed\n", l.next, l.replayed)
}

// A record is a kind and a promise's number (0: none) in the key, before the account, and the amount in the value.
const (
	addKind byte = iota
	orderKind
	deliveredKind
	poisonKind
)

func addRecord(account string, amount int64) machine.Record {
	return newRecord(addKind, 0, account, amount)
}

func orderRecord(d Deliver) machine.Record {
	return newRecord(orderKind, d.Promise, d.Account, d.Amount)
}

func deliveredRecord(d Deliver) machine.Record {
	return newRecord(deliveredKind, d.Promise, d.Account, d.Amount)
}

func newRecord(kind byte, number int64, account string, amount int64) machine.Record {
	key := binary.AppendVarint([]byte{kind}, number)
	return machine.Record{Key: append(key, account...), Value: binary.AppendVarint(nil, amount)}
}

func parse(r machine.Record) (kind byte, account string, number, amount int64, err error) {
	if len(r.Key) < 2 || r.Key[0] >= poisonKind {
		return 0, "", 0, 0, ErrPoison
	}
	number, n := binary.Varint(r.Key[1:])
	amount, m := binary.Varint(r.Value)
	if n <= 0 || m <= 0 {
		return 0, "", 0, 0, ErrPoison
	}
	return r.Key[0], string(r.Key[1+n:]), number, amount, nil
}

func sortedKeys[K int64 | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
