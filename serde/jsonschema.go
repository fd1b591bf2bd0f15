package serde

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/sr"
)

// jsonFormat is a JSON Schema, ready to validate.
type jsonFormat struct {
	title    string
	compiled *jsonschema.Schema
}

// The address of a schema that gives itself none. Nothing is ever fetched from it, nor from any other: the loader knows the references
// and nothing else.
const (
	registryBase = "registry://schemas/"
	rootAddress  = registryBase + "?top"
)

func compileJSON(s sr.Schema, refs []reference) (*jsonFormat, error) {
	root, err := readSchemaText(s.Schema)
	if err != nil {
		return nil, fmt.Errorf("the JSON Schema cannot be read: %w", err)
	}
	load := registryLoader{}
	for _, ref := range refs {
		if ref.Type != sr.TypeJSON {
			return nil, fmt.Errorf("reference %s is of type %s: refer to JSON schemas", ref.name, ref.Type)
		}
		doc, err := readSchemaText(ref.Schema.Schema)
		if err != nil {
			return nil, fmt.Errorf("reference %s cannot be read: %w", ref.name, err)
		}
		load.add(root, ref.name, doc)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // as the clients of registries take it
	c.UseRegexpEngine(pattern)
	c.UseLoader(load)
	if err := c.AddResource(rootAddress, root); err != nil {
		return nil, fmt.Errorf("the JSON Schema cannot be used: %s", lastLine(err))
	}
	f := &jsonFormat{}
	if f.compiled, err = c.Compile(rootAddress); err != nil {
		return nil, fmt.Errorf("the JSON Schema cannot be used: %s", lastLine(err))
	}
	if m, ok := root.(map[string]any); ok {
		f.title, _ = m["title"].(string)
	}
	return f, nil
}

// knownDrafts are the addresses of drafts, without scheme and fragment.
var knownDrafts = map[string]bool{"json-schema.org/draft-04/schema": true, "json-schema.org/draft-06/schema": true, "json-schema.org/draft-07/schema": true,
	"json-schema.org/draft/2019-09/schema": true, "json-schema.org/draft/2020-12/schema": true, "json-schema.org/schema": true}

// readSchemaText reads a schema. A $schema that names no draft is left out: it is an address of people's own that nobody can open.
func readSchemaText(text string) (any, error) {
	if err := checkText([]byte(text)); err != nil {
		return nil, err
	}
	doc, err := readText([]byte(text))
	if err != nil {
		return nil, err
	}
	m, ok := doc.(map[string]any)
	if !ok {
		return doc, nil
	}
	if address, ok := m["$schema"].(string); ok {
		address, _, _ = strings.Cut(address, "#")
		address = strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
		if !knownDrafts[address] {
			delete(m, "$schema")
		}
	}
	return doc, nil
}

// registryLoader answers with the references and refuses every other address.
type registryLoader map[string]any

// add makes a reference known under its name, as seen from the schema's own address and from the registry's.
func (l registryLoader) add(root any, name string, doc any) {
	name, _, _ = strings.Cut(name, "#")
	bases := []string{registryBase}
	if m, ok := root.(map[string]any); ok {
		for _, keyword := range []string{"$id", "id"} {
			if id, ok := m[keyword].(string); ok {
				bases = append(bases, id)
			}
		}
	}
	if m, ok := doc.(map[string]any); ok {
		for _, keyword := range []string{"$id", "id"} {
			if id, ok := m[keyword].(string); ok {
				l[strings.TrimSuffix(id, "#")] = doc
			}
		}
	}
	for _, base := range bases {
		l[resolveAddress(base, name)] = doc
	}
	l[name] = doc
}

func (l registryLoader) Load(address string) (any, error) {
	if doc, ok := l[address]; ok {
		return doc, nil
	}
	return nil, fmt.Errorf("the schema has no reference with the name %s", strings.TrimPrefix(address, registryBase))
}

// pattern compiles an expression. JSON Schema speaks the dialect of ECMAScript, which has things that Go's has not: what cannot be
// translated lets every text pass, since a value must not be refused for a rule that cannot be checked here.
func pattern(text string) (jsonschema.Regexp, error) {
	if re, err := regexp.Compile(unicodeEscape.ReplaceAllString(text, `\x{$1}`)); err == nil {
		return re, nil
	}
	return anyText(text), nil
}

var unicodeEscape = regexp.MustCompile(`\\u([0-9a-fA-F]{4})`)

type anyText string

func (anyText) MatchString(string) bool { return true }
func (t anyText) String() string        { return string(t) }

func (f *jsonFormat) record() string { return f.title }

// check validates a payload.
func (f *jsonFormat) check(payload []byte) error {
	if err := checkText(payload); err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("%w: it is no JSON: %s", ErrMisfit, sentence(err.Error()))
	}
	if err := f.compiled.Validate(v); err != nil {
		return fmt.Errorf("%w: %s", ErrMisfit, firstCause(err))
	}
	return nil
}

func (f *jsonFormat) fromText(text []byte) ([]byte, []int, error) {
	payload, err := compact(text)
	if err != nil {
		return nil, nil, err
	}
	return payload, nil, f.check(payload)
}

func (f *jsonFormat) text(_ format, _ []int, payload []byte) ([]byte, error) {
	if err := f.check(payload); err != nil {
		return nil, err
	}
	return compact(payload)
}

// firstCause says where a value breaks which rule.
func firstCause(err error) string {
	var cause *jsonschema.ValidationError
	if !errors.As(err, &cause) {
		return sentence(err.Error())
	}
	for len(cause.Causes) > 0 {
		cause = cause.Causes[0]
	}
	return lastLine(cause)
}

func lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return sentence(strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- "))
}

// resolveAddress is a reference as seen from an address.
func resolveAddress(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := url.Parse(strings.NewReplacer(" ", "%20", "?", "%3F").Replace(ref))
	if err != nil {
		return ref
	}
	return b.ResolveReference(r).String()
}
