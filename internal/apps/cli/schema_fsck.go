package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// schemaFault is something that is wrong with the topic of a registry.
type schemaFault struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	ID      int    `json:"id,omitempty"`
	Message string `json:"message"`
	CanMend bool   `json:"canMend"`
	Mended  bool   `json:"mended"`
}

func (a *app) schemaFsck() *cobra.Command {
	var fix bool
	c := &cobra.Command{
		Use:   "fsck",
		Short: "Find what is wrong with a registry's topic, and mend it",
		Long: `Ask a registry of Millrace what is wrong with the records in its topic: ids that two schemas carry, references to what is gone,
deleted subjects that an old spelling of their key would bring back, records that cannot be read. --fix mends what needs no person's
decision. Exit code 4 means that something is left.`,
		Example: "  millrace schema fsck\n  millrace schema fsck --fix",
		Args:    cobra.NoArgs,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, _ []string) error {
			faults, err := c.fsck(ctx, fix)
			if err != nil {
				return err
			}
			left := 0
			for _, f := range faults {
				if !f.Mended {
					left++
				}
			}
			if err := a.print(faults, func(w io.Writer) { formatFaults(w, faults) }); err != nil || left == 0 {
				return err
			}
			return found("the registry's topic has faults: see the findings above")
		}),
	}
	c.Flags().BoolVar(&fix, "fix", false, "mend what needs no person's decision")
	return c
}

func (c *registryClient) fsck(ctx context.Context, fix bool) ([]schemaFault, error) {
	method := "GET"
	if fix {
		method = "POST"
	}
	var answer struct{ Findings []schemaFault }
	if err := c.do(ctx, method, "/v1/fsck", nil, nil, &answer); err != nil {
		if notThere(err) {
			return nil, fmt.Errorf("the registry at %s cannot check its topic: only Millrace's can, and \"millrace registry\" reads the same topic once the other one is stopped", c)
		}
		return nil, err
	}
	faults := []schemaFault{}
	for _, f := range answer.Findings {
		f.Mended = fix && f.CanMend
		faults = append(faults, f)
	}
	return faults, nil
}

func formatFaults(w io.Writer, faults []schemaFault) {
	if len(faults) == 0 {
		fmt.Fprintln(w, "Nothing is wrong.")
		return
	}
	t := newTable("FAULT", "WHAT", "")
	for _, f := range faults {
		what := "a person has to decide"
		switch {
		case f.Mended:
			what = "mended"
		case f.CanMend:
			what = "--fix mends it"
		}
		t.add(f.Kind, f.Message, what)
	}
	t.write(w)
}
