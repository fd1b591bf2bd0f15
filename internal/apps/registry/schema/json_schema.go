package schema

import (
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Draft is a release of the JSON Schema specification.
type Draft int

const (
	Draft4    Draft = 4
	Draft6    Draft = 6
	Draft7    Draft = 7
	Draft2019 Draft = 2019
	Draft2020 Draft = 2020
)

// drafts gives the address of each draft without scheme and fragment.
var drafts = map[string]Draft{
	"json-schema.org/draft-04/schema":      Draft4,
	"json-schema.org/draft-06/schema":      Draft6,
	"json-schema.org/draft-07/schema":      Draft7,
	"json-schema.org/draft/2019-09/schema": Draft2019,
	"json-schema.org/draft/2020-12/schema": Draft2020,
	"json-schema.org/schema":               Draft2020,
}

func draftOf(address string) (Draft, bool) {
	address, _, _ = strings.Cut(address, "#")
	address = strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://")
	d, ok := drafts[address]
	return d, ok
}

func (d Draft) String() string {
	switch d {
	case Draft2019:
		return "2019-09"
	case Draft2020:
		return "2020-12"
	}
	return "draft-0" + itoa(int(d))
}

func (d Draft) library() *jsonschema.Draft {
	switch d {
	case Draft4:
		return jsonschema.Draft4
	case Draft6:
		return jsonschema.Draft6
	case Draft2019:
		return jsonschema.Draft2019
	case Draft2020:
		return jsonschema.Draft2020
	}
	return jsonschema.Draft7
}

// idKeyword is the keyword that gives a schema its address.
func (d Draft) idKeyword() string {
	if d == Draft4 {
		return "id"
	}
	return "$id"
}

// refStandsAlone tells that a schema with $ref is nothing but the reference, whatever stands beside it.
func (d Draft) refStandsAlone() bool { return d <= Draft7 }

// JSONSchema is a JSON Schema that was read.
type JSONSchema struct {
	Value *Value // the whole text
	Draft Draft  // of the top; draft-07 when it names none, as clients of the registry expect

	// Unchecked are the patterns that Go's expressions cannot say (look-around, back references). The compiled schema lets every text
	// pass them, so a value that fits may still be refused by a client.
	Unchecked []string

	top        JSONNode
	resources  map[string]JSONNode // by address, and address#anchor
	schemas    int                 // counted against schemaLimit
	addresses  int                 // counted against addressLimit
	compiled   *jsonschema.Schema
	compileErr error
}

// Compiled is the schema ready to validate values. The error is nil except for a stored schema that its draft refuses.
func (j *JSONSchema) Compiled() (*jsonschema.Schema, error) { return j.compiled, j.compileErr }

func (j *JSONSchema) canonical() string  { return string(j.Value.Append(nil)) }
func (j *JSONSchema) normalized() string { return string(j.Value.AppendSorted(nil)) }

func (j *JSONSchema) title() string {
	title, _ := j.Value.Str("title")
	return title
}
