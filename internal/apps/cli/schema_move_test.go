package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"
)

var (
	moveSeed = flag.Uint64("move.seed", 0, "seed of TestSchemaMove; 0 draws one")
	moves    = flag.Int("move.runs", 8, "how many registries TestSchemaMove moves")
)

// TestSchemaMove fills a registry at random, exports it, imports it into an empty one, and asks both every question that there is about
// what they hold: the answers are equal to the byte, times left out. On the way imports break off at random and are run again, and one
// that is run again at the end finds nothing to do.
func TestSchemaMove(t *testing.T) {
	seed := *moveSeed
	if seed == 0 {
		seed = rand.Uint64() >> 1
	}
	for i := range uint64(*moves) {
		t.Logf("go test ./internal/apps/cli -run SchemaMove -move.seed %d -move.runs 1", seed+i)
		move(t, seed+i)
		if t.Failed() {
			return
		}
	}
}

func move(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	_, address := serveRegistry(t)
	from := registryAt(t, address)
	crowd := &crowd{r: r, c: from, t: t}
	for range 60 {
		crowd.act()
	}
	x, err := from.export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := x.encode()
	if err != nil {
		t.Fatal(err)
	}
	registry, address := serveRegistry(t)
	to := registryAt(t, address)
	cut := r.IntN(3*len(x.schemas) + 1)
	broken := importThrough(t, text, breaking(t, registry.Handler(), cut))
	if broken != nil && !errors.Is(broken, errCut) && exitCode(broken) != exitUnreachable {
		t.Logf("the import broke off: %v", broken)
	}
	if err := importThrough(t, text, to); err != nil {
		t.Fatalf("import: %v", err)
	}
	compareRegistries(t, x, from, to)
	again, err := to.export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if back, _ := again.encode(); !bytes.Equal(text, back) {
		t.Errorf("the export of the import differs:\n%s", strings.Join(changedLines(lineDiff(strings.Split(string(text), "\n"), strings.Split(string(back), "\n"))), "\n"))
	}
	p, err := to.planImport(t.Context(), x, false)
	if err != nil || len(p.steps)+len(p.contexts)+len(p.configs)+len(p.modes) != 0 {
		t.Errorf("there is something left to do: %+v %v", p, err)
	}
}

func importThrough(t *testing.T, text []byte, c *registryClient) error {
	x, err := decodeExport(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.planImport(t.Context(), x, false)
	if err != nil {
		return err
	}
	return p.run(t.Context(), c, nil)
}

func changedLines(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return line[0] == ' ' })
}

var errCut = errors.New("cut")

// breaking is a client of a registry that dies after some requests: the last one is done, but its answer is lost.
func breaking(t *testing.T, h http.Handler, after int) *registryClient {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if after--; after < 0 {
			panic(http.ErrAbortHandler)
		}
		if after == 0 {
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return registryAt(t, s.URL)
}

// crowd does at random what people do to a registry.
type crowd struct {
	t     *testing.T
	r     *rand.Rand
	c     *registryClient
	named int // how many records with names of their own there are
	to    []schemaReference
}

var moveSubjects = []string{"a", "b", "c/d e", ":.x:a", ":.x:ü", ":.y:a"}

func (w *crowd) subject() string { return moveSubjects[w.r.IntN(len(moveSubjects))] }

// act does one thing. What the registry refuses is no concern: it refuses the same to people.
func (w *crowd) act() {
	subject := w.subject()
	switch n := w.r.IntN(20); {
	case n < 9:
		w.register(w.random(subject))
	case n < 12:
		w.register(w.referring(subject))
	case n < 14:
		w.ask("DELETE", at("subjects", subject, "versions", strconv.Itoa(1+w.r.IntN(3))), nil)
	case n < 15:
		w.ask("DELETE", at("subjects", subject), nil)
	case n < 16 && !strings.HasPrefix(subject, ":"): // a context that was emptied for good cannot be made again
		w.ask("DELETE", at("subjects", subject, "versions", strconv.Itoa(1+w.r.IntN(3)))+"?permanent=true", nil)
	case n < 18:
		w.ask("PUT", settingsPath("config", w.scope(subject)), w.config())
	case n < 19:
		w.ask("PUT", settingsPath("mode", w.scope(subject))+"?force=true", map[string]string{"mode": []string{"READONLY", "READWRITE", "IMPORT"}[w.r.IntN(3)]})
	default:
		w.ask("DELETE", settingsPath([]string{"config", "mode"}[w.r.IntN(2)], w.scope(subject)), nil)
	}
}

func (w *crowd) ask(method, path string, body any) ([]byte, error) {
	return w.c.fetch(w.t.Context(), method, path, nil, body)
}

// scope is a subject, its context, all, or a subject without schemas.
func (w *crowd) scope(subject string) string {
	switch w.r.IntN(5) {
	case 0:
		return ""
	case 1:
		return "nobody"
	case 2:
		if context := subjectContext(subject); context != "." {
			return ":" + context + ":"
		}
		return ":.__GLOBAL:"
	}
	return subject
}

func (w *crowd) config() map[string]any {
	all := map[string]any{"compatibility": []string{"NONE", "BACKWARD", "FULL"}[w.r.IntN(3)], "normalize": w.r.IntN(2) == 0,
		"compatibilityGroup": "major", "compatibilityPolicy": "LENIENT", "validateFields": true, "aliasForDeks": "k",
		"defaultMetadata": map[string]any{"properties": map[string]string{"owner": "<&>"}},
		"overrideRuleSet": map[string]any{"domainRules": []any{map[string]any{"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}}}}
	some := map[string]any{}
	for name, value := range all {
		if w.r.IntN(3) == 0 {
			some[name] = value
		}
	}
	return some
}

func (w *crowd) register(subject string, b schemaBody) {
	force := "?force=true"
	if w.r.IntN(4) == 0 {
		force += "&normalize=true"
	}
	if w.r.IntN(4) == 0 {
		b.Metadata = json.RawMessage(fmt.Sprintf(`{"properties":{"p":"%d"},"tags":{"x":["PII"]}}`, w.r.IntN(2)))
	}
	text, err := w.ask("POST", at("subjects", subject, "versions")+force, b)
	var v schemaVersion
	if err == nil && json.Unmarshal(text, &v) == nil && strings.Contains(b.Text, `"N`) {
		w.to = append(w.to, schemaReference{b.ownName(), subject, v.Version})
	}
	if v.ID != 0 && w.r.IntN(6) == 0 { // the same content again under another number
		b.Version, b.ID = v.Version+1, v.ID
		w.ask("PUT", at("mode", subject)+"?force=true", map[string]string{"mode": "IMPORT"})
		w.ask("POST", at("subjects", subject, "versions"), b)
		w.ask("DELETE", at("mode", subject), nil)
		w.ask("DELETE", at("subjects", subject, "versions", strconv.Itoa(v.Version)), nil)
	}
}

// random is a schema without references.
func (w *crowd) random(subject string) (string, schemaBody) {
	kinds := []schema.Type{schema.Avro, schema.JSON, schema.Protobuf}
	s := schemagen.Schemas(kinds[w.r.IntN(3)]).Example(int(w.r.Uint32()))
	return subject, schemaBody{Text: s.Text, Type: string(s.TypeOrDefault())}
}

// referring is a record that holds records of other subjects, as far as there are any that it can see.
func (w *crowd) referring(subject string) (string, schemaBody) {
	w.named++
	b := schemaBody{Type: "AVRO"}
	var fields []string
	for range w.r.IntN(3) {
		if len(w.to) == 0 {
			break
		}
		ref := w.to[w.r.IntN(len(w.to))]
		if slices.ContainsFunc(b.References, func(r schemaReference) bool { return r.Name == ref.Name }) {
			continue
		}
		if subjectContext(ref.Subject) == "." {
			ref.Subject = ":.:" + ref.Subject
		}
		b.References = append(b.References, ref)
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"%s"}`, len(fields), ref.Name))
	}
	b.Text = fmt.Sprintf(`{"type":"record","name":"N%d","fields":[%s]}`, w.named, strings.Join(fields, ","))
	return subject, b
}

var times = regexp.MustCompile(`,?"ts":\d+`)

// compareRegistries asks both about everything in an export.
func compareRegistries(t *testing.T, x registryExport, a, b *registryClient) {
	t.Helper()
	paths := map[string]bool{"/subjects": true, "/subjects?deleted=true": true, "/subjects?deletedOnly=true": true, "/contexts": true, "/config": true, "/mode": true,
		"/v1/settings": true, "/v1/fsck": true, "/schemas?subjectPrefix=:*:": true, "/schemas?subjectPrefix=:*:&deleted=true": true, "/schemas?subjectPrefix=:*:&latestOnly=true": true}
	for _, v := range x.schemas {
		subject := at("subjects", v.Subject)
		version := subject + at("versions", strconv.Itoa(v.Version))
		id := at("schemas", "ids", strconv.Itoa(v.ID))
		in := "subject=" + url.QueryEscape(v.Subject)
		for _, path := range []string{subject + "/versions", subject + "/versions?deleted=true", subject + "/versions/latest", version, version + "?deleted=true",
			version + "/schema?deleted=true", version + "/referencedby?deleted=true", version + "?deleted=true&format=resolved", id + "?" + in, id + "/versions?deleted=true&" + in,
			id + "/subjects?" + in, at("schemas", "guids", v.GUID), at("schemas", "guids", v.GUID, "ids"), at("config", v.Subject), at("mode", v.Subject),
			at("config", v.Subject) + "?defaultToGlobal=true", at("mode", v.Subject) + "?defaultToGlobal=true"} {
			paths[path] = true
		}
	}
	for path := range paths {
		if one, other := plainAnswer(t, a, path), plainAnswer(t, b, path); one != other {
			t.Errorf("%s:\n%s\n%s", path, one, other)
		}
	}
}

func plainAnswer(t *testing.T, c *registryClient, path string) string {
	r, err := http.NewRequestWithContext(context.Background(), "GET", c.base.String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(answer.StatusCode, " ", times.ReplaceAllString(string(text), ""))
}
