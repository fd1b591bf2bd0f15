package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// exportLine is a line of an export. The lines of a file come in this order of kinds:
//
//	export   the format of the file
//	context  a context other than the default one
//	schema   a version; what it refers to stands before it
//	config   what is set for a subject, for a context (":.c:"), or for all (no subject)
//	mode     likewise
//	end      how many lines came before: a file without it is cut off
//
// Times are left out, so the export of an import equals the file.
type exportLine struct {
	Kind    string `json:"kind"`
	Format  int    `json:"format,omitempty"`
	Context string `json:"context,omitempty"`
	schemaVersion
	Config map[string]json.RawMessage `json:"config,omitempty"`
	Mode   string                     `json:"mode,omitempty"`
	Lines  int                        `json:"lines,omitempty"`
}

const exportFormat = 1

func (a *app) schemaExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write everything that a registry holds into a file",
		Long: `Write all contexts, schemas (softly deleted ones too) with their ids and GUIDs, settings and modes into FILE, or to standard output,
as lines of JSON in a fixed order. "millrace schema import" makes an equal registry of it, here or elsewhere. With --context only that
context is written, with plain names, so that it can be imported into another one. Nobody should register schemas meanwhile.`,
		Example: `  millrace schema export schemas.jsonl
  millrace schema export --registry http://old:8081 | millrace schema import - --registry http://new:8081`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			x, err := c.export(ctx)
			if err != nil {
				return err
			}
			text, err := x.encode()
			if err != nil {
				return err
			}
			if len(args) == 0 || args[0] == "-" {
				_, err := a.out.Write(text)
				return err
			}
			if err := os.WriteFile(args[0], text, 0o644); err != nil {
				return fmt.Errorf("%s cannot be written: %w", args[0], cause(err))
			}
			return a.print(x.counts(), func(w io.Writer) { fmt.Fprintf(w, "exported %s\n", x.counts()) })
		}),
	}
}

// registryExport is everything that a registry holds.
type registryExport struct {
	contexts []string // without the default one
	schemas  []schemaVersion
	configs  []namedConfig
	modes    []namedMode
}

type namedConfig struct {
	Subject string
	Config  map[string]json.RawMessage
}

type namedMode struct {
	Subject string `json:"subject"`
	Mode    string `json:"mode"`
}

// exportCounts is how much of what is in a file.
type exportCounts struct {
	Schemas int `json:"schemas"`
	Deleted int `json:"deleted"`
	Configs int `json:"configs"`
	Modes   int `json:"modes"`
}

func (n exportCounts) String() string {
	return fmt.Sprintf("%s (%d softly deleted), %s and %s", count(int64(n.Schemas), "schema"), n.Deleted,
		count(int64(n.Configs), "group")+" of settings", count(int64(n.Modes), "mode"))
}

func (x registryExport) counts() exportCounts {
	n := exportCounts{Schemas: len(x.schemas), Configs: len(x.configs), Modes: len(x.modes)}
	for _, v := range x.schemas {
		if v.Deleted {
			n.Deleted++
		}
	}
	return n
}

// export asks for everything, in the order of the file.
func (c *registryClient) export(ctx context.Context) (x registryExport, err error) {
	if x.schemas, err = c.schemas(ctx, "", true); err != nil {
		return x, err
	}
	ours, err := c.allSettings(ctx, &x)
	if err != nil {
		return x, err
	}
	if !ours {
		err = c.foreignSettings(ctx, &x)
	}
	if err != nil {
		return x, err
	}
	if c.context == "" {
		if err := c.otherContexts(ctx, &x); err != nil {
			return x, err
		}
	}
	for i := range x.schemas {
		v := &x.schemas[i]
		v.Time, v.Type, v.Subject = 0, v.kind(), c.plain(v.Subject)
	}
	x.schemas = inOrder(x.schemas)
	return x, nil
}

// plain is a subject without the context that the client is in.
func (c *registryClient) plain(subject string) string {
	if c.context != "" && c.context != "." {
		return strings.TrimPrefix(subject, ":"+c.context+":")
	}
	return subject
}

func (c *registryClient) otherContexts(ctx context.Context, x *registryExport) error {
	if err := c.get(ctx, "/contexts", nil, &x.contexts); err != nil && !notThere(err) {
		return err
	}
	x.contexts = slices.DeleteFunc(x.contexts, func(name string) bool { return name == "." })
	slices.Sort(x.contexts)
	return nil
}

// allSettings asks a registry of ours for everything that is set; it is false elsewhere.
func (c *registryClient) allSettings(ctx context.Context, x *registryExport) (ours bool, err error) {
	var all struct {
		Configs []map[string]json.RawMessage
		Modes   []namedMode
	}
	if err := c.get(ctx, "/v1/settings", nil, &all); err != nil {
		if notThere(err) {
			return false, nil
		}
		return false, err
	}
	for _, config := range all.Configs {
		name := plainJSON(config["subject"])
		delete(config, "subject")
		if c.covers(name) {
			x.configs = append(x.configs, namedConfig{c.plain(name), levelRenamed(config)})
		}
	}
	for _, m := range all.Modes {
		if c.covers(m.Subject) {
			x.modes = append(x.modes, namedMode{c.plain(m.Subject), m.Mode})
		}
	}
	return true, nil
}

// covers tells whether a name is in the context that the client is in.
func (c *registryClient) covers(name string) bool {
	return c.context == "" || subjectContext(name) == c.context
}

// foreignSettings asks a registry that is not ours for what is set, by every name that is known.
func (c *registryClient) foreignSettings(ctx context.Context, x *registryExport) error {
	names := map[string]bool{"": true}
	for _, v := range x.schemas {
		names[c.plain(v.Subject)] = true
		if context := subjectContext(v.Subject); c.context == "" && context != "." {
			names[":"+context+":"] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := c.settingsOf(ctx, name, x); err != nil {
			return err
		}
	}
	return nil
}

func (c *registryClient) settingsOf(ctx context.Context, name string, x *registryExport) error {
	config, err := c.ownConfig(ctx, name)
	if err != nil {
		return err
	}
	if len(config) > 0 {
		x.configs = append(x.configs, namedConfig{name, config})
	}
	mode, err := c.ownMode(ctx, name)
	if mode != "" {
		x.modes = append(x.modes, namedMode{name, mode})
	}
	return err
}

// ownConfig is what is set for a name itself. Of all subjects a registry tells what holds, so the defaults count as not set.
func (c *registryClient) ownConfig(ctx context.Context, name string) (map[string]json.RawMessage, error) {
	var config map[string]json.RawMessage
	if err := c.get(ctx, settingsPath("config", name), nil, &config); err != nil {
		if code := registryCode(err); code == 40408 || code == 40401 {
			err = nil
		}
		return nil, err
	}
	config = levelRenamed(config)
	if name == "" && len(config) == 1 && plainJSON(config["compatibility"]) == "BACKWARD" {
		return nil, nil
	}
	return config, nil
}

func (c *registryClient) ownMode(ctx context.Context, name string) (string, error) {
	var m namedMode
	if err := c.get(ctx, settingsPath("mode", name), nil, &m); err != nil {
		if code := registryCode(err); code == 40409 || code == 40401 {
			err = nil
		}
		return "", err
	}
	if name == "" && m.Mode == "READWRITE" {
		return "", nil
	}
	return m.Mode, nil
}

// encode writes the lines.
func (x registryExport) encode() ([]byte, error) {
	lines := []exportLine{{Kind: "export", Format: exportFormat}}
	for _, name := range x.contexts {
		lines = append(lines, exportLine{Kind: "context", Context: name})
	}
	for _, v := range x.schemas {
		lines = append(lines, exportLine{Kind: "schema", schemaVersion: v})
	}
	for _, n := range x.configs {
		lines = append(lines, exportLine{Kind: "config", schemaVersion: schemaVersion{Subject: n.Subject}, Config: n.Config})
	}
	for _, n := range x.modes {
		lines = append(lines, exportLine{Kind: "mode", schemaVersion: schemaVersion{Subject: n.Subject}, Mode: n.Mode})
	}
	lines = append(lines, exportLine{Kind: "end", Lines: len(lines)})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, line := range lines {
		if err := e.Encode(line); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// decodeExport reads the lines back.
func decodeExport(r io.Reader) (x registryExport, err error) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for n := 0; ; n++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return x, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return x, fmt.Errorf("the file ends at line %d, but an export ends with a line of the kind end: it was cut off", n)
		}
		var line exportLine
		if err := json.Unmarshal(text, &line); err != nil {
			return x, fmt.Errorf("line %d is no line of an export: %w", n+1, err)
		}
		if n == 0 && (line.Kind != "export" || line.Format != exportFormat) {
			return x, fmt.Errorf(`this is no file that this version can import: it does not begin with {"kind":"export","format":%d}`, exportFormat)
		}
		if line.Kind == "end" {
			if line.Lines != n {
				return x, fmt.Errorf("the file has %d lines, and says itself that it had %d: some are lost", n, line.Lines)
			}
			return x, nil
		}
		if err := x.add(line); err != nil {
			return x, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
}

func (x *registryExport) add(line exportLine) error {
	switch line.Kind {
	case "export":
	case "context":
		x.contexts = append(x.contexts, line.Context)
	case "schema":
		x.schemas = append(x.schemas, line.schemaVersion)
	case "config":
		x.configs = append(x.configs, namedConfig{line.Subject, line.Config})
	case "mode":
		x.modes = append(x.modes, namedMode{line.Subject, line.Mode})
	default:
		return fmt.Errorf("a line of the kind %q is not known here", line.Kind)
	}
	return nil
}

// versionName is a version by the name that references use.
type versionName struct {
	subject string
	version int
}

// content is all versions of a subject that carry one id: one schema that was registered more than once.
type content struct {
	subject string
	id      int
}

// inOrder puts schemas behind what they refer to, and the versions of a content beside each other; else by subject and version. In a
// circle of references, which no registry makes, somebody is first.
func inOrder(all []schemaVersion) []schemaVersion {
	slices.SortFunc(all, func(a, b schemaVersion) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	versions, where := map[content][]schemaVersion{}, map[versionName]content{}
	for _, v := range all {
		of := content{v.Subject, v.ID}
		versions[of] = append(versions[of], v)
		where[versionName{v.Subject, v.Version}] = of
	}
	var ordered []schemaVersion
	begun := map[content]bool{}
	var visit func(of content)
	visit = func(of content) {
		if begun[of] {
			return
		}
		begun[of] = true
		for _, v := range versions[of] {
			for _, r := range v.References {
				if to, ok := where[versionName{qualify(v.Subject, r.Subject), r.Version}]; ok {
					visit(to)
				}
			}
		}
		ordered = append(ordered, versions[of]...)
	}
	for _, v := range all {
		visit(content{v.Subject, v.ID})
	}
	return ordered
}

// qualify is the subject that a schema of another one means: in the context of that one, unless it names its own.
func qualify(parent, subject string) string {
	context := subjectContext(parent)
	switch {
	case strings.HasPrefix(subject, ":.:"):
		return subject[len(":.:"):]
	case strings.HasPrefix(subject, ":.") || context == ".":
		return subject
	}
	return ":" + context + ":" + subject
}
