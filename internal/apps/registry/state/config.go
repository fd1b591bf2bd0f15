package state

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// Config is what is set for a subject, a context or all: a nil or empty field is not set.
type Config struct {
	Alias              string           `json:"alias,omitempty"`
	AliasForDeks       string           `json:"aliasForDeks,omitempty"`
	Normalize          *bool            `json:"normalize,omitempty"`
	ValidateFields     *bool            `json:"validateFields,omitempty"`
	ValidateNewSchemas *bool            `json:"validateNewSchemas,omitempty"`
	ValidateRules      *bool            `json:"validateRules,omitempty"`
	Level              string           `json:"compatibilityLevel,omitempty"`
	Policy             string           `json:"compatibilityPolicy,omitempty"`
	Group              string           `json:"compatibilityGroup,omitempty"`
	DefaultMetadata    *schema.Metadata `json:"defaultMetadata,omitempty"`
	OverrideMetadata   *schema.Metadata `json:"overrideMetadata,omitempty"`
	DefaultRuleSet     *schema.RuleSet  `json:"defaultRuleSet,omitempty"`
	OverrideRuleSet    *schema.RuleSet  `json:"overrideRuleSet,omitempty"`
}

type configValue struct {
	Subject string `json:"subject,omitempty"`
	Config
}

// The seven levels of compatibility, and the policies. Other registries know a policy LOGICAL, which demands more than STRICT does;
// who sets it here is told so, and where a log brings it along STRICT holds.
var (
	levels   = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}
	policies = []string{"STRICT", "LENIENT"}
)

// DefaultLevel holds where nothing is set, unless SetDefaultLevel said otherwise.
const DefaultLevel = "BACKWARD"

// ConfigChange is the body of a PUT: fields that are absent stay as they are, a field that is null is taken out.
type ConfigChange map[string]json.RawMessage

// over puts the change over what was set before.
func (change ConfigChange) over(old Config) (Config, *Error) {
	merged := map[string]json.RawMessage{}
	if err := json.Unmarshal(marshal(old), &merged); err != nil {
		return old, errorf(StoreFailed, "the present settings cannot be read: %v", err)
	}
	for name, value := range change {
		if name == "compatibility" {
			name = "compatibilityLevel"
		}
		if bytes.Equal(value, []byte("null")) {
			delete(merged, name)
			continue
		}
		merged[name] = value
	}
	var c Config
	if err := json.Unmarshal(marshal(merged), &c); err != nil {
		return old, errorf(422, "the settings do not have the expected form: %s", strings.Replace(Misfit(err), `"compatibilityLevel"`, `"compatibility"`, 1))
	}
	c.Level, c.Policy = strings.ToUpper(c.Level), strings.ToUpper(c.Policy)
	if change["compatibilityPolicy"] == nil {
		policy := c.Policy
		c.Policy = "" // it may come from a log that knows more policies
		err := c.validate()
		c.Policy = policy
		return c, err
	}
	return c, c.validate()
}

func (c Config) validate() *Error {
	if c.Level != "" && !slices.Contains(levels, c.Level) {
		return errorf(InvalidLevel, "there is no compatibility level %q; use one of %s", c.Level, strings.Join(levels, ", "))
	}
	if c.Policy != "" && !slices.Contains(policies, c.Policy) {
		return errorf(InvalidLevel, "there is no compatibility policy %q; use one of %s", c.Policy, strings.Join(policies, ", "))
	}
	for _, rules := range []*schema.RuleSet{c.DefaultRuleSet, c.OverrideRuleSet} {
		if rules == nil {
			continue
		}
		if err := rules.Validate(); err != nil {
			return errorf(InvalidRules, "invalid rule set: %v", err)
		}
	}
	return nil
}

// over is c with what is set in above put over it; metadata and rules are merged.
func (c Config) over(above Config) Config {
	text := func(under *string, above string) {
		if above != "" {
			*under = above
		}
	}
	flag := func(under **bool, above *bool) {
		if above != nil {
			*under = above
		}
	}
	text(&c.Alias, above.Alias)
	text(&c.AliasForDeks, above.AliasForDeks)
	flag(&c.Normalize, above.Normalize)
	flag(&c.ValidateFields, above.ValidateFields)
	flag(&c.ValidateNewSchemas, above.ValidateNewSchemas)
	flag(&c.ValidateRules, above.ValidateRules)
	text(&c.Level, above.Level)
	text(&c.Policy, above.Policy)
	text(&c.Group, above.Group)
	c.DefaultMetadata = c.DefaultMetadata.Merge(above.DefaultMetadata)
	c.OverrideMetadata = c.OverrideMetadata.Merge(above.OverrideMetadata)
	c.DefaultRuleSet = c.DefaultRuleSet.Merge(above.DefaultRuleSet)
	c.OverrideRuleSet = c.OverrideRuleSet.Merge(above.OverrideRuleSet)
	return c
}

func on(flag *bool, otherwise bool) bool {
	if flag == nil {
		return otherwise
	}
	return *flag
}
