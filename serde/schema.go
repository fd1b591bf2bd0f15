package serde

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// A Schema is ready to encode and decode. It is safe for concurrent use.
type Schema struct {
	ID      int    // its number in its context; 0 when it is not registered
	GUID    string // empty when the registry gave none
	Subject string // where it was found or registered; empty when it was found by id and the registry did not say
	Version int    // in that subject; 0 when the registry did not say
	Text    sr.Schema

	format format
}

// format is what differs between Avro, JSON Schema and Protobuf. index is the path to a Protobuf message and nil for the others.
type format interface {
	record() string
	fromText(text []byte) (payload []byte, index []int, err error)
	// text is JSON of a payload that was written with a schema of the same format, as a reader with this one sees it.
	text(writer format, index []int, payload []byte) ([]byte, error)
}

// String is the schema's id, for people.
func (s *Schema) String() string {
	switch {
	case s.ID != 0:
		return ID{Number: s.ID}.String()
	case s.GUID != "":
		return ID{GUID: s.GUID}.String()
	}
	return "a schema that is not registered"
}

// Record is the schema's name for what it describes: an Avro type's full name, the title of a JSON Schema, the full name of a Protobuf
// message. Empty when it has none.
func (s *Schema) Record() string { return s.format.record() }

// Message gives the schema for another message of a Protobuf file than its first. A name without the package will do.
func (s *Schema) Message(name string) (*Schema, error) {
	p, ok := s.format.(*protobuf)
	if !ok {
		return nil, fmt.Errorf("%s schemas have no messages: leave the message %s out", s.Text.Type, name)
	}
	m, err := p.named(name)
	if err != nil {
		return nil, err
	}
	with := *s
	with.format = m
	return &with, nil
}

// Encode makes a payload of JSON text, without an id in front. The text of Avro values is described at the package; Protobuf has its
// own rules for JSON; a JSON Schema takes the text as it is, without white space.
func (s *Schema) Encode(text []byte) ([]byte, error) {
	payload, _, err := s.encode(text)
	return payload, err
}

func (s *Schema) encode(text []byte) ([]byte, []int, error) {
	if err := checkText(text); err != nil {
		return nil, nil, err
	}
	return s.format.fromText(text)
}

// Decode makes JSON text of a payload without an id in front. For Protobuf the payload is the message of the schema.
func (s *Schema) Decode(payload []byte) ([]byte, error) { return s.text(s, nil, payload) }

// text reads a payload of writer. index is nil for the writer's own message.
func (s *Schema) text(writer *Schema, index []int, payload []byte) ([]byte, error) {
	if s.Text.Type != writer.Text.Type {
		return nil, fmt.Errorf("%w: it was written with a schema of type %s and is read with one of type %s", ErrMisfit, writer.Text.Type, s.Text.Type)
	}
	return s.format.text(writer.format, index, payload)
}

// A Text is a part of a record as JSON.
type Text struct {
	JSON   json.RawMessage
	ID     ID
	Schema *Schema // that it was written with
	Record string  // what it is, by the name in that schema; for Protobuf the message
}

// Read makes JSON of a part of a record, by the id that it carries. With a reader, the JSON is what a program with that schema sees; a
// payload that such a program could not read is an error. With nil it is what was written. When the error is of the payload and not of
// the look-up, ID and Schema are filled in all the same.
func (r *Registry) Read(ctx context.Context, record *kgo.Record, part Part, reader *Schema) (Text, error) {
	t, _, err := r.read(ctx, record, part, reader)
	return t, err
}

// ReadWhole is Read for a reader that has to see everything: of Protobuf, which turns what it does not understand into unknown fields, a
// payload is an error too when a field that both schemas declare comes out empty or with another value. A field that the reader does not
// declare may go.
func (r *Registry) ReadWhole(ctx context.Context, record *kgo.Record, part Part, reader *Schema) (Text, error) {
	t, written, err := r.read(ctx, record, part, reader)
	if err != nil || reader == nil {
		return t, err
	}
	if p, ok := reader.format.(*protobuf); ok {
		if err := p.loss(t.Schema.format.(*protobuf), written.index, written.payload); err != nil {
			return t, fmt.Errorf("%s: %w", t.ID, err)
		}
	}
	return t, nil
}

// written is a payload, with the path to its Protobuf message.
type written struct {
	index   []int
	payload []byte
}

func (r *Registry) read(ctx context.Context, record *kgo.Record, part Part, reader *Schema) (Text, written, error) {
	id, after, payload, err := split(record, part)
	if err != nil {
		return Text{}, written{}, err
	}
	t := Text{ID: id}
	if t.Schema, err = r.Schema(ctx, id); err != nil {
		return t, written{}, err
	}
	index, payload, err := t.Schema.path(id, after, payload)
	if err != nil {
		return t, written{}, fmt.Errorf("%s: %w", id, err)
	}
	t.Record = t.Schema.recordAt(index)
	if reader == nil {
		reader = t.Schema
	}
	if t.JSON, err = reader.text(t.Schema, index, payload); err != nil {
		return t, written{}, fmt.Errorf("%s: %w", id, err)
	}
	return t, written{index, payload}, nil
}

// recordAt is the name of what was written.
func (s *Schema) recordAt(index []int) string {
	if p, ok := s.format.(*protobuf); ok && index != nil {
		if m, err := p.at(index); err == nil {
			return string(m.FullName())
		}
	}
	return s.Record()
}

// path takes the indexes of a Protobuf message off what follows an id.
func (s *Schema) path(id ID, after, payload []byte) (index []int, rest []byte, err error) {
	if s.Text.Type != sr.TypeProtobuf {
		return nil, payload, nil
	}
	index, rest, err = readIndex(after)
	if id.Header {
		rest = payload
	}
	return index, rest, err
}

// compile makes a schema ready, with its references. of is the context in which references without one of their own are looked up.
func (r *Registry) compile(ctx context.Context, a answer, of string) (*Schema, error) {
	refs, err := r.closure(ctx, a.References, of)
	if err != nil {
		return nil, err
	}
	if err := checkSchemaText(a.Text); err != nil {
		return nil, err
	}
	s := &Schema{ID: a.ID, GUID: a.GUID, Subject: a.Subject, Version: a.Version, Text: a.schema()}
	s.format, err = compileFormat(ctx, s.Text, refs)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func compileFormat(ctx context.Context, s sr.Schema, refs []reference) (f format, err error) {
	// The libraries read text of strangers; what makes one of them stumble must not end the program.
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("the schema cannot be read: %v", p)
		}
	}()
	switch s.Type {
	case sr.TypeAvro:
		return compileAvro(s, refs)
	case sr.TypeJSON:
		return compileJSON(s, refs)
	case sr.TypeProtobuf:
		return compileProtobuf(ctx, s, refs)
	}
	return nil, fmt.Errorf("schemas of type %s are not known here: use AVRO, JSON or PROTOBUF", s.Type)
}
