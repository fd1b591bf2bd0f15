package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) schema() *cobra.Command {
	c := noun("schema", "Register, read, compare and check schemas",
		`Work with a schema registry: the one that "millrace dev" runs, one beside another cluster ("millrace registry"), or any other with
the same REST interface. --registry or MILLRACE_REGISTRY names it.

A subject holds the versions of one schema, a topic's values by habit under TOPIC-value. Subjects of another context are written
:.CONTEXT:SUBJECT; --context puts a command into a context, so that plain names do.`,
		a.schemaList(), a.schemaGet(), a.schemaRegister(), a.schemaCheck(), a.schemaDiff(), a.schemaDelete(), a.schemaMode(), a.schemaConfig(),
		a.schemaFsck(), a.schemaExport(), a.schemaImport())
	f := c.PersistentFlags()
	a.registryFlag(f)
	f.StringVar(&a.context, "context", "", "the context to work in (default: the default one, and for listings all)")
	c.RegisterFlagCompletionFunc("context", a.completeContexts)
	return c
}

// schemaVersion is a version of a subject as registries tell of it. Metadata and rules are kept as they come.
type schemaVersion struct {
	Subject    string            `json:"subject,omitempty"`
	Version    int               `json:"version,omitempty"`
	ID         int               `json:"id,omitempty"`
	GUID       string            `json:"guid,omitempty"`
	Type       string            `json:"schemaType,omitempty"` // empty: AVRO
	References []schemaReference `json:"references,omitempty"`
	Metadata   json.RawMessage   `json:"metadata,omitempty"`
	RuleSet    json.RawMessage   `json:"ruleSet,omitempty"`
	Text       string            `json:"schema,omitempty"`
	Time       int64             `json:"ts,omitempty"`
	Deleted    bool              `json:"deleted,omitempty"`
}

// schemaReference is what a schema calls another one, and where that is.
type schemaReference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (r schemaReference) String() string {
	return fmt.Sprintf("%s=%s:%d", r.Name, r.Subject, r.Version)
}

// kind is the schema's format.
func (v schemaVersion) kind() string { return cmp.Or(v.Type, "AVRO") }

// subjectContext is the context that stands in a subject's name.
func subjectContext(subject string) string {
	if strings.HasPrefix(subject, ":.") {
		context, _, _ := strings.Cut(subject[1:], ":")
		return context
	}
	return "."
}

// onRegistry runs a verb's conversation with the registry.
func (a *app) onRegistry(talk func(ctx context.Context, c *registryClient, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		// "$SUBJECT" of a script that has not set it must not come to mean all subjects.
		if cmd.Name() != "list" && slices.Contains(args, "") {
			return usagef("an argument is empty: say which subject, or leave it out")
		}
		c, err := a.openRegistry()
		if err != nil {
			return err
		}
		defer c.http.CloseIdleConnections()
		return talk(cmd.Context(), c, args)
	}
}

// schemas lists versions of subjects. prefix is of the subjects' names in all contexts, or in the client's own.
func (c *registryClient) schemas(ctx context.Context, prefix string, deleted bool) ([]schemaVersion, error) {
	all, err := c.pages(ctx, prefix, deleted)
	if err != nil || !deleted || slices.ContainsFunc(all, func(v schemaVersion) bool { return v.Deleted }) {
		return all, err
	}
	// Nothing is deleted, or this registry does not say which: then it is what is missing among the others.
	live, err := c.pages(ctx, prefix, false)
	alive := map[versionName]bool{}
	for _, v := range live {
		alive[versionName{v.Subject, v.Version}] = true
	}
	for i := range all {
		all[i].Deleted = !alive[versionName{all[i].Subject, all[i].Version}]
	}
	return all, err
}

// pages lists versions in pages as long as the registry likes.
func (c *registryClient) pages(ctx context.Context, prefix string, deleted bool) ([]schemaVersion, error) {
	query := url.Values{"subjectPrefix": {c.anyContext(prefix)}, "limit": {"1000"}}
	if deleted {
		query.Set("deleted", "true")
	}
	var all []schemaVersion
	for {
		query.Set("offset", strconv.Itoa(len(all)))
		var page []schemaVersion
		if err := c.get(ctx, "/schemas", query, &page); err != nil {
			return nil, err
		}
		if len(page) == 0 || len(all) > 0 && page[0].Subject == all[0].Subject && page[0].Version == all[0].Version {
			break // the end, or a registry that knows no pages and began again
		}
		all = append(all, page...)
	}
	slices.SortStableFunc(all, func(a, b schemaVersion) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	return all, nil
}

// anyContext makes a prefix count in every context, unless the client or the prefix is in one.
func (c *registryClient) anyContext(prefix string) string {
	if c.context != "" || strings.HasPrefix(prefix, ":") {
		return prefix
	}
	return ":*:" + prefix
}

// versionRanges writes versions for people: 1-3,5.
func versionRanges(versions []int) string {
	var parts []string
	for i := 0; i < len(versions); {
		j := i
		for j+1 < len(versions) && versions[j+1] == versions[j]+1 {
			j++
		}
		part := strconv.Itoa(versions[i])
		if j > i {
			part += "-" + strconv.Itoa(versions[j])
		}
		parts, i = append(parts, part), j+1
	}
	return none(strings.Join(parts, ","))
}

// parseVersion reads a version that somebody typed: a number, or latest.
func parseVersion(s string) (string, error) {
	if s == "latest" || s == "-1" {
		return "latest", nil
	}
	if n, err := strconv.ParseInt(s, 10, 32); err != nil || n < 1 {
		return "", usagef("%q is no version: give a number from 1, or latest", s)
	}
	return s, nil
}

func shownTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// fields are lines of a name and a value; what is empty is left out.
type fields [][2]string

func (f *fields) add(name, value string) {
	if value != "" {
		*f = append(*f, [2]string{name, value})
	}
}

func (f fields) write(w io.Writer) {
	wide := 0
	for _, line := range f {
		wide = max(wide, len(line[0]))
	}
	for _, line := range f {
		fmt.Fprintf(w, "%-*s  %s\n", wide, line[0], escape(line[1]))
	}
}

// text is text of many lines that somebody else wrote: safe on a terminal, as it is everywhere else.
func (a *app) text(s string) string {
	if isTerminal(a.out) {
		s = escapeKeeping(s, "\n\t")
	}
	return strings.TrimSuffix(s, "\n") + "\n"
}

func (a *app) completeSubjects(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeRegistry(c, "/subjects", prefix)
}

func (a *app) completeContexts(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	a.context = "" // the one that is being typed
	return a.completeRegistry(c, "/contexts", prefix)
}

func (a *app) completeRegistry(cmd *cobra.Command, path, prefix string) ([]string, cobra.ShellCompDirective) {
	ctx := cmp.Or(cmd.Context(), context.Background())
	a.timeout = min(a.timeout, 2*time.Second)
	var names, out []string
	a.askRegistry(ctx, func(ctx context.Context, c *registryClient) error { return c.get(ctx, path, nil, &names) })
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			out = append(out, n)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
