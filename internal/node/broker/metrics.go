package broker

import (
	"millrace/internal/kafka/wire"
	"millrace/internal/metrics"
)

// counts are the broker's counters, resolved once so that the hot path only adds.
type counts struct {
	*metrics.Metrics
	apis [len(apiTable{})]*metrics.API
}

func newCounts(m *metrics.Metrics, apis *apiTable) counts {
	if m == nil {
		m = metrics.New("")
	}
	c := counts{Metrics: m}
	for k, a := range apis {
		if a != nil {
			c.apis[k] = m.API(a.Key.String())
		}
	}
	return c
}

// answered counts a request when its answer is ready to be sent.
func (c *counts) answered(r *Request, size int) {
	m := c.apis[r.Key]
	if m == nil {
		return
	}
	m.Answered(r.size, size, r.b.clock.Now().Sub(r.start))
	if code := wire.ErrorCode(r.failed.Load()); code != wire.None {
		m.Failed(int16(code), code.String())
	}
}

// arrived notes a client's software, once for each connection.
func (c *conn) arrived(s software) {
	if c.leave != nil {
		c.leave()
	}
	c.software = s
	c.leave = c.b.metrics.ClientConnected(s.name, s.version)
}
