package compat

import (
	"encoding/json"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	"millrace/internal/apps/registry/schema"
)

// vocabulary is what two schemas speak of: an example is most likely made of their own words.
type vocabulary struct {
	values []any    // that enum and const list, and texts that match patterns
	names  []string // of properties
}

// wordLimit bounds the words of a place.
const wordLimit = 40

// words are those of a place in both schemas and below.
func (m *jsonMaker) words(s jsonSpot) vocabulary {
	var v vocabulary
	names := map[string]bool{}
	m.speak(&v, names, s.reader.Value, 4)
	for _, p := range s.facts.parts {
		m.speak(&v, names, p.Value, 4)
	}
	v.names = slices.Sorted(maps.Keys(names))
	v.names = v.names[:min(len(v.names), wordLimit)]
	return v
}

// speak gathers the words of one schema.
func (m *jsonMaker) speak(v *vocabulary, names map[string]bool, n *schema.Value, depth int) {
	if n == nil || depth == 0 || !m.room() || len(v.values) >= wordLimit {
		return
	}
	for _, value := range enumerated(n) {
		v.values = append(v.values, value.Plain(func(s string) any { return json.Number(s) }))
		if value.Kind == schema.String {
			names[value.Text] = true // in propertyNames
		}
	}
	if pattern, ok := n.Str("pattern"); ok {
		for _, text := range textsOf(pattern) {
			v.values = append(v.values, text)
			names[text] = true
		}
	}
	for _, member := range n.Members {
		switch member.Name {
		case "enum", "const":
			continue
		case "patternProperties":
			for _, pattern := range memberNames(member.Value) {
				for _, text := range textsOf(pattern) {
					names[text] = true
				}
			}
		case "properties", "dependencies", "dependentRequired", "dependentSchemas":
			for _, name := range memberNames(member.Value) {
				names[name] = true
			}
		}
		m.within(v, names, member, depth)
	}
}

// within gathers the words of what a keyword holds: a schema, several, or lists of names.
func (m *jsonMaker) within(v *vocabulary, names map[string]bool, member schema.Member, depth int) {
	inner := append([]*schema.Value{member.Value}, member.Value.Items...)
	for _, one := range member.Value.Members {
		inner = append(append(inner, one.Value), one.Value.Items...)
	}
	for _, one := range inner[:min(len(inner), wordLimit)] {
		switch {
		case one.Kind == schema.String && strings.HasPrefix(strings.ToLower(member.Name), "depend") || one.Kind == schema.String && member.Name == "required":
			names[one.Text] = true
		case one.Kind == schema.Object:
			m.speak(v, names, one, depth-1)
		}
	}
}

// spoken are values made of the words: the words, lists of one of them, and objects with one, all, or all but one of the names.
func (m *jsonMaker) spoken(s jsonSpot) []any {
	words := m.words(s)
	list := slices.Clone(words.values)
	elements := slices.Clone(words.values)
	if child := m.elementSchema(s.facts, 0); child != nil {
		elements = append(m.samplesOf(factsOf(s.facts.doc, *child, m.w.budget), 3), elements...)
	}
	for _, e := range elements[:min(len(elements), wordLimit)] {
		list = append(list, []any{e}, []any{e, e}, []any{e, e, e})
	}
	all := map[string]any{}
	for _, name := range words.names {
		all[name] = m.propertyOf(s.facts, name, 3)
	}
	for _, name := range words.names {
		base := m.object(s.facts, 3)
		for _, value := range append([]any{all[name], json.Number("1"), "a", nil, map[string]any{}}, words.values[:min(len(words.values), 4)]...) {
			list = append(list, m.complete(s.facts, withProperty(base, name, value), 3))
		}
		rest := maps.Clone(all)
		delete(rest, name)
		list = append(list, rest)
	}
	if len(all) > 0 {
		list = append(list, all)
	}
	return list[:min(len(list), 400)]
}

// textsOf are a few texts that match a pattern, or nearly so: one with as little repetition as it allows, one with more.
func textsOf(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	re = re.Simplify()
	var texts []string
	for more := range 3 {
		var b strings.Builder
		writeMatch(&b, re, more)
		texts = append(texts, b.String())
	}
	return slices.Compact(texts)
}

// writeMatch writes a text that matches, repeating what may be repeated so many times more. What looks around is passed over.
func writeMatch(b *strings.Builder, re *syntax.Regexp, more int) {
	if b.Len() > 1000 {
		return
	}
	times, parts := 1, re.Sub
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			b.WriteRune(letterOf(re.Rune, more))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("axz"[more%3])
	case syntax.OpStar, syntax.OpQuest:
		times = more
	case syntax.OpPlus:
		times = 1 + more
	case syntax.OpAlternate:
		parts = parts[more%len(parts):][:1]
	}
	if re.Op == syntax.OpQuest {
		times = min(times, 1)
	}
	for range times {
		for _, part := range parts {
			writeMatch(b, part, more)
		}
	}
}

// letterOf is a letter of a class, which is given by pairs of a first and a last: a printable one if there is.
func letterOf(class []rune, more int) rune {
	for _, r := range "axz09AZ_- " {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= r && r <= class[i+1] {
				if more--; more < 0 {
					return r
				}
			}
		}
	}
	return class[0]
}
