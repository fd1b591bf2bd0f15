package group

import (
	"bytes"
	"fmt"
	"time"

	"millrace/internal/core/machine"
)

// testHost runs a machine as the contract says, over a log in memory: records are appended and replayed at once, and
// then the replies go out.
type testHost struct {
	options Options
	k       *coordinator
	now     time.Time
	log     []machine.Batch
	end     int64

	token   machine.Token
	waiting map[machine.Token]bool
	// answered gets every reply, in order.
	answered func(to machine.Token, body any)
	// wrote gets every batch that is appended.
	wrote func(machine.Batch)
}

func newTestHost(s Settings, ids func() string) *testHost {
	h := &testHost{
		options:  Options{Settings: s, NewMemberID: ids},
		now:      time.UnixMilli(0).UTC(),
		waiting:  map[machine.Token]bool{},
		answered: func(machine.Token, any) {},
		wrote:    func(machine.Batch) {},
	}
	h.load()
	return h
}

// ask gives the machine a command and returns the token of its caller.
func (h *testHost) ask(body any) machine.Token {
	h.token++
	t := h.token
	h.waiting[t] = true
	h.deliver(h.k.Handle(h.now, machine.Command{Token: t, Body: body}))
	return t
}

func (h *testHost) deliver(r machine.Result) {
	if len(r.Records) > 0 {
		h.append(machine.Batch{Producer: r.Producer, Records: r.Records})
	}
	for _, reply := range r.Replies {
		if !h.waiting[reply.To] {
			panic(fmt.Sprintf("token %d answered twice, or never given: %+v", reply.To, reply.Body))
		}
		delete(h.waiting, reply.To)
		h.answered(reply.To, reply.Body)
	}
}

func (h *testHost) append(b machine.Batch) {
	b.BaseOffset, b.Timestamp = h.end, h.now.UnixMilli()
	h.end += int64(max(len(b.Records), 1))
	h.log = append(h.log, b)
	h.wrote(b)
	if err := h.k.Replay(b); err != nil {
		panic(err)
	}
}

// pass lets time go by, with a tick at each deadline.
func (h *testHost) pass(d time.Duration, ticked func()) {
	until := h.now.Add(d)
	for {
		next := h.k.Deadline()
		if next.IsZero() || next.After(until) {
			break
		}
		if next.After(h.now) {
			h.now = next
		}
		if ticked != nil {
			ticked()
		}
		h.deliver(h.k.Handle(h.now, machine.Command{Body: machine.Tick{}}))
	}
	h.now = until
}

// load makes a new machine of the log. Whoever waits is forgotten.
func (h *testHost) load() {
	h.waiting = map[machine.Token]bool{}
	h.k = replayed(h.options, h.log)
	h.deliver(h.k.Loaded(h.now))
}

// replayed is a machine rebuilt from a log, not yet loaded. The bytes are overwritten after each replay: a machine
// must own what it keeps.
func replayed(o Options, log []machine.Batch) *coordinator {
	k := newCoordinator(o)
	for _, b := range log {
		b.Records = cloneRecords(b.Records)
		if err := k.Replay(b); err != nil {
			panic(err)
		}
		for _, r := range b.Records {
			scribble(r.Key)
			scribble(r.Value)
		}
	}
	return k
}

func cloneRecords(rs []machine.Record) []machine.Record {
	out := make([]machine.Record, len(rs))
	for i, r := range rs {
		out[i] = machine.Record{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
	}
	return out
}

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xAA
	}
}
