package registry

// The root answers that there is a registry; /health also tells whether it can work.
func rootRoutes() []route {
	nothing := func(*request) (any, error) { return struct{}{}, nil }
	return []route{
		on("/", map[string]func(*request) (any, error){"GET": nothing, "POST": nothing}),
		on("/health", map[string]func(*request) (any, error){"GET": func(q *request) (any, error) {
			if err := q.Healthy(); err != nil {
				return nil, failure(503, err.Error())
			}
			return map[string]string{"status": "ok"}, nil
		}}),
	}
}
