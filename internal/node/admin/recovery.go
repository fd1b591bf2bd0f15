package admin

import (
	"sync"
	"time"
)

// Recovery follows a node from its start until it serves, and makes a Readiness of it. Its zero value is starting.
type Recovery struct {
	mu          sync.Mutex
	state       string    // guarded by mu
	began       time.Time // guarded by mu: when the first log was taken in hand
	done, total int       // guarded by mu
}

// Progress says that so many of the logs are recovered.
func (r *Recovery) Progress(now time.Time, done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = now
	}
	r.state, r.done, r.total = "recovering", done, total
}

// Serving says that the listeners are open.
func (r *Recovery) Serving() { r.set("ready") }

// Stopping says that the node is on its way out.
func (r *Recovery) Stopping() { r.set("stopping") }

func (r *Recovery) set(state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
}

// At is the readiness at a time. The time left is what the logs so far took, for each log that is left.
func (r *Recovery) At(now time.Time) Readiness {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := Readiness{Ready: r.state == "ready", State: r.state, LogsRecovered: r.done, LogsTotal: r.total}
	if a.State == "" {
		a.State = "starting"
	}
	var left float64
	switch {
	case a.Ready:
		a.SecondsLeft = &left
	case r.state == "recovering" && r.done > 0:
		left = now.Sub(r.began).Seconds() / float64(r.done) * float64(r.total-r.done)
		a.SecondsLeft = &left
	}
	return a
}
