//go:build !failpoint

package failpoint

// Enabled tells whether this build has fail points.
const Enabled = false

// Hit does nothing in this build.
func Hit(name string) error { return nil }
