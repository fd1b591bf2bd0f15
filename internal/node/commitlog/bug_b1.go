//go:build bug_b1

package commitlog

// Planted bug B1, to prove that the simulation finds it: the flushed end is reported before the sync.
const reportBeforeSync = true
