package serde

import "errors"

// What can be told apart with errors.Is.
var (
	// ErrNull: the part of the record is null, as in a tombstone.
	ErrNull = errors.New("there is nothing to decode: it is null")
	// ErrNoID: the part of the record was not written in the registry's wire format.
	ErrNoID = errors.New("it carries no schema id")
	// ErrNotFound: the registry answers, and does not know the subject, version, id or GUID.
	ErrNotFound = errors.New("not in the schema registry")
	// ErrUnreachable: the registry does not answer.
	ErrUnreachable = errors.New("the schema registry cannot be reached")
	// ErrMisfit: a value does not fit its schema, or a payload is not what its schema says.
	ErrMisfit = errors.New("it does not fit the schema")
)
