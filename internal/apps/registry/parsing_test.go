package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/apps/registry/schema"
)

// bigText is an enum of a bit more than the size from which a text counts as large.
func bigText(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"enum","name":%q,"symbols":["a"`, name)
	for i := 0; b.Len() < cachedText+100; i++ {
		fmt.Fprintf(&b, `,"symbol%d"`, i)
	}
	return b.String() + `]}`
}

func bigBody(name string) string {
	b, _ := json.Marshal(map[string]string{"schema": bigText(name)})
	return string(b)
}

// P1: of many large schemas at once only a few are parsed, the others wait until their time is over; who reads, and who registers a
// small schema, is served meanwhile.
func TestFewLargeSchemasAtOnce(t *testing.T) {
	r := open(t, NewMemory(), Options{ParseTimeout: 50 * time.Millisecond})
	ask(r, "POST", "/subjects/a/versions", aString)
	parse := r.rules.Parse
	var running, most atomic.Int32
	leave, entered := make(chan struct{}), make(chan struct{}, 100)
	r.rules.Parse = func(s schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
		if large(s, refs) {
			most.Store(max(most.Load(), running.Add(1)))
			entered <- struct{}{}
			<-leave
			running.Add(-1)
		}
		return parse(s, refs, o)
	}
	answers := make(chan string, 10)
	for i := range 10 {
		go func() {
			path := []string{"/subjects/big/versions", "/subjects/big", "/compatibility/subjects/a/versions"}[i%3]
			_, body := ask(r, "POST", path, bigBody("E"))
			answers <- body
		}()
	}
	<-entered
	for range 50 {
		if code, body := ask(r, "GET", "/schemas/ids/1", ""); code != 200 {
			t.Fatal(code, body)
		}
		if code, body := ask(r, "POST", "/subjects/b/versions", `{"schema":"\"int\""}`); code != 200 {
			t.Fatal(code, body)
		}
	}
	for range 10 - cap(r.lanes.large) {
		if body := <-answers; !strings.Contains(body, "50002") {
			t.Errorf("not one of the few, and answered with %s", body)
		}
	}
	close(leave)
	for range cap(r.lanes.large) {
		<-answers
	}
	if got := int(most.Load()); got > cap(r.lanes.large) {
		t.Errorf("%d large schemas were parsed at once, and %d may be", got, cap(r.lanes.large))
	}
}

// P2, P3: a large text is parsed once for a registration, and never while the state is held.
func TestLargeSchemasAreParsedBesideTheState(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	parse := r.rules.Parse
	parsed := map[bool]int{} // by whether the text lay in the log
	r.rules.Parse = func(s schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
		if large(s, refs) {
			if parsed[o.Stored]++; !r.view.mu.TryLock() {
				t.Errorf("parsed while the state is held; from the log: %t", o.Stored)
			} else {
				r.view.mu.Unlock()
			}
		}
		return parse(s, refs, o)
	}
	if code, body := ask(r, "POST", "/subjects/big/versions", bigBody("E")); code != 200 {
		t.Fatal(code, body)
	}
	if parsed[false] != 2 { // once as any schema, once as a new one
		t.Errorf("parsed %d times", parsed[false])
	}
	for _, h := range []struct{ method, path, body string }{
		{"GET", "/schemas/ids/1?format=resolved", ""}, {"GET", "/schemas/ids/1/schema?format=resolved", ""}, {"GET", "/subjects/big/versions/1?findTags=x", ""},
		{"POST", "/subjects/big?format=resolved", bigBody("E")}, {"POST", "/compatibility/subjects/big/versions/latest", bigBody("E")},
	} {
		if code, body := ask(r, h.method, h.path, h.body); code != 200 || len(body) > 1000 && !strings.Contains(body, "symbol1") {
			t.Errorf("%s %s: %d %.200s", h.method, h.path, code, body)
		}
	}
	if parsed[true] < 4 {
		t.Errorf("%d texts of the log were parsed: nothing was tried", parsed[true])
	}
}

// Schemas at each limit: refused with their code, and beyond the limits of time with 50002.
func TestSchemasAtTheLimits(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	nested := func(depth int) string {
		return strings.Repeat(`{"type":"array","items":`, depth) + `"int"` + strings.Repeat(`}`, depth)
	}
	body := func(text string, refs ...schema.Reference) string {
		b, _ := json.Marshal(schema.Schema{Text: text, References: refs})
		return string(b)
	}
	many := make([]schema.Reference, 200)
	for i := range many {
		name := fmt.Sprintf("F%d", i)
		ask(r, "POST", "/subjects/"+name+"/versions", body(`{"type":"fixed","name":"`+name+`","size":1}`))
		many[i] = schema.Reference{Name: name, Subject: name, Version: 1}
	}
	for _, c := range []struct {
		name, body string
		code       string
	}{
		{"depth", body(nested(63)), `"id"`},
		{"too deep", body(nested(65)), "42209"},
		{"far too deep", body(nested(100_000)), "42209"},
		{"references", body(`"int"`, many[:128]...), `"id"`},
		{"too many references", body(`"int"`, many...), "42209"},
		{"text", body(`{"type":"enum","name":"E","symbols":["a"],"doc":"` + strings.Repeat("x", 900_000) + `"}`), `"id"`},
		{"too long a text", body(`{"type":"enum","name":"E","symbols":["a"],"doc":"` + strings.Repeat("x", 1<<20) + `"}`), "42209"},
		{"too long a body", `{"schema":"` + strings.Repeat("x", 9<<20) + `"}`, "413"},
		{"not UTF-8", "{\"schema\":\"\\\"\xff\\\"\"}", "4220"},
		{"a body of brackets", strings.Repeat("[", 1<<20), "400"},
	} {
		if _, got := ask(r, "POST", "/subjects/limits/versions?force=true", c.body); !strings.Contains(got, c.code) {
			t.Errorf("%s: %.300s, want %s", c.name, got, c.code)
		}
	}
}

// The offset that a write is answered with, sent with a read, makes the read wait for it: read your writes, whoever answers.
func TestOffsetHeader(t *testing.T) {
	log := NewMemory()
	first := open(t, log, Options{})
	code, header := askHeader(first, "POST", "/subjects/a/versions", aString, "")
	if code != 200 || header == "" {
		t.Fatal(code, header)
	}
	if code, seen := askHeader(first, "GET", "/subjects/a/versions/1", "", header); code != 200 || seen < header {
		t.Errorf("%d, offset %s after %s", code, seen, header)
	}
	if code, seen := askHeader(first, "GET", "/subjects/nobody/versions", "", ""); code != 404 || seen != header {
		t.Errorf("an error tells the offset %s, not %s (%d)", seen, header, code)
	}
}
