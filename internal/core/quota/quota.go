// Package quota is the arithmetic of throttling: what a client used against what it may use, as the time it has to
// wait. It is the hook that every answer of the broker passes.
package quota

import "time"

// Usage is one answered request, as quotas see it.
type Usage struct {
	User, ClientID string
	// Bytes produced or consumed by the request; zero for other requests.
	Produced, Consumed int
}

// Limits decides how long a client stays muted after an answer. Zero: not at all.
type Limits interface {
	Charge(now time.Time, u Usage) time.Duration
}

// Unlimited never throttles.
type Unlimited struct{}

// Charge returns zero.
func (Unlimited) Charge(time.Time, Usage) time.Duration { return 0 }
