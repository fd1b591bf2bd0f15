package registry

import (
	"container/list"
	"strconv"
	"strings"
	"sync"

	"millrace/internal/apps/registry/schema"
)

// cacheSize is how many parsed schemas are kept: the latest versions of the subjects that are written to now.
const cacheSize = 500

// cache keeps parsed schemas that lie in the log, the ones asked for last. What they mean never changes: the key holds the text and
// the texts of all they refer to, by digest.
type cache struct {
	asked func(hit bool)

	mu      sync.Mutex
	entries map[string]*list.Element // guarded by mu
	order   *list.List               // guarded by mu; of cached, the one asked for last in front
}

type cached struct {
	key string
	p   *schema.Parsed
}

func newCache(asked func(bool)) *cache {
	if asked == nil {
		asked = func(bool) {}
	}
	return &cache{asked: asked, entries: map[string]*list.Element{}, order: list.New()}
}

func (c *cache) parse(text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if !o.Stored {
		return schema.Parse(text, refs, o)
	}
	key := cacheKey(text, refs)
	p := c.get(key)
	c.asked(p != nil)
	if p != nil {
		return p, nil
	}
	p, err := schema.Parse(text, refs, o)
	if err == nil {
		c.put(key, p)
	}
	return p, err
}

func cacheKey(text schema.Schema, refs []schema.Resolved) string {
	var b strings.Builder
	part := func(s schema.Schema) {
		d := s.Digest()
		b.WriteString(string(s.TypeOrDefault()))
		b.Write(d[:])
	}
	part(text)
	for _, r := range refs {
		b.WriteString(r.Subject + "\x00" + strconv.Itoa(r.Version) + "\x00")
		part(r.Schema)
	}
	return b.String()
}

func (c *cache) get(key string) *schema.Parsed {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).p
}

func (c *cache) put(key string, p *schema.Parsed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[key] != nil {
		return
	}
	c.entries[key] = c.order.PushFront(cached{key, p})
	if c.order.Len() > cacheSize {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.entries, last.Value.(cached).key)
	}
}
