// Package checker judges histories: what clients asked of a cluster, what they were answered and what they read. A history
// is a file of JSON lines; the checks have the numbers of the reliability promises (C1-C6 so far) and every finding names its
// number, the promise that is broken and the offsets around it. The package knows no broker: the same checks judge the
// simulator, crash runs and `millrace verify`, against Millrace and against Apache Kafka.
package checker

// Kind says what a line of a history records.
type Kind byte

const (
	Invoke Kind = iota + 1 // an operation is about to leave the client
	OK                     // it happened
	Fail                   // it did not happen, and never will
	Info                   // it may have happened; an invocation without completion counts the same
	Note                   // not an operation: a fault that was injected, the start of a phase
)

var kindNames = [...]string{Invoke: "inv", OK: "ok", Fail: "fail", Info: "info", Note: "nem"}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// Event is one line of a history:
//
//	{"i":812,"p":7,"t":"inv","f":"txn","ns":1834,"v":[["s",3,991],["p"]]}
//	{"i":812,"p":7,"t":"ok","f":"txn","ns":5120,"v":[["s",3,[40,991]],["p",{"5":[[17,640],[18,655]]}]],"att":1}
//	{"t":"nem","f":"cut","ns":6000,"v":{"from":1,"to":[2,3]}}
//	{"i":900,"p":0,"t":"ok","f":"final","ns":9000,"v":{"3":41,"5":19}}
//
// A key stands for one partition. Values are unique in a history. The last form ends it: key 3 was read from its start up to
// offset 41, its end after every producer had stopped.
type Event struct {
	ID         int64
	Process    int64
	Kind       Kind
	Func       string // send, poll, txn, final; for a note what was done
	At         int64  // nanoseconds on the one monotonic clock of the history
	Sends      []Send
	Reads      []Read          // what all polls of the operation returned, in order
	Polls      int             // how many polls the operation made
	Ends       map[int32]int64 // of a final: key to the offset below which everything was read
	Attempts   int64           // how often a request left; 0: not recorded
	Rebalanced []int32         // keys that moved while the operation ran
	ProducerID int64
	Epoch      int64
	Node       int64
	Err        string
	Detail     string // of a note: its JSON value
}

// Send is a value given to a key. Offset is -1 until it is known.
type Send struct {
	Key    int32
	Offset int64
	Value  int64
}

// Read is a value delivered from a key.
type Read struct {
	Key    int32
	Offset int64
	Value  int64
}

// Value makes a value unique in a history out of a process and its counter, dense so that tables over values stay small.
func Value(process int, counter int64) int64 { return int64(process)<<40 | counter }

func (e *Event) reset() {
	*e = Event{Sends: e.Sends[:0], Reads: e.Reads[:0], Rebalanced: e.Rebalanced[:0]}
}
