package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) schemaConfig() *cobra.Command {
	return noun("config", "Show and change the level of compatibility and the other settings of subjects",
		`Settings are made for a subject, for a context (--context), or for all contexts (--context .__GLOBAL). What is not set for a subject is
inherited from its context, then from what is set for all. Without a subject and --context they are those of the default context, where
subjects are that name none; other contexts do not inherit them.

The levels of compatibility: NONE; BACKWARD, a new version reads what the latest wrote; FORWARD, the latest reads what a new version
writes; FULL, both; and the same with _TRANSITIVE, all versions instead of the latest. The settings:

`+schemaSettingsHelp(), a.schemaConfigGet(), a.schemaConfigSet(), a.schemaConfigDelete())
}

// schemaSetting is a setting of subjects. Values of the kinds true, false and of an object are JSON.
type schemaSetting struct {
	name, doc string
	values    []string // what it may be; nil: any text
	object    bool
}

var schemaSettings = []schemaSetting{
	{"compatibility", "what a new version must fit",
		[]string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}, false},
	{"compatibilityPolicy", "how strictly open models of JSON Schema are judged", []string{"STRICT", "LENIENT"}, false},
	{"compatibilityGroup", "a property of the metadata: only versions with the same value are compared", nil, false},
	{"normalize", "schemas are normalized when they are registered", []string{"true", "false"}, false},
	{"validateFields", "names that the metadata reserves may not be used", []string{"true", "false"}, false},
	{"validateNewSchemas", "new schemas are checked more strictly than old ones", []string{"true", "false"}, false},
	{"validateRules", "rule sets are checked", []string{"true", "false"}, false},
	{"alias", "the subject that this one stands for", nil, false},
	{"aliasForDeks", "the subject whose encryption keys this one uses", nil, false},
	{"defaultMetadata", "metadata of schemas that come with none", nil, true},
	{"overrideMetadata", "metadata put over every schema's own", nil, true},
	{"defaultRuleSet", "rules of schemas that come with none", nil, true},
	{"overrideRuleSet", "rules put over every schema's own", nil, true},
}

func schemaSettingsHelp() string {
	var b strings.Builder
	for _, s := range schemaSettings {
		fmt.Fprintf(&b, "  %-20s %s\n", s.name, s.doc)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// schemaSettingNamed finds a setting; a registry shows the level under another name than it takes it.
func schemaSettingNamed(name string) *schemaSetting {
	if name == "compatibilityLevel" {
		name = "compatibility"
	}
	for i := range schemaSettings {
		if strings.EqualFold(schemaSettings[i].name, name) {
			return &schemaSettings[i]
		}
	}
	return nil
}

// subjectAndSettings tells the subject, which comes first if at all, from KEY=VALUE.
func subjectAndSettings(args []string) (subject string, settings []string) {
	if len(args) == 0 {
		return "", nil
	}
	key, _, assigned := strings.Cut(args[0], "=")
	if assigned && schemaSettingNamed(key) != nil {
		return "", args
	}
	return args[0], args[1:]
}

// changeOf makes the body of a request: null takes a setting back.
func changeOf(a *app, settings, unset []string) (map[string]json.RawMessage, error) {
	change := map[string]json.RawMessage{}
	for _, item := range settings {
		key, value, ok := strings.Cut(item, "=")
		s := schemaSettingNamed(key)
		switch {
		case !ok:
			return nil, usagef("%s is not of the form KEY=VALUE", item)
		case s == nil:
			return nil, unknownSchemaSetting(key)
		}
		raw, err := s.value(a, value)
		if err != nil {
			return nil, err
		}
		change[s.name] = raw
	}
	for _, key := range unset {
		s := schemaSettingNamed(key)
		if s == nil {
			return nil, unknownSchemaSetting(key)
		}
		change[s.name] = json.RawMessage("null")
	}
	return change, nil
}

func unknownSchemaSetting(key string) error {
	var names []string
	for _, s := range schemaSettings {
		names = append(names, s.name)
	}
	return usagef("subjects have no setting %s: there are %s", key, strings.Join(names, ", "))
}

// value is what somebody typed, as JSON.
func (s *schemaSetting) value(a *app, text string) (json.RawMessage, error) {
	if s.object {
		return s.objectValue(a, text)
	}
	if s.values != nil {
		at := slices.IndexFunc(s.values, func(v string) bool { return strings.EqualFold(v, text) })
		if at < 0 {
			return nil, usagef("%s=%s is not possible: it is %s", s.name, text, strings.Join(s.values, ", "))
		}
		text = s.values[at]
		if text == "true" || text == "false" {
			return json.RawMessage(text), nil
		}
	}
	return compactJSON(text)
}

func (s *schemaSetting) objectValue(a *app, text string) (json.RawMessage, error) {
	if path, ok := strings.CutPrefix(text, "@"); ok {
		read, err := a.readFile(path)
		if err != nil {
			return nil, err
		}
		text = string(read)
	}
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return nil, usagef("%s needs a JSON object, or @FILE with one", s.name)
	}
	return json.RawMessage(text), nil
}

// subjectSettings are the settings that hold for a subject, and which of them are set for it.
type subjectSettings struct {
	Subject string                     `json:"subject,omitempty"`
	Context string                     `json:"context,omitempty"`
	Set     map[string]json.RawMessage `json:"set_here"`
	Holds   map[string]json.RawMessage `json:"holds"`
}

// config asks for the settings. Of the default context a registry does not tell what is set from what just holds.
func (c *registryClient) config(ctx context.Context, subject string) (subjectSettings, error) {
	s := subjectSettings{Subject: subject, Context: c.context}
	path := settingsPath("config", subject)
	if err := c.get(ctx, path, nil, &s.Set); err != nil && registryCode(err) != 40408 {
		return s, err
	}
	err := c.get(ctx, path, url.Values{"defaultToGlobal": {"true"}}, &s.Holds)
	s.Set, s.Holds = levelRenamed(s.Set), levelRenamed(s.Holds)
	if compacted(s.Set["compatibility"]) != compacted(s.Holds["compatibility"]) {
		delete(s.Set, "compatibility") // Confluent's registry tells the default level where other settings are made and none is set
	}
	return s, err
}

// levelRenamed gives the level the name under which it is set.
func levelRenamed(settings map[string]json.RawMessage) map[string]json.RawMessage {
	renamed := map[string]json.RawMessage{}
	for name, value := range settings {
		if name == "compatibilityLevel" {
			name = "compatibility"
		}
		renamed[name] = value
	}
	return renamed
}

func (s subjectSettings) write(w io.Writer) {
	t := newTable("SETTING", "VALUE", "FROM")
	for _, known := range schemaSettings {
		value, ok := s.Holds[known.name]
		if !ok {
			continue
		}
		from := "inherited"
		if own, ok := s.Set[known.name]; ok {
			from = "here"
			if compacted(own) != compacted(value) {
				from = "here and inherited"
			}
		}
		t.add(known.name, plainJSON(value), from)
	}
	t.write(w)
}

// plainJSON shows a JSON string without its quotes, anything else as it is.
func plainJSON(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return compacted(raw)
}

func (a *app) schemaConfigGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get [SUBJECT]",
		Short:   "Show the settings that hold",
		Example: "  millrace schema config get\n  millrace schema config get orders-value",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			s, err := c.config(ctx, firstArg(args))
			if err != nil {
				return err
			}
			return a.print(s, s.write)
		}),
	}
}

func (a *app) schemaConfigSet() *cobra.Command {
	var unset []string
	c := &cobra.Command{
		Use:   "set [SUBJECT] KEY=VALUE...",
		Short: "Change settings",
		Long:  "Change settings; those that are not named stay as they are. Values that are objects are JSON, or @FILE.",
		Example: `  millrace schema config set orders-value compatibility=FULL_TRANSITIVE
  millrace schema config set compatibility=BACKWARD normalize=true
  millrace schema config set orders-value defaultMetadata='{"properties":{"owner":"billing"}}'
  millrace schema config set orders-value --unset compatibility`,
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			names, directive := completeSchemaSettings("=")(c, args, prefix)
			if len(args) == 0 {
				subjects, _ := a.completeSubjects(c, args, prefix)
				names = append(subjects, names...)
			}
			return names, directive
		},
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			subject, settings := subjectAndSettings(args)
			change, err := changeOf(a, settings, unset)
			if err != nil {
				return err
			}
			if len(change) == 0 {
				return usagef("nothing to set: give KEY=VALUE or --unset")
			}
			if err := c.do(ctx, "PUT", settingsPath("config", subject), nil, change, nil); err != nil {
				return err
			}
			s, err := c.config(ctx, subject)
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				fmt.Fprintf(w, "changed %s of %s\n", count(int64(len(change)), "setting"), escape(c.scope(subject)))
				s.write(w)
			})
		}),
	}
	c.Flags().StringArrayVar(&unset, "unset", nil, "take a setting back, so that what it inherits holds")
	c.RegisterFlagCompletionFunc("unset", completeSchemaSettings(""))
	return c
}

func completeSchemaSettings(suffix string) completion {
	return func(_ *cobra.Command, _ []string, prefix string) (out []string, _ cobra.ShellCompDirective) {
		for _, s := range schemaSettings {
			if key, value, ok := strings.Cut(prefix, "="); ok && key == s.name {
				for _, v := range s.values {
					if strings.HasPrefix(v, value) {
						out = append(out, key+"="+v)
					}
				}
			} else if strings.HasPrefix(s.name, prefix) {
				out = append(out, s.name+suffix+"\t"+s.doc)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func (a *app) schemaConfigDelete() *cobra.Command {
	return &cobra.Command{
		Use:     "delete [SUBJECT]",
		Short:   "Take all settings back, so that what is inherited holds",
		Example: "  millrace schema config delete orders-value",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: a.completeSubjects,
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			subject := firstArg(args)
			if err := c.do(ctx, "DELETE", settingsPath("config", subject), nil, nil, nil); err != nil {
				return err
			}
			s, err := c.config(ctx, subject)
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				fmt.Fprintf(w, "the settings of %s are taken back; what holds now:\n", escape(c.scope(subject)))
				s.write(w)
			})
		}),
	}
}
