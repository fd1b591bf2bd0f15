package registry

import (
	"context"
	"errors"
	"runtime"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// What parsing and comparing may take of the machine. A text within the limits can keep a processor busy for a second, and a comparison
// for longer, so
//
//	P1  texts are sorted by size, and of each sort only so many are parsed at once; of large ones so few that a processor is left for
//	    requests that only look something up. Comparisons cannot be sorted by size: each begins among the quick ones, and what is not
//	    done in a moment begins again among the long ones, of which there are as few as of large texts.
//	P2  a request parses a text once: the decision finds what was parsed before it.
//	P3  a large text is never parsed, and nothing is compared, while the state is held. A request that meets either gives up the state,
//	    does it, and begins again. So does a registration whose turn to write has come, and gives its turn to others meanwhile: it is
//	    decided by what was compared only when that is still what counts.
type lanes struct{ small, large, quick, long lane }

// lane holds as many tokens as may run at once.
type lane chan struct{}

func newLanes() lanes {
	n := runtime.GOMAXPROCS(0)
	return lanes{small: make(lane, n), large: make(lane, max(1, n-1)), quick: make(lane, n), long: make(lane, max(1, n-1))}
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

// parsed is what a request has parsed and compared so far (P2). It is the request's alone, and the writer's while that decides it.
type parsed struct {
	known    map[string]cached
	verdicts state.Verdicts
	tooLong  *state.Error // a comparison took all its time
	held     bool         // the state is held, and others may wait for that: nothing is done that takes long (P3)
	later    func()       // what has to be done before the request begins again
}

var errLater = errors.New("the schema is parsed before the state is looked at again")

// Look is Registry.Look; meanwhile the state counts as held (P3).
func (q *request) Look(look func(*state.State)) {
	q.Registry.Look(func(s *state.State) { q.holding(func() { look(s) }) })
}

func (q *request) holding(do func()) {
	q.parsed.held = true
	defer func() { q.parsed.held = false }()
	do()
}

// parse is Rules.Parse of a request.
func (q *request) parse(text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if !large(text, refs) {
		return q.inLane(q.lanes.small, text, refs, o)
	}
	key := cacheKey(text, refs, o)
	if found, ok := q.parsed.known[key]; ok {
		return found.as(text)
	}
	switch {
	case q.parsed.held:
		q.parsed.later = func() {
			o.Context = q.ctx // that of the caller has ended by then
			q.remember(key, text, refs, o)
		}
		return nil, errLater
	case o.Stored: // compared with, one after the other: to keep them all would take too much room
		return q.inLane(nil, text, refs, o)
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

// inLane parses in its turn. Nobody waits for a turn while the state is held; what lies in the log is parsed in the turn of the request.
func (q *request) inLane(l lane, text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if !q.parsed.held && !o.Stored {
		if err := l.enter(o.Context); err != nil {
			return nil, err
		}
		defer l.leave()
	}
	return q.Registry.rules.Parse(text, refs, o)
}

// again runs what only looks until it has all that it needs.
func (q *request) again(look func(*request) (any, error)) (reply any, err error) {
	for {
		reply, err = look(q)
		if !q.caughtUp() {
			return reply, err
		}
	}
}

// caughtUp does what was put off; it is false when nothing was.
func (q *request) caughtUp() bool {
	later := q.parsed.later
	if later == nil {
		return false
	}
	q.parsed.later = nil
	later()
	return true
}
