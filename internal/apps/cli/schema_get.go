package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// schemaWanted says which schema somebody wants to see, and how.
type schemaWanted struct {
	version, guid, format string
	id                    int
	text, raw             bool
}

func (a *app) schemaGet() *cobra.Command {
	var o schemaWanted
	c := &cobra.Command{
		Use:   "get [SUBJECT]",
		Short: "Show a schema",
		Long: `Show a schema: a version of a subject (the latest unless --version names one), or the one with an id or a GUID, with what belongs to
it. --text prints only the schema, laid out for people; --raw prints only the schema, as the registry stores it.

--format asks the registry for another form: resolved (Avro, references written out), serialized (Protobuf, a descriptor in base64),
ignore_extensions (Protobuf), or what else it knows.`,
		Example: `  millrace schema get orders-value
  millrace schema get orders-value --version 1 --raw > order.avsc
  millrace schema get --id 7
  millrace schema get orders-value --format resolved --text`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			v, uses, err := o.find(ctx, c, firstArg(args))
			if err != nil {
				return err
			}
			return a.showSchema(v, uses, o)
		}),
	}
	f := c.Flags()
	f.StringVar(&o.version, "version", "latest", "a version of the subject, or latest")
	f.IntVar(&o.id, "id", 0, "the schema with this id, in the context of SUBJECT or --context")
	f.StringVar(&o.guid, "guid", "", "the schema with this GUID")
	f.StringVar(&o.format, "format", "", "the form in which the registry shall give it")
	f.BoolVar(&o.text, "text", false, "print only the schema, laid out")
	f.BoolVar(&o.raw, "raw", false, "print only the schema, as it is stored")
	c.MarkFlagsMutuallyExclusive("id", "guid", "version")
	c.MarkFlagsMutuallyExclusive("text", "raw")
	c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"resolved", "serialized", "ignore_extensions"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// schemaUse is where a schema is registered.
type schemaUse struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (u schemaUse) String() string { return fmt.Sprintf("%s:%d", u.Subject, u.Version) }

// find asks for the schema; of one that is asked for by id or GUID also where it is registered.
func (o schemaWanted) find(ctx context.Context, c *registryClient, subject string) (v schemaVersion, uses []schemaUse, err error) {
	query := url.Values{}
	if o.format != "" {
		query.Set("format", o.format)
	}
	switch {
	case o.id != 0:
		return c.byID(ctx, o.id, subject, query)
	case o.guid != "":
		return c.byGUID(ctx, o.guid, query)
	case subject == "":
		return v, nil, usagef("which schema? Give a SUBJECT, --id or --guid")
	}
	version, err := parseVersion(o.version)
	if err != nil {
		return v, nil, err
	}
	query.Set("deleted", strconv.FormatBool(version != "latest")) // the latest that is not deleted, but every version that is named
	err = c.get(ctx, at("subjects", subject, "versions", version), query, &v)
	return v, nil, err
}

func (c *registryClient) byID(ctx context.Context, id int, subject string, query url.Values) (v schemaVersion, uses []schemaUse, err error) {
	if subject != "" {
		query.Set("subject", subject)
	}
	path := at("schemas", "ids", strconv.Itoa(id))
	if err := c.get(ctx, path, query, &v); err != nil {
		return v, nil, err
	}
	v.ID = id
	query.Del("format")
	query.Set("deleted", "true")
	err = c.get(ctx, path+"/versions", query, &uses)
	return v, uses, err
}

func (c *registryClient) byGUID(ctx context.Context, guid string, query url.Values) (v schemaVersion, uses []schemaUse, err error) {
	if err := c.get(ctx, at("schemas", "guids", guid), query, &v); err != nil {
		if notThere(err) {
			err = fmt.Errorf("the registry at %s does not know GUIDs: ask for the schema by --id, or by its subject", c)
		}
		return v, nil, err
	}
	v.GUID = guid
	var ids []struct {
		Context string `json:"context"`
		ID      int    `json:"id"`
	}
	if err := c.get(ctx, at("schemas", "guids", guid, "ids"), nil, &ids); err != nil {
		return v, nil, err
	}
	for _, id := range ids {
		var there []schemaUse
		query := url.Values{"deleted": {"true"}, "subject": {":" + id.Context + ":"}}
		if err := c.get(ctx, at("schemas", "ids", strconv.Itoa(id.ID), "versions"), query, &there); err != nil {
			return v, nil, err
		}
		v.ID = id.ID
		uses = append(uses, there...)
	}
	return v, uses, nil
}

func (a *app) showSchema(v schemaVersion, uses []schemaUse, o schemaWanted) error {
	switch {
	case o.raw:
		_, err := io.WriteString(a.out, a.text(v.Text))
		return err
	case o.text:
		_, err := io.WriteString(a.out, a.text(laidOut(v.kind(), v.Text)))
		return err
	}
	type shown struct {
		schemaVersion
		Uses []schemaUse `json:"uses,omitempty"`
	}
	return a.print(shown{v, uses}, func(w io.Writer) {
		describeSchema(v, uses).write(w)
		fmt.Fprint(w, "\n", a.text(laidOut(v.kind(), v.Text)))
	})
}

func describeSchema(v schemaVersion, uses []schemaUse) fields {
	var f fields
	f.add("subject", v.Subject)
	if v.Version != 0 {
		f.add("version", strconv.Itoa(v.Version))
	}
	if len(uses) > 0 {
		f.add("used as", joined(uses))
	}
	f.add("id", strconv.Itoa(v.ID))
	f.add("guid", v.GUID)
	f.add("type", v.kind())
	for i, r := range v.References {
		f.add(map[bool]string{true: "references"}[i == 0], r.String())
	}
	var m struct {
		Tags       map[string][]string `json:"tags"`
		Properties map[string]string   `json:"properties"`
		Sensitive  []string            `json:"sensitive"`
	}
	if v.Metadata != nil && json.Unmarshal(v.Metadata, &m) == nil {
		for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
			f.add("property", name+"="+m.Properties[name])
		}
		for _, path := range slices.Sorted(maps.Keys(m.Tags)) {
			f.add("tags", path+": "+strings.Join(m.Tags[path], ", "))
		}
		f.add("sensitive", strings.Join(m.Sensitive, ", "))
	}
	f.add("rules", compacted(v.RuleSet))
	f.add("registered", shownTime(v.Time))
	if v.Deleted {
		f.add("deleted", `softly: its id still works; registering it again brings it back, "millrace schema delete --permanent" ends it`)
	}
	return f
}

func compacted(raw json.RawMessage) string {
	var b bytes.Buffer
	if raw == nil || json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
