package config

import (
	"fmt"
	"strings"
)

// RegistryListeners is where the schema registry is served.
func (s *Static) RegistryListeners() []Address {
	var out []Address
	for _, item := range s.List("schema.registry.listeners") {
		if a, err := parseWebAddress(item); err == nil { // Load has refused the others
			out = append(out, a)
		}
	}
	return out
}

// parseWebAddress takes http://host:port.
func parseWebAddress(s string) (a Address, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return a, fmt.Errorf("%q is not of the form http://host:port", s)
	case strings.EqualFold(scheme, "https"):
		return a, fmt.Errorf("%q is refused: the schema registry does not speak TLS yet", s)
	case !strings.EqualFold(scheme, "http"):
		return a, fmt.Errorf("%q is not of the form http://host:port", s)
	}
	a.Host, a.Port, err = splitHostPort(strings.TrimSuffix(rest, "/"))
	return a, err
}

func webAddresses() Rule {
	return Rule{"a list of http://host:port", func(v string) error {
		for _, item := range SplitList(v) {
			if _, err := parseWebAddress(item); err != nil {
				return err
			}
		}
		return nil
	}}
}

func topicName() Rule {
	return Rule{"the name of a topic", func(v string) error {
		ok := v != "" && v != "." && v != ".." && len(v) <= 249
		for _, c := range v {
			ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
		}
		if !ok {
			return fmt.Errorf("%q is no name of a topic: it has 1 to 249 letters, digits, dots, underscores and hyphens", v)
		}
		return nil
	}}
}

// checkRegistry refuses a registry that is open by accident, and one whose topic the broker keeps for itself.
func (l *loading) checkRegistry() {
	const key = "schema.registry.listeners"
	for i, a := range l.s.RegistryListeners() {
		for _, other := range l.s.RegistryListeners()[:i] {
			if a.Port == other.Port && a.Port != 0 && clash(a, other) {
				l.refuse(key, "%s names port %d twice", key, a.Port)
			}
		}
		if !a.Loopback() && !l.s.Bool("schema.registry.allow.anonymous") {
			l.refuse(key, "%s=http://%s has no authentication: whoever reaches it could read, change and delete every schema."+
				" If that is what you want, add the line schema.registry.allow.anonymous=true to the file;"+
				" otherwise listen on this machine only, with %s=http://localhost:%d", key, a, key, a.Port)
		}
	}
	if topic := l.s.String("schema.registry.topic"); strings.HasPrefix(topic, "__") {
		l.refuse("schema.registry.topic", "schema.registry.topic=%s is refused: names that begin with two underscores are the broker's own", topic)
	}
}
