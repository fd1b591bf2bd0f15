package registry

import (
	"strings"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// schemaEntity is a registered schema as it is shown. Empty fields are left out.
type schemaEntity struct {
	Subject    string             `json:"subject"`
	Version    int                `json:"version"`
	ID         int                `json:"id"`
	GUID       string             `json:"guid"`
	Type       schema.Type        `json:"schemaType"`
	References []schema.Reference `json:"references,omitempty"`
	Metadata   *schema.Metadata   `json:"metadata,omitempty"`
	RuleSet    *schema.RuleSet    `json:"ruleSet,omitempty"`
	Text       string             `json:"schema"`
	SchemaTags []schema.Tagged    `json:"schemaTags,omitempty"`
	Aliases    []string           `json:"aliases,omitempty"`
	Time       int64              `json:"ts,omitempty"`
	Deleted    bool               `json:"deleted,omitempty"`
}

func entity(v *state.Version) schemaEntity {
	s := v.Schema()
	return schemaEntity{Subject: v.Subject, Version: v.Version, ID: v.ID, GUID: v.Digest.GUID(), Type: s.TypeOrDefault(),
		References: s.References, Metadata: s.Metadata, RuleSet: s.RuleSet, Text: s.Text, Time: v.Time, Deleted: v.Deleted}
}

// schemaString is a schema asked for by its id or GUID.
type schemaString struct {
	Subject    string             `json:"subject,omitempty"`
	Version    int                `json:"version,omitempty"`
	GUID       string             `json:"guid"`
	Type       schema.Type        `json:"schemaType"`
	References []schema.Reference `json:"references,omitempty"`
	Metadata   *schema.Metadata   `json:"metadata,omitempty"`
	RuleSet    *schema.RuleSet    `json:"ruleSet,omitempty"`
	Text       string             `json:"schema"`
	SchemaTags []schema.Tagged    `json:"schemaTags,omitempty"`
	MaxID      int                `json:"maxId,omitempty"`
	Time       int64              `json:"ts,omitempty"`
	Deleted    bool               `json:"deleted,omitempty"`
}

// formatted is the text of a version in the form that the parameter format asks for.
func (q *request) formatted(s *state.State, v *state.Version) (string, error) {
	format := q.query.Get("format")
	if format == "" {
		return v.Text(), nil
	}
	if err := q.notLogical(); err != nil {
		return "", err
	}
	ctx, cancel := q.parsing()
	defer cancel()
	p, err := s.Stored(ctx, q.rules, v)
	if err != nil {
		return "", err
	}
	return p.Format(format), nil
}

// notLogical refuses the one form that is left out: the table definition of a logical type, which names no format. To answer with
// another text than was asked for would be worse than to refuse.
func (q *request) notLogical() error {
	if !strings.EqualFold(q.query.Get("format"), "logical") {
		return nil
	}
	return &state.Error{Code: state.InvalidSchema, Message: "schemas are not converted from and to logical types here (format=logical); give and take them in their own format"}
}

// shown is a version with the forms that the parameters format and referenceFormat ask for.
func (q *request) shown(s *state.State, v *state.Version) (schemaEntity, error) {
	e := entity(v)
	text, err := q.formatted(s, v)
	if err != nil {
		return e, err
	}
	e.Text = text
	e.References = q.references(v)
	e.SchemaTags, err = q.tagsOf(s, v)
	return e, err
}

// references of a version outside of the default context are shown with their contexts when referenceFormat=qualified.
func (q *request) references(v *state.Version) []schema.Reference {
	if q.query.Get("referenceFormat") != "qualified" || v.Context() == state.DefaultContext {
		return v.References()
	}
	var full []schema.Reference
	for _, ref := range v.References() {
		ref.Subject = state.Qualify(v.Subject, ref.Subject)
		full = append(full, ref)
	}
	return full
}

// schemaRequest is the body that asks about a schema.
type schemaRequest struct {
	Text       *string            `json:"schema"`
	Type       schema.Type        `json:"schemaType"`
	References []schema.Reference `json:"references"`
	Metadata   *schema.Metadata   `json:"metadata"`
	RuleSet    *schema.RuleSet    `json:"ruleSet"`
	Version    int                `json:"version"`
	ID         *int               `json:"id"`
	TagsAdd    []schema.Tagged    `json:"schemaTagsToAdd"`
	TagsRemove []schema.Tagged    `json:"schemaTagsToRemove"`
	Propagate  bool               `json:"propagateSchemaTags"`
}

func (b schemaRequest) schema() schema.Schema {
	s := schema.Schema{Type: b.Type, References: b.References, Metadata: b.Metadata, RuleSet: b.RuleSet}
	if b.Text != nil {
		s.Text = *b.Text
	}
	return s
}

func (b schemaRequest) id() int {
	if b.ID == nil || *b.ID < 0 {
		return state.NoID
	}
	return *b.ID
}
