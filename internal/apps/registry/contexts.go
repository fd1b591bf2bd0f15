package registry

import (
	"net/http"
	"strings"

	"millrace/internal/apps/registry/state"
)

// /contexts: the name spaces. A path that goes on below a context is another resource's (contextFilter).
func contextsRoutes() []route {
	return []route{
		on("/contexts", map[string]func(*request) (any, error){"GET": listContexts}),
		on("/contexts/{context}", map[string]func(*request) (any, error){"DELETE": deleteContext}),
	}
}

func listContexts(q *request) (any, error) {
	var names []string
	q.Look(func(s *state.State) {
		for _, name := range s.Contexts() {
			if strings.HasPrefix(name, q.query.Get("contextPrefix")) {
				names = append(names, name)
			}
		}
	})
	names = visible(q, names, state.ContextPrefix)
	return paged(page(q, names, 0))
}

func deleteContext(q *request) (any, error) {
	context, ok := state.ContextName(q.path["context"])
	if !ok {
		return nil, failure(http.StatusBadRequest, "the name of a context must not contain a colon")
	}
	if err := q.may(Delete, state.ContextPrefix(context)); err != nil {
		return nil, err
	}
	return change(q, func(s *state.State) ([]state.Write, noContent, *state.Error) {
		writes, err := s.DeleteContext(context)
		return writes, noContent{}, err
	})
}
