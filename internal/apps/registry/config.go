package registry

import (
	"encoding/json"

	"millrace/internal/apps/registry/state"
)

// /config: the level of compatibility and the other settings, of all, of a context or of a subject.
func configRoutes() []route {
	methods := map[string]func(*request) (any, error){"GET": getConfig, "PUT": setConfig, "DELETE": deleteConfig}
	return []route{on("/config", methods), on("/config/{subject}", methods)}
}

func getConfig(q *request) (any, error) {
	if err := q.may(Describe, q.subject()); err != nil {
		return nil, err
	}
	var c state.Config
	ok := true
	q.Look(func(s *state.State) {
		if q.flag("defaultToGlobal") {
			c = s.ConfigInScope(q.subject())
			return
		}
		c, ok = s.ConfigOf(q.subject())
	})
	if !ok {
		return nil, &state.Error{Code: state.NoSubjectCompatibility, Message: "subject " + quote(q.subject()) + " has no settings of its own; ask with defaultToGlobal=true for those that hold"}
	}
	return c, nil
}

// echo is the answer to a change: the settings, with the name that the request uses for the level.
func echo(c state.Config) any {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(encode(c), &fields) != nil {
		return c
	}
	if level, ok := fields["compatibilityLevel"]; ok {
		delete(fields, "compatibilityLevel")
		fields["compatibility"] = level
	}
	return fields
}

func setConfig(q *request) (any, error) {
	var b state.ConfigChange
	if err := q.body(&b); err != nil {
		return nil, err
	}
	if err := q.may(Alter, q.subject()); err != nil {
		return nil, err
	}
	c, err := change(q, func(s *state.State) ([]state.Write, state.Config, *state.Error) {
		return s.SetConfig(q.subject(), b)
	})
	return echo(c), err
}

func deleteConfig(q *request) (any, error) {
	if err := q.may(Alter, q.subject()); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, state.Config, *state.Error) { return s.DeleteConfig(q.subject()) })
}
