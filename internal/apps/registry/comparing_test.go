package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// stuck is a checker whose comparisons of schemas that contain "slow" wait until they are let go or their time is over.
type stuck struct {
	entered chan struct{}
	leave   chan struct{}
}

func (c stuck) Check(ctx context.Context, reader, writer *schema.Parsed, policy string) state.Verdict {
	if !strings.Contains(reader.Schema.Text+writer.Schema.Text, "slow") {
		return checker{}.Check(ctx, reader, writer, policy)
	}
	c.entered <- struct{}{}
	select {
	case <-c.leave:
		return checker{}.Check(ctx, reader, writer, policy)
	case <-ctx.Done():
	}
	return state.Verdict{}
}

func enum(name string, symbols ...string) string {
	text, _ := json.Marshal(map[string]any{"type": "enum", "name": name, "symbols": append([]string{"a"}, symbols...)})
	body, _ := json.Marshal(map[string]string{"schema": string(text)})
	return string(body)
}

// P3: comparisons that take all their time cost nobody else's writes and comparisons anything, and end with 50002.
func TestLongComparisonsDelayNobody(t *testing.T) {
	c := stuck{entered: make(chan struct{}, 100), leave: make(chan struct{})}
	r := open(t, NewMemory(), Options{Checker: c, ParseTimeout: time.Hour})
	ask(r, "POST", "/subjects/hx/versions", enum("slow"))
	answers := make(chan string, 10)
	for i := range 10 {
		go func() {
			code, body := ask(r, "POST", "/subjects/hx/versions", enum("slow", fmt.Sprintf("b%d", i)))
			answers <- fmt.Sprint(code, body)
		}()
	}
	for range 10 + cap(r.lanes.long) { // each has had its moment among the quick ones, and the long lane is full
		<-c.entered
	}
	for i := range 20 {
		if code, body := ask(r, "POST", "/subjects/ben/versions", enum("E", fmt.Sprintf("b%d", i))); code != 200 && code != 409 {
			t.Fatal(code, body)
		}
		if code, body := ask(r, "POST", "/compatibility/subjects/ben/versions", enum("E", "b0", "c")); code != 200 || !strings.Contains(body, "true") {
			t.Fatal(code, body)
		}
	}
	close(c.leave)
	registered := 0
	for range 10 {
		got := <-answers
		if strings.HasPrefix(got, "200") {
			registered++
		} else if !strings.HasPrefix(got, "409") { // the first to come back is what the others have to fit
			t.Error(got)
		}
	}
	if registered != 1 {
		t.Errorf("%d were registered", registered)
	}
}

// A comparison that is not done in the time of a request is refused, and nothing is registered.
func TestComparisonOutOfTime(t *testing.T) {
	c := stuck{entered: make(chan struct{}, 100), leave: make(chan struct{})}
	r := open(t, NewMemory(), Options{Checker: c, ParseTimeout: 10 * time.Millisecond})
	ask(r, "POST", "/subjects/hx/versions", enum("slow"))
	if code, body := ask(r, "POST", "/subjects/hx/versions", enum("slow", "b")); code != 500 || !strings.Contains(body, "50002") || !strings.Contains(body, "time limit") {
		t.Error(code, body)
	}
	if _, body := ask(r, "GET", "/subjects/hx/versions", ""); body != "[1]" {
		t.Error(body)
	}
}

// P3: what was compared before the writer's turn counts only when the subject is still what it was: a version, a level and a reference
// that came meanwhile are compared too.
func TestComparedAgainWhenTheSubjectChanged(t *testing.T) {
	for _, c := range []struct{ name, path, body, want string }{
		{"nothing changed", "GET /subjects", "", "200"},
		{"another subject", "POST /subjects/other/versions", enum("E"), "200"},
		{"a version that does not fit", "POST /subjects/hx/versions?force=true", enum("Other"), "409"},
		{"a version that fits", "POST /subjects/hx/versions?force=true", enum("slow", "b"), "200"},
		{"a level", "PUT /config/hx", `{"compatibility":"FORWARD"}`, "409"},
		{"no level", "PUT /config/hx", `{"compatibility":"NONE"}`, "200"},
		{"a mode", "PUT /mode/hx", `{"mode":"READONLY"}`, "42205"},
		{"the only version is gone", "DELETE /subjects/hx", "", "200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := stuck{entered: make(chan struct{}, 100), leave: make(chan struct{})}
			r := open(t, NewMemory(), Options{Checker: check, ParseTimeout: time.Hour})
			ask(r, "POST", "/subjects/hx/versions", enum("slow"))
			answer := make(chan string)
			go func() {
				code, body := ask(r, "POST", "/subjects/hx/versions", enum("slow", "b", "c"))
				answer <- fmt.Sprint(code, body)
			}()
			<-check.entered
			method, path, _ := strings.Cut(c.path, " ")
			if code, body := ask(r, method, path, c.body); code != 200 {
				t.Fatal(code, body)
			}
			close(check.leave)
			if got := <-answer; !strings.Contains(got, c.want) {
				t.Error(got)
			}
		})
	}
}

// P3: no comparison runs while the state is held, and a large earlier version is parsed beside it.
func TestComparedBesideTheState(t *testing.T) {
	watch := &watching{t: t}
	r := open(t, NewMemory(), Options{Checker: watch})
	watch.r = r
	parse := r.rules.Parse
	r.rules.Parse = func(s schema.Schema, refs []schema.Resolved, o schema.Options) (*schema.Parsed, error) {
		if large(s, refs) {
			watch.free("parsed")
		}
		return parse(s, refs, o)
	}
	ask(r, "PUT", "/config/big", `{"compatibility":"FULL_TRANSITIVE"}`)
	for i := range 3 {
		b, _ := json.Marshal(map[string]string{"schema": strings.Replace(bigText("E"), `"a"`, fmt.Sprintf(`"a%d"`, i), 1)})
		ask(r, "POST", "/subjects/big/versions?force=true", string(b))
		if code, body := ask(r, "POST", "/subjects/big/versions", strings.Replace(bigBody("E"), "symbol0", "other", 1)); code != 409 {
			t.Error(code, body)
		}
	}
	if watch.checked < 6 {
		t.Errorf("%d comparisons: nothing was tried", watch.checked)
	}
}

type watching struct {
	t       *testing.T
	r       *Registry
	checked int
}

func (w *watching) Check(ctx context.Context, reader, writer *schema.Parsed, policy string) state.Verdict {
	w.checked++
	w.free("compared")
	return checker{}.Check(ctx, reader, writer, policy)
}

func (w *watching) free(what string) {
	if !w.r.view.mu.TryLock() {
		w.t.Errorf("%s while the state is held", what)
		return
	}
	w.r.view.mu.Unlock()
}

// An earlier version whose reference is gone matters only where it is compared, and is blamed itself.
func TestDanglingReferenceOfAnEarlierVersion(t *testing.T) {
	log := NewMemory(state.Record{Key: []byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`),
		Value: []byte(`{"subject":"a","version":1,"id":1,"references":[{"name":"x","subject":"gone","version":1}],"schema":"\"x\""}`)})
	r := open(t, log, Options{})
	var symbols []string
	for _, c := range []struct{ level, words string }{
		{"BACKWARD", `version 1 of subject \"a\", which cannot be read: at`}, {"NONE", `"version":2`}, {"BACKWARD", `"version":3`},
		{"BACKWARD_TRANSITIVE", `version 1 of subject \"a\", which cannot be read: at`},
	} {
		symbols = append(symbols, fmt.Sprintf("s%d", len(symbols)))
		ask(r, "PUT", "/config/a", `{"compatibility":"`+c.level+`"}`)
		if code, body := ask(r, "POST", "/subjects/a/versions", enum("E", symbols...)); !strings.Contains(body, c.words) {
			t.Errorf("%s: %d %s", c.level, code, body)
		}
	}
}

// BenchmarkRegister registers under a subject that has so many versions: nothing should grow with them but what the level asks for.
func BenchmarkRegister(b *testing.B) {
	for _, n := range []int{1, 2500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var records []state.Record
			text := func(i int) string {
				fields := `{"name":"id","type":"long"}`
				for f := range 20 {
					fields += fmt.Sprintf(`,{"name":"field_%d_%d","type":["null","string"],"default":null}`, f, f*i)
				}
				return `{"type":"record","name":"R","fields":[` + fields + `]}`
			}
			for i := range n {
				value, _ := json.Marshal(map[string]any{"subject": "s", "version": i + 1, "id": i + 1, "schema": text(i), "deleted": false})
				records = append(records, state.Record{Offset: int64(i), Key: fmt.Appendf(nil, `{"keytype":"SCHEMA","subject":"s","version":%d,"magic":1}`, i+1), Value: value})
			}
			handler := open(b, NewMemory(records...), Options{}).Handler()
			for i := n; b.Loop(); i++ {
				body, _ := json.Marshal(map[string]string{"schema": text(i)})
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest("POST", "/subjects/s/versions", strings.NewReader(string(body))))
				if w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
