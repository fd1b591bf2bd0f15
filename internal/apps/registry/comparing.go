package registry

import (
	"context"
	"time"

	"millrace/internal/apps/registry/state"
)

// quickly is how long a comparison may take among the quick ones (P1): fifty times what two schemas of two hundred fields take.
const quickly = 50 * time.Millisecond

// compared is Rules.Compare of a request: a registration is decided while the state is held, so it takes what is known, or puts the
// comparison off.
func (q *request) compared(ctx context.Context, c *state.Comparison) (state.Result, *state.Error) {
	if q.parsed.tooLong != nil {
		return state.Result{}, q.parsed.tooLong
	}
	found, all, err := c.Known(&q.parsed.verdicts)
	if all {
		return found, err
	}
	q.parsed.later = func() {
		if _, err := q.run(ctx, c); err != nil && err.Code == state.TimedOut {
			q.parsed.tooLong = err
		}
	}
	return state.Result{}, &state.Error{Code: state.TimedOut, Message: errLater.Error()}
}

// run compares in its turn.
func (q *request) run(ctx context.Context, c *state.Comparison) (state.Result, *state.Error) {
	if err := c.Parse(ctx, q.rules); err != nil {
		return state.Result{}, err
	}
	if !c.Large(cachedText) {
		found, err := q.runIn(ctx, q.lanes.quick, quickly, c)
		if err == nil || err.Code != state.TimedOut || ctx.Err() != nil {
			return found, err
		}
	}
	return q.runIn(ctx, q.lanes.long, q.o.ParseTimeout, c)
}

func (q *request) runIn(ctx context.Context, l lane, limit time.Duration, c *state.Comparison) (state.Result, *state.Error) {
	if l.enter(ctx) != nil {
		return state.Result{}, &state.Error{Code: state.TimedOut, Message: errBusy.Error()}
	}
	defer l.leave()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.Run(ctx, q.rules, &q.parsed.verdicts)
}
