package registry

import (
	"context"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// Tags lie in the text of a schema. A request that changes them is answered as if its sender had written the text with the change.

// retag is the schema with the changes of tags that a request asks for; a schema without text is the latest of the subject.
func (q *request) retag(ctx context.Context, subject string, text schema.Schema, add, remove []schema.Tagged) (schema.Schema, error) {
	if len(add)+len(remove) == 0 {
		return text, nil
	}
	var p state.Prepared
	var refused *state.Error
	q.Look(func(s *state.State) {
		latest := s.Version(state.Normal(subject), state.Latest, state.LiveOnly)
		if strings.TrimSpace(text.Text) == "" && latest != nil {
			text.Text, text.Type, text.References = latest.Text(), latest.Type(), latest.References()
		}
		p, refused = s.Prepare(ctx, q.rules, subject, text)
	})
	if refused == nil {
		text.Text, refused = p.Retag(ctx, q.rules, add, remove, false)
	}
	return text, fault(refused)
}

// tagsWanted are the tags that the parameter findTags asks for, given several times or with commas.
func (q *request) tagsWanted() []string {
	var tags []string
	for _, list := range q.query["findTags"] {
		tags = append(tags, strings.Split(list, ",")...)
	}
	return slices.DeleteFunc(tags, func(tag string) bool { return tag == "" })
}

// tagsOf are the entities of a version that have a tag that is asked for.
func (q *request) tagsOf(s *state.State, v *state.Version) ([]schema.Tagged, error) {
	wanted := q.tagsWanted()
	if len(wanted) == 0 {
		return nil, nil
	}
	ctx, cancel := q.parsing()
	defer cancel()
	p, err := s.Stored(ctx, q.rules, v)
	if err != nil {
		return nil, err
	}
	return p.TaggedEntities(wanted...), nil
}
