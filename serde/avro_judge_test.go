package serde_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"millrace/internal/apps/registry/compat"
	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"
	"millrace/serde"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr"
	"pgregory.net/rapid"
)

// A side of a pair, as the registry's own parser and as this package read it, and inside a record with a field that no pair agrees on, so
// that the library refuses every pair and each is resolved value by value.
type avroSide struct {
	parsed *schema.Parsed
	mine   *serde.Schema
	baited *serde.Schema
}

func newAvroSide(t *rapid.T, registry *serde.Registry, s schema.Schema, bait string) avroSide {
	parsed, err := schema.Parse(s, nil, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) *serde.Schema {
		out, err := registry.Parse(t.Context(), sr.Schema{Schema: text})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return out
	}
	return avroSide{parsed, read(s.Text), read(`{"type":"record","name":"Baited","fields":[{"name":"v","type":` + s.Text + `},{"name":"bait","type":` + bait + `}]}`)}
}

// payload is what a side writes of a value.
func (a avroSide) payload(t *rapid.T, v any) []byte {
	codec, err := a.parsed.Avro.Codec()
	if err != nil {
		t.Fatal(err)
	}
	b, err := codec.Encode(v)
	if err != nil {
		t.Fatalf("%s\n%v: %v", a.mine.Text.Schema, v, err)
	}
	return b
}

// whole tells that a value was finished: a type that holds itself without a way out has none.
func whole(v any) bool {
	switch v := v.(type) {
	case struct{}:
		return false
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !whole(item) })
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(v)), func(item any) bool { return !whole(item) })
	}
	return true
}

// raw takes the length off what the registry's serializers write without it.
func (a avroSide) raw(payload []byte) []byte {
	if a.parsed.Avro.Root.Kind == schema.AvroBytes {
		return payload[1:] // a text of up to four bytes
	}
	return payload
}

// Random pairs of schemas and random records: a judge that walks over the registry's schemas and the values before they are encoded says
// what the reader sees; it shares no code with the resolution. What the library takes as a whole is resolved value by value too, and
// must come out the same. And what is called compatible must be read.
func TestAvroResolutionIsJudged(t *testing.T) {
	registry := serde.New(newServer(t).Client)
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		pair := schemagen.Pairs(schema.Avro).Draw(t, "pair")
		if rapid.Bool().Draw(t, "the other way round") {
			pair.Old, pair.New = pair.New, pair.Old
		}
		w := newAvroSide(t, registry, pair.Old, `["null","string"]`)
		r := newAvroSide(t, registry, pair.New, `"string"`)
		fits := compat.Check(r.parsed, w.parsed, compat.Options{}).Compatible()
		verdict := "does not fit"
		if fits {
			verdict = "fits"
		}
		for range 4 {
			v := schemagen.AvroValue(w.parsed.Avro.Root).Draw(t, "value")
			if !whole(v) {
				return
			}
			payload := w.payload(t, v)
			seen[verdict+", "+judgeRecord(t, r, w, v, payload, fits)]++
		}
	})
	t.Log(seen)
	for _, kind := range []string{"fits, read", "does not fit, read", "does not fit, refused"} {
		if seen[kind] == 0 && !t.Failed() {
			t.Errorf("nothing of the kind %s was seen: this shows nothing", kind)
		}
	}
}

func judgeRecord(t *rapid.T, r, w avroSide, v any, payload []byte, fits bool) string {
	got, err := serde.ReadAs(r.mine, w.mine, w.raw(payload))
	baited, baitedErr := serde.ReadAs(r.baited, w.baited, append(payload, "\x02\x02x"...))
	story := fmt.Sprintf("reader %s\nwriter %s\nvalue %v (%x)", r.mine.Text.Schema, w.mine.Text.Schema, v, payload)
	if want := fmt.Sprintf(`{"v":%s,"bait":"x"}`, got); err == nil && want != string(baited) || (err == nil) != (baitedErr == nil) {
		t.Fatalf("%s\nis read as  %s, %v\nand inside a record as %s, %v", story, got, err, baited, baitedErr)
	}
	seen, unread := judgeAvro(r.parsed.Avro.Root, w.parsed.Avro.Root, v)
	switch {
	case unread != nil && err == nil:
		t.Fatalf("%s\nis read as %s, and must not be: %v", story, got, unread)
	case unread == nil && err != nil:
		t.Fatalf("%s\nis not read: %v", story, err)
	case unread != nil && fits && !errors.Is(unread, errScale):
		t.Fatalf("%s\nis not read although the schemas are called compatible: %v", story, unread)
	case unread != nil && !errors.Is(err, serde.ErrMisfit):
		t.Fatalf("%s\nfails for another reason: %v", story, err)
	case unread != nil:
		return "refused"
	}
	again := r.payload(t, seen)
	want, err := r.mine.Decode(r.raw(again))
	if err != nil {
		t.Fatalf("%s\nthe judge's %v: %v", story, seen, err)
	}
	if !bytes.Equal(want, got) {
		t.Fatalf("%s\n%s", story, cmp.Diff(string(want), string(got)))
	}
	return "read"
}

var (
	errUnread = errors.New("the judge cannot read it")
	errScale  = fmt.Errorf("%w: a decimal of another scale", errUnread)
)

// judgeAvro makes of a value of the writer's, in the form that the codec takes, the reader's. Fields with defaults are left to the codec.
func judgeAvro(r, w *schema.AvroNode, v any) (any, error) {
	if w.Kind == schema.AvroUnion {
		name, inner := "null", v
		if tagged, ok := v.(map[string]any); ok {
			for name, inner = range tagged {
			}
		}
		i := slices.IndexFunc(w.Branches, func(b *schema.AvroNode) bool { return b.FullName() == name })
		return judgeAvro(r, w.Branches[i], inner)
	}
	if r.Kind == schema.AvroUnion {
		return judgeBranches(r, w, v)
	}
	switch how := kinship(r, w); {
	case how == stranger, how != promotion && r.Size != w.Size:
		return nil, errUnread
	case how == promotion:
		return judgePromotion(r.Kind, v), nil
	case r.Logical.Name == "decimal" && w.Logical.Name == "decimal" && r.Logical.Scale != w.Logical.Scale:
		return nil, errScale
	}
	switch r.Kind {
	case schema.AvroEnum:
		if !slices.Contains(r.Symbols, v.(string)) {
			if r.Default == nil {
				return nil, errUnread
			}
			return *r.Default, nil
		}
	case schema.AvroArray:
		out := []any{}
		for _, item := range v.([]any) {
			inner, err := judgeAvro(r.Items, w.Items, item)
			if err != nil {
				return nil, err
			}
			out = append(out, inner)
		}
		return out, nil
	case schema.AvroMap:
		out := map[string]any{}
		for name, item := range v.(map[string]any) {
			inner, err := judgeAvro(r.Items, w.Items, item)
			if err != nil {
				return nil, err
			}
			out[name] = inner
		}
		return out, nil
	case schema.AvroRecord:
		return judgeFields(r, w, v.(map[string]any))
	}
	return v, nil
}

func judgeFields(r, w *schema.AvroNode, m map[string]any) (any, error) {
	out := map[string]any{}
	for _, f := range r.Fields {
		names := slices.DeleteFunc(append([]string{f.Name}, f.Aliases...), func(name string) bool { return w.Field(name) == nil })
		slices.Sort(names)
		names = slices.Compact(names)
		// The library's way: a union that begins with null has the default null.
		nullable := f.Type.Kind == schema.AvroUnion && len(f.Type.Branches) > 0 && f.Type.Branches[0].Kind == schema.AvroNull
		switch {
		case len(names) > 1, len(names) == 0 && f.Default == nil && !nullable:
			return nil, errUnread
		case len(names) == 0 && f.Default == nil:
			out[f.Name] = nil
			continue
		case len(names) == 0:
			continue
		}
		inner, err := judgeAvro(f.Type, w.Field(names[0]).Type, m[names[0]])
		if err != nil {
			return nil, err
		}
		out[f.Name] = inner
	}
	return out, nil
}

// judgeBranches takes the closest relative that can read the value.
func judgeBranches(r, w *schema.AvroNode, v any) (any, error) {
	err := errUnread
	for how := equal; how < stranger; how++ {
		for _, b := range r.Branches {
			if kinship(b, w) != how {
				continue
			}
			out, no := judgeAvro(b, w, v)
			switch {
			case no != nil:
				err = no
			case b.Kind == schema.AvroNull:
				return nil, nil
			default:
				return map[string]any{b.FullName(): out}, nil
			}
		}
	}
	return nil, err
}

const (
	equal = iota
	equalInAnotherNamespace
	promotion
	stranger
)

func kinship(r, w *schema.AvroNode) int {
	switch {
	case r.Kind != w.Kind && strings.Contains(" int>long int>float int>double long>float long>double float>double string>bytes bytes>string ",
		" "+w.Kind.String()+">"+r.Kind.String()+" "):
		return promotion
	case r.Kind != w.Kind:
		return stranger
	case !r.Kind.Named() || r.Name == w.Name || slices.Contains(r.Aliases, w.Name):
		return equal
	case r.Name.Base == w.Name.Base, slices.ContainsFunc(r.Aliases, func(a schema.AvroName) bool { return a.Base == w.Name.Base && a.Space == r.Name.Space }):
		return equalInAnotherNamespace
	}
	return stranger
}

func judgePromotion(to schema.AvroKind, v any) any {
	var n float64
	switch v := v.(type) {
	case string:
		return []byte(v)
	case []byte:
		return string(v)
	case int32:
		n = float64(v)
	case int64:
		if to == schema.AvroFloat {
			return float32(v)
		}
		n = float64(v)
	case float32:
		n = float64(v)
	}
	switch to {
	case schema.AvroLong:
		return int64(n)
	case schema.AvroFloat:
		return float32(n)
	}
	return n
}
