package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"
)

type schemaDeleted struct {
	Subject   string `json:"subject"`
	Versions  []int  `json:"versions"`
	Permanent bool   `json:"permanent"`
}

func (a *app) schemaDelete() *cobra.Command {
	var version string
	var permanent bool
	c := &cobra.Command{
		Use:   "delete SUBJECT",
		Short: "Delete a subject or one of its versions",
		Long: `Delete all versions of a subject, or one of them. A deletion is soft: the schemas are not offered any more, but their ids go on
working, so records can still be read, and registering the same schema again brings it back under its id. --permanent takes away for
good what is softly deleted: records that carry such an id cannot be read from then on.`,
		Example: `  millrace schema delete orders-value --version 3
  millrace schema delete orders-value
  millrace schema delete orders-value --permanent`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			d := schemaDeleted{Subject: args[0], Permanent: permanent}
			query := url.Values{}
			if permanent {
				query.Set("permanent", "true")
			}
			if err := c.delete(ctx, version, query, &d); err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) { formatDeleted(w, d) })
		}),
	}
	c.Flags().StringVar(&version, "version", "", "only this version, or latest")
	c.Flags().BoolVar(&permanent, "permanent", false, "take away for good what is softly deleted")
	return c
}

func (c *registryClient) delete(ctx context.Context, version string, query url.Values, d *schemaDeleted) error {
	if version == "" {
		return c.do(ctx, "DELETE", at("subjects", d.Subject), query, nil, &d.Versions)
	}
	version, err := parseVersion(version)
	if err != nil {
		return err
	}
	d.Versions = []int{0}
	return c.do(ctx, "DELETE", at("subjects", d.Subject, "versions", version), query, nil, &d.Versions[0])
}

func formatDeleted(w io.Writer, d schemaDeleted) {
	noun := "version"
	if len(d.Versions) > 1 {
		noun = "versions"
	}
	if d.Permanent {
		fmt.Fprintf(w, "deleted %s %s of subject %s for good: this cannot be undone\n", noun, versionRanges(d.Versions), escape(d.Subject))
		return
	}
	fmt.Fprintf(w, "deleted %s %s of subject %s softly: ids go on working, registering a schema again brings it back, --permanent ends it for good\n",
		noun, versionRanges(d.Versions), escape(d.Subject))
}
