package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// ConfluentVersion is the property that carries a version number in the metadata.
const ConfluentVersion = "confluent:version"

// Set is a set of texts, kept sorted and each once, since it is part of a schema's digest.
type Set []string

// NewSet makes a set of texts in any order.
func NewSet(texts ...string) Set {
	sorted := slices.Clone(texts)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func (s *Set) UnmarshalJSON(text []byte) error {
	var texts []string
	if err := json.Unmarshal(text, &texts); err != nil {
		return err
	}
	*s = NewSet(texts...)
	return nil
}

// Metadata is what is said about a schema beside its text.
type Metadata struct {
	Tags       map[string]Set    `json:"tags,omitempty"` // by path in the schema
	Properties map[string]string `json:"properties,omitempty"`
	Sensitive  Set               `json:"sensitive,omitempty"` // names of properties that hold secrets
}

// Merge is m with what other says put over it; of the sets of sensitive names the union.
func (m *Metadata) Merge(other *Metadata) *Metadata {
	if m == nil {
		return other
	}
	if other == nil {
		return m
	}
	merged := &Metadata{Tags: maps.Clone(m.Tags), Properties: maps.Clone(m.Properties)}
	merged.Tags = over(merged.Tags, other.Tags)
	merged.Properties = over(merged.Properties, other.Properties)
	merged.Sensitive = NewSet(append(slices.Clone(m.Sensitive), other.Sensitive...)...)
	return merged
}

func over[V any](under, above map[string]V) map[string]V {
	if under == nil {
		return maps.Clone(above)
	}
	maps.Copy(under, above)
	return under
}

// RuleSet is the rules that clients apply to records of a schema.
type RuleSet struct {
	MigrationRules []Rule `json:"migrationRules,omitempty"`
	DomainRules    []Rule `json:"domainRules,omitempty"`
	EncodingRules  []Rule `json:"encodingRules,omitempty"`
	EnableAt       string `json:"enableAt,omitempty"`
}

// Rule is one rule.
type Rule struct {
	Name      string            `json:"name,omitempty"`
	Doc       string            `json:"doc,omitempty"`
	Kind      string            `json:"kind,omitempty"`
	Mode      string            `json:"mode,omitempty"`
	Type      string            `json:"type,omitempty"`
	Tags      Set               `json:"tags,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Expr      string            `json:"expr,omitempty"`
	OnSuccess string            `json:"onSuccess,omitempty"`
	OnFailure string            `json:"onFailure,omitempty"`
	Disabled  bool              `json:"disabled"` // written always, as the clients' own classes do
}

// UnmarshalJSON fills in the kind and the mode that a rule has when it names none.
func (r *Rule) UnmarshalJSON(text []byte) error {
	type plain Rule
	p := plain{Kind: "TRANSFORM", Mode: "WRITEREAD"}
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	*r = Rule(p)
	return nil
}

// Empty tells whether there is no rule at all.
func (r *RuleSet) Empty() bool {
	return r == nil || len(r.MigrationRules)+len(r.DomainRules)+len(r.EncodingRules) == 0
}

// Merge is r with the rules of other put behind its own; a rule of other replaces the rule of the same name in its group.
func (r *RuleSet) Merge(other *RuleSet) *RuleSet {
	if r == nil {
		return other
	}
	if other == nil {
		return r
	}
	merged := &RuleSet{
		MigrationRules: mergeRules(r.MigrationRules, other.MigrationRules),
		DomainRules:    mergeRules(r.DomainRules, other.DomainRules),
		EncodingRules:  mergeRules(r.EncodingRules, other.EncodingRules),
		EnableAt:       r.EnableAt,
	}
	if other.EnableAt != "" {
		merged.EnableAt = other.EnableAt
	}
	return merged
}

func mergeRules(old, new []Rule) []Rule {
	kept := slices.DeleteFunc(slices.Clone(old), func(r Rule) bool {
		return slices.ContainsFunc(new, func(n Rule) bool { return n.Name == r.Name })
	})
	return append(kept, new...)
}

var (
	migrationModes = []string{"UPGRADE", "DOWNGRADE", "UPDOWN"}
	recordModes    = []string{"WRITE", "READ", "WRITEREAD"}
	ruleKinds      = []string{"TRANSFORM", "CONDITION"}
	places         = []string{"", "ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"}
)

// ruleNameLength is the longest name of a rule, in UTF-16 units as Java counts.
const ruleNameLength = 256

// Validate checks what the registry demands of rules (error 42210): names once in the whole set and well formed, a type, and a mode
// that fits the group.
func (r *RuleSet) Validate() error {
	if !slices.Contains(places, r.EnableAt) {
		return badRulesf("enableAt", "%q is no place to apply rules; use one of %s", r.EnableAt, strings.Join(places[1:], ", "))
	}
	names := map[string]bool{}
	for _, group := range []struct {
		name  string
		rules []Rule
		modes []string
	}{
		{"migrationRules", r.MigrationRules, migrationModes},
		{"domainRules", r.DomainRules, recordModes},
		{"encodingRules", r.EncodingRules, recordModes},
	} {
		for i, rule := range group.rules {
			place := group.name + "/" + itoa(i)
			if names[rule.Name] {
				return badRulesf(place, "a rule named %q stands before this one; give each rule its own name", rule.Name)
			}
			names[rule.Name] = true
			if err := rule.validate(place, group.modes); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r Rule) validate(place string, modes []string) error {
	if err := validateRuleName(place, r.Name); err != nil {
		return err
	}
	if r.Type == "" {
		return badRulesf(place, "rule %q has no type; name one such as CEL, CEL_FIELD or JSONATA", r.Name)
	}
	if r.Kind != "" && !slices.Contains(ruleKinds, r.Kind) {
		return badRulesf(place, "rule %q has the kind %q; use one of %s", r.Name, r.Kind, strings.Join(ruleKinds, ", "))
	}
	if !slices.Contains(modes, r.Mode) {
		return badRulesf(place, "rule %q has the mode %q; the rules of this group run in %s", r.Name, r.Mode, strings.Join(modes, ", "))
	}
	paired := r.Mode == "WRITEREAD" || r.Mode == "UPDOWN"
	for _, action := range []string{r.OnSuccess, r.OnFailure} {
		if !paired && strings.Contains(action, ",") {
			return badRulesf(place, "rule %q names two actions (%q) but runs in one direction only; name one action", r.Name, action)
		}
	}
	return nil
}

func validateRuleName(place, name string) error {
	if name == "" {
		return badRulesf(place, "the rule has no name; give it one")
	}
	if javaLength(name) > ruleNameLength {
		return badRulesf(place, "the rule's name is longer than %d letters; shorten it", ruleNameLength)
	}
	for i, c := range name {
		letter := unicode.IsLetter(c) || c == '_'
		if !letter && (i == 0 || !unicode.IsDigit(c) && c != '-') {
			return badRulesf(place, "the rule's name %q has the character %q; begin with a letter and use letters, digits, _ and -", name, c)
		}
	}
	return nil
}
