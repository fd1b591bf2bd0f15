package registry

import (
	"net/http"
	"net/url"
	"strings"

	"millrace/internal/apps/registry/state"
)

// contextFilter reads the segments and the query of a URL. A path below /contexts/{context} is the same path without it, with the
// context put in front of the subject: in the segment after subjects, config and mode, in the parameter subject of schemas/ids, and in
// subjectPrefix of listings. Segments are cut before they are unescaped: a subject may contain a slash.
func contextFilter(u *url.URL) (segments []string, query url.Values, err error) {
	if u.RawQuery != "" {
		query = u.Query()
	} else {
		query = url.Values{}
	}
	for part := range strings.SplitSeq(strings.Trim(u.EscapedPath(), "/"), "/") {
		if part == "" && len(segments) > 0 {
			continue
		}
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, nil, failure(http.StatusBadRequest, "the path is not escaped as it has to be")
		}
		segments = append(segments, plain)
	}
	if len(segments) < 3 || segments[0] != "contexts" {
		return segments, query, nil
	}
	context, ok := state.ContextName(segments[1])
	if !ok {
		return nil, nil, failure(http.StatusBadRequest, "the name of a context must not contain a colon")
	}
	segments = segments[2:]
	prefix := state.ContextPrefix(context)
	qualifySegment(segments, prefix)
	switch {
	case (segments[0] == "config" || segments[0] == "mode") && len(segments) == 1 && prefix != "":
		segments = append(segments, prefix)
	case segments[0] == "schemas" && len(segments) > 1 && segments[1] == "ids":
		qualifyQuery(query, "subject", prefix)
	case len(segments) == 1 && (segments[0] == "schemas" || segments[0] == "subjects"):
		qualifyQuery(query, "subjectPrefix", prefix)
	}
	return segments, query, nil
}

func qualifySegment(segments []string, prefix string) {
	for i, s := range segments[:len(segments)-1] {
		if s == "subjects" || i == 0 && (s == "config" || s == "mode") {
			segments[i+1] = qualified(prefix, segments[i+1])
			return
		}
	}
}

func qualifyQuery(query url.Values, name, prefix string) {
	query.Set(name, qualified(prefix, query.Get(name)))
}

func qualified(prefix, name string) string {
	if strings.HasPrefix(name, ":.") || strings.HasPrefix(name, state.AnyContext) {
		return name
	}
	return prefix + name
}
