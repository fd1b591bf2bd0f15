package registry

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var registryURL = flag.String("registry", "", "run testdata/requests.txt against the registry at this address, which has to be empty")

// exchange is one entry of testdata/requests.txt; its first lines say how to read it.
type exchange struct {
	line         int
	about        string
	special      string // what the registry that is asked has of its own; empty for the one of all
	method, path string
	headers      http.Header
	body         string
	status, code int
	words        string
	want         string
	wantHeaders  map[string]string
}

// TestRequests runs the table of requests and answers, in its order, against one registry.
//
//	go test ./internal/apps/registry -run Requests                                  in memory
//	go test ./internal/apps/registry -run Requests -registry http://localhost:8081  against one that runs and is empty
func TestRequests(t *testing.T) {
	base := *registryURL
	if base == "" {
		r := open(t, NewMemory(), Options{})
		server := httptest.NewServer(r.Handler())
		t.Cleanup(server.Close)
		base = server.URL
	}
	bound := map[string]string{}
	special := map[string]string{} // addresses of the special registries
	for _, x := range readExchanges(t, "testdata/requests.txt") {
		base := base
		if x.special != "" {
			if *registryURL != "" {
				continue
			}
			if special[x.special] == "" {
				special[x.special] = specialRegistry(t, x.special)
			}
			base = special[x.special]
		}
		name := fmt.Sprintf("line %d %s %s %s", x.line, x.about, x.method, x.path)
		x.run(t, strings.TrimSuffix(base, "/"), bound, name)
	}
}

// specialRegistry serves what prepared makes, with something that no registry that works has.
func specialRegistry(t *testing.T, what string) string {
	log := &slow{Memory: NewMemory()}
	r := prepared(t, log)
	switch what {
	case "small limits":
		r.o.Body, r.rules.Limits.Text = 300, 50
	case "nobody may":
		r.o.Authorizer = nobody{}
	case "the log fails":
		log.Fail(errors.New("no leader"))
	case "the log hangs":
		log.hang.Store(true)
		r.o.Timeout = 1 // a nanosecond: over at once
	default:
		t.Fatalf("testdata/requests.txt: there is no registry %q", what)
	}
	server := httptest.NewServer(r.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

type nobody struct{}

func (nobody) Authorize(_ *http.Request, a Action, subject string) error {
	return errors.New("you may not " + string(a) + " subject " + strconv.Quote(subject))
}

func (x exchange) run(t *testing.T, base string, bound map[string]string, name string) {
	t.Helper()
	h, err := http.NewRequest(x.method, base+fill(x.path, bound), strings.NewReader(fill(x.body, bound)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	h.Header = x.headers
	answer, err := http.DefaultClient.Do(h)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer answer.Body.Close()
	got, _ := io.ReadAll(answer.Body)
	if problem := x.compare(answer, got, bound); problem != "" {
		t.Errorf("%s: %s\ngot  %d %s\nwant %d %d %s%s", name, problem, answer.StatusCode, got, x.status, x.code, x.words, x.want)
	}
}

func (x exchange) compare(answer *http.Response, got []byte, bound map[string]string) string {
	if answer.StatusCode != x.status {
		return "another status"
	}
	for name, value := range x.wantHeaders {
		if answer.Header.Get(name) != value {
			return fmt.Sprintf("header %s is %q", name, answer.Header.Get(name))
		}
	}
	if x.code != 0 {
		return x.compareError(got)
	}
	if x.want == "" {
		return ""
	}
	var have, want any
	if err := json.Unmarshal(got, &have); err != nil {
		return "the answer is not JSON"
	}
	if err := json.Unmarshal([]byte(fill(x.want, bound)), &want); err != nil {
		return "the expected answer is not JSON: " + err.Error()
	}
	return differ("", have, want, bound)
}

func (x exchange) compareError(got []byte) string {
	var e errorBody
	if err := json.Unmarshal(got, &e); err != nil {
		return "the error is not JSON"
	}
	if e.Code != x.code {
		return "another code"
	}
	if e.Message == "" || !strings.Contains(e.Message, x.words) {
		return "another message"
	}
	return ""
}

// differ compares two JSON values; "<any>" fits everything, "<=name>" fits everything once and is bound to it. ts may always be there.
func differ(at string, have, want any, bound map[string]string) string {
	if text, ok := want.(string); ok && strings.HasPrefix(text, "<") && strings.HasSuffix(text, ">") {
		if name, binds := strings.CutPrefix(strings.Trim(text, "<>"), "="); binds {
			bound[name] = plainText(have)
		}
		return ""
	}
	wantMap, isMap := want.(map[string]any)
	haveMap, ok := have.(map[string]any)
	if isMap && ok {
		return differMaps(at, haveMap, wantMap, bound)
	}
	wantList, isList := want.([]any)
	haveList, ok := have.([]any)
	if isList && ok && len(wantList) == len(haveList) {
		for i := range wantList {
			if d := differ(at+"/"+strconv.Itoa(i), haveList[i], wantList[i], bound); d != "" {
				return d
			}
		}
		return ""
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Sprintf("at %s/: %v, want %v", at, have, want)
	}
	return ""
}

func differMaps(at string, have, want map[string]any, bound map[string]string) string {
	for name, w := range want {
		h, ok := have[name]
		if !ok {
			return fmt.Sprintf("at %s/%s: missing", at, name)
		}
		if d := differ(at+"/"+name, h, w, bound); d != "" {
			return d
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok && name != "ts" {
			return fmt.Sprintf("at %s/%s: not expected", at, name)
		}
	}
	return ""
}

func plainText(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

var placeholder = regexp.MustCompile(`\$\{([a-z0-9]+)\}`)

func fill(text string, bound map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string { return bound[p[2:len(p)-1]] })
}

func readExchanges(t *testing.T, path string) []exchange {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	var x *exchange
	about := ""
	special := ""
	asked := false
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for n := 1; scan.Scan(); n++ {
		line := scan.Text()
		switch {
		case strings.HasPrefix(line, "#"):
			about = strings.TrimSpace(strings.Trim(line, "#"))
		case strings.HasPrefix(line, "! "):
			special = line[2:]
		case strings.TrimSpace(line) == "":
			x = nil
		case x == nil:
			method, path, _ := strings.Cut(line, " ")
			all = append(all, exchange{line: n, about: about, special: special, method: method, path: path, headers: http.Header{}, wantHeaders: map[string]string{}})
			x, asked = &all[len(all)-1], false
		case strings.HasPrefix(line, "-> "):
			asked = true
			f := strings.SplitN(line[3:], " ", 3)
			x.status, _ = strconv.Atoi(f[0])
			if len(f) > 1 {
				x.code, _ = strconv.Atoi(f[1])
			}
			if len(f) > 2 {
				x.words = f[2]
			}
		case headerLine.MatchString(line):
			name, value, _ := strings.Cut(line, ": ")
			if asked {
				x.wantHeaders[name] = value
			} else {
				x.headers.Set(name, value)
			}
		case asked:
			x.want += line
		default:
			x.body += line
		}
	}
	return all
}

var headerLine = regexp.MustCompile(`^[A-Z][A-Za-z-]*: `)

// open opens a registry that writes at once.
func open(t testing.TB, log Log, o Options) *Registry {
	t.Helper()
	o.After = func(time.Duration) <-chan time.Time {
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}
	r, err := OpenLog(t.Context(), log, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
