package schema

import (
	"cmp"
	"slices"
	"strconv"
)

// visitJSON visits the objects and their properties. The path is made of what the walk passes: object, array, conditional, not, and
// allof, anyof, oneof with the number of the branch. Branches are numbered in an order of their own, as clients count them: by kind
// in alphabetical order, then by title and description.
func visitJSON(v *Value, visit func(*Value, Entity, ...string)) { visitJSONSchema(v, "", false, visit) }

func visitJSONSchema(v *Value, scope string, inField bool, visit func(*Value, Entity, ...string)) {
	if v == nil || v.Kind != Object {
		return
	}
	for _, several := range []struct{ keyword, word string }{{"allOf", "allof"}, {"anyOf", "anyof"}, {"oneOf", "oneof"}} {
		if list := v.Get(several.keyword); list != nil {
			for i, branch := range inClientsOrder(list.Items) {
				visitJSONSchema(branch, scope+several.word+"."+strconv.Itoa(i)+".", false, visit)
			}
		}
	}
	for _, word := range []string{"if", "then", "else"} {
		visitJSONSchema(v.Get(word), scope+"conditional."+word+".", false, visit)
	}
	visitJSONSchema(v.Get("not"), scope+"not.", false, visit)
	visitJSONSchema(v.Get("items"), scope+"array.", false, visit)
	visitJSONObject(v, scope, inField, visit)
}

func visitJSONObject(v *Value, scope string, inField bool, visit func(*Value, Entity, ...string)) {
	definitions := []string{"definitions", "$defs"}
	if !isObjectSchema(v) {
		return
	}
	path := scope + "object"
	if !inField { // the tags there are the field's
		visit(v, Entity{path, EntityRecord})
	}
	if properties := v.Get("properties"); properties != nil {
		for _, m := range properties.Members {
			own := path + "." + m.Name
			if m.Value.Kind == Object {
				visit(m.Value, Entity{own, EntityField})
			}
			visitJSONSchema(m.Value, own+".", true, visit)
		}
	}
	for _, word := range definitions {
		if found := v.Get(word); found != nil {
			for _, m := range found.Members {
				visitJSONSchema(m.Value, path+"."+word+"."+m.Name+".", false, visit)
			}
		}
	}
}

func isObjectSchema(v *Value) bool {
	kind, written := v.Str("type")
	return kind == "object" || !written && v.Get("properties") != nil
}

func inClientsOrder(branches []*Value) []*Value {
	text := func(v *Value, name string) string {
		t, _ := v.Str(name)
		return t
	}
	sorted := slices.Clone(branches)
	slices.SortStableFunc(sorted, func(a, b *Value) int {
		return cmp.Or(cmp.Compare(kindInWords(a), kindInWords(b)), cmp.Compare(text(a, "title"), text(b, "title")),
			cmp.Compare(text(a, "description"), text(b, "description")))
	})
	return sorted
}

// kindInWords is what a branch is, by the word that orders it.
func kindInWords(v *Value) string {
	if v.Kind == Bool {
		return strconv.FormatBool(v.Bool)
	}
	for _, k := range []struct{ keyword, word string }{{"$ref", "reference"}, {"enum", "enum"}, {"const", "const"}, {"allOf", "combined"},
		{"anyOf", "combined"}, {"oneOf", "combined"}, {"not", "not"}, {"if", "conditional"}} {
		if v.Get(k.keyword) != nil {
			return k.word
		}
	}
	switch kind, _ := v.Str("type"); {
	case kind == "integer":
		return "number"
	case kind != "":
		return kind
	case isObjectSchema(v):
		return "object"
	case v.Get("items") != nil:
		return "array"
	}
	return "empty"
}
