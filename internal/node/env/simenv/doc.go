// Package simenv is a simulated outside for tests: a disk that keeps written and synced bytes apart, a manual
// clock, seeded random numbers and an in-memory network. Everything is exact: the same seed and the same calls
// give the same faults and the same bytes.
//
// What the disk does to a program, and why:
//
//	Kill          the process dies. Its handles are dead, its locks are gone; what it wrote stays (page cache).
//	PowerCut(k)   the machine dies. Synced content stays. Of the unsynced 4 KiB blocks none (k=0), a random half
//	              (k=0.5) or all (k=1) are kept; a kept block of the half may be torn at 512 B. The unsynced size
//	              of a file, and creates, removes and renames not yet covered by SyncDir, likewise. Syncing a new
//	              file does not make its name durable.
//	Fail(rule)    the n-th operation of a kind on a matching path fails with EIO, ENOSPC or any other error. A
//	              failed Sync drops the unsynced pages: reads see the old synced content, and a second Sync
//	              succeeds over the loss, so that code which retries is caught.
//	CrashAt(n)    the disk dies at mutating operation number n, with none, a part or all of it applied; every later
//	              operation fails until Kill or PowerCut says how the machine died.
//	SetCapacity   a full disk: writes stop short with ENOSPC.
//
// A rename is one step, also at a power cut: a file is never lost between its two names.
package simenv
