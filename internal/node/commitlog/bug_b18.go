//go:build bug_b18

package commitlog

// Planted bug B18, to prove that the simulation finds it: the clean marker stays while the directory is written and
// truncated.
const keepCleanMarker = true
