// Package quorum is the controllers' consensus as data: go.etcd.io/raft driven without goroutines, clock, disk or
// network, over a log that is __cluster_metadata-0 in Kafka's format. The host owns the log and the clock; it feeds
// ticks, messages and proposals in and carries out what Ready says.
//
// One raft entry is one batch. What raft calls a term is the batch's partition leader epoch, and so:
//
//	raft entry              batch in the log
//	normal, with payload    the batch that was proposed
//	normal, empty           a LEADER_CHANGE control batch, which the leader of the term makes (Config.LeaderChange);
//	                        followers get its bytes, so that all logs are the same
//	membership change       a voters control batch, which the proposer made
//
// A batch takes as many offsets as it has records, an entry one index. Node keeps (base offset, end offset, term) for
// every retained batch. Neither Kafka's log nor its checkpoint files hold a raft index, so one pair (index, base
// offset) of a retained batch, the Anchor, is kept in the quorum-state file: counting batches from it, in both
// directions, gives back every index after a restart.
//
// What the host must do with a Ready, in this order (Q1 to Q6 are asserted by the tests):
//
//	Q1  Install, when set: get the snapshot file, make it durable (temporary file, sync, rename, sync of the
//	    directory), then State, then reset the log to the snapshot's offset
//	Q2  State, then Entries, then Set, as far as they are there, become durable before any Message is sent and before
//	    Advance: a vote or an acknowledgement that is not on disk is a lie. The order matters, too: a log of a later
//	    epoch than State's, or one that ends before a committed set of voters, is taken for damage. Entries[0].Base
//	    may be below the log's end: truncate there first
//	Q3  then Messages are sent; a lost message is no error
//	Q4  then Committed is applied, in order; nothing is applied that is not in Committed
//	Q5  then Advance. Between Ready and Advance nothing else is called
//	Q6  a failed write or sync stops the node; it is never retried
//
// Membership changes one voter at a time. The set in force is part of State and durable before the change acts, so a
// restart never falls back to a set that the cluster has left. A voter whose directory was wiped comes back under
// a new id only: its old self has promised things that it would not remember.
package quorum
