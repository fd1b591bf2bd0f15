package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) topic() *cobra.Command {
	return noun("topic", "Create, list, describe, alter and delete topics", "", a.topicCreate(), a.topicList(), a.topicDescribe(), a.topicAlter(), a.topicDelete())
}

// done is one line of a result that has nothing else to tell.
type done struct {
	Topic string `json:"topic"`
	Done  string `json:"done"`
	Error string `json:"error,omitempty"`
}

// each does something to several topics or groups, tells of each, and returns every failure.
func (a *app) report(results []done, errs []error) error {
	err := a.print(results, func(w io.Writer) {
		for _, d := range results {
			if d.Error == "" {
				fmt.Fprintln(w, escape(d.Done))
			}
		}
	})
	return errors.Join(append(errs, err)...)
}

func (a *app) topicCreate() *cobra.Command {
	var partitions, replicas int
	var settings, asKafka []string
	var accept, dry bool
	c := &cobra.Command{
		Use:   "create NAME...",
		Short: "Create topics",
		Long:  "Create topics. Without --partitions and --replicas the cluster's defaults hold (num.partitions, default.replication.factor).",
		Example: `  millrace topic create orders
  millrace topic create orders payments --partitions 12 --replicas 3
  millrace topic create state --set cleanup.policy=compact --set min.cleanable.dirty.ratio=0.2`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, names []string) error {
			configs, err := pairs("--set", append(settings, asKafka...))
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				create := k.CreateTopics
				if dry {
					create = k.ValidateCreateTopics
				}
				rs, err := create(ctx, int32(partitions), int16(replicas), configs, names...)
				if err != nil {
					return err
				}
				return a.report(created(names, rs, accept, dry))
			})
		},
	}
	c.Flags().IntVarP(&partitions, "partitions", "p", -1, "number of partitions")
	c.Flags().IntVarP(&replicas, "replicas", "r", -1, "replicas of each partition")
	c.Flags().StringArrayVarP(&settings, "set", "s", nil, "a topic setting as key=value; may be given more than once")
	c.Flags().StringArrayVar(&asKafka, "config", nil, "what Kafka's own tool calls --set")
	c.Flags().MarkHidden("config")
	c.Flags().BoolVar(&accept, "if-not-exists", false, "a topic that exists already is no failure")
	c.Flags().BoolVar(&dry, "dry-run", false, "only ask whether it would be possible")
	c.RegisterFlagCompletionFunc("set", completeTopicSettings("="))
	return c
}

func created(names []string, rs kadm.CreateTopicResponses, accept, dry bool) (results []done, errs []error) {
	for _, name := range names {
		r, err := rs.On(name, func(r *kadm.CreateTopicResponse) error { return r.Err })
		switch {
		case accept && errors.Is(err, kerr.TopicAlreadyExists):
			results = append(results, done{Topic: name, Done: fmt.Sprintf("topic %s exists already", name)})
		case err != nil:
			err = failed(fmt.Sprintf("topic %q", name), err, r.ErrMessage)
			errs, results = append(errs, err), append(results, done{Topic: name, Error: err.Error()})
		default:
			verb := "created"
			if dry {
				verb = "could create"
			}
			what := fmt.Sprintf("%s topic %s", verb, name)
			if r.NumPartitions > 0 {
				what += fmt.Sprintf(" (%s, %s)", count(int64(r.NumPartitions), "partition"), count(int64(r.ReplicationFactor), "replica"))
			}
			results = append(results, done{Topic: name, Done: what})
		}
	}
	return results, errs
}

// pairs reads key=value flags.
func pairs(flag string, items []string) (map[string]*string, error) {
	out := map[string]*string{}
	for _, item := range items {
		key, value, ok := strings.Cut(item, "=")
		if !ok || key == "" {
			return nil, usagef("%s %s is not of the form key=value", flag, item)
		}
		out[key] = &value
	}
	return out, nil
}

type topicRow struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
	Internal   bool   `json:"internal"`
}

func (a *app) topicList() *cobra.Command {
	var internal bool
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List topics", Args: cobra.NoArgs,
		Example: "  millrace topic list\n  millrace topic list --internal --output json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				topics, err := k.ListTopicsWithInternal(ctx)
				if err != nil {
					return err
				}
				rows := topicRows(topics, internal)
				return a.print(rows, func(w io.Writer) { formatTopics(w, rows) })
			})
		},
	}
	c.Flags().BoolVar(&internal, "internal", false, "also list internal topics")
	return c
}

func topicRows(topics kadm.TopicDetails, internal bool) []topicRow {
	rows := []topicRow{}
	for _, name := range topics.Names() {
		t := topics[name]
		if t.IsInternal && !internal {
			continue
		}
		rows = append(rows, topicRow{name, len(t.Partitions), t.Partitions.NumReplicas(), t.IsInternal})
	}
	return rows
}

func formatTopics(w io.Writer, rows []topicRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "There are no topics. Create one with \"millrace topic create NAME\".")
		return
	}
	t := newTable("TOPIC", "PARTITIONS", "REPLICAS")
	for _, r := range rows {
		t.add(r.Name, r.Partitions, r.Replicas)
	}
	t.write(w)
}

type topicDescription struct {
	Name       string                 `json:"name"`
	ID         string                 `json:"id"`
	Internal   bool                   `json:"internal"`
	Partitions []partitionDescription `json:"partitions"`
	// Settings are those that somebody set.
	Settings []settingRow `json:"settings"`
	// FlushBeforeAck is null where the cluster does not know the setting.
	FlushBeforeAck *bool `json:"flush_before_ack"`
}

type partitionDescription struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"`
	LeaderEpoch int32   `json:"leader_epoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Start       int64   `json:"start_offset"`
	End         int64   `json:"end_offset"`
	SizeBytes   int64   `json:"size_bytes"`
	Error       string  `json:"error,omitempty"`
}

func (a *app) topicDescribe() *cobra.Command {
	return &cobra.Command{
		Use: "describe NAME...", Short: "Show partitions, offsets, sizes and settings of topics", Args: cobra.MinimumNArgs(1),
		Example:           "  millrace topic describe orders",
		ValidArgsFunction: a.completeTopics,
		RunE: func(c *cobra.Command, names []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				ds, errs := describeTopics(ctx, k, names)
				err := a.print(ds, func(w io.Writer) {
					for i, d := range ds {
						if i > 0 {
							fmt.Fprintln(w)
						}
						formatTopic(w, d)
					}
				})
				return errors.Join(append(errs, err)...)
			})
		},
	}
}

func describeTopics(ctx context.Context, k *kadm.Client, names []string) ([]topicDescription, []error) {
	out := []topicDescription{}
	topics, err := k.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return out, []error{err}
	}
	var errs []error
	var known []string
	for _, name := range names {
		if t := topics[name]; t.Err != nil {
			errs = append(errs, failed(fmt.Sprintf("topic %q", name), t.Err, ""))
		} else if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return out, errs
	}
	starts, err := k.ListStartOffsets(ctx, known...)
	errs = append(errs, err)
	ends, err := k.ListEndOffsets(ctx, known...)
	errs = append(errs, err)
	settings, err := k.DescribeTopicConfigs(ctx, known...)
	errs = append(errs, err)
	asked := kadm.TopicsSet{}
	for _, name := range known {
		asked.Add(name, topics[name].Partitions.Numbers()...)
	}
	dirs, _ := k.DescribeAllLogDirs(ctx, asked) // sizes are worth having and not worth failing for
	for _, name := range known {
		d := topicDescription{Name: name, ID: topicID(topics[name].ID), Internal: topics[name].IsInternal}
		for _, p := range topics[name].Partitions.Sorted() {
			d.Partitions = append(d.Partitions, describePartition(p, starts, ends, dirs))
		}
		d.Settings, d.FlushBeforeAck = topicSettingRows(settings, name)
		out = append(out, d)
	}
	return out, errs
}

// topicID is written as Kafka's own tools write it.
func topicID(id kadm.TopicID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func describePartition(p kadm.PartitionDetail, starts, ends kadm.ListedOffsets, dirs kadm.DescribedAllLogDirs) partitionDescription {
	d := partitionDescription{Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR,
		Start: -1, End: -1, SizeBytes: -1}
	if p.Err != nil {
		d.Error = short(p.Err)
	}
	if o, ok := starts.Lookup(p.Topic, p.Partition); ok && o.Err == nil {
		d.Start = o.Offset
	}
	if o, ok := ends.Lookup(p.Topic, p.Partition); ok && o.Err == nil {
		d.End = o.Offset
	}
	if l, ok := dirs[p.Leader].LookupPartition(p.Topic, p.Partition); ok {
		d.SizeBytes = l.Size
	}
	return d
}

func topicSettingRows(rs kadm.ResourceConfigs, name string) (rows []settingRow, flushBeforeAck *bool) {
	rows = []settingRow{}
	r, _ := rs.On(name, nil)
	for _, c := range r.Configs {
		if c.Key == "flush.before.ack" {
			v := c.MaybeValue() == "true"
			flushBeforeAck = &v
		}
		if row := settingOf(c); row.From != "default" && row.From != "file" {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b settingRow) int { return strings.Compare(a.Key, b.Key) })
	return rows, flushBeforeAck
}

func formatTopic(w io.Writer, d topicDescription) {
	fmt.Fprintf(w, "%s: %s, id %s%s\n", escape(d.Name), count(int64(len(d.Partitions)), "partition"), d.ID, map[bool]string{true: ", internal"}[d.Internal])
	if d.FlushBeforeAck != nil && *d.FlushBeforeAck {
		fmt.Fprintln(w, "acknowledged records are on disk (flush.before.ack=true)")
	} else if d.FlushBeforeAck != nil {
		fmt.Fprintln(w, "acknowledged records may be lost when the power fails (flush.before.ack=false)")
	}
	fmt.Fprintln(w)
	t := newTable("PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "START", "END", "SIZE")
	for _, p := range d.Partitions {
		leader := fmt.Sprint(p.Leader)
		if p.Leader < 0 {
			leader = "none"
		}
		bytes := "-"
		if p.SizeBytes >= 0 {
			bytes = size(p.SizeBytes)
		}
		t.add(p.Partition, leader, p.LeaderEpoch, ints(p.Replicas), ints(p.ISR), offset(p.Start), offset(p.End), bytes)
	}
	t.write(w)
	if len(d.Settings) > 0 {
		fmt.Fprintln(w)
		formatSettings(w, d.Settings)
	}
}

func offset(o int64) string {
	if o < 0 {
		return "-"
	}
	return fmt.Sprint(o)
}

func (a *app) topicAlter() *cobra.Command {
	var partitions int
	var change settingChange
	c := &cobra.Command{
		Use: "alter NAME...", Short: "Add partitions to topics and change their settings", Args: cobra.MinimumNArgs(1),
		Example: `  millrace topic alter orders --partitions 24
  millrace topic alter orders --set retention.ms=86400000 --unset cleanup.policy`,
		ValidArgsFunction: a.completeTopics,
		RunE: func(c *cobra.Command, names []string) error {
			if partitions == 0 && change.empty() {
				return usagef("nothing to alter: give --partitions, --set, --unset, --append or --subtract")
			}
			alterations, err := change.alterations()
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				return a.report(alterTopics(ctx, k, names, partitions, alterations, change.dry))
			})
		},
	}
	c.Flags().IntVarP(&partitions, "partitions", "p", 0, "number of partitions the topic shall have")
	change.flags(c, completeTopicSettings)
	return c
}

func alterTopics(ctx context.Context, k *kadm.Client, names []string, partitions int, alterations []kadm.AlterConfig, dry bool) (results []done, errs []error) {
	note := func(name, what string, err error, message string) {
		if err = failed(fmt.Sprintf("topic %q", name), err, message); err != nil {
			errs, results = append(errs, err), append(results, done{Topic: name, Error: err.Error()})
			return
		}
		results = append(results, done{Topic: name, Done: what})
	}
	if partitions > 0 {
		update := k.UpdatePartitions
		if dry {
			update = k.ValidateUpdatePartitions
		}
		rs, err := update(ctx, partitions, names...)
		if err != nil {
			return nil, []error{err}
		}
		for _, name := range names {
			r := rs[name]
			note(name, fmt.Sprintf("topic %s has %s", name, count(int64(partitions), "partition")), r.Err, r.ErrMessage)
		}
	}
	if len(alterations) > 0 {
		alter := k.AlterTopicConfigs
		if dry {
			alter = k.ValidateAlterTopicConfigs
		}
		rs, err := alter(ctx, alterations, names...)
		if err != nil {
			return results, append(errs, err)
		}
		for _, name := range names {
			r, err := rs.On(name, func(r *kadm.AlterConfigsResponse) error { return r.Err })
			note(name, "changed the settings of topic "+name, err, r.ErrMessage)
		}
	}
	return results, errs
}

func (a *app) topicDelete() *cobra.Command {
	var accept bool
	c := &cobra.Command{
		Use: "delete NAME...", Short: "Delete topics with everything in them", Args: cobra.MinimumNArgs(1),
		Long:              "Delete topics with everything in them, at once and for good.",
		Example:           "  millrace topic delete orders",
		ValidArgsFunction: a.completeTopics,
		RunE: func(c *cobra.Command, names []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				rs, err := k.DeleteTopics(ctx, names...)
				if err != nil {
					return err
				}
				return a.report(deleted(names, rs, accept))
			})
		},
	}
	c.Flags().BoolVar(&accept, "if-exists", false, "a topic that does not exist is no failure")
	return c
}

// notDeleted says why, in the broker's words where it has some.
func notDeleted(name string, err error, message string) error {
	what := fmt.Sprintf("topic %q", name)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return about{what: what, err: err, remedy: `see "millrace topic list"`}
	}
	return failed(what, err, message)
}

func deleted(names []string, rs kadm.DeleteTopicResponses, accept bool) (results []done, errs []error) {
	for _, name := range names {
		r, err := rs.On(name, func(r *kadm.DeleteTopicResponse) error { return r.Err })
		switch {
		case accept && errors.Is(err, kerr.UnknownTopicOrPartition):
			results = append(results, done{Topic: name, Done: fmt.Sprintf("topic %s does not exist", name)})
		case err != nil:
			err = notDeleted(name, err, r.ErrMessage)
			errs, results = append(errs, err), append(results, done{Topic: name, Error: err.Error()})
		default:
			results = append(results, done{Topic: name, Done: "deleted topic " + name})
		}
	}
	return results, errs
}
