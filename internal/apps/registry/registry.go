package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// Options say where the log is and what the registry may do. The zero value of a field takes the default in its comment.
type Options struct {
	// Client are options of the Kafka client: seed brokers, and how to dial them.
	Client []kgo.Opt
	// Topic holds the schemas (_schemas). It is made if there is none.
	Topic string
	// Logger gets what an operator should know (slog.Default).
	Logger *slog.Logger
	// Authorizer is asked about every request (all are allowed).
	Authorizer Authorizer
	// Checker judges compatibility (package compat).
	Checker state.Checker
	// Metrics are told what happens (nobody is).
	Metrics Metrics
	// Limits bound what one schema may cost (schema.DefaultLimits).
	Limits schema.Limits
	// Body is the largest body of a request, in bytes (8 MiB).
	Body int64
	// Timeout bounds one request (30 s), ParseTimeout what parsing and comparing may take of it (2 s).
	Timeout, ParseTimeout time.Duration
	// Settle is how long a start waits for another registry to object (300 ms); writes wait for its end, reads do not.
	Settle time.Duration
	// Level is the compatibility level where nothing is set (BACKWARD).
	Level string
	// Replicas are those of a topic that is made (three, or as many as there are brokers).
	Replicas int
	// FixedModes refuses changes of modes.
	FixedModes bool
	// Version is the program's, shown to those who ask.
	Version string
	// Now is the clock (time.Now), After a timer (time.After).
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Metrics are hooks; each may be nil.
type Metrics struct {
	// Request is called for each request answered; route is the pattern of its path.
	Request func(method, route string, status int, took time.Duration)
	// Applied is called after records were applied: the next offset, versions and subjects that there are.
	Applied func(next int64, versions, subjects int)
	// Parsed is called for each schema asked of the cache of parsed schemas.
	Parsed func(hit bool)
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Timeout, 30*time.Second)
	def(&o.ParseTimeout, 2*time.Second)
	def(&o.Settle, 300*time.Millisecond)
	if o.Topic == "" {
		o.Topic = "_schemas"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Authorizer == nil {
		o.Authorizer = everybody{}
	}
	if o.Checker == nil {
		o.Checker = checker{}
	}
	if o.Level == "" {
		o.Level = state.DefaultLevel
	}
	if o.Body == 0 {
		o.Body = 8 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	return o
}

// Registry is an open registry.
type Registry struct {
	// Constant after Open.
	o      Options
	log    Log
	me     string // signs the records
	rules  state.Rules
	lanes  lanes
	jobs   chan *job
	cancel context.CancelFunc
	unread context.CancelCauseFunc // ends following, with the reason why the log is not this registry's any more
	ended  sync.WaitGroup
	lost   chan struct{} // closed when the log is not followed any more
	calm   chan struct{} // closed when others have had their time to object

	asked   bool // our question was read; owned by follow
	settled atomic.Bool

	named nameCache
	view  view
	told  answerCache
	rival atomic.Pointer[string] // why this registry does not write any more
	cut   atomic.Pointer[error]  // why the log is not followed any more
}

// Open opens the topic, loads it, and starts to write. It answers when everything that was in the log is applied.
func Open(ctx context.Context, o Options) (*Registry, error) {
	o = o.withDefaults()
	log, err := openKafka(ctx, o)
	if err != nil {
		return nil, err
	}
	r, err := OpenLog(ctx, log, o)
	if err != nil {
		log.Close()
		return nil, err
	}
	return r, nil
}

// OpenLog is Open on a log of the caller's.
func OpenLog(ctx context.Context, log Log, o Options) (*Registry, error) {
	o = o.withDefaults()
	running, cancel := context.WithCancel(context.Background())
	r := &Registry{o: o, log: log, me: rand.Text(), jobs: make(chan *job), cancel: cancel, lanes: newLanes(), lost: make(chan struct{}), calm: make(chan struct{})}
	r.rules = state.Rules{Check: o.Checker, Parse: newCache(o.Metrics.Parsed).parse, Limits: o.Limits, FixedModes: o.FixedModes}
	r.view.open(o.Level)
	following, unread := context.WithCancelCause(running)
	r.unread = unread
	r.ended.Add(1)
	go r.follow(running, following)
	asked, err := log.Append(ctx, question(r.me), []state.Write{noop})
	if err == nil {
		err = r.view.wait(ctx, asked)
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("the schema registry cannot read its topic: %w", err)
	}
	r.ended.Add(1)
	go r.write(running)
	return r, nil
}

// Close ends the registry; requests under way get errors.
func (r *Registry) Close() {
	r.cancel()
	r.log.Close()
	r.ended.Wait()
}

// Healthy is nil while the registry follows its log and may write.
func (r *Registry) Healthy() error {
	if cut := r.cut.Load(); cut != nil {
		return *cut
	}
	if why := r.rival.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// Look calls look with the present state, which look may only read and must not keep.
func (r *Registry) Look(look func(*state.State)) { r.view.look(look) }

// follow applies the log until the registry is closed, which ends ctx, or the log is given up, which ends following.
func (r *Registry) follow(ctx, following context.Context) {
	defer r.ended.Done()
	err := r.log.Follow(following, func(entries []Entry) {
		r.watch(ctx, entries)
		r.view.apply(entries)
		if hook := r.o.Metrics.Applied; hook != nil {
			r.Look(func(s *state.State) {
				versions, subjects := s.Counts()
				hook(s.Next(), versions, subjects)
			})
		}
	})
	if ctx.Err() == nil {
		if following.Err() != nil {
			err = context.Cause(following)
		}
		err = fmt.Errorf("the schema registry lost its topic and has to be started again: %w", err)
		r.o.Logger.Error(err.Error())
	}
	r.cut.Store(&err)
	r.view.end(err)
	close(r.lost)
}

// view is the state with those who wait for it to move.
type view struct {
	mu    sync.RWMutex
	s     *state.State  // guarded by mu
	moved chan struct{} // guarded by mu; closed when s moves
	err   error         // guarded by mu; s will not move any more

	next atomic.Int64 // of s, for who only wants to know whether it moved
}

func (v *view) open(level string) {
	v.s, v.moved = state.New(), make(chan struct{})
	v.s.SetDefaultLevel(level)
}

func (v *view) look(look func(*state.State)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	look(v.s)
}

func (v *view) apply(entries []Entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range entries {
		v.s.Apply(e.Record)
	}
	v.next.Store(v.s.Next())
	close(v.moved)
	v.moved = make(chan struct{})
}

func (v *view) end(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
	close(v.moved)
	v.moved = make(chan struct{})
}

// wait returns once the record at offset is applied.
func (v *view) wait(ctx context.Context, offset int64) error {
	for {
		v.mu.RLock()
		next, moved, err := v.s.Next(), v.moved, v.err
		v.mu.RUnlock()
		if next > offset {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Authorizer decides who may do what. A refusal is an error whose text is shown.
type Authorizer interface {
	Authorize(r *http.Request, a Action, subject string) error
}

// Action is what somebody wants to do with a subject; a setting of all has an empty subject.
type Action string

const (
	Read     Action = "read"
	Write    Action = "write"
	Delete   Action = "delete"
	Describe Action = "describe settings"
	Alter    Action = "alter settings"
)

type everybody struct{}

func (everybody) Authorize(*http.Request, Action, string) error { return nil }
