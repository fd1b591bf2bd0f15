package serde_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"
	"millrace/serde"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

// The random tests print the seed of a failure; `go test -run 'NAME' -rapid.seed=SEED ./serde` repeats it.

// drawn is a random schema, as the registry's own parser and as this package read it.
func drawn(t *rapid.T, kind schema.Type, registry *serde.Registry) (*schema.Parsed, *serde.Schema) {
	s := schemagen.Schemas(kind).Draw(t, "schema")
	p, err := schema.Parse(s, nil, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var as sr.SchemaType
	if err := as.UnmarshalText([]byte(kind)); err != nil {
		t.Fatal(err)
	}
	mine, err := registry.Parse(t.Context(), sr.Schema{Type: as, Schema: s.Text})
	if err != nil {
		t.Fatalf("%s: %v", s.Text, err)
	}
	return p, mine
}

// survives demands that a payload becomes JSON, and that JSON a payload again.
func survives(t *rapid.T, s *serde.Schema, payload []byte) []byte {
	text, err := s.Decode(payload)
	if err != nil {
		t.Fatalf("%s\n%x cannot be read: %v", s.Text.Schema, payload, err)
	}
	if !json.Valid(text) {
		t.Fatalf("%s\n%x becomes what is no JSON: %s", s.Text.Schema, payload, text)
	}
	again, err := s.Encode(text)
	if err != nil {
		t.Fatalf("%s\n%s cannot be written: %v", s.Text.Schema, text, err)
	}
	return again
}

// Any value of any schema, written by the codec of another package, survives the way through JSON.
func TestAvroSurvivesText(t *testing.T) {
	registry := serde.New(newServer(t).Client)
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawn(t, schema.Avro, registry)
		codec, err := p.Avro.Codec()
		if err != nil {
			t.Fatal(err)
		}
		payload, err := codec.Encode(schemagen.AvroValue(p.Avro.Root).Draw(t, "value"))
		if err != nil {
			return // a type that holds itself without a way out
		}
		bare := p.Avro.Root.Kind == schema.AvroBytes
		if bare {
			payload = payload[1:] // a text of up to four bytes: its length is one
		}
		again := survives(t, s, payload)
		if bare {
			if !bytes.Equal(payload, again) {
				t.Fatalf("%x becomes %x", payload, again)
			}
			return
		}
		var want, got any
		for into, b := range map[*any][]byte{&want: payload, &got: again} {
			if _, err := codec.Decode(b, into, avro.TaggedUnions()); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })); diff != "" {
			t.Fatalf("%s\n%s", s.Text.Schema, diff)
		}
	})
}

func TestProtobufSurvivesText(t *testing.T) {
	registry := serde.New(newServer(t).Client)
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawn(t, schema.Protobuf, registry)
		messages := p.Protobuf.File.Messages()
		if messages.Len() == 0 {
			return
		}
		md := messages.Get(rapid.IntRange(0, messages.Len()-1).Draw(t, "message"))
		want := schemagen.ProtobufValue(md).Draw(t, "value")
		payload, err := proto.Marshal(want)
		if err != nil {
			return // a required field deep inside
		}
		if s, err = s.Message(string(md.FullName())); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Decode(payload); err != nil && strings.Contains(err.Error(), "google.protobuf.Timestamp") {
			return // a moment that JSON cannot say
		}
		got := dynamicpb.NewMessage(md)
		if err := proto.Unmarshal(survives(t, s, payload), got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(want, got) {
			t.Fatalf("%v becomes %v", want, got)
		}
	})
}

func TestJSONSurvivesText(t *testing.T) {
	registry := serde.New(newServer(t).Client)
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawn(t, schema.JSON, registry)
		value := schemagen.JSONValue(p.JSON).Draw(t, "value")
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		validator, err := p.JSON.Compiled()
		if err != nil {
			return
		}
		if validator.Validate(value) != nil {
			if _, err := s.Encode(text); err == nil {
				t.Fatalf("%s\n%s is taken", s.Text.Schema, text)
			}
			return
		}
		var want, got any
		if json.Unmarshal(text, &want) != nil || json.Unmarshal(survives(t, s, text), &got) != nil || !cmp.Equal(want, got) {
			t.Fatalf("%s becomes another value", text)
		}
	})
}
