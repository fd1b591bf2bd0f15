package schema

import (
	"slices"
	"strings"
)

// Entity is a place in the text of a schema that can carry tags: a record (a message, a JSON object) or a field.
//
//	Avro      ns.Record, ns.Record.field; without the namespace the first record of the name is meant
//	Protobuf  Outer.Inner, Outer.Inner.field, without the package; the name of a oneof may stand in front of its field
//	JSON      object, object.property, object.property.array.object.field, object.property.anyof.0.object.field, ...
type Entity struct {
	Path string `json:"entityPath"`
	Type string `json:"entityType"` // EntityRecord or EntityField
}

// The types of entities.
const (
	EntityRecord = "sr_record"
	EntityField  = "sr_field"
)

// Tagged is an entity with tags.
type Tagged struct {
	Entity Entity   `json:"schemaEntity"`
	Tags   []string `json:"tags"`
}

// tagsProperty is where Avro and JSON Schema keep the tags of an entity.
const tagsProperty = "confluent:tags"

// Retag is the text with tags added and then taken away, in the canonical form. An entity that is not in the schema is an error, unless
// known is true: then it is passed over.
func (p *Parsed) Retag(add, remove []Tagged, known bool) (string, error) {
	r := retagging{add: add, remove: remove, known: known}
	switch {
	case p.Avro != nil:
		return r.onJSON(p.Avro.format(""), visitAvro)
	case p.JSON != nil:
		return r.onJSON(p.JSON.canonical(), visitJSON)
	}
	return r.onProtobuf(p.Protobuf.text)
}

// TaggedEntities are the entities that carry one of the tags, or any tag when "*" is asked for, in the order of the text. In an Avro
// schema those of its references count too.
func (p *Parsed) TaggedEntities(tags ...string) []Tagged {
	found := []Tagged{}
	take := func(e Entity, has []string) {
		wanted := slices.Contains(tags, "*") || slices.ContainsFunc(has, func(t string) bool { return slices.Contains(tags, t) })
		if len(has) > 0 && wanted {
			found = append(found, Tagged{e, has})
		}
	}
	switch {
	case p.Avro != nil:
		visitText(p.Avro.format("resolved"), visitAvro, take)
	case p.JSON != nil:
		visitText(p.JSON.canonical(), visitJSON, take)
	default:
		visitMessages(p.Protobuf.Proto().GetMessageType(), "", interpretedTags(p.Protobuf, take))
	}
	return found
}

// retagging is one change of tags. Entities are matched while the schema is walked.
type retagging struct {
	add, remove []Tagged
	known       bool
	met         map[string]Entity // by type and the path that was asked for: the first entity that it means
}

func (e Entity) is(kind string) bool { return strings.EqualFold(e.Type, kind) }

// asked is the path without the dot that may stand in front.
func (e Entity) asked() string { return strings.TrimPrefix(e.Path, ".") }

// means tells whether the path of a request names an entity: by its whole path, or by one of its other names.
func (r *retagging) means(asked, e Entity, others []string) bool {
	if !asked.is(e.Type) || asked.asked() != e.Path && !slices.Contains(others, asked.asked()) {
		return false
	}
	if r.met == nil {
		r.met = map[string]Entity{}
	}
	key := e.Type + " " + asked.asked()
	first, met := r.met[key]
	if !met {
		r.met[key] = e
	}
	return !met || first == e
}

// change gives the tags that an entity has afterwards, and whether it was meant at all.
func (r *retagging) change(e Entity, has []string, others ...string) ([]string, bool) {
	after, changed := slices.Clone(has), false
	for _, t := range r.add {
		if r.means(t.Entity, e, others) {
			changed = true
			for _, tag := range t.Tags {
				if !slices.Contains(after, tag) {
					after = append(after, tag)
				}
			}
		}
	}
	for _, t := range r.remove {
		if r.means(t.Entity, e, others) {
			changed = true
			after = slices.DeleteFunc(after, func(tag string) bool { return slices.Contains(t.Tags, tag) })
		}
	}
	return after, changed
}

// missing is the error for an entity that was not met.
func (r *retagging) missing() error {
	if r.known {
		return nil
	}
	for _, t := range slices.Concat(r.add, r.remove) {
		kind := strings.ToLower(t.Entity.Type)
		if kind != EntityRecord && kind != EntityField {
			return invalidf("", "%q is no type of entity that can be tagged; use %s or %s", t.Entity.Type, EntityRecord, EntityField)
		}
		if _, met := r.met[kind+" "+t.Entity.asked()]; !met {
			return invalidf("", "the schema has no %s %q to tag", strings.TrimPrefix(kind, "sr_"), t.Entity.Path)
		}
	}
	return nil
}

// visitor walks the JSON text of a schema; others are further paths of the entity.
type visitor func(v *Value, visit func(v *Value, e Entity, others ...string))

// onJSON changes the tags in a schema that is JSON.
func (r *retagging) onJSON(text string, walk visitor) (string, error) {
	v, err := ParseValue(text, anyDepth)
	if err != nil {
		return "", err
	}
	walk(v, func(v *Value, e Entity, others ...string) {
		after, changed := r.change(e, tagsOf(v), others...)
		switch {
		case !changed:
		case len(after) == 0:
			v.drop(tagsProperty)
		default:
			list := &Value{Kind: Array}
			for _, tag := range after {
				list.Items = append(list.Items, &Value{Kind: String, Text: tag})
			}
			v.set(tagsProperty, list)
		}
	})
	return string(v.Append(nil)), r.missing()
}

// anyDepth: the text was parsed within the limits before.
const anyDepth = 1 << 16

func visitText(text string, walk visitor, take func(Entity, []string)) {
	v, err := ParseValue(text, anyDepth)
	if err != nil {
		return
	}
	walk(v, func(v *Value, e Entity, _ ...string) { take(e, tagsOf(v)) })
}

func tagsOf(v *Value) (tags []string) {
	if list := v.Get(tagsProperty); list != nil {
		for _, item := range list.Items {
			if item.Kind == String {
				tags = append(tags, item.Text)
			}
		}
	}
	return tags
}

// visitAvro visits each record and its fields. A named type stands in the text once.
func visitAvro(v *Value, visit func(*Value, Entity, ...string)) { visitAvroType(v, "", visit) }

func visitAvroType(v *Value, space string, visit func(*Value, Entity, ...string)) {
	if v == nil {
		return
	}
	for _, branch := range v.Items {
		visitAvroType(branch, space, visit)
	}
	kind, _ := v.Str("type")
	switch {
	case v.Kind != Object:
	case kind == "record" || kind == "error":
		visitAvroRecord(v, space, visit)
	case kind == "array":
		visitAvroType(v.Get("items"), space, visit)
	case kind == "map":
		visitAvroType(v.Get("values"), space, visit)
	case kind == "": // a type in braces of its own
		visitAvroType(v.Get("type"), space, visit)
	}
}

func visitAvroRecord(v *Value, space string, visit func(*Value, Entity, ...string)) {
	base, _ := v.Str("name")
	if own, ok := v.Str("namespace"); ok {
		space = own
	}
	name := splitAvroName(base, space)
	visit(v, Entity{name.String(), EntityRecord}, name.Base)
	fields := v.Get("fields")
	if fields == nil {
		return
	}
	for _, f := range fields.Items {
		field, _ := f.Str("name")
		visit(f, Entity{name.String() + "." + field, EntityField}, name.Base+"."+field)
	}
	for _, f := range fields.Items {
		visitAvroType(f.Get("type"), name.Space, visit)
	}
}
