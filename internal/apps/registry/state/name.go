package state

import (
	"strings"
	"unicode"
)

const (
	// DefaultContext is where subjects are that name none.
	DefaultContext = "."
	// GlobalContext holds settings for all contexts.
	GlobalContext = ".__GLOBAL"
	// AnyContext stands for all contexts in a prefix.
	AnyContext = ":*:"

	globalSubject = "__GLOBAL"
	emptySubject  = "__EMPTY"
)

// Name is the name of a subject in its context. The written form of the default context is the plain subject, of every other
// ":.context:subject".
type Name struct{ Context, Subject string }

// ParseName reads the written form. A context alone, with or without the colon after it, has an empty subject.
func ParseName(s string) Name {
	switch {
	case strings.HasPrefix(s, ":."):
		context, subject, _ := strings.Cut(s[1:], ":")
		return Name{context, subject}
	case strings.HasPrefix(s, AnyContext):
		return Name{"*", s[len(AnyContext):]}
	}
	return Name{DefaultContext, s}
}

// ContextPrefix is what stands in front of the subjects of a context: nothing for the default one.
func ContextPrefix(context string) string {
	if context == DefaultContext {
		return ""
	}
	return ":" + context + ":"
}

func (n Name) String() string { return ContextPrefix(n.Context) + n.Subject }

// Normal is the one spelling of a subject's name: a default context that was written out is left away.
func Normal(subject string) string { return ParseName(subject).String() }

// Qualify is a subject as it is meant inside a schema or a setting of parent: in the context of parent unless it names one itself.
func Qualify(parent, subject string) string {
	n := ParseName(subject)
	if n.Context == DefaultContext {
		n.Context = ParseName(parent).Context
		n.Subject = subject
		if strings.HasPrefix(subject, ":.:") { // the default context, written out
			return subject[len(":.:"):]
		}
	}
	return n.String()
}

// ContextName reads a context as it stands in a URL: ".a", "a" and ":.a:" are one. It is false when a colon stands inside.
func ContextName(s string) (string, bool) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, ":"), ":")
	if strings.Contains(s, ":") {
		return "", false
	}
	if !strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s, true
}

// validSubject tells whether schemas can be registered under the name; for settings a whole context and the global one may be named.
func validSubject(subject string, settings bool) bool {
	if strings.ContainsFunc(subject, unicode.IsControl) {
		return false
	}
	n := ParseName(subject)
	if n.Subject == globalSubject || n.Subject == emptySubject {
		return false
	}
	return n.Context != "*" && (settings || n.Context != GlobalContext)
}

// settingsSubject is the subject under which settings are kept: empty for the default context, which is the global level of old.
func settingsSubject(subject string) string {
	n := ParseName(subject)
	if n.Context == DefaultContext && n.Subject == "" {
		return ""
	}
	return n.String()
}
