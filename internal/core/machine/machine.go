// Package machine is the contract of deterministic state rebuilt from a log: a command yields records, replies and
// effects; only replaying records changes durable state. Group coordinators, the transaction coordinator and the
// metadata controller are machines; one host runs them all.
//
// The life of a command, in order:
//
//  1. The host calls Handle(now, command). Handle decides and does not change durable state. It may change volatile
//     state: session deadlines, callers that wait (tokens), members that have not been recorded yet. Volatile state
//     is what a client rebuilds by retrying after the machine was loaded elsewhere.
//  2. The host calls Replay with Result.Records at once, so the next command sees its outcome, and appends them: alone
//     as one batch, or in one batch with those of the commands just before and after, unless they belong to a
//     transaction.
//  3. When everything that was appended before and with this result is committed (below the high watermark), the
//     host delivers Result.Replies and performs Result.Effects, in order. A result without records waits too: a
//     reader never sees what could still be lost.
//  4. If an append fails or leadership is lost, the host drops the machine, answers every waiting token with
//     NOT_COORDINATOR, and loads a new one by replaying the log. Volatile state is gone; timers and effects that
//     durable state demands are derived again by Loaded.
//
// Timers are data: Deadline tells when the machine next wants a Tick. Answers to effects come back as commands.
package machine

import "time"

// Token names a caller that waits for a reply. Zero: nobody waits.
type Token uint64

// Command is one thing asked of a machine. Body is a type that the machine's package defines.
type Command struct {
	Token Token
	Body  any
}

// Tick is the command that a host sends when the machine's Deadline has come.
type Tick struct{}

// Record is one record to append. A nil Value is a tombstone.
type Record struct {
	Key, Value []byte
}

// Reply answers a waiting caller. A machine answers each token exactly once, in any later result.
type Reply struct {
	To   Token
	Body any
}

// Effect is something for the host to do once the result's records are committed: a type the machine's package
// defines and the host's owner (boot) knows how to perform, such as deleting a group's expired topic or creating an
// internal topic. Its answer, if any, comes back as a Command with Token zero.
type Effect any

// Result is what Handle decided.
type Result struct {
	Records []Record
	// Producer is set when the records belong to a transaction of that producer.
	Producer *Producer
	Replies  []Reply
	Effects  []Effect
}

// Producer marks a batch as transactional.
type Producer struct {
	ID    int64
	Epoch int16
}

// Batch is one batch of the log as it is replayed, at append and at load alike.
type Batch struct {
	BaseOffset  int64
	LeaderEpoch int32
	// Timestamp is the batch's maximum timestamp, in milliseconds since 1970.
	Timestamp int64
	// Producer is set on transactional batches and on markers.
	Producer *Producer
	// Marker is set on an end-of-transaction control batch, which carries no records.
	Marker  *Marker
	Records []Record
}

// Marker ends the open transaction of the batch's producer.
type Marker struct {
	Commit           bool
	CoordinatorEpoch int32
}

// Machine is deterministic: the same batches replayed give the same durable state, and the same commands at the
// same times give the same results. It is used by one goroutine at a time.
type Machine interface {
	// Handle decides a command.
	Handle(now time.Time, c Command) Result
	// Replay changes durable state by one batch of the log. It never fails: a record it cannot read is
	// reported through the error, and the host takes the partition offline (promise MET-4).
	Replay(b Batch) error
	// Loaded is called once, after the whole log was replayed and before the first command: it derives volatile
	// state (session deadlines) and returns what durable state still demands.
	Loaded(now time.Time) Result
	// Deadline is when the machine wants a Tick; zero means never.
	Deadline() time.Time
}
