package target

import "runtime"

// lockThread ties the goroutine to its thread for good: the thread ends with the goroutine, and a child started from it with
// Pdeathsig would die with it, so the goroutine stays until the child has ended.
func lockThread() { runtime.LockOSThread() }
