package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/apps/registry/state"
)

// ask makes one request of a registry's handler.
func ask(r *Registry, method, path, body string) (int, string) {
	h := httptest.NewRequest(method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, h)
	return w.Code, w.Body.String()
}

// askHeader makes a request with an offset and returns that of the answer.
func askHeader(r *Registry, method, path, body, offset string) (int, string) {
	h := httptest.NewRequest(method, path, strings.NewReader(body))
	if offset != "" {
		h.Header.Set(offsetHeader, offset)
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, h)
	return w.Code, w.Header().Get(offsetHeader)
}

const aString = `{"schema":"\"string\""}`

// waitFor ends when the condition holds, driven by the log's growth: no clock.
func waitFor(t *testing.T, r *Registry, holds func() bool) {
	t.Helper()
	for offset := int64(0); !holds(); offset++ {
		if err := r.view.wait(t.Context(), offset); err != nil {
			t.Fatal(err)
		}
	}
}

// W3, W4: the first registry goes on, the second never writes and says why; both can be read.
func TestSecondRegistryIsRefused(t *testing.T) {
	log := NewMemory()
	first := open(t, log, Options{})
	if code, body := ask(first, "POST", "/subjects/a/versions", aString); code != 200 {
		t.Fatal(code, body)
	}
	settle := make(chan time.Time)
	second, err := OpenLog(t.Context(), log, Options{After: func(time.Duration) <-chan time.Time { return settle }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	waitFor(t, second, func() bool { return second.rival.Load() != nil })
	settle <- time.Time{}
	code, body := ask(second, "POST", "/subjects/b/versions", aString)
	if code != 500 || !strings.Contains(body, "another schema registry writes") || !strings.Contains(body, "50001") {
		t.Errorf("the second registry: %d %s", code, body)
	}
	if code, body := ask(second, "GET", "/subjects/a/versions/1/schema", ""); code != 200 {
		t.Errorf("reading from the second: %d %s", code, body)
	}
	if code, _ := ask(second, "GET", "/health", ""); code != 503 {
		t.Errorf("health of the second: %d", code)
	}
	if code, body := ask(first, "POST", "/subjects/c/versions", aString); code != 200 {
		t.Errorf("the first registry: %d %s", code, body)
	}
}

// W1, W4: a record of somebody else ends writing, signed or not.
func TestForeignWriterIsNoticed(t *testing.T) {
	for writer, says := range map[string]string{"": "another kind", "other": "another schema registry"} {
		log := NewMemory()
		r := open(t, log, Options{})
		ask(r, "POST", "/subjects/a/versions", aString) // now it has settled
		log.Append(t.Context(), writer, []state.Write{{Key: []byte(`{"keytype":"MODE","magic":0}`), Value: []byte(`{"mode":"READWRITE"}`)}})
		last := int64(len(log.Records()) - 1)
		if err := r.view.wait(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		if code, body := ask(r, "POST", "/subjects/b/versions", aString); code != 500 || !strings.Contains(body, says) {
			t.Errorf("written by %q: %d %s", writer, code, body)
		}
	}
}

// A record that no registry writes is a finding, no rival, and goes when its key is deleted.
func TestStrayRecord(t *testing.T) {
	log := NewMemory()
	r := open(t, log, Options{})
	ask(r, "POST", "/subjects/a/versions", aString)
	for _, key := range []string{"foo", "", `{"a":1}`, `[]`} {
		log.Append(t.Context(), "", []state.Write{{Key: []byte(key), Value: []byte("x")}})
	}
	if code, body := ask(r, "POST", "/subjects/b/versions", aString); code != 200 {
		t.Error(code, body)
	}
	if _, body := ask(r, "GET", "/v1/fsck", ""); strings.Count(body, "UNREADABLE") != 4 || !strings.Contains(body, "keytype") {
		t.Error(body)
	}
	log.Append(t.Context(), "", []state.Write{{Key: []byte("foo")}})
	ask(r, "POST", "/subjects/c/versions", aString)
	if _, body := ask(r, "GET", "/v1/fsck", ""); strings.Count(body, "UNREADABLE") != 3 {
		t.Error(body)
	}
}

// A restart after a kill is no second registry, and its predecessor's last records may still land.
func TestRestart(t *testing.T) {
	log := NewMemory()
	first := open(t, log, Options{})
	ask(first, "POST", "/subjects/a/versions", aString)
	first.Close()
	settle := make(chan time.Time)
	second, err := OpenLog(t.Context(), log, Options{After: func(time.Duration) <-chan time.Time { return settle }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	late, _ := log.Append(t.Context(), first.me, []state.Write{{Key: []byte(`{"keytype":"MODE","subject":"z","magic":0}`), Value: []byte(`{"mode":"READONLY"}`)}})
	second.view.wait(t.Context(), late)
	settle <- time.Time{}
	if code, body := ask(second, "POST", "/subjects/b/versions", `{"schema":"\"int\""}`); code != 200 || !strings.Contains(body, `"id":2`) {
		t.Errorf("%d %s", code, body)
	}
}

// After a failed append nobody knows what is in the log, so the next decision waits for a record behind it.
func TestFailedAppend(t *testing.T) {
	log := NewMemory()
	r := open(t, log, Options{})
	log.Fail(errors.New("no leader"))
	if code, body := ask(r, "POST", "/subjects/a/versions", aString); code != 500 || !strings.Contains(body, "50001") || !strings.Contains(body, "no leader") {
		t.Errorf("%d %s", code, body)
	}
	log.Fail(nil)
	// The records of the failed append land after all, as a slow broker may do.
	log.Append(t.Context(), r.me, []state.Write{{Key: []byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`),
		Value: []byte(`{"subject":"a","version":1,"id":1,"schema":"\"string\""}`)}})
	if code, body := ask(r, "POST", "/subjects/b/versions", `{"schema":"\"int\""}`); code != 200 || !strings.Contains(body, `"id":2`) {
		t.Errorf("%d %s", code, body)
	}
}

func TestTooLargeForTheTopic(t *testing.T) {
	log := NewMemory()
	r := open(t, log, Options{})
	log.Fail(ErrTooLarge)
	if code, body := ask(r, "POST", "/subjects/a/versions", aString); code != 422 || !strings.Contains(body, "42209") {
		t.Errorf("%d %s", code, body)
	}
}

// REG: many writers at once: one id per content, no id twice, every answer readable.
func TestParallelRegistrations(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	var all sync.WaitGroup
	for client := range 20 {
		all.Go(func() {
			for i := range 10 {
				name := string(rune('a' + (client+i)%10))
				code, body := ask(r, "POST", "/subjects/s"+name+"/versions", `{"schema":"{\"type\":\"enum\",\"name\":\"`+name+`\",\"symbols\":[\"x\"]}"}`)
				if code != 200 {
					t.Errorf("%d %s", code, body)
				}
				if code, body := ask(r, "GET", "/subjects/s"+name+"/versions/1", ""); code != 200 {
					t.Errorf("not readable after the answer: %d %s", code, body)
				}
			}
		})
	}
	all.Wait()
	r.Look(func(s *state.State) {
		if versions, subjects := s.Counts(); versions != 10 || subjects != 10 {
			t.Errorf("%d versions of %d subjects", versions, subjects)
		}
		if len(s.Fsck()) != 0 {
			t.Error(s.Fsck())
		}
	})
}

func TestLimits(t *testing.T) {
	r := open(t, NewMemory(), Options{Body: 100, Timeout: time.Nanosecond})
	if code, body := ask(r, "POST", "/subjects/a/versions", `{"schema":"`+strings.Repeat("x", 100)+`"}`); code != 413 {
		t.Errorf("a large body: %d %s", code, body)
	}
	if code, body := ask(r, "POST", "/subjects/a/versions", aString); code != 500 || !strings.Contains(body, "50002") {
		t.Errorf("no time: %d %s", code, body)
	}
	h := httptest.NewRequest("GET", "/subjects", nil)
	h.Header.Set(offsetHeader, "1000")
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, h)
	if w.Code != 500 || !strings.Contains(w.Body.String(), "50002") {
		t.Errorf("an offset that never comes: %d %s", w.Code, w.Body)
	}
}

// onlyTeam allows what begins with "team".
type onlyTeam struct{}

func (onlyTeam) Authorize(_ *http.Request, a Action, subject string) error {
	if strings.HasPrefix(state.ParseName(subject).Subject, "team") {
		return nil
	}
	return errors.New("you may not " + string(a) + " subject " + subject)
}

func TestAuthorizer(t *testing.T) {
	log := NewMemory()
	all := open(t, log, Options{})
	for _, s := range []string{"team", "other"} {
		ask(all, "POST", "/subjects/"+s+"/versions", aString)
	}
	ask(all, "POST", "/subjects/other/versions", `{"schema":"\"bytes\""}`)
	all.Close()
	r := open(t, log, Options{Authorizer: onlyTeam{}})
	for _, c := range []struct {
		method, path, body string
		code               int
		shows              string
	}{
		{"GET", "/subjects", "", 200, `["team"]`},
		{"GET", "/subjects/other/versions", "", 403, "may not read"},
		{"GET", "/subjects/other/versions/1", "", 403, ""},
		{"GET", "/subjects/other/versions/1/referencedby", "", 403, ""},
		{"POST", "/subjects/other", aString, 403, ""},
		{"POST", "/subjects/other/versions", aString, 403, "may not write"},
		{"POST", "/compatibility/subjects/other/versions", aString, 403, ""},
		{"DELETE", "/subjects/other", "", 403, "may not delete"},
		{"DELETE", "/subjects/other/versions/1", "", 403, ""},
		{"GET", "/subjects/other/metadata?key=a&value=b", "", 403, ""},
		{"PUT", "/config/other", `{"compatibility":"NONE"}`, 403, "may not alter"},
		{"PUT", "/config", `{"compatibility":"NONE"}`, 403, ""},
		{"GET", "/mode/other", "", 403, ""},
		{"DELETE", "/mode/other", "", 403, ""},
		{"GET", "/schemas/ids/1", "", 200, ""}, // team has it too
		{"GET", "/schemas/ids/1/subjects", "", 200, `["team"]`},
		{"GET", "/schemas/ids/2", "", 403, ""},
		{"POST", "/v1/fsck", "", 403, ""},
	} {
		if code, body := ask(r, c.method, c.path, c.body); code != c.code || !strings.Contains(body, c.shows) {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
	}
}

// A log that ends is told, and reading goes on.
func TestLostLog(t *testing.T) {
	log := &broken{Memory: NewMemory(), broke: make(chan struct{})}
	r := open(t, log, Options{})
	close(log.broke)
	for r.Healthy() == nil {
		r.view.mu.RLock()
		moved := r.view.moved
		r.view.mu.RUnlock()
		if r.Healthy() == nil {
			<-moved
		}
	}
	if code, body := ask(r, "POST", "/subjects/a/versions", aString); code != 500 || !strings.Contains(body, "lost its topic") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := ask(r, "GET", "/subjects", ""); code != 200 {
		t.Errorf("reading: %d", code)
	}
}

// A log that begins again under the registry: what was read is not in it, so the write is no success and the registry is lost.
func TestLogBeginsAgain(t *testing.T) {
	log := &swapped{Memory: NewMemory()}
	r := open(t, log, Options{})
	ask(r, "POST", "/subjects/a/versions", aString)
	log.other = NewMemory()
	if code, body := ask(r, "POST", "/subjects/b/versions", aString); code != 500 || !strings.Contains(body, "made again") {
		t.Errorf("%d %s", code, body)
	}
	<-r.Lost()
	if err := r.Healthy(); err == nil || !strings.Contains(err.Error(), "made again") {
		t.Error(err)
	}
	if code, _ := ask(r, "GET", "/subjects/a/versions/1", ""); code != 200 {
		t.Error("reading", code)
	}
}

// swapped appends to another log than it is read from.
type swapped struct {
	*Memory
	other *Memory
}

func (s *swapped) Append(ctx context.Context, writer string, writes []state.Write) (int64, error) {
	if s.other != nil {
		return s.other.Append(ctx, writer, writes)
	}
	return s.Memory.Append(ctx, writer, writes)
}

type broken struct {
	*Memory
	broke chan struct{}
}

func (b *broken) Follow(ctx context.Context, take func([]Entry)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-b.broke
		cancel()
	}()
	b.Memory.Follow(ctx, take)
	return io.ErrUnexpectedEOF
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"": contentTypes[0], "*/*": contentTypes[0], "application/*": contentTypes[0], "application/json": contentTypes[2],
		"application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json": contentTypes[0],
		"application/json, application/vnd.schemaregistry+json;q=0.3":                                   contentTypes[2],
		"text/plain": "", "application/json;q=0": "",
	} {
		if got, _ := negotiate(accept); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}
