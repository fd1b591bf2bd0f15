package registry

import (
	"net/http"
	"slices"
	"strconv"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// mostSchemas is the longest page of whole schemas.
const mostSchemas = 1000

// /schemas: schemas by listing, by id and by GUID.
func schemasRoutes() []route {
	get := func(h func(*request) (any, error)) map[string]func(*request) (any, error) {
		return map[string]func(*request) (any, error){"GET": h}
	}
	return []route{
		on("/schemas", get(listSchemas)),
		on("/schemas/types", get(func(*request) (any, error) { return []schema.Type{schema.JSON, schema.Protobuf, schema.Avro}, nil })),
		on("/schemas/ids/{id}", get(schemaByID)),
		on("/schemas/ids/{id}/schema", get(textByID)),
		on("/schemas/ids/{id}/subjects", get(subjectsOfID)),
		on("/schemas/ids/{id}/versions", get(versionsOfID)),
		on("/schemas/guids/{guid}", get(schemaByGUID)),
		on("/schemas/guids/{guid}/ids", get(idsOfGUID)),
	}
}

func listSchemas(q *request) (any, error) {
	var listed []*state.Version
	var aliases map[string][]string
	q.Look(func(s *state.State) {
		for _, subject := range s.Subjects(q.query.Get("subjectPrefix"), subjectsWith(q.filter())) {
			versions := s.Versions(subject, q.filter())
			if q.flag("latestOnly") && len(versions) > 0 {
				versions = versions[len(versions)-1:]
			}
			listed = append(listed, versions...)
		}
		aliases = s.Aliases()
	})
	if kind := q.query.Get("ruleType"); kind != "" {
		listed = slices.DeleteFunc(listed, func(v *state.Version) bool { return !hasRule(v.RuleSet(), kind) })
	}
	listed = visible(q, listed, func(v *state.Version) string { return v.Subject })
	listed, err := page(q, listed, mostSchemas)
	if err != nil {
		return nil, err
	}
	shown := []schemaEntity{}
	for _, v := range listed {
		e := entity(v)
		if q.flag("aliases") {
			e.Aliases = aliases[v.Subject]
		}
		shown = append(shown, e)
	}
	return shown, nil
}

// subjectsWith shows the subjects whose versions a filter may show.
func subjectsWith(f state.Filter) state.Filter {
	if f == state.LiveOnly {
		return f
	}
	return state.WithDeleted
}

func hasRule(rules *schema.RuleSet, kind string) bool {
	if rules == nil {
		return false
	}
	for _, group := range [][]schema.Rule{rules.MigrationRules, rules.DomainRules, rules.EncodingRules} {
		if slices.ContainsFunc(group, func(r schema.Rule) bool { return r.Type == kind }) {
			return true
		}
	}
	return false
}

// byID finds the version that an id of the path stands for.
func (q *request) byID(s *state.State) (*state.Version, int, error) {
	id, err := strconv.ParseInt(q.path["id"], 10, 32)
	if err != nil {
		return nil, 0, failure(http.StatusNotFound, "an id is a number, and "+strconv.Quote(q.path["id"])+" is none")
	}
	v := s.ByID(int(id), s.Alias(q.query.Get("subject")))
	if v == nil {
		return nil, 0, &state.Error{Code: state.SchemaNotFound, Message: "there is no schema with id " + q.path["id"]}
	}
	return v, int(id), q.readable(s, v)
}

// readable: a schema may be read by who may read one of its subjects.
func (q *request) readable(s *state.State, v *state.Version) error {
	err := q.may(Read, v.Subject)
	if err == nil {
		return nil
	}
	for _, u := range s.Uses(v.ID, state.ContextPrefix(v.Context()), state.WithDeleted) {
		if q.may(Read, u.Subject) == nil {
			return nil
		}
	}
	return err
}

func schemaByID(q *request) (reply any, err error) {
	q.Look(func(s *state.State) {
		v, _, e := q.byID(s)
		if err = e; err != nil {
			return
		}
		of := answered{v, q.query.Has("subject")}
		if !q.plain() {
			reply, err = q.schemaString(s, v, of.named)
			return
		}
		text := q.told.get(of)
		if text == nil {
			var whole schemaString
			if whole, err = q.schemaString(s, v, of.named); err != nil {
				return
			}
			text = encode(whole)
			q.told.put(of, text)
		}
		reply = text
	})
	return reply, err
}

func (q *request) schemaString(s *state.State, v *state.Version, named bool) (schemaString, error) {
	text, err := q.formatted(s, v)
	if err != nil {
		return schemaString{}, err
	}
	tags, err := q.tagsOf(s, v)
	out := schemaString{GUID: v.Digest.GUID(), Type: v.Type(), References: q.references(v), Metadata: v.Metadata(),
		RuleSet: v.RuleSet(), Text: text, Time: v.Time, Deleted: v.Deleted, SchemaTags: tags}
	if named {
		out.Subject, out.Version = v.Subject, v.Version
	}
	if q.flag("fetchMaxId") {
		out.MaxID = s.MaxID(v)
	}
	return out, err
}

func textByID(q *request) (reply any, err error) {
	q.Look(func(s *state.State) {
		v, _, e := q.byID(s)
		if err = e; err != nil {
			return
		}
		var text string
		text, err = q.formatted(s, v)
		reply = raw(text)
	})
	return reply, err
}

// subjectVersion names a version.
type subjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (q *request) usesOfID() (uses []*state.Version, err error) {
	q.Look(func(s *state.State) {
		v, id, e := q.byID(s)
		if err = e; err == nil {
			uses = s.Uses(id, state.ContextPrefix(v.Context()), q.filter())
		}
	})
	return visible(q, uses, func(v *state.Version) string { return v.Subject }), err
}

func subjectsOfID(q *request) (any, error) {
	uses, err := q.usesOfID()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range uses {
		names = append(names, v.Subject)
	}
	return paged(page(q, slices.Compact(names), 0))
}

func versionsOfID(q *request) (any, error) {
	uses, err := q.usesOfID()
	if err != nil {
		return nil, err
	}
	var versions []subjectVersion
	for _, v := range uses {
		versions = append(versions, subjectVersion{v.Subject, v.Version})
	}
	return paged(page(q, versions, 0))
}

// paged makes an answer of a page.
func paged[T any](list []T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (q *request) idsOfGUID(s *state.State) ([]state.ContextID, error) {
	d, err := schema.ParseGUID(q.path["guid"])
	if err == nil {
		if ids := s.ByGUID(d); len(ids) > 0 {
			return ids, nil
		}
	}
	return nil, &state.Error{Code: state.SchemaNotFound, Message: "there is no schema with GUID " + strconv.Quote(q.path["guid"])}
}

func schemaByGUID(q *request) (reply any, err error) {
	q.Look(func(s *state.State) {
		ids, e := q.idsOfGUID(s)
		if err = e; err != nil {
			return
		}
		v := s.ByID(ids[0].ID, state.ContextPrefix(ids[0].Context))
		if err = q.readable(s, v); err == nil {
			reply, err = q.schemaString(s, v, false)
		}
	})
	return reply, err
}

func idsOfGUID(q *request) (reply any, err error) {
	q.Look(func(s *state.State) {
		var ids []state.ContextID
		if ids, err = q.idsOfGUID(s); err != nil {
			return
		}
		for _, id := range ids {
			if err = q.readable(s, s.ByID(id.ID, state.ContextPrefix(id.Context))); err != nil {
				return
			}
		}
		reply = ids
	})
	return reply, err
}
