package registry

import "millrace/internal/apps/registry/state"

// /mode: whether schemas may be written, or imported.
func modeRoutes() []route {
	methods := map[string]func(*request) (any, error){"GET": getMode, "PUT": setMode, "DELETE": deleteMode}
	return []route{on("/mode", methods), on("/mode/{subject}", methods)}
}

type modeBody struct {
	Mode string `json:"mode,omitempty"`
}

func getMode(q *request) (any, error) {
	if err := q.may(Describe, q.subject()); err != nil {
		return nil, err
	}
	var m string
	ok := true
	q.Look(func(s *state.State) {
		if q.flag("defaultToGlobal") {
			m = s.ModeInScope(q.subject())
			return
		}
		m, ok = s.ModeOf(q.subject())
	})
	if !ok {
		return nil, &state.Error{Code: state.NoSubjectMode, Message: "subject " + quote(q.subject()) + " has no mode of its own; ask with defaultToGlobal=true for the one that holds"}
	}
	return modeBody{m}, nil
}

func setMode(q *request) (any, error) {
	var b modeBody
	if err := q.body(&b); err != nil {
		return nil, err
	}
	if err := q.may(Alter, q.subject()); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, modeBody, *state.Error) {
		writes, err := s.SetMode(q.rules, q.subject(), b.Mode, q.flag("force"))
		return writes, b, err
	})
}

func deleteMode(q *request) (any, error) {
	if err := q.may(Alter, q.subject()); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, modeBody, *state.Error) {
		writes, old, err := s.DeleteMode(q.rules, q.subject(), q.flag("recursive"))
		return writes, modeBody{old}, err
	})
}
