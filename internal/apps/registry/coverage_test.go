package registry

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// answers are the codes that each path can give, beside those of shared and 406, which every path has. 0 is success. The table of requests has to have a row for each, so that a path cannot be added without.
var answers = map[string][]int{
	"GET /": {0}, "POST /": {0}, "GET /health": {0},
	"GET /schemas":                                              {0, 404},
	"GET /schemas/types":                                        {0},
	"GET /schemas/ids/{id}":                                     {0, 404, 40403, 42201},
	"GET /schemas/ids/{id}/schema":                              {0, 404, 40403, 42201},
	"GET /schemas/ids/{id}/subjects":                            {0, 404, 40403},
	"GET /schemas/ids/{id}/versions":                            {0, 404, 40403},
	"GET /schemas/guids/{guid}":                                 {0, 40403, 42201},
	"GET /schemas/guids/{guid}/ids":                             {0, 40403},
	"GET /subjects":                                             {0, 404, 406},
	"POST /subjects/{subject}":                                  {0, 400, 415, 422, 40401, 40403, 42201},
	"DELETE /subjects/{subject}":                                {0, 40401, 40404, 40405, 42205, 42206},
	"GET /subjects/{subject}/metadata":                          {0, 40401, 40403},
	"GET /subjects/{subject}/versions":                          {0, 404, 40401},
	"POST /subjects/{subject}/versions":                         {0, 400, 409, 415, 422, 42201, 42205, 42208, 42210},
	"GET /subjects/{subject}/versions/{version}":                {0, 40401, 40402, 42201, 42202},
	"DELETE /subjects/{subject}/versions/{version}":             {0, 40401, 40402, 40406, 40407, 42202, 42205, 42206},
	"GET /subjects/{subject}/versions/{version}/schema":         {0, 40401, 40402, 42201, 42202},
	"GET /subjects/{subject}/versions/{version}/referencedby":   {0, 404, 40401, 40402, 42202},
	"POST /subjects/{subject}/versions/{version}/tags":          {0, 400, 409, 415, 422, 40401, 40402, 42201, 42202, 42205, 42210},
	"POST /compatibility/subjects/{subject}/versions":           {0, 422, 42201, 42210},
	"POST /compatibility/subjects/{subject}/versions/{version}": {0, 400, 415, 40402, 42201, 42202},
	"GET /config": {0}, "PUT /config": {0, 400, 415, 422, 42203, 42210}, "DELETE /config": {0},
	"GET /config/{subject}": {0, 40408}, "PUT /config/{subject}": {0, 42203, 42205, 42208, 42210}, "DELETE /config/{subject}": {0, 40401, 42205},
	"GET /mode": {0}, "PUT /mode": {0, 400, 415, 422, 42204, 42205}, "DELETE /mode": {0},
	"GET /mode/{subject}": {0, 40409}, "PUT /mode/{subject}": {0, 42204, 42205, 42208}, "DELETE /mode/{subject}": {0, 40401},
	"GET /contexts": {0, 404}, "DELETE /contexts/{context}": {0, 400, 42211},
	"GET /v1/metadata/id": {0}, "GET /v1/metadata/version": {0}, "GET /v1/metadata/deployment": {0},
	"GET /v1/settings": {0}, "GET /v1/fsck": {0}, "POST /v1/fsck": {0},
}

// shared are the paths that can give a code which many can.
var shared = map[int][]string{
	50001: writers, 50002: writers,
	42209: {"POST /subjects/{subject}", "POST /subjects/{subject}/versions", "POST /compatibility/subjects/{subject}/versions",
		"POST /compatibility/subjects/{subject}/versions/{version}"},
	413: {"POST /subjects/{subject}", "POST /subjects/{subject}/versions", "POST /subjects/{subject}/versions/{version}/tags",
		"POST /compatibility/subjects/{subject}/versions", "POST /compatibility/subjects/{subject}/versions/{version}", "PUT /config",
		"PUT /config/{subject}", "PUT /mode", "PUT /mode/{subject}"},
	403: append([]string{"GET /schemas/ids/{id}", "GET /schemas/ids/{id}/schema", "POST /subjects/{subject}", "GET /subjects/{subject}/metadata",
		"GET /subjects/{subject}/versions", "GET /subjects/{subject}/versions/{version}", "GET /subjects/{subject}/versions/{version}/schema",
		"GET /subjects/{subject}/versions/{version}/referencedby", "POST /compatibility/subjects/{subject}/versions",
		"POST /compatibility/subjects/{subject}/versions/{version}", "GET /config", "DELETE /config", "GET /config/{subject}", "GET /mode",
		"DELETE /mode", "GET /mode/{subject}", "GET /v1/settings", "GET /v1/fsck"}, writers...),
}

// writers are the paths that write; those that take away what is set for all have nothing to write in the registry that is asked.
var writers = []string{"POST /subjects/{subject}/versions", "POST /subjects/{subject}/versions/{version}/tags", "DELETE /subjects/{subject}",
	"DELETE /subjects/{subject}/versions/{version}", "PUT /config", "PUT /config/{subject}", "DELETE /config/{subject}", "PUT /mode",
	"PUT /mode/{subject}", "DELETE /mode/{subject}", "DELETE /contexts/{context}", "POST /v1/fsck"}

// Every path has a row for its success and for each of its errors.
//
//	go test ./internal/apps/registry -run Covers -v    shows how many rows each has
func TestTableCoversPaths(t *testing.T) {
	rows := map[string]map[int]int{}
	for _, x := range readExchanges(t, "testdata/requests.txt") {
		u, err := url.Parse(fill(x.path, map[string]string{"guid": "g"}))
		if err != nil {
			continue
		}
		segments, _, err := contextFilter(u)
		for i := range routes {
			r := &routes[i]
			if err != nil && r.pattern == "/contexts/{context}" || err == nil && r.matches(segments, map[string]string{}) {
				key := x.method + " " + r.pattern
				if rows[key] == nil {
					rows[key] = map[int]int{}
				}
				rows[key][x.code]++
				break
			}
		}
	}
	for i := range routes {
		r := &routes[i]
		for method := range r.methods {
			key := method + " " + r.pattern
			wanted, known := answers[key]
			if !known {
				t.Errorf("%s is in no list of answers", key)
			}
			wanted = slices.Clone(wanted)
			for code, paths := range shared {
				if slices.Contains(paths, key) {
					wanted = append(wanted, code)
				}
			}
			for _, code := range wanted {
				if rows[key][code] == 0 {
					t.Errorf("%s: no row that answers %d", key, code)
				}
			}
			t.Logf("%-62s %s", key, counted(rows[key]))
		}
	}
}

// Every path refuses the methods that it does not know, and says which it knows.
func TestOtherMethods(t *testing.T) {
	r := open(t, NewMemory(), Options{})
	for i := range routes {
		path := strings.NewReplacer("{", "", "}", "").Replace(routes[i].pattern)
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, httptest.NewRequest("PATCH", path, nil))
		for method := range routes[i].methods {
			if w.Code != 405 || !strings.Contains(w.Header().Get("Allow"), method) {
				t.Errorf("%s: %d, Allow: %s", path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

func counted(rows map[int]int) string {
	var codes []int
	for code := range rows {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	var words []string
	for _, code := range codes {
		name := fmt.Sprint(code)
		if code == 0 {
			name = "ok"
		}
		words = append(words, fmt.Sprintf("%s %d", name, rows[code]))
	}
	return strings.Join(words, ", ")
}
