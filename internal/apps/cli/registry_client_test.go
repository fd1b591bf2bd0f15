package cli

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// registryAt is a client of a registry at an address.
func registryAt(t *testing.T, address string) *registryClient {
	t.Helper()
	a := newApp(Hooks{Version: "1"})
	a.registryURL, a.timeout = address, 10*time.Second
	c, err := a.openRegistry()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRegistryClient: what is sent, as a server sees it: subjects in one segment, the context of the address, the password in the header.
func TestRegistryClient(t *testing.T) {
	var path, query, user, password, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		path, query, body = r.URL.EscapedPath(), r.URL.RawQuery, string(text)
		user, password, _ = r.BasicAuth()
		io.WriteString(w, `{"id":7}`)
	}))
	defer s.Close()
	c := registryAt(t, strings.Replace(s.URL, "://", "://me:secret@", 1)+"/contexts/.c/")
	var got struct{ ID int }
	err := c.do(t.Context(), "POST", at("subjects", "a/b c:ü", "versions"), map[string][]string{"normalize": {"true"}}, map[string]string{"schema": "<&>"}, &got)
	if err != nil || got.ID != 7 {
		t.Fatal(got, err)
	}
	if path != "/contexts/.c/subjects/a%2Fb%20c:%C3%BC/versions" || query != "normalize=true" || user != "me" || password != "secret" || body != `{"schema":"<&>"}` {
		t.Error(path, query, user, password, body)
	}
	if strings.Contains(c.String(), "secret") {
		t.Error("the password is shown:", c)
	}
	l, err := c.library()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.SchemaByID(t.Context(), 3); err != nil || path != "/contexts/.c/schemas/ids/3" || password != "secret" {
		t.Error(path, password, err)
	}
}

func TestRegistryErrors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			w.WriteHeader(404)
			io.WriteString(w, `{"error_code":40401,"message":"there is no subject \"x\"."}`)
		case "/slow":
			<-r.Context().Done()
		default:
			w.WriteHeader(502)
			io.WriteString(w, "<html>\nbad gateway")
		}
	}))
	defer s.Close()
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, x := range []struct {
		address, path, want string
		ctx                 context.Context
		exit                int
	}{
		{s.URL, "/refused", `there is no subject "x": see "millrace schema list"`, t.Context(), exitFailed},
		{s.URL, "/html", `answers 502 Bad Gateway, but not as a schema registry does (<html>): does --registry name one?`, t.Context(), exitFailed},
		{s.URL, "/slow", `no answer came in time from the schema registry at ` + s.URL + `: give it longer with --timeout`, short, exitUnreachable},
		{"localhost:1", "/", `cannot reach a schema registry at http://localhost:1 (connection refused)`, t.Context(), exitUnreachable},
	} {
		err := registryAt(t, x.address).get(x.ctx, x.path, nil, nil)
		if err == nil || !strings.Contains(explain(err), x.want) || exitCode(err) != x.exit {
			t.Errorf("%s%s: %v", x.address, x.path, err)
		}
	}
	if err := registryAt(t, s.URL).get(t.Context(), "/refused", nil, nil); registryCode(err) != 40401 || registryCode(errors.New("x")) != 0 {
		t.Error(err)
	}
	a := newApp(Hooks{})
	for _, bad := range []string{"ftp://x", "http://", "http://[::1"} {
		a.registryURL = bad
		if _, err := a.openRegistry(); err == nil || exitCode(err) != exitUsage {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
