package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type consumeOptions struct {
	from        string
	partitions  []int32
	limit       int64
	group       string
	follow      bool
	format      string
	uncommitted bool
	raw         bool
	noDecode    bool
	quiet       bool
}

func (a *app) consume() *cobra.Command {
	var o consumeOptions
	c := &cobra.Command{
		Use:   "consume TOPIC...",
		Short: "Read records of topics",
		Long: `Read records of topics: from the beginning to the present end, unless told otherwise. --follow goes on with what comes, until
Ctrl-C. With --group the command is a member of a consumer group: it goes on where the group left off, commits what it
printed, and follows.

--from is ` + positionHelp + `.
With --group it says where to begin in partitions that the group has not committed.

--format is ` + formatHelp + `

Keys and values that carry the id of a schema, in front or in a header, are shown as JSON, decoded with the schema that the
registry has for it; format json says which. What cannot be decoded is shown as it is, and said on standard error.

On a terminal, characters that it would act upon are escaped; --raw leaves them as they are. Records of internal topics
are shown decoded.`,
		Example: `  millrace consume orders
  millrace consume orders --from -10 --follow
  millrace consume orders --from 2h --format '%d %p:%o %k=%v\n'
  millrace consume orders --group billing --format json`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeTopics,
		RunE: func(c *cobra.Command, topics []string) error { return a.runConsume(c, topics, o) },
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "beginning", "where to begin: beginning, end, an offset, -N, a time, or a time ago")
	f.Int32SliceVarP(&o.partitions, "partition", "p", nil, "only these partitions")
	f.Int64VarP(&o.limit, "count", "n", 0, "end after this many records")
	f.StringVarP(&o.group, "group", "g", "", "be a member of this consumer group")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes")
	f.StringVar(&o.format, "format", "value", "how a record is written: value, key-value, json, hex, or a template")
	f.BoolVar(&o.uncommitted, "uncommitted", false, "also read records of transactions that are open or were aborted")
	f.BoolVar(&o.raw, "raw", false, "write control characters as they are, even on a terminal")
	a.registryFlag(f)
	f.BoolVar(&o.noDecode, "no-decode", false, "show what carries a schema id as it lies in the topic")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "say nothing on standard error")
	c.MarkFlagsMutuallyExclusive("group", "partition")
	c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"beginning", "end"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"value", "key-value", "json", "hex"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("group", a.completeGroups)
	return c
}

func (a *app) runConsume(c *cobra.Command, topics []string, o consumeOptions) error {
	if a.output == "json" && !c.Flags().Changed("format") {
		o.format = "json"
	}
	decoder, err := a.newDecoder(c.Context(), o)
	if err != nil {
		return err
	}
	format, err := newFormat(o.format, isTerminal(a.out) && !o.raw, decoder)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("format") || o.format == "json" {
		format = decodingInternal(format)
	}
	from, err := parsePosition(o.from, a.now())
	if err != nil {
		return err
	}
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	printed := &printer{out: bufio.NewWriterSize(a.out, 64<<10), format: format, limit: o.limit}
	if o.group != "" {
		err = a.consumeGroup(c.Context(), topics, from, o, printed)
	} else {
		err = a.consumePartitions(c.Context(), topics, from, o, printed)
	}
	if flushed := printed.out.Flush(); err == nil {
		err = flushed
	}
	if !o.quiet && isTerminal(a.err) && !isTerminal(a.out) {
		fmt.Fprintln(a.err, count(printed.records, "record"))
	}
	return err
}

// printer writes records and knows when it has written enough.
type printer struct {
	out     *bufio.Writer
	format  recordFormat
	limit   int64 // 0: none
	records int64
}

func (p *printer) enough() bool { return p.limit > 0 && p.records >= p.limit }

func (p *printer) write(r *kgo.Record) error {
	if r.Attrs.IsControl() {
		return nil
	}
	p.records++
	return p.format(p.out, r)
}

func isolation(o consumeOptions) kgo.Opt {
	if o.uncommitted {
		return kgo.FetchIsolationLevel(kgo.ReadUncommitted())
	}
	return kgo.FetchIsolationLevel(kgo.ReadCommitted())
}

// endings are the offsets at which reading a partition is over.
type endings map[string]map[int32]int64

// consumePartitions reads without a group: each partition from where --from says, to its present end.
func (a *app) consumePartitions(ctx context.Context, topics []string, from position, o consumeOptions, p *printer) error {
	var starts map[string]map[int32]kgo.Offset
	var ends endings
	err := a.admin(ctx, func(ctx context.Context, k *kadm.Client) error {
		all, err := a.topicBounds(ctx, k, from, o, topics)
		if err != nil {
			return err
		}
		starts, ends, err = planConsume(all, topics, o.partitions, from)
		return err
	})
	if err != nil {
		return err
	}
	if len(ends) == 0 && !o.follow {
		return nil // everything is empty, or lies before --from
	}
	return a.readTo(ctx, topics, starts, ends, o, p)
}

// readTo reads partitions from some offsets to others, or on and on when the options say so.
func (a *app) readTo(ctx context.Context, topics []string, starts map[string]map[int32]kgo.Offset, ends endings, o consumeOptions, p *printer) error {
	// Control records are asked for, because a partition may end with one: without them its end would never be seen.
	cl, err := a.client(ctx, kgo.ConsumePartitions(starts), kgo.KeepControlRecords(), isolation(o), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	return follow(ctx, cl.PollFetches, p, func(r *kgo.Record) {
		if end, ok := ends[r.Topic][r.Partition]; ok && r.Offset+1 >= end {
			delete(ends[r.Topic], r.Partition)
			if len(ends[r.Topic]) == 0 {
				delete(ends, r.Topic)
			}
		}
	}, func() bool { return !o.follow && len(ends) == 0 }, func() error {
		if o.follow {
			return nil
		}
		return a.stillThere(ctx, topics, ends)
	})
}

// topicBounds asks for the bounds of the topics. What does not exist is created by following it where the broker
// does that for its clients; otherwise it is an error.
func (a *app) topicBounds(ctx context.Context, k *kadm.Client, from position, o consumeOptions, topics []string) (map[string]map[int32]bounds, error) {
	known, err := k.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		if err := known[t].Err; err != nil {
			return nil, failed(fmt.Sprintf("topic %q", t), err, "")
		}
	}
	return partitionBounds(ctx, k, from, !o.uncommitted, topics...)
}

// planConsume decides where each partition is begun and ended. ends leaves out what has nothing to read.
func planConsume(all map[string]map[int32]bounds, topics []string, only []int32, from position) (starts map[string]map[int32]kgo.Offset, ends endings, err error) {
	starts, ends = map[string]map[int32]kgo.Offset{}, endings{}
	for _, t := range topics {
		for _, n := range only {
			if _, ok := all[t][n]; !ok {
				return nil, nil, fmt.Errorf("topic %q has no partition %d", t, n)
			}
		}
		starts[t] = map[int32]kgo.Offset{}
		for n, b := range all[t] {
			if len(only) > 0 && !slices.Contains(only, n) {
				continue
			}
			clamp := len(all[t]) > 1 && len(only) != 1 // one offset for several partitions fits not all of them
			at, err := from.within(b, clamp)
			if err != nil {
				return nil, nil, fmt.Errorf("topic %q, partition %d: %w", t, n, err)
			}
			starts[t][n] = kgo.NewOffset().At(at)
			if at < b.end {
				if ends[t] == nil {
					ends[t] = map[int32]int64{}
				}
				ends[t][n] = b.end
			}
		}
	}
	return starts, ends, nil
}

// stillThere is asked when nothing has come for a while and the end is not reached. Either the broker is gone, or the
// records at the end were compacted away: nothing else can tell.
func (a *app) stillThere(ctx context.Context, topics []string, ends endings) error {
	err := a.admin(ctx, func(ctx context.Context, k *kadm.Client) error {
		listed, err := k.ListEndOffsets(ctx, topics...)
		if err == nil {
			err = listed.Error()
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range slices.Sorted(maps.Keys(ends)) {
		fmt.Fprintf(a.err, "millrace: nothing more came from topic %s, although it is not read to its end: the last records may have been compacted away\n", escape(t))
	}
	return errQuiet
}

// errQuiet ends the reading of what has nothing more to read.
var errQuiet = errors.New("nothing more came")

// quiet is how long nothing may come before somebody asks whether the broker is still there.
const quiet = 5 * time.Second

// follow polls and prints until it is over. silent is asked whenever nothing has come for a while.
func follow(ctx context.Context, poll func(context.Context) kgo.Fetches, p *printer, saw func(*kgo.Record), over func() bool, silent func() error) error {
	for !over() && !p.enough() {
		wait, cancel := context.WithTimeout(ctx, quiet)
		fetches := poll(wait)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			if err := silent(); errors.Is(err, errQuiet) {
				return nil
			} else if err != nil {
				return err
			}
			continue
		}
		if err := fetchFailure(fetches); err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done() && !p.enough(); {
			r := it.Next()
			if err := p.write(r); err != nil {
				return err
			}
			saw(r)
		}
		if err := p.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func fetchFailure(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(topic string, partition int32, err error) {
		if first == nil {
			what := fmt.Sprintf("topic %q, partition %d", topic, partition)
			if topic == "" {
				first = err
				return
			}
			first = failed(what, err, "")
		}
	})
	return first
}

// consumeGroup reads as a member of a group. Only what was printed is committed, at the latest when it ends.
func (a *app) consumeGroup(ctx context.Context, topics []string, from position, o consumeOptions, p *printer) error {
	var reset kgo.Offset
	switch from.kind {
	case atBeginning:
		reset = kgo.NewOffset().AtStart()
	case atEnd:
		reset = kgo.NewOffset().AtEnd()
	case beforeEnd:
		reset = kgo.NewOffset().AtEnd().Relative(-from.n)
	case atTime:
		reset = kgo.NewOffset().AfterMilli(from.at.UnixMilli())
	default:
		return usagef("--from %s does not go with --group: move the group with \"millrace group reset\" instead", o.from)
	}
	cl, err := a.client(ctx, kgo.ConsumerGroup(o.group), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(reset), isolation(o),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(time.Second), kgo.BlockRebalanceOnPoll())
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	poll := func(ctx context.Context) kgo.Fetches {
		cl.AllowRebalance() // what was polled before has been printed and marked
		return cl.PollFetches(ctx)
	}
	err = follow(ctx, poll, p, func(r *kgo.Record) { cl.MarkCommitRecords(r) }, func() bool { return false }, func() error { return nil })
	// The context is over by now when Ctrl-C ended it, and what was printed must be committed all the same.
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, cl.CommitMarkedOffsets(commit))
}
