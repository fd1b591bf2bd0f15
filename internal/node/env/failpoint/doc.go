// Package failpoint names the instants at which a crash is interesting, so that a test of the real binary can die,
// pause or fail exactly there. Without the build tag "failpoint" Hit is empty and costs nothing; release builds
// have none.
//
// With the tag, the environment variable MILLRACE_FAILPOINT arms points, separated by ";":
//
//	name=action        at the first hit
//	name=action@n      at the n-th hit
//
// Actions: kill (the process ends at once, as by SIGKILL), pause (the goroutine stops for ever: the rest of the
// process goes on), error (Hit returns ErrInjected once; the caller treats it as the failure of the step it stands
// at).
//
// A point is a literal name at one call, and Points lists it; TestCallsAndTableAgree holds the two together.
package failpoint
