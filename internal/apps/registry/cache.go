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

// cachedText is the largest text that is kept: what is parsed takes many times its text.
const cachedText = 64 << 10

// cache keeps what parsing gave for the schemas asked for last, refusals too. A schema's meaning never changes: the key holds the text
// and the texts of all it refers to, by digest. Metadata and rules are no part of it, they are put on what is found.
type cache struct {
	asked func(hit bool)

	mu      sync.Mutex
	entries map[string]*list.Element // guarded by mu
	order   *list.List               // guarded by mu; of cached, the one asked for last in front
}

type cached struct {
	key string
	p   *schema.Parsed
	err error
}

func newCache(asked func(bool)) *cache {
	if asked == nil {
		asked = func(bool) {}
	}
	return &cache{asked: asked, entries: map[string]*list.Element{}, order: list.New()}
}

func (c *cache) parse(text schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
	if text.RuleSet != nil {
		if err := text.RuleSet.Validate(); err != nil {
			return nil, err
		}
	}
	key := cacheKey(text, refs, o)
	found, hit := c.get(key)
	c.asked(hit)
	if !hit {
		found.p, found.err = schema.Parse(text, refs, o)
		found.key = key
		// A schema that took too long may be faster on a less busy day.
		if schema.KindOf(found.err) != schema.TooSlow && len(text.Text) <= cachedText {
			c.put(found)
		}
	}
	return found.as(text)
}

// as is what was found with the metadata and the rules of text.
func (found cached) as(text schema.Schema) (*schema.Parsed, error) {
	if found.err != nil {
		return nil, found.err
	}
	own := *found.p
	text.Type = text.TypeOrDefault()
	own.Schema = text
	return &own, nil
}

func cacheKey(text schema.Schema, refs []schema.Resolved, o schema.Options) string {
	var b strings.Builder
	part := func(s schema.Schema) {
		s.Metadata, s.RuleSet = nil, nil
		d := s.Digest()
		b.WriteString(string(s.TypeOrDefault()))
		b.Write(d[:])
	}
	b.WriteString(strconv.FormatBool(o.New) + strconv.FormatBool(o.Stored))
	part(text)
	for _, r := range refs {
		b.WriteString(r.Subject + "\x00" + strconv.Itoa(r.Version) + "\x00")
		part(r.Schema)
	}
	return b.String()
}

func (c *cache) get(key string) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return cached{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cached), true
}

func (c *cache) put(fresh cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[fresh.key] != nil {
		return
	}
	c.entries[fresh.key] = c.order.PushFront(fresh)
	if c.order.Len() > cacheSize {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.entries, last.Value.(cached).key)
	}
}
