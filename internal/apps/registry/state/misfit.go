package state

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// Misfit says of JSON that is not what was expected which field it is and what it has to be, in the words of JSON, not of the program.
func Misfit(err error) string {
	var e *json.UnmarshalTypeError
	if !errors.As(err, &e) {
		return err.Error()
	}
	what := "it"
	if e.Field != "" {
		what = "the field " + strconv.Quote(e.Field)
	}
	found, _, _ := strings.Cut(e.Value, " ") // a number comes with its figures
	if name, ok := foundWords[found]; ok {
		found = name
	}
	wanted := wantedWords(e.Type)
	if wanted == found {
		return what + " has a value that is out of range: " + e.Value
	}
	return what + " has to be " + wanted + ", not " + found
}

var foundWords = map[string]string{"string": "a text", "number": "a number", "array": "a list", "object": "an object", "bool": "true or false"}

func wantedWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wantedWords(t.Elem())
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "an object"
}
