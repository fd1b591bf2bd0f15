package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/target"
)

// ledger is a second load beside the records that the checker judges: topics, settings, committed offsets, groups, producer ids,
// retries, log starts and a compacted topic. Each page does one of these again and again over connections of its own, writes
// down what was acknowledged, and looks each time whether the broker still says so.
type ledger struct {
	addr  string
	seed  uint64
	pages []*bookkeeper
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu    sync.Mutex
	found []string
}

// page is one kind of thing that must be remembered. turn changes it and checks it; check only checks. An error means that the
// broker did not answer or asked to be asked again; what it may have done is the page's business.
type page interface {
	turn(c *caller) error
	check(c *caller) error
}

type bookkeeper struct {
	name string
	page
	turns int
	last  error
}

func openLedger(ctx context.Context, addr string, seed uint64) *ledger {
	ctx, stop := context.WithCancel(ctx)
	l := &ledger{addr: addr, seed: seed, stop: stop}
	name := func(s string) string { return fmt.Sprintf("ledger-%d-%s", seed, s) }
	rng := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	l.add("topics", &topicsPage{l: l, prefix: name("topic")})
	l.add("settings", &settingsPage{l: l, topic: name("settings")})
	l.add("offsets", &offsetsPage{l: l, topic: name("settings"), group: name("simple")})
	l.add("group", &groupPage{l: l, topic: name("settings"), group: name("classic")})
	l.add("producer ids", &idsPage{l: l, seen: map[int64]bool{}})
	l.add("retries", &retriesPage{l: l, w: writer{l: l, topic: name("retries")}, rng: rng(1)})
	l.add("compaction", &compactPage{l: l, w: writer{l: l, topic: name("compact")}, rng: rng(2), acked: map[string]string{}})
	l.add("consumer", &consumerPage{l: l, w: writer{l: l, topic: name("queue")}, group: name("consumer")})
	for _, b := range l.pages {
		l.done.Go(func() { l.keep(ctx, b) })
	}
	return l
}

func (l *ledger) add(name string, p page) {
	l.pages = append(l.pages, &bookkeeper{name: name, page: p})
}

// keep turns a page until the end, over a new connection after each failure.
func (l *ledger) keep(ctx context.Context, b *bookkeeper) {
	for ctx.Err() == nil {
		c, err := dial(l.addr)
		for err == nil && ctx.Err() == nil {
			if err = b.turn(c); err == nil {
				b.turns++
				wait(ctx, 20*time.Millisecond)
			}
		}
		if c != nil {
			c.Close()
		}
		b.last = err
		wait(ctx, 50*time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// close ends the load, checks every page once more and returns what was found.
func (l *ledger) close(ctx context.Context) []string {
	l.stop()
	l.done.Wait()
	for _, b := range l.pages {
		if b.turns == 0 {
			l.find("%s: nothing was ever acknowledged, so nothing was tried: %v", b.name, b.last)
			continue
		}
		if err := l.lastCheck(ctx, b); err != nil {
			l.find("%s: cannot be checked at the end: %v", b.name, err)
		}
	}
	return l.found
}

func (l *ledger) lastCheck(ctx context.Context, b *bookkeeper) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		var c *caller
		if c, err = dial(l.addr); err == nil {
			err = b.check(c)
			c.Close()
		}
		if err == nil {
			return nil
		}
		wait(ctx, 200*time.Millisecond)
	}
	return err
}

// String tells how often each page was turned.
func (l *ledger) String() string {
	var all []string
	for _, b := range l.pages {
		all = append(all, fmt.Sprintf("%s %d", b.name, b.turns))
	}
	return strings.Join(all, ", ")
}

const mostFindings = 20

func (l *ledger) find(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	known := slices.ContainsFunc(l.found, func(f string) bool { return strings.HasSuffix(f, text) })
	if len(l.found) < mostFindings && !known {
		l.found = append(l.found, time.Now().UTC().Format("15:04:05.000 ")+text)
	}
}

// caller is a connection on which each page asks one thing after the other.
type caller struct{ *target.Conn }

func dial(addr string) (*caller, error) {
	c, err := target.Dial(addr)
	if err != nil {
		return nil, err
	}
	return &caller{c}, nil
}

// code turns an answered error code into an error.
func code(c int16) error { return kerr.ErrorForCode(c) }

func ask[R kmsg.Response](c *caller, req kmsg.Request, version int16) (r R, err error) {
	resp, err := c.Ask(req, version)
	if err != nil {
		return r, err
	}
	return resp.(R), nil
}

// create makes a topic of one partition unless it is there.
func (c *caller) create(topic string, config map[string]string) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, 1, 1
	for k, v := range config {
		e := kmsg.NewCreateTopicsRequestTopicConfig()
		e.Name, e.Value = k, &v
		t.Configs = append(t.Configs, e)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 10_000, append(req.Topics, t)
	r, err := ask[*kmsg.CreateTopicsResponse](c, req, 7)
	if err == nil {
		err = code(r.Topics[0].ErrorCode)
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

// offset is ListOffsets at a timestamp: -1 the end, -2 the start.
func (c *caller) offset(topic string, timestamp int64) (int64, error) {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrListOffsetsRequest()
	req.Topics = append(req.Topics, t)
	r, err := ask[*kmsg.ListOffsetsResponse](c, req, 5)
	if err != nil {
		return -1, err
	}
	return r.Topics[0].Partitions[0].Offset, code(r.Topics[0].Partitions[0].ErrorCode)
}

// register is a number that only rises and has one writer: acked was acknowledged or read, tried was asked for.
type register struct{ acked, tried int64 }

// read judges what the broker says, and takes it over: what was seen once must stay.
func (r *register) read(l *ledger, what string, got int64) {
	switch {
	case got < r.acked:
		l.find("%s is %d after %d was acknowledged", what, got, r.acked)
	case got > r.tried:
		l.find("%s is %d and nobody asked for more than %d", what, got, r.tried)
	default:
		r.acked = got
	}
}
