package quota

import "time"

// A Bucket gives out permits at a rate, and a burst of them at once after a rest. The zero value has rested.
type Bucket struct {
	at    time.Time
	spent float64 // permits given out and not grown again
}

// Take takes a permit and tells how long its taker has to wait for it. Rate is in permits a second; at rate zero nobody
// gets one within the hour.
func (b *Bucket) Take(now time.Time, rate, burst float64) time.Duration {
	if rate <= 0 {
		return time.Hour
	}
	if grown := now.Sub(b.at).Seconds() * rate; grown > 0 {
		b.spent = max(0, b.spent-grown)
	}
	b.at = now
	b.spent++
	if b.spent <= burst {
		return 0
	}
	return time.Duration((b.spent - burst) / rate * float64(time.Second))
}
