package state

import (
	"fmt"

	"millrace/internal/apps/registry/schema"
)

// The registry's error codes; the HTTP status is the first three digits.
const (
	SubjectNotFound        = 40401
	VersionNotFound        = 40402
	SchemaNotFound         = 40403
	SubjectSoftDeleted     = 40404
	SubjectNotSoftDeleted  = 40405
	VersionSoftDeleted     = 40406
	VersionNotSoftDeleted  = 40407
	NoSubjectCompatibility = 40408
	NoSubjectMode          = 40409
	Incompatible           = 409
	InvalidSchema          = 42201
	InvalidVersion         = 42202
	InvalidLevel           = 42203
	InvalidMode            = 42204
	NotPermitted           = 42205
	ReferenceExists        = 42206
	IDDoesNotMatch         = 42207
	InvalidSubject         = 42208
	SchemaTooLarge         = 42209
	InvalidRules           = 42210
	ContextNotEmpty        = 42211
	StoreFailed            = 50001
	TimedOut               = 50002
)

// Error is a refusal: the registry's code and one sentence.
type Error struct {
	Code    int
	Message string
	// CounterExample is a record that shows an incompatibility, as JSON, when the checker found one.
	CounterExample []byte
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

func errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func subjectNotFound(subject string) *Error {
	return errorf(SubjectNotFound, "there is no subject %q", subject)
}

func versionNotFound(subject string, version int) *Error {
	if version == Latest {
		return errorf(VersionNotFound, "subject %q has no version at all", subject)
	}
	return errorf(VersionNotFound, "subject %q has no version %d", subject, version)
}

func schemaNotFound(subject string) *Error {
	return errorf(SchemaNotFound, "the schema is not registered under subject %q", subject)
}

// schemaError turns what the formats refuse into the registry's answer.
func schemaError(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	code := InvalidSchema
	switch schema.KindOf(err) {
	case schema.TooLarge:
		code = SchemaTooLarge
	case schema.TooSlow:
		code = TimedOut
	case schema.BadRules:
		code = InvalidRules
	}
	return errorf(code, "invalid schema: %v", err)
}
