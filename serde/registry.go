package serde

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// A Registry is a schema registry seen from a program: schemas ready to use, asked for once and remembered. It is safe for concurrent
// use; a program needs one.
type Registry struct {
	client  *sr.Client
	timeout time.Duration
	failed  time.Duration
	size    int
	now     func() time.Time

	ids      *cache[idKey, *Schema]
	versions *cache[versionKey, *Schema]
	latest   *cache[string, *Schema]
	written  *cache[writeKey, *Schema]
	texts    *cache[versionKey, answer] // of references

	mu   sync.Mutex
	down error     // guarded by mu: why the registry could not be reached
	back time.Time // guarded by mu: when it is asked again
}

// latestFor is how long a subject's latest version counts as the latest.
const latestFor = time.Minute

type idKey struct {
	context string
	id      ID
}

type versionKey struct {
	subject string
	version int
}

// writeKey is what was registered, or looked up, in which subject.
type writeKey struct {
	subject   string
	schema    *Schema
	register  bool
	normalize bool
}

// A RegistryOption changes how a Registry works.
type RegistryOption func(*Registry)

// CacheSize is how many schemas, subjects and references are remembered, each; 1000 unless told otherwise. Those that were not used for
// longest are forgotten, and asked for again when they are needed.
func CacheSize(n int) RegistryOption { return func(r *Registry) { r.size = max(n, 1) } }

// RequestTimeout is how long the registry may take for one answer, references included; 10 seconds unless told otherwise. A caller's own
// context may end the waiting earlier.
func RequestTimeout(d time.Duration) RegistryOption { return func(r *Registry) { r.timeout = d } }

// RememberFailures is how long a failure is answered without asking again, be it an id that nobody knows or a registry that cannot be
// reached; one second unless told otherwise. Without it a topic full of such records would ask for every one of them.
func RememberFailures(d time.Duration) RegistryOption { return func(r *Registry) { r.failed = d } }

// New makes a Registry of a client.
func New(client *sr.Client, options ...RegistryOption) *Registry {
	r := &Registry{client: client, timeout: 10 * time.Second, failed: time.Second, size: 1000, now: time.Now}
	for _, o := range options {
		o(r)
	}
	r.ids = newCache[idKey, *Schema](r.size, 0, r.failed, r.now)
	r.versions = newCache[versionKey, *Schema](r.size, 0, r.failed, r.now)
	r.latest = newCache[string, *Schema](r.size, latestFor, r.failed, r.now)
	r.written = newCache[writeKey, *Schema](r.size, 0, r.failed, r.now)
	r.texts = newCache[versionKey, answer](r.size, 0, r.failed, r.now)
	return r
}

// answer is what the registry says of a schema. Only what is needed is read of it, so that a registry may say more.
type answer struct {
	Subject    string               `json:"subject"`
	Version    int                  `json:"version"`
	ID         int                  `json:"id"`
	GUID       string               `json:"guid"`
	Type       sr.SchemaType        `json:"schemaType"`
	References []sr.SchemaReference `json:"references"`
	Text       string               `json:"schema"`
}

func (a answer) schema() sr.Schema {
	return sr.Schema{Schema: a.Text, Type: a.Type, References: a.References}
}

// Schema gives the schema of an id or GUID.
func (r *Registry) Schema(ctx context.Context, id ID) (*Schema, error) { return r.schema(ctx, id, "") }

// schema looks an id up in a context, like :.staging: or, for the registry's default, nothing.
func (r *Registry) schema(ctx context.Context, id ID, of string) (*Schema, error) {
	id.Header = false // where it stood makes no difference
	return r.ids.get(ctx, idKey{of, id}, func(ctx context.Context) (*Schema, error) {
		path := fmt.Sprintf("/schemas/ids/%d", id.Number)
		if id.GUID != "" {
			path = "/schemas/guids/" + id.GUID
		}
		var params []sr.Param
		if of != "" && id.GUID == "" {
			params = append(params, sr.Subject(of))
		}
		var a answer
		if err := r.ask(ctx, http.MethodGet, path, nil, &a, params...); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		if id.Number != 0 {
			a.ID = id.Number
		}
		if id.GUID != "" {
			a.GUID = id.GUID
		}
		s, err := r.compile(ctx, a, of)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		return s, nil
	})
}

// Latest is the version that asks for a subject's newest.
const Latest = -1

// Version gives a version of a subject. What the latest is, is asked again after a minute.
func (r *Registry) Version(ctx context.Context, subject string, version int) (*Schema, error) {
	fetch := func(ctx context.Context) (*Schema, error) {
		a, err := r.fetchVersion(ctx, subject, version)
		if err != nil {
			return nil, err
		}
		s, err := r.compile(ctx, a, contextOf(subject))
		if err != nil {
			return nil, fmt.Errorf("subject %s version %d: %w", subject, a.Version, err)
		}
		return s, nil
	}
	if version == Latest {
		return r.latest.get(ctx, subject, fetch)
	}
	return r.versions.get(ctx, versionKey{subject, version}, fetch)
}

func (r *Registry) fetchVersion(ctx context.Context, subject string, version int, params ...sr.Param) (a answer, err error) {
	name := fmt.Sprint(version)
	if version == Latest {
		name = "latest"
	}
	err = r.ask(ctx, http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/versions/"+name, nil, &a, params...)
	if err != nil {
		err = fmt.Errorf("subject %s, version %s: %w", subject, name, err)
	}
	return a, err
}

// Parse makes a schema ready to use that need not be registered. The registry is asked for its references only.
func (r *Registry) Parse(ctx context.Context, s sr.Schema) (*Schema, error) {
	within, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.compile(within, answer{Type: s.Type, Text: s.Schema, References: s.References}, "")
}

// write registers a schema in a subject, or looks it up there.
func (r *Registry) write(ctx context.Context, subject string, s *Schema, o *options) (*Schema, error) {
	return r.written.get(ctx, writeKey{subject, s, o.register, o.normalize}, func(ctx context.Context) (*Schema, error) {
		text, err := r.referred(ctx, subject, s, o)
		if err != nil {
			return nil, fmt.Errorf("subject %s: %w", subject, err)
		}
		return r.registered(ctx, subject, s, text, o)
	})
}

func (r *Registry) registered(ctx context.Context, subject string, s *Schema, text sr.Schema, o *options) (*Schema, error) {
	path := "/subjects/" + url.PathEscape(subject)
	if o.register {
		path += "/versions"
	}
	var params []sr.Param
	if o.normalize {
		params = append(params, sr.Normalize)
	}
	var a answer
	if err := r.ask(ctx, http.MethodPost, path, text, &a, params...); err != nil {
		if !o.register && errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("subject %s: the schema is %w: register it first, or leave NoRegister out", subject, ErrNotFound)
		}
		return nil, fmt.Errorf("subject %s: %w", subject, err)
	}
	if o.header && a.GUID == "" { // older releases name it only here
		known, err := r.schema(ctx, ID{Number: a.ID}, contextOf(subject))
		if err != nil {
			return nil, err
		}
		a.GUID = known.GUID
	}
	with := *s
	with.ID, with.GUID, with.Subject, with.Version = a.ID, a.GUID, subject, a.Version
	return &with, nil
}

// ask makes one request. Once the registry could not be reached, nobody asks again for a while.
func (r *Registry) ask(ctx context.Context, method, path string, body, into any, params ...sr.Param) error {
	if err := r.unreachable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ctx = sr.InContext(ctx, "") // a caller's context must not decide what is remembered for all
	err := r.client.Do(sr.WithParams(ctx, params...), method, path, body, into)
	var refused *sr.ResponseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*json.SyntaxError)), errors.As(err, new(*json.UnmarshalTypeError)):
		return fmt.Errorf("what answers is no schema registry (%s): correct its address", sentence(err.Error()))
	case !errors.As(err, &refused):
		return r.lost(err)
	case refused.StatusCode == http.StatusNotFound && refused.ErrorCode >= 40400 && refused.ErrorCode < 40500:
		return fmt.Errorf("%w: %s", ErrNotFound, sentence(refused.Message))
	case refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the schema registry refuses (HTTP %d: %s): give its client the credentials it wants", refused.StatusCode, sentence(refused.Error()))
	}
	return fmt.Errorf("the schema registry answers %d: %s", refused.StatusCode, sentence(refused.Error()))
}

func (r *Registry) unreachable() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil && r.now().Before(r.back) {
		return r.down
	}
	return nil
}

func (r *Registry) lost(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = fmt.Errorf("%w (%s): start it, or correct its address", ErrUnreachable, sentence(err.Error()))
	r.back = r.now().Add(r.failed)
	return r.down
}

// sentence is what somebody else said, in one line of bounded length.
func sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "..."
	}
	return strings.TrimSuffix(text, ".")
}
