package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/internal/config"
)

func (a *app) config() *cobra.Command {
	return noun("config", "Read and change settings of topics, brokers and the cluster",
		"Read and change the settings of topics (--topic), of single brokers (--broker) and the default of all brokers (--cluster).",
		a.configGet(), a.configSet())
}

// settingRow is one setting with its value and where that comes from.
type settingRow struct {
	Key       string       `json:"key"`
	Value     *string      `json:"value"`
	From      string       `json:"from"`
	Sensitive bool         `json:"sensitive,omitempty"`
	Synonyms  []settingRow `json:"synonyms,omitempty"`
}

var sources = map[int8]string{1: "topic", 2: "broker", 3: "cluster", 4: "file", 5: "default", 6: "logger", 7: "client metrics", 8: "group"}

func settingOf(c kadm.Config) settingRow {
	row := settingRow{Key: c.Key, Value: c.Value, From: sources[int8(c.Source)], Sensitive: c.Sensitive}
	for _, s := range c.Synonyms {
		row.Synonyms = append(row.Synonyms, settingRow{Key: s.Key, Value: s.Value, From: sources[int8(s.Source)]})
	}
	return row
}

// resource is whose settings are meant.
type resource struct {
	topic   string
	broker  int32
	cluster bool
}

func (r *resource) flags(c *cobra.Command, a *app) {
	c.Flags().StringVar(&r.topic, "topic", "", "a topic's settings")
	c.Flags().Int32Var(&r.broker, "broker", -1, "a broker's settings, by its number")
	c.Flags().BoolVar(&r.cluster, "cluster", false, "what is set as the default of all brokers")
	c.MarkFlagsMutuallyExclusive("topic", "broker", "cluster")
	c.MarkFlagsOneRequired("topic", "broker", "cluster")
	c.RegisterFlagCompletionFunc("topic", a.completeTopics)
}

func (r *resource) String() string {
	switch {
	case r.topic != "":
		return fmt.Sprintf("topic %q", r.topic)
	case r.cluster:
		return "the cluster"
	}
	return fmt.Sprintf("broker %d", r.broker)
}

func (r *resource) describe(ctx context.Context, k *kadm.Client) (kadm.ResourceConfigs, error) {
	switch {
	case r.topic != "":
		return k.DescribeTopicConfigs(ctx, r.topic)
	case r.cluster:
		return k.DescribeBrokerConfigs(ctx)
	}
	return k.DescribeBrokerConfigs(ctx, r.broker)
}

func (r *resource) alter(ctx context.Context, k *kadm.Client, changes []kadm.AlterConfig, dry bool) (kadm.AlterConfigsResponses, error) {
	brokers := []int32{r.broker}
	if r.cluster {
		brokers = nil
	}
	switch {
	case r.topic != "" && dry:
		return k.ValidateAlterTopicConfigs(ctx, changes, r.topic)
	case r.topic != "":
		return k.AlterTopicConfigs(ctx, changes, r.topic)
	case dry:
		return k.ValidateAlterBrokerConfigs(ctx, changes, brokers...)
	}
	return k.AlterBrokerConfigs(ctx, changes, brokers...)
}

func (a *app) configGet() *cobra.Command {
	var r resource
	var all, chain bool
	c := &cobra.Command{
		Use:   "get [KEY...]",
		Short: "Show settings",
		Long: `Show settings: those that somebody set, all of them with --all, or the named ones. FROM says where a value comes from: the
topic, the broker (set while it runs), the cluster (the default of all brokers), the broker's file, or the built-in default.`,
		Example: `  millrace config get --topic orders
  millrace config get --topic orders retention.ms --chain
  millrace config get --broker 1 --all`,
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if r.topic != "" {
				return completeTopicSettings("")(c, args, prefix)
			}
			return completeSettings("")(c, args, prefix)
		},
		RunE: func(c *cobra.Command, keys []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				rs, err := r.describe(ctx, k)
				if err != nil {
					return failed(r.String(), err, "")
				}
				rows, err := settingRows(&r, rs, keys, all)
				if err != nil && len(rows) == 0 {
					return err
				}
				return errors.Join(a.print(rows, func(w io.Writer) {
					switch {
					case len(rows) == 0:
						fmt.Fprintf(w, "Nothing is set for %s. All settings are shown with --all.\n", escape(r.String()))
					case chain:
						formatChains(w, rows)
					default:
						formatSettings(w, rows)
					}
				}), err)
			})
		},
	}
	r.flags(c, a)
	c.Flags().BoolVar(&all, "all", false, "also show settings that nobody set")
	c.Flags().BoolVar(&chain, "chain", false, "show every place where a value was found, in the order they count")
	return c
}

func settingRows(r *resource, rs kadm.ResourceConfigs, keys []string, all bool) ([]settingRow, error) {
	rows := []settingRow{}
	for _, res := range rs {
		if res.Err != nil {
			return nil, failed(r.String(), res.Err, res.ErrMessage)
		}
		for _, c := range res.Configs {
			row := settingOf(c)
			if len(keys) > 0 && slices.Contains(keys, c.Key) || len(keys) == 0 && (all || row.From != "default") {
				rows = append(rows, row)
			}
		}
	}
	slices.SortFunc(rows, func(a, b settingRow) int { return strings.Compare(a.Key, b.Key) })
	var errs []error
	for _, key := range keys {
		if !slices.ContainsFunc(rows, func(s settingRow) bool { return s.Key == key }) {
			errs = append(errs, unknownSetting(r, key))
		}
	}
	return rows, errors.Join(errs...)
}

func unknownSetting(r *resource, key string) error {
	near, known := config.Nearest(key), config.Lookup(key) != nil
	if r.topic != "" {
		near, known = config.NearestTopic(key), config.LookupTopic(key) != nil
	}
	switch {
	case known:
		return fmt.Errorf("%s is not set for %s", key, r)
	case near != "":
		return fmt.Errorf("%s has no setting %s: did you mean %s?", r, key, near)
	}
	return fmt.Errorf("%s has no setting %s: --all shows those there are", r, key)
}

func formatSettings(w io.Writer, rows []settingRow) {
	t := newTable("SETTING", "VALUE", "FROM", "")
	for _, r := range rows {
		t.add(r.Key, shownValue(r), none(r.From), meaning(r))
	}
	t.write(w)
}

func formatChains(w io.Writer, rows []settingRow) {
	t := newTable("SETTING", "VALUE", "FROM", "AS")
	for _, r := range rows {
		t.add(r.Key, shownValue(r), none(r.From), "")
		for _, s := range r.Synonyms {
			s.Sensitive = r.Sensitive
			t.add("", shownValue(s), none(s.From), s.Key)
		}
	}
	t.write(w)
}

func shownValue(r settingRow) string {
	switch {
	case r.Sensitive:
		return "(hidden)"
	case r.Value == nil:
		return "(none)"
	case *r.Value == "":
		return `""`
	}
	return *r.Value
}

// meaning says for people how long so many milliseconds are, and how much so many bytes.
func meaning(r settingRow) string {
	if r.Value == nil {
		return ""
	}
	n, err := strconv.ParseInt(*r.Value, 10, 64)
	switch {
	case err != nil:
		return ""
	case n == 1<<63-1:
		return "unlimited"
	case strings.HasSuffix(r.Key, ".ms"):
		return span(n)
	case strings.HasSuffix(r.Key, ".bytes") && n >= 1024:
		return size(n)
	}
	return ""
}

// settingChange are the flags that change settings.
type settingChange struct {
	set, unset, add, subtract []string
	dry                       bool
}

func (s *settingChange) flags(c *cobra.Command, complete func(suffix string) completion) {
	c.Flags().StringArrayVarP(&s.set, "set", "s", nil, "set key=value; may be given more than once")
	s.otherFlags(c, complete)
	c.RegisterFlagCompletionFunc("set", complete("="))
}

func (s *settingChange) otherFlags(c *cobra.Command, complete func(suffix string) completion) {
	c.Flags().StringArrayVar(&s.unset, "unset", nil, "take a setting back, so that what it inherits holds")
	c.Flags().StringArrayVar(&s.add, "append", nil, "add to a list: key=item")
	c.Flags().StringArrayVar(&s.subtract, "subtract", nil, "take from a list: key=item")
	c.Flags().BoolVar(&s.dry, "dry-run", false, "only ask whether it would be possible")
	c.RegisterFlagCompletionFunc("unset", complete(""))
}

func (s *settingChange) empty() bool {
	return len(s.set)+len(s.unset)+len(s.add)+len(s.subtract) == 0
}

func (s *settingChange) alterations() ([]kadm.AlterConfig, error) {
	var out []kadm.AlterConfig
	for _, part := range []struct {
		flag  string
		items []string
		op    kadm.IncrementalOp
	}{{"--set", s.set, kadm.SetConfig}, {"--append", s.add, kadm.AppendConfig}, {"--subtract", s.subtract, kadm.SubtractConfig}} {
		for _, item := range part.items {
			key, value, ok := strings.Cut(item, "=")
			if !ok || key == "" {
				return nil, usagef("%s %s is not of the form key=value", part.flag, item)
			}
			out = append(out, kadm.AlterConfig{Op: part.op, Name: key, Value: &value})
		}
	}
	for _, key := range s.unset {
		out = append(out, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key})
	}
	return out, nil
}

func (a *app) configSet() *cobra.Command {
	var r resource
	var change settingChange
	c := &cobra.Command{
		Use:   "set KEY=VALUE...",
		Short: "Change settings while nodes run",
		Example: `  millrace config set --topic orders retention.ms=86400000
  millrace config set --topic orders --append cleanup.policy=compact
  millrace config set --topic orders --unset retention.ms
  millrace config set --cluster log.retention.ms=604800000
  millrace config set --broker 1 log.cleaner.backoff.ms=5000`,
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if r.topic != "" {
				return completeTopicSettings("=")(c, args, prefix)
			}
			return completeSettings("=")(c, args, prefix)
		},
		RunE: func(c *cobra.Command, args []string) error {
			change.set = args
			if change.empty() {
				return usagef("nothing to set: give KEY=VALUE, --unset, --append or --subtract")
			}
			alterations, err := change.alterations()
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				return a.alterSettings(ctx, k, &r, alterations, change.dry)
			})
		},
	}
	r.flags(c, a)
	change.otherFlags(c, func(suffix string) completion {
		return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			return c.ValidArgsFunction(c, args, prefix)
		}
	})
	return c
}

func (a *app) alterSettings(ctx context.Context, k *kadm.Client, r *resource, alterations []kadm.AlterConfig, dry bool) error {
	rs, err := r.alter(ctx, k, alterations, dry)
	if err != nil {
		return failed(r.String(), err, "")
	}
	for _, res := range rs {
		if res.Err != nil {
			return failed(r.String(), res.Err, res.ErrMessage)
		}
	}
	verb := "changed"
	if dry {
		verb = "could change"
	}
	what := fmt.Sprintf("%s %s of %s", verb, count(int64(len(alterations)), "setting"), r)
	return a.print(map[string]any{"resource": r.String(), "changed": len(alterations), "dry_run": dry}, func(w io.Writer) { fmt.Fprintln(w, escape(what)) })
}
