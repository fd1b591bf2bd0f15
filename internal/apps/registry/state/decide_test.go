package state

import (
	"context"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

func wantCode(t *testing.T, err *Error, code int) {
	t.Helper()
	switch {
	case err == nil && code != 0:
		t.Errorf("accepted, want %d", code)
	case err != nil && err.Code != code:
		t.Errorf("%v, want %d", err, code)
	}
}

func TestRegister(t *testing.T) {
	l := newLog()
	first := l.register(t, plain("a", "f"))
	again := l.register(t, plain("a", "f"))
	if first.ID != 1 || first.Version != 1 || again.ID != 1 || len(l.records) != 1 {
		t.Errorf("first %+v, again %+v, %d records", first, again, len(l.records))
	}
	if v := l.register(t, plain("b", "f")); v.ID != 1 || v.Version != 1 {
		t.Errorf("one content, one id: %+v", v)
	}
	if v := l.register(t, plain("a", "f", "g")); v.ID != 2 || v.Version != 2 {
		t.Errorf("second schema: %+v", v)
	}
	if v := l.register(t, plain(":.x:a", "f", "g")); v.ID != 1 {
		t.Errorf("ids of a context are its own: %+v", v)
	}
	// A schema that was softly deleted comes back as a new version with its id, and the old version goes.
	writes, _, _ := l.state.DeleteVersion("a", 1, false)
	l.append(writes)
	if v := l.register(t, plain("a", "f")); v.ID != 1 || v.Version != 3 || l.state.version("a", 1) != nil {
		t.Errorf("registered again: %+v, version 1 is %v", v, l.state.version("a", 1))
	}
}

func TestRegisterRefuses(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	for name, c := range map[string]struct {
		change func(*Registration)
		code   int
	}{
		"a broken schema":            {func(q *Registration) { q.Schema.Text = `{"type":"nope"}` }, InvalidSchema},
		"an unknown type":            {func(q *Registration) { q.Schema.Type = "XML" }, InvalidSchema},
		"an empty schema":            {func(q *Registration) { q.Subject, q.Schema.Text = "new", "" }, InvalidSchema},
		"a missing reference":        {func(q *Registration) { q.Schema.References = []schema.Reference{{Name: "x", Subject: "x", Version: 1}} }, InvalidSchema},
		"an id outside of an import": {func(q *Registration) { q.ID = 9; q.Schema = record("z") }, NotPermitted},
		"a version that is not next": {func(q *Registration) { q.Version = 5 }, InvalidSchema},
		"a control letter":           {func(q *Registration) { q.Subject = "a\x01" }, InvalidSubject},
		"the context for all":        {func(q *Registration) { q.Subject = ":*:x" }, InvalidSubject},
		"the name for all":           {func(q *Registration) { q.Subject = "__GLOBAL" }, InvalidSubject},
		"another type":               {func(q *Registration) { q.Schema = schema.Schema{Type: schema.JSON, Text: `{"type":"object"}`} }, Incompatible},
		"a bad rule":                 {func(q *Registration) { q.Schema.RuleSet = &schema.RuleSet{DomainRules: []schema.Rule{{Name: "r"}}} }, InvalidRules},
		"a field without a default": {func(q *Registration) {
			q.Schema.Text = `{"type":"record","name":"R","fields":[{"name":"new","type":"int"}]}`
		}, Incompatible},
	} {
		t.Run(name, func(t *testing.T) {
			q := plain("a", "f")
			c.change(&q)
			before := l.state.Dump()
			_, err := l.try(q)
			wantCode(t, err, c.code)
			if l.state.Dump() != before {
				t.Error("a refused request changed the state")
			}
		})
	}
}

func TestLevels(t *testing.T) {
	// old lacks what new has without a default: old cannot be read by new; new can be read by old.
	old, grown := record("f"), schema.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":0},{"name":"new","type":"int"}]}`}
	for level, fits := range map[string]bool{"NONE": true, "BACKWARD": false, "BACKWARD_TRANSITIVE": false, "FORWARD": true,
		"FORWARD_TRANSITIVE": true, "FULL": false, "FULL_TRANSITIVE": false} {
		for _, scope := range []string{"", "a", ":.__GLOBAL:"} {
			l := newLog()
			l.register(t, Registration{Subject: "a", Schema: old, ID: NoID})
			writes, _, err := l.state.SetConfig(scope, ConfigChange{"compatibility": marshal(level)})
			wantCode(t, err, 0)
			l.append(writes)
			_, err = l.try(Registration{Subject: "a", Schema: grown, ID: NoID})
			if (err == nil) != fits {
				t.Errorf("%s at %q: %v", level, scope, err)
			}
			_, err = l.try(Registration{Subject: "a", Schema: grown, ID: NoID, Force: true})
			wantCode(t, err, 0)
		}
	}
}

// Transitive levels look at all live versions, the others at the newest. The first version does not fit the candidate in either
// direction, the second in both.
func TestTransitive(t *testing.T) {
	needs := func(field string) schema.Schema {
		return schema.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"` + field + `","type":"int"}]}`}
	}
	for level, code := range map[string]int{"BACKWARD": 0, "BACKWARD_TRANSITIVE": Incompatible, "FORWARD": 0, "FORWARD_TRANSITIVE": Incompatible,
		"FULL": 0, "FULL_TRANSITIVE": Incompatible, "NONE": 0} {
		l := newLog()
		l.register(t, Registration{Subject: "a", Schema: needs("first"), ID: NoID})
		l.register(t, Registration{Subject: "a", Schema: needs("g"), ID: NoID, Force: true})
		writes, _, _ := l.state.SetConfig("a", ConfigChange{"compatibility": marshal(level)})
		l.append(writes)
		same := needs("g")
		same.Metadata = &schema.Metadata{Properties: map[string]string{"another": "content"}}
		_, err := l.try(Registration{Subject: "a", Schema: same, ID: NoID})
		if (err == nil) != (code == 0) || err != nil && err.Code != code {
			t.Errorf("%s: %v, want %d", level, err, code)
		}
		cmp, err := l.state.Compare(t.Context(), l.rules, "a", 0, same, false, "")
		wantCode(t, err, 0)
		if found, _ := cmp.Run(t.Context(), l.rules, nil); found.Fits() != (code == 0) || code != 0 && found.Version != 1 {
			t.Errorf("%s: %+v", level, found)
		}
	}
}

func TestImport(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	_, err := l.state.SetMode(l.rules, "a", Import, false)
	wantCode(t, err, NotPermitted)
	writes, _, _ := l.state.DeleteSubject("a", false)
	l.append(writes)
	writes, err = l.state.SetMode(l.rules, "a", "import", false)
	wantCode(t, err, 0)
	l.append(writes)
	if l.state.HasSubject("a", WithDeleted) {
		t.Error("what was softly deleted is still there when an import begins")
	}
	q := plain("a", "f")
	_, err = l.try(q)
	wantCode(t, err, NotPermitted)
	q.ID, q.Version = 40, 7
	if v := l.register(t, q); v.ID != 40 || v.Version != 7 {
		t.Errorf("imported %+v", v)
	}
	other := plain("a", "g")
	other.ID = 40
	_, err = l.try(other)
	wantCode(t, err, NotPermitted)
	writes, err = l.state.SetMode(l.rules, "a", ReadWrite, false)
	wantCode(t, err, 0)
	l.append(writes)
	if v := l.register(t, plain("a", "g")); v.ID != 41 || v.Version != 8 {
		t.Errorf("after the import: %+v", v)
	}
}

// An import does not overwrite a version: others may refer to it, and records carry its id.
func TestImportOverwritesNothing(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	l.mode(t, "a", Import)
	for name, c := range map[string]struct {
		id     int
		fields []string
		code   int
	}{
		"another content":        {9, []string{"g"}, NotPermitted},
		"another content, id":    {1, []string{"g"}, NotPermitted},
		"another id":             {9, []string{"f"}, NotPermitted},
		"what is there, exactly": {1, []string{"f"}, 0},
	} {
		for _, deleted := range []bool{false, true} {
			if deleted {
				l.append([]Write{{l.records[0].Key, []byte(strings.Replace(string(l.records[0].Value), `"deleted":false`, `"deleted":true`, 1))}})
			}
			q := plain("a", c.fields...)
			q.ID, q.Version = c.id, 1
			before := len(l.records)
			_, err := l.try(q)
			wantCode(t, err, c.code)
			v := l.state.Version("a", 1, WithDeleted)
			if c.code == 0 && v.Deleted || c.code != 0 && v.Deleted != deleted || v.ID != 1 || !deleted && len(l.records) != before {
				t.Errorf("%s: %+v, %d records more", name, v, len(l.records)-before)
			}
			l.append([]Write{{l.records[0].Key, l.records[0].Value}})
		}
	}
}

func TestDelete(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	l.register(t, plain("a", "f", "g"))
	ref := Registration{Subject: "b", ID: NoID, Schema: schema.Schema{Text: `{"type":"record","name":"B","fields":[{"name":"r","type":"R"}]}`,
		References: []schema.Reference{{Name: "R", Subject: "a", Version: 1}}}}
	l.register(t, ref)
	steps := []struct {
		what      string
		subject   string
		version   int // 0: the subject
		permanent bool
		code      int
	}{
		{"unknown subject", "x", 0, false, SubjectNotFound},
		{"unknown subject's version", "x", 1, false, SubjectNotFound},
		{"unknown version", "a", 9, false, VersionNotFound},
		{"referenced version", "a", 1, false, ReferenceExists},
		{"referenced subject", "a", 0, false, ReferenceExists},
		{"for good before softly", "a", 2, true, VersionNotSoftDeleted},
		{"softly", "a", 2, false, 0},
		{"softly twice", "a", 2, false, VersionSoftDeleted},
		{"for good", "a", 2, true, 0},
		{"the referrer, softly", "b", 0, false, 0},
		{"the referrer, softly twice", "b", 0, false, SubjectSoftDeleted},
		{"subject for good before softly", "a", 0, true, ReferenceExists},
		{"version whose referrer is softly deleted", "a", 1, false, 0},
		{"for good while a deleted one refers", "a", 1, true, ReferenceExists},
		{"the referrer for good", "b", 0, true, 0},
		{"latest for good", "a", Latest, true, 0},
		{"nothing left", "a", 0, true, SubjectNotFound},
	}
	for _, c := range steps {
		var writes []Write
		var err *Error
		if c.version == 0 {
			writes, _, err = l.state.DeleteSubject(c.subject, c.permanent)
		} else {
			writes, _, err = l.state.DeleteVersion(c.subject, c.version, c.permanent)
		}
		if err != nil && err.Code != c.code || err == nil && c.code != 0 {
			t.Fatalf("%s: %v, want %d", c.what, err, c.code)
		}
		l.append(writes)
	}
}

// The last version that goes for good takes the settings of the subject with it.
func TestSettingsGoWithTheSubject(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	writes, _, _ := l.state.SetConfig("a", ConfigChange{"compatibility": marshal("FULL")})
	l.append(writes)
	writes, _, _ = l.state.DeleteVersion("a", 1, false)
	l.append(writes)
	if _, ok := l.state.ConfigOf("a"); !ok {
		t.Error("a soft deletion takes the settings")
	}
	writes, _, _ = l.state.DeleteVersion("a", 1, true)
	l.append(writes)
	if _, ok := l.state.ConfigOf("a"); ok {
		t.Error("settings of a subject that is gone")
	}
}

// Metadata and rules: defaults, over them the schema's own or else the previous version's, over them the overrides.
func TestMergeOrder(t *testing.T) {
	l := newLog()
	writes, _, err := l.state.SetConfig("a", ConfigChange{
		"defaultMetadata":  []byte(`{"properties":{"d":"default","own":"default","o":"default"}}`),
		"overrideMetadata": []byte(`{"properties":{"o":"override"}}`)})
	wantCode(t, err, 0)
	l.append(writes)
	q := plain("a", "f")
	q.Schema.Metadata = &schema.Metadata{Properties: map[string]string{"own": "mine", "o": "mine"}}
	first := l.register(t, q)
	second := l.register(t, plain("a", "f", "g"))
	for _, v := range []*Version{first, second} {
		p := v.Metadata().Properties
		if p["d"] != "default" || p["own"] != "mine" || p["o"] != "override" {
			t.Errorf("version %d: %v", v.Version, p)
		}
	}
	change := Registration{Subject: "a", ID: NoID, Schema: schema.Schema{Metadata: &schema.Metadata{Properties: map[string]string{"own": "new"}}}}
	third := l.register(t, change)
	if third.Version != 3 || third.Text() != second.Text() || third.Metadata().Properties["own"] != "new" {
		t.Errorf("an empty schema takes the previous text: %+v %+v", third, third.Metadata())
	}
	change.Version = 4
	change.Schema.Metadata = &schema.Metadata{Properties: map[string]string{"own": "newer"}}
	if v := l.register(t, change); v.Metadata().Properties[schema.ConfluentVersion] != "4" {
		t.Errorf("a version that is asked for stands in the metadata: %v", v.Metadata())
	}
}

func TestReservedFieldsAndGroups(t *testing.T) {
	l := newLog()
	writes, _, _ := l.state.SetConfig("a", ConfigChange{"validateFields": []byte("true"), "compatibilityGroup": marshal("major")})
	l.append(writes)
	with := func(q Registration, properties ...string) Registration {
		q.Schema.Metadata = &schema.Metadata{Properties: map[string]string{}}
		for i := 0; i < len(properties); i += 2 {
			q.Schema.Metadata.Properties[properties[i]] = properties[i+1]
		}
		return q
	}
	l.register(t, with(plain("a", "f"), reservedProperty, "old, older", "major", "1"))
	_, err := l.try(with(plain("a", "f", "old"), reservedProperty, "old,older", "major", "1"))
	wantCode(t, err, Incompatible)
	_, err = l.try(with(plain("a", "f", "g"), reservedProperty, "old", "major", "1"))
	wantCode(t, err, Incompatible)
	breaks := Registration{Subject: "a", ID: NoID, Schema: schema.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}`}}
	_, err = l.try(with(breaks, reservedProperty, "old,older", "major", "1"))
	wantCode(t, err, Incompatible)
	l.register(t, with(breaks, reservedProperty, "old,older", "major", "2"))
	// To have no such property is a group too, and another one than to have it empty.
	l.register(t, with(plain("a", "y"), reservedProperty, "old,older", "major", ""))
	l.register(t, with(breaks, reservedProperty, "old,older"))
	_, err = l.try(with(breaks, reservedProperty, "old,older", "major", "", "also", "this"))
	wantCode(t, err, Incompatible)
}

func TestLookupsAcrossContexts(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	inX := l.register(t, plain(":.x:only", "f", "g"))
	l.register(t, plain(":.x:only", "f", "g", "h"))
	if v, err := l.state.VersionUsingContexts("only", Latest, LiveOnly); v != nil || err != nil {
		if v == nil || v.Subject != ":.x:only" || v.Version != 2 {
			t.Errorf("latest of only: %v %v", v, err)
		}
	}
	if v := l.state.ByID(2, "only"); v == nil || v.Subject != ":.x:only" {
		t.Errorf("id 2 for only: %v", v)
	}
	if v := l.state.ByID(2, ""); v != nil {
		t.Errorf("id 2 without a subject: %v", v)
	}
	v, err := l.state.Find(context.Background(), l.rules, Lookup{Subject: "only", Schema: record("f", "g")})
	if v == nil || v.Version != inX.Version {
		t.Errorf("look-up: %v %v", v, err)
	}
	for prefix, want := range map[string]string{":*:": ":.x:only a", "": "a", ":.x:": ":.x:only", ":*:o": ":.x:only", "b": "", ":.:": "a"} {
		if got := strings.Join(l.state.Subjects(prefix, LiveOnly), " "); got != want {
			t.Errorf("subjects with prefix %q: %q, want %q", prefix, got, want)
		}
	}
	if got := l.state.ByGUID(inX.Digest); len(got) != 1 || got[0] != (ContextID{".x", 1}) {
		t.Errorf("ids of the GUID: %v", got)
	}
}

// A schema that spells out its references, or lacks confluent:version, is found.
func TestLookupOfEqualMeaning(t *testing.T) {
	l := newLog()
	l.register(t, plain("r", "f"))
	q := Registration{Subject: "b", ID: NoID, Version: Latest, Schema: schema.Schema{
		Text:       `{"type":"record","name":"B","fields":[{"name":"r","type":"R"}]}`,
		References: []schema.Reference{{Name: "R", Subject: "r", Version: Latest}}}}
	v := l.register(t, q)
	if v.References()[0].Version != 1 {
		t.Errorf("a reference to latest is pinned: %v", v.References())
	}
	for name, text := range map[string]schema.Schema{
		"pinned":      {Text: q.Schema.Text, References: v.References()},
		"latest":      {Text: q.Schema.Text, References: q.Schema.References},
		"written out": {Text: `{"type":"record","name":"B","fields":[{"name":"r","type":` + record("f").Text + `}]}`},
	} {
		got, err := l.state.Find(context.Background(), l.rules, Lookup{Subject: "b", Schema: text})
		if got == nil || got.Version != 1 {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestAliases(t *testing.T) {
	l := newLog()
	writes, _, _ := l.state.SetConfig(":.x:short", ConfigChange{"alias": marshal("a.long.name")})
	l.append(writes)
	if got := l.state.Alias(":.x:short"); got != ":.x:a.long.name" {
		t.Errorf("alias: %s", got)
	}
	writes, c, _ := l.state.SetConfig(":.x:short", ConfigChange{"alias": []byte("null"), "normalize": []byte("true")})
	l.append(writes)
	if c.Alias != "" || !on(c.Normalize, false) {
		t.Errorf("null takes a setting out: %+v", c)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]Name{
		"a": {".", "a"}, ":.c:a": {".c", "a"}, ":.c:": {".c", ""}, ":.c": {".c", ""}, ":.:a": {".", "a"}, ":*:a": {"*", "a"}, "": {".", ""},
		"a:b": {".", "a:b"}, ":a:b": {".", ":a:b"},
	} {
		if got := ParseName(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
	for _, c := range [][3]string{{":.c:p", "s", ":.c:s"}, {":.c:p", ":.d:s", ":.d:s"}, {":.c:p", ":.:s", "s"}, {"p", "s", "s"}} {
		if got := Qualify(c[0], c[1]); got != c[2] {
			t.Errorf("%s in the eyes of %s: %s", c[1], c[0], got)
		}
	}
}

// The bytes of what is written, as the present release of other registries writes it.
func TestWrittenRecords(t *testing.T) {
	l := newLog()
	q := plain(":.c:a<b", "f")
	q.Schema.Metadata = &schema.Metadata{Properties: map[string]string{"k": "v"}}
	l.register(t, q)
	l.register(t, Registration{Subject: "j", ID: NoID, Schema: schema.Schema{Type: schema.JSON, Text: `{ "type": "object" }`}})
	for _, w := range [][]Write{first(l.state.SetConfig("", ConfigChange{"compatibility": marshal("full")})),
		first(l.state.SetConfig("j", ConfigChange{"normalize": []byte("true")})), first(l.state.DeleteSubject("j", false))} {
		l.append(w)
	}
	writes, _ := l.state.SetMode(l.rules, ":.d:", Import, false)
	l.append(writes)
	want := `{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0} {"tenant":"default","context":".c"}
{"keytype":"SCHEMA","subject":":.c:a<b","version":1,"magic":1} {"subject":":.c:a<b","version":1,"id":1,"md5":"45lcC+UauWcGt4dKGQP6IA==","metadata":{"properties":{"k":"v"}},"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":\"int\",\"default\":0}]}","deleted":false}
{"keytype":"SCHEMA","subject":"j","version":1,"magic":1} {"subject":"j","version":1,"id":1,"md5":"AfwFbu1YyI/hxQf82E3Utw==","schemaType":"JSON","schema":"{\"type\":\"object\"}","deleted":false}
{"keytype":"CONFIG","magic":0} {"compatibilityLevel":"FULL"}
{"keytype":"CONFIG","subject":"j","magic":0} {"subject":"j","normalize":true}
{"keytype":"DELETE_SUBJECT","subject":"j","magic":0} {"subject":"j","version":1}
{"keytype":"CLEAR_SUBJECT","subject":":.d:","magic":0} {"subject":":.d:"}
{"keytype":"MODE","subject":":.d:","magic":0} {"subject":":.d:","mode":"IMPORT"}
`
	got := ""
	for _, r := range l.records {
		got += string(r.Key) + " " + string(r.Value) + "\n"
	}
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func first[T any](writes []Write, _ T, _ *Error) []Write { return writes }
