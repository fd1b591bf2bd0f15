package state

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

func TestPackedSchemasComeBack(t *testing.T) {
	for _, s := range []schema.Schema{
		{Type: schema.Avro, Text: `"string"`},
		{Type: schema.JSON, Text: ""},
		{Type: schema.Protobuf, Text: strings.Repeat("message M { string é = 1; }\n", 10_000), References: []schema.Reference{{Name: "a", Subject: "b", Version: 3}}},
		{Type: schema.Avro, Text: `"int"`, Metadata: &schema.Metadata{Properties: map[string]string{"a": "b"}}, RuleSet: &schema.RuleSet{EnableAt: "ALL"}},
		{Type: "XML", Text: "<a/>"},
	} {
		p := pack(s)
		if got := p.Schema(); !reflect.DeepEqual(got, s) {
			t.Errorf("%.100v came back as %.100v", s, got)
		}
		if p.Type() != s.Type || p.Text() != s.Text || !reflect.DeepEqual(p.References(), s.References) || p.Metadata() != s.Metadata || p.RuleSet() != s.RuleSet {
			t.Errorf("the parts of %.100v are not its own", s)
		}
	}
}

// What is taken for the usual form of a key is forgotten and made again from the logical key, to the byte.
func TestTheUsualFormFollowsFromTheKey(t *testing.T) {
	usuals := 0
	for _, form := range []string{
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"<a> & b/c","version":2147483647,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"","version":1,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":0}`,
		`{"keytype":"SCHEMA","subject":"s","version":0,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"s\"t","version":1,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"\u0073","version":1,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"s` + "\u2028" + `","version":1,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} `,
		`{"magic":1,"keytype":"SCHEMA","subject":"s","version":1}`,
		`{"keytype":"CONFIG","subject":"s","magic":0}`,
	} {
		var k key
		if err := json.Unmarshal([]byte(form), &k); err != nil {
			t.Fatal(err)
		}
		if l := k.logical(); l.isUsual([]byte(form)) {
			usuals++
			if !bytes.Equal(l.bytes(), []byte(form)) {
				t.Errorf("%s is written as %s", form, l.bytes())
			}
		}
	}
	if usuals != 3 {
		t.Errorf("%d of the forms are usual, want the first three", usuals)
	}
}
