package registry

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

func quote(s string) string { return strconv.Quote(s) }

// /subjects/{subject}/versions: the versions of a subject; here schemas are registered.
func versionsRoutes() []route {
	return []route{
		on("/subjects/{subject}/versions", map[string]func(*request) (any, error){"GET": listVersions, "POST": register}),
		on("/subjects/{subject}/versions/{version}", map[string]func(*request) (any, error){"GET": showVersion, "DELETE": deleteVersion}),
		on("/subjects/{subject}/versions/{version}/schema", map[string]func(*request) (any, error){"GET": showText}),
		on("/subjects/{subject}/versions/{version}/referencedby", map[string]func(*request) (any, error){"GET": referencedBy}),
		on("/subjects/{subject}/versions/{version}/tags", map[string]func(*request) (any, error){"POST": describe}),
	}
}

func listVersions(q *request) (any, error) {
	if err := q.may(Read, q.subject()); err != nil {
		return nil, err
	}
	f := q.filter()
	negative := q.flag("deletedAsNegative")
	if negative {
		f = state.WithDeleted
	}
	var numbers []int
	var known bool
	q.Look(func(s *state.State) {
		known = s.HasSubject(q.subject(), subjectsWith(f))
		for _, v := range s.Versions(state.Normal(q.subject()), f) {
			n := v.Version
			if negative && v.Deleted {
				n = -n
			}
			numbers = append(numbers, n)
		}
	})
	if !known {
		return nil, &state.Error{Code: state.SubjectNotFound, Message: "there is no subject " + quote(q.subject())}
	}
	return paged(page(q, numbers, 0))
}

func register(q *request) (any, error) {
	var b schemaRequest
	if err := q.body(&b); err != nil {
		return nil, err
	}
	if err := q.notLogical(); err != nil {
		return nil, err
	}
	g := state.Registration{Subject: q.subject(), Schema: b.schema(), Version: max(b.Version, state.Latest), ID: b.id(),
		Normalize: q.flag("normalize"), Force: q.flag("force"), Propagate: b.Propagate}
	return q.register(g, b.TagsAdd, b.TagsRemove)
}

func (q *request) register(g state.Registration, add, remove []schema.Tagged) (reply any, err error) {
	if err := q.may(Write, g.Subject); err != nil {
		return nil, err
	}
	ctx, cancel := q.parsing()
	defer cancel()
	sent := g.Schema
	if len(add)+len(remove) > 0 {
		if g.Schema, err = q.retag(ctx, g.Subject, g.Schema, add, remove); err != nil {
			return nil, err
		}
		g.Version = cmp.Or(g.Version, state.Latest) // a version of its own, since the text is not the one that was sent
	}
	if err := q.parseFirst(ctx, g.Subject, g.Schema); err != nil {
		return nil, err
	}
	registered, err := q.decided(ctx, g)
	if err != nil {
		return nil, err
	}
	return q.again(func(*request) (reply any, err error) {
		q.Look(func(s *state.State) {
			// Read back: the record has its time only now.
			if v := s.Version(registered.Subject, registered.Version, state.WithDeleted); v != nil {
				registered = v
			}
			reply, err = q.registration(s, registered, sent, g.Propagate || len(add)+len(remove) > 0)
		})
		return reply, err
	})
}

// decidedMost is how often a registration takes its turn to write: as often it finds that others changed what it was compared with.
const decidedMost = 20

// decided registers. The whole decision is tried beside the writer first, until everything that it needs is parsed and compared (P3).
func (q *request) decided(ctx context.Context, g state.Registration) (*state.Version, error) {
	for range decidedMost {
		q.again(func(*request) (any, error) {
			q.Look(func(s *state.State) { s.Register(ctx, q.rules, g) })
			return nil, nil
		})
		if q.parsed.tooLong != nil {
			return nil, q.parsed.tooLong
		}
		registered, err := change(q, func(s *state.State) ([]state.Write, *state.Version, *state.Error) {
			return s.Register(ctx, q.rules, g)
		})
		if err != nil || !q.caughtUp() {
			return registered, err
		}
	}
	return nil, &state.Error{Code: state.TimedOut, Message: "the subject changed each time that the schema was compared with it; try again"}
}

// registration is the answer to a registration. The schema itself is told only when it is more than what was sent, or was asked for in
// a form: clients keep what they are told in place of their own text, and a Python client needs its own for Protobuf.
type registration struct {
	ID         int                `json:"id"`
	Version    int                `json:"version"`
	GUID       string             `json:"guid"`
	Type       schema.Type        `json:"schemaType,omitempty"`
	References []schema.Reference `json:"references,omitempty"`
	Metadata   *schema.Metadata   `json:"metadata,omitempty"`
	RuleSet    *schema.RuleSet    `json:"ruleSet,omitempty"`
	Text       string             `json:"schema,omitempty"`
	Time       int64              `json:"ts,omitempty"`
}

func (q *request) registration(s *state.State, v *state.Version, sent schema.Schema, tagged bool) (any, error) {
	contract := func(s schema.Schema) schema.Digest {
		return schema.Schema{Metadata: s.Metadata, RuleSet: s.RuleSet}.Digest()
	}
	if !tagged && sent.Text != "" && contract(sent) == contract(v.Schema()) && q.query.Get("format") == "" {
		return registration{ID: v.ID, Version: v.Version, GUID: v.Digest.GUID(), Time: v.Time}, nil
	}
	e, err := q.shown(s, v)
	return registration{e.ID, e.Version, e.GUID, e.Type, e.References, e.Metadata, e.RuleSet, e.Text, e.Time}, err
}

// find looks for the version of the path.
func (q *request) find(s *state.State) (*state.Version, error) {
	n, err := q.version()
	if err != nil {
		return nil, err
	}
	if err := q.may(Read, q.subject()); err != nil {
		return nil, err
	}
	v, e := s.VersionUsingContexts(q.subject(), n, q.filter())
	return v, fault(e)
}

func showVersion(q *request) (reply any, err error) {
	q.Look(func(s *state.State) {
		v, e := q.find(s)
		if err = e; err == nil {
			reply, err = q.shown(s, v)
		}
	})
	return reply, err
}

func showText(q *request) (reply any, err error) {
	q.Look(func(s *state.State) {
		v, e := q.find(s)
		if err = e; err != nil {
			return
		}
		var text string
		text, err = q.formatted(s, v)
		reply = raw(text)
	})
	return reply, err
}

func referencedBy(q *request) (reply any, err error) {
	var ids []int
	q.Look(func(s *state.State) {
		v, e := q.find(s)
		if err = e; err != nil {
			return
		}
		for _, by := range s.ReferencedBy(v.Subject, v.Version, q.filter()) {
			ids = append(ids, by.ID)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return paged(page(q, slices.Compact(ids), 0))
}

func deleteVersion(q *request) (any, error) {
	n, err := q.version()
	if err != nil {
		return nil, err
	}
	if err := q.may(Delete, q.subject()); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, int, *state.Error) {
		return s.DeleteVersion(q.subject(), n, q.flag("permanent"))
	})
}

// describeRequest changes what is said about a schema: it becomes a new version with the same text.
type describeRequest struct {
	NewVersion int              `json:"newVersion"`
	TagsAdd    []schema.Tagged  `json:"tagsToAdd"`
	TagsRemove []schema.Tagged  `json:"tagsToRemove"`
	Metadata   *schema.Metadata `json:"metadata"`
	RuleSet    *schema.RuleSet  `json:"ruleSet"`
	Merge      *schema.RuleSet  `json:"rulesToMerge"`
	Remove     []string         `json:"rulesToRemove"`
}

func describe(q *request) (any, error) {
	var b describeRequest
	if err := q.body(&b); err != nil {
		return nil, err
	}
	if b.RuleSet != nil && (b.Merge != nil || b.Remove != nil) {
		return nil, &state.Error{Code: state.InvalidRules, Message: "give a whole ruleSet, or rules to merge and remove, but not both"}
	}
	g := state.Registration{Subject: q.subject(), Version: b.NewVersion, ID: state.NoID}
	if g.Version <= 0 {
		g.Version = state.Latest
	}
	var err error
	q.Look(func(s *state.State) {
		v, e := q.find(s)
		if err = e; err != nil {
			return
		}
		g.Schema = v.Schema()
		if b.Metadata != nil {
			g.Schema.Metadata = b.Metadata
		}
		g.Schema.RuleSet = b.rules(s.Version(v.Subject, state.Latest, state.LiveOnly))
	})
	if err != nil {
		return nil, err
	}
	return q.register(g, b.TagsAdd, b.TagsRemove)
}

// rules are the rules of the new version; nil takes those of the latest.
func (b describeRequest) rules(latest *state.Version) *schema.RuleSet {
	if b.Merge == nil && b.Remove == nil {
		return b.RuleSet
	}
	rules := latest.RuleSet().Merge(b.Merge)
	if rules == nil {
		return nil
	}
	keep := func(list []schema.Rule) []schema.Rule {
		return slices.DeleteFunc(slices.Clone(list), func(r schema.Rule) bool { return slices.Contains(b.Remove, r.Name) })
	}
	return &schema.RuleSet{MigrationRules: keep(rules.MigrationRules), DomainRules: keep(rules.DomainRules),
		EncodingRules: keep(rules.EncodingRules), EnableAt: rules.EnableAt}
}
