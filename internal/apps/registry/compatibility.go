package registry

import (
	"encoding/json"
	"errors"
	"strings"

	"millrace/internal/apps/registry/state"
)

// /compatibility: would this schema be taken? The check runs beside the state, so a hostile schema delays nobody else. The parameter
// level, which is ours, compares at another level than the one that is set; the answer names it, so that a client can tell a registry
// that does not know the parameter.
func compatibilityRoutes() []route {
	return []route{
		on("/compatibility/subjects/{subject}/versions", map[string]func(*request) (any, error){"POST": func(q *request) (any, error) {
			return q.compare(0)
		}}),
		on("/compatibility/subjects/{subject}/versions/{version}", map[string]func(*request) (any, error){"POST": func(q *request) (any, error) {
			n, err := q.version()
			if err != nil {
				return nil, err
			}
			return q.compare(n)
		}}),
	}
}

type verdict struct {
	Fits           bool            `json:"is_compatible"`
	Level          string          `json:"level,omitempty"`
	Messages       []string        `json:"messages,omitempty"`
	CounterExample json.RawMessage `json:"counterExample,omitempty"`
}

func (q *request) compare(version int) (any, error) {
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
		return q.verdict(state.Result{}, "", err)
	}
	var c *state.Comparison
	var refused *state.Error
	level := strings.ToUpper(q.query.Get("level"))
	q.Look(func(s *state.State) {
		c, refused = s.Compare(ctx, q.rules, q.subject(), version, asked, q.flag("normalize"), level)
	})
	var found state.Result
	if refused == nil {
		found, refused = q.run(ctx, c)
	}
	return q.verdict(found, level, fault(refused))
}

func (q *request) verdict(found state.Result, level string, err error) (any, error) {
	var e *state.Error
	if errors.As(err, &e) && e.Code == state.InvalidSchema && q.flag("verbose") {
		return verdict{Messages: []string{e.Message}}, nil
	}
	if err != nil {
		return nil, err
	}
	v := verdict{Fits: found.Fits(), Level: level}
	if q.flag("verbose") {
		v.Messages, v.CounterExample = found.Findings, found.CounterExample
	}
	return v, nil
}
