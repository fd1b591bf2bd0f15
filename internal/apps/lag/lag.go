// Package lag asks a cluster over the Kafka protocol how far its groups are behind, for the metrics of the node beside it.
package lag

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/metrics"
)

// Options say how often and how long to ask. Zero means the default.
type Options struct {
	// Timeout bounds one round of questions (5 s).
	Timeout time.Duration
	// Fresh is how long an answer is given again instead of asking anew (10 s): scraping twice costs no more than once.
	Fresh time.Duration
	// Now is the clock (time.Now).
	Now func() time.Time
}

// Collector returns what metrics.Groups wants: a function to be called at every scrape. It is safe for concurrent use;
// whoever comes while somebody asks waits for that answer.
func Collector(cl *kgo.Client, o Options) func() ([]metrics.GroupOffset, error) {
	k := kadm.NewClient(cl)
	return collector(func(ctx context.Context) (kadm.DescribedGroupLags, error) { return k.Lag(ctx) }, o)
}

func collector(ask func(context.Context) (kadm.DescribedGroupLags, error), o Options) func() ([]metrics.GroupOffset, error) {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Fresh == 0 {
		o.Fresh = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var mu sync.Mutex
	var at time.Time // guarded by mu, as are rows and err
	var rows []metrics.GroupOffset
	var err error
	return func() ([]metrics.GroupOffset, error) {
		mu.Lock()
		defer mu.Unlock()
		if !at.IsZero() && o.Now().Sub(at) < o.Fresh {
			return rows, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), o.Timeout)
		defer cancel()
		var lags kadm.DescribedGroupLags
		if lags, err = ask(ctx); err == nil {
			rows = offsets(lags)
		} else {
			rows = nil
		}
		at = o.Now()
		return rows, err
	}
}

// offsets leaves out what is not known: a partition that was never committed, or whose end could not be asked for.
func offsets(lags kadm.DescribedGroupLags) []metrics.GroupOffset {
	var out []metrics.GroupOffset
	for _, g := range lags.Sorted() {
		if g.Error() != nil {
			continue
		}
		for _, p := range g.Lag.Sorted() {
			if p.Err != nil || p.Commit.At < 0 {
				continue
			}
			out = append(out, metrics.GroupOffset{Group: g.Group, Topic: p.Topic, Partition: p.Partition, Committed: p.Commit.At, Lag: p.Lag})
		}
	}
	return out
}
