package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/internal/config"
)

// completion proposes what may stand next on a command line.
type completion = func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective)

// ask asks the cluster for names; whoever presses Tab does not wait long, and sees no errors.
func (a *app) ask(c *cobra.Command, prefix string, names func(ctx context.Context, k *kadm.Client) []string) ([]string, cobra.ShellCompDirective) {
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	a.timeout = min(a.timeout, 2*time.Second)
	var out []string
	a.admin(ctx, func(ctx context.Context, k *kadm.Client) error {
		for _, n := range names(ctx, k) {
			if strings.HasPrefix(n, prefix) {
				out = append(out, n)
			}
		}
		return nil
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeTopics(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return a.ask(c, prefix, func(ctx context.Context, k *kadm.Client) []string {
		topics, _ := k.ListTopics(ctx)
		return topics.Names()
	})
}

func (a *app) completeGroups(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return a.ask(c, prefix, func(ctx context.Context, k *kadm.Client) []string {
		groups, _ := k.ListGroups(ctx)
		return groups.Groups()
	})
}

func completeSettings(suffix string) completion { return completeRows(config.All(), suffix) }

func completeTopicSettings(suffix string) completion { return completeRows(config.AllTopic(), suffix) }

func completeRows(rows []config.Setting, suffix string) completion {
	return func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if suffix != "" {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		var out []string
		for _, r := range rows {
			if !r.Internal && !r.PerListener && strings.HasPrefix(r.Name, prefix) {
				out = append(out, r.Name+suffix+"\t"+r.Doc)
			}
		}
		return out, directive
	}
}
