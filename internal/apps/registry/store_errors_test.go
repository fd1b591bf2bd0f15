package registry

import (
	"context"
	"errors"
	"strings"
	"testing"

	"millrace/internal/apps/registry/state"
)

// writing are requests that write, one for each path that does, on the subjects of prepared.
var writing = []struct{ method, path, body string }{
	{"POST", "/subjects/a/versions", `{"schema":"\"int\""}`},
	{"POST", "/subjects/a/versions/1/tags", `{"metadata":{"properties":{"a":"b"}}}`},
	{"DELETE", "/subjects/a", ""},
	{"DELETE", "/subjects/a/versions/1", ""},
	{"DELETE", "/subjects/gone?permanent=true", ""},
	{"DELETE", "/subjects/gone/versions/1?permanent=true", ""},
	{"PUT", "/config", `{"compatibility":"NONE"}`},
	{"PUT", "/config/b", `{"compatibility":"NONE"}`},
	{"DELETE", "/config/a", ""},
	{"PUT", "/mode", `{"mode":"READONLY"}`},
	{"PUT", "/mode/b", `{"mode":"IMPORT"}`},
	{"DELETE", "/mode/a", ""},
	{"DELETE", "/contexts/.empty", ""},
	{"POST", "/v1/fsck", ""},
}

// prepared is a registry on which every request of writing has something to write.
func prepared(t *testing.T, log Log) *Registry {
	t.Helper()
	r := open(t, log, Options{})
	for _, h := range []struct{ method, path, body string }{
		{"POST", "/subjects/a/versions", aString}, {"POST", "/subjects/gone/versions", aString}, {"DELETE", "/subjects/gone", ""},
		{"PUT", "/config/a", `{"compatibility":"NONE"}`}, {"PUT", "/mode/a", `{"mode":"READWRITE"}`},
		{"POST", "/contexts/.empty/subjects/s/versions", aString}, {"DELETE", "/contexts/.empty/subjects/s", ""},
		{"DELETE", "/contexts/.empty/subjects/s?permanent=true", ""},
	} {
		if code, body := ask(r, h.method, h.path, h.body); code != 200 {
			t.Fatal(h.method, h.path, code, body)
		}
	}
	// Deleted under another spelling of its key: what fsck mends.
	for _, w := range []state.Write{{Key: []byte(`{"keytype":"MODE","subject":"z","magic":0}`), Value: []byte(`{"mode":"READONLY"}`)},
		{Key: []byte(`{"magic":0,"keytype":"MODE","subject":"z"}`)}} {
		last, err := log.Append(t.Context(), r.me, []state.Write{w})
		if err == nil {
			err = r.view.wait(t.Context(), last)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// A log that refuses and one that never answers: every path that writes says 50001 and 50002, and what it would have changed is as before.
func TestStoreErrors(t *testing.T) {
	for _, c := range []struct {
		fail error
		code string
	}{{errors.New("no leader"), "50001"}, {context.DeadlineExceeded, "50002"}} {
		for _, h := range writing {
			log := &slow{Memory: NewMemory()}
			r := prepared(t, log)
			var before, after string
			r.Look(func(s *state.State) { before = s.Dump() })
			if c.code == "50001" {
				log.Fail(c.fail)
			} else {
				log.hang.Store(true)
				r.o.Timeout = 1 // a nanosecond: over at once
			}
			code, body := ask(r, h.method, h.path, h.body)
			if code != 500 || !strings.Contains(body, c.code) {
				t.Errorf("%s %s: %d %s, want %s", h.method, h.path, code, body, c.code)
			}
			r.Look(func(s *state.State) { after = s.Dump() })
			if before != after {
				t.Errorf("%s %s changed something", h.method, h.path)
			}
		}
	}
}
