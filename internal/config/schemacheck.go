package config

import (
	"fmt"
	"strings"
)

// ValidateSchemaCheck says why a topic cannot have its schemas checked: nobody here could answer for them. It looks at a value
// that is valid in itself.
func ValidateSchemaCheck(s *Static, topic, name, value string) error {
	switch {
	case name != "confluent.key.schema.validation" && name != "confluent.value.schema.validation", !strings.EqualFold(strings.TrimSpace(value), "true"):
		return nil
	case len(s.List("schema.registry.listeners")) == 0:
		return fmt.Errorf("%s=true needs a schema registry in this node: set schema.registry.listeners, as in schema.registry.listeners=http://localhost:8081, and restart it", name)
	case topic == s.String("schema.registry.topic"):
		return fmt.Errorf("%s=true is refused on %s: the schema registry itself writes it, and without schema ids", name, topic)
	}
	return nil
}
