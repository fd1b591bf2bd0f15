package registry

import (
	"context"
	"sync"
	"time"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// recordNames are the names that a schema gives to records.
type recordNames struct {
	one      string // of Avro and JSON Schema
	messages []schema.MessageName
	count    int   // of all, nested ones too
	err      error // why the schema cannot be read
}

// of is the name of a record; the indexes are of a Protobuf message.
func (n *recordNames) of(indexes []int) string {
	if n.messages == nil {
		return n.one
	}
	return n.message(indexes)
}

// message is the name of the Protobuf message with these indexes, empty when there is none.
func (n *recordNames) message(indexes []int) (name string) {
	within := n.messages
	for _, i := range indexes {
		if i < 0 || i >= len(within) {
			return ""
		}
		name, within = within[i].Full, within[i].Nested
	}
	return name
}

const (
	// mostNames are remembered of all schemas together.
	mostNames = 100_000
	// nameTime bounds reading a schema for its names, which happens once for each content.
	nameTime = time.Second
)

// nameCache keeps the names of contents, which never change. What could not be read is kept too: it was slow, perhaps.
type nameCache struct {
	mu    sync.Mutex
	of    map[schema.Digest]*recordNames // guarded by mu
	total int                            // guarded by mu
}

func (c *nameCache) get(d schema.Digest) *recordNames {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[d]
}

func (c *nameCache) put(d schema.Digest, n *recordNames) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total += n.count; c.of == nil || c.total > mostNames {
		c.of, c.total = map[schema.Digest]*recordNames{}, n.count
	}
	c.of[d] = n
}

// names are the record names of a stored version.
func (r *Registry) names(v *state.Version) *recordNames {
	if n := r.named.get(v.Digest); n != nil {
		return n
	}
	n := r.readNames(v)
	r.named.put(v.Digest, n)
	return n
}

func (r *Registry) readNames(v *state.Version) *recordNames {
	p, err := r.readStored(v, r.rules.Parse)
	if err != nil {
		return &recordNames{count: 1, err: err}
	}
	n := &recordNames{one: p.Name(), count: 1}
	if p.Protobuf != nil {
		n.messages = p.Protobuf.MessageNames()
		n.count += total(n.messages)
	}
	return n
}

// readStored parses a version outside of a request, and not while the state is held.
func (r *Registry) readStored(v *state.Version, parse parseFunc) (*schema.Parsed, error) {
	ctx, cancel := context.WithTimeout(context.Background(), nameTime)
	defer cancel()
	o := schema.Options{Stored: true, Limits: r.o.Limits, Context: ctx}
	var refs []schema.Resolved
	var err error
	r.Look(func(s *state.State) { refs, err = s.Closure(v.Subject, v.Schema(), o) })
	if err != nil {
		return nil, err
	}
	return parse(v.Schema(), refs, o)
}

type parseFunc = func(schema.Schema, []schema.Resolved, schema.Options) (*schema.Parsed, error)

func total(names []schema.MessageName) (n int) {
	for _, m := range names {
		n += 1 + total(m.Nested)
	}
	return n
}
