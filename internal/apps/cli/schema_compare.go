package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// comparison is one schema as the reader of what another one wrote.
type comparison struct {
	Level          string          `json:"level"`
	Reader         string          `json:"reader,omitempty"`
	Writer         string          `json:"writer,omitempty"`
	Compatible     bool            `json:"compatible"`
	Findings       []finding       `json:"findings,omitempty"`
	CounterExample json.RawMessage `json:"counterExample,omitempty"`
}

// finding is one reason. Other registries give only words.
type finding struct {
	Version int    `json:"version,omitempty"`
	Path    string `json:"path,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message"`
}

var findingForm = regexp.MustCompile(`(?s)^version (\d+): (?:at (\S+): )?(.*) \(([A-Z_]+)\)$`)

// parseFinding takes the message of a registry of ours apart.
func parseFinding(message string) finding {
	m := findingForm.FindStringSubmatch(message)
	if m == nil {
		return finding{Message: message}
	}
	version, _ := strconv.Atoi(m[1])
	return finding{version, m[2], m[4], m[3]}
}

// question asks whether a schema fits versions of a subject.
type question struct {
	subject   string
	version   string // empty: those that the level asks for
	body      schemaBody
	normalize bool
}

// compare asks at a level. known is false when the registry does not know the parameter: it compared at the level it has set.
func (c *registryClient) compare(ctx context.Context, q question, level string) (result comparison, known bool, err error) {
	segments := []string{"compatibility", "subjects", q.subject, "versions"}
	if q.version != "" {
		segments = append(segments, q.version)
	}
	query := url.Values{"verbose": {"true"}, "normalize": {strconv.FormatBool(q.normalize)}}
	if level != "" {
		query.Set("level", level)
	}
	var answer struct {
		Compatible     bool            `json:"is_compatible"`
		Level          string          `json:"level"`
		Messages       []string        `json:"messages"`
		CounterExample json.RawMessage `json:"counterExample"`
	}
	if err := c.do(ctx, "POST", at(segments...), query, q.body, &answer); err != nil {
		return result, false, err
	}
	if !answer.Compatible && answer.CounterExample == nil {
		// A schema that cannot be read is told as one that does not fit, unless one asks without words.
		query.Del("verbose")
		if err := c.do(ctx, "POST", at(segments...), query, q.body, nil); err != nil {
			return result, false, err
		}
	}
	result = comparison{Level: level, Compatible: answer.Compatible, CounterExample: answer.CounterExample}
	if !answer.Compatible {
		for _, m := range answer.Messages {
			result.Findings = append(result.Findings, parseFinding(m))
		}
	}
	return result, answer.Level != "" || level == "", nil
}

// directions are the levels that look one way which make up a level.
func directions(level string) []string {
	base, transitive := strings.CutSuffix(level, "_TRANSITIVE")
	suffix := map[bool]string{true: "_TRANSITIVE"}[transitive]
	switch base {
	case "FULL":
		return []string{"BACKWARD" + suffix, "FORWARD" + suffix}
	}
	return []string{level}
}

// compareAt asks in each direction of a level, so that it is clear who cannot read whom. A registry that compares at its own level only
// is asked once.
func (c *registryClient) compareAt(ctx context.Context, q question, level, candidate string) (all []comparison, known bool, err error) {
	for _, way := range directions(level) {
		r, known, err := c.compare(ctx, q, way)
		if err != nil {
			return nil, known, err
		}
		if !known {
			r.Level = level
			return []comparison{r}, false, nil
		}
		r.name(candidate)
		all = append(all, r)
	}
	return all, true, nil
}

// name says who reads and who wrote.
func (r *comparison) name(candidate string) {
	earlier := "the version before"
	if len(r.Findings) > 0 && r.Findings[0].Version > 0 {
		earlier = fmt.Sprintf("version %d", r.Findings[0].Version)
	}
	switch {
	case strings.HasPrefix(r.Level, "BACKWARD"):
		r.Reader, r.Writer = candidate, earlier
	case strings.HasPrefix(r.Level, "FORWARD"):
		r.Reader, r.Writer = earlier, candidate
	}
}

// write tells what was found; nothing, when nothing was.
func (r comparison) write(w io.Writer) {
	if r.Compatible {
		return
	}
	if r.Reader != "" {
		fmt.Fprintf(w, "%s cannot read all that %s writes (%s):\n\n", escape(begin(r.Reader)), escape(r.Writer), r.Level)
	} else {
		fmt.Fprintf(w, "The schemas do not fit (%s):\n\n", none(r.Level))
	}
	for _, f := range r.Findings {
		line := f.Message
		if f.Path != "" {
			line = "at " + f.Path + ": " + line
		}
		if f.Kind != "" {
			line += " (" + f.Kind + ")"
		}
		fmt.Fprintln(w, "  "+escape(line))
	}
	if r.CounterExample == nil {
		return
	}
	if r.Reader != "" {
		fmt.Fprintf(w, "\nA record that %s can write and %s cannot read:\n\n", escape(r.Writer), escape(r.Reader))
	} else {
		fmt.Fprint(w, "\nA record that one can write and the other cannot read:\n\n")
	}
	fmt.Fprintln(w, "  "+strings.ReplaceAll(escapeKeeping(laidOut("JSON", string(r.CounterExample)), "\n"), "\n", "\n  "))
}

// begin lets a sentence begin; the name of a file stays as it is.
func begin(label string) string {
	if strings.HasPrefix(label, "the ") || strings.HasPrefix(label, "version ") {
		return strings.ToUpper(label[:1]) + label[1:]
	}
	return label
}
