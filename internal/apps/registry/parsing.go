package registry

import (
	"context"
	"errors"
	"runtime"

	"millrace/internal/apps/registry/schema"
)

// What parsing and comparing may take of the machine. A text within the limits can keep a processor busy for a second, so
//
//	P1  texts are sorted by size, and of each sort only so many are parsed at once; of large ones so few that a processor is left for
//	    requests that only look something up. Comparisons are counted too.
//	P2  a request parses a text once: the decision finds what was parsed before it.
//	P3  a large text is never parsed while the state is held. A request that only reads and meets one gives up the state, parses, and
//	    begins again.
type lanes struct{ small, large, compare lane }

// lane holds as many tokens as may run at once.
type lane chan struct{}

func newLanes() lanes {
	n := runtime.GOMAXPROCS(0)
	return lanes{small: make(lane, n), large: make(lane, max(1, n-1)), compare: make(lane, n)}
}

var errBusy = &schema.Error{Kind: schema.TooSlow, Text: "the time ended while other schemas were read; try again"}

// enter waits for its turn until the time is over.
func (l lane) enter(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

func (l lane) leave() { <-l }

// large tells whether a text with what it refers to is of the sort that takes long.
func large(text schema.Schema, refs []schema.Resolved) bool {
	size := len(text.Text)
	for _, r := range refs {
		size += len(r.Schema.Text)
	}
	return size > cachedText
}

// parsed is what a request has parsed so far (P2). It is the request's alone, and the writer's while that decides it.
type parsed struct {
	known    map[string]cached
	deciding bool   // the state is held, and others wait for the decision: no waiting for a turn
	reads    bool   // the request changes nothing, so it can begin again (P3)
	later    func() // what has to be parsed before it begins again
}

var errLater = errors.New("the schema is parsed before the state is looked at again")

// parse is Rules.Parse of a request.
func (q *request) parse(text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if !large(text, refs) {
		return q.inLane(q.lanes.small, text, refs, o)
	}
	key := cacheKey(text, refs, o)
	if found, ok := q.parsed.known[key]; ok {
		return found.as(text)
	}
	if o.Stored && q.parsed.reads {
		o.Context = q.ctx // that of the caller has ended by then
		q.parsed.later = func() { q.remember(key, text, refs, o) }
		return nil, errLater
	}
	return q.remember(key, text, refs, o)
}

func (q *request) remember(key string, text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	ctx, cancel := context.WithTimeout(o.Context, q.o.ParseTimeout)
	defer cancel()
	o.Context = ctx
	p, err := q.inLane(q.lanes.large, text, refs, o)
	if q.parsed.known == nil {
		q.parsed.known = map[string]cached{}
	}
	q.parsed.known[key] = cached{p: p, err: err}
	return p, err
}

func (q *request) inLane(l lane, text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if !q.parsed.deciding && !o.Stored {
		if err := l.enter(o.Context); err != nil {
			return nil, err
		}
		defer l.leave()
	}
	return q.Registry.rules.Parse(text, refs, o)
}

// again runs a request that only reads until it has all that it needs.
func (q *request) again(handle func(*request) (any, error)) (reply any, err error) {
	for {
		reply, err = handle(q)
		if q.parsed.later == nil {
			return reply, err
		}
		later := q.parsed.later
		q.parsed.later = nil
		later()
	}
}
