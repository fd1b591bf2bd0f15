package broker

import (
	"sync"
	"time"
)

// failures remembers addresses whose handshakes failed in a row, so that nobody keeps the broker busy with them: after
// a few, an address has to wait, twice as long each time. One that succeeds is forgiven everything, for behind one address
// there may be many clients.
type failures struct {
	mu   sync.Mutex
	byIP map[string]*failed
}

type failed struct {
	inRow int
	until time.Time
}

const (
	forgivenFailures  = 3
	firstBackoff      = time.Second
	longestBackoff    = 30 * time.Second
	mostFailedAddress = 10_000
)

func newFailures() *failures { return &failures{byIP: map[string]*failed{}} }

// add notes a failure at now.
func (f *failures) add(host string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.byIP[host]
	if one == nil {
		f.makeRoom(now)
		one = &failed{}
		f.byIP[host] = one
	}
	one.inRow++
	one.until = now
	if n := one.inRow - forgivenFailures; n >= 0 {
		one.until = now.Add(min(longestBackoff, firstBackoff<<min(n, 10)))
	}
}

// makeRoom forgets those that have waited; if that does not help, everybody.
func (f *failures) makeRoom(now time.Time) {
	if len(f.byIP) < mostFailedAddress {
		return
	}
	for host, one := range f.byIP {
		if now.After(one.until) {
			delete(f.byIP, host)
		}
	}
	if len(f.byIP) >= mostFailedAddress {
		clear(f.byIP)
	}
}

func (f *failures) forgive(host string) {
	f.mu.Lock()
	delete(f.byIP, host)
	f.mu.Unlock()
}

// wait is how long an address has to wait still.
func (f *failures) wait(host string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.byIP[host]; one != nil {
		return max(0, one.until.Sub(now))
	}
	return 0
}
