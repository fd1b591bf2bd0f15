package schema

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
)

// In Protobuf tags lie in an option of the message or the field, which this file defines.
const metaImport = "confluent/meta.proto"

// metaOption is the name of the option in which an entity keeps its tags.
func metaOption(kind string) string {
	if kind == EntityRecord {
		return "(confluent.message_meta)"
	}
	return "(confluent.field_meta)"
}

// visitMessages visits the messages and their fields.
func visitMessages(messages []*descriptorpb.DescriptorProto, scope string, visit func(e Entity, on proto.Message, set func() proto.Message, others ...string)) {
	for _, m := range messages {
		if m.GetOptions().GetMapEntry() {
			continue
		}
		path := scope + m.GetName()
		visit(Entity{path, EntityRecord}, m.Options, func() proto.Message { m.Options = &descriptorpb.MessageOptions{}; return m.Options })
		for _, f := range m.Field {
			var within []string
			if f.OneofIndex != nil && !f.GetProto3Optional() {
				within = append(within, path+"."+m.OneofDecl[f.GetOneofIndex()].GetName()+"."+f.GetName())
			}
			set := func() proto.Message { f.Options = &descriptorpb.FieldOptions{}; return f.Options }
			visit(Entity{path + "." + f.GetName(), EntityField}, f.Options, set, within...)
		}
		visitMessages(m.NestedType, path+".", visit)
	}
}

// interpretedTags gives the tags of a schema that was linked.
func interpretedTags(p *ProtobufSchema, take func(Entity, []string)) func(Entity, proto.Message, func() proto.Message, ...string) {
	source := interpretedOptions{linker.ResolverFromFile(p.linked), false}
	return func(e Entity, options proto.Message, _ func() proto.Message, _ ...string) {
		take(e, unquoted(tagsIn(source.of(options), e.Type)))
	}
}

// tagsIn are the tags in the options of an entity, quoted, however they were written: in a message, one by one, or as a list.
func tagsIn(options []protoOption, kind string) (tags []string) {
	collect := func(v optionValue) {
		if v.kind == optionScalar {
			tags = append(tags, v.scalar)
		}
		for _, item := range v.list {
			tags = append(tags, item.scalar)
		}
	}
	for _, o := range options {
		switch name := strings.Replace(o.name, "(.", "(", 1); name {
		case metaOption(kind) + ".tags":
			collect(o.value)
		case metaOption(kind):
			for _, f := range o.value.fields {
				if f.name == "tags" {
					collect(f.value)
				}
			}
		}
	}
	return tags
}

// withTags are the options with these tags, quoted, in the place of those that they had.
func withTags(options []protoOption, kind string, tags []string) []protoOption {
	list := optionValue{kind: optionList}
	for _, tag := range tags {
		list.list = append(list.list, optionValue{scalar: tag})
	}
	var kept []protoOption
	put := len(tags) == 0
	for _, o := range options {
		name := strings.Replace(o.name, "(.", "(", 1)
		if name == metaOption(kind)+".tags" {
			continue
		}
		if name == metaOption(kind) {
			o.value.fields = slices.DeleteFunc(slices.Clone(o.value.fields), func(f protoOption) bool { return f.name == "tags" })
			if !put {
				o.value.fields, put = append(o.value.fields, protoOption{"tags", list}), true
			}
			if len(o.value.fields) == 0 {
				continue
			}
		}
		kept = append(kept, o)
	}
	// A field of the option that is set by its path (confluent.field_meta).doc forbids the option as a whole beside it.
	byPath := slices.ContainsFunc(kept, func(o protoOption) bool {
		return strings.HasPrefix(strings.Replace(o.name, "(.", "(", 1), metaOption(kind)+".")
	})
	switch {
	case put:
		return kept
	case byPath:
		for _, item := range list.list {
			kept = append(kept, protoOption{metaOption(kind) + ".tags", item})
		}
		return kept
	}
	return append(kept, protoOption{metaOption(kind), optionValue{kind: optionMessage, fields: []protoOption{{"tags", list}}}})
}

// retag is what the options of an entity are changed to.
type retag struct {
	kind string
	tags []string // quoted
}

// onProtobuf prints a canonical text again, with other tags.
func (r *retagging) onProtobuf(text string) (string, error) {
	handler := reporter.NewHandler(nil)
	file, err := parser.Parse(protoRoot, strings.NewReader(breakLines(text)), handler)
	if err != nil {
		return "", err
	}
	parsed, err := parser.ResultFromAST(file, true, handler)
	if err != nil {
		return "", err
	}
	fd := parsed.FileDescriptorProto()
	source := writtenOptions{parsed: parsed, tags: map[proto.Message]retag{}}
	tagged := false
	visitMessages(fd.MessageType, "", func(e Entity, options proto.Message, set func() proto.Message, others ...string) {
		after, changed := r.change(e, unquoted(tagsIn(source.of(options), e.Type)), others...)
		if !changed {
			return
		}
		if !options.ProtoReflect().IsValid() {
			options = set()
		}
		tagged = tagged || len(after) > 0
		source.tags[options] = retag{e.Type, quotedAll(after)}
	})
	if err := r.missing(); err != nil {
		return "", err
	}
	if tagged && !slices.Contains(fd.Dependency, metaImport) {
		fd.Dependency = append(fd.Dependency, metaImport)
	}
	printer := protoPrinter{options: source}
	return printer.file(fd, file.Syntax != nil), nil
}

func unquoted(tags []string) (plain []string) {
	for _, tag := range tags {
		if text, err := strconv.Unquote(tag); err == nil {
			plain = append(plain, text)
		}
	}
	return plain
}

func quotedAll(tags []string) (quoted []string) {
	for _, tag := range tags {
		quoted = append(quoted, protoQuote(tag))
	}
	return quoted
}
