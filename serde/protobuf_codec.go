package serde

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// NewProtobuf makes a codec of a generated type, like *orderpb.Order. Its schema is the file that the type was generated from; the files
// that it imports are registered too, each under its path, unless every registry knows them.
func NewProtobuf[T proto.Message](r *Registry, o ...Option) (*Codec[T], error) {
	c := newCodec[T](r, o)
	var none T
	message := none.ProtoReflect().Descriptor()
	if message.IsMapEntry() {
		return nil, fmt.Errorf("%s is the entry of a map: choose the message around it", message.FullName())
	}
	own, err := generated(message.ParentFile(), map[string]*Schema{})
	if err != nil {
		return nil, err
	}
	own.format.(*protobuf).message = message
	c.fetch = func(context.Context) (*Schema, error) { return own, nil }
	c.encode = func(_, s *Schema, v T) ([]byte, []int, error) {
		p, err := formatOf[*protobuf](s)
		if err != nil {
			return nil, nil, err
		}
		m := find(p.file.Messages(), message.FullName())
		if m == nil {
			return nil, nil, fmt.Errorf("%w: the schema has no message %s", ErrMisfit, message.FullName())
		}
		payload, err := proto.Marshal(v)
		if err != nil {
			return nil, nil, protoMisfit(err)
		}
		return payload, indexOf(m), nil
	}
	c.decode = func(_, writer *Schema, index []int, payload []byte) (T, error) {
		v := none.ProtoReflect().New().Interface().(T)
		p, err := formatOf[*protobuf](writer)
		if err != nil {
			return v, err
		}
		if !p.isAt(index, message.FullName()) {
			was, err := p.at(index)
			if err != nil {
				return v, err
			}
			return v, fmt.Errorf("%w: it is a %s, not a %s", ErrMisfit, was.FullName(), message.FullName())
		}
		if err := (proto.UnmarshalOptions{RecursionLimit: maxMessageNesting}).Unmarshal(payload, v); err != nil {
			return v, protoMisfit(err)
		}
		return v, nil
	}
	return c, c.check()
}

// generated makes schemas of a generated type's file and, by path, of what it imports.
func generated(file protoreflect.FileDescriptor, known map[string]*Schema) (*Schema, error) {
	if s := known[file.Path()]; s != nil {
		return s, nil
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(file))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be made a schema: %w", file.Path(), err)
	}
	types, err := typesOf(file)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be made a schema: %w", file.Path(), err)
	}
	p := newProtobuf(file, types)
	s := &Schema{Text: sr.Schema{Type: sr.TypeProtobuf, Schema: base64.StdEncoding.EncodeToString(raw)}, format: p}
	known[file.Path()] = s
	list := file.Imports()
	for i := range list.Len() {
		path := list.Get(i).Path()
		if isWellKnown(path) {
			continue
		}
		inner, err := generated(list.Get(i).FileDescriptor, known)
		if err != nil {
			return nil, err
		}
		p.imports = append(p.imports, imported{path, inner})
	}
	return s, nil
}

func isWellKnown(path string) bool {
	_, err := fs.Stat(wellKnown, "imports/"+path)
	return err == nil || strings.HasPrefix(path, "google/protobuf/")
}

// referred is the text of a schema with its references. The imports of a generated type are registered, or looked up, before it.
func (r *Registry) referred(ctx context.Context, subject string, s *Schema, o *options) (sr.Schema, error) {
	text := s.Text
	p, ok := s.format.(*protobuf)
	if !ok {
		return text, nil
	}
	for _, i := range p.imports {
		in := contextOf(subject) + i.path
		version, err := r.importVersion(ctx, in, i.schema, o)
		if err != nil {
			return text, fmt.Errorf("import %s: %w", i.path, err)
		}
		text.References = append(text.References, sr.SchemaReference{Name: i.path, Subject: in, Version: version})
	}
	return text, nil
}

func (r *Registry) importVersion(ctx context.Context, subject string, s *Schema, o *options) (int, error) {
	found, err := r.write(ctx, subject, s, o)
	if err != nil {
		return 0, err
	}
	if found.Version != 0 {
		return found.Version, nil
	}
	text, err := r.referred(ctx, subject, s, o)
	if err != nil {
		return 0, err
	}
	var a answer // older releases do not say the version when they register
	if err := r.ask(ctx, http.MethodPost, "/subjects/"+url.PathEscape(subject), text, &a); err != nil {
		return 0, err
	}
	if a.Version == 0 {
		return 0, errors.New("the registry does not say its version")
	}
	return a.Version, nil
}
