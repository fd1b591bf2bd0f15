package state

import (
	"context"
	"crypto/md5"
	"io"
	"strconv"

	"millrace/internal/apps/registry/schema"
)

// earlier is a version that a schema is compared with, and everything that it refers to. The texts stay packed until it is their turn:
// a level that looks at all versions would else hold all their texts.
type earlier struct {
	*Version
	refers map[schemaKey]*Version
	fault  error         // something that it refers to is missing
	refs   schema.Digest // of what it refers to
}

// earlier collects what parsing a version without the State needs.
func (s *State) earlier(ctx context.Context, r Rules, v *Version) earlier {
	e := earlier{Version: v}
	if len(v.References()) == 0 {
		return e
	}
	e.refers = map[schemaKey]*Version{}
	h := md5.New()
	_, e.fault = schema.Closure(*v.about, func(ref schema.Reference) (*schema.Schema, error) {
		found := s.Version(Qualify(v.Subject, ref.Subject), ref.Version, WithDeleted)
		if found == nil {
			return nil, nil
		}
		e.refers[schemaKey{ref.Subject, ref.Version}] = found
		io.WriteString(h, ref.Subject+"\x00"+strconv.Itoa(ref.Version)+"\x00")
		h.Write(found.Digest[:])
		return found.about, nil
	}, r.options(ctx, true))
	e.refs = schema.Digest(h.Sum(nil))
	return e
}

// parse reads the version. What is wrong is wrong with it, not with the schema that it is compared with, and the words say so.
func (e *earlier) parse(ctx context.Context, r Rules) (*schema.Parsed, *Error) {
	o := r.options(ctx, true)
	text := e.Schema()
	var refs []schema.Resolved
	err := e.fault
	if err == nil && len(text.References) > 0 {
		refs, err = schema.Closure(text, func(ref schema.Reference) (*schema.Schema, error) {
			found := e.refers[schemaKey{ref.Subject, ref.Version}].Schema()
			return &found, nil
		}, o)
	}
	var p *schema.Parsed
	if err == nil {
		p, err = r.parse(text, refs, o)
	}
	if err == nil {
		return p, nil
	}
	refused := schemaError(err)
	if refused.Code != TimedOut {
		refused = errorf(refused.Code, "the schema cannot be compared with version %d of subject %q, which cannot be read: %v; delete that version or mend it",
			e.Version.Version, e.Subject, err)
	}
	return nil, refused
}

// digestOf tells apart schemas that differ in their text or in anything that they refer to. Metadata and rules are not compared.
func digestOf(text schema.Schema, refs []schema.Resolved) schema.Digest {
	h := md5.New()
	part := func(s schema.Schema) {
		s.Metadata, s.RuleSet = nil, nil
		d := s.Digest()
		io.WriteString(h, string(s.TypeOrDefault()))
		h.Write(d[:])
	}
	part(text)
	for _, r := range refs {
		io.WriteString(h, r.Subject+"\x00"+strconv.Itoa(r.Version)+"\x00")
		part(r.Schema)
	}
	return schema.Digest(h.Sum(nil))
}

// Verdicts remember what comparisons found, for a request that has to look again because the subject changed meanwhile. Nil remembers
// nothing.
type Verdicts struct{ known map[pair]verdict }

// pair is everything that a verdict follows from: the same pair has the same verdict for ever.
type pair struct {
	mine          schema.Digest
	old           *Version
	refs          schema.Digest // of old
	level, policy string
}

type verdict struct {
	Verdict
	err *Error
}

func (c *Comparison) pair(old *earlier) pair {
	return pair{c.mine, old.Version, old.refs, c.config.Level, c.config.Policy}
}

func (k *Verdicts) of(c *Comparison, old *earlier) (verdict, bool) {
	if k == nil {
		return verdict{}, false
	}
	v, ok := k.known[c.pair(old)]
	return v, ok
}

func (k *Verdicts) add(c *Comparison, old *earlier, v verdict) {
	if k == nil {
		return
	}
	if k.known == nil {
		k.known = map[pair]verdict{}
	}
	k.known[c.pair(old)] = v
}
