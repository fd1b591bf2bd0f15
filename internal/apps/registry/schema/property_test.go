package schema_test

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

// The random tests below print the seed of a failure; `go test -run 'NAME' -rapid.seed=SEED ./internal/apps/registry/schema` repeats it.

var formats = []schema.Type{schema.Avro, schema.JSON, schema.Protobuf}

// Both forms are fixed points, and the canonical text has the meaning of the text it was made of.
func TestFormsAreStable(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), rapid.MakeCheck(func(t *rapid.T) {
			s := schemagen.Schemas(format).Draw(t, "schema")
			p := mustParse(t, s, nil)
			checkStable(t, p, nil)
		}))
	}
}

// A pair is two valid schemas.
func TestPairsAreValid(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), rapid.MakeCheck(func(t *rapid.T) {
			pair := schemagen.Pairs(format).Draw(t, "pair")
			mustParse(t, pair.Old, nil)
			mustParse(t, pair.New, nil)
		}))
	}
}

// What may stand in any order in an Avro schema leaves no trace in the normalized text: attributes, properties, aliases, and names in
// full or in their namespace.
func TestAvroNormalizedUnderReordering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schemagen.Schemas(schema.Avro).Draw(t, "schema")
		v, err := schema.ParseValue(s.Text, 200)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := schema.Schema{Text: string(shuffleMembers(t, v, "").Append(nil))}
		a, b := mustParse(t, s, nil).Normalized().Text, mustParse(t, shuffled, nil).Normalized().Text
		if a != b {
			t.Fatalf("two spellings of one schema\n %s\n %s\ntwo normalized texts\n %s\n %s", s.Text, shuffled.Text, a, b)
		}
	})
}

// shuffleMembers puts the members of every object, and the aliases of every type, into another order. Data keeps no order either.
func shuffleMembers(t *rapid.T, v *schema.Value, name string) *schema.Value {
	c := &schema.Value{Kind: v.Kind, Bool: v.Bool, Text: v.Text}
	for _, item := range v.Items {
		c.Items = append(c.Items, shuffleMembers(t, item, ""))
	}
	if name == "aliases" {
		c.Items = rapid.Permutation(c.Items).Draw(t, "aliases")
	}
	for _, m := range v.Members {
		c.Members = append(c.Members, schema.Member{Name: m.Name, Value: shuffleMembers(t, m.Value, m.Name)})
	}
	if len(c.Members) > 1 {
		c.Members = rapid.Permutation(c.Members).Draw(t, "members")
	}
	return c
}

func TestJSONNormalizedUnderReordering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schemagen.Schemas(schema.JSON).Draw(t, "schema")
		v, err := schema.ParseValue(s.Text, 200)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := schema.Schema{Type: schema.JSON, Text: string(shuffleMembers(t, v, "").Append(nil))}
		a, b := mustParse(t, s, nil).Normalized().Text, mustParse(t, shuffled, nil).Normalized().Text
		if a != b {
			t.Fatalf("two normalized texts\n %s\n %s", a, b)
		}
	})
}

// The lines of a message's fields, of an enum behind its first constant, and the options of a file may stand in any order.
func TestProtobufNormalizedUnderReordering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schemagen.Schemas(schema.Protobuf).Draw(t, "schema")
		p := mustParse(t, s, nil)
		shuffled := schema.Schema{Type: schema.Protobuf, Text: shuffleLines(t, p.Canonical().Text)}
		q := mustParse(t, shuffled, nil)
		if a, b := p.Normalized().Text, q.Normalized().Text; a != b {
			t.Fatalf("two normalized texts\n%s\n%s\nof\n%s\n%s", a, b, s.Text, shuffled.Text)
		}
	})
}

// shuffleLines puts runs of neighbouring lines that end a statement into another order; the first of an enum stays.
func shuffleLines(t *rapid.T, text string) string {
	lines := strings.Split(text, "\n")
	indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	movable := func(line string) bool {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		return strings.HasSuffix(line, ";") && !slices.Contains([]string{"syntax", "edition", "package", "reserved"}, word)
	}
	for i := 0; i < len(lines); i++ {
		if !movable(lines[i]) {
			continue
		}
		begin := i
		for i < len(lines) && movable(lines[i]) && indent(lines[i]) == indent(lines[begin]) {
			i++
		}
		for k := begin - 1; k >= 0 && indent(lines[k]) >= indent(lines[begin]); k-- {
			if indent(lines[k]) == indent(lines[begin]) && strings.HasPrefix(strings.TrimSpace(lines[k]), "reserved") {
				continue
			}
			break
		}
		if opener := openerOf(lines, begin, indent); strings.HasPrefix(opener, "enum ") {
			for begin < i && strings.HasPrefix(strings.TrimSpace(lines[begin]), "option ") {
				begin++
			}
			begin++
		}
		if i-begin > 1 {
			copy(lines[begin:i], rapid.Permutation(slices.Clone(lines[begin:i])).Draw(t, "lines"))
		}
	}
	return strings.Join(lines, "\n")
}

func openerOf(lines []string, i int, indent func(string) int) string {
	for k := i - 1; k >= 0; k-- {
		if indent(lines[k]) < indent(lines[i]) && lines[k] != "" {
			return strings.TrimSpace(lines[k])
		}
	}
	return ""
}

// A text and the descriptor that a client makes of it are one schema.
func TestProtobufTextAndDescriptorAreOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := mustParse(t, schemagen.Schemas(schema.Protobuf).Draw(t, "schema"), nil)
		binary := schema.Schema{Type: schema.Protobuf, Text: p.Format("serialized")}
		if _, err := base64.StdEncoding.DecodeString(binary.Text); err != nil {
			t.Fatal(err)
		}
		q := mustParse(t, binary, nil)
		if a, b := p.Normalized().Text, q.Normalized().Text; a != b {
			t.Fatalf("two normalized texts\n%s\n%s", a, b)
		}
	})
}

// A value written with a schema is read with either form of it, and is the same.
func TestAvroValuesSurviveTheForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := mustParse(t, schemagen.Schemas(schema.Avro).Draw(t, "schema"), nil)
		codec := avroCodec(t, p)
		value := schemagen.AvroValue(p.Avro.Root).Draw(t, "value")
		bytes, err := codec.Encode(value)
		if err != nil {
			t.Fatalf("%v\nwriting %v with %s", err, value, p.Schema.Text)
		}
		for _, form := range []schema.Schema{p.Canonical(), p.Normalized()} {
			var a, b any
			rest, errA := codec.Decode(bytes, &a)
			_, errB := avroCodec(t, mustParse(t, form, nil)).Decode(bytes, &b)
			if errA != nil || errB != nil || len(rest) > 0 || !sameValue(a, b) {
				t.Fatalf("%v %v\n%v\n%v\nof %s\nand %s", errA, errB, a, b, p.Schema.Text, form.Text)
			}
		}
	})
}

func sameValue(a, b any) bool {
	return reflect.DeepEqual(a, b) || a != a && b != b || strings.Contains(sprint(a), "NaN") && sprint(a) == sprint(b)
}

// Values made for a JSON Schema mostly fit it, or the generator would test nothing; and they fit its forms alike.
func TestJSONValuesSurviveTheForms(t *testing.T) {
	fit, total := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := mustParse(t, schemagen.Schemas(schema.JSON).Draw(t, "schema"), nil)
		value := schemagen.JSONValue(p.JSON).Draw(t, "value")
		compiled, _ := p.JSON.Compiled()
		fits := compiled.Validate(value) == nil
		again, _ := mustParse(t, p.Normalized(), nil).JSON.Compiled()
		if fits != (again.Validate(value) == nil) {
			t.Fatalf("%v fits one of\n%s\n%s", value, p.Schema.Text, p.Normalized().Text)
		}
		total++
		if fits {
			fit++
		}
	})
	t.Logf("%d of %d values fit their schema", fit, total)
	if total >= 50 && fit*3 < total {
		t.Errorf("only %d of %d values fit their schema", fit, total)
	}
}

func TestProtobufValuesSurviveTheForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := mustParse(t, schemagen.Schemas(schema.Protobuf).Draw(t, "schema"), nil)
		md := p.Protobuf.Message(nil)
		value := schemagen.ProtobufValue(md).Draw(t, "value")
		bytes, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(value)
		if err != nil {
			t.Skip(err) // text that is no UTF-8
		}
		other := dynamicpb.NewMessage(mustParse(t, p.Normalized(), nil).Protobuf.Message(nil))
		if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(bytes, other); err != nil {
			t.Fatal(err)
		}
		again, _ := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(other)
		if len(other.GetUnknown()) > 0 || string(again) != string(bytes) {
			t.Fatalf("%x became %x under\n%s", bytes, again, p.Normalized().Text)
		}
	})
}
