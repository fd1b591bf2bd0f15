package schema

import (
	"context"
	"errors"
	"fmt"
)

// Kind says which of the registry's answers an error belongs to.
type Kind uint8

const (
	Invalid      Kind = iota // the text is no schema of its type
	TooLarge                 // a limit on size, depth or count is passed
	TooSlow                  // the deadline passed before the schema was read
	BadReference             // a reference is missing, doubled or goes round in a circle
	BadRules                 // the rule set breaks its own rules
)

// Error is one sentence for a person: where, what is wrong, and what to do about it.
type Error struct {
	Kind  Kind
	Place string // a JSON pointer, a line, a reference's name; empty for the whole schema
	Text  string
}

func (e *Error) Error() string {
	if e.Place == "" {
		return e.Text
	}
	return "at " + e.Place + ": " + e.Text
}

// KindOf tells the kind of an error that this package returned.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Invalid
}

func invalidf(place, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Place: place, Text: fmt.Sprintf(format, args...)}
}

func tooLargef(place, format string, args ...any) *Error {
	return &Error{Kind: TooLarge, Place: place, Text: fmt.Sprintf(format, args...)}
}

func badReferencef(place, format string, args ...any) *Error {
	return &Error{Kind: BadReference, Place: place, Text: fmt.Sprintf(format, args...)}
}

// checkTime is called between the steps of a parse.
func checkTime(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &Error{Kind: TooSlow, Text: "the schema took longer to read than the time limit allows; make it smaller or split it into references"}
}

// within runs a step that cannot be stopped. When the time is over the caller gets its error at once; the step itself runs on to
// its own end, which the limits on text and depth keep near, and its result is dropped.
func within[T any](ctx context.Context, step func() (T, error)) (T, error) {
	if ctx.Done() == nil {
		return guarded(step)
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := guarded(step)
		done <- outcome{v, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var zero T
		return zero, checkTime(ctx)
	}
}

// guarded turns a panic of a compiler into an error: some texts make one stumble, and no text of a user may stop the node.
func guarded[T any](step func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = invalidf("", "the schema makes its compiler stumble (%s); simplify it", oneLine(fmt.Sprint(p)))
		}
	}()
	return step()
}

func badRulesf(place, format string, args ...any) *Error {
	return &Error{Kind: BadRules, Place: place, Text: fmt.Sprintf(format, args...)}
}
