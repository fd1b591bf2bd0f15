package quorum

import "errors"

// None is the node id that means nobody.
const None int32 = -1

// Config is constant in the life of a Node.
type Config struct {
	ID int32 // node.id, 0 or more
	// Voters is the first set of a fresh cluster; once State has one, that counts.
	Voters []int32
	// ElectionTicks without a sign of the leader start an election, after a random wait of up to as many again. A
	// leader sends a heartbeat every HeartbeatTicks. Zero: 12 and 2.
	ElectionTicks, HeartbeatTicks int
	// MaxMessageBytes bounds the entries of one message (zero: 1 MiB), MaxInflight the unanswered messages to one
	// follower (64), MaxUncommittedBytes the proposals that wait for a majority (64 MiB).
	MaxMessageBytes, MaxUncommittedBytes uint64
	MaxInflight                          int
	// CacheBytes of the newest batches are kept in memory (4 MiB), so that committing does not read them back.
	CacheBytes int
	// LeaderChange makes the LEADER_CHANGE control batch that opens a term. Base offset and leader epoch are
	// the host's to fill in, as in every batch.
	LeaderChange func(leader int32, epoch int32, voters []int32) []byte
	// VotersOf reads a voters control batch.
	VotersOf func(batch []byte) ([]int32, error)
	// Trace, when set, gets raft's own log lines.
	Trace func(level, line string)
}

// Log gives back batches that Entries told the host to append.
type Log interface {
	// Batch returns the whole batch at base offset base; the slice is not written by either side.
	Batch(base int64) ([]byte, error)
}

// Kind says what a batch is to the quorum.
type Kind uint8

const (
	Records Kind = iota // metadata records
	Control             // a leader change
	Voters              // a membership change
)

// Info is one retained batch of the log, as its header tells.
type Info struct {
	Base, End int64 // End is the base offset of what follows
	Term      uint64
	Kind      Kind
}

// Entry is one batch with its place. In Ready.Entries, Batch has neither base offset nor leader epoch filled in.
type Entry struct {
	Info
	Index uint64
	Batch []byte
}

// Anchor ties a raft index to the base offset of a retained batch, or to the log's end when nothing is retained. The
// zero Anchor stands for index 1 at offset 0.
type Anchor struct {
	Index  uint64
	Offset int64
}

// State is what must survive a crash beside log and snapshots: the content of quorum-state.
type State struct {
	Term uint64
	Vote int32 // None: not voted in this term
	// Voters is the set in force, as of the entry at VotersIndex. Nil: Config.Voters.
	Voters      []int32
	VotersIndex uint64
	Anchor      Anchor
}

// Snapshot is a checkpoint of the applied metadata: everything below Offset, whose last entry has Index and Term.
type Snapshot struct {
	Index  uint64
	Term   uint64
	Offset int64
	Voters []int32 // as of Index
}

// Start is what the host found on disk.
type Start struct {
	State    State
	Snapshot Snapshot // the newest one, through Locate; zero: none
	Log      []Info   // every retained batch, in order
}

// Ready is what to do next; package quorum tells in which order.
type Ready struct {
	Install   *Snapshot // discard the log and continue from this snapshot of the leader's
	State     *State    // to make durable before Entries
	Entries   []Entry   // to append
	Set       *State    // to make durable after Entries: the quorum has another set of voters from Advance on
	MustSync  bool      // State, Entries or Set are there: they must be durable before Messages are sent
	Messages  []Message
	Committed []Entry // to apply
	Reads     []Read  // confirmed by a majority
	Leader    int32   // known now, None: unknown
	Leading   bool    // this node leads: its term's LEADER_CHANGE is in Entries of this Ready or of one before
	Term      uint64
	// WantSnapshot asks for a snapshot now (SnapshotAt, then Snapshotted): a follower is behind the log and the newest
	// snapshot will not do. It is asked again until there is one.
	WantSnapshot bool
}

// Message is for another voter. Snapshot marks one that makes the receiver ask for a snapshot file: its fate is
// to be told by ReportSnapshot.
type Message struct {
	To       int32
	Data     []byte
	Snapshot bool
}

// Read is a linearizable read: it may be answered once everything below Offset is applied.
type Read struct {
	Token  uint64
	Offset int64
}

// Status describes the quorum, for DescribeQuorum.
type Status struct {
	ID, Leader   int32
	Leading      bool
	Term         uint64
	Voters       []int32
	CommitOffset int64 // everything below is committed
	EndOffset    int64
	Followers    []Follower // on the leader: every voter, itself included
}

// Follower is a voter as the leader sees it.
type Follower struct {
	ID        int32
	EndOffset int64 // everything below is on its disk
	Active    bool  // heard of within an election timeout
}

var (
	// ErrNotLeader answers a proposal on a node that does not lead, or whose leadership no Ready has told yet.
	ErrNotLeader = errors.New("this controller does not lead the quorum")
	// ErrBusy answers a proposal when MaxUncommittedBytes wait already.
	ErrBusy = errors.New("too many metadata changes wait for a majority of the controllers")
	// ErrChanging answers a membership change while another is not finished.
	ErrChanging = errors.New("another change of the voters is not finished")
	// ErrDamaged marks a start that does not fit together: log, snapshot and quorum-state contradict each other.
	ErrDamaged = errors.New("the metadata log does not fit its quorum state")
)
