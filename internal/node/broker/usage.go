package broker

import (
	"maps"
	"slices"

	"millrace/internal/kafka/wire"
	"millrace/internal/metrics"
)

// Usage is what the broker holds for its clients now. It looks at every connection, so that requests need not count
// themselves in and out.
func (b *Broker) Usage() metrics.Broker {
	u := metrics.Broker{FetchSessions: b.sessions.len(), InFlightBytes: b.inFlight.inUse(), DecodingBytes: b.decoding.inUse()}
	b.mu.Lock()
	all := slices.Collect(maps.Keys(b.conns))
	b.mu.Unlock()
	for _, c := range all {
		fetches, produces := c.waiting()
		u.ParkedFetches += fetches
		u.ParkedProduces += produces
	}
	return u
}

// waiting counts the fetches that wait for records and the produces that wait for their acknowledgement.
func (c *conn) waiting() (fetches, produces int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := c.head; i != c.tail; i++ {
		r := c.ring[i%pipelined]
		switch {
		case r == nil || r.done:
		case r.Key == wire.Produce:
			produces++
		case r.Key == wire.Fetch && r.cancel != nil:
			fetches++
		}
	}
	return fetches, produces
}
