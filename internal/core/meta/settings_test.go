package meta

import (
	"fmt"
	"strconv"
)

// fewSettings is a table of settings small enough to see through.
type fewSettings struct{}

func (fewSettings) Known(typ int8, resource, name string) error {
	ok := map[int8][]string{
		TopicResource:  {"retention.ms", "cleanup.policy", "min.insync.replicas"},
		BrokerResource: {"log.retention.ms", "log.cleanup.policy"},
		GroupResource:  {"consumer.session.timeout.ms"},
	}
	for _, n := range ok[typ] {
		if n == name && (name != "log.cleanup.policy" || resource == "") {
			return nil
		}
	}
	return fmt.Errorf("No such setting: %s.", name)
}

func (s fewSettings) Check(typ int8, resource, name, value string) error {
	if err := s.Known(typ, resource, name); err != nil {
		return err
	}
	switch name {
	case "retention.ms", "log.retention.ms", "min.insync.replicas":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%s=%s is not a number.", name, value)
		}
	}
	return nil
}

func (fewSettings) CheckTogether(_ *Image, _ int8, _ string, set map[string]string) error {
	if set["retention.ms"] == "1" && set["cleanup.policy"] == "compact" {
		return fmt.Errorf("These two make no sense together.")
	}
	return nil
}

func (fewSettings) List(_ int8, name string) (bool, string) {
	return name == "cleanup.policy" || name == "log.cleanup.policy", "delete"
}
