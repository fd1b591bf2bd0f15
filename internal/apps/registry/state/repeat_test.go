package state

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"millrace/internal/apps/registry/schema"
)

// What a registration was answered is what its repetition is answered, and that writes nothing: serializers register their schema each
// time they start. It holds whatever the settings fill in, whatever the version before carried, and for any schema, version and id. A
// version asked for by number is compare-and-set instead: it cannot be had twice (but in an import).
// A failure prints the command that repeats it (-rapid.seed).
func TestRepeatedRegistration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLog()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				l.step(t)
			case 1, 2:
				writes, _, _ := l.state.SetConfig(scopes4.Draw(t, "scope"), randomFilling(t))
				l.append(writes)
			default:
				l.registerTwice(t)
			}
			checkIDs(t, l.state)
		}
	})
}

func (l *log) registerTwice(t *rapid.T) {
	q := randomRegistration(t, subjects.Draw(t, "subject"))
	q.Schema.Metadata, q.Schema.RuleSet = randomMetadata(t), randomRules(t)
	q.Propagate = rapid.IntRange(0, 3).Draw(t, "propagate") == 0
	if rapid.IntRange(0, 4).Draw(t, "empty") == 0 {
		q.Schema.Text, q.Schema.References = "", nil
	}
	for _, ref := range q.Schema.References {
		if ref.Version == Latest && Qualify(q.Subject, ref.Subject) == q.Subject {
			return // each version refers to the one before: another content each time
		}
	}
	importing := importing(l.state.ModeInScope(q.Subject))
	first, err := l.try(q)
	if err != nil || q.Version > 0 && !importing {
		return
	}
	written := len(l.records)
	again, err := l.try(q)
	switch {
	case err != nil:
		t.Fatalf("the repetition of %+v is refused: %v\n%s", q, err, l.text())
	case again.ID != first.ID || again.Version != first.Version:
		t.Fatalf("%+v gave version %d with id %d, then version %d with id %d\n%s", q, first.Version, first.ID, again.Version, again.ID, l.text())
	case len(l.records) != written:
		t.Fatalf("the repetition of %+v wrote\n%s", q, l.text())
	}
}

var (
	properties = rapid.MapOfN(rapid.SampledFrom([]string{"owner", "o", schema.ConfluentVersion}), rapid.SampledFrom([]string{"a", "b", "1", "2", "3"}), 0, 2)
	ruleNames  = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"r", "s"}), 0, 2, rapid.ID[string])
)

func randomMetadata(t *rapid.T) *schema.Metadata {
	if rapid.Bool().Draw(t, "no metadata") {
		return nil
	}
	m := &schema.Metadata{Properties: properties.Draw(t, "properties")}
	if rapid.IntRange(0, 3).Draw(t, "sensitive") == 0 {
		m.Sensitive = schema.NewSet("owner")
	}
	return m
}

func randomRules(t *rapid.T) *schema.RuleSet {
	if rapid.IntRange(0, 2).Draw(t, "rules") != 0 {
		return nil
	}
	set := &schema.RuleSet{}
	for _, name := range ruleNames.Draw(t, "rule names") {
		set.DomainRules = append(set.DomainRules, schema.Rule{Name: name, Kind: "TRANSFORM", Mode: "WRITEREAD", Type: "CEL", Expr: fields.Draw(t, "expr")})
	}
	return set
}

func randomFilling(t *rapid.T) ConfigChange {
	change := ConfigChange{}
	if rapid.Bool().Draw(t, "normalize too") {
		change["normalize"] = marshal(rapid.Bool().Draw(t, "normalized"))
	}
	for _, name := range []string{"defaultMetadata", "overrideMetadata"} {
		if rapid.IntRange(0, 2).Draw(t, name) == 0 {
			change[name] = marshal(randomMetadata(t))
		}
	}
	for _, name := range []string{"defaultRuleSet", "overrideRuleSet"} {
		if rapid.IntRange(0, 2).Draw(t, name) == 0 {
			change[name] = marshal(randomRules(t))
		}
	}
	return change
}

// The steps in which a serializer that registers at each start made a new version each time: an earlier version carries
// confluent:version, and a default changes what the schema would get.
func TestRepeatWithDefaultsAfterNumberedVersion(t *testing.T) {
	l := newLog()
	l.set(t, "a", `{"compatibility":"NONE"}`)
	text, number := schema.Schema{Text: `"string"`}, schema.Schema{Text: `"int"`}
	l.register(t, Registration{Subject: "a", Schema: text, ID: NoID})
	l.register(t, Registration{Subject: "a", Schema: number, ID: NoID, Version: 2})
	l.set(t, "a", `{"defaultMetadata":{"properties":{"o":"b"}}}`)
	for range 3 {
		if v := l.register(t, Registration{Subject: "a", Schema: text, ID: NoID}); v.Version != 3 || v.ID != 3 {
			t.Errorf("version %d with id %d", v.Version, v.ID)
		}
	}
	for range 3 { // the next version is asked for: it is there
		if v := l.register(t, Registration{Subject: "a", Schema: text, ID: NoID, Version: Latest}); v.Version != 3 || v.ID != 3 {
			t.Errorf("as the next: version %d with id %d", v.Version, v.ID)
		}
	}
	writes, _ := l.state.SetMode(l.rules, "a", ReadOnly, false)
	l.append(writes)
	if v := l.register(t, Registration{Subject: "a", Schema: text, ID: NoID}); v.Version != 3 {
		t.Errorf("read-only: version %d", v.Version)
	}
}

// A schema is looked up as it was filled in, whatever number the newest version carries.
func TestLookupAmongNumberedVersions(t *testing.T) {
	l := newLog()
	l.set(t, "a", `{"compatibility":"NONE","defaultMetadata":{"properties":{"o":"b"}}}`)
	text := schema.Schema{Text: `"string"`}
	l.register(t, Registration{Subject: "a", Schema: text, ID: NoID, Version: 1})
	l.register(t, Registration{Subject: "a", Schema: schema.Schema{Text: `"int"`}, ID: NoID, Version: 2})
	v, err := l.state.Find(t.Context(), l.rules, Lookup{Subject: "a", Schema: text})
	if err != nil || v.Version != 1 {
		t.Errorf("%v %v", v, err)
	}
}

// An id that another subject has for the content with the next number is no reason for a new version.
func TestRepeatWhileAnotherSubjectHasTheNextNumber(t *testing.T) {
	l := newLog()
	text := schema.Schema{Text: `"string"`}
	l.register(t, Registration{Subject: "other", Schema: schema.Schema{Text: `"int"`}, ID: NoID, Force: true})
	l.register(t, Registration{Subject: "other", Schema: text, ID: NoID, Version: 2, Force: true})
	l.set(t, "a", `{"overrideMetadata":{"properties":{"confluent:version":"any"}}}`)
	first := l.register(t, Registration{Subject: "a", Schema: text, ID: NoID})
	if again := l.register(t, Registration{Subject: "a", Schema: text, ID: NoID, Propagate: true}); again.Version != first.Version || again.ID != first.ID {
		t.Errorf("version %d with id %d, then version %d with id %d", first.Version, first.ID, again.Version, again.ID)
	}
}

// An import that is run again finds what it wrote.
func TestRepeatedImport(t *testing.T) {
	l := newLog()
	writes, _ := l.state.SetMode(l.rules, "a", Import, false)
	l.append(writes)
	q := plain("a", "f")
	q.ID, q.Version = 40, 7
	l.register(t, q)
	written := len(l.records)
	if v := l.register(t, q); v.ID != 40 || v.Version != 7 || len(l.records) != written {
		t.Errorf("%+v, %d records more", v, len(l.records)-written)
	}
}

func (l *log) set(t testing.TB, scope, change string) {
	t.Helper()
	writes, _, err := l.state.SetConfig(scope, parseChange(t, change))
	if err != nil {
		t.Fatal(err)
	}
	l.append(writes)
}

func parseChange(t testing.TB, text string) (change ConfigChange) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &change); err != nil {
		t.Fatal(err)
	}
	return change
}
