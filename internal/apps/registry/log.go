package registry

import (
	"context"
	"errors"
	"slices"
	"sync"

	"millrace/internal/apps/registry/state"
)

// Entry is a record of the log with the name of the registry that wrote it, empty when it is none of ours.
type Entry struct {
	state.Record
	Writer string
}

// Log is the topic _schemas.
type Log interface {
	// Append writes records in their order, all of them durable before it answers, and returns the offset of the last. After an error
	// nobody knows which of them are in the log.
	Append(ctx context.Context, writer string, writes []state.Write) (last int64, err error)
	// Follow gives every record from the beginning, in order, until ctx ends or the log cannot be read any more.
	Follow(ctx context.Context, take func([]Entry)) error
	// End is the offset after the last record that can be read.
	End(ctx context.Context) (int64, error)
	// ClusterID names the cluster that holds the log.
	ClusterID() string
	Close()
}

// ErrTooLarge is what Append answers for a record that the topic does not take.
var ErrTooLarge = errors.New("the record is larger than the topic allows")

// Memory is a Log in memory, for tests.
type Memory struct {
	mu      sync.Mutex
	entries []Entry       // guarded by mu
	grown   chan struct{} // guarded by mu; closed when entries grow
	fail    error         // guarded by mu
}

// NewMemory is a log that holds these records already.
func NewMemory(records ...state.Record) *Memory {
	m := &Memory{grown: make(chan struct{})}
	for _, r := range records {
		m.entries = append(m.entries, Entry{Record: r})
	}
	return m
}

// Fail lets appends fail until it is called with nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Records are what the log holds.
func (m *Memory) Records() []state.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []state.Record
	for _, e := range m.entries {
		all = append(all, e.Record)
	}
	return all
}

func (m *Memory) Append(_ context.Context, writer string, writes []state.Write) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	next := int64(0)
	if n := len(m.entries); n > 0 {
		next = m.entries[n-1].Offset + 1
	}
	for _, w := range writes {
		m.entries = append(m.entries, Entry{state.Record{Offset: next, Time: 1700000000000 + next, Key: w.Key, Value: w.Value}, writer})
		next++
	}
	close(m.grown)
	m.grown = make(chan struct{})
	return next - 1, nil
}

func (m *Memory) End(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil || len(m.entries) == 0 {
		return 0, m.fail
	}
	return m.entries[len(m.entries)-1].Offset + 1, nil
}

func (m *Memory) Follow(ctx context.Context, take func([]Entry)) error {
	for given := 0; ; {
		m.mu.Lock()
		fresh, grown := slices.Clone(m.entries[given:]), m.grown
		m.mu.Unlock()
		if len(fresh) > 0 {
			take(fresh)
			given += len(fresh)
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *Memory) ClusterID() string { return "memory" }

func (m *Memory) Close() {}
