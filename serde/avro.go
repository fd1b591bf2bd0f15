package serde

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// avroFormat is an Avro schema, compiled twice: for Go values, where a timestamp is a time.Time, and bare, where it is its number, which
// is what JSON is made of.
type avroFormat struct {
	typed *avro.Schema
	bare  *avro.Schema
	root  *avroNode
	count bool // values may take no bytes: they are counted first

	// What another schema wrote, as this one reads it; nil where that has to be found out value by value.
	typedOf *cache[*avroFormat, *avro.Schema]
	bareOf  *cache[*avroFormat, *avro.Schema]
}

// anyName lets names pass that the specification forbids: schemas of older registries have them, and Java's parser takes them.
func anyName(string) error { return nil }

// bareLogical turns every logical type off.
var bareLogical = func() (options []avro.SchemaOpt) {
	for _, name := range []string{"date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
		"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos", "decimal", "big-decimal", "uuid", "duration"} {
		options = append(options, avro.WithCustomType(avro.CustomType{LogicalType: name}))
	}
	return options
}()

func compileAvro(s sr.Schema, refs []reference) (*avroFormat, error) {
	typed, err := parseAvro(s, refs)
	if err != nil {
		return nil, fmt.Errorf("the Avro schema cannot be read: %s", sentence(err.Error()))
	}
	return newAvro(typed, func() (*avro.Schema, error) { return parseAvro(s, refs, bareLogical...) })
}

func newAvro(typed *avro.Schema, parseBare func() (*avro.Schema, error)) (*avroFormat, error) {
	bare, err := parseBare()
	if err != nil {
		return nil, fmt.Errorf("the Avro schema cannot be read: %s", sentence(err.Error()))
	}
	root, err := readAvroNode(typed)
	if err != nil {
		return nil, err
	}
	resolved := func() *cache[*avroFormat, *avro.Schema] {
		return newCache[*avroFormat, *avro.Schema](100, 0, time.Hour, time.Now)
	}
	return &avroFormat{typed: typed, bare: bare, root: root, count: root.mayTakeNothing(map[*avroNode]bool{}), typedOf: resolved(), bareOf: resolved()}, nil
}

func parseAvro(s sr.Schema, refs []reference, options ...avro.SchemaOpt) (*avro.Schema, error) {
	options = append([]avro.SchemaOpt{avro.WithLaxNames(anyName)}, options...)
	var names avro.SchemaCache
	seen := map[string]bool{}
	for _, ref := range refs {
		if ref.Type != sr.TypeAvro {
			return nil, fmt.Errorf("reference %s is of type %s: refer to AVRO schemas", ref.name, ref.Type)
		}
		if seen[ref.Schema.Schema] {
			continue // one schema under two names
		}
		seen[ref.Schema.Schema] = true
		if _, err := names.Parse(ref.Schema.Schema, options...); err != nil {
			return nil, fmt.Errorf("reference %s: %w", ref.name, err)
		}
	}
	return names.Parse(s.Schema, options...)
}

func (a *avroFormat) record() string { return a.root.name }

// rawBytes tells that a payload is the bytes themselves, without their length in front, as every serializer writes a schema of nothing
// but bytes.
func (a *avroFormat) rawBytes() bool { return a.root.kind == "bytes" }

// wrap makes of a payload what the Avro specification says.
func (a *avroFormat) wrap(payload []byte) []byte {
	if !a.rawBytes() {
		return payload
	}
	return append(binary.AppendVarint(make([]byte, 0, len(payload)+binary.MaxVarintLen64), int64(len(payload))), payload...)
}

// unwrap makes a payload of what the Avro specification says.
func (a *avroFormat) unwrap(b []byte) []byte {
	if !a.rawBytes() {
		return b
	}
	_, n := binary.Varint(b)
	return b[n:]
}

// encode makes a payload of a Go value.
func (a *avroFormat) encode(v any) ([]byte, error) {
	b, err := a.typed.Encode(v)
	if err != nil {
		return nil, misfit(err)
	}
	return a.unwrap(b), nil
}

// decode reads a payload of writer into a Go value.
func (a *avroFormat) decode(writer *avroFormat, payload []byte, into any) error {
	return a.readFrom(writer, a.typedOf, func(f *avroFormat) *avro.Schema { return f.typed }, payload, into)
}

// readFrom decodes a payload of writer as this schema has it. of is one of the two forms of a schema, known what that form has read so
// far.
func (a *avroFormat) readFrom(writer *avroFormat, known *cache[*avroFormat, *avro.Schema], of func(*avroFormat) *avro.Schema,
	payload []byte, into any, options ...avro.Opt) error {
	s, err := a.reading(writer, known, of)
	if err != nil {
		return err
	}
	if s != nil {
		return writer.decodeWith(s, payload, into, options...)
	}
	b, err := a.madeOver(writer, payload)
	if err != nil {
		return err
	}
	return decodeAll(of(a), b, into, options...)
}

// decodeWith decodes what this schema wrote with a schema that reads it.
func (a *avroFormat) decodeWith(s *avro.Schema, payload []byte, into any, options ...avro.Opt) error {
	payload = a.wrap(payload)
	if a.count && a.root.tooMany(payload) {
		return fmt.Errorf("%w: its %d bytes hold more than %d values", ErrMisfit, len(payload), maxValues(payload))
	}
	return decodeAll(s, payload, into, options...)
}

func decodeAll(s *avro.Schema, payload []byte, into any, options ...avro.Opt) error {
	rest, err := s.Decode(payload, into, options...)
	if err != nil {
		return misfit(err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d of %d bytes are left over after the value", ErrMisfit, len(rest), len(payload))
	}
	return nil
}

// reading gives the schema that decodes what writer wrote into this one's form; nil when the library cannot say that for all values.
func (a *avroFormat) reading(writer *avroFormat, known *cache[*avroFormat, *avro.Schema], of func(*avroFormat) *avro.Schema) (*avro.Schema, error) {
	if writer == a {
		return of(a), nil
	}
	return known.get(context.Background(), writer, func(context.Context) (*avro.Schema, error) {
		s, err := avro.Resolve(of(writer), of(a))
		if err != nil {
			return nil, nil
		}
		return s, nil
	})
}

func (a *avroFormat) fromText(text []byte) ([]byte, []int, error) {
	v, err := a.root.fromJSON(text)
	if err != nil {
		return nil, nil, err
	}
	b, err := a.bare.Encode(v)
	if err != nil {
		return nil, nil, misfit(err)
	}
	return a.unwrap(b), nil, nil
}

func (a *avroFormat) text(writer format, _ []int, payload []byte) ([]byte, error) {
	w, ok := writer.(*avroFormat)
	if !ok {
		return nil, errors.New("the writer's schema is no Avro schema")
	}
	var v any
	if err := a.readFrom(w, a.bareOf, func(f *avroFormat) *avro.Schema { return f.bare }, payload, &v, avro.TaggedUnions()); err != nil {
		return nil, err
	}
	j := avroWriter{limit: maxTextOf(payload)}
	return j.value(a.root, nil, v)
}

func misfit(err error) error { return fmt.Errorf("%w: %s", ErrMisfit, sentence(err.Error())) }
