package serde

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// A Codec writes values of one Go type into records and reads them again. It is safe for concurrent use.
type Codec[T any] struct {
	registry *Registry
	options  options
	own      *cache[struct{}, *Schema] // the schema given with the codec: fetched once it is needed, since its references may be
	fetch    func(context.Context) (*Schema, error)
	encode   func(own, s *Schema, v T) (payload []byte, index []int, err error)
	decode   func(own, writer *Schema, index []int, payload []byte) (T, error)
}

type options struct {
	subject    SubjectName
	register   bool
	latest     bool
	id         ID
	normalize  bool
	header     bool
	message    string
	references []sr.SchemaReference
}

// An Option changes how a codec works.
type Option func(*options)

// Subject chooses how subjects are named; TopicName unless told otherwise.
func Subject(name SubjectName) Option { return func(o *options) { o.subject = name } }

// NoRegister looks the schema up in its subject and fails when it is not there. Without it the schema is registered when the first value
// is written, which is refused when it is not compatible with the subject's earlier versions.
func NoRegister() Option { return func(o *options) { o.register = false } }

// UseLatest writes with the newest version in the subject, whatever schema the codec was made with. A newer version is taken up within
// a minute. Nothing is registered. Fields of an Avro schema that the Go type lacks get their defaults.
func UseLatest() Option { return func(o *options) { o.latest = true } }

// UseID writes with the schema of this id or GUID, whatever schema the codec was made with. Nothing is registered.
func UseID(id ID) Option { return func(o *options) { o.id = id } }

// Normalize registers and looks up the schema in the form that is equal for all spellings of one meaning.
func Normalize() Option { return func(o *options) { o.normalize = true } }

// InHeader writes the schema's GUID into a header of the record, and leaves the value or key as it would be without a registry. Programs
// that read have to know such headers; this package reads both.
func InHeader() Option { return func(o *options) { o.header = true } }

// References names the registered schemas that the text of the schema refers to.
func References(refs ...sr.SchemaReference) Option {
	return func(o *options) { o.references = refs }
}

// Message chooses a message of a Protobuf schema, for NewText; the first of the file unless told otherwise.
func Message(name string) Option { return func(o *options) { o.message = name } }

func newCodec[T any](r *Registry, o []Option) *Codec[T] {
	c := &Codec[T]{registry: r, options: options{subject: TopicName, register: true}}
	for _, option := range o {
		option(&c.options)
	}
	c.own = newCache[struct{}, *Schema](1, 0, r.failed, r.now)
	return c
}

// NewAvro makes a codec of Go values, mostly structs with tags like `avro:"name"`, that are written as Avro. With an empty schema, one
// is made of the struct T. What was written with an older or newer schema is read as this schema has it, by Avro's rules, and value by
// value: a null where this schema takes only a string is an error, and the strings of the same writer are read. Writers that write nothing
// but what this schema takes are read fastest.
func NewAvro[T any](r *Registry, schema string, o ...Option) (*Codec[T], error) {
	c := newCodec[T](r, o)
	text := sr.Schema{Schema: schema, References: c.options.references}
	if schema == "" {
		inferred, err := avro.SchemaFor[T]()
		if err != nil {
			return nil, fmt.Errorf("no Avro schema can be made of %T: %w: give the schema as text", *new(T), err)
		}
		text.Schema = inferred.String()
	}
	shape := sync.OnceValue(avroShape[T])
	c.encode = func(own, s *Schema, v T) ([]byte, []int, error) {
		a, err := formatOf[*avroFormat](s)
		if err != nil {
			return nil, nil, err
		}
		payload, err := a.encode(&v)
		if err == nil {
			return payload, nil, nil
		}
		o, no := formatOf[*avroFormat](own)
		if no != nil || o == a {
			return nil, nil, err
		}
		payload, err = a.encodeFilled(o, shape(), &v, err)
		return payload, nil, err
	}
	c.decode = func(own, writer *Schema, _ []int, payload []byte) (v T, err error) {
		reader, err := formatOf[*avroFormat](own)
		if err != nil {
			return v, err
		}
		w, err := formatOf[*avroFormat](writer)
		if err != nil {
			return v, err
		}
		return v, reader.decode(w, payload, &v)
	}
	return c.given(text)
}

// NewJSON makes a codec of Go values that are written as JSON, by encoding/json, and have to be valid under a JSON Schema when they are
// written and when they are read.
func NewJSON[T any](r *Registry, schema string, o ...Option) (*Codec[T], error) {
	c := newCodec[T](r, o)
	text := sr.Schema{Schema: schema, Type: sr.TypeJSON, References: c.options.references}
	c.encode = func(_, s *Schema, v T) ([]byte, []int, error) {
		j, err := formatOf[*jsonFormat](s)
		if err != nil {
			return nil, nil, err
		}
		payload, err := json.Marshal(v)
		if err != nil {
			return nil, nil, misfit(err)
		}
		return payload, nil, j.check(payload)
	}
	c.decode = func(own, _ *Schema, _ []int, payload []byte) (v T, err error) {
		j, err := formatOf[*jsonFormat](own)
		if err != nil {
			return v, err
		}
		if err := j.check(payload); err != nil {
			return v, err
		}
		if err := json.Unmarshal(payload, &v); err != nil {
			return v, misfit(err)
		}
		return v, nil
	}
	return c.given(text)
}

// NewText makes a codec of JSON text, for schemas of any format that are not known when the program is written. The schema may be empty
// where UseLatest or UseID choose one, and for reading: then the text is what was written. How each format looks as JSON is described at
// the package.
func NewText(r *Registry, schema sr.Schema, o ...Option) (*Codec[json.RawMessage], error) {
	c := newCodec[json.RawMessage](r, o)
	schema.References = append(slices.Clip(schema.References), c.options.references...)
	c.encode = func(_, s *Schema, v json.RawMessage) ([]byte, []int, error) {
		if c.options.message != "" {
			var err error
			if s, err = s.Message(c.options.message); err != nil {
				return nil, nil, err
			}
		}
		return s.encode(v)
	}
	c.decode = func(own, writer *Schema, index []int, payload []byte) (json.RawMessage, error) {
		if own == nil {
			own = writer
		}
		return own.text(writer, index, payload)
	}
	if schema.Schema == "" {
		return c, c.check()
	}
	return c.given(schema)
}

func (c *Codec[T]) check() error {
	o := c.options
	switch {
	case o.latest && o.id != ID{}:
		return errors.New("UseLatest and UseID exclude each other: leave one out")
	case o.subject == nil:
		return errors.New("Subject has no function: leave it out for TopicName")
	}
	return nil
}

// given is the schema that a codec is made with. One without references is read at once, so that a slip in it shows where it was made.
func (c *Codec[T]) given(s sr.Schema) (*Codec[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.fetch = func(ctx context.Context) (*Schema, error) { return c.registry.Parse(ctx, s) }
	if len(s.References) > 0 {
		return c, nil
	}
	_, err := c.schema(context.Background())
	return c, err
}

func formatOf[F format](s *Schema) (f F, err error) {
	f, ok := s.format.(F)
	if !ok {
		return f, fmt.Errorf("%w: the schema is of type %s: choose the codec for that", ErrMisfit, s.Text.Type)
	}
	return f, nil
}

// SetValue writes v as the value of a record, whose topic has to be set where subjects are named by topic.
func (c *Codec[T]) SetValue(ctx context.Context, r *kgo.Record, v T) error {
	return c.set(ctx, r, Value, v)
}

// SetKey writes v as the key of a record.
func (c *Codec[T]) SetKey(ctx context.Context, r *kgo.Record, v T) error {
	return c.set(ctx, r, Key, v)
}

// Value reads the value of a record.
func (c *Codec[T]) Value(ctx context.Context, r *kgo.Record) (T, error) {
	return c.get(ctx, r, Value)
}

// Key reads the key of a record.
func (c *Codec[T]) Key(ctx context.Context, r *kgo.Record) (T, error) { return c.get(ctx, r, Key) }

func (c *Codec[T]) set(ctx context.Context, r *kgo.Record, part Part, v T) error {
	own, s, err := c.writing(ctx, r.Topic, part)
	if err != nil {
		return fmt.Errorf("the %s cannot be encoded: %w", part, err)
	}
	payload, index, err := c.encode(own, s, v)
	if err != nil {
		return fmt.Errorf("the %s cannot be encoded: %s: %w", part, s, err)
	}
	if err := join(r, part, s, index, payload, c.options.header); err != nil {
		return fmt.Errorf("the %s cannot be encoded: %w", part, err)
	}
	return nil
}

func (c *Codec[T]) get(ctx context.Context, r *kgo.Record, part Part) (v T, err error) {
	v, err = c.read(ctx, r, part)
	if err != nil {
		err = fmt.Errorf("the %s cannot be decoded (topic %s, partition %d, offset %d): %w", part, r.Topic, r.Partition, r.Offset, err)
	}
	return v, err
}

func (c *Codec[T]) read(ctx context.Context, r *kgo.Record, part Part) (none T, err error) {
	id, after, payload, err := split(r, part)
	if err != nil {
		return none, err
	}
	own, err := c.schema(ctx)
	if err != nil {
		return none, err
	}
	writer, err := c.registry.schema(ctx, id, c.context(own, r.Topic, part))
	if err != nil {
		return none, err
	}
	index, payload, err := writer.path(id, after, payload)
	if err != nil {
		return none, fmt.Errorf("%s: %w", id, err)
	}
	v, err := c.decode(own, writer, index, payload)
	if err != nil {
		return none, fmt.Errorf("%s: %w", id, err)
	}
	return v, nil
}

// schema is the codec's own schema; nil when it was made without one.
func (c *Codec[T]) schema(ctx context.Context) (*Schema, error) {
	if c.fetch == nil {
		return nil, nil
	}
	return c.own.get(ctx, struct{}{}, c.fetch)
}

// context is where the subject's ids lie.
func (c *Codec[T]) context(own *Schema, topic string, part Part) string {
	record := ""
	if own != nil {
		record = own.Record()
	}
	subject, err := c.options.subject(topic, part, record)
	if err != nil {
		return "" // reading needs no subject
	}
	return contextOf(subject)
}

// writing gives the codec's own schema and the one to write with, which has its id.
func (c *Codec[T]) writing(ctx context.Context, topic string, part Part) (own, s *Schema, err error) {
	if own, err = c.schema(ctx); err != nil {
		return nil, nil, err
	}
	record := ""
	if own != nil {
		record = own.Record()
	}
	subject, err := c.options.subject(topic, part, record)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case c.options.id != ID{}:
		s, err = c.registry.schema(ctx, c.options.id, contextOf(subject))
	case c.options.latest:
		s, err = c.registry.Version(ctx, subject, Latest)
	case own == nil:
		err = errors.New("there is no schema to write with: give one, UseLatest or UseID")
	default:
		s, err = c.registry.write(ctx, subject, own, &c.options)
	}
	return own, s, err
}
