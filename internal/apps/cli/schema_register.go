package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

type registerOptions struct {
	file            schemaFile
	properties      []string
	metadata, rules string
	version, id     int
	force           bool
}

func (a *app) schemaRegister() *cobra.Command {
	var o registerOptions
	c := &cobra.Command{
		Use:   "register SUBJECT FILE",
		Short: "Register a schema under a subject",
		Long: `Register the schema of FILE (- is standard input) as the next version of SUBJECT. A schema that the subject has already is told
again and nothing is written. What does not fit the versions before it, by the subject's level of compatibility, is refused.`,
		Example: `  millrace schema register orders-value order.avsc
  millrace schema register orders-value order.proto --reference customer.proto=customers-value:2
  millrace schema register orders-value order.json --property owner=billing --normalize`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			o.file.path = args[1]
			b, err := o.body(a)
			if err != nil {
				return err
			}
			return a.register(ctx, c, args[0], b, o)
		}),
	}
	o.file.flags(c)
	f := c.Flags()
	f.StringArrayVar(&o.properties, "property", nil, "a property of its metadata as KEY=VALUE; may be given more than once")
	f.StringVar(&o.metadata, "metadata", "", "JSON file with its metadata: tags, properties, sensitive")
	f.StringVar(&o.rules, "rules", "", "JSON file with its rule set")
	f.IntVar(&o.version, "version", 0, "register only if it becomes this version")
	f.IntVar(&o.id, "id", 0, "the id to give it, in mode IMPORT")
	f.BoolVar(&o.force, "force", false, "do not ask whether it is compatible")
	c.MarkFlagsMutuallyExclusive("property", "metadata")
	c.MarkFlagFilename("metadata", "json")
	c.MarkFlagFilename("rules", "json")
	return c
}

// body is the whole schema with what is said about it.
func (o registerOptions) body(a *app) (schemaBody, error) {
	b, err := o.file.read(a)
	if err != nil {
		return b, err
	}
	b.Version, b.ID = o.version, o.id
	if len(o.properties) > 0 {
		set, err := pairs("--property", o.properties)
		if err != nil {
			return b, err
		}
		if b.Metadata, err = compactJSON(map[string]any{"properties": set}); err != nil {
			return b, err
		}
	}
	if o.metadata != "" {
		if b.Metadata, err = readJSON("--metadata", o.metadata); err != nil {
			return b, err
		}
	}
	if o.rules != "" {
		b.RuleSet, err = readJSON("--rules", o.rules)
	}
	return b, err
}

func readJSON(flag, path string) (json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", flag, cause(err))
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("%s %s is not JSON", flag, path)
	}
	return text, nil
}

type registerResult struct {
	Subject string `json:"subject"`
	Version int    `json:"version,omitempty"`
	ID      int    `json:"id"`
	GUID    string `json:"guid,omitempty"`
	New     bool   `json:"new"`
}

func (a *app) register(ctx context.Context, c *registryClient, subject string, b schemaBody, o registerOptions) error {
	before, err := c.versions(ctx, subject)
	if err != nil {
		return err
	}
	query := url.Values{}
	if o.file.normalize {
		query.Set("normalize", "true")
	}
	if o.force {
		query.Set("force", "true")
	}
	var v schemaVersion
	if err := c.do(ctx, "POST", at("subjects", subject, "versions"), query, b, &v); err != nil {
		return incompatible(err)
	}
	if v.Version == 0 { // an older registry tells only the id
		query.Del("force")
		if err := c.do(ctx, "POST", at("subjects", subject), query, b, &v); err != nil {
			return err
		}
	}
	r := registerResult{subject, v.Version, v.ID, v.GUID, !before[v.Version]}
	return a.print(r, func(w io.Writer) {
		if r.New {
			fmt.Fprintf(w, "registered version %d of subject %s, id %d\n", r.Version, escape(subject), r.ID)
		} else {
			fmt.Fprintf(w, "version %d of subject %s is this schema already, id %d: nothing was written\n", r.Version, escape(subject), r.ID)
		}
	})
}

// incompatible lays out the refusal of a schema that does not fit: what a registry says in one sentence are several findings and a record.
func incompatible(err error) error {
	e, ok := err.(*registryError)
	if !ok || e.status != 409 || e.CounterExample == nil {
		return err
	}
	return fmt.Errorf("%s: a record that breaks is %s; \"millrace schema check\" tells more", strings.TrimRight(e.Message, "."), compacted(e.CounterExample))
}

// versions are the live versions of a subject; none when there is no such subject.
func (c *registryClient) versions(ctx context.Context, subject string) (map[int]bool, error) {
	var numbers []int
	err := c.get(ctx, at("subjects", subject, "versions"), nil, &numbers)
	if registryCode(err) == 40401 {
		err = nil
	}
	set := map[int]bool{}
	for _, n := range numbers {
		set[n] = true
	}
	return set, err
}
