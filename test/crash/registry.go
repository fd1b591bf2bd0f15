package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"millrace/test/target"
)

// registryClients register schemas at the same time.
const registryClients = 50

// registryContents is how many schemas they share, so that many of them want the same one at the same moment.
const registryContents = 400

// registryCrash is a schema registry that is killed while schemas are registered: with its node around it, or alone beside a broker
// that lives on.
type registryCrash struct {
	*crash
	url    string          // the same after each start
	beside *target.Process // nil when the registry is inside the node
	http   *http.Client

	mu       sync.Mutex
	answers  map[place]answer // guarded by mu
	contents map[string]int   // guarded by mu; id by content, as acknowledged
	ids      map[int]string   // guarded by mu; content by id, as acknowledged
	acked    int              // guarded by mu
	refused  map[string]int   // guarded by mu; answers that are no success, by their text
	longest  time.Duration    // guarded by mu; time without an acknowledgement
	last     time.Time        // guarded by mu
}

// place is what was asked for: a content under a subject.
type place struct{ subject, content string }

// answer is what was said of it.
type answer struct {
	ID      int    `json:"id"`
	Version int    `json:"version"`
	GUID    string `json:"guid"`
}

// registryKill kills the registry twice as often as other scenarios kill, since it is small and back at once.
func (c *crash) registryKill() error {
	began := time.Now()
	r := &registryCrash{crash: c, answers: map[place]answer{}, contents: map[string]int{}, ids: map[int]string{}, refused: map[string]int{}, last: time.Now()}
	r.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: registryClients}}
	defer r.http.CloseIdleConnections()
	if err := r.serve(); err != nil {
		return err
	}
	defer r.end()
	if err := r.prepare(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(c.ctx)
	var clients sync.WaitGroup
	for i := range registryClients {
		clients.Go(func() { r.register(ctx, i) })
	}
	err := r.killAgainAndAgain()
	stop()
	clients.Wait()
	if err == nil {
		r.checkAll("at the end")
	}
	return r.verdict(err, time.Since(began))
}

// serve starts the registry beside the broker; inside the node it is there already.
func (r *registryCrash) serve() error {
	if r.registry == "inside" {
		if r.url == "" {
			r.url = r.broker.URL()
		}
		return nil
	}
	o := target.Options{Kind: "registry", Binary: r.binary, Bootstrap: r.broker.Addr(), Dir: filepath.Join(r.dir, "registry"), Core: -1,
		Log: filepath.Join(r.dir, "registry.log")}
	if r.beside != nil {
		o.Port = r.beside.Port
	}
	p, err := target.Start(r.ctx, o)
	if err != nil {
		return err
	}
	r.beside = p
	if r.url == "" {
		r.url = p.URL()
	}
	return nil
}

func (r *registryCrash) end() {
	if r.beside != nil {
		r.beside.Kill()
	}
}

// prepare lets every subject take every schema.
func (r *registryCrash) prepare() error {
	code, body, err := r.ask(r.ctx, "PUT", "/config", `{"compatibility":"NONE"}`)
	if err == nil && code != 200 {
		err = fmt.Errorf("the level cannot be set: %d %s", code, body)
	}
	return err
}

func (r *registryCrash) killAgainAndAgain() error {
	for r.broken < 2*r.cycles {
		wait(r.ctx, r.runner.pause/10+time.Duration(r.rng.Int64N(int64(r.runner.pause/5))))
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		r.broken++
		if r.beside != nil {
			r.beside.Kill()
		} else {
			r.broker.Kill()
			if err := r.start(""); err != nil {
				return fmt.Errorf("cycle %d: start again: %w", r.broken, err)
			}
		}
		if err := r.serve(); err != nil {
			return fmt.Errorf("cycle %d: start again: %w", r.broken, err)
		}
		r.checkAll(fmt.Sprintf("after kill %d", r.broken))
	}
	return nil
}

// ask makes one request.
func (r *registryCrash) ask(ctx context.Context, method, path, body string) (int, []byte, error) {
	h, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	h.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	got, err := r.http.Do(h)
	if err != nil {
		return 0, nil, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return got.StatusCode, text, err
}

// register is one client: it registers shared schemas and some of its own, and remembers what it was answered.
func (r *registryCrash) register(ctx context.Context, client int) {
	rng := rand.New(rand.NewPCG(r.seed, uint64(client)))
	for own := 0; ctx.Err() == nil; {
		content := fmt.Sprintf("Shared%d", rng.IntN(registryContents))
		if rng.IntN(3) == 0 {
			content = fmt.Sprintf("Own%d_%d", client, own)
			own++
		}
		p := place{fmt.Sprintf("subject-%d", rng.IntN(100)), content}
		code, text, err := r.ask(ctx, "POST", "/subjects/"+p.subject+"/versions", registration(content))
		if err != nil {
			wait(ctx, 5*time.Millisecond) // nobody listens for a moment
			continue
		}
		r.note(p, code, text)
	}
}

// schemaOf is the text of a content, in the form in which it is stored.
func schemaOf(content string) string {
	return `{"type":"record","name":"` + content + `","fields":[{"name":"f","type":"int"}]}`
}

func registration(content string) string {
	b, _ := json.Marshal(map[string]string{"schema": schemaOf(content)})
	return string(b)
}

// note keeps an answer, and looks at once whether it fits all others: one id for a content, one content for an id.
func (r *registryCrash) note(p place, code int, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if code != 200 {
		r.refused[fmt.Sprintf("%d %s", code, text)]++
		if code != 500 || strings.Contains(string(text), "another") {
			r.find("%s was refused: %d %s", p.content, code, text)
		}
		return
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil || a.ID < 1 || a.Version < 1 {
		r.find("an answer that cannot be read: %s", text)
		return
	}
	now := time.Now()
	r.longest, r.last = max(r.longest, now.Sub(r.last)), now
	r.acked++
	if id, known := r.contents[p.content]; known && id != a.ID {
		r.find("%s has the ids %d and %d", p.content, id, a.ID)
	}
	if content, known := r.ids[a.ID]; known && content != p.content {
		r.find("id %d was given to %s and to %s", a.ID, content, p.content)
	}
	if before, known := r.answers[p]; known && before != a {
		r.find("%s under %s was %+v and is %+v", p.content, p.subject, before, a)
	}
	r.contents[p.content], r.ids[a.ID], r.answers[p] = a.ID, p.content, a
}

func (r *registryCrash) find(format string, args ...any) {
	if len(r.found) < 20 {
		r.found = append(r.found, fmt.Sprintf(format, args...))
	}
}

// checkAll reads everything that was acknowledged until now.
func (r *registryCrash) checkAll(when string) {
	r.mu.Lock()
	answers := make(map[place]answer, len(r.answers))
	for p, a := range r.answers {
		answers[p] = a
	}
	r.mu.Unlock()
	var found []string
	for p, a := range answers {
		if err := r.check(p, a); err != nil {
			found = append(found, fmt.Sprintf("%s: %s under %s: %v", when, p.content, p.subject, err))
		}
	}
	code, text, err := r.ask(r.ctx, "GET", "/v1/fsck", "")
	if err != nil || code != 200 || string(text) != `{"findings":[]}` {
		found = append(found, fmt.Sprintf("%s: fsck: %d %s %v", when, code, text, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range found {
		r.find("%s", f)
	}
}

// check reads one acknowledged schema by its subject and version and by its id.
func (r *registryCrash) check(p place, a answer) error {
	code, text, err := r.ask(r.ctx, "GET", fmt.Sprintf("/subjects/%s/versions/%d", url.PathEscape(p.subject), a.Version), "")
	if err != nil {
		return err
	}
	var got struct {
		answer
		Schema string `json:"schema"`
	}
	if code != 200 || json.Unmarshal(text, &got) != nil || got.answer != a || got.Schema != schemaOf(p.content) {
		return fmt.Errorf("acknowledged as %+v, and read as %d %s", a, code, text)
	}
	code, text, err = r.ask(r.ctx, "GET", fmt.Sprintf("/schemas/ids/%d/schema", a.ID), "")
	if err == nil && (code != 200 || string(text) != schemaOf(p.content)) {
		err = fmt.Errorf("id %d was acknowledged, and is read as %d %s", a.ID, code, text)
	}
	return err
}

func (r *registryCrash) verdict(err error, took time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := fmt.Sprintf("%-20s %d times on %s, %.0fs, seed %d: %d registrations acknowledged, %d contents, %d answers of failure, longest time without an acknowledgement %.1fs",
		r.name, r.broken, r.kind, took.Seconds(), r.seed, r.acked, len(r.contents), sum(r.refused), r.longest.Seconds())
	if len(r.found) > 0 {
		err = errors.Join(err, errors.New(strings.Join(r.found, "\n")))
	}
	if err == nil && r.acked < 100*r.broken {
		err = errors.New("too little was acknowledged: nothing was tried")
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(r.dir, "registry.log"))
		return fmt.Errorf("%s\n%w\n%s\nrepeat with go run ./test/crash -broker %s -run '%s$' -seed %d", line, err, log, r.kind, r.name, r.seed)
	}
	fmt.Println("ok   ", line)
	return nil
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
