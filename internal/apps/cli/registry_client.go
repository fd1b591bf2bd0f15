package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// DefaultRegistry is where millrace dev serves its schema registry.
const DefaultRegistry = "http://localhost:8081"

func registryDefault() string {
	if v := os.Getenv("MILLRACE_REGISTRY"); v != "" {
		return v
	}
	return DefaultRegistry
}

// registryFlag gives --registry to the flags of a command that asks a schema registry.
func (a *app) registryFlag(f interface {
	StringVar(p *string, name, value, usage string)
}) {
	f.StringVar(&a.registryURL, "registry", registryDefault(), "address of the schema registry; user:password@ before the host signs in")
}

// registryClient asks one schema registry. Bodies pass as JSON, not as structs of a library: what this program does not know of a
// schema's metadata, rules and settings must not get lost on its way through.
type registryClient struct {
	base    *url.URL
	context string // empty: none was named
	http    *http.Client
	agent   string
	wait    time.Duration // for one answer
}

// openRegistry makes the client of --registry. It asks nothing yet.
func (a *app) openRegistry() (*registryClient, error) {
	text := a.registryURL
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	base, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usagef("--registry %s is no address: write it as http://host:8081", a.registryURL)
	}
	context := contextName(a.context)
	switch context {
	case "":
	case ".":
		base.Path += "/contexts/:.:" // a path segment of one dot would be lost on its way
	default:
		base.Path += "/contexts/" + context
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	if t.TLSClientConfig, err = a.tlsConfig(); err != nil {
		return nil, err
	}
	return &registryClient{base: base, context: context, http: &http.Client{Transport: t},
		agent: "millrace-cli/" + softwareVersion(a.hooks.Version), wait: a.timeout}, nil
}

// contextName is a context as people write it: c, .c and :.c: are one.
func contextName(s string) string {
	if s = strings.Trim(s, ":"); s == "" || strings.HasPrefix(s, ".") {
		return s
	}
	return "." + s
}

// askRegistry runs one conversation with the registry, within the time that --timeout allows.
func (a *app) askRegistry(ctx context.Context, talk func(ctx context.Context, c *registryClient) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	c, err := a.openRegistry()
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	return talk(ctx, c)
}

// library is franz-go's client of the same registry, for encoding and decoding records.
func (c *registryClient) library() (*sr.Client, error) {
	options := []sr.ClientOpt{sr.HTTPClient(&http.Client{Transport: c.http.Transport, Timeout: c.wait}), sr.UserAgent(c.agent)}
	bare := *c.base
	bare.User = nil
	if c.base.User != nil {
		password, _ := c.base.User.Password()
		options = append(options, sr.BasicAuth(c.base.User.Username(), password))
	}
	return sr.NewClient(append(options, sr.URLs(bare.String()))...)
}

// at is a path of segments that may hold anything: a subject may contain a slash.
func at(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

func (c *registryClient) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, into)
}

// do sends a request and reads the answer into a value; a refusal becomes a *registryError.
func (c *registryClient) do(ctx context.Context, method, path string, query url.Values, body, into any) error {
	text, err := c.fetch(ctx, method, path, query, body)
	if err != nil || into == nil {
		return err
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = text
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s answered %s with something else than expected: %s", c, path, firstLine(text))
	}
	return nil
}

func (c *registryClient) fetch(ctx context.Context, method, path string, query url.Values, body any) ([]byte, error) {
	var sent io.Reader
	if body != nil {
		text, err := compactJSON(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	address := c.base.String() + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	r.Header.Set("User-Agent", c.agent)
	if sent != nil {
		r.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.failed(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, c.failed(err)
	}
	if answer.StatusCode >= 300 {
		return nil, refusal(c, answer.StatusCode, text)
	}
	return text, nil
}

// compactJSON writes JSON without escapes for HTML.
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// String is the address without the password.
func (c *registryClient) String() string { return c.base.Redacted() }

// registryUnreachable: nobody serves HTTP at the address of the registry.
type registryUnreachable struct {
	address string
	cause   error
}

func (u registryUnreachable) Error() string {
	return fmt.Sprintf("cannot reach a schema registry at %s (%v): \"millrace dev\" runs one, \"millrace registry\" runs one beside another cluster, and --registry or MILLRACE_REGISTRY names it",
		u.address, u.cause)
}

// registrySilent: what serves the address of the registry did not answer in time.
type registrySilent string

func (s registrySilent) Error() string {
	return fmt.Sprintf("no answer came in time from the schema registry at %s: give it longer with --timeout, or look at its log", string(s))
}

func (c *registryClient) failed(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return registrySilent(c.String())
	case errors.Is(err, context.Canceled):
		return err
	}
	return registryUnreachable{c.String(), cause(err)}
}

// registryError is what a registry refuses, in its own words, with what to do about it.
type registryError struct {
	status         int
	Code           int             `json:"error_code"`
	Message        string          `json:"message"`
	CounterExample json.RawMessage `json:"counterExample"`
}

func refusal(c *registryClient, status int, text []byte) error {
	e := &registryError{status: status}
	if json.Unmarshal(text, e) != nil || e.Code == 0 {
		return strangeAnswer{c.String(), status, firstLine(text)}
	}
	return e
}

// strangeAnswer is a refusal that no schema registry wrote, or one that has no such path.
type strangeAnswer struct {
	address string
	status  int
	text    string
}

func (s strangeAnswer) Error() string {
	return fmt.Sprintf("%s answers %d %s, but not as a schema registry does (%s): does --registry name one?", s.address, s.status, http.StatusText(s.status), s.text)
}

// notThere tells that a registry has no such path: it is not one of ours, or an old one.
func notThere(err error) bool {
	var e *registryError
	if errors.As(err, &e) {
		return e.Code == 404 || e.status == 405
	}
	var s strangeAnswer
	return errors.As(err, &s) && (s.status == 404 || s.status == 405)
}

func (e *registryError) Error() string {
	s := strings.NewReplacer("permanent=true", "--permanent", "force=true", "--force").Replace(strings.TrimRight(e.Message, "."))
	// A sentence of our own registry ends with what to do, behind a semicolon.
	if r := registryRemedies[e.Code]; r != "" && !strings.Contains(s, "; ") && !strings.HasSuffix(s, "of its own") {
		s += ": " + r
	}
	return s
}

// registryRemedies say what to do about a refusal, by its code.
var registryRemedies = map[int]string{
	401:   "put user:password@ before the host in --registry",
	403:   "ask who runs the registry for the right to do that",
	404:   "this registry does not have that",
	409:   `"millrace schema check" shows a record that breaks`,
	40901: `"millrace schema check" shows a record that breaks`,
	40401: `see "millrace schema list"`,
	40402: `"millrace schema list" shows which versions there are`,
	40403: `see "millrace schema list"`,
	40404: "take it away for good with --permanent",
	40405: "delete it without --permanent first",
	40406: "take it away for good with --permanent",
	40407: "delete it without --permanent first",
	42205: `"millrace schema mode" shows and sets the mode, which may forbid it`,
	50001: "try again in a moment, and look at the log of the registry and of the brokers",
	50002: "try again in a moment",
	50003: "try again in a moment",
	50004: "try again in a moment",
}

// registryCode is the code with which a registry refused, or 0.
func registryCode(err error) int {
	var e *registryError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// firstLine is the beginning of an answer that cannot be read.
func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if len(line) > 120 {
		line = line[:120] + "..."
	}
	if line == "" {
		return "an empty answer"
	}
	return line
}
