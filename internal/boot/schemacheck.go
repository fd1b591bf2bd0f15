package boot

import (
	"context"

	"millrace/internal/apps/registry"
	"millrace/internal/node/broker"
)

// schemaCheck lets the broker ask the registry of this node about the schemas of records.
type schemaCheck struct{ schemas *schemas }

// schemaCheck is nil when no registry runs in the node.
func (n *Node) schemaCheck() broker.Schemas {
	if len(n.schemas.addresses) == 0 {
		return nil
	}
	return schemaCheck{n.schemas}
}

func (c schemaCheck) Loaded() broker.LoadedSchemas {
	c.schemas.mu.Lock()
	defer c.schemas.mu.Unlock()
	if c.schemas.now == nil {
		return nil
	}
	return loadedSchemas{c.schemas.now, c.schemas.sets}
}

func (c schemaCheck) CatchUp(ctx context.Context) error {
	r, err := c.schemas.opened(ctx)
	if err != nil {
		return err
	}
	return r.CatchUp(ctx)
}

// loadedSchemas is the registry that was opened last.
type loadedSchemas struct {
	registry *registry.Registry
	opened   int64
}

// Version is also another one when the registry was opened anew: its topic may be another one.
func (l loadedSchemas) Version() int64 { return l.opened<<44 | l.registry.Version() }

func (l loadedSchemas) Judge(u broker.SchemaUse) broker.SchemaVerdict {
	j := l.registry.Judge(registry.Use{Topic: u.Topic, Key: u.Key, Strategy: u.Strategy, ID: u.ID, Indexes: u.Indexes})
	return broker.SchemaVerdict{Refusal: j.Refusal, Indexed: j.Indexed}
}
