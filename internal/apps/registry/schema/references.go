package schema

import (
	"strconv"
	"strings"
)

// Resolved is one schema of a closure of references, under the subject and version it is registered as.
type Resolved struct {
	Subject string
	Version int
	Schema  Schema
}

// named is a referenced schema under the name by which the schemas before it in the walk call it.
type named struct {
	Name string
	Resolved
}

type subjectVersion struct {
	subject string
	version int
}

func (k subjectVersion) String() string {
	return "subject " + quoted(k.subject) + " version " + strconv.Itoa(k.version)
}

func quoted(s string) string { return strconv.Quote(s) }

// Closure loads everything that s refers to, at any distance, each schema once. load answers with a nil schema when there is none.
func Closure(s Schema, load func(Reference) (*Schema, error), o Options) ([]Resolved, error) {
	limits := o.Limits.orDefaults()
	var closure []Resolved
	seen := map[subjectVersion]bool{}
	bytes := len(s.Text)
	waiting := s.References
	for len(waiting) > 0 {
		ref := waiting[0]
		waiting = waiting[1:]
		key := subjectVersion{ref.Subject, ref.Version}
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := checkTime(o.context()); err != nil {
			return nil, err
		}
		found, err := load(ref)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, missing(ref)
		}
		bytes += len(found.Text)
		if err := limits.checkClosure(ref, len(closure)+1, bytes); err != nil {
			return nil, err
		}
		closure = append(closure, Resolved{ref.Subject, ref.Version, *found})
		waiting = append(waiting, found.References...)
	}
	return closure, nil
}

func (l Limits) checkClosure(ref Reference, schemas, bytes int) error {
	if schemas > l.References {
		return tooLargef(ref.place(), "the schema needs more than %d others; refer to fewer", l.References)
	}
	if bytes > l.Closure {
		return tooLargef(ref.place(), "the schema and all it refers to have more than %d bytes; refer to smaller schemas", l.Closure)
	}
	return nil
}

func missing(ref Reference) error {
	return badReferencef(ref.place(), "%s does not exist; register it first or correct the reference",
		subjectVersion{ref.Subject, ref.Version})
}

// dependencyOrder walks the references of s, each schema after those that it refers to. Like the registries before us it keeps one
// meaning per name for the whole walk: two schemas that call different things by one name are refused when the schema is new, and
// the first met wins when it is stored already.
func dependencyOrder(s Schema, refs []Resolved, o Options) ([]named, error) {
	w := walk{o: o, known: map[subjectVersion]Resolved{}, names: map[string]subjectVersion{}, bytes: len(s.Text)}
	for _, r := range refs {
		w.known[subjectVersion{r.Subject, r.Version}] = r
	}
	if err := w.visit(s, nil); err != nil {
		return nil, err
	}
	return w.order, nil
}

type walk struct {
	o     Options
	known map[subjectVersion]Resolved
	names map[string]subjectVersion
	bytes int
	order []named
}

// visit appends what s refers to. path is the chain of schemas that led here.
func (w *walk) visit(s Schema, path []subjectVersion) error {
	direct := map[string]bool{}
	for _, ref := range s.References {
		key := subjectVersion{ref.Subject, ref.Version}
		if ref.Name == "" {
			return badReferencef("", "a reference to %s has no name; give the name that the schema uses for it", key)
		}
		before, doubled := w.names[ref.Name]
		if doubled && before != key && (w.o.New || direct[ref.Name]) {
			return badReferencef(ref.place(), "the name stands for %s and for %s; use one of them under this name", before, key)
		}
		direct[ref.Name] = true
		if err := circle(key, path); err != nil {
			return err
		}
		if doubled {
			continue
		}
		if err := w.enter(ref, key, path); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) enter(ref Reference, key subjectVersion, path []subjectVersion) error {
	found, ok := w.known[key]
	if !ok {
		return missing(ref)
	}
	w.names[ref.Name] = key
	w.bytes += len(found.Schema.Text)
	if err := w.o.Limits.checkClosure(ref, len(w.names), w.bytes); err != nil {
		return err
	}
	if err := w.o.Limits.checkText(ref.place(), found.Schema.Text); err != nil {
		return err
	}
	if err := w.visit(found.Schema, append(path, key)); err != nil {
		return err
	}
	w.order = append(w.order, named{ref.Name, found})
	return nil
}

func circle(key subjectVersion, path []subjectVersion) error {
	for i, p := range path {
		if p != key {
			continue
		}
		steps := make([]string, 0, len(path)-i+1)
		for _, step := range append(path[i:len(path):len(path)], key) {
			steps = append(steps, step.String())
		}
		return badReferencef("", "the references go round in a circle (%s); take one of them out", strings.Join(steps, " -> "))
	}
	return nil
}
