package broker

import (
	"strings"
	"sync"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// A session remembers what a client fetches (KIP-227), so that its requests name only what changed and the answers
// only what is new.
type session struct {
	id  int32
	ids bool // made with topic ids

	mu    sync.Mutex
	epoch int32 // of the next request
	order []*sessionPart
	byKey map[sessionKey]*sessionPart

	// Guarded by the cache.
	made, used time.Time
	size       int // partitions, when it was last used
}

type sessionKey struct {
	topic     string
	id        wire.UUID
	partition int32
}

// sessionPart is one partition of a session: what was asked, and what was answered last.
type sessionPart struct {
	wire.FetchPartition
	highWatermark, logStart int64
	sent                    bool // the last answer carried records
}

// sessionCache holds the sessions of all clients. Full, it lets go of the one unused for longest, if that is more than
// two minutes; else of the smallest of those made more than two minutes ago, if the newcomer has more partitions; else
// the newcomer goes without.
type sessionCache struct {
	slots  int
	random env.Random

	mu   sync.Mutex
	byID map[int32]*session
}

const evictSessionAfter = 2 * time.Minute

func newSessionCache(slots int, r env.Random) *sessionCache {
	return &sessionCache{slots: slots, random: r, byID: map[int32]*session{}}
}

func (c *sessionCache) find(id int32) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[id]
}

// touch notes that a session was used, and how large it is.
func (c *sessionCache) touch(s *session, size int, now time.Time) {
	c.mu.Lock()
	s.used, s.size = now, size
	c.mu.Unlock()
}

func (c *sessionCache) remove(id int32) {
	c.mu.Lock()
	delete(c.byID, id)
	c.mu.Unlock()
}

// add makes a session of size partitions, or returns nil if there is no room.
func (c *sessionCache) add(ids bool, size int, now time.Time) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byID) >= c.slots && !c.evict(size, now) {
		return nil
	}
	id := int32(0)
	for id == 0 || c.byID[id] != nil {
		id = int32(c.random.Uint64() & 0x7fffffff)
	}
	s := &session{id: id, ids: ids, epoch: 1, made: now, used: now, size: size, byKey: map[sessionKey]*sessionPart{}}
	c.byID[id] = s
	return s
}

// evict makes room for a session of size partitions.
func (c *sessionCache) evict(size int, now time.Time) bool {
	var oldest, smallest *session
	for _, s := range c.byID {
		if oldest == nil || s.used.Before(oldest.used) {
			oldest = s
		}
		if now.Sub(s.made) > evictSessionAfter && (smallest == nil || s.size < smallest.size) {
			smallest = s
		}
	}
	switch {
	case oldest != nil && now.Sub(oldest.used) > evictSessionAfter:
		delete(c.byID, oldest.id)
	case smallest != nil && size > smallest.size:
		delete(c.byID, smallest.id)
	default:
		return false
	}
	return true
}

func (c *sessionCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byID)
}

// change applies what a request adds, changes and forgets. mu is held.
func (s *session) change(r *wire.FetchRequest) {
	for i := range r.Partitions {
		p := &r.Partitions[i]
		k := sessionKey{p.Topic, p.TopicID, p.Partition}
		if old := s.byKey[k]; old != nil {
			topic := old.Topic
			old.FetchPartition = *p
			old.Topic = topic
			continue
		}
		n := &sessionPart{FetchPartition: *p, highWatermark: -1, logStart: -1}
		n.Topic = strings.Clone(p.Topic) // the request's memory is reused
		k.topic = n.Topic
		s.byKey[k] = n
		s.order = append(s.order, n)
	}
	if len(r.Forgotten) == 0 {
		return
	}
	for _, g := range r.Forgotten {
		delete(s.byKey, sessionKey{g.Topic, g.TopicID, g.Partition})
	}
	kept := s.order[:0]
	for _, p := range s.order {
		if s.byKey[sessionKey{p.Topic, p.TopicID, p.Partition}] == p {
			kept = append(kept, p)
		}
	}
	clear(s.order[len(kept):])
	s.order = kept
}

// rotate puts those that were served behind those that were not, so that no partition starves. mu is held.
func (s *session) rotate() {
	served := make([]*sessionPart, 0, 8)
	kept := s.order[:0]
	for _, p := range s.order {
		if p.sent {
			p.sent = false
			served = append(served, p)
			continue
		}
		kept = append(kept, p)
	}
	s.order = append(kept, served...)
}

// openSession finds out what the request wants read.
func (f *fetch) openSession() wire.ErrorCode {
	cache, now := f.r.b.sessions, f.r.start
	f.full = true
	if f.req.SessionEpoch <= 0 {
		if f.req.SessionID != 0 {
			cache.remove(f.req.SessionID)
		}
		if f.req.SessionEpoch == 0 && f.r.Version >= 7 && len(f.req.Partitions) > 0 {
			f.session = cache.add(f.r.Version >= 13, len(f.req.Partitions), now)
		}
		f.askAll()
		return wire.None
	}
	s := cache.find(f.req.SessionID)
	if s == nil {
		return wire.FetchSessionIDNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch != f.req.SessionEpoch:
		return wire.InvalidFetchSessionEpoch
	case s.ids != (f.r.Version >= 13):
		return wire.FetchSessionTopicIDError
	}
	s.change(&f.req)
	if len(s.order) == 0 { // nothing left to remember: the session ends
		cache.remove(s.id)
		return wire.None
	}
	cache.touch(s, len(s.order), now)
	if s.epoch++; s.epoch < 0 {
		s.epoch = 1
	}
	f.session, f.full, f.id = s, false, s.id
	f.askSession()
	return wire.None
}

// askAll takes the partitions of the request, and fills a new session with them.
func (f *fetch) askAll() {
	if f.session != nil {
		f.session.mu.Lock()
		defer f.session.mu.Unlock()
		f.session.change(&f.req)
		f.id = f.session.id
		f.askSession()
		return
	}
	for i := range f.req.Partitions {
		f.asked = append(f.asked, fetchPart{FetchPartition: f.req.Partitions[i]})
		f.resolve(&f.asked[len(f.asked)-1])
	}
}

func (f *fetch) askSession() {
	for _, p := range f.session.order {
		f.asked = append(f.asked, fetchPart{FetchPartition: p.FetchPartition, cached: p})
		f.resolve(&f.asked[len(f.asked)-1])
	}
}

// closeSession leaves out of the answer what the client knows already, and remembers what it is told now.
func (f *fetch) closeSession() {
	s := f.session
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, served := 0, false
	for i := range f.parts {
		p, out := f.asked[i].cached, f.parts[i]
		if !f.full && !p.news(&out) {
			continue
		}
		p.highWatermark, p.logStart = out.HighWatermark, out.LogStart
		if out.Err != wire.None {
			p.highWatermark = -1 // once the error is gone, the client is told again
		}
		p.sent = out.RecordsSize > 0
		served = served || p.sent
		f.parts[kept], f.reads[kept] = out, f.reads[i]
		f.asked[kept].name = f.asked[i].name
		kept++
	}
	f.parts, f.reads = f.parts[:kept], f.reads[:kept]
	if served {
		s.rotate()
	}
}

// news: there is something to tell.
func (p *sessionPart) news(out *wire.FetchResponsePartition) bool {
	return out.RecordsSize > 0 || out.Err != wire.None || out.DivergingEpoch >= 0 ||
		out.HighWatermark != p.highWatermark || out.LogStart != p.logStart
}
