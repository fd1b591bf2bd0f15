package registry

// What the registry says about itself.
func serverRoutes() []route {
	return []route{
		on("/v1/metadata/id", map[string]func(*request) (any, error){"GET": func(q *request) (any, error) {
			clusters := map[string]string{"kafka-cluster": q.log.ClusterID(), "schema-registry-cluster": "schema-registry"}
			return map[string]any{"scope": map[string]any{"path": []string{}, "clusters": clusters}, "id": ""}, nil
		}}),
		on("/v1/metadata/version", map[string]func(*request) (any, error){"GET": func(q *request) (any, error) {
			return map[string]string{"version": q.o.Version, "commitId": ""}, nil
		}}),
		on("/v1/metadata/deployment", map[string]func(*request) (any, error){"GET": func(q *request) (any, error) {
			return map[string]any{"attributes": []string{"deployment_scope:opensource"}}, nil
		}}),
	}
}
