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
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// schemaDiff is two schemas of a subject side by side.
type schemaDiff struct {
	Subject     string       `json:"subject"`
	From        string       `json:"from"`
	To          string       `json:"to"`
	Comparisons []comparison `json:"comparisons,omitempty"`
	Note        string       `json:"note,omitempty"`
	Text        []string     `json:"text"` // lines that begin with a blank, - or +
}

func (a *app) schemaDiff() *cobra.Command {
	var file schemaFile
	c := &cobra.Command{
		Use:   "diff SUBJECT [FROM] [TO]",
		Short: "Show what changed between two versions, and who can read whom",
		Long: `Show what changed between two versions of a subject, and whether each can read what the other writes, whatever the subject's level is.
FROM and TO are versions; TO may also be a file. Without them the latest is compared with the one before it; with one argument, the
latest version with that file, or that version with the latest.`,
		Example: `  millrace schema diff orders-value
  millrace schema diff orders-value 1 3
  millrace schema diff orders-value order.avsc`,
		Args: cobra.RangeArgs(1, 3), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			d, err := a.diff(ctx, c, args[0], args[1:], file)
			if err != nil {
				return err
			}
			return a.print(d, d.write)
		}),
	}
	file.flags(c)
	return c
}

// ends are the two sides of a comparison: versions, and for TO perhaps a file.
func diffEnds(args []string, versions []int) (from, to string, err error) {
	isVersion := func(s string) bool { _, err := parseVersion(s); return err == nil }
	switch {
	case len(args) == 0:
		if len(versions) == 0 {
			return "", "", errors.New("the subject does not exist, or all its versions are deleted: see \"millrace schema list\"")
		}
		if len(versions) < 2 {
			return "", "", fmt.Errorf("there is nothing to compare: the subject has %s", count(int64(len(versions)), "version"))
		}
		return strconv.Itoa(versions[len(versions)-2]), "latest", nil
	case len(args) == 1 && isVersion(args[0]):
		return args[0], "latest", nil
	case len(args) == 1:
		return "latest", args[0], nil
	case !isVersion(args[0]):
		return "", "", usagef("%s is no version: FROM is a number from 1, or latest", args[0])
	}
	return args[0], args[1], nil
}

func (a *app) diff(ctx context.Context, c *registryClient, subject string, args []string, file schemaFile) (d schemaDiff, err error) {
	versions, err := c.versions(ctx, subject)
	if err != nil {
		return d, err
	}
	fromArg, toArg, err := diffEnds(args, slices.Sorted(maps.Keys(versions)))
	if err != nil {
		return d, err
	}
	from, err := c.version(ctx, subject, fromArg)
	if err != nil {
		return d, err
	}
	to, name, err := a.diffTo(ctx, c, subject, toArg, file)
	if err != nil {
		return d, err
	}
	d = schemaDiff{Subject: subject, From: fmt.Sprintf("version %d", from.Version), To: name, Text: lineDiff(diffText(from), diffText(to))}
	q := question{subject: subject, version: strconv.Itoa(from.Version), normalize: file.normalize,
		body: schemaBody{Text: to.Text, Type: to.Type, References: to.References, Metadata: to.Metadata, RuleSet: to.RuleSet}}
	if from.Deleted {
		d.Note = d.From + " is softly deleted, so the registry does not compare it"
		return d, nil
	}
	all, known, err := c.compareAt(ctx, q, "FULL", d.To)
	if err != nil {
		return d, err
	}
	d.Comparisons = all
	if !known {
		d.Note = "this registry compares only at the level that is set"
		d.Comparisons[0].Level = c.level(ctx, subject)
	}
	for i := range d.Comparisons {
		d.Comparisons[i].call(d.From)
	}
	return d, nil
}

// call gives the earlier side its name, also when there were no findings to take it from.
func (r *comparison) call(earlier string) {
	if strings.HasPrefix(r.Level, "BACKWARD") && r.Writer != "" {
		r.Writer = earlier
	}
	if strings.HasPrefix(r.Level, "FORWARD") && r.Reader != "" {
		r.Reader = earlier
	}
}

func (a *app) diffTo(ctx context.Context, c *registryClient, subject, arg string, file schemaFile) (schemaVersion, string, error) {
	if _, err := parseVersion(arg); err == nil {
		v, err := c.version(ctx, subject, arg)
		return v, fmt.Sprintf("version %d", v.Version), err
	}
	file.path = arg
	b, err := file.read(a)
	return schemaVersion{Type: b.Type, Text: b.Text, References: b.References}, arg, err
}

// version is a version of a subject, softly deleted or not; latest is the latest that is not.
func (c *registryClient) version(ctx context.Context, subject, version string) (v schemaVersion, err error) {
	version, err = parseVersion(version)
	if err != nil {
		return v, err
	}
	query := url.Values{"deleted": {strconv.FormatBool(version != "latest")}}
	err = c.get(ctx, at("subjects", subject, "versions", version), query, &v)
	return v, err
}

// diffText is all of a version that can change, in lines.
func diffText(v schemaVersion) []string {
	var lines []string
	for _, r := range v.References {
		lines = append(lines, "reference "+r.String())
	}
	if v.Metadata != nil {
		lines = append(lines, "metadata "+laidOut("JSON", string(v.Metadata)))
	}
	if v.RuleSet != nil {
		lines = append(lines, "rules "+laidOut("JSON", string(v.RuleSet)))
	}
	text := laidOut(v.kind(), v.Text)
	if v.kind() == "PROTOBUF" {
		text = protoLines(v.Text)
	}
	lines = append(lines, text)
	return strings.Split(strings.TrimRight(strings.Join(lines, "\n"), "\n"), "\n")
}

// mostCells bounds the table of lineDiff: beyond it everything between the first and the last change counts as changed.
const mostCells = 16 << 20

// lineDiff is the shortest way from one text to another, line by line: a longest common subsequence.
func lineDiff(a, b []string) []string {
	var head, tail []string
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head, a, b = append(head, " "+a[0]), a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail, a, b = append(tail, " "+a[len(a)-1]), a[:len(a)-1], b[:len(b)-1]
	}
	slices.Reverse(tail)
	out := head
	if common := commonLengths(a, b); common != nil {
		for len(a) > 0 && len(b) > 0 {
			switch wide := len(b); {
			case a[0] == b[0]:
				out, a, b = append(out, " "+a[0]), a[1:], b[1:]
			case common(len(a)-1, wide) >= common(len(a), wide-1):
				out, a = append(out, "-"+a[0]), a[1:]
			default:
				out, b = append(out, "+"+b[0]), b[1:]
			}
		}
	}
	for _, line := range a {
		out = append(out, "-"+line)
	}
	for _, line := range b {
		out = append(out, "+"+line)
	}
	return append(out, tail...)
}

// commonLengths tells how long the longest common subsequence of the last i lines of a and the last j of b is.
func commonLengths(a, b []string) func(i, j int) int32 {
	if len(a)*len(b) > mostCells {
		return nil
	}
	wide := len(b) + 1
	cells := make([]int32, (len(a)+1)*wide)
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			if a[len(a)-i] == b[len(b)-j] {
				cells[i*wide+j] = cells[(i-1)*wide+j-1] + 1
			} else {
				cells[i*wide+j] = max(cells[(i-1)*wide+j], cells[i*wide+j-1])
			}
		}
	}
	return func(i, j int) int32 { return cells[i*wide+j] }
}

func (d schemaDiff) write(w io.Writer) {
	fmt.Fprintf(w, "subject %s: %s -> %s\n", escape(d.Subject), escape(d.From), escape(d.To))
	for _, one := range d.Comparisons {
		fmt.Fprintln(w)
		if one.Compatible {
			fmt.Fprintf(w, "%s reads all that %s writes.\n", escape(begin(cmp.Or(one.Reader, "the reader"))), escape(cmp.Or(one.Writer, "the writer")))
		}
		one.write(w)
	}
	if d.Note != "" {
		fmt.Fprintln(w, "\n"+escape(d.Note))
	}
	if !slices.ContainsFunc(d.Text, func(line string) bool { return line[0] != ' ' }) {
		fmt.Fprintln(w, "\nThe texts are equal.")
		return
	}
	fmt.Fprintf(w, "\n--- %s\n+++ %s\n", escape(d.From), escape(d.To))
	writeHunks(w, d.Text)
}

// around is how many equal lines are shown beside those that changed.
const around = 3

func writeHunks(w io.Writer, lines []string) {
	near := func(i int) bool {
		for _, l := range lines[max(0, i-around):min(len(lines), i+around+1)] {
			if l[0] != ' ' {
				return true
			}
		}
		return false
	}
	left := false
	for i, line := range lines {
		if !near(i) {
			if !left {
				fmt.Fprintln(w, " ...")
			}
			left = true
			continue
		}
		left = false
		fmt.Fprintln(w, escapeKeeping(line, "\t"))
	}
}
