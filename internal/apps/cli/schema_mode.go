package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) schemaMode() *cobra.Command {
	return noun("mode", "Show and set whether schemas may be written, or imported",
		`A mode says what may be written: READWRITE, READONLY, or IMPORT, in which schemas come with their ids. It is set for a subject, for
a context (--context), or for all contexts (--context .__GLOBAL); the nearest one holds. Without a subject and --context it is set for
the default context, where subjects are that name none.`, a.schemaModeGet(), a.schemaModeSet(), a.schemaModeDelete())
}

var schemaModes = []string{"READWRITE", "READONLY", "IMPORT", "READONLY_OVERRIDE", "FORWARD"}

// schemaMode is a mode, and whether it is set right there.
type schemaMode struct {
	Subject string `json:"subject,omitempty"`
	Context string `json:"context,omitempty"`
	Mode    string `json:"mode"`
	Set     bool   `json:"set_here"`
}

// scope is what a setting is about, for people.
func (c *registryClient) scope(subject string) string {
	switch {
	case subject != "":
		return "subject " + subject
	case c.context == ".__GLOBAL":
		return "all contexts"
	case c.context != "" && c.context != ".":
		return "context " + c.context
	}
	return "the default context"
}

// settingsPath is /mode or /config of what the command is about.
func settingsPath(resource, subject string) string {
	if subject == "" {
		return at(resource)
	}
	return at(resource, subject)
}

func (a *app) schemaModeGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get [SUBJECT]",
		Short:   "Show the mode that holds",
		Example: "  millrace schema mode get\n  millrace schema mode get orders-value",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			m := schemaMode{Subject: firstArg(args), Context: c.context}
			var err error
			if m.Mode, m.Set, err = c.mode(ctx, m.Subject); err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) {
				where := "not set there, but this holds"
				if m.Set {
					where = "set for " + c.scope(m.Subject)
				}
				fmt.Fprintf(w, "%s (%s)\n", escape(m.Mode), escape(where))
			})
		}),
	}
}

// mode is the mode that holds for a subject, and whether it is set for it.
func (c *registryClient) mode(ctx context.Context, subject string) (mode string, set bool, err error) {
	var m struct{ Mode string }
	err = c.get(ctx, settingsPath("mode", subject), nil, &m)
	if registryCode(err) != 40409 {
		return m.Mode, err == nil, err
	}
	err = c.get(ctx, settingsPath("mode", subject), url.Values{"defaultToGlobal": {"true"}}, &m)
	return m.Mode, false, err
}

func (a *app) schemaModeSet() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "set MODE [SUBJECT]",
		Short: "Set a mode",
		Long: `Set the mode of a subject, of a context, or of all contexts that have none of their own (--context .__GLOBAL). IMPORT needs empty
ground: no live schema may be there, and what is softly deleted is taken away for good. --force leaves everything as it is.`,
		Example: "  millrace schema mode set READONLY orders-value\n  millrace schema mode set IMPORT --context .staging\n  millrace schema mode set READONLY --context .__GLOBAL",
		Args:    cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return schemaModes, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeSubjects(c, args[1:], prefix)
		},
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			m := schemaMode{Subject: firstArg(args[1:]), Context: c.context, Mode: strings.ToUpper(args[0]), Set: true}
			if err := c.setMode(ctx, m.Subject, m.Mode, force); err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) {
				fmt.Fprintf(w, "mode %s is set for %s\n", escape(m.Mode), escape(c.scope(m.Subject)))
			})
		}),
	}
	c.Flags().BoolVar(&force, "force", false, "set IMPORT although there are schemas")
	return c
}

func (c *registryClient) setMode(ctx context.Context, subject, mode string, force bool) error {
	query := url.Values{}
	if force {
		query.Set("force", "true")
	}
	var set struct{ Mode string } // what answers without it is no registry
	return c.do(ctx, "PUT", settingsPath("mode", subject), query, map[string]string{"mode": mode}, &set)
}

func (a *app) schemaModeDelete() *cobra.Command {
	var recursive bool
	c := &cobra.Command{
		Use:     "delete [SUBJECT]",
		Short:   "Take a mode back, so that what it inherits holds",
		Example: "  millrace schema mode delete orders-value\n  millrace schema mode delete --context .staging --recursive",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			subject := firstArg(args)
			query := url.Values{"recursive": {strconv.FormatBool(recursive)}}
			if err := c.do(ctx, "DELETE", settingsPath("mode", subject), query, nil, nil); err != nil {
				return err
			}
			m := schemaMode{Subject: subject, Context: c.context}
			var err error
			if m.Mode, m.Set, err = c.mode(ctx, subject); err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) {
				fmt.Fprintf(w, "the mode of %s is taken back: %s holds\n", escape(c.scope(subject)), escape(m.Mode))
			})
		}),
	}
	c.Flags().BoolVar(&recursive, "recursive", false, "also those of the subjects below")
	return c
}
