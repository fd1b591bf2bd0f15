package schema_test

import (
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

// The fuzz targets hold for any text: the parser neither stumbles nor runs away, an error is one short sentence, and what is taken
// obeys the laws of the forms. Run one with `go test -fuzz FuzzAvro ./internal/apps/registry/schema`.

func FuzzAvro(f *testing.F) {
	for _, c := range avroForms {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) { fuzzOne(t, schema.Schema{Text: text}) })
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#here","$defs":{"x":{"$anchor":"here","type":"string"}}}`)
	f.Add(`{"$id":"http://example.com/top.json","allOf":[{"$ref":"inner.json"}],"definitions":{"i":{"$id":"inner.json","type":"null"}}}`)
	f.Add(`{"type":["object","null"],"properties":{"a":{"enum":[1,"x"]}},"required":["a"],"patternProperties":{"^a":{}},"additionalProperties":false}`)
	f.Add(`{"$schema":"http://json-schema.org/draft-04/schema#","id":"x:y","not":{"items":[{"$ref":"#/not"}]},"maximum":1e3}`)
	f.Fuzz(func(t *testing.T, text string) { fuzzOne(t, schema.Schema{Type: schema.JSON, Text: text}) })
}

func FuzzProtobuf(f *testing.F) {
	for _, c := range protoForms {
		f.Add(c.text)
	}
	f.Add("CgdkZWZhdWx0IgMKAU1iBnByb3RvMw==")
	f.Fuzz(func(t *testing.T, text string) { fuzzOne(t, schema.Schema{Type: schema.Protobuf, Text: text}) })
}

func fuzzOne(t *testing.T, s schema.Schema) {
	p, err := schema.Parse(s, nil, schema.Options{})
	if err != nil {
		if len(err.Error()) > 1000+len(s.Text) || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("no sentence: %q", err)
		}
		return
	}
	if _, err := schema.Parse(p.Canonical(), nil, schema.Options{}); schema.KindOf(err) == schema.TooLarge && err != nil {
		return // the layout of the canonical text may pass a limit that the text just met
	}
	checkStable(t, p, nil)
}
