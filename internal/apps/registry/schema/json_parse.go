package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// registryBase is the address of schemas that give themselves none. Nothing is ever fetched from it, nor from any other address: the
// loader knows the references and nothing else.
const registryBase = "registry://schemas/"

// rootAddress is the address of the schema itself; a reference cannot have it, since names are escaped.
const rootAddress = registryBase + "?top"

// inPlaceLimit bounds how many schemas one value can meet in one place. A dozen lines of references to references reach 2^n of them.
const inPlaceLimit = 1 << 20

// schemaLimit and addressLimit bound the schemas, and those with an address or an anchor, in a text and its references together. The
// validator's compiler looks each up among all others: ten thousand take it a second, a mebibyte full of them half a minute.
const (
	schemaLimit  = 10_000
	addressLimit = 1_000
)

// numberLimit bounds the letters and the exponent of a number: validators keep numbers as exact fractions, and 1e1000000000 is one of
// a gigabyte.
const numberLimit = 1000

func parseJSON(s Schema, refs []named, o Options) (*JSONSchema, error) {
	ctx := o.context()
	j := &JSONSchema{resources: map[string]JSONNode{}}
	docs, err := j.documents(s, refs, o)
	if err != nil {
		return nil, err
	}
	if err := checkTime(ctx); err != nil {
		return nil, err
	}
	err = j.checkRefs(ctx)
	if err == nil {
		err = j.checkInPlace(ctx)
	}
	if err == nil {
		j.compiled, err = within(ctx, func() (*jsonschema.Schema, error) { return j.compile(docs) })
	}
	if err != nil && (!o.Stored || KindOf(err) == TooSlow) {
		return nil, err
	}
	j.compileErr = err
	return j, nil
}

// jsonDocument is one text and the addresses it answers to.
type jsonDocument struct {
	name  string
	top   JSONNode
	value *Value
}

// documents reads the schema and its references and indexes every address and anchor in them.
func (j *JSONSchema) documents(s Schema, refs []named, o Options) ([]jsonDocument, error) {
	value, err := readJSON(s.Text, o)
	if err != nil {
		return nil, err
	}
	j.Value, j.Draft = value, Draft7
	if text, ok := value.Str("$schema"); ok {
		if d, ok := draftOf(text); ok {
			j.Draft = d
		}
	}
	docs := []jsonDocument{{value: value, top: topOf(value, rootAddress, j.Draft)}}
	for _, ref := range refs {
		if t := ref.Schema.TypeOrDefault(); t != JSON {
			return nil, badReferencef("reference "+quoted(ref.Name), "%s schemas cannot refer to %s schemas; refer to a JSON schema", JSON, t)
		}
		value, err := readJSON(ref.Schema.Text, o)
		if err != nil {
			return nil, inReference(ref, err)
		}
		name, _, _ := strings.Cut(ref.Name, "#")
		docs = append(docs, jsonDocument{name, topOf(value, resolveAddress(registryBase, escapeName(name)), j.Draft), value})
	}
	j.top = docs[0].top
	return docs, j.indexAll(docs, o)
}

func readJSON(text string, o Options) (*Value, error) {
	value, err := ParseValue(text, o.Limits.jsonDepth())
	if err != nil {
		return nil, err
	}
	if !isSchema(value) {
		return nil, invalidf("", "a JSON Schema is an object or a boolean and this is the %s %s; write an object", value.Kind, shortValue(value))
	}
	return value, checkNumbers(value)
}

func checkNumbers(v *Value) error {
	if v.Kind == Number {
		_, exponent, _ := strings.Cut(strings.ToLower(v.Text), "e")
		n, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
		if len(v.Text) > numberLimit || exponent != "" && (err != nil || n > numberLimit || n < -numberLimit) {
			return tooLargef("", "the number %s has more than %d digits; use a smaller one", shortValue(v), numberLimit)
		}
	}
	for _, item := range v.Items {
		if err := checkNumbers(item); err != nil {
			return err
		}
	}
	for _, m := range v.Members {
		if err := checkNumbers(m.Value); err != nil {
			return err
		}
	}
	return nil
}

// escapeName keeps the letters of a reference's name that would end an address.
func escapeName(name string) string { return strings.NewReplacer(" ", "%20", "?", "%3F").Replace(name) }

func topOf(value *Value, address string, draft Draft) JSONNode {
	return JSONNode{Base: address, Draft: draft}.at(value)
}

func (n JSONNode) at(value *Value) JSONNode {
	n = n.step(value, "")
	n.Pointer = ""
	return n
}

// indexAll gives every document its addresses: its name, its name seen from every document with an address of its own, its $id. An
// earlier address is never taken over by a later document.
func (j *JSONSchema) indexAll(docs []jsonDocument, o Options) error {
	j.resources[rootAddress] = docs[0].top
	for _, d := range docs[1:] {
		j.claim(resolveAddress(registryBase, escapeName(d.name)), d.top)
	}
	for _, from := range docs {
		for _, d := range docs[1:] {
			j.claim(resolveAddress(from.top.Base, escapeName(d.name)), d.top)
		}
	}
	for _, d := range docs {
		if err := j.index(d.top, 0, o); err != nil {
			return err
		}
	}
	return nil
}

func (j *JSONSchema) claim(address string, n JSONNode) {
	if _, taken := j.resources[address]; !taken {
		j.resources[address] = n
	}
}

// index walks a document and notes the schemas with an address or an anchor.
func (j *JSONSchema) index(n JSONNode, depth int, o Options) error {
	if depth > o.Limits.Depth {
		return tooLargef(n.Pointer, "schemas are nested more than %d levels deep; put inner ones into $defs or references", o.Limits.Depth)
	}
	if j.schemas++; j.schemas > schemaLimit {
		return tooLargef(n.Pointer, "the schema holds more than %d schemas; split it and register the parts", schemaLimit)
	}
	if _, ok := n.ownID(); ok {
		j.addresses++
		j.claim(n.Base, n)
	}
	for _, anchor := range n.anchors() {
		j.addresses++
		j.claim(n.Base+"#"+anchor, n)
	}
	if j.addresses > addressLimit {
		return tooLargef(n.Pointer, "the schema gives more than %d addresses ($id and anchors); use $defs without them", addressLimit)
	}
	return j.Subschemas(n, func(_ string, child JSONNode) error { return j.index(child, depth+1, o) })
}

// checkRefs demands that every reference that can be reached leads somewhere.
func (j *JSONSchema) checkRefs(ctx context.Context) error {
	seen := map[*Value]bool{}
	waiting := []JSONNode{j.top}
	for len(waiting) > 0 {
		n := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if seen[n.Value] {
			continue
		}
		seen[n.Value] = true
		if err := checkTime(ctx); err != nil {
			return err
		}
		if ref, ok := n.Ref(); ok {
			to, found := j.Follow(n)
			switch {
			case found && isSchema(to.Value):
				waiting = append(waiting, to)
			case found:
				return invalidf(n.Pointer, "the $ref %q points to the %s %s, which is no schema; point to an object or a boolean",
					ref, to.Value.Kind, shortValue(to.Value))
			case !isMetaschema(n, ref):
				return badReferencef(n.Pointer, "the $ref %q leads nowhere; correct it, or add a reference with that name to a registered schema", ref)
			}
		}
		if err := j.Subschemas(n, func(_ string, child JSONNode) error {
			waiting = append(waiting, child)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// isMetaschema tells whether a reference means the published schema of a draft, which the library holds.
func isMetaschema(n JSONNode, ref string) bool {
	address := resolveAddress(n.Base, ref)
	return strings.HasPrefix(address, "http://json-schema.org/") || strings.HasPrefix(address, "https://json-schema.org/")
}

// checkInPlace bounds how often one value is checked in one place, and refuses a schema that applies itself to the value it stands for:
// checking that would never end.
func (j *JSONSchema) checkInPlace(ctx context.Context) error {
	cost := map[*Value]int{}
	const walking = -1
	var visit func(n JSONNode) (int, error)
	visit = func(n JSONNode) (int, error) {
		switch known, ok := cost[n.Value]; {
		case ok && known == walking:
			return 0, invalidf(n.Pointer, "the schema refers to itself for the same value, so checking a value would never end; put the reference under a property or an item")
		case ok:
			return known, nil
		}
		if err := checkTime(ctx); err != nil {
			return 0, err
		}
		cost[n.Value] = walking
		total := 1
		add := func(child JSONNode) error {
			c, err := visit(child)
			if total += c; total > inPlaceLimit && err == nil {
				err = tooLargef(n.Pointer, "one value has to be checked against more than %d schemas here; flatten the references", inPlaceLimit)
			}
			return err
		}
		for _, one := range n.references() {
			if to, ok := j.Follow(one); ok {
				if err := add(to); err != nil {
					return 0, err
				}
			}
		}
		err := j.Subschemas(n, func(keyword string, child JSONNode) error {
			if !inPlace[keyword] {
				return nil
			}
			return add(child)
		})
		cost[n.Value] = total
		return total, err
	}
	return j.everySchema(func(n JSONNode) error {
		_, err := visit(n)
		return err
	})
}

// everySchema visits every schema of the document.
func (j *JSONSchema) everySchema(visit func(JSONNode) error) error {
	var walk func(n JSONNode) error
	walk = func(n JSONNode) error {
		if err := visit(n); err != nil {
			return err
		}
		return j.Subschemas(n, func(_ string, child JSONNode) error { return walk(child) })
	}
	return walk(j.top)
}

// compile makes the validator.
func (j *JSONSchema) compile(docs []jsonDocument) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(j.Draft.library())
	c.UseRegexpEngine(j.pattern)
	loader := registryLoader{}
	for _, d := range docs[1:] {
		loader[d.top.Base] = plainJSON(d.value, docs)
		loader[resolveAddress(registryBase, escapeName(d.name))] = loader[d.top.Base]
	}
	for address, n := range j.resources {
		if _, ok := loader[address]; !ok && n.Pointer == "" && n.Value != j.Value {
			loader[address] = plainJSON(n.Value, docs)
		}
	}
	c.UseLoader(loader)
	if err := c.AddResource(rootAddress, plainJSON(j.Value, docs)); err != nil {
		return nil, invalidf("", "the address of the schema cannot be used (%v); give it another $id", err)
	}
	compiled, err := c.Compile(rootAddress)
	if err != nil {
		return nil, compileError(j.Draft, err)
	}
	return compiled, nil
}

// registryLoader answers with the references and refuses every other address.
type registryLoader map[string]any

func (l registryLoader) Load(address string) (any, error) {
	if doc, ok := l[address]; ok {
		return doc, nil
	}
	return nil, fmt.Errorf("no reference with the name %q", strings.TrimPrefix(address, registryBase))
}

// plainJSON is a document as the library takes it. A $schema that names no draft and no reference is left out, and the schema read as
// the draft of the whole: registries before us did, and the address is one of people's own that nobody can open.
func plainJSON(v *Value, docs []jsonDocument) any {
	plain := v.Plain(func(literal string) any { return json.Number(literal) })
	members, ok := plain.(map[string]any)
	if !ok {
		return plain
	}
	text, ok := members["$schema"].(string)
	if !ok {
		return plain
	}
	if _, known := draftOf(text); known {
		return plain
	}
	for _, d := range docs[1:] {
		if address, _, _ := strings.Cut(text, "#"); address == d.name {
			return plain
		}
	}
	delete(members, "$schema")
	return plain
}

// compileError says in one sentence what the library found.
func compileError(d Draft, err error) error {
	var broken *jsonschema.SchemaValidationError
	var cause *jsonschema.ValidationError
	if errors.As(err, &broken) && errors.As(broken.Err, &cause) {
		for len(cause.Causes) > 0 {
			cause = cause.Causes[0]
		}
		place := ""
		for _, token := range cause.InstanceLocation {
			place += "/" + token
		}
		return invalidf(place, "the schema breaks a rule of %s: %s; mend this keyword or name the draft you mean in $schema", d, oneLine(cause.Error()))
	}
	return invalidf("", "the schema cannot be used (%s); mend that part", oneLine(err.Error()))
}

func oneLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	if len(lines) == 0 {
		return text
	}
	last := strings.TrimSpace(lines[len(lines)-1])
	if len(last) > 300 {
		last = strings.ToValidUTF8(last[:300], "") + "..."
	}
	return last
}

// pattern compiles an expression. JSON Schema speaks the dialect of ECMAScript, which has things that Go's has not: what cannot be
// translated is noted and lets every text pass, since refusing a schema that every other registry takes would be worse.
func (j *JSONSchema) pattern(text string) (jsonschema.Regexp, error) {
	if re, err := regexp.Compile(ecmaToGo(text)); err == nil {
		return re, nil
	}
	j.Unchecked = append(j.Unchecked, text)
	return anyText(text), nil
}

type anyText string

func (anyText) MatchString(string) bool { return true }
func (t anyText) String() string        { return string(t) }

// ecmaToGo rewrites the one common escape that the two dialects spell differently: \u and four digits.
func ecmaToGo(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		if text[i] != '\\' || i+1 == len(text) {
			continue
		}
		i++
		if hex := text[i+1:]; text[i] == 'u' && len(hex) >= 4 && isHex(hex[:4]) {
			b.WriteString("x{" + hex[:4] + "}")
			i += 4
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func isHex(text string) bool {
	_, err := strconv.ParseUint(text, 16, 32)
	return err == nil
}
