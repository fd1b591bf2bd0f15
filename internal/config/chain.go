package config

import (
	"math"
	"strconv"
	"strings"
)

// Source says where a value comes from, numbered as DescribeConfigs answers it.
type Source = int8

const (
	SourceTopic         Source = 1
	SourceBroker        Source = 2
	SourceClusterWide   Source = 3
	SourceStatic        Source = 4
	SourceDefault       Source = 5
	SourceBrokerLogger  Source = 6
	SourceClientMetrics Source = 7
	SourceGroup         Source = 8
)

// Synonym is one place where a value was found; a chain of them is in the order of precedence, the first one counts.
type Synonym struct {
	Name, Value string
	Source      Source
}

// spelling is one of several names for one setting, with what its value is multiplied by.
type spelling struct {
	name   string
	factor int64
}

const (
	minute = 60_000
	hour   = 3_600_000
)

// spellings lists, for the name that wins, every name in the order of precedence.
var spellings = map[string][]spelling{
	"log.retention.ms":      {{"log.retention.ms", 1}, {"log.retention.minutes", minute}, {"log.retention.hours", hour}},
	"log.retention.minutes": {{"log.retention.minutes", 1}, {"log.retention.hours", 60}},
	"log.roll.ms":           {{"log.roll.ms", 1}, {"log.roll.hours", hour}},
	"log.roll.jitter.ms":    {{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", hour}},
	"log.flush.interval.ms": {{"log.flush.interval.ms", 1}, {"log.flush.scheduler.interval.ms", 1}},
	"log.dirs":              {{"log.dirs", 1}, {"log.dir", 1}},
	"node.id":               {{"node.id", 1}, {"broker.id", 1}},
}

func spellingsOf(name string) []spelling {
	if names, ok := spellings[name]; ok {
		return names
	}
	if _, key, ok := splitListenerKey(name); ok {
		return []spelling{{name, 1}, {key, 1}}
	}
	return []spelling{{name, 1}}
}

// convert multiplies; a negative value means "no bound" in every unit, and a product that is too large is the largest.
func convert(value string, factor int64) string {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if factor == 1 || err != nil || n < 0 {
		return value
	}
	if n > math.MaxInt64/factor {
		return strconv.FormatInt(math.MaxInt64, 10)
	}
	return strconv.FormatInt(n*factor, 10)
}

// layer is a set of values from one source.
type layer struct {
	source Source
	values map[string]string
}

// resolve finds a broker setting's value in layers of falling precedence, and in the table's defaults after them.
func resolve(name string, layers ...layer) (value string, set bool, chain []Synonym) {
	names := spellingsOf(name)
	add := func(found string, s spelling, source Source) {
		if !set {
			value, set = convert(found, s.factor), true
		}
		chain = append(chain, Synonym{s.name, found, source})
	}
	for _, l := range layers {
		for _, s := range names {
			if found, ok := l.values[s.name]; ok {
				add(found, s, l.source)
			}
		}
	}
	for _, s := range names {
		if row := brokerTable.index[s.name]; row != nil && !row.Unset {
			add(row.Default, s, SourceDefault)
		}
	}
	return value, set, chain
}

// BrokerValue is what holds on a broker: its own dynamic value, else the cluster's dynamic default, else the file's,
// else the table's. set is false when there is none (null in DescribeConfigs).
func BrokerValue(s *Static, clusterDefault, broker map[string]string, name string) (value string, set bool, chain []Synonym) {
	return resolve(name, layer{SourceBroker, broker}, layer{SourceClusterWide, clusterDefault}, layer{SourceStatic, s.explicit})
}

// brokerTwin names, for each topic setting, the broker setting it inherits from.
var brokerTwin = func() map[string]string {
	m := map[string]string{}
	for i := range brokerTable.rows {
		if r := &brokerTable.rows[i]; r.Topic != "" {
			m[r.Topic] = r.Name
		}
	}
	return m
}()

// TopicValue is what holds for a topic: its own value, else what its broker twin resolves to, else the default.
// The chain is empty when there is no value at all.
func TopicValue(s *Static, clusterDefault, broker, topic map[string]string, name string) (value string, chain []Synonym) {
	var set bool
	if twin := brokerTwin[name]; twin != "" {
		value, set, chain = BrokerValue(s, clusterDefault, broker, twin)
	}
	row := topicTable.index[name]
	if !set && row != nil && !row.Unset {
		value, chain = row.Default, append(chain, Synonym{name, row.Default, SourceDefault})
	}
	if own, ok := topic[name]; ok {
		value, chain = own, append([]Synonym{{name, own, SourceTopic}}, chain...)
	}
	return value, chain
}

// GroupValue is what holds for a group: its own value, else the broker's group.<name>, else the default.
func GroupValue(s *Static, clusterDefault, broker, group map[string]string, name string) (value string, chain []Synonym) {
	if row := brokerTable.index["group."+name]; row != nil {
		value, _, chain = BrokerValue(s, clusterDefault, broker, row.Name)
	} else if row := dynamicGroupTable.index[name]; row != nil {
		value, chain = row.Default, []Synonym{{name, row.Default, SourceDefault}}
	}
	if own, ok := group[name]; ok {
		value, chain = own, append([]Synonym{{name, own, SourceGroup}}, chain...)
	}
	return value, chain
}
