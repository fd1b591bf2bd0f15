package meta

import (
	"fmt"

	"millrace/internal/config"
)

// Table is Settings over the program's table of settings. Static is what the node was started with: on a cluster all
// controllers are expected to agree in what topics inherit from it.
type Table struct{ Static *config.Static }

var _ Settings = Table{}

// Known answers for topics, brokers and groups; other resources have no settings yet.
func (t Table) Known(typ int8, resource, name string) error {
	var row *config.Setting
	switch typ {
	case TopicResource:
		row = config.LookupTopic(name)
	case BrokerResource:
		return config.ChangeableBroker(name, resource != "")
	case GroupResource:
		row = config.LookupGroup(name)
	}
	if row != nil {
		return nil
	}
	return t.Check(typ, resource, name, "") // whose refusal names the nearest setting
}

// Check asks the table.
func (t Table) Check(typ int8, resource, name, value string) error {
	switch typ {
	case TopicResource:
		if err := config.ValidateTopic(name, value); err != nil {
			return err
		}
		return config.ValidateSchemaCheck(t.Static, resource, name, value)
	case BrokerResource:
		return config.ValidateBroker(name, value, resource != "")
	case GroupResource:
		return config.ValidateGroup(name, value)
	}
	return fmt.Errorf("resources of type %d have no setting %s", typ, name)
}

// CheckTogether looks at a topic's settings with what the topic inherits.
func (t Table) CheckTogether(image *Image, typ int8, _ string, set map[string]string) error {
	if typ != TopicResource {
		return nil
	}
	return config.ValidateTopicValues(config.Topic(t.Static, image.Config(BrokerResource, ""), nil, nil), set)
}

// List asks the table.
func (t Table) List(typ int8, name string) (isList bool, def string) {
	row := config.Lookup(name)
	switch typ {
	case TopicResource:
		row = config.LookupTopic(name)
	case GroupResource:
		row = config.LookupGroup(name)
	}
	return row != nil && row.Type == config.List, defaultOf(row)
}

func defaultOf(row *config.Setting) string {
	if row == nil || row.Unset {
		return ""
	}
	return row.Default
}

// MinISR is min.insync.replicas in force for a topic, for Options.
func (t Table) MinISR(image *Image, topic string) int {
	return t.topic(image, topic).Int("min.insync.replicas")
}

// UncleanElection is unclean.leader.election.enable in force for a topic, for Options.
func (t Table) UncleanElection(image *Image, topic string) bool {
	return t.topic(image, topic).Bool("unclean.leader.election.enable")
}

func (t Table) topic(image *Image, topic string) config.Values {
	return config.Topic(t.Static, image.Config(BrokerResource, ""), nil, image.Config(TopicResource, topic))
}

// Options fills in what the table decides: the defaults of new topics among them.
func (t Table) Options(o Options) Options {
	v := config.Broker(t.Static, nil, nil)
	o.Settings, o.MinISR, o.UncleanElection = t, t.MinISR, t.UncleanElection
	o.Partitions = int32(v.Int("num.partitions"))
	o.ReplicationFactor = int16(v.Int("default.replication.factor"))
	o.TopicDeletionDisabled = !v.Bool("delete.topic.enable")
	return o
}
