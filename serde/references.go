package serde

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
)

// A reference is a schema that another one refers to by a name.
type reference struct {
	name string
	sr.Schema
}

// What the schemas of a registry may cost a program. A registry of ours lets nothing in that is larger.
const (
	maxSchemaText  = 1 << 20
	maxReferences  = 128
	maxClosureText = 4 << 20
	maxTextDepth   = 1000 // of JSON, in schemas and in values
)

// closure fetches the references of a schema and theirs, each once, those that others refer to first.
func (r *Registry) closure(ctx context.Context, refs []sr.SchemaReference, of string) ([]reference, error) {
	w := walk{r: r, open: map[versionKey]bool{}, done: map[string]versionKey{}}
	err := w.each(ctx, refs, of)
	return w.found, err
}

type walk struct {
	r     *Registry
	open  map[versionKey]bool   // those whose references are being fetched
	done  map[string]versionKey // by name
	found []reference
	bytes int
}

func (w *walk) each(ctx context.Context, refs []sr.SchemaReference, of string) error {
	for _, ref := range refs {
		if contextOf(ref.Subject) == "" && !strings.HasPrefix(ref.Subject, ":") {
			ref.Subject = of + ref.Subject
		}
		if err := w.one(ctx, ref); err != nil {
			return fmt.Errorf("reference %s: %w", ref.Name, err)
		}
	}
	return nil
}

func (w *walk) one(ctx context.Context, ref sr.SchemaReference) error {
	key := versionKey{ref.Subject, ref.Version}
	if w.open[key] {
		return fmt.Errorf("subject %s, version %d refers to itself: register it without the circle", ref.Subject, ref.Version)
	}
	if before, ok := w.done[ref.Name]; ok {
		if before != key {
			return fmt.Errorf("it is both subject %s, version %d and subject %s, version %d: let all refer to the same",
				before.subject, before.version, key.subject, key.version)
		}
		return nil
	}
	if len(w.open)+len(w.found) >= maxReferences {
		return fmt.Errorf("the schema refers to more than %d others, all told: join some of them", maxReferences)
	}
	a, err := w.r.texts.get(ctx, key, func(ctx context.Context) (answer, error) {
		return w.r.fetchVersion(ctx, ref.Subject, ref.Version, sr.ShowDeleted) // what others refer to can still be read
	})
	if err != nil {
		return err
	}
	if w.bytes += len(a.Text); w.bytes > maxClosureText {
		return fmt.Errorf("the schema and those it refers to have more than %d bytes: split it", maxClosureText)
	}
	if err := checkSchemaText(a.Text); err != nil {
		return err
	}
	w.open[key] = true
	if err := w.each(ctx, a.References, contextOf(ref.Subject)); err != nil {
		return err
	}
	delete(w.open, key)
	w.done[ref.Name] = key
	w.found = append(w.found, reference{ref.Name, a.schema()})
	return nil
}

func checkSchemaText(text string) error {
	if len(text) > maxSchemaText {
		return fmt.Errorf("the schema has %d bytes and the limit is %d: split it into references", len(text), maxSchemaText)
	}
	return nil
}
