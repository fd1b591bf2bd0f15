package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSchemaHelp: the help of every verb of schema, as people see it.
func TestSchemaHelp(t *testing.T) {
	t.Setenv("MILLRACE_BOOTSTRAP", "")
	t.Setenv("MILLRACE_REGISTRY", "")
	var b bytes.Buffer
	for _, verb := range []string{"", "list", "get", "register", "check", "diff", "delete", "mode", "mode get", "mode set", "mode delete",
		"config", "config get", "config set", "config delete", "fsck", "export", "import"} {
		a := newApp(Hooks{Version: "1"})
		a.out, a.err = &b, &b
		fmt.Fprintf(&b, "### schema %s\n", verb)
		if code := a.run(t.Context(), append(strings.Fields("schema "+verb), "--help")); code != exitOK {
			t.Fatal(verb, code)
		}
	}
	golden(t, "schema_help", b.Bytes())
}

// TestLineDiff: what a diff says was there before and after is just that, and no line that both have in common order is told twice.
func TestLineDiff(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	text := func() (lines []string) {
		for range r.IntN(12) {
			lines = append(lines, string(rune('a'+r.IntN(4))))
		}
		return lines
	}
	for range 2000 {
		a, b := text(), text()
		var from, to []string
		for _, line := range lineDiff(a, b) {
			if line[0] != '+' {
				from = append(from, line[1:])
			}
			if line[0] != '-' {
				to = append(to, line[1:])
			}
		}
		if fmt.Sprint(from) != fmt.Sprint(a) || fmt.Sprint(to) != fmt.Sprint(b) {
			t.Fatalf("seed %d: %v -> %v: %v", seed, a, b, lineDiff(a, b))
		}
	}
	got := strings.Join(lineDiff(strings.Fields("a b c d e"), strings.Fields("a c x d f e")), " ")
	if got != " a -b  c +x  d +f  e" {
		t.Errorf("not the shortest way: %q", got)
	}
}

func TestLaidOut(t *testing.T) {
	for text, want := range map[string]string{
		`"string"`:                               `"string"`,
		`{"a":[1.50,"\u00e9\"]"],"b":{},"c":[]}`: "{\n  \"a\": [1.50, \"\\u00e9\\\"]\"],\n  \"b\": {},\n  \"c\": []\n}",
		`no json`:                                `no json`,
		`[[` + strings.Repeat(`"0123456789",`, 10) + `1]]`: "[\n  [\n" + strings.Repeat("    \"0123456789\",\n", 10) + "    1\n  ]\n]",
	} {
		if got := laidOut("AVRO", text); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, got, want)
		}
	}
	if got := laidOut("PROTOBUF", `{"a":1}`); got != `{"a":1}` {
		t.Error("Protobuf is laid out:", got)
	}
}

func TestParseReference(t *testing.T) {
	for text, want := range map[string]schemaReference{
		"a.proto=s:3":      {"a.proto", "s", 3},
		"a=s":              {"a", "s", -1},
		"a=s:latest":       {"a", "s", -1},
		"a=:.ctx:s:12":     {"a", ":.ctx:s", 12},
		"a=:.ctx:s":        {"a", ":.ctx:s", -1},
		"a=x=y:1":          {"a", "x=y", 1},
		"shop.Order=o:v:2": {"shop.Order", "o:v", 2},
	} {
		if got, err := parseReference(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
}

func TestVersionRanges(t *testing.T) {
	for want, versions := range map[string][]int{"-": nil, "1": {1}, "1-3": {1, 2, 3}, "1-2,4,6-7": {1, 2, 4, 6, 7}} {
		if got := versionRanges(versions); got != want {
			t.Errorf("%v: %s", versions, got)
		}
	}
}

// TestSchemaCompletion: Tab proposes the subjects, contexts and settings that there are.
func TestSchemaCompletion(t *testing.T) {
	_, address := serveRegistry(t)
	t.Setenv("MILLRACE_REGISTRY", address)
	c := registryAt(t, address)
	for _, subject := range []string{"orders-value", "orders-key", "people", ":.team:orders"} {
		if err := c.do(t.Context(), "POST", at("subjects", subject, "versions"), nil, schemaBody{Text: `"string"`}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"schema get ord":                              "orders-key orders-value",
		"schema get --context team ":                  ":.team:orders",
		"schema list --context .":                     ". .team",
		"schema mode set READO":                       "READONLY READONLY_OVERRIDE",
		"schema config set people compatibility=FULL": "compatibility=FULL compatibility=FULL_TRANSITIVE",
		"schema config set peo":                       "people",
		"schema check x --level FORW":                 "FORWARD FORWARD_TRANSITIVE",
	} {
		var b bytes.Buffer
		a := newApp(Hooks{})
		a.out, a.err = &b, &bytes.Buffer{}
		words := strings.Split(line, " ")
		a.run(t.Context(), append([]string{"__complete"}, words...))
		var got []string
		for _, proposal := range strings.Split(b.String(), "\n") {
			name, _, _ := strings.Cut(proposal, "\t")
			if strings.HasPrefix(name, words[len(words)-1]) && name != "" && name[0] != ':' || strings.HasPrefix(name, ":.") {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", line, b.String())
		}
	}
}
