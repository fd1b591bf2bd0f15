// Package config is one table of every setting: name, type, default, valid values, where it may be set, what it does
// and whether it does it here. Files, environment, flags, dynamic changes, DescribeConfigs and docs/config.md all
// come from that table. The names are Kafka's; where Kafka has no word there are a few of our own.
//
// The package is pure: it parses, judges and resolves values that others have read.
package config

import (
	"slices"
	"strings"
)

// Type is the type of a value, numbered as DescribeConfigs answers it.
type Type int8

const (
	Boolean   Type = 1
	String    Type = 2
	Int       Type = 3
	Short     Type = 4
	Long      Type = 5
	Double    Type = 6
	List      Type = 7
	JavaClass Type = 8
	Password  Type = 9
)

func (t Type) String() string {
	return [...]string{"unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password"}[t]
}

// Scope says where a setting may be set besides the file, and whether it can change while the node runs.
type Scope int8

const (
	// AtStart: in the file, the environment or a flag; fixed from then on.
	AtStart Scope = iota
	// PerBroker: also while running, for one broker.
	PerBroker
	// ClusterWide: also while running, for one broker or as the default of all.
	ClusterWide
	// OfTopic: on a topic, while running.
	OfTopic
	// OfGroup: on a group, while running.
	OfGroup
)

func (s Scope) String() string {
	return [...]string{"at start", "per broker", "cluster-wide", "topic", "group"}[s]
}

// Class says what a setting does here.
type Class int8

const (
	// Implemented does what it says.
	Implemented Class = iota
	// NoEffect is a Kafka setting that has nothing to do here; its Note says what takes its place.
	NoEffect
	// NotYet is a Kafka setting whose feature is not built: it is accepted in a file with a warning.
	NotYet
	// Secures is a Kafka setting whose feature is not built and whose absence would open what the file wants closed:
	// it is refused, unless it says what holds anyway.
	Secures
)

func (c Class) String() string {
	return [...]string{"implemented", "no effect here", "not built yet", "refused: not built yet"}[c]
}

// Setting is one row of the table.
type Setting struct {
	Name string
	// Topic is the topic-level twin of a broker setting, which inherits its value.
	Topic string
	Type  Type
	// Default is the value when nobody sets one; Unset means that there is none (null in DescribeConfigs).
	Default string
	Unset   bool
	Rule    Rule
	Scope   Scope
	Class   Class
	// Note says what takes a setting's place, or why it is refused.
	Note string
	// Doc is one sentence.
	Doc string
	// Own: Kafka does not know it. PerListener: only meaningful as listener.name.NAME.<name>.
	Own, PerListener bool
	// Internal settings are Kafka's undocumented ones; Removed ones are of older releases. DescribeConfigs lists neither.
	Internal, Removed bool
}

// Sensitive settings are never shown.
func (s *Setting) Sensitive() bool { return s.Type == Password }

// ReadOnly settings cannot change while the node runs.
func (s *Setting) ReadOnly() bool { return s.Scope == AtStart }

// Dynamic reports whether a running broker takes the setting: for itself, and as everybody's default.
func (s *Setting) Dynamic() (perBroker, clusterWide bool) {
	return s.Scope == PerBroker || s.Scope == ClusterWide, s.Scope == ClusterWide
}

// table is the settings of one kind of resource, by name.
type table struct {
	rows  []Setting
	index map[string]*Setting
}

func newTable(parts ...[]Setting) *table {
	t := &table{rows: slices.Concat(parts...)}
	slices.SortFunc(t.rows, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	t.index = make(map[string]*Setting, len(t.rows))
	for i := range t.rows {
		t.index[t.rows[i].Name] = &t.rows[i]
	}
	return t
}

var (
	brokerTable = newTable(identitySettings, listenersSettings, quorumSettings, logSettings, replicationSettings,
		groupSettings, transactionSettings, quotaSettings, observeSettings, remoteSettings, securitySettings,
		registrySettings, ownSettings, removedSettings)
	topicTable        = newTable(topicSettings, removedTopicSettings)
	dynamicGroupTable = newTable(dynamicGroupSettings)
)

// Lookup finds a broker setting, also as listener.name.NAME.<key>; nil when there is none.
func Lookup(name string) *Setting {
	if s := brokerTable.index[name]; s != nil {
		return s
	}
	if _, key, ok := splitListenerKey(name); ok {
		return brokerTable.index[key]
	}
	return nil
}

// LookupTopic finds a topic setting.
func LookupTopic(name string) *Setting { return topicTable.index[name] }

// LookupGroup finds a group setting.
func LookupGroup(name string) *Setting { return dynamicGroupTable.index[name] }

// All returns the broker settings by name, without removed ones.
func All() []Setting { return listed(brokerTable) }

// AllTopic returns the topic settings by name, without removed ones.
func AllTopic() []Setting { return listed(topicTable) }

// AllGroup returns the group settings by name.
func AllGroup() []Setting { return listed(dynamicGroupTable) }

func listed(t *table) []Setting {
	return slices.DeleteFunc(slices.Clone(t.rows), func(s Setting) bool { return s.Removed })
}

// splitListenerKey takes listener.name.NAME.key apart, and listener.name.NAME.MECHANISM.key too.
func splitListenerKey(name string) (listener, key string, ok bool) {
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return "", "", false
	}
	listener, key, ok = strings.Cut(rest, ".")
	if !ok || listener == "" || key == "" {
		return "", "", false
	}
	if mechanism, inner, found := strings.Cut(key, "."); found && isMechanism(mechanism) {
		key = inner
	}
	return listener, key, true
}

func isMechanism(s string) bool {
	switch s {
	case "plain", "gssapi", "oauthbearer", "scram-sha-256", "scram-sha-512":
		return true
	}
	return false
}
