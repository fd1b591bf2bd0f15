package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Static is what a node was started with: the file, the environment and the flags over the table's defaults. It
// never changes; what is altered while the node runs lies in layers above it (BrokerValue, TopicValue).
type Static struct {
	Values
	explicit    map[string]string
	listeners   []Listener
	controllers []Listener
}

// Warning is something to log once at start.
type Warning struct {
	Key   string
	Class Class
	Text  string
}

func (w Warning) String() string { return w.Text }

// Defaults is a node started with nothing at all.
func Defaults() *Static {
	s, _, err := Load(nil, nil, nil)
	if err != nil {
		panic(err) // the table contradicts itself
	}
	return s
}

// Load puts the sources over each other: a flag beats the environment, the environment beats the file, the file
// beats the defaults. environment holds NAME=value as os.Environ gives it; only MILLRACE_ names count. The error
// joins every refusal, one sentence each.
func Load(file Properties, environment []string, flags Properties) (*Static, []Warning, error) {
	fromEnvironment, errs := environmentProperties(environment)
	l := &loading{s: &Static{explicit: map[string]string{}}, origin: map[string]string{}, errs: errs}
	l.take(file)
	l.take(fromEnvironment)
	l.take(flags)
	l.s.Values = Values{Lookup, func(name string) (string, bool) {
		v, set, _ := resolve(name, layer{SourceStatic, l.s.explicit})
		return v, set
	}}
	l.judge()
	if len(l.errs) == 0 {
		l.checkTogether()
	}
	if len(l.errs) > 0 {
		return nil, l.warnings, errors.Join(l.errs...)
	}
	return l.s, l.warnings, nil
}

// Listener reads settings as they hold for one listener: listener.name.<name>.<key> beats <key>.
func (s *Static) Listener(name string) Values {
	prefix := "listener.name." + strings.ToLower(name) + "."
	return Values{Lookup, func(key string) (string, bool) { return s.get(prefix + key) }}
}

// NodeID is the node's number.
func (s *Static) NodeID() int32 { return int32(s.Int("node.id")) }

// LogDirs is every data directory, in the order of log.dirs.
func (s *Static) LogDirs() []string {
	if dirs := s.List("log.dirs"); len(dirs) > 0 {
		return dirs
	}
	return s.List("log.dir")
}

// MetadataDir holds the metadata log.
func (s *Static) MetadataDir() string {
	if dir := s.String("metadata.log.dir"); dir != "" {
		return dir
	}
	return s.LogDirs()[0]
}

// loading gathers what Load finds out.
type loading struct {
	s        *Static
	origin   map[string]string // key -> where it was said, for messages
	warnings []Warning
	errs     []error
}

func (l *loading) take(p Properties) {
	for _, kv := range p {
		value := kv.Value
		if row := Lookup(kv.Key); row == nil || row.Type != Password {
			value = strings.TrimSpace(value)
		}
		if old, ok := l.s.explicit[kv.Key]; ok && kv.Line > 0 && old != value {
			l.warn(kv.Key, Implemented, "%s is set twice in the file; line %d counts", kv.Key, kv.Line)
		}
		l.s.explicit[kv.Key] = value
		l.origin[kv.Key] = ""
		if kv.Line > 0 {
			l.origin[kv.Key] = fmt.Sprintf("line %d: ", kv.Line)
		}
	}
}

func (l *loading) refuse(key, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(l.origin[key]+format, args...))
}

func (l *loading) warn(key string, class Class, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{key, class, fmt.Sprintf(format, args...)})
}

// judge looks at every key by itself.
func (l *loading) judge() {
	keys := make([]string, 0, len(l.s.explicit))
	for key := range l.s.explicit {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		l.judgeKey(key, l.s.explicit[key])
	}
}

func (l *loading) judgeKey(key, value string) {
	row := Lookup(key)
	if row == nil {
		l.judgeUnknown(key)
		return
	}
	if row.PerListener && row.Name == key {
		l.refuse(key, "%s holds for one listener: say which, as in listener.name.plaintext.%s=%s", key, key, value)
		return
	}
	if row.Removed {
		l.warn(key, NoEffect, "%s is of an older Kafka and has no effect: %s", key, row.Note)
		return
	}
	if err := row.Valid(value); err != nil && row.Class != NoEffect && !(row.Unset && value == "") {
		l.refuse(key, "%s=%s is refused: %w", key, shown(row, value), err)
		return
	}
	l.judgeClass(row, key, value)
}

func (l *loading) judgeClass(row *Setting, key, value string) {
	asDefault := value == "" || strings.EqualFold(value, row.Default)
	switch {
	case row.Class == NoEffect:
		l.warn(key, NoEffect, "%s has no effect here: %s", key, row.Note)
	case row.Class == NotYet && !asDefault:
		l.warn(key, NotYet, "%s is not built yet and has no effect", key)
	case row.Class == Secures && !asDefault:
		l.refuse(key, "%s is refused, for without it this node would be more open than its file says: %s", key, row.Note)
	}
}

func shown(row *Setting, value string) string {
	if row.Sensitive() {
		return "(hidden)"
	}
	return value
}

// foreign prefixes belong to Java plug-ins, whose settings nobody can know.
func (l *loading) judgeUnknown(key string) {
	switch {
	case strings.HasPrefix(key, "config.providers."):
		l.refuse(key, "%s is refused: values that stand for secrets kept elsewhere cannot be resolved yet", key)
	case strings.HasPrefix(key, "rsm.config."), strings.HasPrefix(key, "rlmm.config."):
		l.warn(key, NotYet, "%s is not built yet and has no effect", key)
	case LookupTopic(key) != nil && brokerTwin[key] != "":
		l.refuse(key, "%s is a topic's setting: for all topics of a broker it is called %s", key, brokerTwin[key])
	case LookupTopic(key) != nil:
		l.refuse(key, "%s is a topic's setting: set it on the topic, as in millrace config set --topic NAME %s=VALUE", key, key)
	case Nearest(key) != "":
		l.refuse(key, "%s is no setting: did you mean %s?", key, Nearest(key))
	default:
		l.refuse(key, "%s is no setting, and none has a name like it: docs/config.md lists all", key)
	}
}
