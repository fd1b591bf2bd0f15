package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
)

// subjectRow is a subject with its versions.
type subjectRow struct {
	Subject  string       `json:"subject"`
	Type     string       `json:"type"`
	Versions []versionRow `json:"versions"`
}

type versionRow struct {
	Version    int               `json:"version"`
	ID         int               `json:"id"`
	GUID       string            `json:"guid,omitempty"`
	Type       string            `json:"type"`
	References []schemaReference `json:"references,omitempty"`
	Deleted    bool              `json:"deleted,omitempty"`
	Registered string            `json:"registered,omitempty"`
}

type contextRow struct {
	Context  string `json:"context"`
	Subjects int    `json:"subjects"`
	Versions int    `json:"versions"`
}

func (a *app) schemaList() *cobra.Command {
	var deleted, each, contexts bool
	c := &cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List subjects, or versions, or contexts",
		Long: `List the subjects whose names begin with PREFIX, of all contexts unless --context names one, with their versions, and the type and
id of the newest. --versions gives each version a line, --deleted adds what is softly deleted.`,
		Example: `  millrace schema list
  millrace schema list orders --versions --deleted
  millrace schema list --contexts`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			all, err := c.schemas(ctx, firstArg(args), deleted || contexts)
			if err != nil {
				return err
			}
			if contexts {
				return a.listContexts(ctx, c, all)
			}
			rows := subjectRows(all)
			return a.print(rows, func(w io.Writer) {
				switch {
				case len(rows) == 0:
					fmt.Fprintf(w, "No schemas are registered%s.\n", map[bool]string{true: " under such a subject"}[len(args) > 0])
				case each:
					formatVersions(w, rows, deleted)
				default:
					formatSubjects(w, rows, deleted)
				}
			})
		}),
	}
	c.Flags().BoolVar(&deleted, "deleted", false, "also show what is softly deleted")
	c.Flags().BoolVar(&each, "versions", false, "a line for each version")
	c.Flags().BoolVar(&contexts, "contexts", false, "list the contexts")
	c.MarkFlagsMutuallyExclusive("versions", "contexts")
	return c
}

func firstArg(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// subjectRows groups versions, which come sorted.
func subjectRows(all []schemaVersion) []subjectRow {
	rows := []subjectRow{}
	for _, v := range all {
		if len(rows) == 0 || rows[len(rows)-1].Subject != v.Subject {
			rows = append(rows, subjectRow{Subject: v.Subject})
		}
		r := &rows[len(rows)-1]
		r.Versions = append(r.Versions, versionRow{v.Version, v.ID, v.GUID, v.kind(), v.References, v.Deleted, shownTime(v.Time)})
		r.Type = v.kind()
	}
	return rows
}

func formatSubjects(w io.Writer, rows []subjectRow, deleted bool) {
	header := []string{"SUBJECT", "TYPE", "VERSIONS", "ID"}
	if deleted {
		header = append(header, "DELETED")
	}
	t := newTable(header...)
	for _, r := range rows {
		var live, gone []int
		id := "-"
		for _, v := range r.Versions {
			if v.Deleted {
				gone = append(gone, v.Version)
				continue
			}
			live, id = append(live, v.Version), strconv.Itoa(v.ID)
		}
		cells := []any{r.Subject, r.Type, versionRanges(live), id}
		if deleted {
			cells = append(cells, versionRanges(gone))
		}
		t.add(cells...)
	}
	t.write(w)
}

func formatVersions(w io.Writer, rows []subjectRow, deleted bool) {
	t := newTable("SUBJECT", "VERSION", "ID", "TYPE", "GUID", "REFERENCES", "REGISTERED", "")
	for _, r := range rows {
		for _, v := range r.Versions {
			t.add(r.Subject, v.Version, v.ID, v.Type, none(v.GUID), joined(v.References), none(v.Registered), map[bool]string{true: "deleted"}[v.Deleted])
		}
	}
	t.write(w)
}

// joined writes a list of whatever can write itself.
func joined[T fmt.Stringer](list []T) string {
	s := ""
	for i, item := range list {
		if i > 0 {
			s += ", "
		}
		s += item.String()
	}
	return none(s)
}

func (a *app) listContexts(ctx context.Context, c *registryClient, all []schemaVersion) error {
	var names []string
	if err := c.get(ctx, "/contexts", nil, &names); err != nil {
		return err
	}
	rows := []contextRow{}
	for _, name := range names {
		row := contextRow{Context: name}
		for _, s := range subjectRows(all) {
			if subjectContext(s.Subject) == name {
				row.Subjects, row.Versions = row.Subjects+1, row.Versions+len(s.Versions)
			}
		}
		rows = append(rows, row)
	}
	return a.print(rows, func(w io.Writer) {
		t := newTable("CONTEXT", "SUBJECTS", "VERSIONS")
		for _, r := range rows {
			t.add(r.Context, r.Subjects, r.Versions)
		}
		t.write(w)
	})
}
