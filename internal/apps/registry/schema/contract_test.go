package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

// The bodies of the REST interface leave empty fields out, sort sets and maps, and write a rule's kind, mode and disabled always.
func TestBodies(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"empty fields", `{"schema":"\"int\"","references":[],"metadata":null,"ruleSet":null}`, `{"schema":"\"int\""}`},
		{"everything", `{"schemaType":"JSON","schema":"{}","references":[{"version":2,"name":"n","subject":"s"}],
			"metadata":{"sensitive":["b","a","b"],"properties":{"y":"1","x":"2"},"tags":{"q":["PII","A"],"p":["A"]}},
			"ruleSet":{"domainRules":[{"name":"r","type":"CEL","tags":["z","y"],"params":{"b":"1","a":"2"},"expr":"x"}],"enableAt":"GATEWAY"}}`,
			`{"schemaType":"JSON","references":[{"name":"n","subject":"s","version":2}],"metadata":{"tags":{"p":["A"],"q":["A","PII"]},"properties":{"x":"2","y":"1"},"sensitive":["a","b"]},` +
				`"ruleSet":{"domainRules":[{"name":"r","kind":"TRANSFORM","mode":"WRITEREAD","type":"CEL","tags":["y","z"],"params":{"a":"2","b":"1"},"expr":"x","disabled":false}],"enableAt":"GATEWAY"},"schema":"{}"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s schema.Schema
			if err := json.Unmarshal([]byte(c.body), &s); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(s)
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got  %s\n want %s", err, got, c.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	rule := func(changes string) string {
		base := `{"name":"r","type":"CEL","mode":"WRITE"}`
		var r, over map[string]any
		json.Unmarshal([]byte(base), &r)
		json.Unmarshal([]byte(changes), &over)
		for k, v := range over {
			r[k] = v
		}
		text, _ := json.Marshal(r)
		return string(text)
	}
	for _, c := range []struct{ name, rules, says string }{
		{"good", `{"domainRules":[` + rule(`{}`) + `],"migrationRules":[` + rule(`{"name":"m","mode":"UPDOWN","onSuccess":"NONE,ERROR"}`) + `],"encodingRules":[` + rule(`{"name":"e","type":"ENCRYPT"}`) + `]}`, ""},
		{"no name", `{"domainRules":[` + rule(`{"name":""}`) + `]}`, "at domainRules/0: the rule has no name"},
		{"a name twice in one group", `{"domainRules":[` + rule(`{}`) + `,` + rule(`{}`) + `]}`, `at domainRules/1: a rule named "r" stands before`},
		{"a name twice in two groups", `{"domainRules":[` + rule(`{}`) + `],"encodingRules":[` + rule(`{}`) + `]}`, `at encodingRules/0`},
		{"a name that begins with a digit", `{"domainRules":[` + rule(`{"name":"1a"}`) + `]}`, `the character '1'`},
		{"a name with a space", `{"domainRules":[` + rule(`{"name":"a b"}`) + `]}`, `the character ' '`},
		{"a long name", `{"domainRules":[` + rule(`{"name":"`+strings.Repeat("a", 257)+`"}`) + `]}`, "longer than 256"},
		{"no type", `{"domainRules":[` + rule(`{"type":null}`) + `]}`, "has no type"},
		{"a mode of migration among domain rules", `{"domainRules":[` + rule(`{"mode":"UPGRADE"}`) + `]}`, "run in WRITE, READ, WRITEREAD"},
		{"a mode of records among migration rules", `{"migrationRules":[` + rule(`{}`) + `]}`, "run in UPGRADE, DOWNGRADE, UPDOWN"},
		{"a kind that is none", `{"domainRules":[` + rule(`{"kind":"FILTER"}`) + `]}`, "TRANSFORM, CONDITION"},
		{"two actions in one direction", `{"domainRules":[` + rule(`{"onFailure":"ERROR,NONE"}`) + `]}`, "names two actions"},
		{"a place that is none", `{"enableAt":"BROKER"}`, "no place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rules schema.RuleSet
			if err := json.Unmarshal([]byte(c.rules), &rules); err != nil {
				t.Fatal(err)
			}
			_, err := schema.Parse(schema.Schema{Text: `"int"`, RuleSet: &rules}, nil, schema.Options{})
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || schema.KindOf(err) != schema.BadRules):
				t.Errorf("%v; want the words %q", err, c.says)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	a := &schema.Metadata{Properties: map[string]string{"x": "1", "y": "1"}, Sensitive: schema.NewSet("x")}
	b := &schema.Metadata{Properties: map[string]string{"y": "2"}, Tags: map[string]schema.Set{"p": {"T"}}, Sensitive: schema.NewSet("y")}
	got, _ := json.Marshal(a.Merge(b))
	if want := `{"tags":{"p":["T"]},"properties":{"x":"1","y":"2"},"sensitive":["x","y"]}`; string(got) != want {
		t.Errorf("got %s", got)
	}
	if a.Properties["y"] != "1" || (*schema.Metadata)(nil).Merge(a) != a || a.Merge(nil) != a {
		t.Error("merging changed what was merged, or lost the only one")
	}
	r := &schema.RuleSet{DomainRules: []schema.Rule{{Name: "a", Expr: "1"}, {Name: "b"}}}
	q := &schema.RuleSet{DomainRules: []schema.Rule{{Name: "a", Expr: "2"}}, EnableAt: "CLIENT"}
	if m := r.Merge(q); len(m.DomainRules) != 2 || m.DomainRules[0].Name != "b" || m.DomainRules[1].Expr != "2" || m.EnableAt != "CLIENT" {
		t.Errorf("merged rules %+v", m)
	}
	if !(*schema.RuleSet)(nil).Empty() || r.Empty() {
		t.Error("emptiness")
	}
}

// The digest decides which schemas share an id. The values are MD5 of the bytes drawn beside each, so that the order of the bytes
// cannot change unseen: every id in an old topic hangs on it.
func TestDigest(t *testing.T) {
	for _, c := range []struct {
		name string
		s    schema.Schema
		guid string
	}{
		{"text", schema.Schema{Text: `"string"`}, "095d71cf-1255-6b9d-5e33-0ad575b3df5d"},                                                                          // "string" with its quotes
		{"the type plays no part", schema.Schema{Type: schema.JSON, Text: `"string"`}, "095d71cf-1255-6b9d-5e33-0ad575b3df5d"},                                     //
		{"a reference", schema.Schema{Text: "x", References: []schema.Reference{{Name: "n", Subject: "s", Version: 258}}}, "c518d45c-a85c-f7ac-6bd9-c3fabd192381"}, // xns\0\0\1\2
		{"empty metadata is some", schema.Schema{Text: "x", Metadata: &schema.Metadata{}}, "925a37b4-7394-334c-c6cb-fcdeebbd24bb"},                                 // x\1
		{"metadata", schema.Schema{Text: "x", Metadata: &schema.Metadata{Tags: map[string]schema.Set{"p": {"b", "a"}},
			Properties: map[string]string{"k": "v", "j": "w"}, Sensitive: schema.Set{"k"}}}, "514eede9-fb45-c239-3b5d-dac19d2a530c"}, // x\1pabjwkvk
		{"rules", schema.Schema{Text: "x", RuleSet: &schema.RuleSet{EnableAt: "ALL", DomainRules: []schema.Rule{
			{Name: "n", Kind: "CONDITION", Mode: "READ", Type: "CEL", Params: map[string]string{"a": "b"}, Expr: "e", Disabled: true}}}}, "570e7101-dee6-135e-4884-7971843083e0"}, // x\1nCONDITIONREADCELabe\1ALL
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.s.Digest()
			if got := d.GUID(); got != c.guid {
				t.Errorf("got %s, want %s", got, c.guid)
			}
			if back, err := schema.ParseGUID(d.GUID()); err != nil || back != d {
				t.Errorf("read back %v, %v", back, err)
			}
		})
	}
	if _, err := schema.ParseGUID("00000000-0000-0000-0000-00000000000g"); err == nil {
		t.Error("a GUID with a g was taken")
	}
}
