package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/sr"

	"millrace/serde"
)

// schemaFlags choose the schema that one part of each record is written with.
type schemaFlags struct {
	part       serde.Part
	subject    string
	id         int
	avro       string
	json       string
	protobuf   string
	message    string
	references []string
}

// flags adds the flags, those of keys with key- in front.
func (s *schemaFlags) flags(a *app, c *cobra.Command) {
	f, key, what := c.Flags(), "", "values"
	if s.part == serde.Key {
		key, what = "key-", "keys"
	}
	f.StringVar(&s.subject, key+"schema-subject", "", what+" are JSON, encoded with the newest schema of this subject")
	f.IntVar(&s.id, key+"schema-id", 0, what+" are JSON, encoded with the schema of this id")
	f.StringVar(&s.avro, key+"avro", "", what+" are JSON, encoded with the Avro schema in this file")
	f.StringVar(&s.json, key+"json-schema", "", what+" are JSON that is valid under the JSON Schema in this file")
	f.StringVar(&s.protobuf, key+"protobuf", "", what+" are JSON, encoded with the Protobuf schema in this file")
	f.StringVar(&s.message, key+"message", "", "the message of a Protobuf schema (default: its first)")
	c.MarkFlagsMutuallyExclusive(key+"schema-id", key+"schema-subject")
	c.MarkFlagsMutuallyExclusive(key+"schema-id", key+"avro", key+"json-schema", key+"protobuf")
	c.MarkFlagFilename(key+"avro", "avsc", "avro", "json")
	c.MarkFlagFilename(key+"json-schema", "json")
	c.MarkFlagFilename(key+"protobuf", "proto")
	c.RegisterFlagCompletionFunc(key+"schema-subject", func(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return a.completeSubjects(c, nil, prefix)
	})
}

// file is the schema's file and format, if one is named.
func (s *schemaFlags) file() (path, format string) {
	switch {
	case s.avro != "":
		return s.avro, "AVRO"
	case s.json != "":
		return s.json, "JSON"
	case s.protobuf != "":
		return s.protobuf, "PROTOBUF"
	}
	return "", ""
}

func (s *schemaFlags) chosen() bool {
	path, _ := s.file()
	return s.subject != "" || s.id != 0 || path != ""
}

// encoder encodes the parts of records for which a schema was chosen.
type encoder struct {
	registry *serde.Registry
	codecs   map[serde.Part]*serde.Codec[json.RawMessage]
	again    map[schemaJSON]*serde.Codec[json.RawMessage] // for lines that say what they were written with
}

func (a *app) newEncoder(ctx context.Context, topic string, o produceOptions) (*encoder, error) {
	e := &encoder{codecs: map[serde.Part]*serde.Codec[json.RawMessage]{}, again: map[schemaJSON]*serde.Codec[json.RawMessage]{}}
	var err error
	if e.registry, err = a.serdeRegistry(serde.RememberFailures(0)); err != nil {
		return nil, err
	}
	for _, s := range []*schemaFlags{&o.keySchema, &o.valueSchema} {
		if !s.chosen() {
			if s.message != "" {
				return nil, usagef("--message needs a Protobuf schema: give --protobuf, --schema-subject or --schema-id")
			}
			continue
		}
		if e.codecs[s.part], err = s.codec(ctx, a, e.registry, topic, o); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// serdeRegistry is the registry of --registry.
func (a *app) serdeRegistry(options ...serde.RegistryOption) (*serde.Registry, error) {
	c, err := a.openRegistry()
	if err != nil {
		return nil, err
	}
	client, err := c.library()
	if err != nil {
		return nil, err
	}
	return serde.New(client, append(options, serde.RequestTimeout(min(a.timeout, 10*time.Second)))...), nil
}

// codec makes the codec of the flags. What can be wrong with the schema itself is found out here, not at the first line.
func (s *schemaFlags) codec(ctx context.Context, a *app, r *serde.Registry, topic string, o produceOptions) (*serde.Codec[json.RawMessage], error) {
	options := []serde.Option{serde.Message(s.message)}
	if o.schemaHeader {
		options = append(options, serde.InHeader())
	}
	if o.noRegister {
		options = append(options, serde.NoRegister())
	}
	if s.subject != "" {
		options = append(options, serde.Subject(func(string, serde.Part, string) (string, error) { return s.subject, nil }))
	}
	var text sr.Schema
	var known *serde.Schema
	var err error
	switch path, _ := s.file(); {
	case path != "":
		if text, err = s.read(a, o); err != nil {
			return nil, err
		}
		known, err = r.Parse(ctx, text)
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	case s.id != 0:
		id := serde.ID{Number: s.id}
		options = append(options, serde.UseID(id))
		known, err = r.Schema(ctx, id)
	default:
		options = append(options, serde.UseLatest())
		known, err = r.Version(ctx, s.subject, serde.Latest)
	}
	if err != nil {
		return nil, err
	}
	if s.message != "" {
		if _, err := known.Message(s.message); err != nil {
			return nil, err
		}
	}
	return serde.NewText(r, text, options...)
}

func (s *schemaFlags) read(a *app, o produceOptions) (sr.Schema, error) {
	path, format := s.file()
	f := schemaFile{path: path, kind: format, references: o.references}
	body, err := f.read(a)
	if err != nil {
		return sr.Schema{}, err
	}
	return body.library()
}

// encode encodes the parts of a record that have a schema; a null stays null. written says what parts of a line were written with
// before, and is what they are written with when no schema was chosen.
func (e *encoder) encode(ctx context.Context, in input) error {
	r := in.Record
	for _, part := range []serde.Part{serde.Key, serde.Value} {
		codec := e.codecs[part]
		if before := in.written[part]; codec == nil && before != nil {
			var err error
			if codec, err = e.asBefore(*before); err != nil {
				return err
			}
		}
		if codec == nil {
			continue
		}
		set, text := codec.SetValue, r.Value
		if part == serde.Key {
			set, text = codec.SetKey, r.Key
		}
		if text == nil {
			continue
		}
		if err := set(ctx, r, text); err != nil {
			return asFlag{err}
		}
	}
	return nil
}

// asFlag is an error that speaks of an option of the library by the flag that stands for it here.
type asFlag struct{ error }

func (e asFlag) Unwrap() error { return e.error }
func (e asFlag) Error() string {
	return strings.ReplaceAll(e.error.Error(), "leave NoRegister out", "leave --no-register out")
}

// asBefore makes the codec that writes as a line of consume --format json says that it was written.
func (e *encoder) asBefore(s schemaJSON) (*serde.Codec[json.RawMessage], error) {
	key := schemaJSON{ID: s.ID, GUID: s.GUID, Message: s.Message, Header: s.Header}
	if codec := e.again[key]; codec != nil {
		return codec, nil
	}
	options := []serde.Option{serde.UseID(serde.ID{Number: s.ID}), serde.Message(s.Message)}
	if s.Header {
		options = append(options, serde.InHeader())
	}
	if s.ID == 0 {
		options = append(options, serde.UseID(serde.ID{GUID: strings.ToLower(s.GUID)}))
	}
	codec, err := serde.NewText(e.registry, sr.Schema{}, options...)
	if err == nil {
		e.again[key] = codec
	}
	return codec, err
}
