package registry

import (
	"slices"

	"millrace/internal/apps/registry/state"
)

// /subjects: what subjects there are, and which version of one a schema is.
func subjectsRoutes() []route {
	return []route{
		on("/subjects", map[string]func(*request) (any, error){"GET": listSubjects}),
		on("/subjects/{subject}", map[string]func(*request) (any, error){"POST": lookUp, "DELETE": deleteSubject}),
		on("/subjects/{subject}/metadata", map[string]func(*request) (any, error){"GET": byMetadata}),
	}
}

func listSubjects(q *request) (any, error) {
	prefix := state.AnyContext
	if q.query.Has("subjectPrefix") {
		prefix = q.query.Get("subjectPrefix")
	}
	var names []string
	q.Look(func(s *state.State) { names = s.Subjects(prefix, q.filter()) })
	names = visible(q, names, func(s string) string { return s })
	return paged(page(q, names, 0))
}

func lookUp(q *request) (reply any, err error) {
	var b schemaRequest
	if err := q.body(&b); err != nil {
		return nil, err
	}
	if err := q.may(Read, q.subject()); err != nil {
		return nil, err
	}
	ctx, cancel := q.parsing()
	defer cancel()
	asked, err := q.retag(ctx, q.subject(), b.schema(), b.TagsAdd, b.TagsRemove)
	if err != nil {
		return nil, err
	}
	if err := q.parseFirst(ctx, q.subject(), asked); err != nil {
		return nil, err
	}
	q.Look(func(s *state.State) {
		v, e := s.Find(ctx, q.rules, state.Lookup{Subject: q.subject(), Schema: asked, Normalize: q.flag("normalize"), Deleted: q.flag("deleted")})
		if err = fault(e); err == nil {
			reply, err = q.shown(s, v)
		}
	})
	return reply, err
}

func deleteSubject(q *request) (any, error) {
	if err := q.may(Delete, q.subject()); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, []int, *state.Error) {
		return s.DeleteSubject(q.subject(), q.flag("permanent"))
	})
}

func byMetadata(q *request) (reply any, err error) {
	if err := q.may(Read, q.subject()); err != nil {
		return nil, err
	}
	keys, values := q.query["key"], q.query["value"]
	properties := map[string]string{}
	for i, k := range keys {
		properties[k] = ""
		if i < len(values) {
			properties[k] = values[i]
		}
	}
	q.Look(func(s *state.State) {
		names := []string{state.Normal(q.subject())}
		if state.ParseName(q.subject()).Context == state.DefaultContext {
			for _, c := range s.Contexts()[1:] {
				names = append(names, state.ContextPrefix(c)+q.subject())
			}
		}
		at := slices.IndexFunc(names, func(n string) bool { return s.WithMetadata(n, properties, q.filter()) != nil })
		switch {
		case at >= 0:
			reply, err = q.shown(s, s.WithMetadata(names[at], properties, q.filter()))
		case !s.HasSubject(q.subject(), q.filter()):
			err = &state.Error{Code: state.SubjectNotFound, Message: "there is no subject " + quote(q.subject())}
		default:
			err = &state.Error{Code: state.SchemaNotFound, Message: "no version of subject " + quote(q.subject()) + " has these properties"}
		}
	})
	return reply, err
}
