package registry

import (
	"net/http/httptest"
	"strings"
	"testing"

	"millrace/internal/apps/registry/state"
)

// What is kept of answers is never told of another request, nor after a change.
func TestKeptAnswersAreThoseOfTheRequest(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	ask := func(method, path, body string) string {
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w.Body.String()
	}
	for _, subject := range []string{"a", "b"} {
		ask("POST", "/subjects/"+subject+"/versions", `{"schema":"\"string\""}`)
	}
	requests := []string{"", "?subject=a", "?subject=b", "?fetchMaxId=false&subject=a", "?fetchMaxId=true", "?format=resolved", "?findTags=x", "?subject=:.other:a"}
	first := map[string]string{}
	for _, query := range requests {
		first[query] = ask("GET", "/schemas/ids/1"+query, "")
	}
	for _, query := range requests {
		if got := ask("GET", "/schemas/ids/1"+query, ""); got != first[query] {
			t.Errorf("%q is answered with %s, after %s", query, got, first[query])
		}
	}
	if first["?subject=a"] == first["?subject=b"] || first[""] == first["?subject=a"] || !strings.Contains(first["?fetchMaxId=true"], `"maxId":1`) {
		t.Errorf("different requests get one answer: %q", first)
	}
	ask("DELETE", "/subjects/a", "")
	if got := ask("GET", "/schemas/ids/1?subject=a", ""); !strings.Contains(got, `"deleted":true`) {
		t.Errorf("after the subject was deleted: %s", got)
	}
	ask("DELETE", "/subjects/a?permanent=true", "")
	if got := ask("GET", "/schemas/ids/1?subject=a", ""); strings.Contains(got, `"subject":"a"`) {
		t.Errorf("after the subject was deleted for good: %s", got)
	}
}

func TestKeptAnswersAreBounded(t *testing.T) {
	var a answerCache
	for range 100 {
		a.put(answered{version: &state.Version{}}, make(raw, answersBytes/10))
	}
	if a.bytes > answersBytes || len(a.kept) > 10 {
		t.Errorf("%d answers of %d bytes are kept", len(a.kept), a.bytes)
	}
}
