// Package group coordinates classic consumer groups and keeps their committed offsets: one machine for each partition
// of __consumer_offsets.
//
// Durable, and changed by Replay alone: the last recorded metadata of each group (generation, protocol, members with
// their assignments), committed offsets, the offsets of open transactions, and the keys of groups of newer kinds,
// which this package does not serve and never deletes. Volatile: the rebalance in progress, with its waiting callers,
// members that have not been recorded yet, and all timers. A load derives the volatile part again: a recorded group
// with members is Stable, and each of its members gets a whole session to show up.
//
// The rules are Kafka's: GroupMetadataManager, ClassicGroup and OffsetMetadataManager of its group coordinator.
// What is said of a state is said in the file named after the request: join.go, sync.go, heartbeat.go, leave.go.
// rebalance.go moves a group through its states:
//
//	Empty ──join──► PreparingRebalance ──all joined, or time over──► CompletingRebalance ──leader syncs──► Stable
//	  ▲                │  ▲                                                  │                              │
//	  └──nobody left───┘  └───────────────── join, leave, expiry ────────────┴──────────────────────────────┘
package group

import (
	"time"

	"millrace/internal/core/machine"
)

// newMemberJoinTimeout bounds how long a new member may wait for its first generation without a heartbeat.
const newMemberJoinTimeout = 5 * time.Minute

// Options make a machine.
type Options struct {
	Settings Settings
	// NewMemberID returns the unique part of a member id, such as a random UUID. The machine puts the client id, or
	// the instance id of a static member, and a hyphen before it.
	NewMemberID func() string
}

// New returns an empty machine, to be loaded by Replay and Loaded.
func New(o Options) machine.Machine {
	return newCoordinator(o)
}

func newCoordinator(o Options) *coordinator {
	return &coordinator{
		settings:    o.Settings,
		newMemberID: o.NewMemberID,
		durable:     newDurable(),
		groups:      map[string]*classic{},
	}
}

// coordinator is the machine. It is used by one goroutine at a time.
type coordinator struct {
	// constant after New
	settings    Settings
	newMemberID func() string

	// changed by Replay alone
	durable durable

	// volatile; derived by Loaded
	loaded bool
	groups map[string]*classic
	timers timers
	sweep  sweep

	// the command at hand
	now time.Time
	out machine.Result
}

// Handle decides one command.
func (k *coordinator) Handle(now time.Time, c machine.Command) machine.Result {
	k.now, k.out = now, machine.Result{}
	k.decide(c.Token, c.Body)
	out := k.out
	k.out = machine.Result{}
	return out
}

func (k *coordinator) decide(t machine.Token, body any) {
	switch c := body.(type) {
	case machine.Tick:
		k.timers.run(k.now)
	case Heartbeat:
		k.reply(t, k.heartbeat(c))
	case OffsetCommit:
		k.reply(t, k.offsetCommit(c))
	case OffsetFetch:
		k.reply(t, k.offsetFetch(c))
	case Join:
		k.join(t, c)
	case Sync:
		k.sync(t, c)
	case Leave:
		k.reply(t, k.leave(c))
	case OffsetDelete:
		k.reply(t, k.offsetDelete(c))
	case Describe:
		k.reply(t, k.describe(c))
	case List:
		k.reply(t, k.list(c))
	case Delete:
		k.delete(t, c)
	case TopicsDeleted:
		k.topicsDeleted(c)
		k.reply(t, TopicsDeletedReply{})
	}
}

// Deadline is the earliest moment at which a session, a rebalance, a pending sync or a clean-up is due.
func (k *coordinator) Deadline() time.Time { return k.timers.next() }

// Loaded derives the volatile part of every group.
func (k *coordinator) Loaded(now time.Time) machine.Result {
	k.now, k.out, k.loaded = now, machine.Result{}, true
	for _, id := range k.durable.groupIDs() {
		k.restore(id)
	}
	k.scheduleSweep()
	return k.out
}

// restore makes a group of what is recorded of it.
func (k *coordinator) restore(id string) {
	g := newClassic(id)
	k.groups[id] = g
	if v := k.durable.metadata[id]; v != nil {
		g.restore(v)
	}
	for _, m := range g.members {
		k.resetSession(g, m)
	}
	if max := k.settings.MaxSize; max > 0 && len(g.members) > max {
		// Members get the chance to commit before the surplus is turned away as they rejoin.
		k.prepareRebalance(g)
	}
}

func (k *coordinator) reply(t machine.Token, body any) {
	if t != 0 {
		k.out.Replies = append(k.out.Replies, machine.Reply{To: t, Body: body})
	}
}

func (k *coordinator) append(r ...machine.Record) {
	k.out.Records = append(k.out.Records, r...)
}

func (k *coordinator) after(t *timer, d time.Duration) {
	k.timers.set(t, k.now.Add(d))
}
