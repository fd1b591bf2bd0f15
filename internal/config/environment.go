package config

import (
	"fmt"
	"strings"
)

const environmentPrefix = "MILLRACE_"

// reservedEnvironment are MILLRACE_ names that are no settings: fail points, seeds of tests, the command line's own.
var reservedEnvironment = []string{"FAILPOINT", "SEED", "BOOTSTRAP", "REGISTRY", "CONFIG", "TEST_", "LAB_", "BENCH_"}

// environmentProperties turns MILLRACE_LOG_RETENTION_MS=1000 into log.retention.ms=1000. As in Kafka's container
// images, _ stands for a dot, __ for an underscore and ___ for a hyphen.
func environmentProperties(environment []string) (Properties, []error) {
	var out Properties
	var errs []error
	for _, kv := range environment {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, environmentPrefix)
		if !ok || reserved(rest) {
			continue
		}
		key := environmentKey(rest)
		if Lookup(key) == nil {
			errs = append(errs, fmt.Errorf("the environment variable %s is refused: %s is no setting%s", name, key, suggestion(key)))
			continue
		}
		out = append(out, Property{Key: key, Value: value})
	}
	return out, errs
}

func suggestion(key string) string {
	near := Nearest(key)
	if near == "" {
		return ""
	}
	return "; did you mean " + EnvironmentName(near) + "?"
}

func reserved(rest string) bool {
	for _, r := range reservedEnvironment {
		if rest == r || strings.HasSuffix(r, "_") && strings.HasPrefix(rest, r) {
			return true
		}
	}
	return false
}

var (
	fromEnvironment = strings.NewReplacer("___", "-", "__", "_", "_", ".")
	toEnvironment   = strings.NewReplacer("-", "___", "_", "__", ".", "_")
)

func environmentKey(rest string) string { return fromEnvironment.Replace(strings.ToLower(rest)) }

// EnvironmentName is the variable that sets a key: MILLRACE_LOG_RETENTION_MS for log.retention.ms.
func EnvironmentName(key string) string {
	return environmentPrefix + strings.ToUpper(toEnvironment.Replace(key))
}
