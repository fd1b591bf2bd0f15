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
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) group() *cobra.Command {
	return noun("group", "List, describe, reset and delete consumer groups", "", a.groupList(), a.groupDescribe(), a.groupReset(), a.groupDelete())
}

type groupRow struct {
	Group       string `json:"group"`
	State       string `json:"state"`
	Protocol    string `json:"protocol_type"`
	Coordinator int32  `json:"coordinator"`
}

func (a *app) groupList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List groups", Args: cobra.NoArgs,
		Example: "  millrace group list",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				listed, err := k.ListGroups(ctx)
				if err != nil {
					return err
				}
				rows := []groupRow{}
				for _, g := range listed.Sorted() {
					rows = append(rows, groupRow{g.Group, g.State, g.ProtocolType, g.Coordinator})
				}
				return a.print(rows, func(w io.Writer) { formatGroups(w, rows) })
			})
		},
	}
}

func formatGroups(w io.Writer, rows []groupRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "There are no groups. A consumer makes one: \"millrace consume TOPIC --group NAME\".")
		return
	}
	t := newTable("GROUP", "STATE", "TYPE", "COORDINATOR")
	for _, r := range rows {
		t.add(r.Group, none(r.State), none(r.Protocol), r.Coordinator)
	}
	t.write(w)
}

type groupDescription struct {
	Group       string        `json:"group"`
	State       string        `json:"state"`
	Assignor    string        `json:"assignor"`
	Coordinator int32         `json:"coordinator"`
	Members     []memberRow   `json:"members"`
	Partitions  []groupLagRow `json:"partitions"`
	Lag         int64         `json:"lag"`
}

type memberRow struct {
	ID       string `json:"id"`
	Instance string `json:"instance,omitempty"`
	Client   string `json:"client"`
	Host     string `json:"host"`
	Assigned int    `json:"assigned"`
}

type groupLagRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
	Client    string `json:"client,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupDescribe() *cobra.Command {
	return &cobra.Command{
		Use: "describe NAME...", Short: "Show members, offsets and lag of groups", Args: cobra.MinimumNArgs(1),
		Example:           "  millrace group describe billing",
		ValidArgsFunction: a.completeGroups,
		RunE: func(c *cobra.Command, names []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				lags, err := k.Lag(ctx, names...)
				if err != nil && len(lags) == 0 {
					return err
				}
				ds, errs := []groupDescription{}, []error{}
				for _, name := range names {
					l, ok := lags[name]
					err := l.Error()
					if !ok || l.State == "Dead" && len(l.Lag) == 0 && err == nil {
						err = kerr.GroupIDNotFound
					}
					if err != nil {
						errs = append(errs, failed(fmt.Sprintf("group %q", name), err, ""))
						continue
					}
					ds = append(ds, describeGroup(l))
				}
				errs = append(errs, a.print(ds, func(w io.Writer) {
					for i, d := range ds {
						if i > 0 {
							fmt.Fprintln(w)
						}
						formatGroup(w, d)
					}
				}))
				return errors.Join(errs...)
			})
		},
	}
}

func describeGroup(l kadm.DescribedGroupLag) groupDescription {
	d := groupDescription{Group: l.Group, State: l.State, Assignor: l.Protocol, Coordinator: l.Coordinator.NodeID,
		Members: []memberRow{}, Partitions: []groupLagRow{}}
	for _, m := range l.Members {
		row := memberRow{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			row.Instance = *m.InstanceID
		}
		if c, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range c.Topics {
				row.Assigned += len(t.Partitions)
			}
		}
		d.Members = append(d.Members, row)
	}
	for _, p := range l.Lag.Sorted() {
		row := groupLagRow{Topic: p.Topic, Partition: p.Partition, Committed: p.Commit.At, End: p.End.Offset, Lag: p.Lag}
		if p.Member != nil {
			row.Member, row.Client = p.Member.MemberID, p.Member.ClientID
		}
		if p.Err != nil {
			row.Error = short(p.Err)
		}
		d.Lag += max(p.Lag, 0)
		d.Partitions = append(d.Partitions, row)
	}
	return d
}

func formatGroup(w io.Writer, d groupDescription) {
	assignor := ""
	if d.Assignor != "" {
		assignor = ", assignor " + d.Assignor
	}
	fmt.Fprintf(w, "%s: %s, %s, lag %d%s, coordinator %d\n", escape(d.Group), strings.ToLower(d.State), count(int64(len(d.Members)), "member"),
		d.Lag, escape(assignor), d.Coordinator)
	if len(d.Partitions) > 0 {
		fmt.Fprintln(w)
		t := newTable("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER")
		for _, p := range d.Partitions {
			lag := offset(p.Lag)
			if p.Error != "" {
				lag = p.Error
			}
			t.add(p.Topic, p.Partition, offset(p.Committed), offset(p.End), lag, none(p.Member))
		}
		t.write(w)
	}
	if len(d.Members) > 0 {
		fmt.Fprintln(w)
		t := newTable("MEMBER", "CLIENT", "HOST", "INSTANCE", "PARTITIONS")
		for _, m := range d.Members {
			t.add(m.ID, none(m.Client), none(m.Host), none(m.Instance), m.Assigned)
		}
		t.write(w)
	}
}

type resetRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupReset() *cobra.Command {
	var topics []string
	var to string
	var shift int64
	var dry bool
	c := &cobra.Command{
		Use:   "reset NAME",
		Short: "Move a group's committed offsets",
		Long: `Move the committed offsets of a group that has no members. Without --topic, every topic the group has committed is moved.
--to is ` + positionHelp + `.
Offsets outside of a log become its first or last one.`,
		Example: `  millrace group reset billing --to beginning
  millrace group reset billing --topic orders --to 2h --dry-run
  millrace group reset billing --topic orders:0,1 --to 4200
  millrace group reset billing --shift -100`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeGroups,
		RunE: func(c *cobra.Command, args []string) error {
			var p *position
			if c.Flags().Changed("to") {
				parsed, err := parsePosition(to, a.now())
				if err != nil {
					return err
				}
				p = &parsed
			}
			chosen, err := parseTopicPartitions(topics)
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				return a.resetGroup(ctx, k, args[0], chosen, p, shift, dry)
			})
		},
	}
	c.Flags().StringArrayVar(&topics, "topic", nil, "only this topic, or these partitions of it: NAME or NAME:0,1; may be given more than once")
	c.Flags().StringVar(&to, "to", "", "where to")
	c.Flags().Int64Var(&shift, "shift", 0, "by how many offsets, forwards or (negative) back")
	c.Flags().BoolVar(&dry, "dry-run", false, "only show what would change")
	c.MarkFlagsMutuallyExclusive("to", "shift")
	c.MarkFlagsOneRequired("to", "shift")
	c.RegisterFlagCompletionFunc("topic", a.completeTopics)
	c.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{"beginning", "end"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// parseTopicPartitions reads NAME and NAME:0,1; no partitions means all of them.
func parseTopicPartitions(items []string) (map[string][]int32, error) {
	out := map[string][]int32{}
	for _, item := range items {
		name, list, some := strings.Cut(item, ":")
		if name == "" {
			return nil, usagef("--topic %s names no topic", item)
		}
		out[name] = out[name][:len(out[name]):len(out[name])]
		if !some {
			continue
		}
		for _, s := range strings.Split(list, ",") {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
			if err != nil || n < 0 {
				return nil, usagef("--topic %s: %q is no partition", item, s)
			}
			out[name] = append(out[name], int32(n))
		}
	}
	return out, nil
}

func (a *app) resetGroup(ctx context.Context, k *kadm.Client, group string, chosen map[string][]int32, p *position, shift int64, dry bool) error {
	committed, err := k.FetchOffsets(ctx, group)
	if err != nil {
		return failed(fmt.Sprintf("group %q", group), err, "")
	}
	if len(chosen) == 0 {
		for t := range committed {
			chosen[t] = nil
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("group %q has committed nothing: name the topics with --topic", group)
	}
	var names []string
	for t := range chosen {
		names = append(names, t)
	}
	slices.Sort(names)
	asked := position{}
	if p != nil {
		asked = *p
	}
	all, err := partitionBounds(ctx, k, asked, false, names...)
	if err != nil {
		return err
	}
	rows, err := planReset(names, chosen, all, committed, p, shift)
	if err != nil {
		return err
	}
	if !dry {
		err = commitReset(ctx, k, group, rows)
	}
	return errors.Join(a.print(rows, func(w io.Writer) { formatReset(w, group, rows, dry, err) }), err)
}

// planReset decides every partition's new offset.
func planReset(names []string, chosen map[string][]int32, all map[string]map[int32]bounds, committed kadm.OffsetResponses, p *position, shift int64) ([]resetRow, error) {
	rows := []resetRow{}
	for _, name := range names {
		partitions := chosen[name]
		if len(partitions) == 0 {
			for n := range all[name] {
				partitions = append(partitions, n)
			}
		}
		slices.Sort(partitions)
		for _, n := range partitions {
			b, ok := all[name][n]
			if !ok {
				return nil, fmt.Errorf("topic %q has no partition %d", name, n)
			}
			row := resetRow{Topic: name, Partition: n, From: -1}
			if o, ok := committed.Lookup(name, n); ok && o.Err == nil {
				row.From = o.At
			}
			if p == nil && row.From < 0 {
				continue // nothing to shift
			}
			if p == nil {
				row.To, _ = position{kind: atOffset, n: row.From + shift}.within(b, true)
			} else {
				row.To, _ = p.within(b, true)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func commitReset(ctx context.Context, k *kadm.Client, group string, rows []resetRow) error {
	offsets := kadm.Offsets{}
	for _, r := range rows {
		offsets.AddOffset(r.Topic, r.Partition, r.To, -1)
	}
	rs, err := k.CommitOffsets(ctx, group, offsets)
	if err != nil {
		return failed(fmt.Sprintf("group %q", group), err, "")
	}
	for i, r := range rows {
		o, ok := rs.Lookup(r.Topic, r.Partition)
		if ok && o.Err == nil {
			continue
		}
		if err == nil {
			err = failed(fmt.Sprintf("group %q", group), o.Err, "")
		}
		rows[i].Error = "not moved"
	}
	return err
}

func formatReset(w io.Writer, group string, rows []resetRow, dry bool, err error) {
	if err != nil {
		return
	}
	t := newTable("TOPIC", "PARTITION", "FROM", "TO")
	for _, r := range rows {
		t.add(r.Topic, r.Partition, offset(r.From), r.To)
	}
	t.write(w)
	if dry {
		fmt.Fprintln(w, "Nothing was changed (--dry-run).")
	}
}

func (a *app) groupDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME...", Short: "Delete groups with their offsets", Args: cobra.MinimumNArgs(1),
		Long:              "Delete groups with their committed offsets. A group must have no members.",
		Example:           "  millrace group delete billing",
		ValidArgsFunction: a.completeGroups,
		RunE: func(c *cobra.Command, names []string) error {
			return a.admin(c.Context(), func(ctx context.Context, k *kadm.Client) error {
				rs, err := k.DeleteGroups(ctx, names...)
				if err != nil && len(rs) == 0 {
					return err
				}
				var results []groupDone
				var errs []error
				for _, name := range names {
					r, ok := rs[name]
					err := r.Err
					if !ok {
						err = kerr.GroupIDNotFound
					}
					if err = failed(fmt.Sprintf("group %q", name), err, ""); err != nil {
						errs = append(errs, err)
						continue
					}
					results = append(results, groupDone{name, "deleted group " + name})
				}
				errs = append(errs, a.print(results, func(w io.Writer) {
					for _, r := range results {
						fmt.Fprintln(w, escape(r.Done))
					}
				}))
				return errors.Join(errs...)
			})
		},
	}
}

type groupDone struct {
	Group string `json:"group"`
	Done  string `json:"done"`
}
