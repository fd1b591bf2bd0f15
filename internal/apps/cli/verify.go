package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millrace/internal/checker"
	"millrace/internal/checker/load"
)

// errFound: the cluster broke a promise.
var errFound = found("the cluster broke a promise: see the findings above")

// found is the end of a check that did its work and found something.
type found string

func (f found) Error() string { return string(f) }

func (a *app) verify() *cobra.Command {
	var o load.Options
	c := &cobra.Command{
		Use:   "verify",
		Short: "Put load on a cluster and prove that it keeps its promises",
		Long: `Write and read topics of its own for a while, record what was asked, answered and read, and check that nothing
acknowledged was lost, changed, duplicated or reordered. Break something meanwhile (kill a broker, cut the power): the
promises must hold. It works against any Kafka cluster. Exit code 4 means that a promise was broken; the history stays
for the record.`,
		Example: "  millrace verify --duration 1m\n  millrace verify --bootstrap kafka1:9092 --duration 10m --rate 20000",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.runVerify(c.Context(), o)
		},
	}
	f := c.Flags()
	f.DurationVarP(&o.Duration, "duration", "d", 10*time.Second, "how long to write")
	f.IntVar(&o.Producers, "producers", 4, "how many producers write")
	f.IntVar(&o.Consumers, "consumers", 2, "how many consumers read meanwhile")
	f.IntVar(&o.Keys, "partitions", 8, "how many partitions are written")
	f.IntVar(&o.Rate, "rate", 3000, "records a second, of all producers together; -1 is as fast as it goes")
	f.IntVar(&o.Size, "size", 200, "bytes of a record")
	f.Uint64Var(&o.Seed, "seed", 0, "repeat the run with this seed (default: drawn and printed)")
	f.StringVar(&o.HistoryPath, "history", "", "file for the history (default: a temporary one, kept when something was found)")
	f.BoolVar(&o.KeepTopics, "keep-topics", false, "leave the topics behind even when all is well")
	c.MarkFlagFilename("history")
	return c
}

func (a *app) runVerify(ctx context.Context, o load.Options) error {
	if err := reach(ctx, strings.Split(a.bootstrap, ",")); err != nil {
		return unreachable{a.bootstrap, err}
	}
	o.Bootstrap = a.bootstrap
	stop := a.tell(o.Duration)
	o.Started = func(*checker.Writer) { stop(); stop = a.tell(o.Duration) }
	r, err := load.Run(ctx, o)
	stop()
	if err != nil {
		return err
	}
	if err := a.print(verifyResult(r), func(w io.Writer) { formatVerify(w, r) }); err != nil {
		return err
	}
	if !r.Valid() {
		return errFound
	}
	return nil
}

// tell shows on a terminal how far the run is, until the returned function is called.
func (a *app) tell(total time.Duration) (stop func()) {
	if !isTerminal(a.err) {
		return func() {}
	}
	begin, done, ended := a.now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(time.Second)
		defer t.Stop()
		p := newProgress(a.err, a.now)
		defer p.clear()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				p.show(func() string { return verifyProgress(a.now().Sub(begin), total) })
			}
		}
	}()
	var once bool
	return func() {
		if !once {
			once = true
			close(done)
			<-ended
		}
	}
}

func verifyProgress(passed, total time.Duration) string {
	if passed > total {
		return "reading everything back"
	}
	return fmt.Sprintf("%d s of %d s", int(passed.Seconds()), int(total.Seconds()))
}

type verifySummary struct {
	Valid      bool           `json:"valid"`
	Seed       uint64         `json:"seed"`
	Operations int            `json:"operations"`
	Acked      int            `json:"acknowledged"`
	Reads      int            `json:"reads"`
	Lost       int            `json:"lost"`
	Findings   map[string]int `json:"findings"`
	Damaged    []string       `json:"damaged,omitempty"`
	Seconds    float64        `json:"seconds"`
	LongestGap float64        `json:"longest_gap_seconds"`
	History    string         `json:"history,omitempty"`
}

func verifyResult(r load.Result) verifySummary {
	s := verifySummary{Valid: r.Valid(), Seed: r.Seed, Damaged: r.Damaged, Seconds: r.Elapsed.Seconds(), LongestGap: r.LongestGap.Seconds(), History: r.HistoryPath}
	if p := r.Report; p != nil {
		s.Operations, s.Acked, s.Reads, s.Lost, s.Findings = p.Ops, p.Acked, p.Reads, p.Lost, p.Counts
	}
	return s
}

func formatVerify(w io.Writer, r load.Result) {
	if r.Report != nil {
		fmt.Fprintln(w, strings.TrimRight(escapeKeeping(r.Report.String(), "\n\t"), "\n"))
	}
	for _, d := range r.Damaged {
		fmt.Fprintln(w, "damaged: "+escape(d))
	}
	fmt.Fprintf(w, "seed %d, %.1f s, longest time without an acknowledgement %s\n", r.Seed, r.Elapsed.Seconds(), r.LongestGap.Round(time.Millisecond))
	if r.HistoryPath != "" {
		fmt.Fprintf(w, "history: %s\n", escape(r.HistoryPath))
	}
	if r.Valid() {
		fmt.Fprintln(w, "Every promise was kept.")
	}
}
