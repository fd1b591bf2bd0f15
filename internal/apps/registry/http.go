package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// offsetHeader carries the offset up to which an answer knows the log. Sent with a request it is a minimum to wait for.
const offsetHeader = "X-Registry-Offset"

// Handler serves the REST interface.
func (r *Registry) Handler() http.Handler { return http.HandlerFunc(r.serve) }

// route is one path with its methods. Segments in braces are parameters.
type route struct {
	pattern  string
	segments []string
	methods  map[string]func(*request) (any, error)
}

// on makes a route.
func on(pattern string, methods map[string]func(*request) (any, error)) route {
	return route{pattern, strings.Split(strings.Trim(pattern, "/"), "/"), methods}
}

// routes are collected from the files of the resources.
var routes = concat(rootRoutes(), schemasRoutes(), subjectsRoutes(), versionsRoutes(), compatibilityRoutes(), configRoutes(), modeRoutes(),
	contextsRoutes(), serverRoutes(), fsckRoutes(), settingsRoutes())

func concat(lists ...[]route) (all []route) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// request is one call on its way.
type request struct {
	*Registry
	http  *http.Request
	ctx   context.Context
	path  map[string]string
	query url.Values
	allow string // the methods of the path, when another was used

	rules  state.Rules // those of the registry, with parse and compared in front
	parsed parsed
	sent   []byte // the body, once it was read
}

// failure is an error of the HTTP layer: its status is its code.
func failure(status int, message string) error { return &state.Error{Code: status, Message: message} }

// noContent is the answer of a deletion that has nothing to tell.
type noContent struct{}

func (r *Registry) serve(w http.ResponseWriter, h *http.Request) {
	began := r.o.Now()
	pattern, status := r.answer(w, h)
	if hook := r.o.Metrics.Request; hook != nil {
		hook(h.Method, pattern, status, r.o.Now().Sub(began))
	}
}

func (r *Registry) answer(w http.ResponseWriter, h *http.Request) (pattern string, status int) {
	kind, ok := negotiate(h.Header.Get("Accept"))
	if !ok {
		return "", r.write406(w)
	}
	w.Header().Set("Content-Type", kind)
	ctx, cancel := context.WithTimeout(h.Context(), r.o.Timeout)
	defer cancel()
	q := &request{Registry: r, http: h, ctx: ctx, path: map[string]string{}, rules: r.rules}
	q.rules.Parse, q.rules.Compare = q.parse, q.compared
	pattern, reply, err := q.dispatch()
	if q.allow != "" {
		w.Header().Set("Allow", q.allow)
	}
	if err != nil {
		return pattern, r.writeError(w, err)
	}
	r.stamp(w)
	switch body := reply.(type) {
	case noContent:
		w.WriteHeader(http.StatusNoContent)
		return pattern, http.StatusNoContent
	case raw:
		send(w, http.StatusOK, body)
	default:
		send(w, http.StatusOK, encode(reply))
	}
	return pattern, http.StatusOK
}

// send writes an answer with its length: without it, an answer of more than 2 KiB would go out in chunks.
func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// raw is an answer that is JSON, or text of a schema, already.
type raw []byte

// encode writes JSON without escapes for HTML and without a line's end.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte(`{"error_code":500,"message":"the answer cannot be written as JSON"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (r *Registry) stamp(w http.ResponseWriter) {
	r.Look(func(s *state.State) { w.Header().Set(offsetHeader, strconv.FormatInt(s.Next()-1, 10)) })
}

type errorBody struct {
	Code           int             `json:"error_code"`
	Message        string          `json:"message"`
	CounterExample json.RawMessage `json:"counterExample,omitempty"`
}

func (r *Registry) writeError(w http.ResponseWriter, err error) int {
	e := &state.Error{Code: state.StoreFailed, Message: err.Error()}
	if !errors.As(err, &e) {
		r.o.Logger.Error("a request failed", "error", err)
	}
	status := e.Code
	for status > 999 {
		status /= 10
	}
	r.stamp(w)
	send(w, status, encode(errorBody{e.Code, e.Message, e.CounterExample}))
	return status
}

func (r *Registry) write406(w http.ResponseWriter) int {
	w.Header().Set("Content-Type", contentTypes[0])
	return r.writeError(w, failure(http.StatusNotAcceptable, "none of the accepted content types can be given; ask for "+contentTypes[0]))
}

// dispatch finds the handler of a path and calls it.
func (q *request) dispatch() (pattern string, reply any, err error) {
	segments, query, err := contextFilter(q.http.URL)
	if err != nil {
		return "", nil, err
	}
	q.query = query
	allowed := []string{}
	for i := range routes {
		route := &routes[i]
		if !route.matches(segments, q.path) {
			continue
		}
		pattern = route.pattern
		allowed = append(allowed, slices.Sorted(maps.Keys(route.methods))...)
		method := q.http.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		handle := route.methods[method]
		if handle == nil {
			continue
		}
		if err := q.before(); err != nil {
			return pattern, nil, err
		}
		q.alias(segments[0])
		if method == http.MethodGet || pattern == "/subjects/{subject}" && method == http.MethodPost {
			reply, err = q.again(handle)
		} else {
			reply, err = handle(q)
		}
		return pattern, reply, err
	}
	if len(allowed) > 0 {
		q.allow = strings.Join(allowed, ", ")
		if q.http.Method == http.MethodOptions {
			return pattern, noContent{}, nil
		}
		return pattern, nil, failure(http.StatusMethodNotAllowed, "the method "+q.http.Method+" is not for this path; it knows "+q.allow)
	}
	return "", nil, failure(http.StatusNotFound, "there is nothing at "+q.http.URL.Path)
}

func (t *route) matches(segments []string, into map[string]string) bool {
	if len(segments) != len(t.segments) {
		return false
	}
	for i, want := range t.segments {
		if !strings.HasPrefix(want, "{") && want != segments[i] {
			return false
		}
	}
	clear(into)
	for i, want := range t.segments {
		if strings.HasPrefix(want, "{") {
			into[strings.Trim(want, "{}")] = segments[i]
		}
	}
	return true
}

// before checks what all requests share: the body's type, and the offset that the caller has seen elsewhere.
func (q *request) before() error {
	if q.http.Method == http.MethodPost || q.http.Method == http.MethodPut {
		if !readable(q.http.Header.Get("Content-Type")) {
			return failure(http.StatusUnsupportedMediaType, "a body has to be of type "+contentTypes[0]+" or application/json")
		}
		if packed := q.http.Header.Get("Content-Encoding"); packed != "" && !strings.EqualFold(packed, "identity") {
			return failure(http.StatusUnsupportedMediaType, "a body has to be sent as it is, not in the encoding "+strconv.Quote(packed))
		}
	}
	least := q.http.Header.Get(offsetHeader)
	if least == "" {
		return nil
	}
	offset, err := strconv.ParseInt(least, 10, 64)
	if err != nil {
		return failure(http.StatusBadRequest, "the header "+offsetHeader+" has to be a number")
	}
	if err := q.view.wait(q.ctx, offset); err != nil {
		return timedOut()
	}
	return nil
}

// alias puts the subject that another one stands for in its place, except where settings are made.
func (q *request) alias(resource string) {
	if subject, ok := q.path["subject"]; ok && (resource == "subjects" || resource == "compatibility") {
		q.Look(func(s *state.State) { q.path["subject"] = s.Alias(subject) })
	}
}

// body reads the body into a value.
func (q *request) body(into any) error {
	if q.sent == nil {
		var err error
		if q.sent, err = io.ReadAll(io.LimitReader(q.http.Body, q.o.Body+1)); err != nil {
			return failure(http.StatusBadRequest, "the body cannot be read: "+err.Error())
		}
	}
	text := q.sent
	if int64(len(text)) > q.o.Body {
		return failure(http.StatusRequestEntityTooLarge, "the body has more than "+strconv.FormatInt(q.o.Body, 10)+" bytes, which is the limit")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return failure(http.StatusUnprocessableEntity, "the request needs a body")
	}
	if !json.Valid(text) {
		return failure(http.StatusBadRequest, "the body is not JSON")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return failure(http.StatusUnprocessableEntity, "the body does not have the expected form: "+state.Misfit(err))
	}
	return nil
}

// flag is a parameter that is true or false; everything but true is false, as clients expect.
func (q *request) flag(name string) bool { return strings.EqualFold(q.query.Get(name), "true") }

func (q *request) subject() string { return q.path["subject"] }

// filter reads deleted and deletedOnly.
func (q *request) filter() state.Filter {
	switch {
	case q.flag("deletedOnly"):
		return state.DeletedOnly
	case q.flag("deleted"):
		return state.WithDeleted
	}
	return state.LiveOnly
}

// version reads a version from the path.
func (q *request) version() (int, error) {
	text := strings.TrimSpace(q.path["version"])
	if strings.EqualFold(text, "latest") {
		return state.Latest, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n == 0 || n < state.Latest {
		return 0, &state.Error{Code: state.InvalidVersion, Message: strconv.Quote(text) + ` is no version; give a number from 1 to 2147483647, or "latest"`}
	}
	return int(n), nil
}

// page cuts a list by offset and limit; most is the longest page.
func page[T any](q *request, list []T, most int) ([]T, error) {
	offset, err := q.number("offset", 0)
	if err != nil {
		return nil, err
	}
	limit, err := q.number("limit", -1)
	if err != nil {
		return nil, err
	}
	list = list[min(max(offset, 0), len(list)):]
	if most > 0 && (limit < 0 || limit > most) {
		limit = most
	}
	if limit >= 0 {
		list = list[:min(limit, len(list))]
	}
	if list == nil {
		list = []T{}
	}
	return list, nil
}

func (q *request) number(name string, otherwise int) (int, error) {
	text := q.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		// As the registries before us: a parameter that is no number means that there is no such page.
		return 0, failure(http.StatusNotFound, "the parameter "+name+" has to be a number")
	}
	return int(n), nil
}

// parsing is the time that schemas of this request may take.
func (q *request) parsing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(q.ctx, q.o.ParseTimeout)
}

// parseFirst parses a schema before the state is held or the writer waits: a hostile one then costs its sender only.
func (q *request) parseFirst(ctx context.Context, subject string, text schema.Schema) error {
	if text.Text == "" {
		return nil
	}
	var p state.Prepared
	var refused *state.Error
	q.Look(func(s *state.State) { p, refused = s.Prepare(ctx, q.rules, subject, text) })
	if refused != nil {
		return nil // the decision says so, in its order
	}
	return fault(p.Parse(ctx, q.rules))
}

// may asks the authorizer.
func (q *request) may(a Action, subject string) error {
	if err := q.o.Authorizer.Authorize(q.http, a, subject); err != nil {
		return failure(http.StatusForbidden, err.Error())
	}
	return nil
}

// visible leaves out what the caller may not read.
func visible[T any](q *request, list []T, subject func(T) string) []T {
	if _, all := q.o.Authorizer.(everybody); all {
		return list
	}
	var shown []T
	for _, item := range list {
		if q.o.Authorizer.Authorize(q.http, Read, subject(item)) == nil {
			shown = append(shown, item)
		}
	}
	return shown
}

// fault makes a nil *state.Error a nil error.
func fault(e *state.Error) error {
	if e == nil {
		return nil
	}
	return e
}
