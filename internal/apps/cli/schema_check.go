package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"millrace/serde"
)

type checkOptions struct {
	file                    schemaFile
	subject, version, level string
	against                 string
	key, mustExist          bool
}

// checkResult is the verdict on a file.
type checkResult struct {
	File        string       `json:"file"`
	Subject     string       `json:"subject"`
	Level       string       `json:"level"`
	Versions    []int        `json:"versions"`
	Compatible  bool         `json:"compatible"`
	Comparisons []comparison `json:"comparisons"`
	Against     *against     `json:"against,omitempty"`
}

func (r checkResult) good() bool { return r.Compatible && (r.Against == nil || r.Against.Failed == 0) }

const errIncompatible = found("the schema does not fit: see the findings above")

func (a *app) schemaCheck() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Ask whether a schema would fit, and why not",
		Long: `Ask whether the schema of FILE (- is standard input) may become the next version of a subject. A schema that does not fit comes with
the reasons and, where there is one, with a record that breaks. Nothing is registered. Exit code 0 means that it fits, 4 that it does not, any other
that nobody knows, so it can stand in a build.

The subject is --subject, or the one that FILE's name (order.avsc: order, order-value or order-key) or the schema's own name stands
for. It is compared at the subject's level with the versions that this level asks for, unless --level and --version say otherwise.

--against TOPIC:COUNT also reads the last records of a topic (1,000 unless COUNT says otherwise) with the new schema, each as a program
that knows it would, and tells which cannot be read and why. The subject is then TOPIC-value, or with --key TOPIC-key, unless
--subject names another.`,
		Example: `  millrace schema check order.avsc --subject orders-value
  millrace schema check order.avsc --subject orders-value --level FULL_TRANSITIVE
  millrace schema check order.avsc --against orders:1000
  millrace schema check orders.proto --version 3 --output json`,
		Args: cobra.ExactArgs(1),
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			o.file.path = args[0]
			r, err := a.check(ctx, c, o)
			if err != nil {
				return err
			}
			if err := a.print(r, r.write); err != nil || r.good() {
				return err
			}
			return errIncompatible
		}),
	}
	o.file.flags(c)
	f := c.Flags()
	f.StringVarP(&o.subject, "subject", "s", "", "the subject that it shall fit (default: guessed by the names of the file and the schema)")
	f.StringVar(&o.version, "version", "", "compare with this version only, or with latest")
	f.StringVar(&o.level, "level", "", "the level to compare at (default: the one that holds for the subject)")
	f.StringVar(&o.against, "against", "", "also read the last records of this topic with it: TOPIC or TOPIC:COUNT")
	f.BoolVar(&o.mustExist, "must-exist", false, "fail when the subject has no versions, which anything fits")
	f.BoolVar(&o.key, "key", false, "with --against: the schema is of the keys")
	c.RegisterFlagCompletionFunc("against", a.completeTopics)
	c.RegisterFlagCompletionFunc("subject", func(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return a.completeSubjects(c, nil, prefix)
	})
	c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(schemaSettings[0].values, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) check(ctx context.Context, c *registryClient, o checkOptions) (r checkResult, err error) {
	q := question{subject: o.subject, normalize: o.file.normalize}
	if q.body, err = o.file.read(a); err != nil {
		return r, err
	}
	if q.version, err = o.earlier(); err != nil {
		return r, err
	}
	topic, records, part := "", int64(0), serde.Value
	if o.key {
		part = serde.Key
	}
	if o.against != "" {
		if topic, records, err = parseSample(o.against); err != nil {
			return r, err
		}
		q.subject = cmp.Or(q.subject, topic+"-"+part.String())
	}
	if q.subject == "" {
		if q.subject, err = c.guessSubject(ctx, q.body.names(o.file.path)); err != nil {
			return r, err
		}
	}
	if r, err = a.compareWithVersions(ctx, c, q, o); err != nil || topic == "" {
		return r, err
	}
	r.Against, err = a.tryRecords(ctx, q.body, q.subject, topic, part, records)
	return r, err
}

// earlier checks the options that say what to compare with.
func (o checkOptions) earlier() (version string, err error) {
	if levels := schemaSettings[0].values; o.level != "" && !slices.Contains(levels, strings.ToUpper(o.level)) {
		return "", usagef("--level %s is unknown: it is %s", o.level, strings.Join(levels, ", "))
	}
	if o.version == "" {
		return "", nil
	}
	return parseVersion(o.version)
}

// compareWithVersions asks the registry for its verdict.
func (a *app) compareWithVersions(ctx context.Context, c *registryClient, q question, o checkOptions) (r checkResult, err error) {
	versions, err := c.versions(ctx, q.subject)
	if err != nil {
		return r, err
	}
	r = checkResult{File: o.file.path, Subject: q.subject, Versions: slices.Sorted(maps.Keys(versions)), Level: strings.ToUpper(o.level), Compatible: true}
	if r.Level == "" {
		r.Level = c.level(ctx, q.subject)
	}
	all, known, err := c.compareAt(ctx, q, r.Level, "the new schema")
	if err != nil {
		return r, err
	}
	if !known && o.level != "" {
		return r, fmt.Errorf("the registry at %s compares only at the level that is set: leave --level out, or change it with \"millrace schema config set\"", c)
	}
	r.Comparisons = all
	for _, one := range all {
		r.Compatible = r.Compatible && one.Compatible
	}
	if len(versions) == 0 {
		err = a.newSubject(ctx, c, q.subject, o.mustExist)
	}
	return r, err
}

// newSubject warns of a name that may be mistyped: a subject without versions takes everything.
func (a *app) newSubject(ctx context.Context, c *registryClient, subject string, mustExist bool) error {
	var all []string
	if err := c.get(ctx, "/subjects", url.Values{"subjectPrefix": {c.anyContext("")}}, &all); err != nil {
		return err
	}
	near := nearSubjects(subject, all)
	words := fmt.Sprintf("subject %s has no versions, so everything fits it", subject)
	if len(near) > 0 {
		words += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	if mustExist {
		return errors.New(words)
	}
	if len(near) > 0 {
		fmt.Fprintln(a.err, "warning: "+escape(words))
	}
	return nil
}

// nearSubjects are at most three names that hold a name, are held by it, or are the same but for two letters in one place.
func nearSubjects(subject string, all []string) (near []string) {
	for _, s := range all {
		head, tail := 0, 0
		for head < min(len(s), len(subject)) && s[head] == subject[head] {
			head++
		}
		for tail < min(len(s), len(subject))-head && s[len(s)-1-tail] == subject[len(subject)-1-tail] {
			tail++
		}
		close := max(len(s), len(subject))-head-tail <= 2
		if s != subject && len(near) < 3 && (close || strings.Contains(s, subject) || s != "" && strings.Contains(subject, s)) {
			near = append(near, s)
		}
	}
	return near
}

// level is the level that holds for a subject; empty when the registry does not tell.
func (c *registryClient) level(ctx context.Context, subject string) string {
	s, err := c.config(ctx, subject)
	if err != nil {
		return ""
	}
	return plainJSON(s.Holds["compatibility"])
}

// guessSubject is the one subject among some names that exists.
func (c *registryClient) guessSubject(ctx context.Context, names []string) (string, error) {
	var known []string
	for _, name := range names {
		versions, err := c.versions(ctx, name)
		if err != nil {
			return "", err
		}
		if len(versions) > 0 && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	switch len(known) {
	case 0:
		return "", usagef("which subject? There is none of %s: say --subject", strings.Join(names, ", "))
	case 1:
		return known[0], nil
	}
	return "", usagef("which subject? There are %s: say --subject", strings.Join(known, " and "))
}

func (r checkResult) write(w io.Writer) {
	level := ""
	if r.Level != "" {
		level = " at level " + r.Level
	}
	switch {
	case r.Compatible && len(r.Versions) == 0:
		fmt.Fprintf(w, "%s is a schema; subject %s has no versions yet, so it fits\n", escape(r.File), escape(r.Subject))
	case r.Compatible:
		fmt.Fprintf(w, "%s fits subject %s%s\n", escape(r.File), escape(r.Subject), escape(level))
	default:
		fmt.Fprintf(w, "%s does not fit subject %s%s\n", escape(r.File), escape(r.Subject), escape(level))
	}
	for _, one := range r.Comparisons {
		if !one.Compatible {
			fmt.Fprintln(w)
			one.write(w)
		}
	}
	if r.Against != nil {
		if !r.Compatible {
			fmt.Fprintln(w)
		}
		r.Against.write(w)
	}
}
