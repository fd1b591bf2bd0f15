package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"millrace/serde"
)

// against says what became of the records of a topic when a candidate read them.
type against struct {
	Topic    string          `json:"topic"`
	Part     string          `json:"part"` // key or value
	Records  int             `json:"records"`
	Read     int             `json:"read"`
	Failed   int             `json:"failed"`
	Null     int             `json:"null,omitempty"`
	NoID     int             `json:"without_id,omitempty"`
	Other    int             `json:"other_names,omitempty"` // records of other names, where a subject is not one topic's
	Broken   int             `json:"broken,omitempty"`      // what cannot be read with the schema that it was written with either
	Failures []recordFailure `json:"failures,omitempty"`
	Damages  []recordFailure `json:"damages,omitempty"`
}

// recordFailure is why records cannot be read: the first of them, and how many there are for the same reason.
type recordFailure struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Schema    string `json:"schema"` // that it was written with
	Reason    string `json:"reason"`
	Records   int    `json:"records"`
}

// judge reads records with a candidate.
type judge struct {
	registry  *serde.Registry
	candidate *serde.Schema
	part      serde.Part
	own       bool // only records with the candidate's name are its own
	result    against
}

// defaultSample is how many records are read when nobody says.
const defaultSample = 1000

// parseSample reads TOPIC or TOPIC:COUNT.
func parseSample(s string) (topic string, n int64, err error) {
	topic, number, counted := strings.Cut(s, ":")
	if n = defaultSample; counted {
		n, err = strconv.ParseInt(number, 10, 32)
	}
	if topic == "" || err != nil || n < 1 {
		return "", 0, usagef("--against %s is not of the form TOPIC:COUNT", s)
	}
	return topic, n, nil
}

// library is the schema as franz-go's client has it.
func (b schemaBody) library() (sr.Schema, error) {
	out := sr.Schema{Schema: b.Text}
	for _, r := range b.References {
		out.References = append(out.References, sr.SchemaReference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return out, out.Type.UnmarshalText([]byte(b.Type))
}

// tryRecords reads the last records of a topic with a candidate.
func (a *app) tryRecords(ctx context.Context, b schemaBody, subject, topic string, part serde.Part, n int64) (*against, error) {
	registry, err := a.serdeRegistry(serde.RememberFailures(failuresKept))
	if err != nil {
		return nil, err
	}
	text, err := b.library()
	if err != nil {
		return nil, err
	}
	candidate, err := registry.Parse(ctx, text)
	if err != nil {
		return nil, err
	}
	j := &judge{registry: registry, candidate: candidate, part: part, own: subject != topic+"-key" && subject != topic+"-value",
		result: against{Topic: topic, Part: part.String()}}
	if err := a.lastRecords(ctx, topic, n, func(r *kgo.Record) error { return j.take(ctx, r) }); err != nil {
		return nil, err
	}
	return j.verdict(), nil
}

// take reads a record. Only a registry that is gone is an error.
func (j *judge) take(ctx context.Context, r *kgo.Record) error {
	j.result.Records++
	text, err := j.registry.ReadWhole(ctx, r, j.part, j.candidate)
	switch {
	case errors.Is(err, serde.ErrUnreachable):
		return err
	case errors.Is(err, serde.ErrNull):
		j.result.Null++
		return nil
	case errors.Is(err, serde.ErrNoID):
		j.plain(r)
		return nil
	case j.own && text.Schema != nil && text.Record != j.candidate.Record():
		j.result.Other++
		return nil
	case err == nil:
		j.result.Read++
		return nil
	}
	_, worse := j.registry.Read(ctx, r, j.part, nil)
	switch {
	case errors.Is(worse, serde.ErrUnreachable):
		return worse
	case worse != nil:
		j.result.Broken++
		j.result.Damages = append(j.result.Damages, j.failure(r, worse))
	default:
		j.result.Failed++
		j.result.Failures = append(j.result.Failures, j.failure(r, err))
	}
	return nil
}

func (j *judge) failure(r *kgo.Record, err error) recordFailure {
	id, _ := serde.FindID(r, j.part)
	reason := strings.TrimPrefix(err.Error(), id.String()+": ")
	return recordFailure{Partition: r.Partition, Offset: r.Offset, Schema: id.String(), Reason: reason, Records: 1}
}

// plain is a record that no serializer of the registry wrote. JSON may be valid under a schema all the same.
func (j *judge) plain(r *kgo.Record) {
	if j.candidate.Text.Type != sr.TypeJSON {
		j.result.NoID++
		return
	}
	payload := r.Value
	if j.part == serde.Key {
		payload = r.Key
	}
	if _, err := j.candidate.Decode(payload); err != nil {
		j.result.Failed++
		j.result.Failures = append(j.result.Failures, recordFailure{r.Partition, r.Offset, "no schema id", err.Error(), 1})
		return
	}
	j.result.Read++
}

func (j *judge) verdict() *against {
	j.result.Failures, j.result.Damages = alike(j.result.Failures), alike(j.result.Damages)
	return &j.result
}

// listIndex is a place in a list, in the path to what does not fit.
var listIndex = regexp.MustCompile(`\[\d+\]`)

// alike puts failures for the same reason together, wherever in a list it stands, in the order of partitions and offsets. The first of them
// speaks for all.
func alike(all []recordFailure) []recordFailure {
	slices.SortFunc(all, func(a, b recordFailure) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	var out []recordFailure
	at := map[[2]string]int{}
	for _, f := range all {
		reason := [2]string{f.Schema, listIndex.ReplaceAllString(f.Reason, "[]")}
		if i, ok := at[reason]; ok {
			out[i].Records++
			continue
		}
		at[reason] = len(out)
		out = append(out, f)
	}
	return out
}

func (t against) write(w io.Writer) {
	fmt.Fprintf(w, "%s from the end of topic %s, %s: %d read", count(int64(t.Records), "record"), escape(t.Topic), plural(t.Records, t.Part), t.Read)
	for _, rest := range []struct {
		n    int
		what string
	}{{t.Failed, "cannot be read"}, {t.Null, "null"}, {t.NoID, "without a schema id"}, {t.Other, "of other names"}, {t.Broken, "that nobody can read"}} {
		if rest.n > 0 {
			fmt.Fprintf(w, ", %d %s", rest.n, rest.what)
		}
	}
	fmt.Fprintln(w)
	writeFailures(w, "\nWhat the new schema cannot read:\n", t.Failures)
	writeFailures(w, "\nWhat the schemas that it was written with cannot read either, which does not count:\n", t.Damages)
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// mostFailures is how many reasons people are told.
const mostFailures = 10

func writeFailures(w io.Writer, head string, all []recordFailure) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, head)
	for i, f := range all {
		if i == mostFailures {
			fmt.Fprintf(w, "  and for %s more\n", count(int64(len(all)-i), "reason"))
			return
		}
		more := ""
		if f.Records > 1 {
			more = fmt.Sprintf(" (and %d more)", f.Records-1)
		}
		fmt.Fprintf(w, "  partition %d, offset %d, written with %s%s: %s\n", f.Partition, f.Offset, escape(f.Schema), more, escape(f.Reason))
	}
}

// lastRecords reads the last records of a topic: as many of each partition as fairness and its length allow.
func (a *app) lastRecords(ctx context.Context, topic string, n int64, take func(*kgo.Record) error) error {
	starts, ends := map[string]map[int32]kgo.Offset{topic: {}}, endings{topic: {}}
	err := a.admin(ctx, func(ctx context.Context, k *kadm.Client) error {
		all, err := a.topicBounds(ctx, k, position{kind: atEnd}, consumeOptions{}, []string{topic})
		if err != nil {
			return err
		}
		for partition, share := range fairShares(all[topic], n) {
			if b := all[topic][partition]; share > 0 {
				starts[topic][partition], ends[topic][partition] = kgo.NewOffset().At(b.end-share), b.end
			}
		}
		return nil
	})
	if err != nil || len(ends[topic]) == 0 {
		return err
	}
	p := &printer{out: bufio.NewWriter(io.Discard), format: func(_ io.Writer, r *kgo.Record) error { return take(r) }}
	return a.readTo(ctx, []string{topic}, starts, ends, consumeOptions{}, p)
}

// fairShares divides n among partitions: what short ones cannot give is left to the others.
func fairShares(all map[int32]bounds, n int64) map[int32]int64 {
	var order []int32
	for partition := range all {
		order = append(order, partition)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(all[a].end-all[a].start, all[b].end-all[b].start), cmp.Compare(a, b))
	})
	shares := map[int32]int64{}
	for i, partition := range order {
		fair := (n + int64(len(order)-i) - 1) / int64(len(order)-i)
		shares[partition] = min(fair, all[partition].end-all[partition].start, n)
		n -= shares[partition]
	}
	return shares
}
