package boot

import (
	"fmt"
	"net"
	"net/http"

	"millrace/internal/apps/registry"
	"millrace/internal/core/auth"
)

// subjects asks the broker's authorizer about the subjects of the schema registry. What is about all of them is asked of the cluster.
type subjects struct{ authorizer auth.Authorizer }

var operations = map[registry.Action]auth.Operation{registry.Read: auth.Read, registry.Write: auth.Write, registry.Delete: auth.Delete,
	registry.Describe: auth.DescribeConfigs, registry.Alter: auth.AlterConfigs}

func (s subjects) Authorize(h *http.Request, a registry.Action, subject string) error {
	host, _, err := net.SplitHostPort(h.RemoteAddr)
	if err != nil {
		host = h.RemoteAddr
	}
	resource, what := auth.Subject(subject), fmt.Sprintf("subject %q", subject)
	if subject == "" {
		resource, what = auth.Cluster, "the schema registry"
	}
	who := auth.Anonymous // nobody can log in to the registry yet
	if op, known := operations[a]; known && s.authorizer.Authorize(who, host, op, resource) {
		return nil
	}
	return fmt.Errorf("%s may not %s (%s)", who, a, what)
}
