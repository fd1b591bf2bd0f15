package registry

import (
	"fmt"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

func TestCache(t *testing.T) {
	hits := 0
	c := newCache(func(hit bool) {
		if hit {
			hits++
		}
	})
	owned := func(owner string) *schema.Metadata {
		return &schema.Metadata{Properties: map[string]string{"owner": owner}}
	}
	for _, owner := range []string{"a", "b"} {
		p, err := c.parse(schema.Schema{Text: `"int"`, Metadata: owned(owner)}, nil, schema.Options{})
		if err != nil || p.Canonical().Metadata.Properties["owner"] != owner || p.Schema.Type != schema.Avro {
			t.Errorf("%s: %v %v", owner, p, err)
		}
	}
	if _, err := c.parse(schema.Schema{Text: `"int"`, RuleSet: &schema.RuleSet{DomainRules: []schema.Rule{{}}}}, nil, schema.Options{}); schema.KindOf(err) != schema.BadRules {
		t.Errorf("bad rules over a text that is known: %v", err)
	}
	for range 2 {
		if _, err := c.parse(schema.Schema{Text: `nonsense`}, nil, schema.Options{}); err == nil {
			t.Error("nonsense was read")
		}
	}
	if hits != 2 {
		t.Errorf("%d hits", hits)
	}
	for i := range 2 * cacheSize {
		c.parse(schema.Schema{Text: fmt.Sprintf(`{"type":"fixed","name":"F","size":%d}`, i)}, nil, schema.Options{})
	}
	c.parse(schema.Schema{Text: `{"type":"fixed","name":"F","size":1,"doc":"` + strings.Repeat("x", cachedText) + `"}`}, nil, schema.Options{})
	if len(c.entries) != cacheSize || c.order.Len() != cacheSize {
		t.Errorf("%d and %d entries", len(c.entries), c.order.Len())
	}
}

// A schema that takes long to parse delays nobody else: neither readers nor the writer.
func TestSlowParseDelaysNobody(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	entered, leave := make(chan struct{}), make(chan struct{})
	parse := r.rules.Parse
	r.rules.Parse = func(s schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
		if strings.Contains(s.Text, "slow") {
			entered <- struct{}{}
			<-leave
			return nil, &schema.Error{Kind: schema.TooSlow, Text: "too slow"}
		}
		return parse(s, refs, o)
	}
	for _, path := range []string{"/subjects/a/versions", "/subjects/a", "/compatibility/subjects/a/versions"} {
		answered := make(chan string)
		go func() {
			_, body := ask(r, "POST", path, `{"schema":"slow"}`)
			answered <- body
		}()
		<-entered
		for _, other := range []string{"/subjects/b/versions", "/subjects/b"} {
			if code, body := ask(r, "POST", other, aString); code != 200 {
				t.Errorf("beside %s: %s %d %s", path, other, code, body)
			}
		}
		// A move of the log needs the state for itself.
		r.view.apply([]Entry{{Record: state.Record{Offset: 1000, Key: noop.Key}}})
		leave <- struct{}{}
		if body := <-answered; !strings.Contains(body, "50002") {
			t.Errorf("%s: %s", path, body)
		}
	}
}
