package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"millrace/internal/apps/registry/state"
)

// The writer, and how it knows that it is the only one:
//
//	W1  Every record that a registry of this kind writes carries the writer's name in a header.
//	W2  A start appends a NOOP. It asks: is somebody writing here? Until Settle is over nothing else is written.
//	W3  Whoever writes, or asked earlier, answers the question of another with a NOOP of his own.
//	W4  Who sees such an answer before Settle is over never writes; who sees any record of another later, questions excepted, stops
//	    to write. Both stay readable and say why.
//
// A record without a name is another kind of registry, which asks nobody: it ends writing at any time. Only when its key is none that a
// registry writes, somebody produced to the topic by mistake: it is ignored, told, and a finding of fsck. A registry that was killed may
// have records under way that land after the question of its successor; they are signed, and Settle lets them pass.
var noop = state.Write{Key: []byte(`{"keytype":"NOOP","magic":0}`)}

// job is a request that may write.
type job struct {
	ctx    context.Context
	decide func(*state.State) ([]state.Write, *state.Error)
	done   func(error)
}

// change decides a request on the present state, writes what it decided, and returns the reply once that is applied.
func change[T any](q *request, decide func(*state.State) ([]state.Write, T, *state.Error)) (T, error) {
	type outcome struct {
		reply T
		err   error
	}
	var decided T // the writer's until it is done: the caller may be gone by then
	done := make(chan outcome, 1)
	j := &job{ctx: q.ctx, done: func(err error) { done <- outcome{decided, err} }}
	j.decide = func(s *state.State) (writes []state.Write, e *state.Error) {
		q.holding(func() { writes, decided, e = decide(s) })
		if q.parsed.later != nil { // decided on what is not known yet (P3)
			return nil, nil
		}
		return writes, e
	}
	var nothing T
	select {
	case q.jobs <- j:
	case <-q.ctx.Done():
		return nothing, timedOut()
	}
	select {
	case o := <-done:
		return o.reply, o.err
	case <-q.ctx.Done():
		return nothing, timedOut()
	}
}

func timedOut() error {
	return &state.Error{Code: state.TimedOut, Message: "the time for this request is over; whether it was done is not known"}
}

// write is the one goroutine that writes.
func (r *Registry) write(ctx context.Context) {
	defer r.ended.Done()
	settled := r.o.After(r.o.Settle)
	select {
	case <-settled:
	case <-ctx.Done():
		return
	}
	r.settled.Store(true)
	close(r.calm)
	w := writer{Registry: r}
	for {
		select {
		case j := <-r.jobs:
			j.done(w.do(j))
		case <-ctx.Done():
			return
		}
	}
}

type writer struct {
	*Registry
	unsure bool // an append failed: its records may be in the log or still on their way
}

func (w *writer) do(j *job) error {
	if err := w.Healthy(); err != nil {
		return &state.Error{Code: state.StoreFailed, Message: err.Error()}
	}
	if j.ctx.Err() != nil {
		return timedOut()
	}
	if w.unsure {
		// A record behind the uncertain ones: once it is applied, so are they, or they will never be.
		if err := w.append(j.ctx, []state.Write{noop}); err != nil {
			return err
		}
		w.unsure = false
	}
	var writes []state.Write
	var refused *state.Error
	w.Look(func(s *state.State) { writes, refused = j.decide(s) })
	if refused != nil || len(writes) == 0 {
		return fault(refused)
	}
	return w.append(j.ctx, writes)
}

func (w *writer) append(ctx context.Context, writes []state.Write) error {
	var next int64
	w.Look(func(s *state.State) { next = s.Next() })
	last, err := w.log.Append(ctx, w.me, writes)
	if errors.Is(err, ErrTooLarge) {
		w.unsure = true // others of the records may be in the log
		return &state.Error{Code: state.SchemaTooLarge, Message: "the schema is larger than a record of the topic may be; split it into references"}
	}
	if err != nil {
		w.unsure = true
		return storeError(ctx, err)
	}
	if last < next { // to wait for it would be to find it applied: another record had this offset
		err := fmt.Errorf("a record was written at offset %d of %s, where another one was before: it was deleted and made again", last, w.o.Topic)
		w.unread(err)
		return storeError(ctx, err)
	}
	if err := w.view.wait(ctx, last); err != nil {
		return storeError(ctx, err)
	}
	return nil
}

func storeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return timedOut()
	}
	return &state.Error{Code: state.StoreFailed, Message: fmt.Sprintf("the topic of the registry cannot be written: %v", err)}
}

// A signature is the name of the writer, alone or with what the record is for: "name?" asks, "name!other" answers the other's question.
func question(me string) string { return me + "?" }

func answer(me, other string) string { return me + "!" + other }

// watch looks for other registries in what was read (W1-W4). It runs in the goroutine that follows the log.
func (r *Registry) watch(ctx context.Context, entries []Entry) {
	for _, e := range entries {
		name, asks := strings.CutSuffix(e.Writer, "?")
		name, to, answers := strings.Cut(name, "!")
		switch {
		case name == r.me:
			r.asked = true
		case !r.asked, answers && to != r.me:
			// From before our question, or not for us.
		case name == "" && !state.IsKey(e.Key):
			r.o.Logger.Warn("a record that is no schema registry's was written to the topic and is ignored; forbid others to write there",
				"topic", r.o.Topic, "offset", e.Offset)
		case name == "":
			r.stop("another kind of schema registry writes the topic %s (offset %d); stop one of the two and start this one again", e)
		case asks:
			r.object(ctx, name)
		case answers || r.settled.Load():
			r.stop("another schema registry writes the topic %s (offset %d); stop one of the two and start this one again", e)
		}
	}
}

// object answers the question of another registry, on the side: the log has to be followed meanwhile.
func (r *Registry) object(ctx context.Context, other string) {
	if r.rival.Load() != nil {
		return
	}
	r.o.Logger.Warn("another schema registry was started on the same topic and is told not to write", "topic", r.o.Topic)
	r.ended.Add(1)
	go func() {
		defer r.ended.Done()
		if _, err := r.log.Append(ctx, answer(r.me, other), []state.Write{noop}); err != nil && ctx.Err() == nil {
			r.o.Logger.Error("the other schema registry could not be told not to write", "error", err)
		}
	}()
}

func (r *Registry) stop(format string, e Entry) {
	why := fmt.Sprintf(format, r.o.Topic, e.Offset)
	if r.rival.CompareAndSwap(nil, &why) {
		r.o.Logger.Error(why)
	}
}
